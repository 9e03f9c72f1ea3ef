"""What is not settled is fetched again at growing intervals, if runs follow each other closely."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub.schema import Conversation
from conversations_hub.stores import StoredVersion
from conversations_hub.stores.sqlite import SQLiteReader, SQLiteStore
from conversations_hub.sync import sync
from conversations_hub.sync._change import is_due

from ..support.clock import NOW, ManualClock
from ..support.simulated import simulated

MINUTE = timedelta(minutes=1)


def version(ended: datetime | None, *, settles: timedelta = timedelta(hours=1), failing: bool = False) -> StoredVersion:
    row = Conversation(provider="acme", id="c1", ended_at=ended)
    return StoredVersion(b"", b"", NOW + settles, msgspec.json.encode(row), failing_since=NOW if failing else None)


def looks(version: StoredVersion, every: timedelta, until: timedelta) -> list[timedelta]:
    """Return the ages at which runs at this interval fetch it again, the first run being at its end."""
    runs = [NOW + every * number for number in range(int(until / every) + 1)]
    return [now - NOW for last, now in itertools.pairwise(runs) if is_due(version, last, now)]


def test_it_is_due_each_time_it_is_half_as_old_again_and_when_it_settles() -> None:
    ages = looks(version(NOW), MINUTE, timedelta(minutes=60))
    assert len(ages) == 11
    assert ages[:4] == [MINUTE, 2 * MINUTE, 3 * MINUTE, 4 * MINUTE]
    assert all(later <= earlier * 1.5 + MINUTE for earlier, later in itertools.pairwise(ages))
    assert ages[-1] == timedelta(hours=1)


@pytest.mark.parametrize("every", [timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=45)])
def test_of_runs_that_are_rare_none_waits_longer_than_half_the_age(every: timedelta) -> None:
    ages = looks(version(NOW, settles=timedelta(days=7)), every, timedelta(days=8))
    assert all(later <= earlier * 1.5 + every for earlier, later in itertools.pairwise(ages))
    assert ages[0] == every


def test_what_failed_or_has_no_instant_or_no_run_before_is_always_due() -> None:
    soon = NOW + timedelta(seconds=61)
    assert not is_due(version(NOW), NOW + MINUTE, soon)
    assert is_due(version(NOW, failing=True), NOW + MINUTE, soon)
    assert is_due(version(None), NOW + MINUTE, soon)
    assert is_due(version(NOW), None, soon)
    assert not is_due(StoredVersion(b"", b"", None), None, soon)


async def test_runs_each_minute_end_as_runs_that_fetch_everything(tmp_path: Path) -> None:
    stores: dict[bool, list[Conversation]] = {}
    fetched: Counter[bool] = Counter()
    for all_pending in (False, True):
        present = ManualClock()
        async with simulated("elevenlabs", conversations=12, present=present) as (hub, _):
            store = SQLiteStore(tmp_path / f"{all_pending}.db")
            for minute in range(100):
                present.seconds = minute * 60.0
                report = await sync(hub, store, all_pending=all_pending, clock=present.clock)
                fetched[all_pending] += report.accounts[0].fetched
        with SQLiteReader(tmp_path / f"{all_pending}.db") as reader:
            stores[all_pending] = [*reader.conversations()]
    assert stores[False] == stores[True]
    assert fetched[False] < fetched[True] / 2
