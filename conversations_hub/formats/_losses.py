"""Counts what of a conversation a format does not write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from ..schema import Conversation, TranscriptTurn

__all__ = ["FIELDS", "TURN_FIELDS", "count_losses"]


def _defaults(kind: type[msgspec.Struct]) -> dict[str, object]:
    fields = msgspec.structs.fields(kind)
    return {field.name: None if field.default is msgspec.NODEFAULT else field.default for field in fields}


# The name of the field for what is empty: a value that is equal to it is no loss.
_OF_CONVERSATION: Final = _defaults(Conversation)
_OF_TURN: Final = _defaults(TranscriptTurn)
FIELDS: Final = frozenset(_OF_CONVERSATION)
"""Every field of a conversation."""
TURN_FIELDS: Final = frozenset(f"transcript.{name}" for name in _OF_TURN)
"""Every field of a turn."""


def count_losses(conversation: Conversation, writes: frozenset[str], lost: Counter[str]) -> None:
    """Count the fields that a format does not write, and that are not empty, under their names."""
    of_conversation, of_turn = _unwritten(writes)
    _count(of_conversation, conversation, lost)
    if of_turn.names:
        for turn in conversation.transcript or ():
            _count(of_turn, turn, lost)


class _Fields(NamedTuple):
    names: list[str]
    """As they are counted."""
    get: Callable[[object], tuple[object, ...]]
    empty: tuple[object, ...]


def _count(fields: _Fields, one: object, lost: Counter[str]) -> None:
    values = fields.get(one)
    if values != fields.empty:
        for name, value, empty in zip(fields.names, values, fields.empty, strict=True):
            # A required field has no value that stands for none, except an empty text.
            if value is not empty and value != empty and value not in _EMPTY:
                lost[name] += 1


_EMPTY: Final[tuple[object, ...]] = (None, "", (), {})


@cache
def _unwritten(writes: frozenset[str]) -> tuple[_Fields, _Fields]:
    return _fields(_OF_CONVERSATION, "", writes), _fields(_OF_TURN, "transcript.", writes)


def _fields(defaults: dict[str, object], prefix: str, writes: frozenset[str]) -> _Fields:
    names = [name for name in defaults if f"{prefix}{name}" not in writes]
    empty = tuple(defaults[name] for name in names)

    def get(one: object) -> tuple[object, ...]:
        return tuple(getattr(one, name) for name in names)

    some = attrgetter(*names) if len(names) > 1 else get
    return _Fields([f"{prefix}{name}" for name in names], some, empty)
