"""Counts what of a conversation a format does not write."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any, Final

import msgspec

from ..schema import Conversation, TranscriptTurn

__all__ = ["FIELDS", "TURN_FIELDS", "count_losses"]


def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
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
    for name, empty in of_conversation:
        if (value := getattr(conversation, name)) != empty and value not in _EMPTY:
            lost[name] += 1
    for turn in conversation.transcript or ():
        for name, empty in of_turn:
            if (value := getattr(turn, name)) != empty:
                lost[f"transcript.{name}"] += 1


_EMPTY: Final[tuple[Any, ...]] = (None, (), {})


@cache
def _unwritten(writes: frozenset[str]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    conversations = [(name, empty) for name, empty in _OF_CONVERSATION.items() if name not in writes]
    turns = [(name, empty) for name, empty in _OF_TURN.items() if f"transcript.{name}" not in writes]
    return conversations, turns
