"""How long others on the same event loop wait, while conversations are fetched and while a page of 64 MiB is read.

    python benchmarks/stall.py [CONVERSATIONS] [--smoke]

A clock wants a tick every millisecond. Told is how late the ticks came, by the wall and by the processor: how long this
process itself worked between two of them, for on a shared machine others hold the clock up as well. The best round
counts: noise only adds.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp
import msgspec
from answering import SENTENCES, answering, conversation_id, mould
from measured import Figure, is_smoke, keep

from conversations_hub import Account, Hub

TICK = 0.001
TURNS = 40
PAGE = 64 * 1024 * 1024
LONGEST_GAP = 5.0  # milliseconds
LONGEST_STALL = 50.0
FROZEN = "get_many after gc.freeze"
"""As a server does that has started, and `conversations-hub sync`."""


class Gaps(msgspec.Struct):
    """How far apart the ticks came, in milliseconds beyond the one that was wanted."""

    late: list[float] = []
    worked: list[float] = []


def per_thousand(gaps: Sequence[float], place: int) -> float:
    """Return what so many of a thousand gaps do not exceed."""
    return sorted(gaps)[min(len(gaps) * place // 1000, len(gaps) - 1)]


@asynccontextmanager
async def ticking(gaps: Gaps) -> AsyncGenerator[None]:
    """Add to the gaps, until the end of the block."""

    async def tick() -> None:
        while True:
            before, used = time.perf_counter(), time.process_time()
            await asyncio.sleep(TICK)
            gaps.late.append(1000 * (time.perf_counter() - before - TICK))
            gaps.worked.append(1000 * (time.process_time() - used))

    clock = asyncio.create_task(tick())
    try:
        yield
        await asyncio.sleep(2 * TICK)  # the gap that is not over counts as well
    finally:
        clock.cancel()
        with suppress(asyncio.CancelledError):
            await clock


def hub_of(url: str) -> Hub:
    """Return a hub for jobs with that one account."""
    return Hub([Account("tavus", key="key", base_url=url)], profile="bulk")


async def idle(seconds: float, gaps: Gaps) -> None:
    """Do nothing at all."""
    async with ticking(gaps):
        await asyncio.sleep(seconds)


async def fetch(url: str, conversations: int, concurrency: int, gaps: Gaps) -> None:
    """Get conversations in bulk."""
    refs = (f"tavus:{conversation_id(number)}" for number in range(conversations))
    async with hub_of(url) as hub, ticking(gaps):
        async for outcome in hub.get_many(refs, concurrency=concurrency):
            assert outcome.conversation is not None, outcome.error
            turns = outcome.conversation.transcript or ()
            assert len(turns) == TURNS
            assert turns[-1].text == SENTENCES["English"]


async def fetch_by_hand(url: str, conversations: int, concurrency: int, gaps: Gaps) -> None:
    """Get them with aiohttp, decode them, and nothing more: what any client makes others wait."""
    urls = (f"{url}/v2/conversations/{conversation_id(number)}?verbose=true" for number in range(conversations))
    async with aiohttp.ClientSession() as session, ticking(gaps), asyncio.TaskGroup() as group:

        async def work() -> None:
            for one in urls:
                async with session.get(one) as answer:
                    assert msgspec.json.decode(await answer.read())["conversation_id"] in one

        for _ in range(concurrency):
            group.create_task(work())


async def read_page(language: str, page: int) -> list[Gaps]:
    """Read the largest page there may be, some times; each counts by itself."""
    before, behind = mould(TURNS, language)
    rows = (page - 64) // (len(before) + len(conversation_id(0)) + len(behind) + 1)
    runs = [Gaps() for _run in range(1 if is_smoke() else 5)]
    with answering("tavus", rows, TURNS, language) as url:
        for gaps in runs:
            async with hub_of(url) as hub, ticking(gaps):
                pages = hub.list("tavus", page_size=rows, provider_options={"tavus": {"verbose": "true"}}).pages()
                read = await anext(pages)
                await pages.aclose()
            assert [len(one.transcript or ()) for one in read.items] == [TURNS] * rows
            assert read.items[-1].text.endswith(SENTENCES[language])
    return runs


def shown(gaps: Gaps) -> dict[str, Any]:
    """Return the numbers that say how it went."""
    both = {"wall": gaps.late, "processor": gaps.worked}
    numbers = {name: {"p99.9": per_thousand(one, 999), "max": max(one)} for name, one in both.items()}
    return {"ticks": len(gaps.late), **numbers}


def main() -> None:
    """Measure both."""
    conversations = 300 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 15_000)
    rounds = 1 if is_smoke() else 3
    nothing: list[Gaps] = []
    fetching: dict[tuple[str, int], tuple[Callable[..., Coroutine[Any, Any, None]], list[Gaps]]] = {
        (what, concurrency): (fetched, [])
        for concurrency in (16, 64)
        for what, fetched in ((FROZEN, fetch), ("get_many", fetch), ("a loop by hand", fetch_by_hand))
    }
    with answering("tavus", conversations, TURNS) as url:
        asyncio.run(fetch(url, 100, 16, Gaps()))  # imports
        for _round in range(rounds):
            nothing.append(Gaps())
            asyncio.run(idle(0.1 if is_smoke() else 3.0, nothing[-1]))
            for (what, concurrency), (fetched, runs) in fetching.items():
                gc.collect()
                if what == FROZEN:
                    gc.freeze()
                runs.append(Gaps())
                asyncio.run(fetched(url, conversations, concurrency, runs[-1]))
                gc.unfreeze()
    details: dict[str, Any] = {"conversations": conversations, "rounds": rounds, "idle": [*map(shown, nothing)]}
    figures: list[Figure] = []
    for (name, concurrency), (_, runs) in fetching.items():
        what = f"{name}, {concurrency} at a time"
        details[what] = [*map(shown, runs)]
        for part, place in (("p99.9", 999), ("max", 1000)):
            late, still = (min(per_thousand(one.late, place) for one in some) for some in (runs, nothing))
            worked = min(per_thousand(one.worked, place) for one in runs)
            most = LONGEST_GAP if name == FROZEN and part == "p99.9" else None
            against = f"{still:.2f} ms of an idle loop; work alone: {worked:.1f} ms; best of {len(runs)}"
            figures.append(Figure(what=f"{what}, {part}", against=against, value=late, unit="ms", at_most=most))
    page = PAGE // 16 if is_smoke() else PAGE
    for language in SENTENCES:
        what = f"a page of {page >> 20} MiB, {language}"
        runs = asyncio.run(read_page(language, page))
        details[what] = [shown(gaps) for gaps in runs]
        late, worked = min(max(gaps.late) for gaps in runs), min(max(gaps.worked) for gaps in runs)
        against = f"{late:.1f} ms by the wall; best of {len(runs)}"
        worst = f"{what}, max of work"
        figures.append(Figure(what=worst, against=against, value=worked, unit="ms", at_most=LONGEST_STALL))
    keep("stall", figures, details)


if __name__ == "__main__":
    main()
