"""Read a whole conversation: its row, and its parts from the other tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from math import inf
from typing import Any, Final

from ...schema import Conversation
from ._tables import CONVERSATION, PARTICIPANT, RECORDING, TURN, conversation_of

__all__ = ["finite", "whole", "with_parts"]

_PARTS: Final = (("turns", TURN), ("participants", PARTICIPANT), ("recordings", RECORDING))


def whole(connection: sqlite3.Connection, key: int) -> Conversation:
    """Return the conversation with a key; raise one of `UNREADABLE` for invalid values."""
    row = connection.execute(f"SELECT {', '.join(CONVERSATION)} FROM conversations WHERE key = ?", (key,)).fetchone()
    return with_parts(connection, key, finite(row))


def with_parts(connection: sqlite3.Connection, key: int, columns: Sequence[Any]) -> Conversation:
    """Return the conversation with a key and these columns, in the order of `CONVERSATION`."""
    return conversation_of(columns, *(_parts(connection, table, names, key) for table, names in _PARTS))


def _parts(connection: sqlite3.Connection, table: str, names: Sequence[str], key: int) -> list[Sequence[Any]]:
    question = f"SELECT {', '.join(names)} FROM {table} WHERE conversation = ? ORDER BY position"
    return [finite(row) for row in connection.execute(question, (key,)).fetchall()]


def finite(row: Sequence[Any]) -> Sequence[Any]:
    """Return a row; raise `ValueError` if it holds infinity, which SQLite can hold and JSON cannot."""
    if inf in row or -inf in row:
        raise ValueError
    return row
