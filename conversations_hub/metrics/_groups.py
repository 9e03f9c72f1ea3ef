"""What conversations are grouped by."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Final

from ..errors import InvalidRefError
from ..schema import Conversation

__all__ = ["KEYS", "SPANS", "check_keys", "group_of"]

_Key = Callable[[Conversation, tzinfo], str | None]
_Span = Callable[[datetime, tzinfo], str]


def _local(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError:  # a zone may lead out of the calendar
        return moment


def _day(moment: datetime, zone: tzinfo) -> str:
    return _local(moment, zone).date().isoformat()


def _week(moment: datetime, zone: tzinfo) -> str:
    year, week, _ = _local(moment, zone).isocalendar()
    return f"{year:04}-W{week:02}"


def _month(moment: datetime, zone: tzinfo) -> str:
    return _day(moment, zone)[:7]


SPANS: Final[Mapping[str, _Span]] = MappingProxyType({"day": _day, "week": _week, "month": _month})
"""The keys that are spans of time, which an instant and a time zone decide."""


def _of_instant(span: _Span) -> _Key:
    def key(one: Conversation, zone: tzinfo) -> str | None:
        moment = one.created_at or one.started_at
        return None if moment is None else span(moment, zone)

    return key


KEYS: Final[Mapping[str, _Key]] = MappingProxyType(
    {
        "provider": lambda one, _zone: one.provider,
        "account": lambda one, _zone: one.account,
        "agent": lambda one, _zone: one.agent.id if one.agent else None,
        "agent_version": lambda one, _zone: one.agent.version if one.agent else None,
        **{name: _of_instant(span) for name, span in SPANS.items()},
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
    names = dict.fromkeys((by,) if isinstance(by, str) else by)
    for name in names:
        if name not in KEYS:
            raise InvalidRefError(f"conversations cannot be grouped by {name!a}: choose from {', '.join(KEYS)}")
    return tuple(names)


def group_of(one: Conversation, by: Sequence[str], zone: tzinfo) -> tuple[str | None, ...]:
    """Return the values of the keys; None where the conversation has none."""
    return tuple(KEYS[name](one, zone) for name in by)
