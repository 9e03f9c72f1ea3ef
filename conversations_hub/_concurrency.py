"""Concurrent work behind one iterator: bounded, and stopped when the iterator is closed.

Tasks never outlive the generator that started them. A supervisor task owns them, so that their failures never cancel
the caller's own task between two steps of its loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any, Generic, TypeVar, cast

from .errors import HubClosedError

__all__ = ["Put", "TaskPool", "run_all"]

S = TypeVar("S")
R = TypeVar("R")

Put = Callable[[R], Awaitable[None]]
"""Hands over one result, and waits while too many results are not taken yet."""


class _End:
    def __init__(self, failure: Exception | None) -> None:
        self.failure = failure


class _Slot(Generic[R]):
    """A result that is not ready yet, in its place in the order."""

    __slots__ = ("_done", "_failure", "_result")

    def __init__(self) -> None:
        self._done = asyncio.Event()
        self._result: R | None = None
        self._failure: Exception | None = None

    def fill(self, result: R) -> None:
        self._result = result
        self._done.set()

    def fail(self, failure: Exception) -> None:
        self._failure = failure
        self._done.set()

    async def result(self) -> R:
        await self._done.wait()
        if self._failure is not None:
            raise self._failure
        return cast("R", self._result)


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
        results: asyncio.Queue[R | _End] = asyncio.Queue()
        places = asyncio.Semaphore(buffer)

        async def put(result: R) -> None:
            results.put_nowait(result)
            await places.acquire()

        async def supervise() -> None:
            end = _End(_closed())
            try:
                async with asyncio.TaskGroup() as group:
                    for produce in producers:
                        group.create_task(produce(put))
                end = _End(None)
            except* Exception as failures:  # noqa: BLE001  (raised to the caller)
                end = _End(failures.exceptions[0])
            finally:
                results.put_nowait(end)

        supervisor = asyncio.create_task(supervise())
        self._supervisors.add(supervisor)
        try:
            while not isinstance(result := await results.get(), _End):
                places.release()
                yield result
            if result.failure is not None:
                raise result.failure
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
            self._supervisors.discard(supervisor)

    def as_completed(
        self, source: AsyncIterable[S] | Iterable[S], work: Callable[[S], Awaitable[R]], width: int
    ) -> AsyncGenerator[R]:
        """Work on the items of the source, `width` at a time, and yield each result as soon as it is ready."""
        pull = _puller(source)

        async def worker(put: Put[R]) -> None:
            while True:
                try:
                    item = await pull()
                except StopAsyncIteration:
                    return
                await put(await work(item))

        # No buffer: a result that is taken at once is still in the processor's caches, and its memory is reused.
        return self.merge([worker] * width, 0)

    async def ordered(
        self, source: AsyncIterator[S], work: Callable[[S], Awaitable[R]], width: int
    ) -> AsyncGenerator[R]:
        """Work on the items of the source, `width` at a time, and yield the results in the source's order.

        An exception of the source or of the work is raised in its turn, after the results before it.
        """
        pulling = asyncio.Lock()

        async def worker(put: Put[_Slot[R]]) -> None:
            while True:
                slot = _Slot[R]()
                async with pulling:
                    try:
                        item = await anext(source)
                    except StopAsyncIteration:
                        return
                    except Exception as error:  # noqa: BLE001  (raised in its turn)
                        slot.fail(error)
                        await put(slot)
                        return
                    await put(slot)
                try:
                    slot.fill(await work(item))
                except asyncio.CancelledError:
                    slot.fail(_closed())
                    raise
                except Exception as error:  # noqa: BLE001  (raised in its turn)
                    slot.fail(error)

        async with aclosing(self.merge([worker] * width, width)) as slots:
            async for slot in slots:
                yield await slot.result()

    async def close(self) -> None:
        """Stop everything that still runs; callers that wait for it get `HubClosedError`."""
        running = tuple(self._supervisors)
        for supervisor in running:
            supervisor.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _closed() -> HubClosedError:
    return HubClosedError("the hub was closed before this finished")


def _puller(source: AsyncIterable[S] | Iterable[S]) -> Callable[[], Awaitable[S]]:
    """Return a function that takes the next item; several tasks may call it at once."""
    if isinstance(source, AsyncIterable):
        items = aiter(source)
        pulling = asyncio.Lock()

        async def pull_next() -> S:
            async with pulling:
                return await anext(items)

        return pull_next

    iterator = iter(source)

    async def pull() -> S:
        for item in iterator:
            return item
        raise StopAsyncIteration

    return pull


async def run_all(runs: Iterable[Coroutine[Any, Any, None]], at_once: int) -> None:
    """Run all of them, `at_once` at a time; if one fails, stop the others and raise its error, as if it ran alone."""
    places = asyncio.Semaphore(at_once)

    async def in_turn(run: Coroutine[Any, Any, None]) -> None:
        try:
            async with places:
                await run
        finally:
            run.close()  # it may not have started

    failure: Exception | None = None
    try:
        async with asyncio.TaskGroup() as group:
            for run in runs:
                group.create_task(in_turn(run))
    except* Exception as failures:  # noqa: BLE001  (raised to the caller)
        failure = _first(failures.exceptions[0])
    if failure is not None:
        raise failure


def _first(failure: Exception) -> Exception:
    if isinstance(failure, ExceptionGroup):
        return _first(cast("ExceptionGroup[Exception]", failure).exceptions[0])
    return failure
