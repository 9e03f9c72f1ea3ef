"""How much a token, and how much a stranger, may ask. Instants are seconds of any clock that only goes up."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from ._refusal import Refusal

__all__ = ["AtOnce", "Rates", "Strangers"]

_MOST_PEERS: Final = 10_000  # that are remembered


class Rates:
    """A rate for each name: so many a second, and a burst of more."""

    def __init__(self, per_second: float = 50.0, burst: float = 100.0) -> None:
        self._per_second = per_second
        self._burst = burst
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, now: float) -> None:
        """Take one; raise `Refusal` (429) if there is none left."""
        left, since = self._left.get(name, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._per_second)
        self._left[name] = (left - 1 if left >= 1 else left, now)
        if left < 1:
            wait = (1 - left) / self._per_second
            raise Refusal(429, "too_many", "this token asks too often", retry_after=max(1.0, wait))


class Strangers:
    """Counts refused tokens by the address that sent them: after ten in a minute, it is told to wait.

    A valid token is never refused for what others at its address do.
    """

    def __init__(self, most: int = 10, seconds: float = 60.0) -> None:
        self._most = most
        self._seconds = seconds
        self._refused: OrderedDict[str, deque[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._refused)

    def refused(self, peer: str, now: float) -> bool:
        """Note a refused token, and return whether there were too many."""
        times = self._refused.setdefault(peer, deque(maxlen=self._most))
        self._refused.move_to_end(peer)
        if len(self._refused) > _MOST_PEERS:
            self._refused.popitem(last=False)
        is_much = len(times) == self._most and now - times[0] < self._seconds
        times.append(now)
        return is_much


class AtOnce:
    """So many of one thing at once, for each name."""

    def __init__(self, most: int, detail: str) -> None:
        self._most = most
        self._detail = detail
        self._running = Counter[str]()

    @contextmanager
    def one_more(self, name: str) -> Generator[None]:
        """Hold a place; raise `Refusal` (429) if none is free."""
        if self._running[name] >= self._most:
            raise Refusal(429, "too_many", self._detail, retry_after=1.0)
        self._running[name] += 1
        try:
            yield
        finally:
            self._running[name] -= 1
            if not self._running[name]:
                del self._running[name]
