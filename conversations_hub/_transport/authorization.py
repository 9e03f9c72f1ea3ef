"""Tokens that an account's key is exchanged for: kept until they expire, and renewed once for all who wait."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from copy import copy
from typing import Final

from ..account import Account
from ..adapter import Token
from ..errors import DeadlineError, HubError
from .clock import Clock

__all__ = ["Tokens"]

_EARLY: Final = 0.1
"""The last part of a token's lifetime, in which it is renewed: a request may take a while to arrive."""
_LATEST: Final = 60.0  # seconds of it


class Tokens:
    """The token of one account."""

    def __init__(self, account: Account, clock: Clock, renew: Callable[[], Awaitable[Token]]) -> None:
        self._account = account
        self._clock = clock
        self._renew = renew
        self._current: Account | None = None
        self._renews_at = -math.inf
        self._renewal: asyncio.Task[Account] | None = None

    async def account(self, deadline: float) -> Account:
        """Return the account with a token that is valid now as its key; `deadline` is a monotonic instant.

        Raises what the renewal raised, and `DeadlineError` if it takes too long.
        """
        if self._current is not None and self._clock.monotonic() < self._renews_at:
            return self._current
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._renewed())
        # It goes on if one of those who wait for it gives up.
        done, _ = await asyncio.wait((self._renewal,), timeout=max(0.0, deadline - self._clock.monotonic()))
        if not done:
            raise DeadlineError("no token was issued in time")
        failure = self._renewal.exception()
        if isinstance(failure, HubError):
            raise copy(failure)  # each who waits completes its own
        return self._renewal.result()

    def forget(self, refused: Account) -> None:
        """Forget a token that the provider refused, unless it was renewed meanwhile."""
        if refused is self._current:
            self._current = None

    async def _renewed(self) -> Account:
        began = self._clock.monotonic()
        token = await self._renew()
        life = token.lifetime
        self._renews_at = math.inf if life is None else began + life - min(_LATEST, _EARLY * life)
        self._current = self._account.with_key(token.secret)
        return self._current

    async def settled(self) -> None:
        """Wait for a renewal that is under way."""
        if self._renewal is not None:
            await asyncio.wait((self._renewal,))
