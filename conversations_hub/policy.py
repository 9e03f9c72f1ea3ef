"""What to do about failure, as arithmetic: told the time and a roll of the dice, it returns a decision.

Only the transport acts on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import msgspec

from .errors import ConfigurationError, DeadlineError, HubError, RateLimitError

__all__ = ["PROFILES", "Backoff", "Profile", "profile_named", "retry_after"]


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


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers a hub works by; spans in seconds, sizes in bytes."""

    attempts: int
    """Tries per operation, the first included."""
    deadline: float
    """Of an operation, all its attempts and waits included."""
    attempt_timeout: float
    """Of one attempt, from the connection to the body's last byte."""
    connect_timeout: float
    in_flight: int = 64
    """Requests of an account at a time."""
    largest_body: int
    """Of an answer, decompressed."""
    backoff: Backoff


PROFILES: Mapping[str, Profile] = {
    "interactive": Profile(
        attempts=3,
        deadline=30.0,
        attempt_timeout=10.0,
        connect_timeout=3.0,
        largest_body=32 * 1024 * 1024,
        backoff=Backoff(transient_base=0.25, cap=5.0, longest_retry_after=10.0),
    ),
    "bulk": Profile(
        attempts=6,
        deadline=300.0,
        attempt_timeout=60.0,
        connect_timeout=5.0,
        largest_body=64 * 1024 * 1024,
        backoff=Backoff(transient_base=0.5, cap=20.0, longest_retry_after=900.0),
    ),
}
"""`interactive` for web back ends and agents, `bulk` for jobs."""


def profile_named(profile: str | Profile) -> Profile:
    """Return a profile by name, or as it is; raise `ConfigurationError` for a name nobody knows."""
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ConfigurationError(f"unknown profile {profile!r}; there are: {', '.join(PROFILES)}")
    return PROFILES[profile]


_MOST_DIGITS = 10
_TOO_LONG = float(10**_MOST_DIGITS)


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Read how many seconds a provider asks to wait; None where it does not say, or not clearly.

    Seconds, or an HTTP date, measured from the answer's own `Date` where it has one. A date that has passed is 0.
    """
    # https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value) if len(value) <= _MOST_DIGITS else _TOO_LONG
    at = _http_date(value)
    if at is None:
        return None
    return max(0.0, (at - (_http_date(headers.get("date", "")) or now)).total_seconds())


def _http_date(value: str) -> datetime | None:
    if not value[:3].isalpha():
        return None
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  (9 ms, and few providers send a date)

    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, OverflowError):
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
