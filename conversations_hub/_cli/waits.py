"""What each account is waiting for and why, from the signals of its hub."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from ..signals import AttemptEnded, BreakerChanged, RetryScheduled, Signal

__all__ = ["Waits"]


class Waits:
    """Listens to a hub's signals, and says why an account is waiting."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._troubles: dict[str, str] = {}
        self._next_tries: dict[str, float] = {}
        self._left_alone: dict[str, float] = {}  # until then no request is sent, even if a retry is due

    def hear(self, signal: Signal) -> None:
        """Take a signal into account."""
        where = f"{signal.provider}/{signal.account}"
        match signal:
            case AttemptEnded():
                trouble = _trouble(signal)
                if trouble is None:
                    for known in (self._troubles, self._next_tries, self._left_alone):
                        known.pop(where, None)
                else:
                    self._troubles[where] = trouble
            case RetryScheduled(delay=delay):
                before = self._next_tries.get(where, 0.0)
                after = self._now() + delay
                self._next_tries[where] = min(before, after) if before > self._now() else after
            case BreakerChanged(is_open=True, seconds=seconds):
                self._left_alone[where] = self._now() + seconds
            case _:
                pass

    def all(self) -> Iterator[tuple[str, str]]:
        """Yield each account that is waiting, and a line that says so."""
        for where in self._troubles:
            yield where, f"{where}: {self.why(where)}"

    def why(self, where: str) -> str | None:
        """Return why an account is waiting, and for how long; None if it is not waiting."""
        trouble = self._troubles.get(where)
        if trouble is None:
            return None
        until = max(self._next_tries.get(where, 0.0), self._left_alone.get(where, 0.0))
        left = until - self._now()
        return f"{trouble}, next try in {left:.0f} s" if left >= 1 else f"{trouble}, trying again"


def _trouble(ended: AttemptEnded) -> str | None:
    if ended.error is not None:
        return ended.reason or "an unreadable answer"
    if ended.status == 429:
        return "too many requests (HTTP 429)"
    if ended.status == 408 or (ended.status or 0) >= 500:
        return f"the provider has problems (HTTP {ended.status})"
    return None
