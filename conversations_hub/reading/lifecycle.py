"""The state of a conversation, and whether its transcript may still come."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from ..schema import Conversation, Status, TranscriptState, TranscriptTurn

__all__ = ["as_got", "concluded", "is_too_early", "may_still_come"]

_LATEST = timedelta(hours=1)  # after the end; providers have processed a conversation by then

# Common words for an end, in case a provider starts to use one of them.
_ENDED = {"closed", "complete", "completed", "done", "ended", "finished", "terminated"}


def concluded(status: Status, word: str | None, *signs: object) -> Status:
    """Return the status, or ENDED if it is UNKNOWN and the provider's word or one of the signs indicates an end."""
    if status is not Status.UNKNOWN:
        return status
    is_over = (word or "").lower() in _ENDED or any(signs)
    return Status.ENDED if is_over else status


def may_still_come(ended_at: datetime | None, present: datetime | None) -> bool:
    """Whether a transcript may still come: for an hour after the end, or if the time since then is unknown."""
    return ended_at is None or present is None or present - ended_at < _LATEST


def is_too_early(
    turns: Sequence[TranscriptTurn] | None, duration: float | None, ended_at: datetime | None, present: datetime | None
) -> bool:
    """Whether a transcript is empty only because it may still come: the conversation took its time and just ended."""
    return not turns and bool(duration) and may_still_come(ended_at, present)


def as_got(found: Conversation, present: datetime) -> Conversation:
    """Return a conversation as the result of `get`, after which nothing more can be loaded.

    A missing transcript is pending while the conversation runs and for an hour after its end, and unavailable later.
    """
    if found.transcript_state is not TranscriptState.NOT_LOADED:
        return found
    last_known = found.ended_at or found.started_at or found.created_at
    is_due = not found.is_finished or may_still_come(last_known, present)
    state = TranscriptState.PENDING if is_due else TranscriptState.UNAVAILABLE
    return msgspec.structs.replace(found, transcript_state=state)
