"""Search in pages, at a cost that does not depend on how often the words occur."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from ..._packing import pack
from .._conditions import Condition, all_of
from .._pages import read_key
from .._reader import Hit, HitPage

__all__ = ["Order", "Source", "containing", "find"]

Order = Literal["newest", "best"]

Ask = Callable[[str, Sequence[Any]], Iterator[Sequence[Any]]]

_RANKED: Final = 2000  # matches that are ranked: to rank all of a common word takes long
_MANY: Final = 20_000  # matches


class Source(NamedTuple):
    """Where the turns of a store are searched."""

    turns: str
    """The tables of turns and their words."""
    match: str
    """The condition that a turn matches."""
    key: str
    """The column that sorts turns in the order in which they were stored."""
    rank: str | None
    """What sorts them best first; None: nothing does."""

    @property
    def tables(self) -> str:
        """The tables of turns, their words and their conversations."""
        return f"{self.turns} JOIN conversations ON conversations.key = turns.conversation"


def containing(ask: Ask, source: Source, said: Condition) -> Condition:
    """Return the condition that one turn of a conversation meets a condition.

    If few turns do, all of them are looked up; if many do, conversation by conversation, until a page is full.
    """
    where, values = said
    matches = f"SELECT 1{source.turns} WHERE {where} LIMIT {_MANY}"
    [[many]] = ask(f"SELECT count(*) FROM ({matches})", values)
    if many < _MANY:
        return f"conversations.key IN (SELECT turns.conversation{source.turns} WHERE {where})", values
    return f"EXISTS (SELECT 1{source.turns} WHERE turns.conversation = conversations.key AND {where})", values


def find(
    ask: Ask,
    source: Source,
    query: tuple[str, Condition],
    chosen: Condition,
    *,
    order: Order,
    limit: int,
    cursor: str | None,
    hit: Callable[[Sequence[Any]], Hit],
) -> HitPage:
    """Return a page of turns; `query` has the columns of a hit, and the condition that a turn matches.

    `chosen` is the condition for the turn's role, and for its conversation.
    """
    columns, said = query
    asked = all_of(said, chosen)
    if order == "best" and source.rank is not None:
        return HitPage(hits=tuple(map(hit, _best(ask, source, columns, asked, limit))), cursor=None)
    if cursor is not None:
        asked = all_of(asked, (f"{source.key} < ?", [read_key(cursor)]))
    where, values = asked
    question = f"SELECT {source.key}, {columns}{source.tables} WHERE {where} ORDER BY {source.key} DESC LIMIT ?"
    rows = [*ask(question, (*values, limit + 1))]
    hits = tuple(hit(row[1:]) for row in rows[:limit])
    return HitPage(hits=hits, cursor=pack(rows[limit - 1][0]) if len(rows) > limit else None)


def _best(
    ask: Ask,
    source: Source,
    columns: str,
    asked: Condition,
    limit: int,
) -> Iterator[Sequence[Any]]:
    where, values = asked
    newest = f"SELECT {source.key} AS newest{source.tables} WHERE {where} ORDER BY {source.key} DESC LIMIT {_RANKED}"
    [[first]] = ask(f"SELECT min(newest) FROM ({newest})", values)
    if first is None:
        return iter(())
    where, values = all_of(asked, (f"{source.key} >= ?", [first]))
    question = f"SELECT {columns}{source.tables} WHERE {where} ORDER BY {source.rank} LIMIT ?"
    return ask(question, (*values, limit))
