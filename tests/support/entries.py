"""Short conversations, and the entries that stores take."""

from __future__ import annotations

from datetime import datetime

import msgspec

from conversations_hub.schema import Conversation, Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._store import Entry, StoredVersion

from .clock import NOW

__all__ = ["ACCOUNT", "entry", "said"]

ACCOUNT = "acme/default"


def said(*texts: str, id: str = "c1", **more: object) -> Conversation:
    turns = tuple(TranscriptTurn(index=at, role=Role.USER, text=text) for at, text in enumerate(texts))
    state = TranscriptState.AVAILABLE
    told = {"created_at": NOW, "transcript": turns, "transcript_state": state, "status": Status.ENDED} | more
    return msgspec.structs.replace(Conversation(provider="acme", id=id), **told)


def entry(conversation: Conversation, row: bytes = b"row", settles_at: datetime | None = None) -> Entry:
    return Entry(conversation, StoredVersion(row, fingerprint(conversation), settles_at))
