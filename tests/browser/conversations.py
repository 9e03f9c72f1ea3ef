"""The few conversations that the page is tried with."""

from __future__ import annotations

import math
import struct
import wave
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from conversations_hub import Conversation
from conversations_hub._files.recordings import name_of
from conversations_hub.schema import (
    Agent,
    Analysis,
    Channel,
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

__all__ = ["ALL", "CALL", "HOSTILE", "LONG", "write_recording"]

_AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_PEOPLE = (
    Participant(kind=ParticipantKind.AI_AGENT, name="Clinic desk"),
    Participant(kind=ParticipantKind.CUSTOMER, name="Jun", phone="+14155550174"),
)

CALL = Conversation(
    provider="vapi",
    id="call-1",
    status=Status.ENDED,
    title="A new appointment",
    channel=Channel.PHONE,
    direction=Direction.INBOUND,
    agent=Agent(id="a1", name="Clinic desk"),
    participants=_PEOPLE,
    created_at=_AT,
    started_at=_AT,
    duration=20.0,
    end_reason=EndReason.CUSTOMER_ENDED,
    transcript=(
        TranscriptTurn(index=0, role=Role.SYSTEM, text="You are the desk of a clinic."),
        TranscriptTurn(
            index=1,
            role=Role.ASSISTANT,
            participant=0,
            text="Good morning, how can I help?",
            start=0.0,
            duration=2.0,
            words=tuple(
                Word(text=text, start=place * 0.4, duration=0.4)
                for place, text in enumerate(("Good", "morning", "how", "can", "I"))
            ),
        ),
        TranscriptTurn(
            index=2, role=Role.USER, participant=1, text="I need another appointment.", start=2.5, duration=2.0
        ),
        TranscriptTurn(
            index=3,
            role=Role.ASSISTANT,
            participant=0,
            start=5.0,
            tool_calls=(ToolCall(id="t1", name="free_slots", arguments='{"day": "Friday"}'),),
        ),
        TranscriptTurn(index=4, role=Role.TOOL, start=6.0, tool_result=ToolResult(call_id="t1", content='["10:20"]')),
        TranscriptTurn(
            index=5, role=Role.ASSISTANT, participant=0, text="Friday at", start=8.0, duration=2.0, interrupted=True
        ),
        TranscriptTurn(index=6, role=Role.USER, participant=1, text="Friday is fine.", start=9.5, duration=2.0),
        TranscriptTurn(
            index=7,
            role=Role.ASSISTANT,
            participant=0,
            start=12.0,
            tool_calls=(ToolCall(id="t2", name="book", arguments="{}"),),
        ),
        TranscriptTurn(
            index=8, role=Role.TOOL, start=13.0, tool_result=ToolResult(call_id="t2", content="no", is_error=True)
        ),
        TranscriptTurn(index=9, role=Role.SYSTEM, text="The transfer began.", visibility=Visibility.INTERNAL),
        TranscriptTurn(index=10, role=Role.HUMAN_AGENT, text="Hello, this is Ana.", start=16.0, duration=3.0),
    ),
    transcript_state=TranscriptState.AVAILABLE,
    summary="Jun moved the appointment to Friday.",
    analysis=Analysis(success=True, collected={"day": "Friday"}),
    recordings=(
        Recording(
            location="https://storage.vapi.ai/call-1.wav", access=RecordingAccess.SIGNED_URL, media_type="audio/wav"
        ),
    ),
    language="en",
    tags=("clinic",),
    metadata={"order": "o-7"},
    estimated=("duration",),
    issues=(Issue("messages[3].time", "not a number"),),
    raw=b'{"id":"call-1"}',
)

_EVIL = (
    "<img src=x onerror=\"document.title='gone'\"> \u202egnp.exe\u202c </script><script>document.title='gone'</script>"
)
HOSTILE = Conversation(
    provider="bland",
    id="evil-1",
    status=Status.ENDED,
    provider_status=_EVIL,
    title=_EVIL,
    channel=Channel.CHAT,
    agent=Agent(id=_EVIL, name=_EVIL, version=_EVIL),
    participants=(Participant(kind=ParticipantKind.CUSTOMER, name=_EVIL, phone=_EVIL),),
    created_at=_AT.replace(day=19),
    end_reason=EndReason.UNKNOWN,
    provider_end_reason=_EVIL,
    transcript=(
        TranscriptTurn(index=0, role=Role.USER, participant=0, text=_EVIL),
        TranscriptTurn(
            index=1,
            role=Role.ASSISTANT,
            text=_EVIL,
            tool_calls=(ToolCall(id="t", name=_EVIL, arguments=_EVIL),),
        ),
        TranscriptTurn(index=2, role=Role.TOOL, tool_result=ToolResult(call_id="t", content=_EVIL)),
    ),
    transcript_state=TranscriptState.AVAILABLE,
    summary=_EVIL,
    analysis=Analysis(sentiment=_EVIL, collected={_EVIL: _EVIL}),
    language=_EVIL,
    tags=(_EVIL,),
    metadata={_EVIL: _EVIL},
    issues=(Issue(_EVIL, _EVIL),),
    raw=msgspec.json.encode({_EVIL: _EVIL}),
)
LONG = Conversation(
    provider="tavus",
    id="long-1",
    status=Status.ENDED,
    title="A very long one",
    channel=Channel.VIDEO,
    created_at=_AT.replace(day=18),
    duration=25_000.0,
    transcript=tuple(
        TranscriptTurn(
            index=place,
            role=Role.USER if place % 2 else Role.ASSISTANT,
            text=f"Sentence {place}. " + "It goes on for a while. " * (place % 7),
            start=place * 5.0,
            duration=3.0,
        )
        for place in range(5000)
    ),
    transcript_state=TranscriptState.AVAILABLE,
)
_WAITING = Conversation(
    provider="retell",
    account="eu",
    id="w-1",
    status=Status.IN_PROGRESS,
    created_at=_AT.replace(day=17),
    transcript_state=TranscriptState.PENDING,
)
ALL = (CALL, HOSTILE, LONG, _WAITING)


def write_recording(folder: Path) -> None:
    """Write the recording of the call, 20 s of a tone, where a sync puts it."""
    recording = msgspec.structs.replace(CALL.recordings[0], ref=CALL.ref)
    path = folder / name_of(recording, 0)
    path.parent.mkdir(parents=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        tone = (int(3000 * math.sin(at / 8000 * 2 * math.pi * 220)) for at in range(20 * 8000))
        file.writeframes(b"".join(struct.pack("<h", each) for each in tone))
