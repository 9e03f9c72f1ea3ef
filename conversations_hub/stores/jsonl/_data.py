"""The files of a JSONL store: which lines count, and which names the log gives the files."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from hashlib import file_digest
from io import BufferedReader
from itertools import chain
from pathlib import Path
from typing import Final

import msgspec

from ..._files.atomic import FileOps
from ..._files.opening import open_own, own_size
from ...schema import Conversation
from ...version import __version__
from .._store import Missing
from .._untrusted import lines_of
from ._journal import AccountTotal, Committed, Erased, Finished, Journal, JournalState, Line, Manifest, key_of

__all__ = ["Data", "Name", "packed", "size_of"]

_PIECE: Final = 2**20  # bytes compressed at a time
_LEVEL: Final = 6  # of compression: 9 takes twice as long to save one percent


class Name(msgspec.Struct, frozen=True):
    """The members of a line that identify its conversation."""

    provider: str
    account: str
    id: str

    @property
    def where(self) -> str:
        """The account, as "provider/account"."""
        return f"{self.provider}/{self.account}"

    @property
    def ref(self) -> str:
        """The ref of the conversation."""
        return Conversation(provider=self.provider, account=self.account, id=self.id).ref


_name = msgspec.json.Decoder(Name)
_encoder = msgspec.json.Encoder()


class Data:
    """The files of a store, and what its log says about them. The caller must hold the store's lock."""

    def __init__(self, path: Path, files: FileOps) -> None:
        self.path = path
        self.partial, self.rewritten, self.manifest = (
            path.with_name(path.name + end) for end in (".partial", ".rewritten", ".manifest.json")
        )
        self.files = files
        self.journal = Journal(path.with_name(f"{path.name}.journal"), files)
        self.known = JournalState()
        for line in self.journal.lines():
            self.known.take(line)

    @property
    def is_compressed(self) -> bool:
        """Whether the files are gzip."""
        if self.known.finished is not None:
            return self.known.finished.manifest.compress
        return self.known.begun is not None and self.known.begun.compress

    @property
    def replaces(self) -> bool:
        """Whether a run is in progress while a finished file stays until the new one is finished."""
        return self.known.begun is not None and self.known.begun.replaces

    def complete(self) -> bool:
        """Give the files their final names, and return whether they have them; it is safe to repeat."""
        if self.known.finished is not None:
            return self._complete_finished(self.known.finished)
        if isinstance(self.known.last, Erased):
            self._complete_erased(self.known.last)
        return size_of(self.partial) >= self.known.offset and self.has_base

    @property
    def has_base(self) -> bool:
        """Whether the finished file is the one that the run in progress continues."""
        return not self.known.base or own_size(self.path) == self.known.base

    def _complete_finished(self, finished: Finished) -> bool:
        source = self.rewritten if finished.rewritten else self.partial
        if own_size(source) == finished.manifest.size:
            self.files.move(source, self.path)
        if own_size(self.path) != finished.manifest.size:
            return False
        if self.partial.exists():
            self.files.remove(self.partial)
        self._describe(finished.manifest)
        return True

    def _complete_erased(self, erased: Erased) -> None:
        if own_size(self.rewritten) == erased.offset:
            self.files.move(self.rewritten, self.partial)
        if self.replaces and self.path.exists():
            self._strip()

    def _strip(self) -> None:
        """Remove from the finished file, which stays for now, what was erased during a run in progress."""
        known = self.known
        if any(known.is_erased(name.where, name.id) for name, _ in self._read(self.path)):
            left = (line for name, line in self._read(self.path) if not known.is_erased(name.where, name.id))
            self.files.replace(self.path, self.pieces(left))
        if self.manifest.exists():
            before = msgspec.json.decode(_content(self.manifest), type=Manifest)
            if before.size != size_of(self.path):
                counted = Counter(name.where for name, _ in self._read(self.path))
                self._describe(self._recounted(before, counted))

    def _recounted(self, before: Manifest, counted: Counter[str]) -> Manifest:
        replace = msgspec.structs.replace
        missing: dict[str, Missing] = {}
        for account, one in before.missing.items():
            missing[account] = replace(one, ids=[id for id in one.ids if not self.known.is_erased(account, id)])
        return replace(
            before,
            conversations=counted.total(),
            providers=_by_provider(counted),
            accounts={
                account: replace(one, conversations=counted[account]) for account, one in before.accounts.items()
            },
            missing=missing,
            size=size_of(self.path),
            sha256=_sha256(self.path),
        )

    def _describe(self, manifest: Manifest) -> None:
        text = msgspec.json.format(_encoder.encode(manifest), indent=2) + b"\n"
        if own_size(self.manifest) is None or _content(self.manifest) != text:
            self.files.replace(self.manifest, [text])

    def remove_leftovers(self) -> None:
        """Remove the temporary files of a run that was killed while it wrote them."""
        new = (path.with_name(f"{path.name}.new") for path in (*self._all, self.journal.path))
        for path in (*new, self.rewritten):
            if os.path.lexists(path):
                self.files.remove(path)

    @property
    def _all(self) -> tuple[Path, ...]:
        return self.path, self.partial, self.rewritten, self.manifest

    def lines(self) -> Iterator[tuple[Name, bytes]]:
        """Yield the lines that count, each with its name; superseded lines do not count."""
        superseded = self.known.superseded.copy()
        for name, line in self._all_lines():
            key = key_of(name.where, name.id)
            if superseded[key]:
                superseded[key] -= 1
            else:
                yield name, line

    def _all_lines(self) -> Iterator[tuple[Name, bytes]]:
        if self.known.finished is not None or self.known.base:
            yield from self._read(self.path)
        if self.known.finished is None and self.known.offset:
            yield from self._read(self.partial)

    def _read(self, path: Path) -> Iterator[tuple[Name, bytes]]:
        with _reader(path) as file, gzip.open(file) if self.is_compressed else file as lines:
            for line in lines_of(lines):
                yield _name.decode(line), line

    def pieces(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the file content for some lines, in pieces."""
        some: list[bytes] = []
        size = 0
        for line in lines:
            some.append(line)
            size += len(line)
            if size >= _PIECE:
                yield packed(some, compress=self.is_compressed)
                some, size = [], 0
        yield packed(some, compress=self.is_compressed)

    def described(
        self, known: JournalState, path: Path, terms: Mapping[str, str], unreadable: Mapping[str, int]
    ) -> Manifest:
        """Return the manifest of a finished file."""
        return Manifest(
            conversations=known.count,
            providers=_by_provider(known.conversations),
            accounts={
                account: AccountTotal(conversations=known.conversations[account], window=progress.covered)
                for account, progress in sorted(known.progress.items())
            },
            missing=known.missing(unreadable),
            size=size_of(path),
            sha256=_sha256(path),
            compress=self.is_compressed,
            terms=dict(terms),
            versions={"layout": "1", "conversations-hub": __version__},
        )

    def rewrite(self, gone: Collection[tuple[str, str]], erased: Erased) -> None:
        """Rewrite data and log without some conversations, given by account and id.

        A kill leaves everything as it was, or as `complete` can complete it.
        """
        left = (line for name, line in self.lines() if (name.where, name.id) not in gone)
        self.files.replace(self.rewritten, self.pieces(left))
        finished = self.known.finished
        known = JournalState()
        for line in self._log_without(gone):
            known.take(line)
        ends: list[Line] = [erased]
        if finished is None:
            ends = [msgspec.structs.replace(erased, offset=size_of(self.rewritten))]
        else:
            unreadable = {account: missing.unreadable for account, missing in finished.manifest.missing.items()}
            manifest = self.described(known, self.rewritten, finished.manifest.terms, unreadable)
            ends.append(Finished(rewritten=True, manifest=manifest))
        self.journal.begin(chain(self._log_without(gone), ends))
        for line in ends:
            known.take(line)
        self.known = known
        self.complete()

    def _log_without(self, gone: Collection[tuple[str, str]]) -> Iterator[Line]:
        if self.known.begun is not None:
            yield self.known.begun
        for line in Journal(self.journal.path, self.files).lines():
            if isinstance(line, Committed):
                entries = [entry for entry in line.entries if (line.account, entry.id) not in gone]
                yield msgspec.structs.replace(line, entries=entries)


def packed(lines: Iterable[bytes], *, compress: bool) -> bytes:
    """Return the file content for some lines."""
    data = b"".join(lines)
    # A separate gzip member, so that the file can be read up to any commit; no timestamp, so that runs agree.
    return gzip.compress(data, _LEVEL, mtime=0) if data and compress else data


def _by_provider(counted: Counter[str]) -> dict[str, int]:
    providers: Counter[str] = Counter()
    for account, count in sorted(counted.items()):
        providers[account.partition("/")[0]] += count
    return dict(providers)


def _sha256(path: Path) -> str:
    with _reader(path) as file:
        return file_digest(file, "sha256").hexdigest()


def size_of(path: Path) -> int:
    """Return the size of a file in bytes, or 0 if there is none."""
    return own_size(path) or 0


def _reader(path: Path) -> BufferedReader:
    return os.fdopen(open_own(path), "rb")


def _content(path: Path) -> bytes:
    with _reader(path) as file:
        return file.read()
