"""A rate limit for each account that all processes share, kept in Redis."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from .._frames import bared
from .._transport import Clock
from ..adapters import usable
from ..errors import ConfigurationError, UnknownAccountError
from ..secret import Secret
from ._redis import PAUSE, RESERVE, THROTTLE, RedisScripts

__all__ = ["RedisLimiter"]

_USED: Final = 0.98  # of a documented limit
_UNDOCUMENTED: Final = 10.0  # requests per second


class RedisLimiter:
    """A rate limit for each account that all processes share: `Hub(limiter=RedisLimiter("redis://localhost"))`.

    While Redis cannot be reached or takes longer than a quarter of a second, each process keeps to its own part of the
    rate, and tries again after one to five seconds. A request never fails because of that. Redis holds names of
    accounts and times, no key and nothing of a conversation. It needs the extra `redis`.

    Args:
        url: `redis://host:6379`, `rediss://name:password@host` for TLS, or `unix:///path`; the password is never shown.
        rates: requests per second by "provider/account". By default the documented limit of the provider, or 10 if it
            documents none. After a refusal (429) the rate is lower for a while.
        burst: how many requests may go at once after a pause in the work.
        workers: how many processes share the limit; each takes that part of the rate while Redis is away.
        clock: the source of time, for tests.

    Raises:
        ConfigurationError: another kind of URL, a number that is not positive, or the extra is not installed.
    """

    @bared
    def __init__(
        self,
        url: str | Secret,
        *,
        rates: Mapping[str, float] | None = None,
        burst: int = 1,
        workers: int = 1,
        clock: Clock | None = None,
    ) -> None:
        self.rates: dict[str, float] = dict(rates or {})
        """Requests per second by "provider/account", as far as they were given or asked for."""
        if burst < 1 or workers < 1 or not all(0 < rate < math.inf for rate in self.rates.values()):
            raise ConfigurationError("burst and workers must be 1 or more, and rates more than 0")
        self._burst = burst
        self._workers = workers
        self._clock = clock or Clock()
        self._redis = RedisScripts(Secret(url, "URL of the limiter") if isinstance(url, str) else url, self._clock)
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._places: dict[str, float] = {}  # taken and not used yet, by account, in monotonic seconds
        self._opens: defaultdict[str, float] = defaultdict(float)  # for the time without Redis
        self._pauses: defaultdict[str, float] = defaultdict(float)

    async def reserve(self, account: str) -> float:
        """Take the next place for "provider/account" and return 0, or return the seconds until there is one.

        A place that lies ahead is taken at once, and belongs to the call after these seconds.
        """
        async with self._turns[account]:  # each of several would take a place, and only one is kept
            place = self._places.get(account)
            if place is not None and (left := place - self._clock.monotonic()) > 0:
                return left
            told = await self._redis.run(RESERVE, account, self._rate(account), self._burst, int(place is not None))
            wait = self._wait_alone(account, is_taken=place is not None) if told is None else told
            if wait <= 0:
                self._places.pop(account, None)
                return 0.0
            self._places[account] = self._clock.monotonic() + wait
            return wait

    async def pause(self, account: str, seconds: float) -> None:
        """Let no process's request go for `seconds`, because the provider asked for that."""
        until = self._clock.monotonic() + seconds
        self._pauses[account] = max(self._pauses[account], until)
        await self._redis.run(PAUSE, account, self._rate(account), seconds)

    async def throttled(self, account: str) -> None:
        """Lower the rate for a while, because the provider refused a request."""
        await self._redis.run(THROTTLE, account, self._rate(account))

    async def close(self) -> None:
        """Close the connections to Redis."""
        await self._redis.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<RedisLimiter: {self._redis.name}>"

    def _rate(self, account: str) -> float:
        if account not in self.rates:
            self.rates[account] = _documented(account.partition("/")[0])
        return self.rates[account]

    def _wait_alone(self, account: str, *, is_taken: bool) -> float:
        """Take a place in this process's own part of the rate, and return the seconds until it."""
        now, pause = self._clock.monotonic(), self._pauses[account]
        if is_taken and pause <= now:
            return 0.0
        start = max(now, pause, self._opens[account])
        self._opens[account] = start + self._workers / self._rate(account)
        return start - now


def _documented(provider: str) -> float:
    """Return the requests per second that a provider's documented limit allows."""
    try:
        documented = usable(provider).requests_per_second
    except UnknownAccountError:  # an adapter that only its hub knows
        documented = None
    return _UNDOCUMENTED if documented is None else _USED * documented
