"""A lane without a socket: gate, budget, retries, deadlines and all else are the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, cast
from unittest.mock import patch

import aiohttp
from yarl import URL

from conversations_hub._transport import Clock, Lane
from conversations_hub._transport.pool import WAITING, under_way
from conversations_hub.account import Account
from conversations_hub.adapter import Adapter
from conversations_hub.policy import Profile
from conversations_hub.signals import Signal
from conversations_hub.wire import Response

__all__ = ["FakeLane", "Provider", "fake_lanes"]

Provider = Callable[[URL], Awaitable[Response | None]]
"""Takes a request and answers it; None: the connection is lost."""


class _Answer:
    """What the lane reads of the library's response."""

    def __init__(self, response: Response) -> None:
        self.status = response.status
        self.headers = response.headers
        self.content_length = len(response.body)
        self._body = response.body

    async def read(self) -> bytes:
        return self._body

    def release(self) -> None:
        pass

    async def wait_for_close(self) -> None:
        pass


class _Session:
    """What the lane uses of the library's session."""

    def __init__(self, provider: Provider) -> None:
        self._provider = provider

    async def request(
        self,
        _method: str,
        url: URL,
        *,
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  (the library's)
        **_options: Any,
    ) -> _Answer:
        under_way.get().stage = WAITING
        async with asyncio.timeout(timeout.total):
            response = await self._provider(url)
        if response is None:
            raise aiohttp.ServerDisconnectedError
        return _Answer(response)


class FakeLane(Lane):
    """A lane whose requests go to a function."""

    def __init__(
        self,
        adapter: Adapter,
        profile: Profile,
        *,
        clock: Clock,
        provider: Provider,
        on_signal: Callable[[Signal], object] | None = None,
    ) -> None:
        super().__init__(Account(adapter.name, key="key"), adapter, profile, clock=clock, on_signal=on_signal)
        self._fake = _Session(provider)

    def _open(self) -> tuple[aiohttp.ClientSession, asyncio.Future[None]]:
        _, closing = super()._open()
        return cast("aiohttp.ClientSession", self._fake), closing


@contextmanager
def fake_lanes(provider: Provider) -> Generator[None]:
    """Have the requests of every hub that is made meanwhile go to a function."""

    class Wireless(Lane):
        def _open(self) -> tuple[aiohttp.ClientSession, asyncio.Future[None]]:
            _, closing = super()._open()
            return cast("aiohttp.ClientSession", _Session(provider)), closing

    with patch("conversations_hub.hub._hub.Lane", Wireless):
        yield
