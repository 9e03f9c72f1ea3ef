"""What conversations are grouped by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Final

from ..errors import InvalidRefError
from ..schema import Conversation

__all__ = ["KEYS", "check_keys", "group_of"]

_Key = Callable[[Conversation, tzinfo], str | None]


def _when(one: Conversation, zone: tzinfo) -> datetime | None:
    moment = one.created_at or one.started_at
    try:
        return None if moment is None else moment.astimezone(zone)
    except OverflowError:  # a zone may lead out of the calendar
        return moment


def _week(one: Conversation, zone: tzinfo) -> str | None:
    moment = _when(one, zone)
    if moment is None:
        return None
    year, week, _ = moment.isocalendar()
    return f"{year:04}-W{week:02}"


def _day(one: Conversation, zone: tzinfo) -> str | None:
    moment = _when(one, zone)
    return None if moment is None else moment.date().isoformat()


def _month(one: Conversation, zone: tzinfo) -> str | None:
    day = _day(one, zone)
    return day and day[:7]


KEYS: Final[Mapping[str, _Key]] = MappingProxyType(
    {
        "provider": lambda one, _zone: one.provider,
        "account": lambda one, _zone: one.account,
        "agent": lambda one, _zone: one.agent.id if one.agent else None,
        "agent_version": lambda one, _zone: one.agent.version if one.agent else None,
        "day": _day,
        "week": _week,
        "month": _month,
        "channel": lambda one, _zone: one.channel.value,
        "direction": lambda one, _zone: one.direction.value,
        "status": lambda one, _zone: one.status.value,
        "end_reason": lambda one, _zone: one.end_reason and one.end_reason.value,
        "language": lambda one, _zone: one.language,
    }
)
"""The keys of groups: day, ISO week and month are those of `created_at`, else of `started_at`."""


def check_keys(by: Sequence[str]) -> tuple[str, ...]:
    """Return the keys, each once; raise `InvalidRefError` if one does not exist."""
    for name in by:
        if name not in KEYS:
            raise InvalidRefError(f"conversations cannot be grouped by {name!a}: choose from {', '.join(KEYS)}")
    return tuple(dict.fromkeys(by))


def group_of(one: Conversation, by: Sequence[str], zone: tzinfo) -> tuple[str | None, ...]:
    """Return the values of the keys; None where the conversation has none."""
    return tuple(KEYS[name](one, zone) for name in by)
