"""A conversation in which every field is set."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from ...schema import (
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

__all__ = ["FULL", "TURN"]

TURN = TranscriptTurn(
    index=0,
    role=Role.ASSISTANT,
    text="Shall I look it up?",
    start=0.5,
    duration=2.25,
    timestamp=1772445600.5,
    participant=0,
    language="en-GB",
    interrupted=True,
    confidence=0.75,
    tool_calls=(ToolCall(id="t-1", name="look_up", arguments='{"order": 12, "broken'),),
    tool_result=ToolResult(call_id="t-0", content="none", is_error=True),
    words=(Word(text="Shall", start=0.5, duration=0.25, confidence=0.5),),
    metrics={"llm": 0.125},
    visibility=Visibility.INTERNAL,
    provider_id="turn-1",
)
FULL = Conversation(
    provider="acme",
    id="c-1",
    account="eu",
    status=Status.ENDED,
    provider_status="completed",
    title="Broken kettle",
    channel=Channel.PHONE,
    direction=Direction.INBOUND,
    agent=Agent(id="a-1", name="Ava", version="7"),
    participants=(
        Participant(kind=ParticipantKind.AI_AGENT, id="a-1", name="Ava", phone="+14155550100"),
        Participant(kind=ParticipantKind.CUSTOMER, id="u-1", name="Zoë Miller", phone="+14155550101"),
    ),
    created_at=datetime(2026, 3, 2, 9, 59, 59, 123456, UTC),
    started_at=datetime(2026, 3, 2, 10, 0, tzinfo=UTC),
    ended_at=datetime(2026, 3, 2, 10, 1, 30, 500000, UTC),
    updated_at=datetime(2026, 3, 2, 10, 5, tzinfo=UTC),
    duration=90.5,
    end_reason=EndReason.CUSTOMER_ENDED,
    provider_end_reason="customer-hung-up",
    transcript=(TURN,),
    transcript_state=TranscriptState.AVAILABLE,
    summary="A kettle is broken.",
    analysis=Analysis(success=False, sentiment="angry", scores={"csat": 1.5}, collected={"order": [12, None]}),
    recordings=(
        Recording(
            location="https://example.com/r.wav",
            access=RecordingAccess.SIGNED_URL,
            media_type="audio/wav",
            duration=90.5,
            expires_at=datetime(2026, 3, 3, tzinfo=UTC),
            ref="acme/eu:c-1",
        ),
    ),
    cost=Cost(amount=Decimal("0.10"), unit="USD"),
    language="en",
    tags=("kettle",),
    metadata={"order": 18446744073709551617, "nested": {"a": [1.5, None, True, "x"]}},
    links={"dashboard": "https://example.com/c-1"},
    related_ids={"call": "call-1"},
    estimated=("duration",),
    issues=(Issue("turns[3].at", "not a date"),),
    raw=b'{"id": "c-1", "caf\xc3\xa9": 1.10}',
)
