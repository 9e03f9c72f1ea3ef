"""Changes that targets have not confirmed yet: at most one per target and conversation, in a file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from .._files.database import Layout, open_database
from .._files.lock import Lock
from .._sortable import instant_text
from ..errors import StoreError
from ..stores._thread import Thread
from ..stores._untrusted import Instant
from ..stores.sqlite._connection import using
from ._target import ChangeKind

__all__ = ["DeadChange", "News", "Outbox", "TargetStatus", "Waiting"]

T = TypeVar("T")

_LAYOUT: Final = Layout(
    what="an outbox",
    application=0x436F6E6F,  # "Cono"
    version=1,
    tables="""
CREATE TABLE targets (
    name TEXT PRIMARY KEY,
    cursor TEXT, -- of the store's changes
    gone_at TEXT -- when the target said that it wants no more
) WITHOUT ROWID;
-- What a target was told of each conversation, and what it is yet to be told.
CREATE TABLE deliveries (
    key INTEGER PRIMARY KEY,
    target TEXT NOT NULL REFERENCES targets (name),
    digest TEXT NOT NULL, -- by which the store names a conversation that it erased
    ref TEXT NOT NULL,
    was_sent INTEGER NOT NULL DEFAULT 0, -- whether the target may know of the conversation
    was_told INTEGER NOT NULL DEFAULT 0, -- whether it said so
    event TEXT NOT NULL, kind TEXT NOT NULL, changed_at TEXT NOT NULL,
    state TEXT NOT NULL, -- waiting, done, dead
    attempts INTEGER NOT NULL DEFAULT 0, next_at TEXT NOT NULL, error TEXT,
    UNIQUE (target, digest)
);
CREATE INDEX deliveries_waiting ON deliveries (target, next_at, key) WHERE state = 'waiting';
CREATE INDEX deliveries_dead ON deliveries (target) WHERE state = 'dead';
""",
)

# A later change takes the place of one that waits: the target is told of the conversation as it is.
_ADD: Final = """
INSERT INTO deliveries (target, digest, ref, event, kind, changed_at, state, next_at)
VALUES (:target, :digest, :ref, :event, 'created', :now, 'waiting', :now)
ON CONFLICT (target, digest) DO UPDATE SET
    event = excluded.event, changed_at = excluded.changed_at,
    kind = CASE WHEN was_told THEN 'updated' ELSE 'created' END,
    attempts = CASE WHEN state = 'waiting' THEN attempts ELSE 0 END,
    next_at = CASE WHEN state = 'waiting' THEN next_at ELSE excluded.next_at END,
    state = 'waiting'
"""
_ERASE: Final = """
UPDATE deliveries SET
    kind = 'erased', event = :event, changed_at = :now, state = 'waiting', attempts = 0, next_at = :now
WHERE target = :target AND digest = :digest AND was_sent
"""
_FORGET: Final = "DELETE FROM deliveries WHERE target = :target AND digest = :digest AND NOT was_sent"


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a target is to be told of."""

    event: str
    """The id of the event, the same whenever it is sent."""
    digest: str
    """By which the store names the conversation once it is erased."""
    ref: str | None
    """None: the conversation was erased."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a target has not confirmed."""

    key: int
    event: str
    ref: str
    kind: ChangeKind
    changed_at: str
    """ISO 8601, UTC."""
    attempts: int


class TargetStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How far a target is."""

    waiting: int
    dead: int
    """Given up; `replay` tries them again."""
    gone_at: str | None
    """When the target refused all further deliveries, ISO 8601, UTC."""
    errors: dict[str, int]
    """Why those are dead, or have failed so far."""


class DeadChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change that was given up."""

    target: str
    ref: str
    kind: ChangeKind
    changed_at: Instant
    """UTC."""
    attempts: int
    error: str | None
    """Why the last attempt failed."""


class Outbox:
    """What is still to be sent, in a SQLite file of its own; open it with `async with`.

    Any number of processes may look into it and replay; one sends. The file holds refs and no content. It is readable
    by its owner only.

    Args:
        path: The file; it is created if it is missing.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)
        self._thread = Thread()
        self._connection: Connection | None = None

    async def __aenter__(self) -> Self:
        """Open the file; raises `StoreError` if it cannot be opened, or is something else."""
        try:
            await self._thread.do(self._begin)
        except BaseException:
            await self._thread.end(self._end)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the file."""
        await self._thread.end(self._end)

    def _begin(self) -> None:
        with using(self.path):
            self._connection = open_database(self.path, _LAYOUT)

    def _end(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def sending(self) -> AsyncGenerator[None]:
        """Send what is in it, as the only one; raises `StoreError` if another process does."""
        path = self.path.with_name(f"{self.path.name}.forwarding")
        lock = await self._thread.do(partial(Lock, path, held="another process is forwarding from this outbox"))
        try:
            yield
        finally:
            lock.release()

    async def cursor(self, target: str) -> str | None:
        """Return how far a target's changes were taken from the store; None: it is new."""
        return await self._ask(_cursor, target)

    async def is_gone(self, target: str) -> bool:
        """Whether a target refused all further deliveries (410)."""
        return await self._ask(_is_gone, target)

    async def add(self, target: str, news: Sequence[News], cursor: str, now: datetime) -> None:
        """Take changes from the store up to a cursor, all or none."""
        await self._write(_add, target, news, cursor, now)

    async def take(self, target: str, now: datetime, most: int, *, besides: Collection[int] = ()) -> list[Waiting]:
        """Return what is due, the longest waiting first, besides some, and note that it may have been sent."""
        return await self._write(_take, target, now, most, besides)

    async def confirm(self, target: str, one: Waiting) -> None:
        """Note that a target took a change, or does not want it; one that came meanwhile is still to be sent."""
        await self._write(_confirm, target, one)

    async def skip(self, target: str, one: Waiting) -> None:
        """Record that a target has nothing left to get."""
        await self._write(_settle, target, one)

    async def postpone(self, target: str, one: Waiting, until: datetime | None, error: str) -> None:
        """Note why a delivery failed and when it is tried again; None: it is given up."""
        await self._write(_postpone, target, one, until, error)

    async def note_gone(self, target: str, now: datetime) -> None:
        """Record that a target refused all further deliveries."""
        await self._write(_note_gone, target, now)

    async def replay(self, target: str, now: datetime, *, since: datetime | None = None) -> int:
        """Try what was given up again, also if the target wanted no more; return how much that is.

        With `since`, what changed since that instant is sent again, even if the target took it.
        """
        return await self._write(_replay, target, now, since)

    async def status(self) -> dict[str, TargetStatus]:
        """Return how far each target is, by its name."""
        return await self._ask(_status)

    async def dead(self, *, most: int = 50) -> list[DeadChange]:
        """Return what was given up, the latest change first."""
        return await self._ask(_dead, most)

    async def _ask(self, work: Callable[..., T], *arguments: object) -> T:
        return await self._thread.do(partial(self._run, work, *arguments))

    async def _write(self, work: Callable[..., T], *arguments: object) -> T:
        return await self._thread.do(partial(self._commit, work, *arguments))

    def _run(self, work: Callable[..., T], *arguments: object) -> T:
        if self._connection is None:
            raise StoreError(f"{self.path}: the outbox is not open; use `async with`")
        with using(self.path):
            return work(self._connection, *arguments)

    def _commit(self, work: Callable[..., T], *arguments: object) -> T:
        def all_or_nothing(connection: Connection, *arguments: object) -> T:
            with _transaction(connection):
                return work(connection, *arguments)

        return self._run(all_or_nothing, *arguments)


@contextmanager
def _transaction(connection: Connection) -> Generator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _cursor(connection: Connection, target: str) -> str | None:
    found: tuple[str] | None = connection.execute("SELECT cursor FROM targets WHERE name = ?", (target,)).fetchone()
    return None if found is None else found[0]


def _is_gone(connection: Connection, target: str) -> bool:
    found = connection.execute("SELECT gone_at IS NOT NULL FROM targets WHERE name = ?", (target,)).fetchone()
    return found is not None and bool(found[0])


def _add(connection: Connection, target: str, news: Sequence[News], cursor: str, now: datetime) -> None:
    connection.execute(
        "INSERT INTO targets VALUES (?, ?, NULL) ON CONFLICT DO UPDATE SET cursor = excluded.cursor", (target, cursor)
    )
    for one in news:
        values = {"target": target, "now": instant_text(now), **msgspec.structs.asdict(one)}
        if one.ref is None:
            connection.execute(_ERASE, values)
            connection.execute(_FORGET, values)
        else:
            connection.execute(_ADD, values)


def _take(connection: Connection, target: str, now: datetime, most: int, besides: Collection[int]) -> list[Waiting]:
    rows = connection.execute(
        f"SELECT {', '.join(Waiting.__struct_fields__)} FROM deliveries"  # noqa: S608  (our own names)
        " WHERE state = 'waiting' AND target = ? AND next_at <= ? ORDER BY next_at, key LIMIT ?",
        (target, instant_text(now), most + len(besides)),
    )
    found = [msgspec.convert(dict(zip(Waiting.__struct_fields__, row, strict=True)), Waiting) for row in rows]
    taken = [one for one in found if one.key not in besides][:most]
    connection.executemany("UPDATE deliveries SET was_sent = 1 WHERE key = ?", [(one.key,) for one in taken])
    return taken


def _confirm(connection: Connection, target: str, one: Waiting) -> None:
    connection.execute(
        "UPDATE deliveries SET was_told = 1, kind = CASE kind WHEN 'created' THEN 'updated' ELSE kind END"
        " WHERE target = ? AND key = ?",
        (target, one.key),
    )
    _settle(connection, target, one)


def _settle(connection: Connection, target: str, one: Waiting) -> None:
    settled = (target, one.key, one.event)
    if one.kind == "erased":
        connection.execute("DELETE FROM deliveries WHERE target = ? AND key = ? AND event = ?", settled)
    else:
        connection.execute(
            "UPDATE deliveries SET state = 'done', attempts = 0, error = NULL"
            " WHERE target = ? AND key = ? AND event = ?",
            settled,
        )


def _postpone(connection: Connection, target: str, one: Waiting, until: datetime | None, error: str) -> None:
    connection.execute(
        "UPDATE deliveries SET attempts = attempts + 1, error = ?, next_at = coalesce(?, next_at),"
        " state = CASE WHEN event = ? AND ? THEN 'dead' ELSE state END WHERE target = ? AND key = ?",
        (error, instant_text(until), one.event, until is None, target, one.key),
    )


def _note_gone(connection: Connection, target: str, now: datetime) -> None:
    connection.execute("UPDATE targets SET gone_at = ? WHERE name = ?", (instant_text(now), target))


def _replay(connection: Connection, target: str, now: datetime, since: datetime | None) -> int:
    connection.execute("UPDATE targets SET gone_at = NULL WHERE name = ?", (target,))
    return connection.execute(
        "UPDATE deliveries SET state = 'waiting', attempts = 0, next_at = :now WHERE target = :target"
        " AND (state = 'dead' OR state = 'done' AND changed_at >= :since)",
        {"now": instant_text(now), "target": target, "since": instant_text(since)},
    ).rowcount


def _dead(connection: Connection, most: int) -> list[DeadChange]:
    names = DeadChange.__struct_fields__
    rows = connection.execute(
        f"SELECT {', '.join(names)} FROM deliveries"  # noqa: S608  (our own names)
        " WHERE state = 'dead' ORDER BY changed_at DESC, key DESC LIMIT ?",
        (most,),
    )
    return [msgspec.convert(dict(zip(names, row, strict=True)), DeadChange) for row in rows]


def _status(connection: Connection) -> dict[str, TargetStatus]:
    found: dict[str, TargetStatus] = {}
    for name, gone_at in connection.execute("SELECT name, gone_at FROM targets ORDER BY name").fetchall():
        rows = connection.execute(
            "SELECT state, error, count(*) FROM deliveries WHERE target = ? AND state <> 'done' GROUP BY 1, 2", (name,)
        ).fetchall()
        found[name] = TargetStatus(
            waiting=sum(many for state, _, many in rows if state == "waiting"),
            dead=sum(many for state, _, many in rows if state == "dead"),
            gone_at=gone_at,
            errors={error: many for _, error, many in rows if error is not None},
        )
    return found
