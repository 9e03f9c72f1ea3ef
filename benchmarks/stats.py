"""What a second look at the statistics of a store costs, against the first, which measures every conversation.

    python benchmarks/stats.py [CONVERSATIONS] [ROUNDS] [--smoke]

The conversations are those of `store`, but of fifty agents and with answers of any length, in a SQLite store that keeps
what it measures. Told is processor time.
"""

from __future__ import annotations

import asyncio
import random
import sqlite3
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from measured import Figure, is_smoke, keep
from msgspec.structs import replace
from store import SLOT, TURNS, Speech, conversations, fill, latin_word

from conversations_hub import Conversation
from conversations_hub.metrics import Summary, summarize
from conversations_hub.schema import Agent
from conversations_hub.stores.sqlite._reader import SQLiteReader

AGENTS = 50
GROUPS = (("provider",), ("provider", "week"), ("day",), ("agent",), ("agent", "week"))
MOST_OF_FIRST, MOONSHOT = 0.05, 0.01


def spread(count: int) -> Iterator[Conversation]:
    """Yield conversations of several agents, in which no two answers take equally long."""
    chance = random.Random(0)  # noqa: S311  (no secret)
    for one in conversations(Speech(latin_word, " "), count):
        turns = [replace(turn, duration=chance.uniform(0.3, 0.99) * SLOT) for turn in one.transcript or ()]
        agent = Agent(id=f"p{chance.randrange(AGENTS)}")
        yield replace(one, agent=agent, transcript=tuple(turns))


def looked(path: Path, by: Sequence[str]) -> tuple[float, list[Summary]]:
    """Return the seconds of processor time that all statistics take, and these."""
    began = time.process_time()
    with SQLiteReader(path) as archive:
        found = archive.stats(by=by)
    return time.process_time() - began, found


def forget(path: Path) -> None:
    """Forget what was measured."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM measures")  # and so what blocks of them come to
        database.commit()


def check(path: Path, by: Sequence[str], found: list[Summary]) -> None:
    """Assert that these are the statistics of what is in the store."""
    with SQLiteReader(path) as archive:
        expected = list(summarize(archive.conversations(), by))
    assert [(one.group, one.conversations) for one in found] == [(one.group, one.conversations) for one in expected]
    latencies = [[one.metrics["response_latency"].percentile(95) for one in each] for each in (found, expected)]
    assert latencies[0] == latencies[1]
    assert all(latencies[0]), "nothing was measured"


def main() -> None:
    """Measure the first look, and others in turn."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    count, rounds = [200, 1] if is_smoke() else [*numbers, *(2000, 5)[len(numbers) :]]
    spent: defaultdict[Sequence[str], list[float]] = defaultdict(list)
    with TemporaryDirectory() as folder:
        path = Path(folder, "conversations.db")
        asyncio.run(fill(path, spread(count), count))
        for _round in range(rounds):
            forget(path)
            first, _ = looked(path, GROUPS[0])
            spent[()].append(first)
            for by in GROUPS:
                seconds, found = looked(path, by)
                spent[by].append(seconds)
                if not _round:
                    check(path, by, found)
    figures: list[Figure] = []
    for by in GROUPS:
        what = f"stats of {count:,} conversations of {TURNS} turns by {' and '.join(by)}, again"
        ratio = median(again / first for again, first in zip(spent[by], spent[()], strict=True))
        figures += [
            Figure(what=what, against="the first time", value=ratio, at_most=MOST_OF_FIRST, at_best=MOONSHOT),
            Figure(what=what, against="the processor", value=median(spent[by]), unit="s"),
        ]
    microseconds = {" ".join(by) or "first": 1e6 * median(each) / count for by, each in spent.items()}
    keep("stats", figures, {"rounds": rounds, "microseconds": microseconds})


if __name__ == "__main__":
    main()
