"""How long to wait before another try."""

from __future__ import annotations

import msgspec

from ..errors import DeadlineError, HubError, RateLimitError

__all__ = ["Backoff"]


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before another try; spans in seconds."""

    transient_base: float
    throttle_base: float = 1.0
    cap: float
    longest_retry_after: float
    """A provider that asks for more is not waited for."""

    def delay(self, error: HubError, retry: int, roll: float) -> float | None:
        """Return the wait before retry number `retry` (from 0), or None where there should be none.

        Full jitter: `roll`, in [0, 1), decides how much of the doubling ceiling is waited. What the provider asked
        for is a floor, with a little spread above it, so that clients told the same instant do not return together.
        """
        if not error.retryable or isinstance(error, DeadlineError):
            return None
        base = self.throttle_base if isinstance(error, RateLimitError) else self.transient_base
        wait = roll * min(self.cap, base * 2.0 ** min(retry, 64))
        if error.retry_after is None:
            return wait
        if error.retry_after > self.longest_retry_after:
            return None
        return max(wait, error.retry_after) + roll * min(1.0, 0.1 * error.retry_after)
