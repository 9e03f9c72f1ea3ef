"""A disk on which a chosen call fails, and which can lose what was not synced."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from conversations_hub._files.atomic import FileOps

__all__ = ["Disk", "Killed"]


class Killed(BaseException):
    """Stands for a process that ends there and then."""


class Disk:
    """The real files, though nobody waits for the disk; the call with a number, of some kinds, can go wrong."""

    def __init__(
        self, wrong: BaseException | None = None, *, at: int = -1, kinds: Sequence[str] = FileOps.__struct_fields__
    ) -> None:
        self.calls = 0
        self.all_calls: list[str] = []
        self._wrong = wrong
        self._at = at
        self._kinds = kinds
        self._synced: dict[int, int] = {}
        real: dict[str, Callable[..., Any]] = {name: getattr(FileOps(), name) for name in FileOps.__struct_fields__}
        real |= {"open": self._open, "fsync": self._sync, "fdatasync": self._sync}
        self.files = FileOps(**{name: self._watched(name, call) for name, call in real.items()})

    def _open(self, path: Path, flags: int, mode: int) -> int:
        file = os.open(path, flags, mode)
        self._sync(file)
        return file

    def _sync(self, file: int) -> None:
        found = os.fstat(file)
        self._synced[found.st_ino] = found.st_size

    def _watched(self, kind: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            self.all_calls.append(kind)
            if kind in self._kinds:
                self.calls += 1
                if self.calls - 1 == self._at and self._wrong is not None:
                    if kind == "write":
                        file, data = arguments
                        call(file, data[: len(data) // 2])
                    raise self._wrong
            return call(*arguments)

        return watched

    def lose_power(self, *paths: Path) -> None:
        """Take from files what nobody waited for."""
        for path in paths:
            if path.exists():
                found = path.stat()
                os.truncate(path, min(found.st_size, self._synced.get(found.st_ino, found.st_size)))
