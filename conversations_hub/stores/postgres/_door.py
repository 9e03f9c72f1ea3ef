"""The door between a reader, which is synchronous, and asyncpg, which is not.

A reader is asked in any thread, also in one where an event loop already runs, and a connection belongs to the loop that
made it. So each reader has a thread with a loop and one connection of its own. What is asked there is one statement or
one short transaction, and whoever asks waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, suppress
from typing import Any, Final, TypeVar

import asyncpg

from ..._background import Background
from ...errors import StoreError
from ._address import Address
from ._connection import Connection, connect, using
from ._layout import check_layout, has_tables

__all__ = ["Door"]

T = TypeVar("T")

_LONGEST: Final = 5.0  # seconds that a server may take to say good-bye
_READS_ONLY: Final = {"default_transaction_read_only": "on"}


class Door:
    """One connection that only reads, for any thread; it is made anew if it was lost.

    Raises:
        StoreError: the server cannot be reached, or there is no store.
    """

    def __init__(self, address: Address) -> None:
        self.address: Final = address
        self._background = Background("conversations_hub postgres")
        self._is_closed = False
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._turn = asyncio.Lock()  # what was interrupted ends before the next begins
        self._running: Future[Any] | None = None
        with ExitStack() as held:
            held.callback(self.close)
            self.ask(_nothing)
            held.pop_all()

    def ask(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of work on the connection.

        Raises:
            StoreError: the store cannot be read, or `interrupt` was called meanwhile.
        """
        return self._wait(self._asked(work))

    def change(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Return the result of work on another connection, which writes, in one transaction."""

        async def changed() -> T:
            connection = await connect(self.address)
            try:
                async with connection.transaction(isolation="read_committed"):
                    return await work(connection)
            finally:
                await connection.close()

        return self._wait(changed())

    def interrupt(self) -> None:
        """End what another thread asks now."""
        if (running := self._running) is not None:
            running.cancel()

    def close(self) -> None:
        """Close the connection, and end the thread."""
        if self._is_closed:
            return
        self._is_closed = True
        self._background.run(self._closed())
        self._background.close()

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        with using(self.address):
            self._running = running = self._background.start(work)
            try:
                return running.result()
            except CancelledError:
                raise StoreError(f"{self.address}: interrupted") from None
            finally:
                running.cancel()  # if it is not done, whoever waited was interrupted, as by Ctrl-C
                self._running = None

    async def _asked(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        async with self._turn:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._opened()
            return await work(self._connection)

    async def _closed(self) -> None:
        async with self._turn:
            if self._connection is not None:
                with suppress(StoreError), using(self.address):
                    await self._connection.close(timeout=_LONGEST)

    async def _opened(self) -> asyncpg.Connection[asyncpg.Record]:
        connection = await connect(self.address, **_READS_ONLY)
        with ExitStack() as held:
            held.callback(connection.terminate)
            if not await has_tables(connection, self.address):
                raise StoreError(f"{self.address}: there is no store; a sync creates it")
            await check_layout(connection, self.address)
            held.pop_all()
        return connection


async def _nothing(_: Connection) -> None:
    pass
