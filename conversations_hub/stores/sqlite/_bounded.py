"""A connection that bounds the work of each statement by the size of the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

__all__ = ["BoundedConnection", "reason_of"]

# In SQLite instructions: it executes about fifty million a second, and a query that reads a whole store takes less than
# one per byte.
_STEP: Final = 1_000_000
_LEAST: Final = 200 * _STEP
_PER_BYTE: Final = 20


class BoundedConnection(sqlite3.Connection):
    """Interrupts a statement that takes too much work: a view that never ends, or words that are everywhere."""

    def bound(self, path: Path) -> None:
        """Set the file whose size is the bound; it is looked up when needed, because the file may grow."""
        self._path = path
        self._spent = 0
        self.set_progress_handler(self._is_too_much, _STEP)

    def _is_too_much(self) -> bool:
        self._spent += _STEP
        if self._spent <= _LEAST:
            return False
        log = self._path.with_name(f"{self._path.name}-wal")
        size = sum(file.stat().st_size for file in (self._path, log) if file.exists())
        return self._spent > _LEAST + _PER_BYTE * size

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement, with a new allowance of work."""
        self._spent = 0
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement for many values, with one allowance of work for all."""
        self._spent = 0
        return super().executemany(*arguments)


def reason_of(error: sqlite3.Error) -> str:
    """Return what went wrong, in words, without quoting the content of the file."""
    code = getattr(error, "sqlite_errorcode", None)
    # Raised by Python, which may quote a value, or by `json_array`.
    if code is None or "cannot hold BLOB" in str(error):
        return "it contains an invalid value"
    if code == sqlite3.SQLITE_INTERRUPT:
        return "this takes more work than a store of its size should: narrow the query, or check where the file is from"
    return str(error)
