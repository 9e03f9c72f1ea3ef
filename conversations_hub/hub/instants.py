"""A span of time that callers give: aware and in order, or refused before anything is asked."""

from __future__ import annotations

from datetime import UTC, datetime

from ..errors import InvalidRefError

__all__ = ["check_span"]


def check_span(since: datetime | None, until: datetime | None) -> None:
    """Raise `InvalidRefError` for an instant without a time zone, or none in UTC, and for an end before its start."""
    for name, moment in (("since", since), ("until", until)):
        if moment is None:
            continue
        if moment.utcoffset() is None:
            raise InvalidRefError(f"{name} has no time zone: give an aware datetime, such as datetime.now(UTC)")
        if not _is_in_utc(moment):
            raise InvalidRefError(f"{name} ({moment.isoformat()}) is no date in UTC: give one that lies nearer")
    if since is not None and until is not None and since > until:
        raise InvalidRefError(
            f"since ({since.isoformat()}) lies after until ({until.isoformat()}), so nothing lies between"
        )


def _is_in_utc(moment: datetime) -> bool:
    try:
        moment.astimezone(UTC)
    except OverflowError:
        return False
    return True
