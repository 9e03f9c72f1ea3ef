"""What a search returns: turns as hits, or in words why there are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from .._refs import ref_of
from ..errors import InvalidRefError
from ._query import Query, snippet
from ._reader import Found, Hit

__all__ = ["check_stars", "hint", "hit_of", "nothing_asked", "paged_hit_of"]

_MOST_HINTS: Final = 20  # words that are counted one by one if nothing is found
_LEAST_BEFORE_STAR: Final = 3  # letters: fewer may begin a thousand words


def hit_of(query: Query, row: Sequence[Any], marks: tuple[str, str] = ("[", "]")) -> Hit:
    """Return a hit; its row is provider, account, id, instant, title, position, role, start and text.

    Raises one of `UNREADABLE` for invalid values.
    """
    provider, account, id, created_at, title, position, role, start, text = row
    return msgspec.convert(
        {
            "ref": ref_of(provider, account, id),
            "created_at": created_at or None,
            "title": title,
            "position": position,
            "role": role,
            "start": start,
            "snippet": snippet(text, query, marks),
        },
        Hit,
    )


def paged_hit_of(query: Query, marks: tuple[str, str], alter: Callable[[str], str] | None, row: Sequence[Any]) -> Hit:
    """Return a hit with marks that are not in its text, which `alter` changes first."""
    *columns, text = row
    text = msgspec.convert(text, str).translate(dict.fromkeys(map(ord, "".join(marks)), " "))
    return hit_of(query, (*columns, text if alter is None else alter(text)), marks)


def check_stars(query: Query) -> None:
    """Raise `InvalidRefError` for a star after fewer than three letters."""
    for term in (*(term for terms in query.wanted for term in terms), *query.unwanted):
        if term.is_prefix and len(term.words[-1]) < _LEAST_BEFORE_STAR:
            raise InvalidRefError(f"a star needs at least {_LEAST_BEFORE_STAR} letters before it")


def nothing_asked(query: Query) -> Found:
    """Return the result of a query that has no word to find."""
    hint = "the query only leaves words out: add one to find" if query.unwanted else "the query has no words"
    return Found(hits=[], total=0, hint=hint)


def hint(query: Query, count: Callable[[Query], int], *, anywhere: bool) -> str:
    """Say why nothing was found; `count` returns how many turns a query finds."""
    terms = [term for terms in query.wanted for term in terms][:_MOST_HINTS]
    alone = {term.said: count(Query(((term,),))) for term in terms}
    if len(alone) == 1 and not query.unwanted:
        return f"no matches for {terms[0].said}"
    each = ", ".join(f"{said} in {count or 'no'} turn{'s' * (count != 1)}" for said, count in alone.items())
    further = "" if anywhere or not all(alone.values()) else "; they may be in different turns of a conversation"
    return f"no {'conversation' if anywhere else 'turn'} matches all of that. Separately: {each}{further}"
