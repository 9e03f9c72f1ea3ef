"""What every attempt passes, including retries: a circuit breaker, a limit on concurrent requests, and a rate limit.

Waiting here counts against the operation's deadline, never against an attempt's timeout. Requests go in order of
arrival.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, runtime_checkable

from ..errors import CircuitOpenError, DeadlineError, HubError, ProviderError, RateLimitError
from ..policy import Profile, quota
from ..policy._breaker import Breaker, Ticket
from ..policy._rate import RateLimit
from ..signals import BreakerChanged, Waited
from .clock import Clock

__all__ = ["Gate", "Limiter", "Tell", "ThrottledLimiter"]

Tell = Callable[..., None]
"""Emits a signal: its class, then its facts by name."""

_LONGEST_UNPROBED: Final = 60.0  # a header about the remaining quota is trusted for no longer


class Limiter(Protocol):
    """A rate limit that several processes share; it replaces the one that each hub keeps for itself."""

    async def reserve(self, account: str) -> float:
        """Take the next place for "provider/account" and return 0, or return the seconds until there is one.

        A hub waits that long and calls it again. It makes one call at a time for each account.
        """
        ...

    async def pause(self, account: str, seconds: float) -> None:
        """Let no request go for `seconds`, because the provider asked for that."""
        ...


@runtime_checkable
class ThrottledLimiter(Limiter, Protocol):
    """A limiter that is also told of each 429, with or without a time to wait."""

    async def throttled(self, account: str) -> None:
        """Lower the rate, because the provider refused a request."""
        ...


class _Places(asyncio.Semaphore):
    """Places among an account's concurrent requests."""

    def take_at_once(self) -> bool:
        """Take a place if one is free and no request waits for one; return whether it was."""
        if self._value <= 0 or self._waiters:
            return False
        self._value -= 1
        return True


class Gate:
    """One account's gate."""

    def __init__(
        self,
        account: str,
        profile: Profile,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]],
        documented_rate: float | None,
        limiter: Limiter | None,
        tell: Tell,
    ) -> None:
        self._account = account
        self._profile = profile
        self._clock = clock
        self._sleep = sleep
        self._limiter = limiter
        self._tell = tell
        self._places = _Places(profile.in_flight)
        self._in_line = 0  # requests that wait for the rate
        self._turn = asyncio.Lock()  # held by the first of them
        self._rate = RateLimit(documented_rate)
        self._breaker = Breaker()

    @property
    def is_broken(self) -> bool:
        """Whether no requests are sent to the provider for now."""
        return self._profile.breaks and self._breaker.retry_at(self._clock.monotonic()) is not None

    async def enter(self, deadline: float, *, parks: bool) -> Ticket:
        """Wait until a request may go; call `leave` after it. With `parks`, also wait for a provider that is down.

        Raises `CircuitOpenError` if the provider was down a moment ago, and `DeadlineError` or `RateLimitError` if the
        wait would not end in time.
        """
        return self.enter_at_once() or await self.stand_in_line(deadline, parks=parks)

    def enter_at_once(self) -> Ticket | None:
        """Return a ticket for a request that need not wait, as most need not; None: it has to wait, with `enter`."""
        if self._in_line or self._limiter is not None or not self._places.take_at_once():
            return None
        now = self._clock.monotonic()
        if self._rate.wait(now) <= 0 and (ticket := self._breaker.enter(now)):
            self._rate.take(now)
            return ticket
        self._places.release()
        return None

    async def stand_in_line(self, deadline: float, *, parks: bool) -> Ticket:
        """Wait until a request may go, after `enter_at_once` returned None; otherwise as `enter`."""
        while True:
            await self._pass_breaker(deadline, parks=parks)
            await self._take_place(deadline)
            ticket: Ticket | None = None
            try:
                await self._pass_rate(deadline)
                ticket = self._breaker.enter(self._clock.monotonic())
            finally:
                if ticket is None:
                    self._places.release()
            if ticket is not None:
                return ticket

    def leave(self) -> None:
        """Return the place."""
        self._places.release()

    def succeeded(self, ticket: Ticket) -> None:
        """Learn from a response."""
        openings = self._breaker.openings
        self._breaker.succeeded(ticket)
        if openings:
            self._tell_of_change(openings)
        self._rate.succeeded(self._clock.monotonic())

    async def failed(self, ticket: Ticket, error: HubError) -> None:
        """Learn from a failure."""
        now = self._clock.monotonic()
        if self._profile.breaks:
            openings = self._breaker.openings
            self._breaker.failed(ticket, error, now, self._clock.roll())
            self._tell_of_change(openings)
        # Any other error response passed the provider's rate limit, as a success does. Rate limit errors without status
        # 429, such as too many rooms at once, say nothing about the rate.
        if error.status == 429:
            self._rate.throttled(now)
            if isinstance(self._limiter, ThrottledLimiter):
                await self._limiter.throttled(self._account)
        elif isinstance(error, ProviderError):
            self._rate.succeeded(now)
        if isinstance(error, RateLimitError) and error.retry_after is not None:
            await self._pause(now, error.retry_after)

    def abandoned(self, ticket: Ticket) -> None:
        """Learn nothing: the request was cancelled."""
        self._breaker.abandoned(ticket)

    async def observe(self, headers: Mapping[str, str]) -> None:
        """Pause if the headers say that no requests are left; more than 0 is not a promise."""
        wait = self.quota_wait(headers)
        if wait is not None:
            await self._pause(self._clock.monotonic(), wait)

    def quota_wait(self, headers: Mapping[str, str]) -> float | None:
        """Return the seconds to wait if the headers say that no requests are left; None if they do not."""
        left = quota(headers, self._clock.now())
        return min(left.resets_in, _LONGEST_UNPROBED) if left is not None and left.remaining == 0 else None

    def _tell_of_change(self, openings: int) -> None:
        if self._breaker.openings > openings:
            now = self._clock.monotonic()
            self._tell(BreakerChanged, is_open=True, seconds=(self._breaker.retry_at(now) or now) - now)
        elif openings and self._breaker.is_closed:
            self._tell(BreakerChanged, is_open=False)

    async def _pause(self, now: float, seconds: float) -> None:
        if self._limiter is None:
            self._rate.pause(now + seconds)
        else:
            await self._limiter.pause(self._account, seconds)

    async def _pass_breaker(self, deadline: float, *, parks: bool) -> None:
        while (until := self._breaker.retry_at(now := self._clock.monotonic())) is not None:
            if not parks or until >= deadline:
                raise CircuitOpenError(
                    "the provider failed several times in a row a moment ago, so requests are paused for a while",
                    retry_after=until - now,
                )
            await self._hold(until - now, "breaker")

    async def _take_place(self, deadline: float) -> None:
        if self._places.take_at_once():
            return
        began = self._clock.monotonic()
        await self._acquire(self._places, deadline)
        self._tell(Waited, seconds=self._clock.monotonic() - began, reason="place")

    async def _pass_rate(self, deadline: float) -> None:
        wait = 0.0
        if not self._in_line and self._limiter is None:
            wait = await self._wait_for_rate()
            if wait <= 0:
                return
        self._in_line += 1
        try:
            await self._acquire(self._turn, deadline)
            try:
                await self._wait_in_front(wait, deadline)
            finally:
                self._turn.release()
        finally:
            self._in_line -= 1

    async def _wait_in_front(self, wait: float, deadline: float) -> None:
        while True:
            if self._breaker.retry_at(self._clock.monotonic()) is not None:
                return  # it opened while we waited: all that wait in line fail at once
            if self._clock.monotonic() + wait >= deadline:
                raise RateLimitError("the provider's rate limit leaves no room before the deadline", retry_after=wait)
            if wait > 0:
                await self._hold(wait, "rate")
            wait = await self._wait_for_rate()
            if wait <= 0:
                return

    async def _acquire(self, line: asyncio.Lock | asyncio.Semaphore, deadline: float) -> None:
        """Stand in line, but no longer than the deadline."""
        try:
            async with asyncio.timeout(deadline - self._clock.monotonic()):
                await line.acquire()
        except TimeoutError:
            is_late = True
        else:
            is_late = False
        if is_late:
            raise DeadlineError("the deadline passed while queued behind this account's other requests")

    async def _wait_for_rate(self) -> float:
        """Take a request's share of the rate and return 0, or return the seconds until there is one."""
        if self._limiter is not None:
            return await self._limiter.reserve(self._account)
        now = self._clock.monotonic()
        wait = self._rate.wait(now)
        if wait <= 0:
            self._rate.take(now)
        return wait

    async def _hold(self, seconds: float, reason: str) -> None:
        await self._sleep(seconds)
        self._tell(Waited, seconds=seconds, reason=reason)
