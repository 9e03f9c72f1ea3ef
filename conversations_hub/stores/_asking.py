"""The changes of a store, for code in an event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from ._changes import ChangeReader, remembering
from ._reader import ReadableStore, StoreReader
from ._thread import Thread

__all__ = ["Asking", "asking"]

T = TypeVar("T")


class Asking:
    """Asks an open reader in its own thread."""

    def __init__(self, reader: ChangeReader, thread: Thread) -> None:
        self._reader = reader
        self._thread = thread

    async def __call__(self, work: Callable[[ChangeReader], T]) -> T:
        """Return the result of work on the reader."""
        return await self._thread.do(partial(work, self._reader))


@asynccontextmanager
async def asking(store: ReadableStore) -> AsyncGenerator[Asking]:
    """Open a store's reader in a thread of its own, and close it there.

    Raises:
        StoreError: the store cannot be read.
        UnsupportedError: it does not remember changes.
    """
    thread = Thread()
    reader: StoreReader | None = None
    try:
        reader = await thread.do(store.reader)
        yield Asking(remembering(reader), thread)
    finally:
        await thread.end(lambda: None if reader is None else reader.close())
