"""Everything that changes comes as one stream, by whatever way it came into the store."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub import Conversation
from conversations_hub._transport import Clock
from conversations_hub.errors import ConfigurationError, HubClosedError, StoreError
from conversations_hub.stores import put
from conversations_hub.stores.sqlite import Change, SQLiteStore
from conversations_hub.sync import DrainReport, Inbox, InboxStatus, SyncReport, watch

from ..support.deliveries import ACME as WITH_WEBHOOKS
from ..support.deliveries import delivery
from ..support.fake_lane import fake_lanes
from ..support.open_threads import ACME, World

_DELIVERING = msgspec.structs.replace(ACME, webhook=WITH_WEBHOOKS.webhook)


class Pauses:
    """A clock on which the time between two runs passes when the test says so."""

    def __init__(self, world: World) -> None:
        self.clock = Clock(monotonic=lambda: 0.0, now=lambda: world.now, sleep=self.sleep)
        self.between_runs: list[float] = []
        self._over = asyncio.Event()
        self._begun = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        if seconds <= 1:
            return
        self.between_runs.append(seconds)
        self._over.clear()
        self._begun.set()
        await self._over.wait()

    async def begun(self) -> None:
        """Wait until a run has ended."""
        await self._begun.wait()

    async def end(self) -> None:
        """Begin the next run, and wait until it has ended."""
        self._begun.clear()
        self._over.set()
        await self._begun.wait()


def name_of(change: Change) -> str:
    return "erased" if change.conversation is None else change.conversation.id


async def test_what_is_synced_put_and_erased_comes_once_and_in_order(tmp_path: Path) -> None:
    world, store = World(tmp_path / "c.db"), SQLiteStore(tmp_path / "c.db")
    pauses, seen, reports = Pauses(world), list[str](), list[SyncReport]()
    for _ in range(5):
        world.begin()
    world.now += timedelta(minutes=1)
    with fake_lanes(world.answer):
        async with world.hub() as hub:
            cursor = None
            async with aclosing(watch(hub, store, on_report=reports.append, clock=pauses.clock)) as changes:
                seen = [name_of(await anext(changes)) for _ in range(5)]
                await pauses.begun()
                await put(store, Conversation(provider="acme", id="mine"))
                seen.append(name_of(await anext(changes)))
                with store.reader() as reader:
                    reader.erase("acme:mine")
                change = await anext(changes)
                seen.append(name_of(change))
                cursor = change.cursor
            assert sorted(seen[:5]) == ["c0", "c1", "c2", "c3", "c4"]
            assert seen[5:] == ["mine", "erased"]
            assert all(report.complete for report in reports)
            world.write(2)  # while nobody watches
            world.now += timedelta(minutes=1)
            async with aclosing(watch(hub, store, cursor=cursor, clock=pauses.clock)) as changes:
                assert name_of(await anext(changes)) == "c2"


async def test_what_an_inbox_brings_comes_between_two_runs(tmp_path: Path) -> None:
    world, store = World(tmp_path / "c.db", _DELIVERING), SQLiteStore(tmp_path / "c.db")
    pauses, drained = Pauses(world), DrainReport()
    world.begin()
    world.now += timedelta(minutes=1)
    with fake_lanes(world.answer):
        async with (
            world.hub() as hub,
            Inbox(tmp_path / "inbox") as inbox,
            aclosing(watch(hub, store, inbox=inbox, drained=drained, clock=pauses.clock)) as changes,
        ):
            assert name_of(await anext(changes)) == "c0"
            await pauses.begun()
            world.begin()
            await inbox.keep(delivery("e1", "c1", at=world.now - timedelta(minutes=1)))
            assert name_of(await anext(changes)) == "c1"
            assert pauses.between_runs == [15]
            assert drained.of("acme/default").new == 1
    assert (await _status(inbox)).done == 1
    async with store.shared():
        pass  # it has been released


async def test_an_inbox_that_fails_ends_the_stream(tmp_path: Path) -> None:
    world, store = World(tmp_path / "c.db", _DELIVERING), SQLiteStore(tmp_path / "c.db")
    world.begin()
    world.now += timedelta(minutes=1)
    with fake_lanes(world.answer):
        async with world.hub() as hub:
            watched = watch(hub, store, inbox=Inbox(tmp_path / "inbox"), clock=Pauses(world).clock)
            with pytest.raises(StoreError, match="not open"):
                [None async for _ in watched]


async def _status(inbox: Inbox) -> InboxStatus:
    async with inbox:
        return await inbox.status()


async def test_providers_are_asked_more_often_while_there_is_news(tmp_path: Path) -> None:
    world, store = World(tmp_path / "c.db"), SQLiteStore(tmp_path / "c.db")
    pauses = Pauses(world)
    world.begin()
    world.now += timedelta(minutes=1)
    with fake_lanes(world.answer):
        async with world.hub() as hub:
            watched = watch(hub, store, at_least_every=timedelta(seconds=100), clock=pauses.clock)
            async with aclosing(watched) as changes:
                await anext(changes)
                await pauses.begun()
                for news in (False, False, False, False, True, False):
                    world.now += timedelta(minutes=1)
                    if news:
                        world.write(0)
                    await pauses.end()
    assert pauses.between_runs == [15, 30, 60, 100, 100, 50, 100]


async def test_what_ends_a_run_ends_the_stream(tmp_path: Path) -> None:
    world, store = World(tmp_path / "c.db"), SQLiteStore(tmp_path / "c.db")
    with fake_lanes(world.answer):
        hub = world.hub()
        await hub.close()
        with pytest.raises(HubClosedError):
            await anext(watch(hub, store, clock=Pauses(world).clock))
        for wrong in (timedelta(0), timedelta(hours=1)):
            with pytest.raises(ConfigurationError, match="at_most_every"):
                await anext(watch(hub, store, at_most_every=wrong))


async def test_an_account_that_fails_does_not_end_the_stream(tmp_path: Path) -> None:
    world, store = World(tmp_path / "c.db"), SQLiteStore(tmp_path / "c.db")
    pauses, reports = Pauses(world), list[SyncReport]()
    world.begin()
    world.now += timedelta(minutes=1)
    world.breaks_after = 0
    with fake_lanes(world.answer):
        async with (
            world.hub() as hub,
            aclosing(watch(hub, store, on_report=reports.append, clock=pauses.clock)) as changes,
        ):
            first = asyncio.ensure_future(anext(changes))
            await pauses.begun()
            assert [report.complete for report in reports] == [False]
            world.breaks_after = None
            await pauses.end()
            assert name_of(await first) == "c0"
