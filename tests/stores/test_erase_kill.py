"""Erasures and migrations that are killed at random instants: all of it, or nothing."""

from __future__ import annotations

import random
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from conversations_hub.schema import Conversation
from conversations_hub.stores._erasure import Person
from conversations_hub.stores.jsonl._reader import JSONLReader
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.crash import killed_after
from ..support.entries import entry
from ..support.erasing import erased_in_steps
from ..support.exporting import export
from ..support.first_layout import first_layout
from ..support.jsonl import lines
from ..support.persons import bytes_in, called
from ..support.sqlite import kept_in, stored

NUMBER = "+1 555 010 2030"
EACH = 100
GONE = [called(NUMBER, id=f"gone{number}", name="Rumpelstilz") for number in range(EACH)]
LEFT = [
    msgspec.structs.replace(called("+49 30 1234567", id=f"left{number}"), transcript=None) for number in range(EACH)
]
BOTH = [one for pair in zip(GONE, LEFT, strict=True) for one in pair]
NIGHTLY = [pytest.mark.nightly, pytest.mark.timeout(3600)]


async def _sqlite(path: Path) -> None:
    await kept_in(path, *BOTH)


async def _first_layout(path: Path) -> None:
    first_layout(path, BOTH)


async def _finished(path: Path) -> None:
    await export(path, [[entry(one) for one in BOTH]])


async def _under_way(path: Path) -> None:
    await export(path, [[entry(one) for one in BOTH[:EACH]]])
    await export(path, [[], [entry(one) for one in BOTH[EACH:]]], finish=False)


async def _all_of(path: Path) -> dict[str, Conversation]:
    """Return what is in a store, as the next sync would find it."""
    if path.suffix == ".db":
        store = SQLiteStore(path)
        await store.open({})
        await store.close()
        return stored(path)
    await export(path, [[], []])
    return {one.ref: one for one in lines(path)}


def _left_to_erase(path: Path) -> int:
    person = Person(phone=NUMBER)
    if path.suffix != ".db":
        return len(JSONLReader(path).erase(person=person, dry_run=True).conversations)
    with SQLiteReader(path) as archive:
        return len(archive.erase(person=person, dry_run=True).conversations)


@pytest.mark.parametrize("kills", [10, pytest.param(200, marks=NIGHTLY, id="200 by night")])
@pytest.mark.parametrize(
    ("name", "make"),
    [("c.db", _sqlite), ("c.db", _first_layout), ("c.jsonl", _finished), ("c.jsonl", _under_way)],
    ids=["SQLite", "first layout", "JSON lines", "JSON lines under way"],
)
async def test_killed_at_random_it_is_never_half(
    name: str, make: Callable[[Path], Awaitable[None]], kills: int, tmp_path: Path
) -> None:
    begun = tmp_path / "begun"
    begun.mkdir()
    await make(begun / name)

    def copy(to: str) -> Path:
        return shutil.copytree(begun, tmp_path / to) / name

    steps = killed_after(1_000_000, erased_in_steps, str(copy("due")), NUMBER)
    assert steps is not None
    assert steps > 10
    due = {one.ref: one for one in LEFT}
    assert await _all_of(tmp_path / "due" / name) == due
    chance = random.Random(kills)  # noqa: S311  (no secret)
    killed = 0
    for number in range(kills):
        path = copy(str(number))
        for _ in range(2):  # and what the next one brings into order is killed as well
            ended = killed_after(chance.randrange(1, steps + 1), erased_in_steps, str(path), NUMBER)
            killed += ended is None
        again = shutil.copytree(path.parent, tmp_path / f"{number} again") / name
        there = await _all_of(again)
        assert there in (due, {one.ref: one for one in BOTH}), number
        assert _left_to_erase(again) == len(there) - EACH
        killed_after(1_000_000, erased_in_steps, str(path), NUMBER)
        assert await _all_of(path) == due
        assert b"Rumpelstilz" not in bytes_in(path.parent)
        for folder in (path.parent, again.parent):
            shutil.rmtree(folder)
    assert killed > 0
