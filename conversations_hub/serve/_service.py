"""What the routes of one gateway share."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

import msgspec
from aiohttp import web

from ..hub import Hub
from ..stores import StoreReader
from ._counters import Counters
from ._limits import AtOnce, Rates, Strangers
from ._pipeline import Pipeline
from ._pool import Pool
from ._refusal import Refusal
from ._shown import Shown
from ._tickets import Tickets
from ._tokens import Token, Tokens

__all__ = ["SERVICE", "TOKEN", "Service", "encoded"]

_MOST_REMEMBERED: Final = 64  # answers
_REMEMBERED: Final = 60.0  # seconds: other tools may change a store without saying so

encoded = msgspec.json.Encoder().encode


class _Remembered(NamedTuple):
    revision: int
    until: float
    body: bytes


class Service:
    """What the routes of one gateway share."""

    def __init__(
        self,
        *,
        pool: Pool | None,
        hub: Hub | None,
        tokens: Tokens,
        hosts: frozenset[str],
        shown: Shown,
        recordings: Path | None,
        pipeline: Pipeline,
        behind_proxy: bool,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self.hub = hub
        self.tokens = tokens
        self.hosts = hosts
        self.shown = shown
        self.recordings = recordings
        self.pipeline = pipeline
        self.behind_proxy = behind_proxy
        self.now = now
        self.monotonic = monotonic
        """Of threads, to bound the time of work that consists of many questions."""
        self.tickets = Tickets()
        self.rates = Rates()
        self.strangers = Strangers()
        self.searches = AtOnce(4, "this token has four searches or counts under way")
        self.streams = AtOnce(8, "this token has eight streams open")
        self.downloads: WeakValueDictionary[Path, asyncio.Lock] = WeakValueDictionary()
        """Of files that are being downloaded: who plays a recording asks for it several times."""
        self.counters = Counters()
        self.stopping = asyncio.Event()
        """Set when it begins to stop: streams end, and it is no longer ready."""
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()

    @property
    def has_store(self) -> bool:
        """Whether there is a store, and not a hub alone."""
        return self._pool is not None

    @property
    def pool(self) -> Pool:
        """The threads that read the store; raises `Refusal` (501) if there is none."""
        if self._pool is None:
            raise Refusal(
                501,
                "unsupported",
                "there is no store: run `conversations-hub sync`, then `conversations-hub serve --store`",
            )
        return self._pool

    def knows(self, token: Token) -> bool:
        """Whether a token is still valid, exactly as it was."""
        return self.tokens.hold(token, self.now())

    async def remembered(self, key: str, make: Callable[[], Awaitable[tuple[bytes, bool]]]) -> bytes:
        """Return an answer that is made again only after the store has changed.

        What makes it says whether it is complete; others are not remembered.
        """
        revision, now = await self.pool.ask(_revision), asyncio.get_running_loop().time()
        found = self._remembered.get(key)
        if found is not None and found.revision == revision and now < found.until:
            return found.body
        body, is_complete = await make()
        if is_complete:
            self._remembered[key] = _Remembered(revision, now + _REMEMBERED, body)
            self._remembered.move_to_end(key)
            if len(self._remembered) > _MOST_REMEMBERED:
                self._remembered.popitem(last=False)
        return body

    async def close(self) -> None:
        """Close the readers."""
        if self._pool is not None:
            self._pool.close()


def _revision(reader: StoreReader) -> int:
    return reader.revision()


SERVICE = web.AppKey("service", Service)
TOKEN = web.RequestKey("token", Token)
