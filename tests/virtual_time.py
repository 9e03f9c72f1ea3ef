"""An event loop whose time passes only when a test lets it, and then as far as the next timer at a time."""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop"]

T = TypeVar("T")

_MOMENT = 1e-6  # seconds; what lies so near counts as now, for sums of floats are rounded


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
    """A loop whose seconds cost nothing; what happens in them happens at its very instant."""

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
