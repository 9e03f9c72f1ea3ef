"""Any conversation there can be, for hypothesis: also what no provider sends."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from conversations_hub.schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Cost,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
    Word,
)

__all__ = ["conversations"]

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_JSON = st.sampled_from(['{"a": [1, 2.50]}', "[]", "{", '"x"', '{"a":\n1}', '{"a": "\\ud800"}', "null", "1e999"])
_TEXTS = _TEXT | _JSON
_MAYBE = st.none() | _TEXTS
_NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.floats(-5, 5e9)
_INSTANT = st.none() | st.datetimes(timezones=st.just(UTC)) | st.just(datetime(1, 1, 1, tzinfo=UTC))
_VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | _TEXTS
_NAMED = st.dictionaries(_TEXT, _VALUES | st.lists(_VALUES, max_size=2), max_size=2)
_NUMBERS = st.none() | st.dictionaries(_TEXT, st.floats(-5, 5e9), max_size=2)


def _many(of: st.SearchStrategy[object], most: int = 2) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(of, max_size=most).map(tuple)


_TURNS = st.builds(
    TranscriptTurn,
    index=st.integers(0, 3),
    role=st.sampled_from(Role),
    text=_TEXTS,
    start=_NUMBER,
    duration=_NUMBER,
    timestamp=_NUMBER,
    participant=st.none() | st.integers(-2, 3),
    language=_MAYBE,
    interrupted=st.none() | st.booleans(),
    confidence=_NUMBER,
    tool_calls=_many(st.builds(ToolCall, id=_MAYBE, name=_MAYBE, arguments=_MAYBE)),
    tool_result=st.none() | st.builds(ToolResult, call_id=_MAYBE, content=_MAYBE, is_error=st.none() | st.booleans()),
    words=_many(st.builds(Word, text=_TEXT, start=_NUMBER, duration=_NUMBER, confidence=_NUMBER)),
    metrics=_NUMBERS,
    visibility=st.sampled_from(Visibility),
    provider_id=_MAYBE,
)
_RECORDINGS = st.builds(
    Recording,
    location=_TEXT.map("https://example.com/{}".format),
    access=st.sampled_from(RecordingAccess),
    media_type=_MAYBE,
    duration=_NUMBER,
    expires_at=_INSTANT,
    ref=_MAYBE,
)


def conversations() -> st.SearchStrategy[Conversation]:
    """Return conversations of every kind, without `raw`."""
    return st.builds(
        Conversation,
        provider=_TEXT,
        id=_TEXT,
        account=_TEXT | st.just("default"),
        status=st.sampled_from(Status),
        provider_status=_MAYBE,
        title=_MAYBE,
        channel=st.sampled_from(Channel),
        direction=st.sampled_from(Direction),
        agent=st.none() | st.builds(Agent, id=_MAYBE, name=_MAYBE, version=_MAYBE),
        participants=_many(
            st.builds(Participant, kind=st.sampled_from(ParticipantKind), id=_MAYBE, name=_MAYBE, phone=_MAYBE), 3
        ),
        created_at=_INSTANT,
        started_at=_INSTANT,
        ended_at=_INSTANT,
        updated_at=_INSTANT,
        duration=_NUMBER,
        end_reason=st.none() | st.sampled_from(EndReason),
        provider_end_reason=_MAYBE,
        transcript=st.none() | _many(_TURNS, 3),
        transcript_state=st.sampled_from(TranscriptState),
        summary=_MAYBE,
        analysis=st.none()
        | st.builds(
            Analysis,
            success=st.none() | st.booleans(),
            sentiment=_MAYBE,
            scores=_NUMBERS,
            collected=st.none() | _NAMED,
        ),
        recordings=_many(_RECORDINGS),
        cost=st.none() | st.builds(Cost, amount=st.just(Decimal("0.10")), unit=_TEXT),
        language=_MAYBE,
        tags=_many(_TEXT),
        metadata=_NAMED,
        links=st.dictionaries(_TEXT, _TEXT, max_size=2),
        related_ids=st.dictionaries(_TEXT, _TEXT, max_size=2),
        estimated=_many(_TEXT),
        issues=_many(st.builds(Issue, _TEXT, _TEXT)),
    )
