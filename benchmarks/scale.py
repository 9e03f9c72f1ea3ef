"""What a billion conversations a year would ask of the providers, counted from what a sync really asks.

    python benchmarks/scale.py [--smoke]

A sync of a simulated provider runs every 5, 15 and 60 minutes, by a clock that costs nothing, and its requests are
counted: lists for each run, details for each conversation. The rest is arithmetic over 20,000 accounts whose sizes
follow Zipf's law. It fails when the requests of a year move by more than a tenth: more requests are more expensive
than any processor.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from measured import Figure, keep

from conversations_hub import Hub
from conversations_hub._transport import Clock
from conversations_hub.signals import AttemptEnded, Signal
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync
from conversations_hub.sync._work import next_look
from conversations_hub.testing import Simulator

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
PROVIDER = "elevenlabs"  # its lists are filtered by time, and lack the transcripts
YEAR = 365 * 86400.0
CONVERSATIONS = 1e9  # a year
ACCOUNTS = 20_000
ZIPF = 1.07
WITH_DETAILS = 0.65  # of the conversations, at providers whose lists lack the transcripts
PAGE = 100  # rows
QUARTER = timedelta(minutes=15)  # read again by each run
INTERVALS = (1, 5, 15, 60)  # minutes
EXPECTED = {"every 5 minutes": 8.8, "every 15 minutes": 4.4, "every 60 minutes": 1.6, "adaptive": 4.9}
"""Billions of requests a year."""
MOST_MOVED = 0.1


class Cost(NamedTuple):
    """What syncs at one interval ask."""

    lists: float
    """Pages for each run that finds less than one page."""
    details: float
    """Times that each conversation is fetched."""


async def cost(minutes: int, folder: Path) -> Cost:
    """Run syncs for four hours, in which a conversation begins every ten minutes for two hours."""
    counts: Counter[str] = Counter()
    seconds, begun, runs = 0.0, 0, 0

    def note(signal: Signal) -> None:
        if isinstance(signal, AttemptEnded):
            counts[signal.operation or ""] += 1

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    since = NOW - timedelta(days=1)
    clock = Clock(now=lambda: NOW + timedelta(seconds=seconds), sleep=at_once)
    async with Simulator(conversations=0, providers=[PROVIDER], now=NOW, clock=lambda: seconds) as simulator:
        environ = simulator.environment()
        async with Hub.from_env(environ=environ, profile="bulk", on_signal=note, clock=clock) as hub:
            while seconds < 4 * 3600:
                seconds += minutes * 60
                while begun * 600 < min(seconds, 2 * 3600):
                    said = [("user", "Hello."), ("assistant", "Hello, how can I help?")]
                    simulator.add(PROVIDER, said, started=NOW + timedelta(seconds=begun * 600 - 60))
                    begun += 1
                await sync(
                    hub, SQLiteStore(folder / "calls.db"), since=since, lookback=QUARTER, all_pending=False, clock=clock
                )
                runs += 1
    return Cost(counts["list"] / runs, counts["get"] / begun)


def rates() -> list[float]:
    """Return the new conversations a second of each account, largest first."""
    weights = [rank**-ZIPF for rank in range(1, ACCOUNTS + 1)]
    return [CONVERSATIONS / YEAR * weight / sum(weights) for weight in weights]


def requests_a_second(rate: float, every: float, cost: Cost, lookback: timedelta) -> float:
    """Return what one account takes: its lists, and the details of its conversations."""
    listed = rate * (every + lookback.total_seconds())
    lists = cost.lists * max(1.0, listed / PAGE) / every
    return lists + rate * WITH_DETAILS * cost.details


def steady(every: float, _rate: float) -> float:
    """Return the same seconds between looks for every account."""
    return every


def adaptive(rate: float) -> float:
    """Return the seconds between looks at an account, as workers of a shared store choose them."""
    every = timedelta(minutes=1)
    for _ in range(20):
        every = next_look(round(rate * every.total_seconds()), every)
    return every.total_seconds()


def between(costs: dict[int, Cost], every: float) -> Cost:
    """Return the cost at an interval between those that were counted."""
    minutes = max(min(costs), min(every / 60, max(costs)))
    below = max(each for each in costs if each <= minutes)
    above = min(each for each in costs if each >= minutes)
    if below == above:
        return costs[below]
    # What is fetched again grows with the number of runs in an hour.
    share = (1 / below - 1 / minutes) / (1 / below - 1 / above)
    return Cost(*(first + share * (second - first) for first, second in zip(costs[below], costs[above], strict=True)))


def main() -> None:
    """Count, reckon, and compare with what was."""
    costs: dict[int, Cost] = {}
    for minutes in INTERVALS:
        with TemporaryDirectory() as folder:
            costs[minutes] = asyncio.run(cost(minutes, Path(folder)))
    found = rates()
    plans: dict[str, Callable[[float], float]] = {
        f"every {minutes} minutes": partial(steady, minutes * 60.0) for minutes in INTERVALS[1:]
    }
    figures: list[Figure] = []
    details: dict[str, object] = {}
    for name, every in (plans | {"adaptive": adaptive}).items():
        each = [requests_a_second(rate, every(rate), between(costs, every(rate)), QUARTER) for rate in found]
        figures.append(
            Figure(
                what=f"billions of requests a year, {name}",
                against=f"{EXPECTED[name]:g}, as it was",
                value=sum(each) * YEAR / 1e9,
                unit="",
                at_most=EXPECTED[name] * (1 + MOST_MOVED),
                at_least=EXPECTED[name] * (1 - MOST_MOVED),
            )
        )
        details[name] = {"largest account, requests a second": round(each[0], 1)}
    keep("scale", figures, {"counted": {str(minutes): one._asdict() for minutes, one in costs.items()}} | details)
    moved = [figure.what for figure in figures if not figure.is_met]
    if moved:
        sys.exit(f"moved by more than a tenth: {', '.join(moved)}")


if __name__ == "__main__":
    main()
