"""What goes wrong on purpose: how often, and which answer it hits, as arithmetic on values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Bucket", "Fault", "Faults"]

_STATUSES = (500, 502, 503)


class Fault(StrEnum):
    """One way in which an answer fails."""

    THROTTLE = "throttle"
    """429 with `Retry-After`."""
    THROTTLE_BARE = "throttle_bare"
    """429 without."""
    OUTAGE = "outage"
    """500, 502 or 503."""
    RESET = "reset"
    """The request is carried out, then the connection is reset."""
    TRUNCATE = "truncate"
    """The body ends before its declared length."""
    SLOW = "slow"
    """The body trickles in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How a simulated provider misbehaves; shares are fractions of its answers, from 0 to 1."""

    latency: float = 0.0
    """Seconds before each answer."""
    jitter: float = 0.0
    """Up to so many seconds more."""
    throttle: float = 0.0
    """Share of 429 with `Retry-After`."""
    throttle_bare: float = 0.0
    """Share of 429 without."""
    outage: float = 0.0
    """Share of 500, 502 and 503."""
    reset: float = 0.0
    """Share of connections reset."""
    truncate: float = 0.0
    """Share of bodies shorter than declared."""
    slow: float = 0.0
    """Share of bodies that trickle in."""
    slow_seconds: float = 5.0
    """How long a slow body takes."""
    retry_after: int = 1
    """Seconds a throttled client is told to wait, where no rate is set."""
    requests_per_second: float | None = None
    """Rate per key, above which the answer is 429 with `Retry-After`; None: no limit."""
    burst: int | None = None
    """Requests per key that may come at once; None: a second's worth."""
    duplicate: float = 0.0
    """Share of webhook deliveries that are sent twice."""
    late: float = 0.0
    """Share of webhook deliveries that come late, and so out of order."""
    late_seconds: float = 5.0
    """Up to how late."""
    withheld: tuple[str, ...] = ()
    """Kinds of conversations that accounts have no right to, as `vapi:chats`: 403."""
    providers: tuple[str, ...] = ()
    """Whom this concerns; empty: everybody."""

    def __post_init__(self) -> None:
        shares = [getattr(self, fault) for fault in Fault]
        if any(not 0 <= share <= 1 for share in shares) or sum(shares) > 1:
            raise ValueError("the shares of faults are fractions from 0 to 1 that add up to at most 1")
        if not (0 <= self.duplicate <= 1 and 0 <= self.late <= 1):
            raise ValueError("the shares of webhook deliveries are fractions from 0 to 1")
        if min(self.latency, self.jitter, self.slow_seconds, self.late_seconds, self.retry_after) < 0:
            raise ValueError("no time-span of a fault is negative")
        if self.requests_per_second is not None and self.requests_per_second <= 0:
            raise ValueError("requests_per_second is positive, or None for no limit")
        if self.burst is not None and self.burst < 1:
            raise ValueError("burst is at least 1")

    def choose(self, roll: float) -> Fault | None:
        """Return what happens to an answer, given a number from 0 up to 1."""
        for fault in Fault:
            share: float = getattr(self, fault)
            if roll < share:
                return fault
            roll -= share
        return None

    @staticmethod
    def status(roll: float) -> int:
        """Return which of the server errors an outage is, given a number from 0 up to 1."""
        return _STATUSES[int(roll * len(_STATUSES))]


class Bucket:
    """The requests one key has left: a bucket of tokens that fills with time."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._spent = 0.0

    def take(self, faults: Faults, now: float) -> tuple[float, int, float]:
        """Take a token; return the seconds to wait for one (0: it was there), what is left, and when it is full."""
        rate = faults.requests_per_second or 1.0
        size = float(faults.burst or max(1, round(rate)))
        self._spent = min(max(0.0, self._spent - (now - self._since) * rate), size)
        self._since = now
        if self._spent > size - 1:
            return (self._spent - size + 1) / rate, 0, self._spent / rate
        self._spent += 1
        return 0.0, int(size - self._spent), self._spent / rate
