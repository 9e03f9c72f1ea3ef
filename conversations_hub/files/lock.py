"""One at a time: locks on files that end with their process, so one that was killed holds nothing."""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path

from ..errors import StoreError
from .opening import open_own

__all__ = ["Lock", "flock", "needs_flock"]


def needs_flock() -> None:
    """Raise `StoreError` where the system has no such locks: on Windows."""
    try:
        import_module("fcntl")
    except ImportError:
        reason = "files are written on Linux and macOS only, this system has no flock: on Windows, use WSL"
    else:
        return
    raise StoreError(reason)


def flock(file: int) -> bool:
    """Take the lock on an open file, without waiting; False where somebody else has it."""
    import fcntl  # noqa: PLC0415  (POSIX only)

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


class Lock:
    """An exclusive lock on a store, in a file beside it that stays: whoever removed it might remove another's lock.

    A process that was killed holds nothing. Raises `StoreError` where another one has it.
    """

    def __init__(self, path: Path) -> None:
        needs_flock()
        if not path.parent.is_dir():
            raise StoreError(f"{path}: there is no folder {path.parent}")
        path = path.with_name(f"{path.name}.lock")
        try:
            self._file = open_own(path, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            reason = f"no place for its lock {path}: {error.strerror}"
        else:
            if flock(self._file):
                return
            os.close(self._file)
            reason = f"another sync is at work on it: {path} is locked. Wait for it to end, or stop it"
        raise StoreError(reason)

    def release(self) -> None:
        """Let the next one have it."""
        os.close(self._file)
