"""Open a SQLite file of our own, which any number of processes write, and whose commits survive a power loss."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import msgspec

from ..errors import StoreError
from .lock import Lock
from .opening import open_own, own_path, own_size
from .presence import check_folder

__all__ = ["Layout", "beside", "claim", "open_database"]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """What a file holds."""

    what: str
    """In a word with its article: `an inbox`."""
    application: int
    """https://www.sqlite.org/fileformat2.html#application_id"""
    version: int
    tables: str
    """The statements that make the tables."""


def open_database(path: Path, layout: Layout) -> sqlite3.Connection:
    """Open a file, and create it if it is missing; it and the files beside it must be ours alone.

    Raises:
        StoreError: it is something else, or of a newer version.
        OSError: it cannot be opened, or others could have written it.
        sqlite3.Error: it is damaged.
    """
    check_folder(path)
    real = own_path(path)
    lock = Lock(real, waits=True)  # two processes must not create it at once
    try:
        return _opened(real, layout)
    finally:
        lock.release()


def claim(path: Path) -> None:
    """Create a database's file if it is missing; raise `OSError` unless it and the files beside it are ours alone."""
    if own_size(path, writes=True) is None:
        os.close(open_own(path, os.O_RDWR | os.O_CREAT | os.O_EXCL))
    for file in beside(path):
        own_size(file, writes=True)


def beside(path: Path) -> list[Path]:
    """Return the files beside a database's that SQLite opens and trusts."""
    real = path.resolve()
    return [real.with_name(f"{real.name}{end}") for end in ("-wal", "-shm", "-journal")]


def _opened(real: Path, layout: Layout) -> sqlite3.Connection:
    claim(real)
    connection = sqlite3.connect(
        f"{real.as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False, timeout=10.0
    )
    try:
        _prepare(connection, real, layout)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, layout: Layout) -> None:
    execute = connection.execute
    (tables,) = execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        execute("PRAGMA journal_mode = WAL")
        connection.executescript(
            f"BEGIN IMMEDIATE; PRAGMA application_id = {layout.application}; PRAGMA user_version = {layout.version};"
            f"{layout.tables} COMMIT;"
        )
    application, version = (execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version"))
    if application != layout.application:
        raise StoreError(f"{path} is a SQLite file but not {layout.what}; nothing was changed. Give another path")
    if version != layout.version:
        raise StoreError(
            f"{path} was written by a newer version of conversations-hub (layout {version}, here {layout.version}):"
            " upgrade conversations-hub"
        )
    execute("PRAGMA synchronous = FULL")  # in other modes a power loss takes the last commits
    execute("PRAGMA secure_delete = ON")
    execute("PRAGMA cell_size_check = ON")
    # After a failure of the disk the log may have a gap. What can be read goes to the file itself, and the log begins
    # anew.
    execute("PRAGMA wal_checkpoint(TRUNCATE)")
