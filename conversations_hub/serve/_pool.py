"""Threads that read a store, each with a reader of its own, so that the event loop never waits for the disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, nullcontext, suppress
from functools import partial
from typing import Final, TypeVar

from ..errors import HubError, StoreError
from ..stores._reader import StoreReader
from ._refusal import Refusal

__all__ = ["Lease", "Pool"]

T = TypeVar("T")

_AGAIN: Final = 0.05  # seconds: between two statements nothing is interrupted
_IDLE: Final = 5.0  # seconds until an unused reader is closed: no store is held open for long


class Pool:
    """A few threads for short questions, each bounded in time, and one more for each stream."""

    def __init__(self, open_reader: Callable[[], StoreReader], *, threads: int = 4, seconds: float = 2.0) -> None:
        self._open_reader = open_reader
        self._seconds = seconds
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="conversations-gateway")
        self._free = asyncio.Semaphore(threads)
        # What takes long leaves half of the threads to what does not.
        self._free_for_long = asyncio.Semaphore(max(1, threads // 2))
        self._idle: list[_Seat] = []
        self._closing: asyncio.TimerHandle | None = None

    async def ask(
        self, work: Callable[[StoreReader], T], *, seconds: float | None = None, takes_long: bool = False
    ) -> T:
        """Return what a reader answers.

        Raises:
            Refusal: it took longer than `seconds`, by default the pool's (503).
            StoreError: the store cannot be read.
        """
        async with self._free_for_long if takes_long else nullcontext(), self._free:
            return await self._done(work, self._seconds if seconds is None else seconds)

    async def _done(self, work: Callable[[StoreReader], T], seconds: float) -> T:
        loop = asyncio.get_running_loop()
        seat = self._idle.pop() if self._idle else _Seat(self._open_reader)
        running = loop.run_in_executor(self._threads, partial(seat.do, work))
        late: list[asyncio.TimerHandle] = []

        def stop() -> None:
            seat.interrupt()
            late.append(loop.call_later(_AGAIN, stop))

        timer = loop.call_later(seconds, stop)
        try:
            found = await _to_the_end(running, seat.interrupt)
        finally:
            timer.cancel()
            for handle in late:
                handle.cancel()
            self._put_back(seat)
        if isinstance(found, _Failed):
            if late and isinstance(found.error, StoreError):
                raise Refusal(503, "time_limit", f"ask for less: it took more than {seconds:g} s")
            raise found.error
        return found

    def _put_back(self, seat: _Seat) -> None:
        self._idle.append(seat)
        if self._closing is None:
            self._closing = asyncio.get_running_loop().call_later(_IDLE, self._close_idle)

    def _close_idle(self) -> None:
        self._closing = None
        idle, self._idle = self._idle, []
        for seat in idle:
            seat.close()

    @asynccontextmanager
    async def lease(self) -> AsyncGenerator[Lease]:
        """Lend a reader with a thread of its own, for a stream."""
        thread = ThreadPoolExecutor(1, thread_name_prefix="conversations-stream")
        loop = asyncio.get_running_loop()
        try:
            reader = await loop.run_in_executor(thread, self._open_reader)
            try:
                yield Lease(reader, thread)
            finally:
                reader.interrupt()
                # In its thread, after what still runs there, and even if this task is being cancelled.
                thread.submit(reader.close)
        finally:
            thread.shutdown(wait=False)

    def close(self) -> None:
        """Close the readers."""
        if self._closing is not None:
            self._closing.cancel()
        self._close_idle()
        self._threads.shutdown(wait=False)


class Lease:
    """A reader with a thread of its own."""

    def __init__(self, reader: StoreReader, thread: ThreadPoolExecutor) -> None:
        self._reader = reader
        self._thread = thread

    async def do(self, work: Callable[[StoreReader], T]) -> T:
        """Return what the reader answers, however long it takes."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, self._reader)


class _Failed:
    def __init__(self, error: HubError) -> None:
        self.error = error


class _Seat:
    """A reader that is opened by the thread that first needs it."""

    def __init__(self, open_reader: Callable[[], StoreReader]) -> None:
        self._open_reader = open_reader
        self._reader: StoreReader | None = None

    def do(self, work: Callable[[StoreReader], T]) -> T | _Failed:
        # As a value: an error that nobody waits for any more would be logged by the event loop.
        try:
            if self._reader is None:
                self._reader = self._open_reader()
            return work(self._reader)
        except HubError as error:
            return _Failed(error)

    def interrupt(self) -> None:
        if self._reader is not None:
            self._reader.interrupt()

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


async def _to_the_end(running: asyncio.Future[T], interrupt: Callable[[], None]) -> T:
    """Wait for a thread, even if the waiting task is cancelled: its reader is not free before."""
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        while not running.done():
            interrupt()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
        with suppress(Exception):
            running.result()
        raise
