"""Tracks what a walk has seen of a list: drops duplicates, continues an earlier walk, and detects loops."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..errors import NotFoundError, PaginationError
from ..schema import Conversation
from ._cursor import Place, digest, split
from ._reader import DecodedPage
from ._seen_ids import SeenIds

__all__ = ["LoopGuard"]

_MOST_PAGES = 100_000
_MOST_REPEATS = 3  # pages in a row that bring only known rows
_MOST_BARREN = 20  # pages in a row that bring no rows, or none that is readable
_MOST_PASSES = 3
_MOST_SEARCHES = 2  # for the place to continue from: after where it was, and then from the start
_LONGEST_TRAIL = 16
_EXPIRED = 410
_LOOP = "the provider's list loops: a cursor came a second time"


class LoopGuard:
    """Distinguishes a walk that advances from one that loops, over all its passes and the walks that it continues."""

    def __init__(self, place: Place, *, counted: bool) -> None:
        self._ids = SeenIds()
        self._place = place
        self._marks = frozenset(split(place.marks))
        self._counted = counted
        self._restarts = 0
        self._passes = 0
        self._most_unreadable = place.unreadable
        if place.page is not None and digest(place.page) in split(place.trail):
            raise PaginationError(_LOOP)
        self._begin_pass(place.page, place.trail)

    def _begin_pass(self, cursor: str | None, trail: bytes = b"") -> None:
        self._cursors = {cursor}
        self._trail = deque(split(trail), _LONGEST_TRAIL)
        self._came_from = frozenset(self._trail)
        # A further pass meets the rows of earlier ones again, so those do not show whether it advances.
        self._seen_in_this = self._ids if self.is_first_pass else SeenIds()
        self._searches = 0
        self._searched: set[str] = set()
        self._is_there = not self._place.passed or self._passes > 0
        self._moved_on = False
        self._pages = 0
        self._new = 0
        self._repeats = 0
        self._barren = 0
        self._unreadable = 0

    @property
    def is_first_pass(self) -> bool:
        """Whether nothing was read before."""
        return self._passes == 0 and self._restarts == 0

    @property
    def found_nothing_new(self) -> bool:
        """Whether another pass found that nothing was missed."""
        return self._passes > 0 and self._new == 0

    @property
    def trail(self) -> bytes:
        """Digests of the cursors of the last pages, for walks that continue after this one."""
        return b"".join(self._trail)

    def reads(self, cursor: str | None) -> None:
        """Record that the page at a cursor was read."""
        self._trail.append(digest(cursor or ""))

    def may_look_again(self) -> bool:
        """Start another pass, unless the last one found nothing new or was the last allowed; return whether it did."""
        if self.found_nothing_new or self._passes + 1 >= _MOST_PASSES or self._began_inside:
            return False
        self._passes += 1
        self._begin_pass(None)
        return True

    @property
    def _began_inside(self) -> bool:
        return self._place.page is not None

    def start_over(self, error: NotFoundError, cursor: str | None) -> None:
        """Start over if a cursor has expired, otherwise raise the error; rows that were seen stay known."""
        if error.status != _EXPIRED or cursor is None:
            raise error
        self._restarts += 1
        if self._began_inside or self._restarts > _MOST_PASSES:
            raise PaginationError("the cursor has expired: start without one")
        self._begin_pass(None)

    def is_lost(self, rows: DecodedPage) -> bool:
        """Whether this page should be the one to continue in, but has none of the rows that were passed in it.

        So many rows were then added or removed that those rows are on other pages.
        """
        if self._is_there or not self._counted or any(self._is_marked(row) for row in rows.conversations):
            return False
        return self._searches < _MOST_SEARCHES

    def search_on(self, rows: DecodedPage) -> str | None:
        """Return the cursor of the next page to search for the place."""
        ids = {row.id for row in rows.conversations}
        self._moved_on = not ids <= self._searched
        self._searched |= ids
        if rows.cursor is not None:
            self.check(rows)
            return rows.cursor
        # It is not after where it was, so it may be before; otherwise the passed rows are gone.
        searches = self._searches + 1
        cursor = None if searches < _MOST_SEARCHES else self._place.page
        self._begin_pass(cursor)
        self._searches = searches
        return cursor

    def new_among(self, rows: Sequence[Conversation]) -> list[Conversation]:
        """Return the rows that were not seen before, each once."""
        self._moved_on = any(row.id not in self._seen_in_this and not self._is_marked(row) for row in rows)
        if self._seen_in_this is not self._ids:
            for row in rows:
                self._seen_in_this.add(row.id)
        new: list[Conversation] = []
        behind = self._passed_among(rows)
        for position, row in enumerate(rows):
            if self._ids.add(row.id) and position >= behind and not self._is_marked(row):
                new.append(row)
        self._new += len(new)
        return new

    def _passed_among(self, rows: Sequence[Conversation]) -> int:
        """Return how many rows at the start of a page are skipped, because they come before the passed rows."""
        if self._is_there:
            return 0
        self._is_there = True
        marked = (position for position, row in enumerate(rows) if self._is_marked(row))
        return next(marked, max(0, self._place.passed - len(self._marks)))

    def _is_marked(self, row: Conversation) -> bool:
        return bool(self._marks) and digest(row.id) in self._marks

    def new_unreadable(self, rows: int) -> int:
        """Return by how many a page's unreadable rows exceed those of earlier passes; they have no id to compare."""
        self._unreadable += rows
        new = max(0, self._unreadable - self._most_unreadable)
        self._most_unreadable += new
        return new

    def check(self, rows: DecodedPage) -> None:
        """Raise `PaginationError` if the next pages would only bring more of the same."""
        self._pages += 1
        if rows.cursor in self._cursors or digest(rows.cursor or "") in self._came_from:
            raise PaginationError(_LOOP)
        self._cursors.add(rows.cursor)
        is_repeat = bool(rows.conversations) and not self._moved_on
        self._repeats = self._repeats + 1 if is_repeat else 0
        self._barren = 0 if rows.conversations else self._barren + 1
        if self._repeats >= _MOST_REPEATS:
            raise PaginationError(
                f"the provider's list does not advance: {_MOST_REPEATS} pages in a row brought nothing new"
            )
        if self._barren >= _MOST_BARREN:
            raise PaginationError(f"the provider's list does not end: {_MOST_BARREN} pages in a row were empty")
        if self._pages >= _MOST_PAGES:
            raise PaginationError(f"the provider's list does not end: {_MOST_PAGES} pages were read")
