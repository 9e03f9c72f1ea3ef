"""What a process, by default this one, has taken of the machine, as Linux counts it."""

from __future__ import annotations

from pathlib import Path

__all__ = ["bytes_read", "bytes_written", "held", "most_held"]


def held(process: int | str = "self") -> float:
    """Return how many MB of memory it has."""
    return _kilobytes("VmRSS", process) / 1000


def most_held(process: int | str = "self") -> float:
    """Return how many MB of memory it had at most, so far."""
    return _kilobytes("VmHWM", process) / 1000


def _kilobytes(name: str, process: int | str) -> float:
    return 1.024 * _told("status", name, process)


def bytes_read() -> int:
    """Return how many bytes it has read from files so far, whether the disk or memory had them."""
    return _told("io", "rchar")


def bytes_written() -> int:
    """Return how many bytes it has written to files so far."""
    return _told("io", "wchar")


def _told(file: str, name: str, process: int | str = "self") -> int:
    lines = Path("/proc", str(process), file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
