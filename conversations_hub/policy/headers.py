"""What a provider's headers say about when to ask again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

__all__ = ["retry_after"]

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
