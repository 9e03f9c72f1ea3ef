"""What was committed to a file, as a log beside it: a line each, with a checksum, for half a line does not count."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Literal
from zlib import crc32

import msgspec

from ..errors import StoreError
from ..hub.reader import MOST_TOLD
from .fingerprint import FIRST_LAYOUT
from .store import Kept, Missing, Progress, Window

__all__ = ["Begun", "Committed", "Files", "Finished", "Journal", "Known", "Manifest", "Remembered", "Total", "key_of"]


class Files(msgspec.Struct, frozen=True, kw_only=True):
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
        file = self.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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
        try:
            file = self.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
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


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What of one account is in a finished file."""

    conversations: int
    window: Window | None
    """The span of time that was walked to its end."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a finished file."""

    conversations: int
    providers: dict[str, int]
    """Conversations by provider."""
    accounts: dict[str, Total]
    """By "provider/account"."""
    missing: dict[str, Missing] = {}
    """What the last run could not have, by "provider/account"; an account that lacks nothing is not named."""
    size: int
    """Bytes."""
    sha256: str
    compress: bool
    terms: dict[str, str]
    """What the last run was asked for."""
    versions: dict[str, str]
    """Of the layout, and of what wrote it."""


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """An entry of a commit."""

    id: str
    is_written: bool
    """Whether it has a line in the data; it has none where its content was there already."""
    row: bytes
    content: bytes
    settles_at: datetime | None
    listed: bytes | None = None
    failing_since: datetime | None = None


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    """A run begins, with nothing or with a copy of a finished file."""

    version: Literal[1] = 1
    terms: dict[str, str]
    compress: bool
    offset: int
    """Bytes of that copy."""
    replaces: bool
    """Whether there is a finished file, which stays until this run has one to put in its place."""


class Committed(msgspec.Struct, frozen=True, kw_only=True, tag="committed"):
    """Data was written."""

    version: Literal[1, 2] = 2
    """1: its fingerprints were digested in another way."""
    offset: int
    """Bytes of data that count."""
    count: int
    """Conversations in them."""
    account: str
    progress: Progress
    entries: Sequence[Remembered]
    """A conversation that is there already and is written again is superseded: its last line counts."""


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """Everything is written, and all that is left is to give the files their names."""

    version: Literal[1] = 1
    rewritten: bool
    """Whether the data was written anew, without the lines that were superseded."""
    manifest: Manifest


Line = Begun | Committed | Finished

_encoder = msgspec.json.Encoder()
_line: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Journal:
    """The log of one file."""

    def __init__(self, path: Path, files: Files) -> None:
        self.path = path
        self._files = files
        self._file = -1
        self._size = 0

    def lines(self) -> Iterator[Line]:
        """Yield what was written whole, up to the first line that was not; `open` cuts off the rest."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for line in file:
                checksum, _, said = line.removesuffix(b"\n").partition(b" ")
                if not line.endswith(b"\n") or checksum != _checksum(said):
                    return
                yield self._read(said)
                self._size += len(line)

    def _read(self, said: bytes) -> Line:
        try:
            return _line.decode(said)
        except msgspec.DecodeError:
            reason = f"{self.path} was written by another version of conversations-hub; go on with that one"
        raise StoreError(reason)

    def begin(self, line: Begun) -> None:
        """Put a new log in the place of what is there."""
        text = _written(line)
        self._files.replace(self.path, [text])
        self._size = len(text)

    def open(self) -> int:
        """Make it ready for more, and return the file, which is to be closed."""
        self._file = self._files.opened(self.path, self._size)
        return self._file

    def append(self, line: Line) -> None:
        """Add a line, and wait until the disk has it."""
        self._files.append(self._file, _written(line))


def _written(line: Line) -> bytes:
    said = _encoder.encode(line)
    return b"%s %s\n" % (_checksum(said), said)


def _checksum(said: bytes) -> bytes:
    return b"%08x" % crc32(said)


class Known:
    """What the journal tells; of each conversation less than 200 bytes, for there may be millions."""

    def __init__(self) -> None:
        self.begun: Begun | None = None
        self.finished: Finished | None = None
        self.offset = 0
        self.progress: dict[str, Progress] = {}
        self.conversations: Counter[str] = Counter()
        """By account."""
        self.superseded: Counter[bytes] = Counter()
        """How many lines of a conversation no longer count, by its key."""
        self._kept: dict[bytes, bytes] = {}
        self._unsettled: defaultdict[str, set[str]] = defaultdict(set)
        self._not_loaded: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def count(self) -> int:
        """Conversations."""
        return self.conversations.total()

    def take(self, line: Line) -> None:
        """Learn what a line says, whether it was read or written."""
        match line:
            case Begun():
                self.begun, self.finished, self.offset = line, None, line.offset
            case Committed():
                self.offset = line.offset
                self.progress[line.account] = line.progress
                mark = FIRST_LAYOUT if line.version == 1 else b""
                for entry in line.entries:
                    self._remember(line.account, entry, mark)
            case Finished():
                self.finished = line
                self.superseded.clear()

    def _remember(self, account: str, entry: Remembered, mark: bytes) -> None:
        key = key_of(account, entry.id)
        if key not in self._kept:
            self.conversations[account] += 1
        elif entry.is_written:
            self.superseded[key] += 1
        row, content = mark + entry.row, mark + entry.content
        self._kept[key] = _packing.encode((row, content, entry.settles_at, entry.listed, entry.failing_since))
        for known, holds in ((self._unsettled, entry.settles_at), (self._not_loaded, entry.failing_since)):
            if holds is None:
                known[account].discard(entry.id)
            else:
                known[account].add(entry.id)

    def missing(self, unreadable: Mapping[str, int]) -> dict[str, Missing]:
        """Return what is not there, by account, where something is not."""
        return {
            account: Missing(
                unreadable=unreadable.get(account, 0),
                not_loaded=len(self._not_loaded[account]),
                ids=sorted(self._not_loaded[account])[:MOST_TOLD],
            )
            for account in sorted(self.progress)
            if self._not_loaded[account] or account in unreadable
        }

    def kept(self, account: str, ids: Iterable[str]) -> dict[str, Kept]:
        """Return what is remembered of those that are there, by id."""
        found = ((id, self._kept.get(key_of(account, id))) for id in ids)
        return {id: Kept(*_unpacking.decode(packed)) for id, packed in found if packed is not None}

    def unsettled(self, account: str) -> dict[str, Kept]:
        """Return what is remembered of those that are to be looked at again, by id."""
        return self.kept(account, sorted(self._unsettled[account]))


_packing = msgspec.msgpack.Encoder()
_unpacking = msgspec.msgpack.Decoder(tuple[bytes, bytes, datetime | None, bytes | None, datetime | None])


def key_of(account: str, id: str) -> bytes:
    """Return twelve bytes that no two of a trillion conversations share by chance, and that are less than their ids."""
    return blake2b(f"{account}:{id}".encode(), digest_size=12).digest()
