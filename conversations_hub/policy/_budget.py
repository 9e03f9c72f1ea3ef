"""How many retries an account may spend, so that retries never become the load that keeps a provider down."""

from __future__ import annotations

from typing import Final

from ..errors import HubError, RateLimitError

__all__ = ["RetryBudget"]

# The numbers of https://github.com/boto/botocore/blob/develop/botocore/retries/standard.py
_CAPACITY: Final = 500
_TRANSIENT_COST: Final = 14
_THROTTLE_COST: Final = 5
_REWARD: Final = 1


class RetryBudget:
    """An account's tokens: a retry costs some, a success gives some back.

    It has no effect while failures are rare. In an outage it is soon spent, and each operation then sends one request.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._level = capacity

    @property
    def level(self) -> int:
        """The tokens left, from 0 to the capacity."""
        return self._level

    def take(self, error: HubError) -> int | None:
        """Pay for a retry after `error` and return its cost; None, and nothing paid, if too few tokens are left.

        Call it before the wait: otherwise all retries that wait at once would find the same tokens.
        """
        cost = _THROTTLE_COST if isinstance(error, RateLimitError) else _TRANSIENT_COST
        if cost > self._level:
            return None
        self._level -= cost
        return cost

    def give_back(self, last_cost: int | None) -> None:
        """Record a success: the cost of its last retry comes back, or one token if it needed no retry (None)."""
        self._level = min(self._capacity, self._level + (_REWARD if last_cost is None else last_cost))
