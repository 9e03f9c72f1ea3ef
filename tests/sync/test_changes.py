"""Conversations that change long after they began come again, and those that do not are left alone."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from yarl import URL

from conversations_hub import PROFILES, Account, Conversation, Hub
from conversations_hub._transport import Clock
from conversations_hub.adapter import Adapter, Query, RawPage
from conversations_hub.errors import InvalidRefError
from conversations_hub.reading.json import decode
from conversations_hub.schema import Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.signing import bearer
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import SyncReport, plan, sync
from conversations_hub.wire import Flow, Request, Response

from ..support.clock import NOW, ManualClock
from ..support.fake_lane import fake_lanes
from ..support.simulated import simulated
from ..support.sqlite import stored

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ONE_TRY = PROFILES["bulk"].but(attempts=1)


class Sent(msgspec.Struct):
    """A conversation of a provider that never ends one."""

    id: str
    created: datetime
    updated: datetime
    messages: list[str] | None = None


class _Page(msgspec.Struct):
    rows: list[msgspec.Raw]
    next: str | None = None


_sent = msgspec.json.Decoder(Sent)
_page = msgspec.json.Decoder(_Page)


def normalize(row: bytes | msgspec.Raw) -> Conversation:
    """Read a conversation, or a row, which has no messages."""
    sent = decode(row, _sent)
    turns = [TranscriptTurn(index=at, role=Role.USER, text=text) for at, text in enumerate(sent.messages or ())]
    return Conversation(
        provider="acme",
        id=sent.id,
        status=Status.IN_PROGRESS,
        created_at=sent.created,
        updated_at=sent.updated,
        transcript=None if sent.messages is None else tuple(turns),
        transcript_state=TranscriptState.NOT_LOADED if sent.messages is None else TranscriptState.AVAILABLE,
    )


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page, most recently changed first."""
    since = query.updated_since.isoformat() if query.updated_since else None
    reply = yield Request("GET", "/list", {"updated_since": since, "cursor": cursor})
    page = decode(reply.body, _page)
    return RawPage(rows=page.rows, normalize=normalize, cursor=page.next)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its messages."""
    reply = yield Request("GET", "/get/{id}", ids={"id": id})
    return normalize(reply.body)


ACME = Adapter(
    name="acme",
    base_url="https://api.acme.example",
    docs="",
    sign=bearer,
    list_page=list_page,
    get=get,
    complete_lists=False,
    newest_first=True,
    filters=("updated_since",),
)


class World:
    """The provider, its clock, and a hub's runs."""

    def __init__(self, store: Path, adapter: Adapter = ACME) -> None:
        self.store = store
        self.adapter = adapter
        self.now = BEGAN
        self.clock = Clock(monotonic=lambda: self.slept, now=lambda: self.now, sleep=self.sleep)
        self.slept = 0.0
        self.kept: list[Sent] = []
        self.gets = 0
        self.requests = 0
        self.breaks_after: int | None = None
        self.meanwhile: Callable[[], None] | None = None

    def begin(self) -> None:
        """Have another conversation begin."""
        self.now += timedelta(minutes=7)
        self.kept.append(Sent(f"c{len(self.kept)}", self.now, self.now, ["Hello."]))

    def write(self, place: int) -> None:
        """Have somebody write in a conversation, however old."""
        self.now += timedelta(minutes=3)
        if self.kept:
            one = self.kept[place % len(self.kept)]
            one.updated, one.messages = self.now, [*(one.messages or ()), f"And at {self.now}?"]

    async def sleep(self, seconds: float) -> None:
        """Have time pass at once: what waits while the provider is down must come to an end."""
        self.slept += seconds
        await asyncio.sleep(0)

    async def answer(self, url: URL) -> Response | None:
        """Answer a request."""
        self.requests += 1
        if self.breaks_after is not None and self.requests > self.breaks_after:
            return Response(500, {}, b"{}")
        if url.path.startswith("/get/"):
            self.gets += 1
            return Response(200, {}, msgspec.json.encode(next(one for one in self.kept if one.id == url.name)))
        since = datetime.fromisoformat(url.query.get("updated_since", BEGAN.isoformat()))
        before = url.query.get("cursor")
        rows = sorted((one for one in self.kept if one.updated >= since), key=lambda one: one.updated, reverse=True)
        rows = [one for one in rows if before is None or one.updated.isoformat() < before]
        page = [msgspec.structs.replace(one, messages=None) for one in rows[:3]]
        cursor = page[-1].updated.isoformat() if rows[3:] else None
        if self.meanwhile is not None:
            self.meanwhile()
        return Response(200, {}, msgspec.json.encode({"rows": page, "next": cursor}))

    def hub(self) -> Hub:
        """Return a hub with the one account."""
        return Hub([Account("acme", key="k")], adapters={"acme": self.adapter}, profile=ONE_TRY, clock=self.clock)

    async def sync(
        self, breaks_after: int | None = None, since: datetime | None = None, *, again: bool = False
    ) -> SyncReport:
        """Bring the store up to date, unless the provider breaks."""
        self.now += timedelta(minutes=1)
        self.requests, self.breaks_after = 0, breaks_after
        try:
            with fake_lanes(self.answer):
                async with self.hub() as hub:
                    return await sync(hub, SQLiteStore(self.store), since=since, again=again, clock=self.clock)
        finally:
            self.breaks_after = None

    def said(self) -> dict[str, list[str]]:
        """Return what is stored of each conversation."""
        return {one.id: [turn.text for turn in one.transcript or ()] for one in stored(self.store).values()}

    def truth(self) -> dict[str, list[str]]:
        """Return what was written in each."""
        return {one.id: one.messages or [] for one in self.kept}


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
