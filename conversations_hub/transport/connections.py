"""How many connections all lanes of a hub hold open together, and whose turn it is to have one.

That is a limit of our own: who waits for it has not asked the provider yet, and learns nothing about it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from typing import Final

from aiohttp.client_proto import ResponseHandler

from ..errors import ConfigurationError, DeadlineError, HubClosedError

__all__ = ["Connections"]

_SHARE: Final = 4  # of the descriptors that the process may open one in so many; the others are not ours
_MOST: Final = 1000


class Connections:
    """The connections of a hub: so many are open at most, those at rest included.

    Whoever wants one stands in the line of its account, and the accounts take turns. Connections are never handed from
    one account to another: where there are too many, the one that has rested longest is closed. All of them belong to
    one event loop.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = _default() if most is None else most
        if self.most < 1:
            raise ConfigurationError("connections must be 1 or more")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taken = 0
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}  # the account whose turn is next stands first
        self._open = 0
        self._resting: dict[ResponseHandler, None] = {}  # the one that has rested longest first

    def own_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop they belong to, the first that asks; raise `HubClosedError` in any other."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise HubClosedError(
                    "a hub belongs to the event loop that first used it: use and close it there, and make one for this"
                    " loop"
                )
            self._loop = loop
        return loop

    def take_at_once(self) -> bool:
        """Take a place if one is free, and say whether it was; give it back with `give_back`."""
        if self._taken >= self.most:
            return False
        self._taken += 1
        return True

    async def take(self, account: str, seconds: float) -> None:
        """Take a place, and give it back with `give_back`; `DeadlineError` where there is none within so many seconds.

        Each stands for one connection: one that is being made, or is used.
        """
        if self.take_at_once():
            return
        waiter = asyncio.get_running_loop().create_future()
        self._lines.setdefault(account, deque()).append(waiter)
        is_late = True
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await waiter
                is_late = False
        except BaseException:
            self._leave_line(account, waiter)
            raise
        if is_late:
            self._leave_line(account, waiter)
            raise DeadlineError(
                f"all {self.most} connections of this hub were taken by requests before this one: raise connections="
            )

    def _leave_line(self, account: str, waiter: asyncio.Future[None]) -> None:
        if waiter.done() and not waiter.cancelled():
            self.give_back()
        elif line := self._lines.get(account):
            with suppress(ValueError):
                line.remove(waiter)
            if not line:
                del self._lines[account]

    def give_back(self) -> None:
        """Give a place back: to the next account in turn."""
        while self._lines:
            account, line = next(iter(self._lines.items()))
            waiter = line.popleft()
            del self._lines[account]
            if line:
                self._lines[account] = line
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken -= 1

    async def begin(self) -> None:
        """Make room for a connection that is to be opened, and count it; `opened` or `failed` follows."""
        self._open += 1
        while self._open > self.most and self._resting:
            longest = next(iter(self._resting))
            del self._resting[longest]
            closed = longest.closed
            longest.abort()
            if closed is not None:
                await asyncio.wait([closed])

    def failed(self) -> None:
        """Note that it could not be opened."""
        self._open -= 1

    def opened(self, connection: ResponseHandler) -> None:
        """Note that it is open; that it is closed is noticed."""
        closed = connection.closed
        if closed is None:
            self._open -= 1
        else:
            closed.add_done_callback(lambda closed: self._closed(connection, closed))

    def _closed(self, connection: ResponseHandler, closed: asyncio.Future[None]) -> None:
        self._open -= 1
        self._resting.pop(connection, None)
        if not closed.cancelled():
            closed.exception()  # how it was closed is told to whoever used it

    def rests(self, connection: ResponseHandler) -> None:
        """Note that nobody uses it any more; if it is still open, it may be used again, or closed."""
        if connection.is_connected():
            self._resting[connection] = None

    def is_used(self, connection: ResponseHandler) -> bool:
        """Note that it is used; say whether it was at rest before, and not opened just now."""
        rested = connection in self._resting
        self._resting.pop(connection, None)
        return rested


def _default() -> int:
    try:
        import resource  # noqa: PLC0415  (POSIX alone has it)
    except ImportError:
        return _MOST
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if descriptors == resource.RLIM_INFINITY else max(1, min(_MOST, descriptors // _SHARE))
