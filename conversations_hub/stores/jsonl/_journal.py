"""The log beside the data: one line for each commit, with a checksum, because a partial line does not count."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Literal
from zlib import crc32

import msgspec

from ..._files.atomic import FileOps
from ..._files.opening import open_own
from ..._reporting import MAX_REPORTED
from ...errors import StoreError
from .._erasure import tombstone
from .._fingerprint import FIRST_LAYOUT
from .._store import ERASED, Checkpoint, Missing, StoredVersion, Window
from .._untrusted import Instant, lines_of

__all__ = [
    "AccountTotal",
    "Begun",
    "Committed",
    "Erased",
    "Finished",
    "Journal",
    "JournalState",
    "Line",
    "Manifest",
    "Remembered",
    "key_of",
]


class AccountTotal(msgspec.Struct, frozen=True, kw_only=True):
    """What a finished file has of one account."""

    conversations: int
    window: Window | None
    """The span that was walked to its end."""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a finished file."""

    conversations: int
    providers: dict[str, int]
    """Conversations by provider."""
    accounts: dict[str, AccountTotal]
    """By "provider/account"."""
    missing: dict[str, Missing] = {}
    """What the last run could not fetch, by "provider/account", for each account that lacks something."""
    size: int
    """Bytes."""
    sha256: str
    compress: bool
    terms: dict[str, str]
    """The options of the last run."""
    versions: dict[str, str]
    """Of the layout, and of conversations-hub."""


class Remembered(msgspec.Struct, frozen=True, array_like=True):
    """An entry of a commit."""

    id: str
    is_written: bool
    """Whether it has a line in the data; it has none if its content was already there."""
    row: bytes
    content: bytes
    settles_at: Instant | None
    listed: bytes | None = None
    failing_since: Instant | None = None


class Begun(msgspec.Struct, frozen=True, kw_only=True, tag="begun"):
    """A run starts, from nothing or from a finished file."""

    version: Literal[1, 2] = 2
    """1: the data starts with a copy of the finished file."""
    terms: dict[str, str]
    compress: bool
    offset: int
    """Bytes of data: the size of that copy, else 0."""
    base: int = 0
    """Bytes of the finished file whose lines count before those of the data."""
    replaces: bool
    """Whether there is a finished file, which stays until this run replaces it."""


class Committed(msgspec.Struct, frozen=True, kw_only=True, tag="committed"):
    """Data was written."""

    version: Literal[1, 2] = 2
    """1: its fingerprints used another digest."""
    offset: int
    """Bytes of data that count."""
    count: int
    """Conversations in them."""
    account: str
    progress: Checkpoint
    entries: Sequence[Remembered]
    """A conversation that is written again is superseded: its last line counts."""


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """Everything is written; only the files are still to be renamed."""

    version: Literal[1] = 1
    rewritten: bool
    """Whether the data was rewritten without superseded lines."""
    manifest: Manifest


class Erased(msgspec.Struct, frozen=True, kw_only=True, tag="erased"):
    """Conversations were erased, from this log as well.

    As the last line, or before the last `Finished`, it says that the data was rewritten beside its final place.
    """

    version: Literal[1] = 1
    salt: bytes
    tombstones: Sequence[bytes]
    """Of all conversations ever erased."""
    offset: int
    """Bytes of data that count, if a run is in progress; they then include the lines of the finished file."""


Line = Begun | Committed | Erased | Finished

_encoder = msgspec.json.Encoder()
_line: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Journal:
    """The log of a store."""

    def __init__(self, path: Path, files: FileOps, opens: Callable[[Path], int] = open_own) -> None:
        self.path = path
        self._files = files
        self._opens = opens  # for reading
        self._file = -1
        self._size = 0

    def lines(self) -> Iterator[Line]:
        """Yield the lines up to the first incomplete one; `open` cuts off the rest."""
        if not os.path.lexists(self.path):
            return
        with os.fdopen(self._opens(self.path), "rb") as file:
            for line in lines_of(file):
                checksum, _, said = line.removesuffix(b"\n").partition(b" ")
                if not line.endswith(b"\n") or checksum != _checksum(said):
                    return
                yield self._read(said)
                self._size += len(line)

    def _read(self, said: bytes) -> Line:
        try:
            return _line.decode(said)
        except msgspec.DecodeError:
            reason = f"{self.path} was written by another version of conversations-hub: continue with that version"
        raise StoreError(reason)

    def begin(self, lines: Iterable[Line]) -> None:
        """Replace the log by a new one, or leave it unchanged."""
        size = 0

        def texts() -> Iterator[bytes]:
            nonlocal size
            for text in map(_encode, lines):
                size += len(text)
                yield text

        self._files.replace(self.path, texts())
        self._size = size

    def open(self) -> int:
        """Open the log for appending, and return its file descriptor, which the caller closes."""
        self._file = self._files.opened(self.path, self._size)
        return self._file

    def append(self, line: Line) -> None:
        """Append a line, and wait until it is on the disk."""
        self._files.append(self._file, _encode(line))


def _encode(line: Line) -> bytes:
    said = _encoder.encode(line)
    return b"%s %s\n" % (_checksum(said), said)


def _checksum(said: bytes) -> bytes:
    return b"%08x" % crc32(said)


class JournalState:
    """What the journal says, in less than 200 bytes per conversation, because there may be millions."""

    def __init__(self) -> None:
        self.begun: Begun | None = None
        self.finished: Finished | None = None
        self.last: Line | None = None
        self.offset = 0
        """Bytes of data that count."""
        self.base = 0
        """Bytes of the finished file that count before those."""
        self.salt = b""
        self.tombstones: frozenset[bytes] = frozenset()
        self.progress: dict[str, Checkpoint] = {}
        self.conversations: Counter[str] = Counter()
        """By account."""
        self.superseded: Counter[bytes] = Counter()
        """How many lines of a conversation no longer count, by its key."""
        self._kept: dict[bytes, bytes] = {}
        self._unsettled: defaultdict[str, set[str]] = defaultdict(set)
        self._not_loaded: defaultdict[str, set[str]] = defaultdict(set)

    @property
    def count(self) -> int:
        """The number of conversations."""
        return self.conversations.total()

    def take(self, line: Line) -> None:
        """Apply a line that was read or written."""
        self.last = line
        match line:
            case Begun():
                self.begun, self.finished, self.offset, self.base = line, None, line.offset, line.base
            case Erased():
                self.salt, self.tombstones = line.salt, frozenset(line.tombstones)
                self.offset, self.base = line.offset, 0
                self.superseded.clear()
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
        """Return what each account lacks, for those that lack something."""
        return {
            account: Missing(
                unreadable=unreadable.get(account, 0),
                not_loaded=len(self._not_loaded[account]),
                ids=sorted(self._not_loaded[account])[:MAX_REPORTED],
            )
            for account in sorted(self.progress)
            if self._not_loaded[account] or account in unreadable
        }

    def kept(self, account: str, ids: Iterable[str]) -> dict[str, StoredVersion]:
        """Return the stored versions of those that are in the store or were erased, by id."""
        kept: dict[str, StoredVersion] = {}
        for id in ids:
            packed = self._kept.get(key_of(account, id))
            if packed is not None:
                kept[id] = StoredVersion(*_unpacking.decode(packed))
            elif self.is_erased(account, id):
                kept[id] = ERASED
        return kept

    def is_erased(self, account: str, id: str) -> bool:
        """Whether a conversation was erased, and must not come back."""
        return bool(self.tombstones) and tombstone(self.salt, account, id) in self.tombstones

    def unsettled(self, account: str) -> dict[str, StoredVersion]:
        """Return the stored versions of those that are to be fetched again, by id."""
        return self.kept(account, sorted(self._unsettled[account]))


_packing = msgspec.msgpack.Encoder()
_unpacking = msgspec.msgpack.Decoder(tuple[bytes, bytes, datetime | None, bytes | None, datetime | None])


def key_of(account: str, id: str) -> bytes:
    """Return twelve bytes for a conversation: shorter than its id, and no two of a trillion share them by chance."""
    return blake2b(f"{account}:{id}".encode(), digest_size=12).digest()
