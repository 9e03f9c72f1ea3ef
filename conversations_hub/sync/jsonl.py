"""The JSONL store: a conversation on each line of one file, which no kill or full disk leaves half done.

`NAME` is there once a run brought everything, `NAME.manifest.json` says what is in it. Until then the lines stand in
`NAME.partial`. `NAME.journal` says how much of that counts, and what is remembered of each conversation; it stays, for
the next run to go on with.
"""

from __future__ import annotations

import errno
import gzip
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from hashlib import file_digest
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from ..errors import StoreError
from ..version import __version__
from .document import document
from .journal import Begun, Committed, Files, Finished, Journal, Known, Manifest, Remembered, Total, key_of
from .lock import Lock
from .store import Entry, Kept, Progress, Written, are_other_terms, check_made
from .thread import Thread

__all__ = ["JSONLStore"]

T = TypeVar("T")

_PIECE: Final = 2**20  # bytes read or packed at a time
_LEVEL: Final = 6  # of compression: 9 takes twice as long for one percent

_ADVICE: Final = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space, or have your quota raised,",
    errno.EROFS: "Make the disk writable",
    errno.EACCES: "Get the right to write there",
    errno.EIO: "The disk does not work: look after it",
}


class JSONLStore:
    """A store in one file of UTF-8 text, a conversation on each line, once each; it works in a thread of its own.

    A line is what `document` makes of a conversation: its `ref` first, and `raw`, the provider's bytes as they were, in
    base64. `msgspec.json.decode(line, type=Conversation)` reads an equal one back. With `compress` the file is gzip.

    A file that a sync finished is gone on with: the new one takes its place when it is finished too. With `overwrite`
    the new one begins with nothing, and may also take the place of a file that no sync made. A run that was stopped is
    gone on with either way. A store that failed once does nothing more; make another one to go on.
    """

    def __init__(
        self, path: str | Path, *, compress: bool = False, overwrite: bool = False, files: Files | None = None
    ) -> None:
        self.path = Path(path)
        self._compress = compress
        self._overwrite = overwrite
        self._files = files or Files()
        self._thread = Thread()
        self._writer: _Writer | None = None
        self._failure: str | None = None

    async def open(self, terms: Mapping[str, str]) -> None:
        """See `Store.open`."""
        make = partial(_Writer, self.path, self._files, compress=self._compress, overwrite=self._overwrite)
        await self._do(partial(self._take, partial(make, dict(terms))))

    def _take(self, make: Callable[[], _Writer]) -> None:
        self._writer = make()

    async def progress(self, account: str) -> Progress:
        """See `Store.progress`."""
        return await self._do(partial(self._open_writer().progress, account))

    async def kept(self, account: str, ids: Sequence[str]) -> Mapping[str, Kept]:
        """See `Store.kept`."""
        return await self._do(partial(self._open_writer().kept, account, ids))

    async def unsettled(self, account: str) -> Mapping[str, Kept]:
        """See `Store.unsettled`."""
        return await self._do(partial(self._open_writer().unsettled, account))

    async def commit(self, account: str, entries: Sequence[Entry], progress: Progress) -> Written:
        """See `Store.commit`. It survives a loss of power."""
        return await self._do(partial(self._open_writer().commit, account, entries, progress))

    async def vanished(self, account: str, listed: Collection[str], now: datetime) -> Sequence[str]:  # noqa: ARG002
        """See `Store.vanished`; it is not noted, but found again in each run."""
        return await self._do(partial(self._open_writer().vanished, account, listed))

    async def finish(self, unreadable: Mapping[str, int] | None = None) -> None:
        """Give the file its name, each conversation in it once, and write the manifest."""
        await self._do(partial(self._open_writer().finish, unreadable or {}))

    async def close(self) -> None:
        """See `Store.close`."""
        await self._thread.end(self._let_go)

    def _let_go(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open_writer(self) -> _Writer:
        if self._writer is None:
            raise StoreError("the store is not open")
        return self._writer

    async def _do(self, work: Callable[[], T]) -> T:
        return await self._thread.do(partial(self._told, work))

    def _told(self, work: Callable[[], T]) -> T:
        """Do something with the files; say what is wrong with them in one sentence, and do nothing more after that.

        After a failed fsync nobody knows what is on the disk, and the next one would claim success.
        """
        if self._failure is None:
            try:
                return work()
            except StoreError:
                raise
            except OSError as error:
                reason = f"{error.strerror or type(error).__name__}. {self._safe()}"
                advice = _ADVICE.get(error.errno or 0, "Put that right")
                self._failure = f"{self.path}: {reason}. {advice} and run the same command again"
            except BaseException as error:
                self._failure = f"{self.path}: {type(error).__name__}. {self._safe()}. Run the same command again"
                raise
        raise StoreError(self._failure)

    def _safe(self) -> str:
        if self._writer is None:
            return "What was committed before is safe"
        return f"{self._writer.known.count:,} conversations are safe"


class _Name(msgspec.Struct):
    """What of a line tells which conversation it is."""

    provider: str
    account: str
    id: str


_name = msgspec.json.Decoder(_Name)
_encoder = msgspec.json.Encoder()


class _Writer:
    """The one that writes, always in the same thread."""

    def __init__(self, path: Path, files: Files, terms: dict[str, str], *, compress: bool, overwrite: bool) -> None:
        self._path = path = path.resolve()
        self._partial, self._rewritten, self._manifest = (
            path.with_name(path.name + end) for end in (".partial", ".rewritten", ".manifest.json")
        )
        self._files = files
        self._terms = terms
        self._compress = compress
        self._journal = Journal(path.with_name(f"{path.name}.journal"), files)
        self.known = Known()
        with ExitStack() as held:
            held.callback(Lock(path).release)
            for line in self._journal.lines():
                self.known.take(line)
            if self.known.begun is not None and not overwrite:
                check_made(path, self.known.begun.terms, terms)
            self._bring_into_order(overwrite=overwrite)
            held.callback(os.close, self._journal.open())
            self._data: int | None = None
            held.callback(self._close_data)
            if self.known.finished is None:
                self._data = files.opened(self._partial, self.known.offset)
            else:
                self._check_form(self.known.finished)
            self.close = held.pop_all().close

    def progress(self, account: str) -> Progress:
        return self.known.progress.get(account, Progress())

    def kept(self, account: str, ids: Sequence[str]) -> dict[str, Kept]:
        return self.known.kept(account, ids)

    def unsettled(self, account: str) -> dict[str, Kept]:
        return self.known.unsettled(account)

    def commit(self, account: str, entries: Sequence[Entry], progress: Progress) -> Written:
        kept = self.known.kept(account, (entry.conversation.id for entry in entries))
        lines: list[bytes] = []
        remembered: list[Remembered] = []
        new = updated = unchanged = 0
        for entry in entries:
            id, now = entry.conversation.id, entry.kept
            before = kept.get(id)
            kept[id] = now
            is_written = before is None or before.content != now.content
            if is_written:
                lines.append(document(entry.conversation) + b"\n")
            if before != now:
                remembered.append(
                    Remembered(id, is_written, now.row, now.content, now.settles_at, now.listed, now.failing_since)
                )
            new += before is None
            updated += before is not None and is_written
            unchanged += not is_written
        if remembered or progress != self.progress(account):
            data = self._packed(lines)
            file = self._ready() if data else None  # what only is remembered stands in the journal
            line = Committed(
                offset=self.known.offset + len(data),
                count=self.known.count + new,
                account=account,
                progress=progress,
                entries=remembered,
            )
            if file is not None:
                self._files.append(file, data)
            self._journal.append(line)  # never before the disk has the data
            self.known.take(line)
        return Written(new, updated, unchanged)

    def vanished(self, account: str, listed: Collection[str]) -> list[str]:
        if len(self.known.kept(account, listed)) == self.known.conversations[account]:
            return []
        here = (name.id for name in self._names() if f"{name.provider}/{name.account}" == account)
        return [id for id in dict.fromkeys(here) if id not in listed]

    def _names(self) -> Iterator[_Name]:
        path = self._partial if self.known.finished is None else self._path
        with gzip.open(path) if self._compress else path.open("rb") as file:
            yield from map(_name.decode, file)

    def finish(self, unreadable: Mapping[str, int]) -> None:
        if self.known.finished is not None:
            return
        if self._path.exists() and not self._replaces:
            raise StoreError(f"{self._path} was put there by somebody else meanwhile. Move it and run this again")
        rewritten = bool(self.known.superseded)
        if rewritten:
            self._files.replace(self._rewritten, self._lines_that_count())
        else:
            self._files.fsync(self._ready())
        finished = Finished(
            rewritten=rewritten, manifest=self._described(self._rewritten if rewritten else self._partial, unreadable)
        )
        self._journal.append(finished)
        self.known.take(finished)
        self._complete(finished)

    @property
    def _replaces(self) -> bool:
        return self.known.begun is not None and self.known.begun.replaces

    def _bring_into_order(self, *, overwrite: bool) -> None:
        """Do what an earlier run could not do any more, or refuse before anything is changed."""
        begun, finished = self.known.begun, self.known.finished
        if begun is None:
            self._check_that_nothing_is_there(overwrite=overwrite)
            self._begin_anew()
        elif finished is None:
            self._check_that_it_can_go_on(begun)
        elif not self._complete(finished) and not overwrite:
            raise StoreError(
                f"{self._path} is no longer the file that was finished: {_size(self._path):,} bytes,"
                f" and it had {finished.manifest.size:,}. Put it back, or overwrite it"
            )
        elif overwrite:
            self._begin_anew()

    def _check_that_nothing_is_there(self, *, overwrite: bool) -> None:
        if _size(self._partial) > 0:
            raise StoreError(
                f"{self._partial} is there, and {self._journal.path} does not say what of it counts."
                " Put that back, or move both away to begin anew"
            )
        if self._path.exists() and not overwrite:
            whose = "no sync made it"
            if self._manifest.exists():
                whose = f"what was remembered of it, {self._journal.path}, is damaged or gone"
            raise StoreError(f"{self._path} is there already, and {whose}. Give another path, or overwrite it")

    def _check_that_it_can_go_on(self, begun: Begun) -> None:
        before = begun.terms | {"compress": str(begun.compress)}
        now = self._terms | {"compress": str(self._compress)}
        differing = [name for name in sorted(before | now) if are_other_terms(name, before, now)]
        if differing:
            told = "; ".join(f"{name} was {before.get(name)} and is {now.get(name)}" for name in differing)
            raise StoreError(
                f"{self._path} was begun with other terms: {told}. Finish it with those it was begun with, give"
                f" another path, or move {self._partial.name} and {self._journal.path.name} away to begin anew"
            )
        if self._path.exists() and not self._replaces:
            raise StoreError(
                f"{self._path} is there, and {self._journal.path} does not tell of it. Move one of them away"
            )
        if _size(self._partial) < self.known.offset:
            raise StoreError(
                f"{self._partial} is shorter than {self._journal.path} says: {_size(self._partial):,} bytes instead of"
                f" {self.known.offset:,}. Put the whole file back, or move both away to begin anew"
            )

    def _begin_anew(self) -> None:
        begun = Begun(terms=self._terms, compress=self._compress, offset=0, replaces=self._path.exists())
        self._journal.begin(begun)
        self.known = Known()
        self.known.take(begun)

    def _check_form(self, finished: Finished) -> None:
        if finished.manifest.compress != self._compress:
            form = "compressed" if finished.manifest.compress else "not compressed"
            raise StoreError(f"{self._path} is {form}. Go on with it as it is, give another path, or overwrite it")

    def _ready(self) -> int:
        """Return the data to add to; a finished file is begun with a copy of, and stays until there is a new one."""
        finished = self.known.finished
        if finished is not None:
            self._close_data()
            self._files.replace(self._partial, _pieces(self._path))
            begun = Begun(terms=self._terms, compress=self._compress, offset=finished.manifest.size, replaces=True)
            self._journal.append(begun)
            self.known.take(begun)
        if self._data is None:
            self._data = self._files.opened(self._partial, self.known.offset)
        return self._data

    def _close_data(self) -> None:
        file, self._data = self._data, None
        if file is not None:
            os.close(file)

    def _complete(self, finished: Finished) -> bool:
        """Give the files of a finished run their names, as often as it takes; return whether they have them."""
        source = self._rewritten if finished.rewritten else self._partial
        if _has_size(source, finished.manifest.size):
            self._files.move(source, self._path)
        if not _has_size(self._path, finished.manifest.size):
            return False
        if self._partial.exists():
            self._files.remove(self._partial)
        manifest = msgspec.json.format(_encoder.encode(finished.manifest), indent=2) + b"\n"
        if not self._manifest.exists() or self._manifest.read_bytes() != manifest:
            self._files.replace(self._manifest, [manifest])
        return True

    def _described(self, path: Path, unreadable: Mapping[str, int]) -> Manifest:
        known = self.known
        providers: Counter[str] = Counter()
        for account, count in known.conversations.items():
            providers[account.partition("/")[0]] += count
        with path.open("rb") as file:
            sha256 = file_digest(file, "sha256").hexdigest()
        return Manifest(
            conversations=known.count,
            providers=dict(sorted(providers.items())),
            accounts={
                account: Total(conversations=known.conversations[account], window=self.progress(account).covered)
                for account in sorted(known.progress)
            },
            missing=known.missing(unreadable),
            size=_size(path),
            sha256=sha256,
            compress=self._compress,
            terms=self._terms,
            versions={"layout": "1", "conversations-hub": __version__},
        )

    def _lines_that_count(self) -> Iterator[bytes]:
        """Yield the data without the lines that were superseded, packed in pieces."""
        superseded = self.known.superseded.copy()
        lines: list[bytes] = []
        size = 0
        with gzip.open(self._partial) if self._compress else self._partial.open("rb") as file:
            for line in file:
                name = _name.decode(line)
                key = key_of(f"{name.provider}/{name.account}", name.id)
                if superseded[key]:
                    superseded[key] -= 1
                    continue
                lines.append(line)
                size += len(line)
                if size >= _PIECE:
                    yield self._packed(lines)
                    lines, size = [], 0
        yield self._packed(lines)

    def _packed(self, lines: Sequence[bytes]) -> bytes:
        data = b"".join(lines)
        # A member of its own, so that the file can be read up to any commit; without a time, so that runs agree.
        return gzip.compress(data, _LEVEL, mtime=0) if data and self._compress else data


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _has_size(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size == size


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
