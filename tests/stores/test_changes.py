"""What changed since a cursor comes once, in the order of commits, whatever is written meanwhile."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub import Conversation
from conversations_hub.errors import InvalidRefError
from conversations_hub.schema import Status
from conversations_hub.stores.sqlite import Change, SQLiteReader

from ..support.sqlite import kept_in, stored


def one(number: int, title: str = "") -> Conversation:
    return Conversation(provider="acme", id=f"c{number}", status=Status.ENDED, title=title or None)


class Follower:
    """Somebody who keeps a copy of a store by its changes, and remembers a cursor."""

    def __init__(self) -> None:
        self.copy: dict[str, Conversation] = {}
        self.cursor: str | None = None
        self.seen: list[str] = []

    def take(self, reader: SQLiteReader, change: Change) -> None:
        self.cursor = change.cursor
        if change.conversation is not None:
            self.copy[change.conversation.ref] = change.conversation
            self.seen.append(change.conversation.id)
        else:
            self.copy = {ref: kept for ref, kept in self.copy.items() if reader.digest(ref) != change.erased}

    def follow(self, path: Path, most: int | None = None) -> None:
        with SQLiteReader(path) as reader:
            for count, change in enumerate(reader.changes(self.cursor), start=1):
                self.take(reader, change)
                if count == most:
                    return


STEPS = st.one_of(
    st.tuples(st.just("write"), st.lists(st.integers(0, 9), min_size=1, max_size=5, unique=True)),
    st.tuples(st.just("erase"), st.lists(st.integers(0, 9), min_size=1, max_size=2, unique=True)),
    st.tuples(st.just("follow"), st.lists(st.integers(1, 4), min_size=1, max_size=1)),
)


@settings(max_examples=15)
@given(st.lists(STEPS, max_size=10))
def test_a_copy_is_the_store_wherever_it_was_interrupted(steps: list[tuple[str, list[int]]]) -> None:
    with TemporaryDirectory() as folder:
        path, follower = Path(folder, "c.db"), Follower()
        asyncio.run(kept_in(path, one(99)))
        for place, (step, numbers) in enumerate(steps):
            if step == "write":
                asyncio.run(kept_in(path, *(one(number, f"{place}") for number in numbers)))
            elif step == "follow":
                follower.follow(path, numbers[0])
            else:
                there = [ref for number in numbers if (ref := one(number).ref) in stored(path)]
                with SQLiteReader(path) as reader:
                    reader.erase(*there)
        follower.follow(path)
        assert follower.copy == stored(path)
        seen = len(follower.seen)
        follower.follow(path)
        assert len(follower.seen) == seen


async def test_a_cursor_of_another_store_or_of_a_later_one_is_refused(tmp_path: Path) -> None:
    path, follower = tmp_path / "c.db", Follower()
    await kept_in(path, one(1))
    shutil.copy(path, tmp_path / "backup.db")
    await kept_in(path, one(2))
    follower.follow(path)
    with SQLiteReader(tmp_path / "backup.db") as reader, pytest.raises(InvalidRefError, match="restored backup"):
        next(reader.changes(follower.cursor))
    await kept_in(tmp_path / "other.db", one(1))
    with SQLiteReader(tmp_path / "other.db") as reader, pytest.raises(InvalidRefError, match="another store"):
        next(reader.changes(follower.cursor))
