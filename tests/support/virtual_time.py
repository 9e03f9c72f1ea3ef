"""Event loops whose seconds cost nothing: time passes only as far as the next timer, when nothing is left to do."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple, Unpack

from conversations_hub._transport import Clock
from conversations_hub.stores._thread import Thread
from conversations_hub.stores.sqlite import SQLiteStore

from .clock import NOW

__all__ = ["StoreAtOnce", "VirtualLoop", "WiredLoop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_MOMENT = 1e-6  # seconds; what lies so near counts as now, for sums of floats are rounded
_ON_THE_WAY = 0.002  # seconds of the real clock; what was sent to this machine has usually arrived at once


class _Idle(selectors.SelectSelector):
    """Says that the loop has nothing to do, where it would begin to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: VirtualLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop is not None and (timeout is None or timeout > 0):
            self.loop.skip(timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop without sockets, whose time passes only when a test lets it; what happens does so at its very instant."""

    def __init__(self) -> None:
        self._present = 1000.0
        self._until = self._present
        idle = _Idle()
        super().__init__(idle)
        idle.loop = self

    def time(self) -> float:
        return self._present

    def skip(self, seconds: float | None) -> None:
        """Move on to the next timer, if time may pass so far and there is one; else stop."""
        if seconds is not None and self._present + seconds <= self._until + _MOMENT:
            self._present += seconds
            return
        if math.isfinite(self._until):
            self._present = max(self._present, self._until)
        self.stop()

    def lag(self, seconds: float) -> None:
        """Let so much time pass while the loop is busy with something else."""
        self._present += seconds

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and all be done that is then due; 0 for what is due now."""
        self._until = self._present + seconds
        self.run_forever()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end, however long it takes; `RuntimeError` where it would wait for ever."""
        self._until = math.inf
        return self.run_until_complete(coroutine)


class _Wired(selectors.DefaultSelector):
    """Lets time pass where the loop would wait for a timer, unless something comes from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: WiredLoop | None = None

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if self.loop is None or timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.loop.jobs:
            return super().select(None)  # a thread that is done wakes the loop
        came = super().select(_ON_THE_WAY)
        if not came:
            self.loop.skip(timeout)
        return came


class WiredLoop(asyncio.SelectorEventLoop):
    """A loop whose sockets and threads are real, and whose seconds cost nothing.

    Time stands still while there is anything to do, also in a thread, and then moves on to the next timer: what takes
    a while on a busy machine takes no time here. Both ends of each connection have to be on this loop.
    """

    def __init__(self) -> None:
        self._present = 1000.0
        self.jobs = 0
        """What is under way in threads."""
        wired = _Wired()
        super().__init__(wired)
        wired.loop = self

    def time(self) -> float:
        return self._present

    def skip(self, seconds: float) -> None:
        """Move on by so much."""
        self._present += seconds

    def clock(self, roll: Callable[[], float] = lambda: 0.5) -> Clock:
        """Return a clock that goes by this loop."""
        return Clock(
            monotonic=self.time,
            now=lambda: NOW + timedelta(seconds=self._present - 1000.0),
            sleep=asyncio.sleep,
            roll=roll,
        )

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts
    ) -> asyncio.Future[T]:
        self.jobs += 1
        job = super().run_in_executor(executor, func, *args)
        job.add_done_callback(self._one_less)
        return job

    def _one_less(self, _job: asyncio.Future[Any]) -> None:
        self.jobs -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  (3.12's own)
        self.jobs += 1  # it waits for a thread, and from 3.12 on no longer than a timer says
        try:
            await super().shutdown_default_executor()
        finally:
            self.jobs -= 1


class _AtOnce(Thread):
    """Does its work where it is called, so that no time passes beside it."""

    async def do(self, work: Callable[[], T]) -> T:
        return work()

    async def end(self, work: Callable[[], None]) -> None:
        work()


class StoreAtOnce(SQLiteStore):
    """A store without a thread of its own."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._thread = _AtOnce()
