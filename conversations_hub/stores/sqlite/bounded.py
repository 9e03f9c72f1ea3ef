"""A connection whose statements take no more work than a file of its size may ask for, whoever made the file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Final

__all__ = ["BoundedConnection", "reason_of"]

# In instructions of SQLite: it works off some fifty million a second, and a question that reads all of a store takes
# less than one for each of its bytes.
_STEP: Final = 1_000_000
_LEAST: Final = 200 * _STEP
_PER_BYTE: Final = 20


class BoundedConnection(sqlite3.Connection):
    """Interrupts a statement that goes on and on: a view that never ends, or words that stand everywhere."""

    def bound(self, path: Path) -> None:
        """Begin; the size of the file is looked up where it matters, for it may grow."""
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
        """Execute a statement, with all the work before it."""
        self._spent = 0
        return super().execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        """Execute a statement for each of many, with as much work for all."""
        self._spent = 0
        return super().executemany(*arguments)


def reason_of(error: sqlite3.Error) -> str:
    """Return what went wrong, in words, and nothing of what the file holds."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:  # it is Python's, and may quote a value
        return "it holds a value that no store does"
    if code == sqlite3.SQLITE_INTERRUPT:
        return "that takes more work than a store of its size should: ask for less, or look whether it is one of ours"
    return str(error)
