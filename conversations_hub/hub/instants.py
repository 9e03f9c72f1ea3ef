"""A span of time that callers give: aware and in order, or refused before anything is asked."""

from __future__ import annotations

from datetime import datetime

from ..errors import InvalidRefError

__all__ = ["check_span"]


def check_span(since: datetime | None, until: datetime | None) -> None:
    """Raise `InvalidRefError` for an instant without a time zone, and for a beginning that lies after the end."""
    for name, moment in (("since", since), ("until", until)):
        if moment is not None and moment.utcoffset() is None:
            raise InvalidRefError(f"{name} has no time zone: give an aware datetime, such as datetime.now(UTC)")
    if since is not None and until is not None and since > until:
        raise InvalidRefError(
            f"since ({since.isoformat()}) lies after until ({until.isoformat()}), so nothing lies between"
        )
