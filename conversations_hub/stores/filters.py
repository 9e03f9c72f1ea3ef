"""What is looked for in a store, read and checked once for every kind of store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self, TypeVar

from ..errors import InvalidRefError
from ..instants import check_span
from ..refs import Target
from ..schema import Role, Status

__all__ = ["Filters"]

E = TypeVar("E", bound=StrEnum)


class Filters(NamedTuple):
    """What is looked for."""

    targets: tuple[Target, ...] = ()
    """None: everybody's."""
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
        """Read what a caller looks for.

        Raises:
            InvalidRefError: a malformed target, an instant without a time zone, a span that ends before it begins, or a
                status or role that is none.
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
    raise InvalidRefError(f"no {name} is called {word!a}; choose from {', '.join(kind)}")
