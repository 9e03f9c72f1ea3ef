"""Erase conversations from a SQLite store, permanently.

Afterwards they are nowhere in the file, no sync brings them back, and nothing that is kept identifies the person.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from ..._refs import Ref
from ..._sortable import instant_text
from .._erasure import Person, Receipt, tombstone

__all__ = ["Plan", "clean", "digest_of", "erase", "named", "older"]


class Plan(msgspec.Struct, frozen=True):
    """The conversations to erase."""

    keys: dict[int, str]
    """Their refs, by key."""
    mentioned: tuple[str, ...] = ()

    def receipt(self, store: Path, erased_at: datetime | None, recordings: Sequence[str] = ()) -> Receipt:
        """Return the receipt; `erased_at` is None before the erasure, else an aware instant."""
        return Receipt(
            store=str(store),
            erased_at=erased_at,
            conversations=tuple(self.keys.values()),
            recordings=tuple(recordings),
            mentioned=self.mentioned,
        )


_METADATA: Final = (
    "title",
    "summary",
    "metadata",
    "collected",
    "tags",
    "links",
    "related_ids",
    "agent_name",
    "provider_end_reason",
    "told",
)


def named(connection: sqlite3.Connection, refs: Sequence[str], person: Person | None) -> Plan:
    """Choose conversations by ref, and those in which a person takes part or whose metadata mentions the person."""
    keys: dict[int, str] = {}
    for ref in map(Ref.parse, refs):
        target = ref.target
        rows = list(
            connection.execute(
                "SELECT key, ref FROM conversations WHERE provider = ? AND id = ? AND account = coalesce(?, account)",
                (target.provider, ref.id, target.account),
            )
        )
        ref.refuse_several(len(rows))
        keys |= rows
    if person is not None:
        connection.create_function("is_in", 1, person.is_in, deterministic=True)
        connection.create_function("is_participant", 1, person.is_participant, deterministic=True)
        keys |= connection.execute(
            "SELECT key, ref FROM participants JOIN conversations ON key = conversation"
            " WHERE is_participant(participant_id) OR is_in(participant_id) OR is_in(name) OR is_in(phone)"
        )
        keys |= connection.execute(
            f"SELECT key, ref FROM conversations WHERE {' OR '.join(f'is_in({name})' for name in _METADATA)}"
        )
    return Plan(keys, tuple(_mentions(connection, keys)) if person is not None else ())


def older(connection: sqlite3.Connection, than: datetime) -> Plan:
    """Choose conversations from before an aware instant; those without an instant stay."""
    question = "SELECT key, ref FROM conversations WHERE at < ? AND at <> ''"
    return Plan(dict(connection.execute(question, (instant_text(than),)).fetchall()))


def _mentions(connection: sqlite3.Connection, besides: dict[int, str]) -> Iterator[str]:
    rows = connection.execute(
        "SELECT DISTINCT conversations.key, ref FROM turns JOIN conversations ON conversations.key = conversation"
        " WHERE is_in(text) OR is_in(tool_calls) OR is_in(tool_result)"
    )
    yield from (ref for key, ref in rows if key not in besides)


def erase(connection: sqlite3.Connection, keys: Mapping[int, str], now: datetime, revision: int) -> None:
    """Delete conversations, and note that they must not come back; call it in a transaction.

    Their bytes stay in the file until `clean` is called.
    """
    for key in keys:
        provider, account, id = connection.execute(
            "SELECT provider, account, id FROM conversations WHERE key = ?", (key,)
        ).fetchone()
        digest = digest_of(connection, f"{provider}/{account}", id)
        connection.execute("INSERT OR IGNORE INTO erased VALUES (?, ?, ?)", (digest, instant_text(now), revision))
        connection.execute("DELETE FROM conversations WHERE key = ?", (key,))
    for table in ("turns", "participants", "recordings", "remembered", "measures"):  # also what other tools left behind
        connection.execute(f"DELETE FROM {table} WHERE conversation NOT IN (SELECT key FROM conversations)")
    connection.execute("INSERT OR REPLACE INTO store VALUES ('unclean', 1)")


def digest_of(connection: sqlite3.Connection, account: str, id: str) -> bytes:
    """Return the tombstone of a conversation, with the store's salt."""
    (salt,) = connection.execute("SELECT value FROM store WHERE name = 'salt'").fetchone()
    return tombstone(salt, account, id)


def clean(connection: sqlite3.Connection, *, with_index: bool) -> None:
    """Rewrite the file without what was deleted; the index keeps deleted words until it is merged."""
    if with_index:
        connection.execute("INSERT INTO turns_text (turns_text) VALUES ('optimize')")
    connection.execute("VACUUM")
    connection.execute("DELETE FROM store WHERE name = 'unclean'")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
