"""What every conversation has in common, whatever it was read from."""

from __future__ import annotations

import re
from datetime import UTC

from conversations_hub import Conversation
from conversations_hub.reading.json import Json, untyped

__all__ = ["check_sense"]


def check_sense(conversation: Conversation, raw: bytes) -> None:
    """Check that a conversation makes sense; `raw` is what it was read from."""
    instants = [getattr(conversation, name) for name in ("created_at", "started_at", "ended_at", "updated_at")]
    instants += [recording.expires_at for recording in conversation.recordings]
    assert all(instant is None or instant.tzinfo is UTC for instant in instants)
    if conversation.started_at and conversation.ended_at:
        assert conversation.started_at <= conversation.ended_at
    assert conversation.duration is None or conversation.duration >= 0
    assert conversation.cost is None or len(str(conversation.cost.amount)) < 50
    turns = conversation.transcript or ()
    assert [turn.index for turn in turns] == list(range(len(turns)))
    assert all(turn.participant is None or turn.participant < len(conversation.participants) for turn in turns)
    assert {name.partition(".")[0] for name in conversation.estimated} <= set(Conversation.__struct_fields__)
    document: Json = untyped(raw) if conversation.issues else None
    for issue in conversation.issues:
        is_about_the_body = not issue.reason.startswith("could not be loaded")
        assert not is_about_the_body or _is_there(document, issue.place), f"{issue}: no path in raw"


_STEP = re.compile(r"(?P<name>[^.\[\]]+)|\[(?P<position>\d+)\]")


def _is_there(document: Json, place: str) -> bool:
    for name, position in _STEP.findall(place.partition("[...]")[0]):
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and position and int(position) < len(document):
            document = document[int(position)]
        else:
            return False
    return True
