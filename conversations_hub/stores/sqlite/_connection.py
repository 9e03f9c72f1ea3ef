"""Open the file of a store to read or write it; refuse files that are not stores or have another version."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..._files.database import beside, claim
from ..._files.opening import check_plain
from ..._files.presence import check_folder, exists
from ...errors import StoreError
from .._untrusted import LARGEST, reading
from ._bounded import BoundedConnection, reason_of
from ._tables import APPLICATION, NAMES, VERSION

__all__ = ["connect", "has_index", "has_text_search", "using"]


def connect(path: Path, *, writes: bool = False) -> sqlite3.Connection:
    """Open a store's file; for writing, create it if it is missing.

    For writing, it and the files that SQLite keeps beside it must be ours alone.

    Raises:
        StoreError: it cannot be opened, is not a store, or has another version.
    """
    check_folder(path)
    if not writes and not exists(path):
        raise StoreError(f"{path}: no such file; `conversations-hub sync --store {path}` creates it")
    with using(path):
        *ways, last = _ways(path, writes=writes)
        for way in ways:
            with suppress(sqlite3.DatabaseError):
                return _checked(_opened(path, way), path, writes=writes)
        return _checked(_opened(path, last), path, writes=writes)


def _ways(path: Path, *, writes: bool) -> Iterator[str]:
    """Yield the ways to open it, after refusing files that another user put in the way."""
    if writes:
        claim(path)
        yield "mode=rw"
        return
    check_plain(path)
    for file in beside(path):
        check_plain(file, beside=path)
    yield "mode=ro"
    if _has_empty_log(path):
        # After a killed sync, a file in a read-only folder can be read as long as it does not change.
        yield "mode=ro&immutable=1"


@contextmanager
def using(path: Path) -> Generator[None]:
    """Turn errors of a store's file or its content into a `StoreError` of one sentence."""
    try:
        with reading(path):
            yield
    except sqlite3.Error as error:
        reason = reason_of(error)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise StoreError(f"{path}: {reason}")


def _checked(connection: sqlite3.Connection, path: Path, *, writes: bool) -> sqlite3.Connection:
    try:
        if not writes:
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST)
            # Not for writing: our triggers use the search index, which older builds of SQLite then refuse.
            connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA cell_size_check = ON")
        _check(connection, path, writes=writes)
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(path: Path, options: str) -> BoundedConnection:
    uri = f"{path.absolute().as_uri()}?{options}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, factory=BoundedConnection
    )
    connection.bound(path)
    return connection


def _has_empty_log(path: Path) -> bool:
    """Whether no committed data is in a log beside the file."""
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() or not log.stat().st_size


def _check(connection: sqlite3.Connection, path: Path, *, writes: bool) -> None:
    application, version, tables = (
        connection.execute(question).fetchone()[0]
        for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application != APPLICATION and tables:
        raise StoreError(
            f"{path} is a SQLite file but not a conversations-hub store; nothing was changed. Give another path"
        )
    if tables and version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version of conversations-hub (layout {version}, here {VERSION}):"
            " upgrade conversations-hub"
        )
    if tables and version < VERSION and not (writes and version == VERSION - 1):
        advice = f": run `conversations-hub sync --store {path}` once to upgrade it" if version else ""
        raise StoreError(
            f"{path} was written by an older version of conversations-hub (layout {version}, here {VERSION}){advice}"
        )
    for name, definition in connection.execute("SELECT name, sql FROM sqlite_master").fetchall():
        # A view could run forever. SQLite goes by the statement, not by the type that the file claims.
        if name in NAMES and not definition.startswith(NAMES[name]):
            raise StoreError(f"{path} was not made by a sync: {name} is not one of our tables")


def has_index(connection: sqlite3.Connection) -> bool:
    """Whether the store was made with a search index."""
    found = connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'turns_text'").fetchone()
    return bool(found[0])


def has_text_search(connection: sqlite3.Connection) -> bool:
    """Whether this build of SQLite has full-text search."""
    try:
        connection.execute("CREATE VIRTUAL TABLE temp.probe USING fts5 (text)")
    except sqlite3.OperationalError:
        return False
    connection.execute("DROP TABLE temp.probe")
    return True
