"""Conversations newest first, in pieces: pages that continue after any row, and walks that hold up no writer."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from heapq import merge
from itertools import chain, groupby, islice
from operator import itemgetter
from typing import Any, Final

from ._conditions import Condition, Dialect, all_of
from ._filters import Filters
from ._pages import Place
from ._untrusted import instant_of

__all__ = ["newest_first", "page_of", "pieces", "walked"]

Rows = Iterator[Sequence[Any]]
Ask = Callable[[str, Sequence[Any]], Rows]
"""Runs a query, and yields its rows, of which the first columns are `at` as a text that sorts, and `key`."""

_PIECE: Final = 100  # rows that a walk takes at once
_AT_AND_KEY: Final = itemgetter(0, 1)


def page_of(
    ask: Ask, dialect: Dialect, columns: str, wanted: Filters, said: Condition, *, limit: int, after: Place | None
) -> tuple[list[Sequence[Any]], str | None]:
    """Return at most `limit` rows after a place, and the cursor after them; None: there are no more."""
    rows = [*newest_first(ask, dialect, columns, wanted, said, limit=limit + 1, after=after)]
    return rows[:limit], str(Place(*_AT_AND_KEY(rows[limit - 1]))) if len(rows) > limit else None


def walked(
    ask: Ask, dialect: Dialect, columns: str, wanted: Filters, said: Condition = ("", []), *, limit: int | None = None
) -> Rows:
    """Yield rows, at most `limit`; see `pieces`."""
    return chain.from_iterable(pieces(ask, dialect, columns, wanted, said, limit=limit))


def pieces(
    ask: Ask,
    dialect: Dialect,
    columns: str,
    wanted: Filters,
    said: Condition = ("", []),
    *,
    joined: str = "",
    limit: int | None = None,
) -> Iterator[list[Sequence[Any]]]:
    """Yield rows, at most `limit`, in pieces, so that no reader holds up a writer; see `newest_first`."""
    place: Place | None = None
    left = sys.maxsize if limit is None else limit
    asked = (ask, dialect, columns, wanted, said)
    while rows := [*newest_first(*asked, joined=joined, limit=min(left, _PIECE), after=place)]:
        yield rows
        left -= len(rows)
        place = Place(*_AT_AND_KEY(rows[-1]))


def newest_first(
    ask: Ask,
    dialect: Dialect,
    columns: str,
    wanted: Filters,
    said: Condition = ("", []),
    *,
    joined: str = "",
    limit: int | None,
    after: Place | None = None,
) -> Rows:
    """Yield rows of `columns`, of which the first two are `at` and `key`, newest first, after a place.

    `said` is the condition for the words of `wanted`. `joined` names tables that conversations are joined with, each of
    which has at most one row for each.
    """
    condition = all_of(dialect.matching(wanted), said, dialect.before(wanted.until), _after(dialect, after))
    spans: list[Condition] = [("", [])]
    if wanted.since is not None:  # two queries: a single one would read everything between them
        spans = [("at >= ?", [dialect.instant(wanted.since)]), (f"at = {dialect.undated}", [])]
    # And one for each target: no index sorts those of several targets together.
    owners = [dialect.is_of(target) for target in wanted.targets] or [("", [])]
    source = f"{columns} FROM conversations{joined}"
    found = (_merged(ask, source, [all_of(one, condition, span) for one in owners], limit) for span in spans)
    return islice(chain.from_iterable(found), limit)


def _after(dialect: Dialect, place: Place | None) -> Condition:
    if place is None:
        return "", []
    if not place.at:
        return f"(at, key) < ({dialect.undated}, ?)", [place.key]
    return "(at, key) < (?, ?)", [dialect.instant(instant_of(place.at)), place.key]


def _merged(ask: Ask, source: str, conditions: Sequence[Condition], limit: int | None) -> Rows:
    """Yield the rows that meet one of the conditions, each once."""
    most = "" if limit is None else f" LIMIT {limit:d}"
    found = [
        ask(f"SELECT {source} WHERE {where or '1 = 1'} ORDER BY at DESC, key DESC{most}", values)
        for where, values in conditions
    ]
    if len(found) == 1:
        yield from found[0]
        return
    for _, alike in groupby(merge(*found, key=_AT_AND_KEY, reverse=True), key=_AT_AND_KEY):
        yield next(alike)
