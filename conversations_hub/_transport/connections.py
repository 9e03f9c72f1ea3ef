"""How many connections all lanes of a hub have open together, and whose turn it is to get one.

This is a limit of our own: a request that waits for it was not sent yet, and says nothing about the provider.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from contextlib import suppress
from typing import Final

from aiohttp.client_proto import ResponseHandler

from ..errors import ConfigurationError, DeadlineError, HubClosedError

__all__ = ["Connections"]

_SHARE: Final = 4  # one in so many of the descriptors that the process may open; the others are not ours
_MOST: Final = 1000


class Connections:
    """The connections of a hub: at most `most` are open, including idle ones.

    Requests wait in the line of their account, and the accounts take turns. Connections are never passed from one
    account to another: if there are too many, the one that has been idle longest is closed. All of them belong to one
    event loop.
    """

    def __init__(self, most: int | None = None) -> None:
        self.most = _default() if most is None else most
        if self.most < 1:
            raise ConfigurationError("connections must be 1 or more")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._taken = 0
        # Plain dictionaries whose first entries are removed take ever longer to find the first.
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        """By account; the one whose turn is next is first."""
        self._open = 0
        self._resting: OrderedDict[ResponseHandler, None] = OrderedDict()
        """The one that has been idle longest is first."""

    def own_loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop they belong to, which is the first that asks; raise `HubClosedError` in any other."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            if self._loop is not None:
                raise HubClosedError(
                    "a hub belongs to the event loop that first used it: use and close it there, and make another for"
                    " this loop"
                )
            self._loop = loop
        return loop

    def take_at_once(self) -> bool:
        """Take a place if one is free, and return whether it was; `give_back` returns it."""
        if self._taken >= self.most:
            return False
        self._taken += 1
        return True

    async def take(self, account: str, seconds: float) -> None:
        """Take a place, which `give_back` returns; raise `DeadlineError` if none is free within `seconds`.

        Each place stands for one connection that is being opened or used.
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
                f"all {self.most} connections of this hub were taken by earlier requests: raise connections="
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
        """Return a place: to the next account in turn."""
        while self._lines:
            account, line = next(iter(self._lines.items()))
            waiter = line.popleft()
            if line:
                self._lines.move_to_end(account)
            else:
                del self._lines[account]
            if not waiter.done():
                waiter.set_result(None)
                return
        self._taken -= 1

    async def begin(self) -> None:
        """Make room for a new connection, and count it; call `opened` or `failed` afterwards."""
        self._open += 1
        while self._open > self.most and self._resting:
            longest, _ = self._resting.popitem(last=False)
            closed = longest.closed
            longest.abort()
            if closed is not None:
                await asyncio.wait([closed])

    def failed(self) -> None:
        """Record that the connection could not be opened."""
        self._open -= 1

    def opened(self, connection: ResponseHandler) -> None:
        """Record that a connection is open; its closing is recorded by itself."""
        closed = connection.closed
        if closed is None:
            self._open -= 1
        else:
            closed.add_done_callback(lambda closed: self._closed(connection, closed))

    def _closed(self, connection: ResponseHandler, closed: asyncio.Future[None]) -> None:
        self._open -= 1
        self._resting.pop(connection, None)
        if not closed.cancelled():
            closed.exception()  # retrieved here; the request that used it gets the error

    def rests(self, connection: ResponseHandler) -> None:
        """Record that a connection is idle; if it is still open, it may be used again, or closed."""
        if connection.is_connected():
            self._resting[connection] = None

    def is_used(self, connection: ResponseHandler) -> bool:
        """Record that a connection is used; return whether it was idle before, and not just opened."""
        rested = connection in self._resting
        self._resting.pop(connection, None)
        return rested


def _default() -> int:
    try:
        import resource  # noqa: PLC0415  (only POSIX has it)
    except ImportError:
        return _MOST
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MOST if descriptors == resource.RLIM_INFINITY else max(1, min(_MOST, descriptors // _SHARE))
