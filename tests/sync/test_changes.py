"""Conversations that change long after they began come again, and those that do not are left alone."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from conversations_hub._transport import Clock
from conversations_hub.errors import InvalidRefError
from conversations_hub.schema import Status
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import plan, sync

from ..support.clock import NOW, ManualClock
from ..support.fake_lane import fake_lanes
from ..support.open_threads import ACME, BEGAN, World
from ..support.simulated import simulated
from ..support.sqlite import stored

STEPS = st.one_of(
    st.tuples(st.just("begin"), st.integers(1, 4)),
    st.tuples(st.just("write"), st.integers(0, 50)),
    st.tuples(st.just("sync"), st.just(0)),
    st.tuples(st.just("break"), st.integers(1, 12)),
    st.tuples(st.just("meanwhile"), st.integers(0, 50)),
    st.tuples(st.just("wait"), st.integers(1, 90)),
    st.tuples(st.just("again"), st.integers(1, 90)),
    st.tuples(st.just("recent"), st.integers(1, 90)),
)


@settings(max_examples=15)
@given(st.lists(STEPS, max_size=14))
@example(
    [  # the first walk is broken off in its second pass, and an older one changes before it goes on
        ("break", 1),
        ("write", 0),
        ("meanwhile", 26),
        ("begin", 4),
        ("break", 1),
        ("wait", 4),
        ("begin", 4),
        ("break", 7),
        ("break", 3),
        ("break", 1),
        ("write", 0),
    ]
)
@example([("begin", 2), ("sync", 0), ("write", 0), ("wait", 60), ("begin", 1), ("again", 30)])
def test_no_order_of_changes_loses_one(steps: list[tuple[str, int]]) -> None:
    async def play(world: World) -> None:
        for step, number in steps:
            if step == "begin":
                for _ in range(number):
                    world.begin()
            elif step == "write":
                world.write(number)
            elif step == "wait":
                world.now += timedelta(days=number)
            elif step == "meanwhile":
                world.meanwhile = lambda number=number: world.write(number)
                await world.sync()
                world.meanwhile = None
            elif step in {"again", "recent"}:
                await world.sync(since=world.now - timedelta(days=number), again=step == "again")
            else:
                await world.sync(number or None)
        assert (await world.sync()).complete
        assert world.said() == world.truth()
        gets = world.gets
        assert (await world.sync()).complete
        assert world.gets == gets  # though none of them has ended

    with TemporaryDirectory() as folder:
        asyncio.run(play(World(Path(folder, "c.db"))))


async def test_only_what_changed_is_listed_and_fetched_again(tmp_path: Path) -> None:
    world = World(tmp_path / "c.db")
    for _ in range(30):
        world.begin()
        world.now += timedelta(days=2)
    await world.sync()
    assert world.gets == 30
    world.now += timedelta(days=200)
    world.write(4)
    report = await world.sync()
    assert (world.gets, world.requests) == (31, 2)
    assert [one.updated for one in report.accounts] == [1]
    assert world.said() == world.truth()


@pytest.mark.parametrize(("counted", "lists"), [(False, 3), (True, 6)])
async def test_a_plan_says_what_the_sync_does(tmp_path: Path, *, counted: bool, lists: int) -> None:
    world = World(tmp_path / "c.db", msgspec.structs.replace(ACME, counted=counted))
    for _ in range(8):
        world.begin()
    await world.sync()
    world.now += timedelta(days=30)
    world.begin()
    world.write(3)
    world.now += timedelta(minutes=1)
    with fake_lanes(world.answer):
        async with world.hub() as hub:
            [planned] = await plan(hub, store=SQLiteStore(world.store), clock=world.clock)
    assert (planned.new, planned.again, planned.detail_requests) == (1, 1, 2)
    [done] = (await world.sync()).accounts
    assert (done.new, done.updated) == (1, 1)
    assert planned.list_requests == lists
    assert planned.requests == world.requests


async def test_where_no_changes_were_ever_walked_all_are(tmp_path: Path) -> None:
    world = World(tmp_path / "c.db")
    for _ in range(8):
        world.begin()
    await world.sync()
    with closing(sqlite3.connect(world.store)) as connection, connection:
        connection.execute("UPDATE accounts SET progress = json_remove(progress, '$.changes_until')")
    world.now += timedelta(days=100)
    world.write(0)
    with fake_lanes(world.answer):
        async with world.hub() as hub:
            [planned] = await plan(hub, store=SQLiteStore(world.store), clock=world.clock)
    await world.sync()
    assert world.said() == world.truth()
    assert (planned.again, planned.requests) == (1, world.requests)


async def test_older_ones_are_fetched_when_the_span_grows(tmp_path: Path) -> None:
    world = World(tmp_path / "c.db")
    for _ in range(6):
        world.begin()
        world.now += timedelta(days=10)
    middle = world.kept[3].created
    await world.sync(since=middle)
    assert world.said().keys() == {"c3", "c4", "c5"}
    world.write(0)
    await world.sync(since=middle)
    assert world.said().keys() == {"c3", "c4", "c5"}
    await world.sync()
    assert world.said() == world.truth()


async def test_a_list_by_change_holds_what_changed() -> None:
    world = World(Path())
    for _ in range(5):
        world.begin()
    world.now += timedelta(days=3)
    world.write(1)
    with fake_lanes(world.answer):
        async with world.hub() as hub:
            since = world.now - timedelta(days=1)
            assert [row.id async for row in hub.list("acme", updated_since=since)] == ["c1"]
            with pytest.raises(InvalidRefError, match="updated_since has no time zone"):
                hub.list(updated_since=datetime(2026, 1, 1))  # noqa: DTZ001
            page = await anext(hub.list("acme", updated_since=BEGAN).pages())
            rest = hub.list("acme", updated_since=BEGAN, cursor=page.cursor)
            assert len(page.items) + len([row async for row in rest]) == 5
            with pytest.raises(InvalidRefError, match="another updated_since"):
                hub.list("acme", cursor=page.cursor)


@pytest.mark.parametrize(
    ("provider", "opening"),
    [
        ("chatwoot", {"source_id": "s1", "message": {"content": "Hello."}}),
        ("twilio", {"FriendlyName": "An order"}),
    ],
)
async def test_an_open_thread_that_does_not_change_is_not_fetched_again(
    provider: str, opening: dict[str, object], tmp_path: Path
) -> None:
    store, present, fetched = SQLiteStore(tmp_path / "c.db"), ManualClock(), list[int]()
    clock = Clock(now=lambda: NOW + timedelta(seconds=present.seconds))
    async with simulated(provider, conversations=30, present=present) as (hub, _):
        started = (await hub.start(provider, provider_options=opening)).conversation
        assert started is not None
        for days in (1, 10, 11, 12):  # in its first week, Twilio's is looked at by every sync
            present.seconds = timedelta(days=days).total_seconds()
            report = await sync(hub, store, clock=clock)
            assert report.complete, str(report)
            fetched.append(report.accounts[0].fetched)
    assert stored(tmp_path / "c.db")[started.ref].status is Status.IN_PROGRESS
    assert fetched[0] == 31
    assert fetched[2:] == [0, 0]
