"""Turns of the event loop: who reads what in which."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from collections import Counter
from collections.abc import Callable, Collection
from io import BytesIO
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub, _scrub
from conversations_hub._scrub.members import scrubbed
from conversations_hub._transport import ReadBudget
from conversations_hub.adapter import Query, RawPage
from conversations_hub.adapters import tavus
from conversations_hub.reading.json import well_formed
from conversations_hub.wire import Flow

from ..support.server import answer, serving
from ..support.tavus_server import details, row

KIB = 1024


class Loop:
    """Counts the budget of the running loop."""

    def __init__(self) -> None:
        self.turn = 0
        self._count()

    def _count(self) -> None:
        self.turn += 1
        self._next = asyncio.get_running_loop().call_soon(self._count)

    def stop(self) -> None:
        self._next.cancel()


async def read(budget: ReadBudget, loop: Loop, sizes: list[int]) -> list[int]:
    """Let one task read each size, all at once; return in which turn of the loop each did."""
    read_in: list[int] = []

    async def one(size: int) -> None:
        await budget.spend(size)
        read_in.append(loop.turn)

    async with asyncio.TaskGroup() as group:
        for size in sizes:
            group.create_task(one(size))
    return read_in


async def test_what_came_together_is_read_in_several_turns() -> None:
    loop = Loop()
    read_in = await read(ReadBudget(), loop, [4 * KIB] * 40)
    loop.stop()
    together = Counter(read_in)
    assert max(together.values()) * 4 <= 12
    assert len(together) == 14


async def test_who_came_first_goes_first() -> None:
    loop, budget, order = Loop(), ReadBudget(), list[int]()

    async def one(place: int) -> None:
        await budget.spend(20 * KIB)
        order.append(place)

    async with asyncio.TaskGroup() as group:
        for place in range(20):
            group.create_task(one(place))
    loop.stop()
    assert order == list(range(20))


async def test_more_than_a_turn_has_room_for_has_one_of_its_own() -> None:
    loop = Loop()
    first, *others = await read(ReadBudget(), loop, [64 * KIB * KIB, 64 * KIB * KIB, KIB])
    loop.stop()
    assert first < others[0] < others[1]


async def test_who_is_alone_never_waits() -> None:
    loop, budget = Loop(), ReadBudget()
    for _ in range(100):
        before = loop.turn
        await budget.spend(KIB)
        assert loop.turn == before
        await asyncio.sleep(0)
    loop.stop()


async def test_who_was_cancelled_holds_nobody_up() -> None:
    budget = ReadBudget()
    waiting = [asyncio.create_task(budget.spend(64 * KIB)) for _ in range(10)]
    last = asyncio.create_task(budget.spend(KIB))
    await asyncio.sleep(0)
    reading, *cancelled = waiting
    for task in cancelled:
        task.cancel()
    await last
    assert reading.done()
    assert all(task.cancelled() for task in cancelled)


async def test_a_long_answer_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    said = [
        {"role": "user", "content": f"I am turn {number}.", "seconds_from_start": number} for number in range(20_000)
    ]
    ready = {"event_type": "application.transcription_ready", "properties": {"transcript": said}}
    threads: list[threading.Thread] = []
    get = tavus.ADAPTER.get
    assert get is not None

    def watched(account: Account, id: str) -> Flow[Conversation]:
        found = yield from get(account, id)
        threads.append(threading.current_thread())
        return found

    monkeypatch.setattr(tavus, "ADAPTER", msgspec.structs.replace(tavus.ADAPTER, get=watched))
    async with (
        serving(answer(row(1, events=[ready])), answer(details(1))) as server,
        Hub([Account("tavus", key="key", base_url=server.url)]) as hub,
    ):
        long, short = await hub.get("tavus:c1"), await hub.get("tavus:c1")
    assert len(long.transcript or ()) == 20_000
    assert len(short.transcript or ()) == 1
    assert [thread is threading.main_thread() for thread in threads] == [False, True]


def long_row() -> dict[str, Any]:
    said = [{"role": "user", "content": f"I am turn {number}."} for number in range(30_000)]
    ready = {"event_type": "application.transcription_ready", "properties": {"transcript": said}}
    return row(1, events=[ready])


async def test_a_long_row_of_a_list_is_read_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []
    list_page = tavus.ADAPTER.list_page
    assert list_page is not None

    def watched(account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
        listing = yield from list_page(account, query, cursor)

        def normalize(row: msgspec.Raw) -> Conversation:
            threads.append(threading.current_thread())
            return listing.normalize(row)

        return msgspec.structs.replace(listing, normalize=normalize)

    monkeypatch.setattr(tavus, "ADAPTER", msgspec.structs.replace(tavus.ADAPTER, list_page=watched))
    rows = [row(0), long_row(), row(1, conversation_id=[], conversation_name="x" * 2**20), row(2)]
    page = answer({"data": rows, "total_count": len(rows)})
    async with serving(page) as server, Hub([Account("tavus", key="key", base_url=server.url)]) as hub:
        walk = hub.list("tavus")
        assert [len(one.transcript or ()) async for one in walk] == [0, 30_000, 0]
    assert [thread is threading.main_thread() for thread in threads] == [True, False, False, True]
    assert walk.report.accounts[0].unreadable == 1


async def test_a_long_answer_is_put_together_and_checked_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def watch(place: str, work: Callable[..., Any]) -> None:
        def watched(*given: Any, **named: Any) -> Any:
            threads.append(threading.current_thread())
            return work(*given, **named)

        monkeypatch.setattr(place, watched)

    watch("conversations_hub._transport.body.BytesIO", BytesIO)
    watch("conversations_hub._transport.lane.well_formed", well_formed)
    long = json.dumps(long_row()).encode()
    zipped = answer(gzip.compress(long), headers={"Content-Encoding": "gzip"})
    async with (
        serving(answer(long), zipped) as server,
        Hub([Account("tavus", key="key", base_url=server.url)]) as hub,
    ):
        assert await hub.get("tavus:c1") == await hub.get("tavus:c1")
    assert [thread is threading.main_thread() for thread in threads] == [False] * 4


async def test_the_raw_of_a_long_answer_is_scrubbed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[threading.Thread] = []

    def watched(body: bytes, secret_fields: Collection[str]) -> bytes:
        threads.append(threading.current_thread())
        return scrubbed(body, secret_fields)

    monkeypatch.setattr(_scrub, "scrubbed", watched)
    async with (
        serving(answer(long_row()), answer(details(1))) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], keep_raw=True) as hub,
    ):
        assert len((await hub.get("tavus:c1")).raw or b"") > 2**20
        await hub.get("tavus:c1")
    assert [thread is threading.main_thread() for thread in threads] == [False, True]
