"""The newest conversations of several accounts: their lists side by side, each read only as far as necessary."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import NamedTuple

from .._concurrency import TaskPool
from ..schema import Conversation
from ._page import Sheet
from ._reader import ResourceReader
from ._report import AccountReport

__all__ = ["Head", "newest_of", "sheets_of"]

_LAST = float("inf")


class _Item(NamedTuple):
    row: Conversation
    sheet: Sheet
    number: int
    """Its position in the sheet, from 1."""


class Head:
    """One account's list, and the conversation that comes next in it."""

    def __init__(self, reader: ResourceReader, report: AccountReport, sheets: AsyncGenerator[Sheet]) -> None:
        self.reader = reader
        self.report = report
        self.sheet: Sheet | None = None
        """The page that was read last."""
        self.given = 0
        """How many of its items to hand out: all up to the last one given."""
        self._behind: list[Sheet] = []
        self._sheets = sheets
        self._has_ended = False
        self._next: deque[_Item] = deque()
        self._undated: deque[_Item] = deque()  # wait until no account has anything else

    @property
    def has_ended(self) -> bool:
        """Whether it has nothing more to give."""
        return self._has_ended and not self._next and not self._undated

    @property
    def rank(self) -> float:
        """The sort key of the next conversation: the newest has the lowest, those without an instant the highest."""
        at = _at(self._next[0].row) if self._next else None
        return _LAST if at is None else -at

    async def settle(self) -> Head:
        """Read on until the next conversation is known.

        A page without any instant says nothing about the pages after it, so they wait too.
        """
        while not self._next and not self._has_ended and not (self._undated and self._says_no_instant):
            sheet = await anext(self._sheets, None)
            if sheet is None:
                self._has_ended = True
                return self
            if self.sheet is not None:
                self._behind.append(self.sheet)
            self.sheet = sheet
            self.given = 0
            for number, row in enumerate(sheet.items, start=1):
                (self._undated if _at(row) is None else self._next).append(_Item(row, sheet, number))
        return self

    @property
    def _says_no_instant(self) -> bool:
        return self.sheet is not None and all(_at(row) is None for row in self.sheet.items)

    def give(self) -> Conversation:
        """Return the next conversation."""
        item = (self._next or self._undated).popleft()
        if item.sheet is self.sheet:
            self.given = max(self.given, item.number)
        return item.row

    def left_behind(self) -> list[Sheet]:
        """Return the pages that were read before the last one, each only once."""
        behind, self._behind = self._behind, []
        return behind

    def stop(self) -> None:
        """Give nothing more, because the account has failed."""
        self._has_ended = True
        self._next.clear()
        self._undated.clear()

    async def close(self) -> None:
        """Stop reading; if conversations are left, the end of the list was not reached."""
        if self._next or self._undated:
            self.report.lists_left.add(self.reader.name)
        await self._sheets.aclose()


async def newest_of(heads: Sequence[Head], tasks: TaskPool, at_once: int) -> AsyncGenerator[tuple[Head, Conversation]]:
    """Yield the conversations of all lists, newest first; those of one account in the order of its list."""
    places = {head: place for place, head in enumerate(heads)}
    async with aclosing(tasks.as_completed(heads, Head.settle, at_once)) as settled:
        line = [(head.rank, places[head]) async for head in settled if not head.has_ended]
    heapq.heapify(line)
    while line:
        head = heads[line[0][1]]
        if not head.has_ended:
            yield head, head.give()
            await head.settle()
        if head.has_ended:
            heapq.heappop(line)
        else:
            heapq.heapreplace(line, (head.rank, places[head]))


async def sheets_of(
    heads: Sequence[Head], given: AsyncGenerator[tuple[Head, Conversation]]
) -> AsyncGenerator[tuple[Head, Sheet, int]]:
    """Yield the pages of the given conversations, each with the number of its items to hand out."""
    async for head, _ in given:
        for sheet in head.left_behind():
            yield head, sheet, len(sheet.items)
    for head in heads:
        for sheet in head.left_behind():
            yield head, sheet, len(sheet.items)
        if head.sheet is not None and head.given:
            yield head, head.sheet, head.given


def _at(row: Conversation) -> float | None:
    at = row.created_at or row.started_at
    return None if at is None else at.timestamp()
