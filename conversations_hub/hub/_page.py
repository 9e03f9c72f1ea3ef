"""A page of one account's list: `Page` for the caller, `Sheet` for the walk that reads it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..schema import Conversation, Issue
from ._cursor import Place, digest

__all__ = ["Page", "Sheet"]

_MOST_MARKS = 100


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of one account's list."""

    provider: str
    account: str
    items: tuple[Conversation, ...]
    cursor: str | None = None
    """Where `hub.list(…, cursor=…)` continues, even if `limit` cut the page; None: this was the end.

    It is valid for the same account and filters only, in any process. The page size stays that of the first walk.
    """
    rejected: tuple[Issue, ...] = ()
    """Rows that could not be read, and why; at most the first hundred."""


class Sheet(msgspec.Struct, frozen=True, kw_only=True):
    """A page as a walk reads it; it can be cut anywhere."""

    start: Place
    """Where it begins, with none of its rows passed."""
    rows: Sequence[Conversation]
    """All readable rows, in the list's order."""
    items: tuple[Conversation, ...]
    """The rows that the caller gets."""
    following: str | None
    """The adapter's cursor of the next page; None: this is the last."""
    trail: bytes
    """The trail of the next page."""
    following_list: Place | None
    """Where the account's next list begins; None: this is its last list."""
    counted: bool
    """Whether rows that are added or removed shift the pages after them."""
    unreadable: int = 0
    rejected: tuple[Issue, ...] = ()
    is_cut: bool = False

    def cut_to(self, most: int | None) -> Sheet:
        """Return it with at most `most` items."""
        if most is None or most >= len(self.items):
            return self
        return msgspec.structs.replace(self, items=self.items[:most], is_cut=True)

    def page(self) -> Page:
        """Return it as a `Page`."""
        provider, _, account = self.start.where.partition(":")[0].partition("/")
        place = self._place_of_cut() if self.is_cut else self._end()
        return Page(
            provider=provider,
            account=account,
            items=self.items,
            cursor=None if place is None else str(place),
            rejected=self.rejected,
        )

    def _place_of_cut(self) -> Place:
        return self._passed([row.id for row in self.rows].index(self.items[-1].id) + 1 if self.items else 0)

    def _end(self) -> Place | None:
        """Return the place after it.

        If pages are counted, that is a place in this page and not the beginning of the next, where other rows may be by
        then.
        """
        if self.following is None:
            return self.following_list
        if self.counted and self.rows:
            return self._passed(len(self.rows))
        # Some lists continue at an instant and repeat its rows; and one that does not advance must be recognized.
        return msgspec.structs.replace(self.start, page=self.following, marks=_marks(self.rows), trail=self.trail)

    def _passed(self, rows: int) -> Place:
        return msgspec.structs.replace(
            self.start, passed=rows, marks=_marks(self.rows[:rows]), unreadable=self.unreadable
        )


def _marks(rows: Sequence[Conversation]) -> bytes:
    return b"".join(digest(row.id) for row in rows[-_MOST_MARKS:])
