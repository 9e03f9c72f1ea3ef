"""The JSONL store: a conversation on each line of one file, which no kill or full disk leaves half done.

`NAME` is there once a run brought everything, `NAME.manifest.json` says what is in it. Until then the lines stand in
`NAME.partial`. `NAME.journal` says how much of that counts, and what is remembered of each conversation; it stays, for
the next run to go on with.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from ...errors import StoreError
from ...files.atomic import FileOps
from ..store import Checkpoint, Entry, StoredVersion, Written
from ..thread import Thread
from ..untrusted import UNREADABLE, in_words
from .reader import JSONLReader
from .writer import Writer

__all__ = ["JSONLStore"]

T = TypeVar("T")

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
        self, path: str | Path, *, compress: bool = False, overwrite: bool = False, files: FileOps | None = None
    ) -> None:
        self.path = Path(path)
        self._compress = compress
        self._overwrite = overwrite
        self._files = files or FileOps()
        self._thread = Thread()
        self._writer: Writer | None = None
        self._failure: str | None = None

    def exists(self) -> bool:
        """See `ReadableStore.exists`."""
        return self.path.exists() or self.path.with_name(f"{self.path.name}.partial").exists()

    def reader(self) -> JSONLReader:
        """See `ReadableStore.reader`. What a run that is under way has brought is not seen until it is finished."""
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

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint) -> Written:
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

    def _open_writer(self) -> Writer:
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
            except UNREADABLE as error:
                self._failure = f"{self.path}: {in_words(error)}. {self._safe()}"
            except BaseException as error:
                self._failure = f"{self.path}: {type(error).__name__}. {self._safe()}. Run the same command again"
                raise
        raise StoreError(self._failure)

    def _safe(self) -> str:
        if self._writer is None:
            return "What was committed before is safe"
        return f"{self._writer.known.count:,} conversations are safe"
