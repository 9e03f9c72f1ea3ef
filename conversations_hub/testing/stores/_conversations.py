# ruff: noqa: RUF001  (these are the letters of many scripts)
"""What the checks store: many conversations that filters tell apart, and odd ones such as providers send."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from ...schema import (
    Agent,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ._full import FULL

__all__ = ["MANY", "NOON", "ODD", "one", "said"]

NOON: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)


def said(*texts: str, id: str = "c1", **more: object) -> Conversation:
    """Return a finished conversation of "acme", in which the user and the agent take turns."""
    roles = (Role.USER, Role.ASSISTANT)
    turns = tuple(TranscriptTurn(index=at, role=roles[at % 2], text=text) for at, text in enumerate(texts))
    made = Conversation(
        provider="acme",
        id=id,
        status=Status.ENDED,
        created_at=NOON,
        transcript=turns,
        transcript_state=TranscriptState.AVAILABLE,
    )
    found = msgspec.structs.replace(made, **more)
    recordings = tuple(msgspec.structs.replace(each, ref=found.ref) for each in found.recordings)
    return msgspec.structs.replace(found, recordings=recordings)


def one(number: int, **more: object) -> Conversation:
    """Return one of many: its number decides what filters find it."""
    told: dict[str, object] = {
        "provider": "tavus" if number % 3 else "vapi",
        "account": "eu" if number % 5 == 0 else "default",
        "status": Status.ENDED if number % 2 else Status.FAILED,
        "created_at": NOON + timedelta(hours=number // 4),  # several share an instant
        "agent": Agent(id=f"a{number % 3}") if number % 11 else None,
        "tags": ("even", "any") if number % 2 == 0 else (),
        "issues": (Issue("a.b", "no number"),) if number % 7 == 0 else (),
        "end_reason": EndReason.SILENCE if number % 4 == 0 else None,
        "channel": Channel.PHONE if number % 4 else Channel.WEB,
        "direction": Direction.INBOUND if number % 6 else Direction.OUTBOUND,
        "recordings": (
            Recording(location=f"https://example.com/{number}.mp3", access=RecordingAccess.PROVIDER_KEY),
            Recording(location=f"https://example.com/{number}.wav", access=RecordingAccess.PROVIDER_KEY),
        )[: number % 3],
    }
    return said(f"I am number {number} [of many].", "Thank you.", id=f"c{number:03}", **(told | more))


MANY: Final = (
    *map(one, range(40)),
    one(40, transcript=None, transcript_state=TranscriptState.RESTRICTED),
    one(90, created_at=None),
    one(91, created_at=None),
    one(92, created_at=None, started_at=NOON + timedelta(minutes=30)),
)
"""Conversations of four accounts."""

ODD: Final = (
    FULL,
    Conversation(provider="acme", id="bare"),
    said("a\0b", "\0", id="nul", title="\0 in a title", metadata={"\0key": "a\0value"}, summary="\0"),
    said("\u202eright to left\u202c and back", "אני רוצה \u200fשלום", id="bidi", title="\u2067x\u2069"),
    said("我要申请退款，iPhone15坏了", "返金してください。", id="cjk"),
    said("환불을 받고 싶어요", "ฉันต้องการคืนเงิน", id="without blanks"),
    said("Great 👍🏽 🎉", "👩\u200d👩\u200d👧 ☎️", id="emoji", tags=("👍🏽",)),
    said("a" * 5000, "", " ", id="no words"),
    said("long ago", id="ancient", created_at=datetime(1900, 1, 1, tzinfo=UTC)),
    said("exact", id="exact", metadata={"large": 10**30, "deep": {"a": [1.5, None, {"b": [True]}]}}),
    said("raw", id="raw", raw=b'{ "a":\n"\\u00e9" }'),
)
"""Conversations with what is rare."""
