"""A SQLite store of the first layout."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import msgspec

from conversations_hub.schema import Conversation
from conversations_hub.stores._fingerprint import content_of
from conversations_hub.stores._store import Checkpoint, Window
from conversations_hub.stores.sqlite._tables import (
    CONVERSATION,
    PARTICIPANT,
    RECORDING,
    conversation_row,
    participant_rows,
    recording_rows,
    turn_columns,
)

from .tavus_server import AFTER

__all__ = ["first_layout"]

_STATEMENTS = Path(__file__).with_suffix(".sql").read_text()


def first_layout(
    path: Path, conversations: Iterable[Conversation], listed: dict[str, Conversation] | None = None
) -> None:
    """Write a store as the first layout was."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript(_STATEMENTS)
        for key, one in enumerate(conversations, start=1):
            prints = (_print((listed or {}).get(one.id, one)), _print(one))
            told = (key, *conversation_row(one), *prints)
            _insert(database, "conversations", ("key", *CONVERSATION, "row_print", "content_print"), told)
            turns = one.transcript or ()
            columns = turn_columns(turns) | {"timestamp": [turn.timestamp for turn in turns]}
            said = [(key, position, *values) for position, values in enumerate(zip(*columns.values(), strict=True))]
            _insert(database, "turns", ("conversation", "position", *columns), *said)
            _insert(database, "participants", ("conversation", "position", *PARTICIPANT), *participant_rows(key, one))
            _insert(database, "recordings", ("conversation", "position", *RECORDING), *recording_rows(key, one))
        database.execute("INSERT INTO turns_text (turns_text) VALUES ('rebuild')")
        progress = Checkpoint(covered=Window(None, AFTER), high_watermark=AFTER)
        database.execute("INSERT INTO accounts VALUES ('tavus/default', ?)", (msgspec.json.encode(progress).decode(),))
        database.commit()


def _print(conversation: Conversation) -> bytes:
    return blake2b(content_of(conversation), digest_size=16).digest()


def _insert(database: sqlite3.Connection, table: str, names: Iterable[str], *rows: tuple[object, ...]) -> None:
    names = [*names]
    marks = ", ".join("?" * len(names))
    database.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)  # noqa: S608
