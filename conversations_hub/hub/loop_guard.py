"""What a walk has seen of a list: it brings nothing twice, goes on where one before it ended, and notices circles."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..errors import NotFoundError, PaginationError
from ..schema import Conversation
from .cursor import Place, digest, split
from .reader import DecodedPage

__all__ = ["LoopGuard"]

_MOST_PAGES = 100_000
_MOST_REPEATS = 3  # pages in a row that bring only what was there before
_MOST_BARREN = 20  # pages in a row that bring nothing at all, or nothing readable
_MOST_PASSES = 3
_MOST_SEARCHES = 2  # for the place to go on from: behind where it was, and then from the start
_LONGEST_TRAIL = 16
_EXPIRED = 410
_CIRCLE = "the provider's list runs in a circle: a cursor came a second time"


class LoopGuard:
    """Tells a walk that moves on from one that runs in circles, over all its passes and over those it goes on from."""

    def __init__(self, place: Place, *, counted: bool) -> None:
        self._ids: set[str] = set()
        self._place = place
        self._marks = frozenset(split(place.marks))
        self._counted = counted
        self._restarts = 0
        self._passes = 0
        self._most_unreadable = place.unreadable
        if place.page is not None and digest(place.page) in split(place.trail):
            raise PaginationError(_CIRCLE)
        self._begin_pass(place.page, place.trail)

    def _begin_pass(self, cursor: str | None, trail: bytes = b"") -> None:
        self._cursors = {cursor}
        self._trail = deque(split(trail), _LONGEST_TRAIL)
        self._came_from = frozenset(self._trail)
        # What was seen before is seen again in a further pass, and says nothing of whether that moves on.
        self._seen_in_this = self._ids if self.is_first_pass else set[str]()
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
        """Whether a second look found that nothing had been missed."""
        return self._passes > 0 and self._new == 0

    @property
    def trail(self) -> bytes:
        """Digests of the cursors of the last pages, for those who go on behind this one."""
        return b"".join(self._trail)

    def reads(self, cursor: str | None) -> None:
        """Note that the page at a cursor has been read."""
        self._trail.append(digest(cursor or ""))

    def may_look_again(self) -> bool:
        """Begin another pass from the start, unless the last one found nothing new or it was the last."""
        if self.found_nothing_new or self._passes + 1 >= _MOST_PASSES or self._began_inside:
            return False
        self._passes += 1
        self._begin_pass(None)
        return True

    @property
    def _began_inside(self) -> bool:
        return self._place.page is not None

    def start_over(self, error: NotFoundError, cursor: str | None) -> None:
        """Begin again from the start where a cursor has expired, and only then; what was seen stays seen."""
        if error.status != _EXPIRED or cursor is None:
            raise error
        self._restarts += 1
        if self._began_inside or self._restarts > _MOST_PASSES:
            raise PaginationError("the cursor has expired: begin without one")
        self._begin_pass(None)

    def is_lost(self, rows: DecodedPage) -> bool:
        """Whether this page should be the one to go on in, and has none of the rows that were passed in it.

        Then there was so much that came or went that they stand on other pages.
        """
        if self._is_there or not self._counted or any(self._is_marked(row) for row in rows.conversations):
            return False
        return self._searches < _MOST_SEARCHES

    def search_on(self, rows: DecodedPage) -> str | None:
        """Return the cursor of the page where to look for the place next."""
        ids = {row.id for row in rows.conversations}
        self._moved_on = not ids <= self._searched
        self._searched |= ids
        if rows.cursor is not None:
            self.check(rows)
            return rows.cursor
        # Not behind where it was; so perhaps before, and else what was passed is gone.
        searches = self._searches + 1
        cursor = None if searches < _MOST_SEARCHES else self._place.page
        self._begin_pass(cursor)
        self._searches = searches
        return cursor

    def new_among(self, rows: Sequence[Conversation]) -> list[Conversation]:
        """Return the rows that have not been seen yet, each once."""
        self._moved_on = any(row.id not in self._seen_in_this and not self._is_marked(row) for row in rows)
        if self._seen_in_this is not self._ids:
            self._seen_in_this.update(row.id for row in rows)
        new: list[Conversation] = []
        behind = self._passed_among(rows)
        for position, row in enumerate(rows):
            if row.id not in self._ids:
                self._ids.add(row.id)
                if position >= behind and not self._is_marked(row):
                    new.append(row)
        self._new += len(new)
        return new

    def _passed_among(self, rows: Sequence[Conversation]) -> int:
        """Return how many rows at the beginning of a page are left out, as they stand before what was passed."""
        if self._is_there:
            return 0
        self._is_there = True
        marked = (position for position, row in enumerate(rows) if self._is_marked(row))
        return next(marked, max(0, self._place.passed - len(self._marks)))

    def _is_marked(self, row: Conversation) -> bool:
        return bool(self._marks) and digest(row.id) in self._marks

    def new_unreadable(self, rows: int) -> int:
        """Return how many of a page's unreadable rows are more than an earlier pass met; no id tells them apart."""
        self._unreadable += rows
        new = max(0, self._unreadable - self._most_unreadable)
        self._most_unreadable += new
        return new

    def check(self, rows: DecodedPage) -> None:
        """Raise `PaginationError` where going on would only bring more of the same."""
        self._pages += 1
        if rows.cursor in self._cursors or digest(rows.cursor or "") in self._came_from:
            raise PaginationError(_CIRCLE)
        self._cursors.add(rows.cursor)
        is_repeat = bool(rows.conversations) and not self._moved_on
        self._repeats = self._repeats + 1 if is_repeat else 0
        self._barren = 0 if rows.conversations else self._barren + 1
        if self._repeats >= _MOST_REPEATS:
            raise PaginationError(f"the provider's list does not move on: {_MOST_REPEATS} pages brought nothing new")
        if self._barren >= _MOST_BARREN:
            raise PaginationError(f"the provider's list does not end: {_MOST_BARREN} pages in a row were empty")
        if self._pages >= _MOST_PAGES:
            raise PaginationError(f"the provider's list does not end: {_MOST_PAGES} pages were read")
