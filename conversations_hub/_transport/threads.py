"""Threads of an account's own, for work that may take any time: names that do not resolve, disks that hang.

The event loop's own threads are few and shared: one account could soon keep all others waiting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from threading import Thread
from typing import Any, ParamSpec, TypeVar

from ..errors import LocalLimitError

__all__ = ["Threads"]

P = ParamSpec("P")
T = TypeVar("T")


class Threads:
    """At most `most` threads, which also take places `among` others'; work is done in order of arrival.

    A place is taken until its thread has ended, even if its caller no longer waits: with one place, all work is done in
    sequence.
    """

    def __init__(self, most: int, *, among: Threads | None = None) -> None:
        self._places = asyncio.Semaphore(most)
        self._among = among

    async def run(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Return what the work returns; a cancelled caller continues at once, and the work is still done to its end.

        Raises `LocalLimitError` if no thread can be started.
        """
        await self.take()
        try:
            doing = asyncio.get_running_loop().run_in_executor(_executor, partial(work, *arguments, **named))
        except BaseException:
            self.give_back()
            raise
        doing.add_done_callback(self._ended)
        return await asyncio.shield(doing)

    async def take(self) -> None:
        """Take a place, which `give_back` returns."""
        await self._places.acquire()
        if self._among is None:
            return
        try:
            await self._among.take()
        except BaseException:
            self._places.release()
            raise

    def give_back(self) -> None:
        """Return a place."""
        self._places.release()
        if self._among is not None:
            self._among.give_back()

    def _ended(self, done: asyncio.Future[Any]) -> None:
        self.give_back()
        if not done.cancelled():
            done.exception()  # retrieved, because the loop would complain if no caller waits any longer


class _ThreadForEach(Executor):
    """Starts a thread for each job; one that hangs keeps nothing waiting, not even the end of the process."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            Thread(target=_do, args=(future, partial(fn, *args, **kwargs)), daemon=True).start()
        except RuntimeError:
            pass
        else:
            return future
        raise LocalLimitError("no more threads can be started in this process: lower connections=")


def _do(future: Future[T], work: Callable[[], T]) -> None:
    try:
        found = work()
    except Exception as error:  # noqa: BLE001  (raised to the caller)
        future.set_exception(error)
    else:
        future.set_result(found)


_executor = _ThreadForEach()
