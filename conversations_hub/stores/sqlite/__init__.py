"""The SQLite store: one file that any SQLite tool opens, with full-text search over all transcripts."""

from __future__ import annotations

from ._reader import SQLiteReader
from ._store import SQLiteStore

__all__ = ["SQLiteReader", "SQLiteStore"]
