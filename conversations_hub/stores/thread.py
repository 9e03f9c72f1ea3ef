"""A thread of a store's own: what it is given is done in order and to its end, whoever stops waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["Thread"]

T = TypeVar("T")


class Thread:
    """One thread, so that the event loop never waits for the disk and files are used by one thread only.

    It begins with the first work, and with the next after its end.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def do(self, work: Callable[[], T]) -> T:
        """Return what the work returns. It is done all the same where the caller is cancelled, who goes on at once."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="conversations-store")
        doing = asyncio.wrap_future(self._executor.submit(work))
        doing.add_done_callback(_noticed)
        return await asyncio.shield(doing)

    async def end(self, work: Callable[[], None]) -> None:
        """Do the last work there is, and return when it is done, however often the caller is cancelled meanwhile."""
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


def _noticed(done: asyncio.Future[T]) -> None:
    """Take note of a failure, of which the loop would complain where nobody waits for it any longer."""
    if not done.cancelled():
        done.exception()
