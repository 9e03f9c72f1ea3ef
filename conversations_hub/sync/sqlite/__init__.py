"""The SQLite store: one file that any SQLite tool opens, with full-text search over what was said."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cache, partial
from itertools import count, repeat
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from ...errors import StoreError
from ...schema import Conversation, TranscriptTurn
from ..lock import Lock
from ..store import Entry, Kept, Progress, Written
from ..thread import Thread
from .tables import (
    APPLICATION,
    CONVERSATION,
    INDEX_TURNS,
    PARTICIPANT,
    RECORDING,
    TABLES,
    TEXT_SEARCH,
    VERSION,
    conversation_row,
    instant_text,
    participant_rows,
    recording_rows,
    turn_columns,
)

__all__ = ["SQLiteStore", "connected", "has_index"]

T = TypeVar("T")

_MOST_VALUES = 500  # in one statement; old builds of SQLite take 999


class SQLiteStore:
    """A store in one SQLite file. It works in a thread of its own, so that the event loop never waits for the disk.

    Write-ahead logging lets others read while it writes. A commit survives the death of the process; after a loss of
    power the last ones may be gone, each whole.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._thread = Thread()
        self._writer: _Writer | None = None

    async def open(self, terms: Mapping[str, str]) -> None:  # noqa: ARG002  (any run may go on where another stopped)
        """See `Store.open`."""
        await self._do(self._take)

    def _take(self) -> None:
        self._writer = _Writer(self.path)

    async def progress(self, account: str) -> Progress:
        """See `Store.progress`."""
        return await self._do(partial(self._open_writer().progress, account))

    async def kept(self, account: str, ids: Sequence[str]) -> Mapping[str, Kept]:
        """See `Store.kept`."""
        return await self._do(partial(self._open_writer().kept, account, ids))

    async def unsettled(self, account: str) -> Mapping[str, Kept]:
        """See `Store.unsettled`."""
        return await self._do(partial(self._open_writer().unsettled, account))

    async def commit(self, account: str, entries: Sequence[Entry], progress: Progress) -> Written:
        """See `Store.commit`."""
        writer = self._open_writer()
        if writer.has_failed:  # whoever goes on after that would note a place that was never reached
            raise StoreError(f"{self.path}: a commit failed; open it again")
        return await self._do(partial(writer.commit, account, entries, progress))

    async def finish(self) -> None:
        """Let the search index and the planner put their things in order."""
        await self._do(self._open_writer().finish)

    async def close(self) -> None:
        """See `Store.close`."""
        await self._thread.end(partial(_told, self.path, self._let_go))

    def _let_go(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open_writer(self) -> _Writer:
        if self._writer is None:
            raise StoreError("the store is not open")
        return self._writer

    async def _do(self, work: Callable[[], T]) -> T:
        return await self._thread.do(partial(_told, self.path, work))


def _told(path: Path, work: Callable[[], T]) -> T:
    """Do something with the file; say what is wrong with it in one sentence."""
    try:
        return work()
    except sqlite3.Error as error:
        reason = str(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    raise StoreError(f"{path}: {reason}")


def connected(path: Path, *, writes: bool = False) -> sqlite3.Connection:
    """Open a store's file; raise `StoreError` where it is none, or one of another version."""
    if not path.parent.is_dir():
        raise StoreError(f"{path}: there is no folder {path.parent}")
    if not writes and not path.exists():
        raise StoreError(f"{path}: no such file; `conversations-hub sync --store {path}` makes it")
    uri = f"{path.absolute().as_uri()}?mode={'rwc' if writes else 'ro'}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    try:
        application, version, tables = (
            connection.execute(question).fetchone()[0]
            for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        )
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path}: {error}") from None
    if application != APPLICATION and tables:
        raise StoreError(f"{path} is a SQLite file of something else; nothing was changed. Give another path")
    if tables and version != VERSION:
        age = "a newer" if version > VERSION else "an older"
        raise StoreError(f"{path} was written by {age} version of conversations-hub (layout {version}, here {VERSION})")


def has_index(connection: sqlite3.Connection) -> bool:
    """Whether the store was made with a search index."""
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'turns_text'").fetchone()
    return bool(found[0])


class _Writer:
    """The one that writes, always in the same thread."""

    def __init__(self, path: Path) -> None:
        path = path.resolve()
        self.has_failed = False
        self._lock = Lock(path)
        try:
            if not path.exists():
                path.touch(0o600)
            self._connection = connected(path, writes=True)
            self._prepare()
            self._has_index = has_index(self._connection)
        except BaseException:
            self._lock.release()
            raise

    def _prepare(self) -> None:
        execute = self._connection.execute
        # These three take a twelfth off the time that writing takes.
        execute("PRAGMA page_size = 8192")
        execute("PRAGMA cache_size = -65536")  # KiB
        execute("PRAGMA wal_autocheckpoint = 4000")  # pages
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA foreign_keys = ON")
        execute("PRAGMA busy_timeout = 10000")
        if execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        self._connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
            f"{TABLES}{TEXT_SEARCH if _has_text_search(self._connection) else ''}COMMIT;"
        )

    def close(self) -> None:
        try:
            self._connection.close()
        finally:
            self._lock.release()

    def progress(self, account: str) -> Progress:
        row = self._connection.execute("SELECT progress FROM accounts WHERE account = ?", (account,)).fetchone()
        return Progress() if row is None else msgspec.json.decode(row[0], type=Progress)

    def kept(self, account: str, ids: Sequence[str]) -> dict[str, Kept]:
        found: dict[str, Kept] = {}
        for begin in range(0, len(ids), _MOST_VALUES):
            some = ids[begin : begin + _MOST_VALUES]
            found |= self._kept(account, f"AND id IN ({', '.join('?' * len(some))})", some)
        return found

    def unsettled(self, account: str) -> dict[str, Kept]:
        return self._kept(account, "AND settles_at IS NOT NULL", ())

    def _kept(self, account: str, condition: str, values: Sequence[str]) -> dict[str, Kept]:
        provider, _, name = account.partition("/")
        question = (
            "SELECT id, row_print, content_print, settles_at, listed FROM conversations"
            f" WHERE provider = ? AND account = ? {condition}"
        )
        rows = self._connection.execute(question, (provider, name, *values))
        return {
            id: Kept(row, content, None if settles_at is None else datetime.fromisoformat(settles_at), listed)
            for id, row, content, settles_at, listed in rows
        }

    def commit(self, account: str, entries: Sequence[Entry], progress: Progress) -> Written:
        kept = self.kept(account, [entry.conversation.id for entry in entries])
        new = [entry for entry in entries if entry.conversation.id not in kept]
        known = [entry for entry in entries if entry.conversation.id in kept]
        updated = [entry for entry in known if kept[entry.conversation.id].content != entry.kept.content]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            for entry in known:
                self._note(entry)
            keys = [*map(self._clear, updated), *map(self._insert, new)]
            self._add_parts(keys, [entry.conversation for entry in updated + new])
            told = msgspec.json.encode(progress).decode()
            self._connection.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (account, told))
            self._connection.execute("COMMIT")
        except BaseException:
            self.has_failed = True
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        return Written(len(new), len(updated), len(known) - len(updated))

    def finish(self) -> None:
        self._connection.execute("PRAGMA optimize")

    def _note(self, entry: Entry) -> None:
        """Remember how it was found, whether or not its content is new."""
        self._connection.execute(_NOTE, (*_remembered(entry.kept), *_name(entry.conversation)))

    def _insert(self, entry: Entry) -> int:
        """Add a conversation, and return its key; its parts are to follow."""
        row = (*conversation_row(entry.conversation), *_remembered(entry.kept))
        told = {name: value for name, value in zip(_COLUMNS, row, strict=True) if value is not None}
        added = self._connection.execute(_insert_into("conversations", tuple(told)), tuple(told.values()))
        return cast("int", added.lastrowid)

    def _clear(self, entry: Entry) -> int:
        """Change a conversation to what it is now, and return its key; its parts are to follow."""
        (key,) = self._connection.execute(_FIND, _name(entry.conversation)).fetchone()
        for table in ("turns", "participants", "recordings"):
            self._connection.execute(f"DELETE FROM {table} WHERE conversation = ?", (key,))
        self._connection.execute(_UPDATE, (*conversation_row(entry.conversation), key))
        return cast("int", key)

    def _add_parts(self, keys: Sequence[int], conversations: Sequence[Conversation]) -> None:
        (last,) = self._connection.execute("SELECT coalesce(max(key), 0) FROM turns").fetchone()
        for key, conversation in zip(keys, conversations, strict=True):
            self._add_turns(key, conversation.transcript or ())
            self._connection.executemany(_ADD_PARTICIPANT, participant_rows(key, conversation))
            self._connection.executemany(_ADD_RECORDING, recording_rows(key, conversation))
        if self._has_index:
            self._connection.execute(INDEX_TURNS, (last,))

    def _add_turns(self, key: int, turns: Sequence[TranscriptTurn]) -> None:
        if turns:
            columns = turn_columns(turns)
            numbered = zip(repeat(key), count(), *columns.values())
            self._connection.executemany(_insert_into("turns", ("conversation", "position", *columns)), numbered)


def _name(conversation: Conversation) -> tuple[str, str, str]:
    return conversation.provider, conversation.account, conversation.id


def _remembered(kept: Kept) -> tuple[Any, ...]:
    return kept.row, kept.content, instant_text(kept.settles_at), kept.listed


def _has_text_search(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.probe USING fts5 (text)")
    except sqlite3.OperationalError:
        return False
    connection.execute("DROP TABLE temp.probe")
    return True


@cache
def _insert_into(table: str, columns: tuple[str, ...]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"


_REMEMBERED = ("row_print", "content_print", "settles_at", "listed")
_COLUMNS = (*CONVERSATION, *_REMEMBERED)
_UPDATE = f"UPDATE conversations SET {', '.join(f'{name} = ?' for name in CONVERSATION)} WHERE key = ?"
_NAMED = "WHERE provider = ? AND account = ? AND id = ?"
_FIND = f"SELECT key FROM conversations {_NAMED}"
_NOTE = f"UPDATE conversations SET {', '.join(f'{name} = ?' for name in _REMEMBERED)} {_NAMED}"
_ADD_PARTICIPANT = _insert_into("participants", ("conversation", "position", *PARTICIPANT))
_ADD_RECORDING = _insert_into("recordings", ("conversation", "position", *RECORDING))
