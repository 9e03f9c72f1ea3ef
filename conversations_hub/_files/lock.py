"""Locks on files, which end with their process, so that a killed one holds nothing."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Final

from ..errors import StoreError
from .opening import open_own
from .presence import check_folder

__all__ = ["Lock", "flock", "needs_flock"]

_WRITES: Final = "another sync is running on it, or another command is writing it"


def needs_flock() -> None:
    """Raise `StoreError` if the system has no such locks, as on Windows."""
    try:
        import_module("fcntl")
    except ImportError:
        reason = "this system has no flock, so files cannot be written: use Linux or macOS, or WSL on Windows"
    else:
        return
    raise StoreError(reason)


def flock(file: int, *, waits: bool = False) -> bool:
    """Lock an open file; unless it `waits`, return False if another process holds the lock."""
    import fcntl  # noqa: PLC0415  (POSIX only)

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
    except OSError:
        return False
    return True


class Lock:
    """An exclusive lock on a file, in one beside it that stays: removing it could remove another process's lock.

    A killed process holds no lock. Raises `StoreError` if another process holds it, unless it `waits`, or if its file
    cannot be created. `held` says what then goes on, for people; by default, what writes a store.
    """

    def __init__(self, path: Path, *, waits: bool = False, held: str = _WRITES) -> None:
        needs_flock()
        check_folder(path)
        path = path.with_name(f"{path.name}.lock")
        try:
            self._file = open_own(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            reason = f"cannot create the lock {path}: {error.strerror}"
        else:
            if flock(self._file, waits=waits):
                return
            os.close(self._file)
            reason = f"{held}: {path} is locked. Wait for it to end, or stop it"
        raise StoreError(reason)

    def release(self) -> None:
        """Release the lock."""
        os.close(self._file)
