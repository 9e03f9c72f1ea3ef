"""The file of an inbox: a SQLite database that any number of processes write; a delivery in it survives a power loss.

It is apart from the store, which one process writes at a time, and whose commits take longer than a sender waits.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from zlib import compress

import msgspec

from .._files.database import Layout, open_database
from .._instants import earlier
from .._sortable import instant_text
from ..errors import StoreError
from ..events import Event, EventKind
from ..stores._untrusted import decompress, instant_of
from ._delivery import Delivery
from ._inbox_listing import DeadPage, InboxStatus, dead, status

__all__ = ["DeliveryState", "Due", "InboxFile", "KeptEvent", "entries_of"]

_LAYOUT: Final = Layout(
    what="an inbox",
    application=0x436F6E69,  # "Coni"
    version=1,
    tables="""
CREATE TABLE deliveries (
    key INTEGER PRIMARY KEY,
    endpoint TEXT NOT NULL,
    event TEXT NOT NULL, -- its id, else the digest of its delivery and its position in it
    provider TEXT NOT NULL, account TEXT NOT NULL, kind TEXT NOT NULL, conversation TEXT,
    occurred_at TEXT, received_at TEXT NOT NULL,
    verified INTEGER NOT NULL, protected INTEGER NOT NULL,
    digest BLOB NOT NULL, position INTEGER NOT NULL, content_type TEXT, body BLOB,
    times INTEGER NOT NULL, -- how often it came
    state TEXT NOT NULL, -- new, done, dead
    attempts INTEGER NOT NULL, next_at TEXT, settled_at TEXT, error TEXT,
    UNIQUE (endpoint, event)
);
CREATE INDEX deliveries_new ON deliveries (provider, account, conversation) WHERE state = 'new';
CREATE INDEX deliveries_done ON deliveries (settled_at) WHERE state = 'done';
CREATE INDEX deliveries_with_body ON deliveries (settled_at) WHERE state = 'done' AND body IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (error) WHERE state = 'dead';
CREATE INDEX deliveries_by_conversation ON deliveries (provider, account, conversation);
-- Since when an account's deliveries are kept here.
CREATE TABLE accounts (
    provider TEXT NOT NULL, account TEXT NOT NULL, since TEXT NOT NULL,
    PRIMARY KEY (provider, account)
) WITHOUT ROWID;
""",
)

_COLUMNS: Final = (
    *("endpoint", "event", "provider", "account", "kind", "conversation", "occurred_at", "received_at", "verified"),
    *("protected", "digest", "position", "content_type", "body", "state", "settled_at", "error"),
)
_AGAIN: Final = "UPDATE deliveries SET times = times + 1 WHERE endpoint = ? AND event = ? AND digest = ?"
_ADD: Final = f"""
INSERT INTO deliveries ({", ".join(_COLUMNS)}, times, attempts) VALUES ({", ".join("?" * len(_COLUMNS))}, 1, 0)
ON CONFLICT (endpoint, event) DO UPDATE SET
    {", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)}, times = times + 1, attempts = 0, next_at = NULL
"""  # noqa: S608  (our own names)

_LONGEST_NAME: Final = 200  # characters of an event's id
_LOST: Final = frozenset({sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY: Final = 0xFF  # of an error code
_NOTHING_TO_DO: Final = frozenset({EventKind.OTHER})

DeliveryState = str
"""`new`, `done` or `dead`."""


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """Deliveries that are waiting for the same work."""

    provider: str
    account: str
    conversation: str | None
    """The id of the conversation that they are about; None: they could not be read."""


class KeptEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in an inbox, as far as one event is concerned."""

    key: int
    endpoint: str
    digest: bytes
    body: bytes
    content_type: str | None
    position: int
    """Of the event in the delivery."""
    kind: EventKind
    received_at: datetime
    verified: bool
    protected: bool
    attempts: int


_KEPT: Final = KeptEvent.__struct_fields__


Entry = tuple[Any, ...]


def entries_of(delivery: Delivery) -> list[Entry]:
    """Return the rows of a delivery, one for each event; the body is compressed later."""
    received_at = instant_text(delivery.received_at)
    if delivery.unreadable is not None:
        name = f"{delivery.digest.hex()}:unreadable"
        told = (EventKind.OTHER.value, None, None, received_at, delivery.verified, delivery.signed_members is None)
        return [_entry(delivery, name, told, 0, ("dead", received_at, delivery.unreadable))]
    return [_entry_of(delivery, position, event) for position, event in enumerate(delivery.events)]


def _entry_of(delivery: Delivery, position: int, event: Event) -> Entry:
    has_work = event.conversation_id is not None and event.kind not in _NOTHING_TO_DO
    received_at = instant_text(delivery.received_at)
    told = (
        *(event.kind.value, event.conversation_id, instant_text(event.occurred_at), received_at),
        *(event.verified, event.protected),
    )
    state = ("new", None, None) if has_work else ("done", received_at, None)
    return _entry(delivery, event.id or f"{delivery.digest.hex()}:{position}", told, position, state)


def _entry(delivery: Delivery, name: str, told: Entry, position: int, state: Entry) -> Entry:
    if len(name) > _LONGEST_NAME:
        name = sha256(name.encode(errors="surrogatepass")).hexdigest()
    row = (
        *(delivery.endpoint, name, delivery.provider, delivery.account, *told),
        *(delivery.digest, position, delivery.content_type, delivery.body, *state),
    )
    # Of text that no database holds, the row would take others with it.
    return tuple(one.encode(errors="backslashreplace").decode() if isinstance(one, str) else one for one in row)


class InboxFile:
    """An inbox's file; one thread uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.is_lost = False
        """Whether the disk failed: nothing is written any more, because later records may be lost with the failed."""
        self._connection = open_database(path, _LAYOUT)

    def close(self) -> None:
        """Release the file."""
        self._connection.close()

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """Write all or nothing; what is written has reached the disk."""
        if self.is_lost:
            raise StoreError(f"{self._path}: the disk failed. Restart to recover what can be read")
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            # The log may have a gap now, and no reader gets past it. A full disk leaves no gap. Other processes learn
            # of the failure as we do: the system reports it once to each process that has the file open.
            self.is_lost = _is_lost(error)
            with suppress(sqlite3.Error):
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            raise

    def add(self, entries: Iterable[Entry]) -> None:
        """Keep the events of deliveries, each once; one that came with other content is new again."""
        place, id, digest = (_COLUMNS.index(name) for name in ("body", "event", "digest"))
        with self._writing() as connection:
            since: dict[tuple[str, str], str] = {}
            for row in entries:
                if not connection.execute(_AGAIN, (row[0], row[id], row[digest])).rowcount:
                    connection.execute(_ADD, (*row[:place], compress(row[place]), *row[place + 1 :]))
                since.setdefault((row[2], row[3]), row[_COLUMNS.index("received_at")])
            connection.executemany(
                "INSERT OR IGNORE INTO accounts VALUES (?, ?, ?)", [(*who, at) for who, at in since.items()]
            )

    def accounts(self) -> list[str]:
        """Return the accounts that have new deliveries, as "provider/account"."""
        rows = self._connection.execute("SELECT DISTINCT provider, account FROM deliveries WHERE state = 'new'")
        return [f"{provider}/{account}" for provider, account in rows]

    def due(self, account: str, now: datetime, *, quiet: float, longest: float, updates: float, most: int) -> list[Due]:
        """Return what is due, oldest first: no more events came for `quiet` seconds, or the first came `longest` ago.

        Updates alone are due `updates` seconds after the first.
        """
        provider, _, name = account.partition("/")
        moments = (instant_text(earlier(now, timedelta(seconds=span))) for span in (quiet, longest, updates))
        rows = self._connection.execute(
            "SELECT provider, account, conversation FROM deliveries"
            " WHERE state = 'new' AND provider = :provider AND account = :account GROUP BY conversation"
            " HAVING coalesce(max(next_at), '') <= :now AND CASE min(kind = 'updated')"
            " WHEN 1 THEN min(received_at) <= :updates"
            " ELSE max(received_at) <= :quiet OR min(received_at) <= :longest END"
            " ORDER BY min(received_at), min(key) LIMIT :most",
            dict(zip(("quiet", "longest", "updates"), moments, strict=True))
            | {"now": instant_text(now), "most": most, "provider": provider, "account": name},
        )
        return [Due(provider=provider, account=account, conversation=id) for provider, account, id in rows]

    def kept(self, due: Due) -> list[KeptEvent]:
        """Return the new deliveries of what is due, in the order in which they came."""
        rows = self._connection.execute(
            f"SELECT {', '.join(_KEPT)} FROM deliveries"  # noqa: S608  (our own names)
            " WHERE state = 'new' AND provider = ? AND account = ? AND conversation IS ?"
            " ORDER BY coalesce(occurred_at, received_at), key",
            (due.provider, due.account, due.conversation),
        )
        return [_kept(row) for row in rows]

    def settle(self, kept: Sequence[KeptEvent], state: DeliveryState, now: datetime, error: str | None) -> None:
        """Note that deliveries are done or dead, unless other content came for them meanwhile."""
        at = instant_text(now)
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET state = ?, settled_at = ?, error = ?, next_at = NULL"
                " WHERE key = ? AND digest = ?",
                [(state, at, error, one.key, one.digest) for one in kept],
            )

    def postpone(self, kept: Sequence[KeptEvent], until: datetime, attempts: int, error: str) -> None:
        """Note when deliveries are due again."""
        with self._writing() as connection:
            connection.executemany(
                "UPDATE deliveries SET next_at = ?, attempts = ?, error = ? WHERE key = ? AND digest = ?",
                [(instant_text(until), attempts, error, one.key, one.digest) for one in kept],
            )

    def replay(self, endpoint: str | None, since: datetime | None, state: DeliveryState | None) -> int:
        """Make deliveries new again whose body is still there, and return how many."""
        with self._writing() as connection:
            return connection.execute(
                "UPDATE deliveries SET state = 'new', attempts = 0, next_at = NULL, settled_at = NULL, error = NULL"
                " WHERE state <> 'new' AND body IS NOT NULL AND (conversation IS NOT NULL OR state = 'dead')"
                " AND endpoint = coalesce(?, endpoint) AND state = coalesce(?, state)"
                " AND received_at >= coalesce(?, '')",
                (endpoint, state, instant_text(since)),
            ).rowcount

    def sweep(self, bodies_before: datetime, keys_before: datetime) -> None:
        """Drop the bodies, and later all, of what was done before an instant."""
        bodies, keys = instant_text(bodies_before), instant_text(keys_before)
        question = (
            "SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 'done' AND body IS NOT NULL AND settled_at <= ?)"
            " OR EXISTS (SELECT 1 FROM deliveries WHERE state = 'done' AND settled_at <= ?)"
        )
        if not self._connection.execute(question, (bodies, keys)).fetchone()[0]:
            return
        with self._writing() as connection:
            connection.execute("DELETE FROM deliveries WHERE state = 'done' AND settled_at <= ?", (keys,))
            connection.execute(
                "UPDATE deliveries SET body = NULL WHERE state = 'done' AND body IS NOT NULL AND settled_at <= ?",
                (bodies,),
            )

    def erase(self, named: Iterable[tuple[str, str, str]]) -> int:
        """Delete what came about conversations, given by provider, account and id; no byte of it remains."""
        with self._writing() as connection:
            gone = connection.executemany(
                "DELETE FROM deliveries WHERE provider = ? AND account = ? AND conversation = ?", named
            ).rowcount
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    def since(self) -> dict[str, datetime]:
        """Return since when an account's deliveries are kept here, UTC, by "provider/account"."""
        rows = self._connection.execute("SELECT provider, account, since FROM accounts")
        return {f"{provider}/{account}": instant_of(at) for provider, account, at in rows}

    def status(self) -> InboxStatus:
        """Return how much there is."""
        return status(self._connection)

    def dead(self, limit: int, cursor: str | None) -> DeadPage:
        """Return a page of what is dead."""
        return dead(self._connection, limit, cursor)


def _kept(row: Sequence[Any]) -> KeptEvent:
    found = dict(zip(_KEPT, row, strict=True))
    found |= {"body": decompress(found["body"]), "received_at": instant_of(found["received_at"])}
    return msgspec.convert(found | {name: bool(found[name]) for name in ("verified", "protected")}, KeptEvent)


def _is_lost(error: BaseException) -> bool:
    code: int = getattr(error, "sqlite_errorcode", 0) if isinstance(error, sqlite3.Error) else 0
    # A full disk has no room for the index of the log, either.
    return code & _PRIMARY in _LOST and code != sqlite3.SQLITE_IOERR_SHMSIZE
