"""Write a SQLite store: each commit becomes the next revision, or nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from functools import cache
from itertools import count, repeat
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

import msgspec

from ..._files.lock import Lock
from ..._files.opening import own_path
from ..._sortable import instant_text
from ...schema import Conversation, Status, TranscriptTurn
from .._erasure import Receipt, remove_recordings
from .._reconcile import beyond
from .._store import ERASED, Checkpoint, Entry, StoredVersion, Written, check_made
from .._told import Earlier, added_to, both, entry_of, told_of, told_text
from .._untrusted import instant_of
from ._connection import connect, has_index, has_text_search
from ._erasure import Plan, clean, digest_of, erase
from ._migration import migrate
from ._tables import (
    ADD_FOLDED,
    APPLICATION,
    CONVERSATION,
    INDEX_TURNS,
    PARTICIPANT,
    RECORDING,
    TABLES,
    TEXT_SEARCH,
    VERSION,
    conversation_row,
    folded_rows,
    participant_rows,
    recording_rows,
    turn_columns,
)
from ._whole import whole

__all__ = ["Writer"]

_MOST_VALUES = 500  # in one statement; old builds of SQLite accept 999


class Writer:
    """Writes a store while it holds its lock; `made` are the run's values for the options in `MADE`."""

    def __init__(self, path: Path, made: Mapping[str, str]) -> None:
        self._path = path = own_path(path)
        self.has_failed = False
        with ExitStack() as held:
            self._lock = Lock(path)
            held.callback(self._lock.release)
            self._connection = connect(path, writes=True)
            held.callback(self._connection.close)
            self._prepare()
            self._has_index = has_index(self._connection)
            if made:
                self.check_made(made)
            if self._connection.execute("SELECT 1 FROM store WHERE name = 'unclean'").fetchone():
                clean(self._connection, with_index=self._has_index)  # an erasure was interrupted
            held.pop_all()

    def _prepare(self) -> None:
        execute = self._connection.execute
        # These three save a twelfth of the time for writing.
        execute("PRAGMA page_size = 8192")
        execute("PRAGMA cache_size = -65536")  # KiB
        execute("PRAGMA wal_autocheckpoint = 4000")  # pages
        execute("PRAGMA journal_mode = WAL")
        execute("PRAGMA synchronous = NORMAL")
        execute("PRAGMA busy_timeout = 10000")
        if not execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            self._connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
                f"{TABLES}{TEXT_SEARCH if has_text_search(self._connection) else ''}COMMIT;"
            )
        elif execute("PRAGMA user_version").fetchone()[0] < VERSION:
            migrate(self._connection, with_index=has_text_search(self._connection))
        execute("PRAGMA foreign_keys = ON")

    def check_made(self, made: Mapping[str, str]) -> None:
        """Note a run's values for the options in `MADE`; raise `StoreError` if the store was made with others."""
        row = self._connection.execute("SELECT value FROM store WHERE name = 'made'").fetchone()
        before = {} if row is None else msgspec.json.decode(row[0], type=dict[str, str])
        check_made(self._path, before, made)
        if row is None:
            text = msgspec.json.encode(made).decode()
            self._connection.execute("INSERT INTO store VALUES ('made', ?)", (text,))

    def close(self) -> None:
        """Release the file and the lock."""
        try:
            self._tidy_up()
            self._connection.close()
        finally:
            self._lock.release()

    def _tidy_up(self) -> None:
        """Leave a single file, which can be read in a read-only folder, and statistics for the query planner."""
        with suppress(sqlite3.OperationalError):  # a reader is open
            self._connection.execute("PRAGMA optimize")
            self._connection.execute("PRAGMA journal_mode = DELETE")

    def progress(self, account: str) -> Checkpoint:
        """See `Store.progress`."""
        row = self._connection.execute("SELECT progress FROM accounts WHERE account = ?", (account,)).fetchone()
        return Checkpoint() if row is None else msgspec.json.decode(row[0], type=Checkpoint)

    def kept(self, account: str, ids: Sequence[str]) -> dict[str, StoredVersion]:
        """See `Store.kept`."""
        found: dict[str, StoredVersion] = {}
        for begin in range(0, len(ids), _MOST_VALUES):
            some = ids[begin : begin + _MOST_VALUES]
            found |= self._kept(account, f"AND id IN ({', '.join('?' * len(some))})", some)
        return found | dict.fromkeys(self._erased(account, [id for id in ids if id not in found]), ERASED)

    def _erased(self, account: str, ids: Sequence[str]) -> list[str]:
        """Return the ids that were erased."""
        execute = self._connection.execute
        if not ids or execute("SELECT 1 FROM erased LIMIT 1").fetchone() is None:
            return []
        is_there = "SELECT 1 FROM erased WHERE digest = ?"
        return [id for id in ids if execute(is_there, (digest_of(self._connection, account, id),)).fetchone()]

    def erase(self, choose: Callable[[sqlite3.Connection], Plan], recordings: Path | None, now: datetime) -> Receipt:
        """Erase what is chosen. A kill before the end erases all of it or nothing; the next writer cleans up."""
        chosen = choose(self._connection)
        files = remove_recordings(recordings, [*chosen.keys.values()]) if recordings is not None else []
        if chosen.keys:
            with self._writing() as revision:
                erase(self._connection, chosen.keys, now, revision)
            clean(self._connection, with_index=self._has_index)
        return chosen.receipt(self._path, now, files)

    def unsettled(self, account: str) -> dict[str, StoredVersion]:
        """See `Store.unsettled`."""
        return self._kept(account, "AND settles_at IS NOT NULL", ())

    def _kept(self, account: str, condition: str, values: Sequence[str]) -> dict[str, StoredVersion]:
        provider, _, name = account.partition("/")
        question = (
            "SELECT id, row_print, content_print, settles_at, listed, failing_since, vanished_at IS NOT NULL"
            " FROM conversations JOIN remembered ON conversation = key"
            f" WHERE provider = ? AND account = ? {condition}"
        )
        rows = self._connection.execute(question, (provider, name, *values))
        return {
            id: _kept(row, content, listed, settles_at, failing_since, is_vanished=bool(is_vanished))
            for id, row, content, settles_at, listed, failing_since, is_vanished in rows
        }

    def vanished(self, account: str, listed: Collection[str], now: datetime) -> list[str]:
        """See `Store.vanished`."""
        provider, _, name = account.partition("/")
        question = "SELECT key, id, vanished_at FROM conversations WHERE provider = ? AND account = ?"
        gone: list[str] = []
        changed: list[tuple[str | None, int]] = []
        for key, id, vanished_at in self._connection.execute(question, (provider, name)):
            is_gone = id not in listed
            gone += [id] if is_gone else []
            if is_gone != (vanished_at is not None):
                changed.append((instant_text(now) if is_gone else None, key))
        with self._writing() as revision:
            self._connection.executemany(
                f"UPDATE conversations SET vanished_at = ?, revision = {revision} WHERE key = ?", changed
            )
        return gone

    @contextmanager
    def _writing(self) -> Generator[int]:
        """Write all or nothing, as the next revision of the store, which is yielded."""
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        try:
            execute("UPDATE store SET value = value + 1 WHERE name = 'revision'")
            (revision,) = execute("SELECT value FROM store WHERE name = 'revision'").fetchone()
            yield revision
            execute("COMMIT")
        except BaseException:
            self.has_failed = True
            if self._connection.in_transaction:
                execute("ROLLBACK")
            raise

    def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        """See `Store.commit`. What webhooks told of a conversation is added to what was fetched."""
        found = self._find(account, [entry.conversation.id for entry in entries])
        entries = [self._with_told(entry, found.get(entry.conversation.id)) for entry in entries]
        new = [entry for entry in entries if entry.conversation.id not in found]
        erased = self._erased(account, [entry.conversation.id for entry in new])
        if erased:
            entries = [entry for entry in entries if entry.conversation.id not in erased]
        with self._writing() as revision:
            written = self._write(entries, found, revision)
            text = msgspec.json.encode(progress or self.progress(account)).decode()
            self._connection.execute("INSERT OR REPLACE INTO accounts VALUES (?, ?)", (account, text))
        return written

    def put(self, account: str, *, told: Conversation | None, fetched: Conversation | None) -> Written:
        """See `EventStore.put_told`."""
        one = fetched or told
        if one is None:
            return Written()
        found = self._find(account, [one.id])
        before = self._kept(account, "AND id = ?", (one.id,)).get(one.id) or StoredVersion(b"", b"", None)
        stored: Conversation | None = None
        if one.id in found:
            there = found[one.id]
            stored = msgspec.structs.replace(whole(self._connection, there.key), issues=())
            told = both(told_of(there.earlier.told, one), told)
        elif self._erased(account, [one.id]):
            return Written()
        entry = entry_of(stored, told, fetched, before)
        self._connection.execute("PRAGMA synchronous = FULL")  # it is not delivered again
        try:
            with self._writing() as revision:
                written = self._write([entry], found, revision)
                text = told_text(told if told is None or fetched is None else beyond(told, fetched))
                self._connection.execute(
                    "UPDATE conversations SET told = ? WHERE provider = ? AND account = ? AND id = ?",
                    (text, *account.split("/", 1), one.id),
                )
        finally:
            self._connection.execute("PRAGMA synchronous = NORMAL")
        return written

    def told_since(self, account: str, since: datetime) -> tuple[int, int]:
        """See `EventStore.told_since`."""
        by_webhook, by_poll = self._connection.execute(
            "SELECT count(told), count(*) - count(told) FROM conversations WHERE provider = ? AND account = ?"
            f" AND at >= ? AND status IN ({', '.join('?' * len(_FINISHED))})",
            (*account.split("/", 1), instant_text(since), *_FINISHED),
        ).fetchone()
        return by_webhook, by_poll

    def _with_told(self, entry: Entry, there: _Found | None) -> Entry:
        if there is None:
            return entry
        return added_to(entry, there.earlier, lambda: whole(self._connection, there.key))

    def _write(self, entries: Sequence[Entry], found: Mapping[str, _Found], revision: int) -> Written:
        """Write the entries whose content is not stored, and what is remembered of all."""
        known = [entry for entry in entries if entry.conversation.id in found]
        new = [entry for entry in entries if entry.conversation.id not in found]
        updated = [entry for entry in known if found[entry.conversation.id].earlier.content != entry.kept.content_hash]
        keys = {id: each.key for id, each in found.items()}
        for entry in updated:
            self._clear(keys[entry.conversation.id], entry, revision)
        keys |= {entry.conversation.id: self._insert(entry, revision) for entry in new}
        self._add_parts([(keys[entry.conversation.id], entry.conversation) for entry in updated + new])
        self._connection.executemany(
            _REMEMBER, [(keys[entry.conversation.id], *_remembered(entry.kept)) for entry in known + new]
        )
        there = [entry.conversation.id for entry in known if not entry.kept.is_vanished]
        back = [(revision, keys[id]) for id in there if found[id].is_vanished]
        self._connection.executemany("UPDATE conversations SET vanished_at = NULL, revision = ? WHERE key = ?", back)
        return Written(len(new), len(updated), len(known) - len(updated))

    def _find(self, account: str, ids: Sequence[str]) -> dict[str, _Found]:
        """Return what is known of those that are in the store, by id."""
        provider, _, name = account.partition("/")
        found: dict[str, _Found] = {}
        for begin in range(0, len(ids), _MOST_VALUES):
            some = ids[begin : begin + _MOST_VALUES]
            rows = self._connection.execute(
                "SELECT id, key, vanished_at IS NOT NULL, content_print, told, status, turns, updated_at"
                " FROM conversations LEFT JOIN remembered ON conversation = key"
                f" WHERE provider = ? AND account = ? AND id IN ({', '.join('?' * len(some))})",
                (provider, name, *some),
            )
            found |= {
                id: _Found(key, bool(is_vanished), Earlier(content, told, status, turns, _instant(updated_at)))
                for id, key, is_vanished, content, told, status, turns, updated_at in rows
            }
        return found

    def _insert(self, entry: Entry, revision: int) -> int:
        """Add a conversation without its parts, and return its key."""
        row = (*conversation_row(entry.conversation), revision)
        given = {name: value for name, value in zip((*CONVERSATION, "revision"), row, strict=True) if value is not None}
        added = self._connection.execute(_insert_into("conversations", tuple(given)), tuple(given.values()))
        return cast("int", added.lastrowid)

    def _clear(self, key: int, entry: Entry, revision: int) -> None:
        """Update a conversation, and delete its old parts, and what those measured."""
        for table in ("turns", "participants", "recordings", "measures"):
            self._connection.execute(f"DELETE FROM {table} WHERE conversation = ?", (key,))
        self._connection.execute(_UPDATE, (*conversation_row(entry.conversation), revision, key))

    def _add_parts(self, conversations: Sequence[tuple[int, Conversation]]) -> None:
        (last,) = self._connection.execute("SELECT coalesce(max(key), 0) FROM turns").fetchone()
        for key, conversation in conversations:
            self._add_turns(key, conversation.transcript or ())
            self._connection.executemany(_ADD_PARTICIPANT, participant_rows(key, conversation))
            self._connection.executemany(_ADD_RECORDING, recording_rows(key, conversation))
        if self._has_index:
            # SQLite numbers new rows from the largest key on.
            said = (turn.text for _, one in conversations for turn in one.transcript or ())
            self._connection.executemany(ADD_FOLDED, folded_rows(said, last + 1))
            self._connection.execute(INDEX_TURNS, (last,))

    def _add_turns(self, key: int, turns: Sequence[TranscriptTurn]) -> None:
        if turns:
            columns = turn_columns(turns)
            # For each None the module looks for an adapter, which takes longer than all else that it does with a row.
            sparse = frozenset(name for name, values in columns.items() if None in values and "" not in values)
            filled = [
                ["" if value is None else value for value in values] if name in sparse else values
                for name, values in columns.items()
            ]
            statement = _insert_into("turns", ("conversation", "position", *columns), sparse)
            self._connection.executemany(statement, zip(repeat(key), count(), *filled))


class _Found(NamedTuple):
    """What is known of a stored conversation, and its key."""

    key: int
    is_vanished: bool
    earlier: Earlier


_FINISHED: Final = tuple(status.value for status in Status if status.is_finished)


def _remembered(kept: StoredVersion) -> tuple[Any, ...]:
    return (
        kept.row_hash,
        kept.content_hash,
        instant_text(kept.recheck_until),
        instant_text(kept.failing_since),
        kept.list_row,
    )


def _kept(
    row: object,
    content: object,
    listed: object,
    settles_at: str | None,
    failing_since: str | None,
    *,
    is_vanished: bool,
) -> StoredVersion:
    if not (isinstance(row, bytes) and isinstance(content, bytes) and isinstance(listed, bytes | None)):
        raise TypeError
    return StoredVersion(row, content, _instant(settles_at), listed, _instant(failing_since), is_vanished=is_vanished)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else instant_of(text)


@cache
def _insert_into(table: str, columns: tuple[str, ...], sparse: frozenset[str] = frozenset()) -> str:
    """Return the statement that adds a row; in sparse columns, an empty text stands for NULL."""
    values = ["nullif(?, '')" if name in sparse else "?" for name in columns]
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(values)})"


_UPDATE = f"UPDATE conversations SET {', '.join(f'{name} = ?' for name in (*CONVERSATION, 'revision'))} WHERE key = ?"
_REMEMBER = "INSERT OR REPLACE INTO remembered VALUES (?, ?, ?, ?, ?, ?)"
_ADD_PARTICIPANT = _insert_into("participants", ("conversation", "position", *PARTICIPANT))
_ADD_RECORDING = _insert_into("recordings", ("conversation", "position", *RECORDING))
