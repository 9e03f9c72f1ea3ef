"""Instants as whole microseconds since 1970, and as RFC 3339 tells them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import isfinite
from typing import Final

__all__ = ["EPOCH", "after", "microseconds", "text_of", "text_of_microseconds"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - EPOCH) // _MICROSECOND


def after(begin: int, seconds: float) -> int | None:
    """Return microseconds since 1970, some seconds later; None if that is no instant in the years 1 to 9999."""
    if not isfinite(seconds) or abs(seconds) > _LAST:
        return None
    found = begin + round(seconds * 1_000_000)
    return found if _FIRST <= found <= _LAST else None


def text_of(instant: datetime) -> str:
    """Return an instant as RFC 3339 tells it, in milliseconds if these are exact."""
    return text_of_microseconds(microseconds(instant))


def text_of_microseconds(since: int) -> str:
    """Return microseconds since 1970 as RFC 3339 tells them, in milliseconds if these are exact."""
    text = (EPOCH + timedelta(microseconds=since)).isoformat()[:19]
    milliseconds, rest = divmod(since % 1_000_000, 1000)
    return f"{text}.{milliseconds:03}{rest:03}Z" if rest else f"{text}.{milliseconds:03}Z"
