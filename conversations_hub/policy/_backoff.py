"""How long to wait before a retry."""

from __future__ import annotations

import msgspec

from ..errors import DeadlineError, HubError, RateLimitError

__all__ = ["Backoff"]


class Backoff(msgspec.Struct, frozen=True, kw_only=True):
    """How long to wait before a retry; spans in seconds."""

    transient_base: float
    throttle_base: float = 1.0
    cap: float
    longest_retry_after: float
    """If a provider asks for a longer wait, there is no retry."""

    def delay(self, error: HubError, retry: int, roll: float) -> float | None:
        """Return the seconds before retry number `retry` (from 0), or None if there should be no retry.

        Full jitter: the wait is `roll`, in [0, 1), times a ceiling that doubles with each retry. The wait that the
        provider asks for is a minimum, with a little spread above it, so that clients given the same instant do not
        return together.
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
