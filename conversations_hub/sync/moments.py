"""Sums of instants and spans that callers and stores give: they end where the calendar does, and never overflow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["earlier", "later"]

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(8999, 12, 31, tzinfo=UTC)


def later(moment: datetime, span: timedelta) -> datetime:
    """Return the aware instant so much later; from 1970 up to 8999."""
    try:
        return min(max(moment + span, _FIRST), _LAST)
    except OverflowError:
        return _LAST


def earlier(moment: datetime, span: timedelta) -> datetime:
    """Return the aware instant so much earlier; from 1970 up to 8999."""
    try:
        return min(max(moment - span, _FIRST), _LAST)
    except OverflowError:
        return _FIRST
