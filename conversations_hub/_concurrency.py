"""Concurrent work behind one iterator: bounded, and stopped when the iterator is closed.

Tasks never outlive the generator that started them. A supervisor task owns them, so that their failures never cancel
the caller's own task between two steps of its loop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Sequence,
)
from contextlib import aclosing
from typing import Any, Final, Generic, TypeVar, cast

from .errors import HubClosedError

__all__ = ["Put", "TaskPool", "read_ahead", "run_all"]

S = TypeVar("S")
R = TypeVar("R")
T = TypeVar("T")

Put = Callable[[R], Awaitable[None]]
"""Hands over one result, and waits while too many results are not taken yet."""

_AHEAD: Final = 2  # results for each worker that may wait for one before them, which takes longer


class _Failure:
    """Stands in the place of a result."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error


class _Line(Generic[R]):
    """Results on their way from several tasks to the one that takes them, in order of arrival."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._results: deque[R] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._taker: asyncio.Future[None] | None = None

    def put_at_once(self, result: R) -> bool:
        """Put a result, and return whether it is as good as taken, because the taker waits for it."""
        self._results.append(result)
        taker, self._taker = self._taker, None
        if taker is None or taker.done():
            return False
        taker.set_result(None)
        return True

    async def put(self, result: R) -> None:
        """Put a result, and wait while there is no room for it."""
        if not self.put_at_once(result) and len(self._results) > self._room:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    async def take(self) -> R:
        """Take the first result, as soon as there is one."""
        if not self._results:
            self._taker = asyncio.get_running_loop().create_future()
            await self._taker
        result = self._results.popleft()
        if len(self._waiting) > max(0, len(self._results) - self._room):
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
        return result


class _Items(Generic[S]):
    """The items of several pages, which several workers take."""

    def __init__(self, pages: AsyncIterator[Sequence[S]]) -> None:
        self.left: deque[S] = deque()
        """The items of the last page that no worker has taken; taking one does not wait."""
        self._pages = pages
        self._pulling = asyncio.Lock()

    async def pull(self) -> _Failure | None:
        """Take the next page unless items are left; return the end of the pages, or their failure."""
        async with self._pulling:
            try:
                while not self.left:
                    self.left.extend(await anext(self._pages))
            except StopAsyncIteration:
                return _Failure(None)
            except Exception as error:  # noqa: BLE001  (raised in its turn)
                return _Failure(error)
        return None


class TaskPool:
    """Runs the concurrent parts of a hub's calls, and stops them all when the hub is closed."""

    def __init__(self) -> None:
        self._supervisors: set[asyncio.Task[None]] = set()

    async def merge(
        self, producers: Iterable[Callable[[Put[R]], Coroutine[Any, Any, None]]], buffer: int
    ) -> AsyncGenerator[R]:
        """Run producers concurrently and yield the results that they put, in order of arrival.

        A producer continues once its result is taken, or while at most `buffer` results are waiting. A producer's
        exception stops the others and is raised here, after the results that were put before it.
        """
        line = _Line[R | _Failure](buffer)

        async def supervise() -> None:
            end = _Failure(_closed())
            try:
                async with asyncio.TaskGroup() as group:
                    for produce in producers:
                        group.create_task(produce(line.put))
                end = _Failure(None)
            except* Exception as failures:  # noqa: BLE001  (raised to the caller)
                end = _Failure(failures.exceptions[0])
            finally:
                line.put_at_once(end)

        supervisor = asyncio.create_task(supervise())
        self._supervisors.add(supervisor)
        try:
            while not isinstance(result := await line.take(), _Failure):
                yield result
            if result.error is not None:
                raise result.error
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
            self._supervisors.discard(supervisor)

    def as_completed(
        self, source: AsyncIterable[S] | Iterable[S], work: Callable[[S], Awaitable[R]], width: int
    ) -> AsyncGenerator[R]:
        """Work on the items of the source, `width` at a time, and yield each result as soon as it is ready."""
        # No buffer: a result that is taken at once is still in the processor's caches, and its memory is reused.
        if isinstance(source, AsyncIterable):
            items, pulling = aiter(source), asyncio.Lock()

            async def pull(put: Put[R]) -> None:
                while True:
                    try:
                        async with pulling:
                            item = await anext(items)
                    except StopAsyncIteration:
                        return
                    await put(await work(item))

            return self.merge([pull] * width, 0)

        left = iter(source)  # all workers take from it

        async def take(put: Put[R]) -> None:
            for item in left:
                await put(await work(item))

        return self.merge([take] * width, 0)

    async def ordered(
        self, pages: AsyncIterator[Sequence[S]], work: Callable[[S], Awaitable[R]], width: int
    ) -> AsyncGenerator[R]:
        """Work on the items of the pages, `width` at a time, and yield the results in the items' order.

        An exception of the pages or of the work is raised in its turn, after the results before it.
        """
        items = _Items(pages)

        async def worker(put: Put[asyncio.Future[R | _Failure]]) -> None:
            create_slot = asyncio.get_running_loop().create_future
            while (end := await items.pull()) is None:
                while items.left:
                    item, slot = items.left.popleft(), create_slot()
                    try:
                        await put(slot)
                        _fill(slot, await work(item))
                    except asyncio.CancelledError:
                        _fill(slot, _Failure(_closed()))
                        raise
                    except Exception as error:  # noqa: BLE001  (raised in its turn)
                        _fill(slot, _Failure(error))
            if end.error is not None:
                slot = create_slot()
                slot.set_result(end)
                await put(slot)

        async with aclosing(self.merge([worker] * width, _AHEAD * width)) as slots:
            async for slot in slots:
                if isinstance(result := await slot, _Failure):
                    raise result.error or _closed()
                yield result

    async def close(self) -> None:
        """Stop everything that still runs; callers that wait for it get `HubClosedError`."""
        running = tuple(self._supervisors)
        for supervisor in running:
            supervisor.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _fill(slot: asyncio.Future[T], result: T) -> None:
    if not slot.done():  # it is done if whoever waited for it was cancelled
        slot.set_result(result)


def _closed() -> HubClosedError:
    return HubClosedError("the hub was closed before this finished")


async def read_ahead(items: AsyncGenerator[T]) -> AsyncGenerator[T]:
    """Yield items, and take the next one while the caller works on the last."""
    taking = asyncio.ensure_future(anext(items, None))
    try:
        while (item := await taking) is not None:
            taking = asyncio.ensure_future(anext(items, None))
            yield item
    finally:
        taking.cancel()
        await asyncio.gather(taking, return_exceptions=True)


async def run_all(runs: Iterable[Coroutine[Any, Any, None]], at_once: int) -> None:
    """Run all of them, `at_once` at a time; if one fails, stop the others and raise its error, as if it ran alone."""
    left = deque(runs)

    async def worker() -> None:
        while left:
            await left.popleft()

    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(left))):
                group.create_task(worker())
    except* Exception as failures:  # noqa: BLE001  (raised to the caller)
        failure = _first(failures.exceptions[0])
    finally:
        for run in left:
            run.close()
    if failure is not None:
        raise failure


def _first(failure: Exception) -> Exception:
    if isinstance(failure, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", failure).exceptions[0])
    return failure
