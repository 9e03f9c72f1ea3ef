"""A partial file: the start of a download, beside its target, with a note of what is needed to resume it.

Its methods block while they wait for the disk: call them in a thread. All of them raise `StoreError`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from glob import escape
from io import BufferedRandom
from pathlib import Path
from typing import Final

import msgspec

from ..errors import StoreError
from .atomic import FileOps
from .lock import flock, needs_flock
from .opening import open_own

__all__ = ["PartialFile", "parts_of"]

_KEPT_EVERY: Final = 16 * 1024 * 1024  # bytes
_LONGEST_NOTE: Final = 64 * 1024  # bytes
_LONGEST_NAME: Final = 96  # bytes of the target's name; a name may have 255, on some file systems 143


class _Note(msgspec.Struct):
    size: int
    """Bytes that are certainly on the disk."""
    validator: str
    whole: int | None = None
    """Bytes of the whole file, if known."""


_note = msgspec.json.Decoder(_Note)


def parts_of(folder: Path, stem: str) -> list[Path]:
    """Return the partial files in a folder whose targets' names start with `stem`, notes included."""
    return sorted(folder.glob(f".{escape(_beginning(stem))}*.part*"))


def _beginning(name: str) -> str:
    return name.encode(errors="ignore")[:_LONGEST_NAME].decode(errors="ignore")


class PartialFile:
    """The part of a file that is downloaded so far; it resumes what an interrupted attempt left.

    `identity` says what it is a part of, so that nothing else is ever appended to it. Raises `StoreError` if the target
    exists and `overwrite` is False, or if another download to it is in progress.
    """

    def __init__(self, target: Path, identity: str, *, overwrite: bool) -> None:
        needs_flock()
        digest = hashlib.sha256(f"{target.name}\n{identity}".encode(errors="surrogatepass")).hexdigest()[:16]
        self._target = target
        self._overwrite = overwrite
        self._path = target.with_name(f".{_beginning(target.name)}.{digest}.part")
        self._note = self._path.with_name(f"{self._path.name}.json")
        self._kept = 0
        self.size = 0
        """Bytes downloaded so far."""
        self.validator: str | None = None
        """An ETag or date to check that the rest belongs to the same file; None if there is none."""
        self.whole: int | None = None
        """Bytes of the whole file; None if unknown."""
        with self._on_disk():
            if not overwrite and os.path.lexists(target):
                raise FileExistsError
            self._file: BufferedRandom = os.fdopen(open_own(self._path, os.O_RDWR | os.O_CREAT), "r+b")
            try:
                self._lock()
                self._resume()
            except BaseException:
                self._file.close()
                raise

    def _lock(self) -> None:
        is_ours = False
        with suppress(OSError):  # the process that held it may have moved it to its target meanwhile
            is_ours = flock(self._file.fileno()) and os.path.samestat(
                os.fstat(self._file.fileno()), os.lstat(self._path)
            )
        if not is_ours:
            raise StoreError(f"another download to {self._target.name} is in progress")

    def _resume(self) -> None:
        note = None
        with suppress(FileNotFoundError, msgspec.DecodeError), os.fdopen(open_own(self._note), "rb") as file:
            note = _note.decode(file.read(_LONGEST_NOTE))
        if note is None or not 0 < note.size <= os.fstat(self._file.fileno()).st_size:
            self._begin(None)
            return
        self._file.truncate(self._file.seek(note.size))
        self.size = self._kept = note.size
        self.validator = note.validator
        self.whole = note.whole

    def begin(self, validator: str | None, whole: int | None = None) -> None:
        """Start over, with another version of the file."""
        with self._on_disk():
            self._begin(validator, whole)

    def _begin(self, validator: str | None, whole: int | None = None) -> None:
        self._note.unlink(missing_ok=True)
        self._file.truncate(self._file.seek(0))
        self.size = self._kept = 0
        self.validator = validator
        self.whole = whole

    def write(self, piece: bytes | bytearray) -> None:
        """Append bytes."""
        with self._on_disk():
            self._file.write(piece)
            self.size += len(piece)
            if self.size - self._kept >= _KEPT_EVERY:
                self._keep()

    def _keep(self) -> None:
        if self.validator is None:
            return
        size = self.size
        self._file.flush()
        os.fsync(self._file.fileno())
        note = msgspec.json.encode(_Note(size, self.validator, self.whole))
        with os.fdopen(open_own(self._note, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "wb") as file:
            file.write(note)
        self._kept = size

    def finish(self) -> str:
        """Move the whole file to the target, and return its SHA-256, as read from the disk, in hexadecimal."""
        with self._on_disk():
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.seek(0)
            digest = hashlib.file_digest(self._file, "sha256").hexdigest()
            if not self._overwrite:
                os.close(open_own(self._target, os.O_WRONLY | os.O_CREAT | os.O_EXCL))  # unless it exists by now
            FileOps().move(self._path, self._target)
            self._note.unlink(missing_ok=True)
            self._file.close()
        return digest

    def close(self) -> None:
        """Keep a part that can be resumed, and remove one that cannot; after `finish`, do nothing."""
        if self._file.closed:
            return
        with suppress(OSError), self._file:
            if self.size and self.validator is not None:
                self._keep()
            else:
                self._note.unlink(missing_ok=True)
                self._path.unlink()

    @contextmanager
    def _on_disk(self) -> Generator[None]:
        try:
            yield
        except FileExistsError:
            reason = f"{self._target.name} already exists: pass overwrite=True to replace it"
        except OSError as error:
            reason = f"{self._target.name} cannot be written: {error.strerror or type(error).__name__}"
        else:
            return
        raise StoreError(reason)
