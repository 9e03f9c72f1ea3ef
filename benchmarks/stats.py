"""What a second look at the statistics of a store costs, against the first, which measures every conversation.

    python benchmarks/stats.py [CONVERSATIONS] [ROUNDS] [--smoke]

The conversations are those of `store`, in a SQLite store that keeps what it measures. Told is processor time.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from measured import Figure, is_smoke, keep
from store import TURNS, Speech, fill, latin_word

from conversations_hub.metrics import Summary, summarize
from conversations_hub.stores.sqlite._reader import SQLiteReader

MOST_OF_FIRST, MOONSHOT = 0.05, 0.01


def looked(path: Path) -> tuple[float, list[Summary]]:
    """Return the seconds of processor time that all statistics take, and these."""
    began = time.process_time()
    with SQLiteReader(path) as archive:
        found = archive.stats(by=("provider", "week"))
    return time.process_time() - began, found


def forget(path: Path) -> None:
    """Forget what was measured."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM measures")
        database.commit()


def check(path: Path, found: list[Summary]) -> None:
    """Assert that these are the statistics of what is in the store."""
    with SQLiteReader(path) as archive:
        expected = list(summarize(archive.conversations(), ("provider", "week")))
    assert [(one.group, one.conversations) for one in found] == [(one.group, one.conversations) for one in expected]
    latencies = [[one.metrics["response_latency"].percentile(95) for one in each] for each in (found, expected)]
    assert latencies[0] == latencies[1]
    assert all(latencies[0]), "nothing was measured"


def main() -> None:
    """Measure both in turn."""
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    count, rounds = [200, 1] if is_smoke() else [*numbers, *(2000, 5)[len(numbers) :]]
    seconds: list[tuple[float, float]] = []
    with TemporaryDirectory() as folder:
        path = Path(folder, "conversations.db")
        asyncio.run(fill(path, Speech(latin_word, " "), count))
        for _round in range(rounds):
            forget(path)
            first, _ = looked(path)
            second, found = looked(path)
            check(path, found)
            seconds.append((first, second))
    what = f"stats of {count:,} conversations of {TURNS} turns, again"
    ratio = median(second / first for first, second in seconds)
    figure = Figure(what=what, against="the first time", value=ratio, at_most=MOST_OF_FIRST, at_best=MOONSHOT)
    first, second = (1e6 * median(each) / count for each in zip(*seconds, strict=True))
    keep("stats", [figure], {"rounds": rounds, "microseconds": {"first": first, "again": second}})


if __name__ == "__main__":
    main()
