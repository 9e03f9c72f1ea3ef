"""The filters of a query on a store, parsed and checked once for every kind of store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple, Self, TypeVar

from .._instants import check_span
from .._refs import Target
from ..errors import InvalidRefError
from ..schema import Channel, Direction, EndReason, Role, Status, TranscriptState

__all__ = ["COUNTED", "FIELDS", "MOST_VALUES", "Filters", "check_counted"]

E = TypeVar("E", bound=StrEnum)

FIELDS: Final[Mapping[str, type[StrEnum] | None]] = MappingProxyType(
    {
        "provider": None,
        "status": Status,
        "agent": None,
        "end_reason": EndReason,
        "transcript_state": TranscriptState,
        "channel": Channel,
        "direction": Direction,
        "tag": None,
    }
)
"""The fields that conversations are chosen by, each with its words; None: any text."""

COUNTED: Final = ("account", *FIELDS)
"""What conversations are counted by."""

MOST_VALUES: Final = 100  # of a field
_NO_FIELDS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType({})


class Filters(NamedTuple):
    """What conversations to choose; None does not filter. Make it with `Filters.of`, which checks it."""

    targets: tuple[Target, ...] = ()
    """Empty: every account."""
    since: datetime | None = None
    """An aware instant; one without an instant lies in every span, as in `hub.list`."""
    until: datetime | None = None
    """An aware instant, exclusive."""
    status: Status | None = None
    agent: str | None = None
    """The id of the agent."""
    role: Role | None = None
    """Of the speaker, in a search."""
    fields: Mapping[str, tuple[str, ...]] = _NO_FIELDS
    """Values by field, of which a conversation has one: provider, status, agent (its id), end_reason, transcript_state,
    channel, direction and tag."""
    has_issues: bool | None = None
    """Whether something of it could not be read."""
    words: str | None = None
    """Those of a search, of which one turn contains all."""

    @classmethod
    def of(
        cls,
        targets: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        status: Status | str | None = None,
        agent: str | None = None,
        role: Role | str | None = None,
        fields: Mapping[str, Iterable[str]] = _NO_FIELDS,
        has_issues: bool | None = None,
        words: str | None = None,
    ) -> Self:
        """Parse a caller's filters.

        Raises:
            InvalidRefError: a malformed target, an instant without a time zone, a span that ends before it begins, an
                unknown field or word, or more than a hundred values of a field.
        """
        check_span(since, until)
        return cls(
            tuple(dict.fromkeys(map(Target.parse, targets))),
            since,
            until,
            _one_of(Status, "status", status),
            agent,
            _one_of(Role, "role", role),
            {name: _values_of(name, values) for name, values in fields.items()},
            has_issues,
            words,
        )

    def without(self, field: str) -> Self:
        """Return the same filters but for those of one field, or of "account"."""
        fields = {name: values for name, values in self.fields.items() if name != field}
        return self._replace(fields=fields, targets=() if field == "account" else self.targets)


def check_counted(by: str) -> None:
    """Raise `InvalidRefError` for what conversations are not counted by."""
    if by not in COUNTED:
        raise InvalidRefError(f"unknown field {by!a}; choose from {', '.join(COUNTED)}")


def _one_of(kind: type[E], name: str, word: str | None) -> E | None:
    if word is None or word in list(kind):
        return None if word is None else kind(word)
    raise InvalidRefError(f"unknown {name} {word!a}; choose from {', '.join(kind)}")


def _values_of(name: str, values: Iterable[str]) -> tuple[str, ...]:
    if name not in FIELDS:
        raise InvalidRefError(f"unknown field {name!a}; choose from {', '.join(FIELDS)}")
    found, kind = tuple(dict.fromkeys(values)), FIELDS[name]
    if len(found) > MOST_VALUES:
        raise InvalidRefError(f"more than {MOST_VALUES} values of {name}")
    if kind is not None:
        for word in found:
            _one_of(kind, name, word)
    return found
