"""Instants and spans as one types them: ISO 8601, or `90d`, which is also so long back from now."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import click

__all__ = ["moment", "span"]

_SPAN = re.compile(r"(?P<number>[0-9]{1,9})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> datetime:
    """Read `2026-11-20`, `2026-11-20T09:30+01:00`, or `90d`, `12h`, `30m` back from now; without a zone it is UTC."""
    try:
        if _SPAN.fullmatch(text):
            return datetime.now(UTC) - span(text)
        instant = datetime.fromisoformat(text)
    except (ValueError, OverflowError, click.BadParameter):
        raise click.BadParameter(
            f"{text!a} is no instant: write 2026-11-20, 2026-11-20T09:30Z, 90d, 12h or 30m"
        ) from None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def span(text: str) -> timedelta:
    """Read `2d`, `12h`, `90m`, `45s` or `1w`."""
    found = _SPAN.fullmatch(text)
    try:
        if found:
            return timedelta(**{_UNITS[found["unit"]]: int(found["number"])})
    except OverflowError:
        pass
    raise click.BadParameter(f"{text!a} is no span: write 2d, 12h or 90m")
