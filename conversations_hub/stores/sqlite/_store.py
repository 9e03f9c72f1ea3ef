"""The SQLite store: one file that any SQLite tool opens, with full-text search over all transcripts."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from ..._files.presence import exists
from ...errors import StoreError
from ...schema import Conversation
from .._store import MADE, Checkpoint, Entry, StoredVersion, Written
from .._thread import Thread
from ._connection import using
from ._reader import SQLiteReader
from ._writer import Writer

__all__ = ["SQLiteStore"]

T = TypeVar("T")


class SQLiteStore:
    """A store in one SQLite file. It works in its own thread, so that the event loop never waits for the disk.

    Write-ahead logging lets others read while it writes. A commit survives the death of the process; after a power
    loss the last commits may be missing, but none is partial.
    """

    def __init__(self, path: str | Path) -> None:
        self.path: Path = Path(path)
        self._thread = Thread()
        self._writer: Writer | None = None
        self._is_shared = False

    def exists(self) -> bool:
        """See `ReadableStore.exists`."""
        return exists(self.path)

    def reader(self) -> SQLiteReader:
        """See `ReadableStore.reader`. Any number of readers may read while a sync writes."""
        return SQLiteReader(self.path)

    async def open(self, terms: Mapping[str, str]) -> None:
        """See `Store.open`. Any run may resume another one, if it redacts and keeps raw payloads alike."""
        await self._do(partial(self._take, terms))

    def _take(self, terms: Mapping[str, str]) -> None:
        made = {name: terms[name] for name in MADE if name in terms}
        if self._is_shared and self._writer is not None and not self._writer.has_failed:
            self._writer.check_made(made)
            return
        self._release()
        self._writer = Writer(self.path, made)

    @asynccontextmanager
    async def shared(self) -> AsyncGenerator[None]:
        """See `EventStore.shared`."""
        try:
            await self.open({})
            self._is_shared = True
            yield
        finally:
            self._is_shared = False
            await self.close()

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
        """See `Store.commit`."""
        return await self._do(partial(self._sound_writer().commit, account, entries, progress))

    async def put_told(self, account: str, *, told: Conversation | None, fetched: Conversation | None) -> Written:
        """See `EventStore.put_told`."""
        return await self._do(partial(self._sound_writer().put, account, told=told, fetched=fetched))

    async def told_since(self, account: str, since: datetime) -> tuple[int, int]:
        """See `EventStore.told_since`."""
        return await self._do(partial(self._open_writer().told_since, account, since))

    async def vanished(self, account: str, listed: Collection[str], now: datetime) -> Sequence[str]:
        """See `Store.vanished`."""
        return await self._do(partial(self._open_writer().vanished, account, frozenset(listed), now))

    async def finish(self, unreadable: Mapping[str, int] | None = None) -> None:
        """See `Store.finish`. There is nothing to complete: every commit already is."""

    async def close(self) -> None:
        """See `Store.close`."""
        if self._is_shared:
            return
        await self._thread.end(partial(_run, self.path, self._release))

    def _release(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _open_writer(self) -> Writer:
        if self._writer is None:
            raise StoreError("the store is not open")
        return self._writer

    def _sound_writer(self) -> Writer:
        writer = self._open_writer()
        if writer.has_failed:  # a later commit would store a checkpoint that was never reached
            raise StoreError(f"{self.path}: a commit failed. Open the store again")
        return writer

    async def _do(self, work: Callable[[], T]) -> T:
        return await self._thread.do(partial(_run, self.path, work))


def _run(path: Path, work: Callable[[], T]) -> T:
    with using(path):
        return work()
