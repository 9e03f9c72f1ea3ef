"""The JSONL store: one file with a conversation on each line, which no kill or full disk leaves half-written.

`NAME` exists once a run has walked everything, and `NAME.manifest.json` describes it. Until then the lines are in
`NAME.partial`. `NAME.journal` says how much of that counts, and what is remembered of each conversation; it stays, so
that the next run can continue.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ..._files.atomic import FileOps
from ..._files.presence import exists
from ...errors import StoreError
from .._store import Checkpoint, Entry, StoredVersion, Written
from .._thread import Thread
from .._untrusted import UNREADABLE, in_words
from ._reader import JSONLReader
from ._writer import Writer

__all__ = ["JSONLStore"]

T = TypeVar("T")

_ADVICE: Final = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some space, or have your quota raised,",
    errno.EROFS: "Make the disk writable",
    errno.EACCES: "Get permission to write there",
    errno.EIO: "Check the disk, which does not work,",
}


class JSONLStore:
    """A store in one UTF-8 file with each conversation on one line, once; it works in its own thread.

    A line is what `document` returns: the `ref` first, and `raw`, the provider's unchanged bytes, in base64.
    `msgspec.json.decode(line, type=Conversation)` reads an equal conversation back. With `compress` the file is gzip.

    A sync continues a finished file: the new file replaces it when it is finished, too. With `overwrite` the new file
    starts empty, and may also replace a file that no sync made. Either way an interrupted run is resumed. After a
    failure a store object does nothing more; make another one to continue.
    """

    def __init__(
        self, path: str | Path, *, compress: bool = False, overwrite: bool = False, files: FileOps | None = None
    ) -> None:
        self.path: Path = Path(path)
        self._compress = compress
        self._overwrite = overwrite
        self._files = files or FileOps()
        self._thread = Thread()
        self._writer: Writer | None = None
        self._failure: str | None = None

    def exists(self) -> bool:
        """See `ReadableStore.exists`."""
        return exists(self.path) or exists(self.path.with_name(f"{self.path.name}.partial"))

    def reader(self) -> JSONLReader:
        """See `ReadableStore.reader`. It does not see the conversations of a run in progress."""
        return JSONLReader(self.path)

    async def open(self, terms: Mapping[str, str]) -> None:
        """See `Store.open`."""
        make = partial(Writer, self.path, self._files, compress=self._compress, overwrite=self._overwrite)
        await self._do(partial(self._take, partial(make, dict(terms))))

    def _take(self, make: Callable[[], Writer]) -> None:
        self._writer = make()

    async def progress(self, account: str) -> Checkpoint:
        """See `Store.progress`."""
        return await self._do(partial(self._open_writer().progress, account))

    async def kept(self, account: str, ids: Sequence[str]) -> Mapping[str, StoredVersion]:
        """See `Store.kept`."""
        return await self._do(partial(self._open_writer().kept, account, ids))

    async def unsettled(self, account: str) -> Mapping[str, StoredVersion]:
        """See `Store.unsettled`."""
        return await self._do(partial(self._open_writer().unsettled, account))

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        """See `Store.commit`. It survives a power loss."""
        return await self._do(partial(self._open_writer().commit, account, entries, progress))

    async def vanished(self, account: str, listed: Collection[str], now: datetime) -> Sequence[str]:  # noqa: ARG002
        """See `Store.vanished`; this is not stored, but found again in each run."""
        return await self._do(partial(self._open_writer().vanished, account, listed))

    async def finish(self, unreadable: Mapping[str, int] | None = None) -> None:
        """Give the file its name, each conversation in it once, and write the manifest."""
        await self._do(partial(self._open_writer().finish, unreadable or {}))

    async def close(self) -> None:
        """See `Store.close`."""
        await self._thread.end(self._release)

    def _release(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise StoreError("the store is not open")
        return self._writer

    async def _do(self, work: Callable[[], T]) -> T:
        return await self._thread.do(partial(self._run, work))

    def _run(self, work: Callable[[], T]) -> T:
        """Do some work on the files; describe an error in one sentence, and do nothing more after it.

        After a failed fsync the content of the disk is unknown, and the next fsync would claim success.
        """
        if self._failure is None:
            try:
                return work()
            except StoreError:
                raise
            except OSError as error:
                reason = f"{error.strerror or type(error).__name__}. {self._safe()}"
                advice = _ADVICE.get(error.errno or 0, "Fix that")
                self._failure = f"{self.path}: {reason}. {advice} and run the same command again"
            except UNREADABLE as error:
                self._failure = f"{self.path}: {in_words(error)}. {self._safe()}"
            except BaseException as error:
                self._failure = f"{self.path}: {type(error).__name__}. {self._safe()}. Run the same command again"
                raise
        raise StoreError(self._failure)

    def _safe(self) -> str:
        if self._writer is None:
            return "Earlier commits are safe"
        return f"{self._writer.known.count:,} conversations are safe"
