"""A lock on an open file that ends with its process: a process that was killed holds nothing."""

from __future__ import annotations

from importlib import import_module

from .errors import StoreError

__all__ = ["flock", "needs_flock"]


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
