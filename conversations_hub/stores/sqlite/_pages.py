"""Conversations newest first, in pieces: pages that continue after any row, and walks that hold up no writer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any, Final

from .._filters import Filters
from .._pages import Place, Row, StorePage, read_place
from ._conditions import Condition, all_of, before, is_of
from ._tables import CONVERSATION, conversation_of, instant_text

__all__ = ["newest_first", "page"]

Rows = Iterator[Sequence[Any]]
Ask = Callable[[str, Sequence[Any]], Rows]
"""Runs a query, and yields its rows."""

_AT_AND_KEY: Final = itemgetter(0, 1)
_LEFT_OUT: Final = frozenset({"turns", "collected", "metadata", "links", "related_ids", "raw"})
_SHOWN: Final = ", ".join(
    ("at", "key", "turns", *(f"NULL AS {name}" if name in _LEFT_OUT else name for name in CONVERSATION))
)


def page(ask: Ask, chosen: Condition, wanted: Filters, limit: int, cursor: str | None) -> StorePage:
    """Return a page of at most `limit` conversations, newest first: see `newest_first`."""
    after = None if cursor is None else read_place(cursor, int)
    rows = [*newest_first(ask, _SHOWN, chosen, wanted, limit=limit + 1, after=after)]
    more = len(rows) > limit
    place = Place(*_AT_AND_KEY(rows[limit - 1])) if more else None
    return StorePage(rows=tuple(map(_row, rows[:limit])), cursor=None if place is None else str(place))


def newest_first(
    ask: Ask, columns: str, chosen: Condition, wanted: Filters, *, limit: int, after: Place | None
) -> Rows:
    """Yield rows of `columns`, of which the first two are `at` and `key`, newest first, after a place.

    They have the targets and the span that are wanted, and meet a condition, `chosen`.
    """
    condition = all_of(chosen, before(wanted.until), _after(after))
    spans: list[Condition] = [("", [])]
    if wanted.since is not None:  # two queries: a single one would read everything between them
        spans = [("at >= ?", [instant_text(wanted.since)]), ("at = ''", [])]
    # And one for each target: no index sorts those of several targets together.
    owners = [is_of(target) for target in wanted.targets] or [("", [])]
    found = (_merged(ask, columns, [all_of(one, condition, span) for one in owners], limit) for span in spans)
    return islice(chain.from_iterable(found), limit)


def _after(place: Place | None) -> Condition:
    return ("", []) if place is None else ("(at, key) < (?, ?)", [place.at, place.key])


def _merged(ask: Ask, columns: str, conditions: Sequence[Condition], limit: int) -> Rows:
    """Yield the rows that meet one of the conditions, each once."""
    found = [
        ask(
            f"SELECT {columns} FROM conversations WHERE {where or '1'} ORDER BY at DESC, key DESC LIMIT ?",
            (*values, limit),
        )
        for where, values in conditions
    ]
    for _, alike in groupby(merge(*found, key=_AT_AND_KEY, reverse=True), key=_AT_AND_KEY):
        yield next(alike)


def _row(row: Sequence[Any]) -> Row:
    _, _, turns, *columns = row
    return Row(conversation_of(columns, (), (), ()), turns)
