"""How many requests are under way at each moment, in virtual time: as many as may be, and none waits for another."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from functools import partial
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import pytest
from yarl import URL

from conversations_hub import Account, Hub
from conversations_hub._transport import Clock
from conversations_hub.adapters import tavus
from conversations_hub.sync import sync
from conversations_hub.wire import Response

from ..support.fake_lane import fake_lanes
from ..support.virtual_time import StoreAtOnce, VirtualLoop

LATENCY = 0.05
WIDTH = 16  # details of an account, and what `get_many` asks for unless it is told otherwise

Latency = Callable[[URL], float]


def steady(_url: URL) -> float:
    return LATENCY


def uneven(seed: int) -> Latency:
    """Return latencies from half to one and a half of the usual."""
    chance = Random(seed)  # noqa: S311
    return lambda _url: LATENCY * (0.5 + chance.random())


def is_page(url: URL) -> bool:
    return url.path.endswith("/conversations")


class Slow:
    """A provider of so many conversations that takes a while for each answer, and keeps when each request came."""

    def __init__(self, loop: VirtualLoop, conversations: int, latency: Latency) -> None:
        self._loop = loop
        self._conversations = conversations
        self._latency = latency
        self.asked: list[tuple[float, float, URL]] = []
        """When each request came and was answered."""

    async def __call__(self, url: URL) -> Response:
        began, takes = self._loop.time(), self._latency(url)
        self.asked.append((began, began + takes, url))
        await asyncio.sleep(takes)
        return Response(200, {}, json.dumps(self._answer(url)).encode())

    def _answer(self, url: URL) -> Any:
        if not is_page(url):
            return self._row(url.name) | {"events": None}
        size = int(url.query["limit"])
        first = (int(url.query.get("page", "1")) - 1) * size
        rows = [self._row(f"c{number}") for number in range(first, min(first + size, self._conversations))]
        return {"data": rows, "total_count": self._conversations}

    def _row(self, id: str) -> dict[str, Any]:
        return {"conversation_id": id, "status": "ended", "created_at": "2026-11-01T12:00:00Z"}

    def under_way(self, at: float, *, details: bool) -> int:
        """Return how many details, or pages, were under way at an instant."""
        return sum(began <= at < ended and is_page(url) != details for began, ended, url in self.asked)

    def share_at(self, width: int) -> float:
        """Return for which share of the middle half of the run so many details were under way, and never more."""
        starts = [began for began, _, url in self.asked if not is_page(url)]
        begin, end = min(starts), max(starts)
        begin, end = begin + (end - begin) / 4, end - (end - begin) / 4
        moments = sorted({begin, end, *(at for asked in self.asked for at in asked[:2] if begin < at < end)})
        spans = [(later - at, self.under_way(at, details=True)) for at, later in pairwise(moments)]
        assert max(busy for _, busy in spans) <= width
        return sum(span for span, busy in spans if busy == width) / (end - begin)

    def share_used(self, width: int) -> float:
        """Return which share of so many details at a time was used, from the first to the end."""
        details = [(began, ended) for began, ended, url in self.asked if not is_page(url)]
        whole = max(ended for _, ended in details) - min(began for began, _ in details)
        return sum(ended - began for began, ended in details) / (width * whole)


def run(slow: Slow, loop: VirtualLoop, call: Callable[[Hub], Coroutine[Any, Any, None]], accounts: int = 1) -> None:
    """Let a hub call a slow provider, for as long as that takes."""

    async def calling() -> None:
        named = [
            Account("tavus", key="key", name=f"a{number}", base_url=f"https://a{number}.example")
            for number in range(accounts)
        ]
        clock = Clock(monotonic=loop.time, roll=lambda: 0.5)
        async with Hub(named, profile="bulk", clock=clock) as hub:
            await call(hub)

    with fake_lanes(slow):
        try:
            loop.run(calling())
        finally:
            loop.close()


async def walk_all(hub: Hub) -> None:
    walk = hub.list(transcripts=True)
    numbers = [int(conversation.id[1:]) async for conversation in walk]
    assert walk.report.complete
    if len(hub.accounts()) == 1:
        assert numbers == [*range(len(numbers))]


async def sync_all(path: Path, hub: Hub) -> None:
    clock = Clock(monotonic=asyncio.get_running_loop().time, roll=lambda: 0.5)
    report = await sync(hub, StoreAtOnce(path), verify=False, clock=clock)
    assert report.complete


@pytest.mark.parametrize("latency", [steady, uneven(1), uneven(2)])
def test_a_walk_keeps_all_details_under_way_that_may_be(latency: Latency) -> None:
    loop = VirtualLoop()
    slow = Slow(loop, 1000, latency)
    run(slow, loop, walk_all)
    assert slow.share_at(WIDTH) >= 0.95


@pytest.mark.parametrize("latency", [steady, uneven(1)])
@pytest.mark.parametrize("is_async", [False, True])
def test_get_many_keeps_as_many_under_way_as_it_may(latency: Latency, *, is_async: bool) -> None:
    refs = [f"tavus:c{number}" for number in range(1000)]

    async def one_by_one() -> AsyncGenerator[str]:
        for ref in refs:
            yield ref

    async def get_all(hub: Hub) -> None:
        outcomes = [outcome async for outcome in hub.get_many(one_by_one() if is_async else refs)]
        assert sorted(outcome.ref for outcome in outcomes if outcome.conversation) == sorted(refs)

    loop = VirtualLoop()
    slow = Slow(loop, 1000, latency)
    run(slow, loop, get_all)
    assert slow.share_at(WIDTH) >= 0.95


@pytest.mark.parametrize("latency", [steady, uneven(1), uneven(2)])
def test_a_sync_waits_only_for_the_last_details_of_a_page(latency: Latency, tmp_path: Path) -> None:
    loop = VirtualLoop()
    slow = Slow(loop, 1000, latency)
    run(slow, loop, partial(sync_all, tmp_path / "c.db"))
    assert slow.share_at(WIDTH) >= 0.8
    assert slow.share_used(WIDTH) >= 0.88
    assert len(slow.asked) == 1000 + 10  # no page or details twice


def test_a_first_page_is_asked_for_at_once_and_details_as_soon_as_it_is_there() -> None:
    loop = VirtualLoop()
    began = loop.time()
    slow = Slow(loop, 1000, steady)
    run(slow, loop, walk_all)
    assert (slow.asked[0][0], is_page(slow.asked[0][2])) == (began, True)
    assert slow.under_way(began + 1.5 * LATENCY, details=True) == WIDTH


def test_the_next_page_is_asked_for_while_details_are_under_way() -> None:
    loop = VirtualLoop()
    slow = Slow(loop, 1000, lambda url: 4 * LATENCY if is_page(url) else LATENCY)  # a page holds details for 7
    run(slow, loop, walk_all)
    pages = [began for began, _, url in slow.asked if is_page(url)]
    assert len(pages) == 10
    assert all(slow.under_way(began, details=True) == WIDTH for began in pages[2:])
    assert slow.share_at(WIDTH) >= 0.95


def test_accounts_do_not_wait_for_one_another() -> None:
    alone = VirtualLoop()
    began = alone.time()
    slow = Slow(alone, 300, steady)
    run(slow, alone, walk_all)
    took = max(ended for _, ended, _ in slow.asked) - began

    beside = VirtualLoop()
    began = beside.time()
    delivered: list[float] = []

    async def walk_others(hub: Hub) -> None:
        async with aclosing(aiter(hub.list(transcripts=True))) as found:
            async for _ in found:
                delivered.append(beside.time() - began)
                if len(delivered) == 900:
                    break

    run(Slow(beside, 300, lambda url: math.inf if url.host == "a0.example" else LATENCY), beside, walk_others, 4)
    assert delivered[-1] == pytest.approx(took)


@pytest.mark.parametrize("rate", [8.0, 50.0, 100.0])
@pytest.mark.parametrize("is_sync", [False, True])
def test_a_known_rate_is_used_up(
    rate: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_sync: bool
) -> None:
    loop = VirtualLoop()
    monkeypatch.setattr(tavus, "ADAPTER", msgspec.structs.replace(tavus.ADAPTER, requests_per_second=rate))
    slow = Slow(loop, 1000, steady)
    run(slow, loop, partial(sync_all, tmp_path / "c.db") if is_sync else walk_all)
    begins = [began for began, _, _ in slow.asked]
    assert (len(begins) - 1) / (begins[-1] - begins[0]) >= 0.95 * rate
