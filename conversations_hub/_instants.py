"""Instants from callers and stores: checked for a time zone, and added to without overflow."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from .errors import InvalidRefError

__all__ = ["check_instant", "check_span", "earlier", "later", "parse_instant", "parse_span"]

_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(8999, 12, 31, tzinfo=UTC)


def later(moment: datetime, span: timedelta) -> datetime:
    """Return the aware instant that is `span` later, clamped to the years 1970 to 8999."""
    try:
        return min(max(moment + span, _FIRST), _LAST)
    except OverflowError:
        return _LAST


def earlier(moment: datetime, span: timedelta) -> datetime:
    """Return the aware instant that is `span` earlier, clamped to the years 1970 to 8999."""
    try:
        return min(max(moment - span, _FIRST), _LAST)
    except OverflowError:
        return _FIRST


_SPAN: Final = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_span(text: str) -> timedelta:
    """Parse `2d`, `12h`, `90m`, `45s` or `1w`; raise `InvalidRefError` for anything else."""
    found = _SPAN.fullmatch(text)
    try:
        if found:
            return timedelta(**{_UNITS[found["unit"]]: int(found["number"])})
    except OverflowError:
        pass
    raise InvalidRefError(f"invalid span {text!a}: use 2d, 12h or 90m")


def parse_instant(text: str, now: datetime) -> datetime:
    """Parse `2026-11-20`, `2026-11-20T09:30+01:00`, or `90d`, `12h`, `30m` before now; UTC without a zone.

    Raises `InvalidRefError` for anything else.
    """
    try:
        if _SPAN.fullmatch(text):
            return now - parse_span(text)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise InvalidRefError(
            f"invalid date or time {text!a}: use 2026-11-20, 2026-11-20T09:30Z, 90d, 12h or 30m"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def check_span(since: datetime | None, until: datetime | None) -> None:
    """Raise `InvalidRefError` for an instant without a time zone or a date in UTC, and for `until` before `since`."""
    check_instant("since", since)
    check_instant("until", until)
    if since is not None and until is not None and since > until:
        raise InvalidRefError(f"since ({since.isoformat()}) is after until ({until.isoformat()}), so nothing can match")


def check_instant(name: str, moment: datetime | None) -> None:
    """Raise `InvalidRefError` for an instant without a time zone or a date in UTC; the error calls it `name`."""
    if moment is None:
        return
    if moment.utcoffset() is None:
        raise InvalidRefError(f"{name} has no time zone: give an aware datetime, such as datetime.now(UTC)")
    if not _is_in_utc(moment):
        raise InvalidRefError(f"{name} ({moment.isoformat()}) is out of range in UTC: give a nearer date")


def _is_in_utc(moment: datetime) -> bool:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
