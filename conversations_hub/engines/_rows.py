"""A conversation as one flat row, for tables of engines and lakes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from ..schema import Conversation
from ..schema._document import document
from ..stores._fingerprint import fingerprint
from ..stores._store import when

__all__ = ["COLUMNS", "Row", "row"]


class Row(NamedTuple):
    """A conversation in columns; (provider, account, id) is its key."""

    provider: str
    account: str
    id: str
    day: str
    """The date of `created_at`, else of `started_at`, in UTC, as `2026-11-20`; "unknown" without both."""
    status: str
    created_at: datetime | None
    started_at: datetime | None
    duration: float | None
    """Seconds."""
    transcript_state: str
    turns: int | None
    """Turns of the transcript; None if it was not read."""
    document: str
    """The whole conversation as JSON."""
    content: str
    """A digest that changes when the conversation does."""


COLUMNS: Final = Row._fields
"""The names of the columns of `row`, in order."""


def row(conversation: Conversation) -> Row:
    """Return a conversation as a row."""
    moment = when(conversation)
    return Row(
        provider=conversation.provider,
        account=conversation.account,
        id=conversation.id,
        day="unknown" if moment is None else moment.astimezone(UTC).date().isoformat(),
        status=conversation.status.value,
        created_at=conversation.created_at,
        started_at=conversation.started_at,
        duration=conversation.duration,
        transcript_state=conversation.transcript_state.value,
        turns=None if conversation.transcript is None else len(conversation.transcript),
        document=document(conversation).decode(),
        content=fingerprint(conversation).hex(),
    )
