"""Search: the index says in which conversations the words may be, and their documents in which turns they are.

Postgres' index knows no order of words, and at most 256 turns of each word. So what it finds is looked at again, and
what it could not hold is looked at as well. That costs in step with the conversations that have the words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ..._packing import pack, unpack
from ...errors import InvalidRefError
from ...schema import Role
from .._conditions import Condition
from .._query import Query, Term
from .._untrusted import Instant, decompress
from ._said import LONGEST_WORD

__all__ = ["Heard", "Place", "Turn", "best_first", "may_hold", "places_after", "turns_in"]


class Place(NamedTuple):
    """A place in the order in which turns were stored, last first: after a turn."""

    batch: int
    key: int
    """Of the conversation."""
    position: int

    def __str__(self) -> str:
        return pack(tuple(self))

    @classmethod
    def read(cls, cursor: str) -> Place:
        """Read a cursor; raise `InvalidRefError` if it is damaged."""
        found = unpack(cursor, _place, _LONGEST)
        if found is None:
            raise InvalidRefError("the cursor is invalid or damaged: pass a page's `cursor` exactly as it is")
        return cls(*found)


class _Said(msgspec.Struct, frozen=True):
    """What a search needs of a turn."""

    role: Role = Role.UNKNOWN
    text: str = ""
    start: float | None = None


class Heard(msgspec.Struct, frozen=True):
    """What a search needs of a conversation: to decode all of it takes up to ten times as long."""

    provider: str
    id: str
    account: str = "default"
    title: str | None = None
    created_at: Instant | None = None
    started_at: Instant | None = None
    transcript: tuple[_Said, ...] | None = None

    @classmethod
    def of(cls, document: bytes) -> Heard:
        """Decode a document; raise one of `UNREADABLE` for invalid values."""
        return _heard.decode(decompress(document))


class Turn(NamedTuple):
    """A turn that was found."""

    place: Place
    one: Heard
    turn: _Said

    @property
    def row(self) -> Sequence[Any]:
        """The columns of a hit."""
        one, turn = self.one, self.turn
        at = one.created_at or one.started_at
        return one.provider, one.account, one.id, at, one.title, self.place.position, turn.role, turn.start, turn.text


_heard = msgspec.json.Decoder(Heard)
_place = msgspec.msgpack.Decoder(tuple[int, int, int])
_LONGEST: Final = 100  # characters


def may_hold(query: Query) -> Condition:
    """Return the condition that a conversation has the words, as far as the index knows."""
    wanted = " & ".join(f"({' | '.join(map(_of_term, terms))})" for terms in query.wanted)
    return "(said @@ ?::tsquery OR said IS NULL)", [wanted]


def _of_term(term: Term) -> str:
    entries, is_prefix = term.index_entries
    words = " & ".join(f"'{entry[:LONGEST_WORD]}'" for entry in entries)
    return f"({words}{':*' if is_prefix else ''})"


def places_after(place: Place | None) -> Condition:
    """Return the condition for conversations that are not before a place."""
    return ("", []) if place is None else ("(batch, key) <= (?, ?)", [place.batch, place.key])


def turns_in(
    rows: Iterator[tuple[int, int, Heard]],
    query: Query,
    role: Role | None,
    *,
    anywhere: bool = False,
    after: Place | None = None,
) -> Iterator[Turn]:
    """Yield the turns that match, last first, of conversations with their batches and keys.

    With `anywhere`, these are the turns with one of the words, in conversations that have all of them.
    """
    asked = Query((tuple(term for terms in query.wanted for term in terms),)) if anywhere else query
    for batch, key, one in rows:
        turns = [
            Turn(Place(batch, key, position), one, turn)
            for position, turn in enumerate(one.transcript or ())
            if role is None or turn.role is role
        ]
        if anywhere and not _holds(turns, query):
            continue
        for each in reversed(turns):
            if (after is None or each.place < after) and asked.holds(each.turn.text):
                yield each


def _holds(turns: Sequence[Turn], query: Query) -> bool:
    """Whether a conversation has all the words, in any turns, and none of the unwanted."""
    each = (*(Query((terms,)) for terms in query.wanted), *(Query(((term,),)) for term in query.unwanted))
    found = [any(part.holds(each.turn.text) for each in turns) for part in each]
    return all(found[: len(query.wanted)]) and not any(found[len(query.wanted) :])


def best_first(found: Iterable[Turn], query: Query) -> list[Turn]:
    """Return turns, the best first: where more of what is said are the words; then what was stored last."""
    return sorted(found, key=lambda each: (query.density(each.turn.text), each.place), reverse=True)
