"""Writing files so that no kill and no loss of power leaves them half done."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from ..errors import StoreError
from .opening import open_own

__all__ = ["FileOps", "atomic_replace", "ensure_absent"]


class FileOps(msgspec.Struct, frozen=True, kw_only=True):
    """The system calls that change files, so that any of them can be made to fail."""

    open: Callable[[Path, int, int], int] = os.open
    write: Callable[[int, memoryview], int] = os.write
    truncate: Callable[[int, int], None] = os.ftruncate
    fdatasync: Callable[[int], None] = getattr(os, "fdatasync", os.fsync)  # macOS has none
    fsync: Callable[[int], None] = os.fsync
    rename: Callable[[Path, Path], None] = os.replace
    remove: Callable[[Path], None] = os.unlink

    def opened(self, path: Path, size: int) -> int:
        """Open a file to append to, cut to its first `size` bytes, and made where it is missing."""
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
        """Write all of it, and wait until the disk has it."""
        self._write(file, data)
        self.fdatasync(file)

    def replace(self, path: Path, pieces: Iterable[bytes]) -> None:
        """Write a file beside it, and put it in its place once the disk has it."""
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
            with suppress(OSError):  # on a full disk it would only be in the way
                self.remove(new)
            raise
        self.move(new, path)

    def move(self, source: Path, target: Path) -> None:
        """Rename a file, for good."""
        self.rename(source, target)
        self.sync_folder(target)

    def sync_folder(self, path: Path) -> None:
        """Wait until the disk knows the names in a file's folder."""
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
    """Lend a folder for files with the names of `paths`, which then take their places together.

    Whatever goes wrong, nothing of them is left; only after a kill the folder, `.export-…`, which nobody else may read.
    What goes wrong with a file is a `StoreError`.
    """
    folder = paths[0].parent
    if not folder.is_dir():
        raise StoreError(f"{paths[0]}: there is no folder {folder}")
    files = FileOps()
    try:
        if not overwrite:
            ensure_absent(*paths)
        with TemporaryDirectory(dir=folder, prefix=".export-") as lent:
            new = [Path(lent, path.name) for path in paths]
            yield Path(lent)
            for file in new:
                file.chmod(0o600)
                with file.open("rb") as data:
                    files.fsync(data.fileno())
            if not overwrite:  # it may have taken hours
                ensure_absent(*paths)
            for file, path in zip(new, paths, strict=True):
                files.move(file, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise StoreError(f"{paths[0]}: {reason}")


def ensure_absent(*paths: Path) -> None:
    """Raise `StoreError` where one of the files is there already."""
    for path in paths:
        if os.path.lexists(path):
            raise StoreError(f"{path} is there already. Give another path, or overwrite it")
