"""Checks of a store that remembers changes: each comes once, in the order of commits, from any cursor on."""

from __future__ import annotations

from collections.abc import Callable

from ...errors import InvalidRefError
from ...schema import Conversation
from ...stores import Change, ChangeReader, ReadableStore, put
from ._conversations import said
from ._refused import refused

__all__ = ["CHECKS"]

Open = Callable[[], ReadableStore]


class _Follower:
    """Keeps a copy of a store by its changes, and remembers a cursor."""

    def __init__(self, open_store: Open) -> None:
        self._open_store = open_store
        self.copy: dict[str, Conversation] = {}
        self.cursor: str | None = None
        self.seen: list[str] = []

    def take(self, reader: ChangeReader, change: Change) -> None:
        self.cursor = change.cursor
        if change.conversation is not None:
            self.copy[change.conversation.ref] = change.conversation
            self.seen.append(change.conversation.id)
        else:
            erased = {change.erased}
            self.copy = {ref: kept for ref, kept in self.copy.items() if reader.digest(ref) not in erased}

    def follow(self, most: int | None = None) -> None:
        with self._open_store().reader() as reader:
            if isinstance(reader, ChangeReader):
                for count, change in enumerate(reader.changes(self.cursor), start=1):
                    self.take(reader, change)
                    if count == most:
                        return

    def expect_copy(self) -> None:
        with self._open_store().reader() as reader:
            assert self.copy == {each.ref: each for each in reader.conversations()}


def _remembers_changes(open_store: Open) -> bool:
    with open_store().reader() as reader:
        return isinstance(reader, ChangeReader)


async def each_change_comes_once_in_the_order_of_commits(open_store: Open) -> None:
    follower = _Follower(open_store)
    await put(open_store(), said(id="c2"), said(id="c1"))
    await put(open_store(), said(id="c3"))
    await put(open_store(), said("again", id="c1"))
    if not _remembers_changes(open_store):
        return
    follower.follow()
    assert follower.seen == ["c2", "c3", "c1"]
    await put(open_store(), said("again", id="c1"))  # nothing new
    follower.follow()
    assert follower.seen == ["c2", "c3", "c1"]


async def a_copy_is_the_store_wherever_it_was_interrupted(open_store: Open) -> None:
    follower = _Follower(open_store)
    await put(open_store(), said(id="c99"))
    if not _remembers_changes(open_store):
        return
    for step in range(8):
        await put(open_store(), *(said(f"{step}", id=f"c{number}") for number in range(step, step + 4)))
        follower.follow(most=step % 3 + 1)
        if step % 2:
            with open_store().reader() as reader:
                reader.erase(f"acme:c{step}", f"acme:c{step + 2}")
            follower.follow(most=2)
    follower.follow()
    follower.expect_copy()
    seen = len(follower.seen)
    follower.follow()
    assert len(follower.seen) == seen


async def what_is_written_meanwhile_comes_too(open_store: Open) -> None:
    follower = _Follower(open_store)
    await put(open_store(), *(said(id=f"c{number}") for number in range(250)))
    with open_store().reader() as reader:
        if not isinstance(reader, ChangeReader):
            return
        for count, change in enumerate(reader.changes()):
            follower.take(reader, change)
            if count == 3:
                await put(open_store(), *(said("again", id=id) for id in ("c1", "c249", "c900")))
    follower.expect_copy()
    assert len(follower.seen) == 252, "one was read before it was written again, the other was not"


async def a_cursor_of_changes_is_checked(open_store: Open) -> None:
    await put(open_store(), said())
    with open_store().reader() as reader:
        if not isinstance(reader, ChangeReader):
            return
        end = reader.end_of_changes()
        assert list(reader.changes(end)) == []
        for wrong in ("", "a", "AAAA", "é", end[:-1], "x" * 500):
            with refused(InvalidRefError, "invalid or damaged"):
                next(reader.changes(wrong))
        await put(open_store(), said(id="c2"))
        assert [change.conversation and change.conversation.id for change in reader.changes(end)] == ["c2"]


CHECKS = (
    each_change_comes_once_in_the_order_of_commits,
    a_copy_is_the_store_wherever_it_was_interrupted,
    what_is_written_meanwhile_comes_too,
    a_cursor_of_changes_is_checked,
)
