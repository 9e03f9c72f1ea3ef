"""The SQLite store: one file that any SQLite tool opens, with full-text search over all transcripts."""

from __future__ import annotations

from .._changes import Change
from ._reader import SQLiteReader
from ._store import SQLiteStore

__all__ = ["Change", "SQLiteReader", "SQLiteStore"]
