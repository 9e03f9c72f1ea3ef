"""Instants as many providers tell them: to the millisecond, and cut rather than rounded."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["in_milliseconds", "in_seconds", "milliseconds", "to_the_millisecond"]


def milliseconds(moment: float) -> int:
    """Return a moment, in Unix seconds, as Unix milliseconds."""
    return round(moment * 1_000_000) // 1000


def to_the_millisecond(moment: float) -> str:
    """Return a moment, in Unix seconds, as ISO 8601 text in UTC."""
    whole, rest = divmod(milliseconds(moment), 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03}Z"


def in_seconds(text: str) -> float | None:
    """Read ISO 8601 text, in UTC unless it says otherwise, as Unix seconds; None where it is no such thing."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def in_milliseconds(text: str) -> int | None:
    """Read the same as Unix milliseconds."""
    moment = in_seconds(text)
    return None if moment is None else milliseconds(moment)
