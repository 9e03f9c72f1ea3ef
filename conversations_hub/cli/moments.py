"""Instants as one types them: ISO 8601, or a span back from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

__all__ = ["moment"]

_BACK = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> datetime:
    """Read `2026-11-20`, `2026-11-20T09:30+01:00`, or `90d`, `12h`, `30m` back from now; without a zone it is UTC."""
    back = _BACK.fullmatch(text)
    try:
        if back:
            return datetime.now(UTC) - timedelta(**{_UNITS[back["unit"]]: int(back["number"])})
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!a} is no instant: write 2026-11-20, 2026-11-20T09:30Z, 90d, 12h or 30m"
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
