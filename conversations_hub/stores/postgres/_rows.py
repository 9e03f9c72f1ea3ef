"""Read and write the rows of conversations, within a transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg

from ...schema import Conversation, Status
from .._erasure import tombstone
from .._store import ERASED, Entry, StoredVersion, Written
from .._told import Earlier
from ._connection import Connection
from ._tables import CONVERSATION, REMEMBERED, conversation_of, conversation_row, remembered_row

__all__ = [
    "erased_of",
    "kept",
    "known",
    "lock",
    "mark_vanished",
    "next_batch",
    "note_told",
    "publish",
    "told_since",
    "unsettled",
    "whole",
    "write",
]


async def kept(connection: Connection, salt: bytes, account: str, ids: Sequence[str]) -> dict[str, StoredVersion]:
    """See `Store.kept`."""
    found = _versions(await connection.fetch(f"{_KEPT} AND id = ANY ($2)", account, ids))
    erased = await erased_of(connection, salt, account, [id for id in ids if id not in found])
    return found | dict.fromkeys(erased, ERASED)


async def unsettled(connection: Connection, account: str) -> dict[str, StoredVersion]:
    """See `Store.unsettled`."""
    return _versions(await connection.fetch(f"{_KEPT} AND settles_at IS NOT NULL", account))


def _versions(rows: Sequence[asyncpg.Record]) -> dict[str, StoredVersion]:
    return {
        row["id"]: StoredVersion(
            row["row_print"], row["content_print"], row["settles_at"], row["listed"], row["failing_since"]
        )
        for row in rows
    }


async def erased_of(connection: Connection, salt: bytes, account: str, ids: Sequence[str]) -> set[str]:
    """Return the ids that were erased."""
    digests = {tombstone(salt, account, id): id for id in ids}
    rows = await connection.fetch("SELECT digest FROM erased WHERE digest = ANY ($1)", [*digests]) if digests else []
    return {digests[row["digest"]] for row in rows}


async def known(connection: Connection, account: str, ids: Sequence[str]) -> dict[str, Earlier]:
    """Return what is known of those that are in the store, by id."""
    rows = await connection.fetch(_KNOWN, account, ids)
    return {id: Earlier(content, told, status, turns, at) for id, content, told, status, turns, at in rows}


async def whole(connection: Connection, account: str, ids: Collection[str]) -> dict[str, Conversation]:
    """Return the conversations with these ids; raise one of `UNREADABLE` for invalid values."""
    question = "SELECT id, document, raw FROM conversations WHERE account = $1 AND id = ANY ($2)"
    return {id: conversation_of(document, raw) for id, document, raw in await connection.fetch(question, account, ids)}


async def write(
    connection: Connection, account: str, entries: Sequence[Entry], there: Mapping[str, Earlier]
) -> Written:
    """Write the entries whose content is not stored, and what is remembered of all; each id must come once.

    Of a conversation that is there, `told` and `vanished_at` stay. Call it late: see `publish`.
    """
    new = [entry for entry in entries if entry.conversation.id not in there]
    known = [entry for entry in entries if entry.conversation.id in there]
    updated = [entry for entry in known if there[entry.conversation.id].content != entry.kept.content_hash]
    unchanged = [entry for entry in known if there[entry.conversation.id].content == entry.kept.content_hash]
    if unchanged:
        await connection.executemany(
            _REMEMBER, [(account, entry.conversation.id, *remembered_row(entry.kept)) for entry in unchanged]
        )
    if new or updated:
        rows = await asyncio.to_thread(_rows_of, new + updated)  # the loop serves other accounts meanwhile
        await connection.copy_records_to_table("staged", records=rows, columns=_COLUMNS)
        batch = await next_batch(connection)
        await connection.execute(_WRITE, batch)
        await publish(connection, batch)
    return Written(len(new), len(updated), len(unchanged))


def _rows_of(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    return [(*conversation_row(entry.conversation), *remembered_row(entry.kept)) for entry in entries]


async def mark_vanished(connection: Connection, account: str, listed: Collection[str], now: datetime) -> list[str]:
    """See `Store.vanished`."""
    rows = await connection.fetch("SELECT id, vanished_at FROM conversations WHERE account = $1", account)
    gone = [id for id, _ in rows if id not in listed]
    newly = [id for id, vanished_at in rows if id not in listed and vanished_at is None]
    back = [id for id, vanished_at in rows if id in listed and vanished_at is not None]
    if newly or back:
        batch = await next_batch(connection)
        for ids, at in ((newly, now), (back, None)):
            await connection.execute(_VANISH, account, ids, at, batch)
        await publish(connection, batch)
    return gone


async def lock(connection: Connection, account: str) -> None:
    """Let no one else write an account until the transaction ends; no lease is needed, and none is taken."""
    await connection.execute("INSERT INTO accounts (account) VALUES ($1) ON CONFLICT DO NOTHING", account)
    await connection.execute("SELECT FROM accounts WHERE account = $1 FOR UPDATE", account)


async def note_told(connection: Connection, account: str, id: str, told: str) -> None:
    """Keep what webhooks told of a conversation."""
    await connection.execute("UPDATE conversations SET told = $3 WHERE account = $1 AND id = $2", account, id, told)


async def told_since(connection: Connection, account: str, since: datetime) -> tuple[int, int]:
    """See `EventStore.told_since`."""
    row = await connection.fetchrow(_TOLD_SINCE, account, since, _FINISHED)
    by_webhook, by_poll = row or (0, 0)
    return by_webhook, by_poll


async def next_batch(connection: Connection) -> int:
    number: int = await connection.fetchval("SELECT nextval('batches')")
    return number


async def publish(connection: Connection, batch: int) -> None:
    """Give a batch its place in the order of commits.

    From here to its end, transactions take turns, because the row of the store stays locked: a reader that sees a
    revision sees all before it. So this comes when all else is written.
    """
    await connection.execute(_PUBLISH, batch)


_FINISHED: Final = [status.value for status in Status if status.is_finished]
_TOLD_SINCE: Final = """
SELECT count(told), count(*) - count(told) FROM conversations
WHERE account = $1 AND at >= $2 AND status = ANY ($3)
"""
_KEPT: Final = f"SELECT id, {', '.join(REMEMBERED)} FROM conversations WHERE account = $1"
_KNOWN: Final = (
    "SELECT id, content_print, told, status, turns, updated_at FROM conversations WHERE account = $1 AND id = ANY ($2)"
)
_COLUMNS: Final = (*CONVERSATION, *REMEMBERED)
_WRITE: Final = (
    f"INSERT INTO conversations ({', '.join(_COLUMNS)}, batch)"
    f" SELECT {', '.join(f'{name}::tsvector' if name == 'said' else name for name in _COLUMNS)}, $1 FROM staged"
    " ON CONFLICT (account, id)"
    f" DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in (*_COLUMNS, 'batch'))}"
)
_REMEMBER: Final = (
    f"UPDATE conversations SET {', '.join(f'{name} = ${place}' for place, name in enumerate(REMEMBERED, 3))}"
    " WHERE account = $1 AND id = $2"
)
_VANISH: Final = "UPDATE conversations SET vanished_at = $3, batch = $4 WHERE account = $1 AND id = ANY ($2)"
_PUBLISH: Final = (
    "WITH next AS (UPDATE store SET revision = revision + 1 RETURNING revision)"
    " INSERT INTO commits (revision, batch) SELECT revision, $1 FROM next"
)
