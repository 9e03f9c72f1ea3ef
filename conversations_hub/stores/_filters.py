"""The filters of a query on a store, parsed and checked once for every kind of store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self, TypeVar

from .._instants import check_span
from .._refs import Target
from ..errors import InvalidRefError
from ..schema import Role, Status

__all__ = ["Filters"]

E = TypeVar("E", bound=StrEnum)


class Filters(NamedTuple):
    """The filters of a query; None does not filter. Instants are aware datetimes."""

    targets: tuple[Target, ...] = ()
    """Empty: every account."""
    since: datetime | None = None
    until: datetime | None = None
    status: Status | None = None
    agent: str | None = None
    role: Role | None = None

    @classmethod
    def of(
        cls,
        targets: Sequence[str],
        since: datetime | None,
        until: datetime | None,
        *,
        status: Status | str | None = None,
        agent: str | None = None,
        role: Role | str | None = None,
    ) -> Self:
        """Parse a caller's filters.

        Raises:
            InvalidRefError: a malformed target, an instant without a time zone, a span that ends before it begins, or
                an unknown status or role.
        """
        check_span(since, until)
        return cls(
            tuple(dict.fromkeys(map(Target.parse, targets))),
            since,
            until,
            _one_of(Status, "status", status),
            agent,
            _one_of(Role, "role", role),
        )


def _one_of(kind: type[E], name: str, word: str | None) -> E | None:
    if word is None or word in list(kind):
        return None if word is None else kind(word)
    raise InvalidRefError(f"unknown {name} {word!a}; choose from {', '.join(kind)}")
