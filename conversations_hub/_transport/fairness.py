"""Fairness on the event loop: responses that came together are read over several of its iterations, not in one."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

__all__ = ["ReadBudget"]

# Bytes. Reading that much and sending the requests that follow takes about half a millisecond, and others wait for two
# iterations. With more they wait longer; with half of it, the loop's own work costs a sixth more processor time.
_MOST: Final = 12 * 1024


class ReadBudget:
    """Bounds the bytes read in one iteration of the event loop by all tasks that share it, in order of arrival."""

    def __init__(self) -> None:
        self._read = 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def spend_at_once(self, size: int) -> bool:
        """Count `size` bytes in this iteration if it has room, and return whether it has."""
        if self._waiting or self._read >= _MOST:
            return False
        self._count(size)
        return True

    async def spend(self, size: int) -> None:
        """Return at once while this iteration has room, otherwise in a later one; `size` is any number of bytes."""
        if not self.spend_at_once(size):
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append((size, waiter))
            await waiter

    def _count(self, size: int) -> None:
        if not self._read:
            asyncio.get_running_loop().call_soon(self._begin)
        self._read += size

    def _begin(self) -> None:
        self._read = 0
        while self._waiting and self._read < _MOST:
            size, waiter = self._waiting.popleft()
            if not waiter.done():  # it is done if its task was cancelled
                waiter.set_result(None)
                self._count(size)
