"""What a walk should deliver, and which conversations match its filters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from ..adapter import Query
from ..errors import HubError
from ..policy import Profile
from ..schema import Conversation, Status
from ._cursor import Place

__all__ = ["ListOptions"]


class ListOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk should deliver."""

    query: Query
    options: Mapping[str, Mapping[str, Any]] = {}
    place: Place | None = None
    limit: int | None = None
    transcripts: bool = False
    verify: bool = False
    timeout: float | None = None
    """Seconds for the whole walk; None: as long as it takes."""
    profile: Profile | None = None
    on_error: Callable[[HubError], object] | None = None

    def wants(self, row: Conversation) -> bool:
        """Whether a row matches the filters, judged by the row itself, because providers do ignore filters."""
        return False not in self._answers(row)

    def leaves_open(self, row: Conversation) -> bool:
        """Whether a row lacks what one of the filters asks for, so that only its details can tell."""
        return None in self._answers(row)

    def confirms(self, row: Conversation, details: Conversation) -> bool:
        """Whether a conversation matches the filters: what its row leaves open, its details may tell."""
        answers = zip(self._answers(row), self._answers(details), strict=True)
        return all((told if said is None else said) is not False for said, told in answers)

    def _answers(self, one: Conversation) -> list[bool | None]:
        """Return whether a conversation matches each filter that was given; None: it does not say."""
        query = self.query
        answers: list[bool | None] = []
        if query.since is not None or query.until is not None:
            at = one.created_at or one.started_at
            answers.append(None if at is None else _lies_between(query.since, at, query.until))
        if query.status is not None:
            is_unknown = one.status is Status.UNKNOWN and one.provider_status is None
            answers.append(one.status == query.status or (None if is_unknown else False))
        if query.agent is not None:
            agent = one.agent.id if one.agent else None
            answers.append(None if agent is None else agent == query.agent)
        if query.updated_since is not None:
            answers.append(None if one.updated_at is None else query.updated_since <= one.updated_at)
        return answers


def _lies_between(since: datetime | None, at: datetime, until: datetime | None) -> bool:
    return (since is None or since <= at) and (until is None or at < until)
