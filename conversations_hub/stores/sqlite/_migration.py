"""Migrate a store from the first layout to this one, in one transaction: a kill leaves one or the other."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from .._fingerprint import FIRST_LAYOUT
from ._fts5 import indexed
from ._tables import (
    BOOKKEEPING,
    CONVERSATION,
    CONVERSATIONS,
    INDEXES,
    TEXT_SEARCH,
    TURN,
    TURNS,
    VERSION,
    VIEWS,
    timestamp_text,
)

__all__ = ["migrate", "steps"]

_ROW: Final = ", ".join(("key", *CONVERSATION))
_SAID: Final = ", ".join(("key", "conversation", "position", *TURN))

# In the first layout, conversations deleted with other tools left their parts behind. A table is created under another
# name and renamed once the old one is gone, so that references to it stay valid.
_STEPS: Final = f"""
DROP TRIGGER IF EXISTS turns_removed;
DROP TRIGGER IF EXISTS turns_changed;
DROP TABLE IF EXISTS turns_text;
DELETE FROM participants WHERE conversation NOT IN (SELECT key FROM conversations);
DELETE FROM recordings WHERE conversation NOT IN (SELECT key FROM conversations);
{TURNS.replace("CREATE TABLE turns", "CREATE TABLE turns_2")}
INSERT INTO turns_2 ({_SAID}) SELECT {_SAID.replace("timestamp", "timestamp_text(timestamp)")} FROM turns
    WHERE conversation IN (SELECT key FROM conversations) ORDER BY key;
DROP TABLE turns;
ALTER TABLE turns_2 RENAME TO turns;
{BOOKKEEPING}
INSERT INTO remembered (conversation, row_print, content_print, settles_at, listed)
    SELECT key, first_layout(row_print), first_layout(content_print), settles_at, listed FROM conversations;
{CONVERSATIONS.replace("CREATE TABLE conversations", "CREATE TABLE conversations_2")}
INSERT INTO conversations_2 ({_ROW}) SELECT {_ROW} FROM conversations;
DROP TABLE conversations;
ALTER TABLE conversations_2 RENAME TO conversations;
{INDEXES}
{VIEWS}
PRAGMA user_version = {VERSION};
"""

_INDEX: Final = f"""
{TEXT_SEARCH}
INSERT INTO folded (turn, text) SELECT key, folded_text FROM (SELECT key, indexed(text) AS folded_text FROM turns)
    WHERE folded_text IS NOT NULL;
INSERT INTO turns_text (turns_text) VALUES ('rebuild');
"""


def migrate(connection: sqlite3.Connection, *, with_index: bool) -> None:
    """Migrate a store of the first layout to this one, with foreign keys off. An error changes nothing."""
    connection.create_function("timestamp_text", 1, timestamp_text, deterministic=True)
    connection.create_function("first_layout", 1, _mark_first_layout, deterministic=True)
    connection.create_function("indexed", 1, indexed, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in steps(with_index=with_index):
            connection.execute(step)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _mark_first_layout(fingerprint: bytes) -> bytes:
    return FIRST_LAYOUT + fingerprint


def steps(*, with_index: bool) -> Iterator[str]:
    """Yield the statements of a migration; one that creates a trigger stays whole."""
    statement = ""
    for line in (_STEPS + (_INDEX if with_index else "")).splitlines():
        statement += f"{line}\n"
        if sqlite3.complete_statement(statement) and statement.strip():
            yield statement
            statement = ""
