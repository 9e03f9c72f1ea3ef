"""The file of a store, opened to read or to write, and refused where it is none or one of another version."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from ...errors import StoreError
from .tables import APPLICATION, VERSION

__all__ = ["connected", "has_index", "has_text_search"]


def connected(path: Path, *, writes: bool = False) -> sqlite3.Connection:
    """Open a store's file; raise `StoreError` where it is none, or one of another version."""
    if not path.parent.is_dir():
        raise StoreError(f"{path}: there is no folder {path.parent}")
    if not writes and not path.exists():
        raise StoreError(f"{path}: no such file; `conversations-hub sync --store {path}` makes it")
    ways = ["mode=rwc"] if writes else ["mode=ro"]
    if not writes and _is_whole(path):
        # Where a sync was killed and nothing can be written beside the file, it can be read while nobody changes it.
        ways.append("mode=ro&immutable=1")
    reason = ""
    for way in ways:
        try:
            return _checked(_opened(path, way), path, writes=writes)
        except sqlite3.DatabaseError as error:
            reason = str(error)
    raise StoreError(f"{path}: {reason}")


def _checked(connection: sqlite3.Connection, path: Path, *, writes: bool) -> sqlite3.Connection:
    try:
        _check(connection, path, writes=writes)
    except BaseException:
        connection.close()
        raise
    return connection


def _opened(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{options}"
    return sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)


def _is_whole(path: Path) -> bool:
    """Whether nothing that was committed stands in a log beside the file."""
    log = path.with_name(f"{path.name}-wal")
    return not log.exists() or not log.stat().st_size


def _check(connection: sqlite3.Connection, path: Path, *, writes: bool) -> None:
    application, version, tables = (
        connection.execute(question).fetchone()[0]
        for question in ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
    )
    if application != APPLICATION and tables:
        raise StoreError(f"{path} is a SQLite file of something else; nothing was changed. Give another path")
    if tables and version > VERSION:
        raise StoreError(
            f"{path} was written by a newer version of conversations-hub (layout {version}, here {VERSION}):"
            " upgrade conversations-hub"
        )
    if tables and version < VERSION and not (writes and version == VERSION - 1):
        advice = f": run `conversations-hub sync --store {path}` once, which brings it up to date" if version else ""
        raise StoreError(
            f"{path} was written by an older version of conversations-hub (layout {version}, here {VERSION}){advice}"
        )


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
