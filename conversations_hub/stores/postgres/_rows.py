"""Read and write the rows of conversations, within a transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import asyncpg

from ...errors import StoreError
from ...schema import Conversation, Status
from .._erasure import tombstone
from .._store import ERASED, Entry, StoredVersion, Written
from .._told import Earlier
from ._connection import Connection
from ._tables import CONVERSATION, REMEMBERED, conversation_of, conversation_row, remembered_only, remembered_row

__all__ = [
    "OvertakenError",
    "There",
    "add",
    "erased_of",
    "gone",
    "kept",
    "known",
    "lock",
    "new_batch",
    "note_gone",
    "note_told",
    "rehearse",
    "stage",
    "staged",
    "told_since",
    "unsettled",
    "versions",
    "whole",
    "write",
]


class OvertakenError(StoreError):
    """Another process wrote the same conversation meanwhile."""


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
            row["row_print"],
            row["content_print"],
            row["settles_at"],
            row["listed"],
            row["failing_since"],
            is_vanished=row["is_vanished"],
        )
        for row in rows
    }


async def erased_of(connection: Connection, salt: bytes, account: str, ids: Sequence[str]) -> set[str]:
    """Return the ids that were erased."""
    digests = {tombstone(salt, account, id): id for id in ids}
    rows = await connection.fetch(_ERASED, [*digests]) if digests else []
    return {digests[row["digest"]] for row in rows}


class There(NamedTuple):
    """A stored conversation: what is known of it, and of which version."""

    earlier: Earlier
    version: int
    """Another one after every update of the row."""
    is_vanished: bool


async def known(connection: Connection, account: str, ids: Sequence[str]) -> dict[str, There]:
    """Return what is known of those that are in the store, by id."""
    rows = await connection.fetch(_KNOWN, account, ids)
    return {id: There(Earlier(*facts), version, is_vanished) for id, version, is_vanished, *facts in rows}


async def versions(connection: Connection, account: str, ids: Sequence[str]) -> dict[str, int]:
    """Return the versions of those that are in the store, by id."""
    return dict(map(tuple, await connection.fetch(_VERSIONS, account, ids)))


async def whole(connection: Connection, account: str, ids: Collection[str]) -> dict[str, Conversation]:
    """Return the conversations with these ids; raise one of `UNREADABLE` for invalid values."""
    question = "SELECT id, document, raw FROM conversations WHERE account = $1 AND id = ANY ($2)"
    return {id: conversation_of(document, raw) for id, document, raw in await connection.fetch(question, account, ids)}


def staged(entries: Sequence[Entry], there: Mapping[str, There]) -> list[tuple[Any, ...]]:
    """Return the rows of entries to stage, each id once; of those whose content is there, only what is remembered."""
    return [
        (
            *(
                remembered_only(entry.conversation)
                if _is_stored(entry, there)
                else conversation_row(entry.conversation)
            ),
            *remembered_row(entry.kept),
        )
        for entry in entries
    ]


async def stage(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    """Send rows to the server for this transaction.

    It comes before anything is locked: of a process that is frozen while it sends, the server would wait for the rest.
    """
    await connection.copy_records_to_table("staged", records=rows, columns=_COLUMNS)


def _is_stored(entry: Entry, there: Mapping[str, There]) -> bool:
    known = there.get(entry.conversation.id)
    return known is not None and known.earlier.content == entry.kept.content_hash


async def write(
    connection: Connection, salt: bytes, account: str, entries: Sequence[Entry], there: Mapping[str, There]
) -> Written:
    """Write the staged conversations that were not erased. One that is already stored keeps its `told`.

    Raises:
        OvertakenError: another process wrote one of them since `there` was read.
    """
    ids = [entry.conversation.id for entry in entries]
    if await versions(connection, account, ids) != {id: known.version for id, known in there.items()}:
        raise OvertakenError("other processes wrote the same conversation again and again")
    erased = await erased_of(connection, salt, account, [id for id in ids if id not in there])
    if erased:
        await connection.execute(_UNSTAGE, erased)
    new = len(entries) - len(there) - len(erased)
    unchanged = sum(_is_stored(entry, there) for entry in entries)
    if unchanged:
        await connection.execute(_REMEMBER)
    if new or len(there) > unchanged:
        await connection.execute(_WRITE, await new_batch(connection))
    back = [entry.conversation.id for entry in entries if not entry.kept.is_vanished]
    back = [id for id in back if id in there and there[id].is_vanished]
    if back:
        await connection.execute(_VANISH, account, back, None, await new_batch(connection))
    return Written(new, len(there) - unchanged, unchanged)


async def gone(connection: Connection, account: str, listed: Collection[str]) -> tuple[list[str], list[str], list[str]]:
    """Return the ids of stored conversations that are not listed, of those newly so, and of those listed again."""
    rows = await connection.fetch("SELECT id, vanished_at FROM conversations WHERE account = $1", account)
    return (
        [id for id, _ in rows if id not in listed],
        [id for id, vanished_at in rows if id not in listed and vanished_at is None],
        [id for id, vanished_at in rows if id in listed and vanished_at is not None],
    )


async def note_gone(
    connection: Connection, account: str, newly: Sequence[str], back: Sequence[str], now: datetime
) -> None:
    """Note since when conversations are no longer listed, and which are again."""
    batch = await new_batch(connection)
    await connection.execute(_VANISH, account, newly, now, batch)
    await connection.execute(_VANISH, account, back, None, batch)


async def add(connection: Connection, account: str) -> None:
    """Add an account that is not there yet, so that it can be locked."""
    await connection.execute("INSERT INTO accounts (account) VALUES ($1) ON CONFLICT DO NOTHING", account)


async def lock(connection: Connection, account: str) -> None:
    """Let no one else write an account until the transaction ends; no lease is needed, and none is taken."""
    await connection.fetch(_LOCK, account)


async def note_told(connection: Connection, account: str, id: str, told: str) -> None:
    """Keep what webhooks told of a conversation."""
    await connection.execute(_NOTE_TOLD, account, id, told)


async def rehearse(connection: Connection) -> None:
    """Run once, without effect, what runs while rows are locked.

    A statement is prepared when it runs for the first time, in a conversation of its own between driver and server: of
    a process that is frozen in its middle, the server would wait for the rest without end.
    """
    for statement, arguments in _WHILE_LOCKED:
        await connection.fetch(statement, *arguments)


async def told_since(connection: Connection, account: str, since: datetime) -> tuple[int, int]:
    """See `EventStore.told_since`."""
    row = await connection.fetchrow(_TOLD_SINCE, account, since, _FINISHED)
    by_webhook, by_poll = row or (0, 0)
    return by_webhook, by_poll


async def new_batch(connection: Connection) -> int:
    """Return the batch of this transaction, which gets its place in the order of commits when it ends."""
    batch: int = await connection.fetchval(_NEW_BATCH)
    return batch


_FINISHED: Final = [status.value for status in Status if status.is_finished]
_TOLD_SINCE: Final = """
SELECT count(told), count(*) - count(told) FROM conversations
WHERE account = $1 AND at >= $2 AND status = ANY ($3)
"""
_KEPT: Final = (
    f"SELECT id, {', '.join(REMEMBERED)}, vanished_at IS NOT NULL AS is_vanished FROM conversations WHERE account = $1"
)
_VERSIONS: Final = "SELECT id, xmin::text::bigint FROM conversations WHERE account = $1 AND id = ANY ($2)"
_KNOWN: Final = (
    "SELECT id, xmin::text::bigint, vanished_at IS NOT NULL, content_print, told, status, turns, updated_at"
    " FROM conversations WHERE account = $1 AND id = ANY ($2)"
)
_COLUMNS: Final = (*CONVERSATION, *REMEMBERED)
_WRITE: Final = (
    f"INSERT INTO conversations ({', '.join(_COLUMNS)}, batch)"
    f" SELECT {', '.join(f'{name}::tsvector' if name == 'said' else name for name in _COLUMNS)}, $1 FROM staged"
    " WHERE document IS NOT NULL"
    " ON CONFLICT (account, id)"
    f" DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in (*_COLUMNS, 'batch'))}"
)
_REMEMBER: Final = (
    f"UPDATE conversations AS c SET {', '.join(f'{name} = staged.{name}' for name in REMEMBERED)} FROM staged"
    " WHERE c.account = staged.account AND c.id = staged.id AND staged.document IS NULL"
    f" AND ({', '.join(f'c.{name}' for name in REMEMBERED)})"
    f" IS DISTINCT FROM ({', '.join(f'staged.{name}' for name in REMEMBERED)})"
)
_VANISH: Final = "UPDATE conversations SET vanished_at = $3, batch = $4 WHERE account = $1 AND id = ANY ($2)"
_LOCK: Final = "SELECT FROM accounts WHERE account = $1 FOR UPDATE"
_ERASED: Final = "SELECT digest FROM erased WHERE digest = ANY ($1)"
_UNSTAGE: Final = "DELETE FROM staged WHERE id = ANY ($1)"
_NEW_BATCH: Final = "INSERT INTO commits DEFAULT VALUES RETURNING batch"
_NOTE_TOLD: Final = "UPDATE conversations SET told = $3 WHERE account = $1 AND id = $2"
_WHILE_LOCKED: Final[Sequence[tuple[str, tuple[object, ...]]]] = (
    (_LOCK, ("",)),
    (_VERSIONS, ("", [])),
    (_ERASED, ([],)),
    (_UNSTAGE, ([],)),
    (_NEW_BATCH, ()),
    (_WRITE, (0,)),
    (_NOTE_TOLD, ("", "", "")),
    (_VANISH, ("", [], None, 0)),
)
