"""Kills between any two steps of receiving and draining: what was acknowledged is kept, and in the end stored once."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from conversations_hub.stores.sqlite import SQLiteReader

from ..support.crash import killed_after
from ..support.receiving_steps import (
    ACKNOWLEDGED,
    CONVERSATIONS,
    DELIVERIES,
    INBOX,
    STORE,
    received_in_steps,
)

FOR_EVER = 1_000_000


def _events(folder: Path) -> dict[str, str]:
    """Return the state of each event in the inbox."""
    with closing(sqlite3.connect(folder / INBOX)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return dict(database.execute("SELECT event, state FROM deliveries").fetchall())


@pytest.mark.parametrize(
    "kills", [3, pytest.param(60, marks=[pytest.mark.nightly, pytest.mark.timeout(3600)], id="60 by night")]
)
def test_what_was_acknowledged_is_stored_whenever_it_is_killed(kills: int, tmp_path: Path) -> None:
    def folder(name: str) -> Path:
        made = tmp_path / name
        made.mkdir()
        return made

    steps = killed_after(FOR_EVER, received_in_steps, str(folder("undisturbed")))
    assert steps is not None
    chance = random.Random(kills)  # noqa: S311  (no secret)
    killed = number = 0
    while killed < kills:
        number += 1
        place = folder(str(number))
        for _ in range(3):  # and again, in what the last one left
            ended = killed_after(chance.randrange(1, steps), received_in_steps, str(place))
            killed += ended is None
            told = place / ACKNOWLEDGED
            acknowledged = told.read_text().split() if told.exists() else []
            assert not acknowledged or set(acknowledged) <= _events(place).keys()
        killed_after(FOR_EVER, received_in_steps, str(place))
        assert _events(place) == {f"e{number}": "done" for number in range(DELIVERIES)}
        with SQLiteReader(place / STORE) as reader:
            found = sorted((one.id, one.title, one.is_finished) for one in reader.conversations())
        assert found == [(f"c{number}", f"as told in c{number}", True) for number in range(CONVERSATIONS)]
