"""What a list shows of each conversation: not all columns are read for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from .._pages import Row
from ._tables import CONVERSATION, conversation_of

__all__ = ["SHOWN", "row_of"]

_LEFT_OUT: Final = frozenset({"turns", "collected", "metadata", "links", "related_ids", "raw"})
SHOWN: Final = ", ".join(
    ("at", "key", "turns", *(f"NULL AS {name}" if name in _LEFT_OUT else name for name in CONVERSATION))
)


def row_of(row: Sequence[Any]) -> Row:
    """Return what a list shows, of the columns `SHOWN`."""
    _, _, turns, *columns = row
    return Row(conversation_of(columns, (), (), ()), turns)
