"""The two conversations whose measures are worked out by hand in `tests/metrics`; times are in seconds."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from conversations_hub.schema import (
    Channel,
    Conversation,
    Cost,
    EndReason,
    Participant,
    ParticipantKind,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)

__all__ = ["BOOKING", "RESERVATION", "WITH_ENDS", "conversation", "spoken"]


def spoken(index: int, role: Role, start: float | None, end: float | None, text: str, **more: Any) -> TranscriptTurn:
    """Return an entry from `start` to `end`."""
    duration = None if start is None or end is None else end - start
    return TranscriptTurn(index=index, role=role, start=start, duration=duration, text=text, **more)


def conversation(*turns: TranscriptTurn, **more: Any) -> Conversation:
    """Return a finished phone call with these entries."""
    told: dict[str, Any] = {
        "provider": "retell",
        "id": "c1",
        "status": Status.ENDED,
        "channel": Channel.PHONE,
        "transcript": turns,
        "transcript_state": TranscriptState.AVAILABLE,
    }
    return Conversation(**told | more)


BOOKING = conversation(
    spoken(0, Role.SYSTEM, None, None, "You are Ava."),
    spoken(1, Role.ASSISTANT, 1, 3, "Hello, this is Ava."),
    spoken(2, Role.USER, 4, 6, "Hi, I want to"),
    spoken(3, Role.USER, 6.5, 8, "move my visit."),
    spoken(4, Role.ASSISTANT, 9, 13, "Sure. Let me look", tool_calls=(ToolCall(id="c1", name="calendar"),)),
    spoken(5, Role.USER, 12, 14, "Friday please."),
    TranscriptTurn(index=6, role=Role.TOOL, start=13.5, tool_result=ToolResult(call_id="c1", is_error=True)),
    spoken(7, Role.ASSISTANT, 18, 21, "Friday at ten is free."),
    spoken(8, Role.USER, 20.9, 21.5, "Great."),
    spoken(9, Role.ASSISTANT, 22, 24, "Booked. Goodbye!"),
    duration=40.0,
    cost=Cost(amount=Decimal("0.12"), unit="USD"),
    end_reason=EndReason.CUSTOMER_ENDED,
)
"""Times in fractions of seconds, with ends; two entries overlap, one of them long enough to be an interruption."""

RESERVATION = conversation(
    spoken(0, Role.ASSISTANT, 0, None, "Hello there", interrupted=True),
    spoken(1, Role.USER, 3, None, "予約を変更したいのですが"),
    spoken(2, Role.ASSISTANT, 6, None, "One moment", tool_calls=(ToolCall(id="c2", name="handover"),)),
    TranscriptTurn(
        index=3,
        role=Role.TOOL,
        start=6,
        tool_result=ToolResult(call_id="c2", content="{}"),
        metrics={"tool_latency_secs": 0.8},
    ),
    spoken(4, Role.ASSISTANT, 9, None, "Done, goodbye"),
    provider="elevenlabs",
    started_at=datetime(2026, 11, 2, 9, tzinfo=UTC),
    duration=60.0,
    end_reason=EndReason.TRANSFERRED,
    participants=(Participant(kind=ParticipantKind.HUMAN_AGENT, phone="+15550100009"),),
    estimated=("transcript.interrupted",),
)
"""Starts in whole seconds without ends, as ElevenLabs gives them, and a language that does not part its words."""

WITH_ENDS = {"tavus", "vapi", "retell", "ultravox", "anam"}
"""Who says when turns end, in conversations with the usual times."""
