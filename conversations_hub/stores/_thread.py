"""A store's own thread: its work runs in order and to the end, even if the caller stops waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Thread", "retrieve_error"]

T = TypeVar("T")


class Thread:
    """One thread, so that the event loop never waits for the disk and files are used by one thread only.

    It starts with the first work, and again with the next work after `end`.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """Return the result of the work. A cancelled caller stops waiting at once; the work still runs to its end."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conversations-store")
        doing = asyncio.wrap_future(self._executor.submit(work))
        doing.add_done_callback(retrieve_error)
        return await asyncio.shield(doing)

    async def end(self, work: Callable[[], None]) -> None:
        """Do the last work, and return when it is done, however often the caller is cancelled meanwhile."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        last = asyncio.wrap_future(executor.submit(work))
        executor.shutdown(wait=False)
        cancelled: asyncio.CancelledError | None = None
        while not last.done():
            try:
                await asyncio.wait([last])
            except asyncio.CancelledError as error:
                cancelled = error
        last.result()
        if cancelled is not None:
            raise cancelled


def retrieve_error(done: asyncio.Future[T]) -> None:
    """Retrieve an error: the event loop would complain about one that a cancelled caller never sees."""
    if not done.cancelled():
        done.exception()
