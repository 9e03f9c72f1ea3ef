"""Threads of an account's own, for what may take as long as it likes: names that do not resolve, disks that hang.

The event loop's own threads are few, and everybody's: those of one account would soon keep all others waiting.
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
    """At most so many threads, and places `among` others'; who comes first goes first.

    A place is taken until the thread has ended, also where nobody waits for it any longer: with one place, all is done
    in order.
    """

    def __init__(self, most: int, *, among: Threads | None = None) -> None:
        self._places = asyncio.Semaphore(most)
        self._among = among

    async def run(self, work: Callable[P, T], /, *arguments: P.args, **named: P.kwargs) -> T:
        """Return what the work returns; it is done to its end where the caller is cancelled, who goes on at once.

        Raises `LocalLimitError` where no thread can be begun.
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
        """Take a place, and give it back with `give_back`."""
        await self._places.acquire()
        if self._among is None:
            return
        try:
            await self._among.take()
        except BaseException:
            self._places.release()
            raise

    def give_back(self) -> None:
        """Give a place back."""
        self._places.release()
        if self._among is not None:
            self._among.give_back()

    def _ended(self, done: asyncio.Future[Any]) -> None:
        self.give_back()
        if not done.cancelled():
            done.exception()  # of which the loop would complain where nobody waits for it any longer


class _ThreadForEach(Executor):
    """Begins a thread for each job; one that hangs keeps nothing waiting, the end of the process included."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        try:
            Thread(target=_do, args=(future, partial(fn, *args, **kwargs)), daemon=True).start()
        except RuntimeError:
            pass
        else:
            return future
        raise LocalLimitError("no thread more can be begun in this process: lower connections=")


def _do(future: Future[T], work: Callable[[], T]) -> None:
    try:
        found = work()
    except Exception as error:  # noqa: BLE001  (raised to who waits for it)
        future.set_exception(error)
    else:
        future.set_result(found)


_executor = _ThreadForEach()
