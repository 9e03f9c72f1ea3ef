"""How many retries an account may spend, so that they never become the load that keeps a provider down."""

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

    While failures are rare it is never felt. In an outage it is soon spent, and what remains is one request per
    operation.
    """

    def __init__(self, capacity: int = _CAPACITY) -> None:
        self._capacity = capacity
        self._level = capacity

    @property
    def level(self) -> int:
        """The tokens left, from 0 to the capacity."""
        return self._level

    def take(self, error: HubError) -> int | None:
        """Pay for a retry after `error` and return its cost; None, and nothing paid, where the tokens do not suffice.

        To be asked before the wait: all who wait at once would otherwise find the same tokens.
        """
        cost = _THROTTLE_COST if isinstance(error, RateLimitError) else _TRANSIENT_COST
        if cost > self._level:
            return None
        self._level -= cost
        return cost

    def give_back(self, last_cost: int | None) -> None:
        """Take note of a success: its last retry's cost comes back, or a little where it needed no retry (None)."""
        self._level = min(self._capacity, self._level + (_REWARD if last_cost is None else last_cost))
