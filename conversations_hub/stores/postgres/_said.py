"""What is said in a conversation, as Postgres indexes it: words of any script as the other stores compare them.

A position in this `tsvector` is not a place in the text but a turn, the first being 1, and its weight is who speaks.
So `refund <0> card` finds both words in one turn, and `refund:A` finds what the user said; `&` finds words in any turns
of a conversation. Words of a phrase are found in one turn: whether they follow each other, the document says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ...schema import Role, TranscriptTurn
from .._words import index_entries

__all__ = ["LONGEST_WORD", "MOST_TURNS", "WEIGHTS", "said"]

WEIGHTS: Final[Mapping[Role, str]] = {Role.USER: "A", Role.ASSISTANT: "B", Role.HUMAN_AGENT: "C"}
"""The weights of roles; all others have D."""

# https://www.postgresql.org/docs/current/textsearch-limitations.html
MOST_TURNS: Final = 16_383
"""The last position there is: all further turns have it."""
LONGEST_WORD: Final = 500
"""Characters of a word that are indexed, 2,000 bytes at most."""
_LARGEST: Final = 900_000  # bytes of words and places; Postgres takes a mebibyte, with what it adds
_PER_WORD: Final = 4  # bytes that Postgres adds to a word
_PER_PLACE: Final = 2


def said(turns: Sequence[TranscriptTurn]) -> str | None:
    """Return the words of each turn as the text of a `tsvector`; None: they are more than one can hold."""
    places: dict[str, list[str]] = {}
    size = 0
    for number, turn in enumerate(turns, 1):
        place = f"{min(number, MOST_TURNS)}{WEIGHTS.get(turn.role, 'D')}"
        for word in {word[:LONGEST_WORD] for word in index_entries(turn.text)}:
            if word not in places:
                size += len(word.encode()) + _PER_WORD
                places[word] = []
            size += _PER_PLACE
            places[word].append(place)
        if size > _LARGEST:
            return None
    # A word holds letters, digits and marks only: neither a quote nor a backslash.
    return " ".join(f"'{word}':{','.join(each)}" for word, each in places.items())
