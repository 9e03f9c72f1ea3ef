"""Write files so that no kill and no power loss leaves them half-written."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ..errors import StoreError
from .opening import open_own
from .presence import check_folder

__all__ = ["FileOps", "atomic_replace"]


class FileOps(msgspec.Struct, frozen=True, kw_only=True):
    """The system calls that change files; tests can make any of them fail. All methods raise `OSError`."""

    open: Callable[[Path, int, int], int] = os.open
    write: Callable[[int, memoryview], int] = os.write
    truncate: Callable[[int, int], None] = os.ftruncate
    fdatasync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has none
    fsync: Callable[[int], None] = os.fsync
    rename: Callable[[Path, Path], None] = os.replace
    remove: Callable[[Path], None] = os.unlink

    def opened(self, path: Path, size: int) -> int:
        """Open a file for appending, cut to its first `size` bytes, or created if missing; return its descriptor."""
        file = open_own(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, call=self.open)
        try:
            if os.fstat(file).st_size > size:
                self.truncate(file, size)
                self.fsync(file)
            self.sync_folder(path)
        except BaseException:
            os.close(file)
            raise
        return file

    def append(self, file: int, data: bytes) -> None:
        """Append data, and wait until it is on the disk."""
        self._write(file, data)
        self.fdatasync(file)

    def replace(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Write a new file beside `path`, and rename it to `path` once it is on the disk."""
        new = path.with_name(f"{path.name}.new")
        file = open_own(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, call=self.open)
        try:
            try:
                for piece in pieces:
                    self._write(file, piece)
                self.fsync(file)
            finally:
                os.close(file)
        except OSError:
            with suppress(OSError):  # on a full disk it would only take up space
                self.remove(new)
            raise
        self.move(new, path)

    def move(self, source: Path, target: Path) -> None:
        """Rename a file, and wait until the new name is on the disk."""
        self.rename(source, target)
        self.sync_folder(target)

    def sync_folder(self, path: Path) -> None:
        """Wait until the names in a file's folder are on the disk."""
        folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.fsync(folder)
        finally:
            os.close(folder)

    def _write(self, file: int, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self.write(file, left) :]


@contextmanager
def atomic_replace(*paths: Path, overwrite: bool) -> Generator[Path]:
    """Yield a temporary folder for files with the names of `paths`, which are moved there together at the end.

    After an error nothing is left of them. After a kill the folder `.export-…` is left, which only its owner may read.

    Raises:
        StoreError: a file cannot be written, or it exists and `overwrite` is False.
    """
    folder = paths[0].parent
    check_folder(paths[0])
    files = FileOps()
    try:
        if not overwrite:
            _ensure_absent(*paths)
        with TemporaryDirectory(dir=folder, prefix=".export-") as lent:
            new = [Path(lent, path.name) for path in paths]
            yield Path(lent)
            for file in new:
                file.chmod(0o600)
                with file.open("rb") as data:
                    files.fsync(data.fileno())
            if not overwrite:  # writing may have taken hours
                _ensure_absent(*paths)
            for file, path in zip(new, paths, strict=True):
                files.move(file, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise StoreError(f"{paths[0]}: {reason}")


def _ensure_absent(*paths: Path) -> None:
    for path in paths:
        if os.path.lexists(path):
            raise StoreError(f"{path} already exists. Give another path, or pass overwrite=True (--overwrite)")
