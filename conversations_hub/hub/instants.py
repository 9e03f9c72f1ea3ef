"""Instants that callers give: aware, or refused before anything is asked."""

from __future__ import annotations

from datetime import datetime

from ..errors import InvalidRefError

__all__ = ["check_aware"]


def check_aware(**moments: datetime | None) -> None:
    """Raise `InvalidRefError` for an instant without a time zone, by the name of its argument."""
    for name, moment in moments.items():
        if moment is not None and moment.utcoffset() is None:
            raise InvalidRefError(f"{name} has no time zone: give an aware datetime, such as datetime.now(UTC)")
