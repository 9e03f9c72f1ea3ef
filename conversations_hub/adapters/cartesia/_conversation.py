"""What a call of Cartesia means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import compress
from urllib.parse import quote

import msgspec

from ...reading.json import decode
from ...reading.lifecycle import concluded, may_still_come
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import (
    Issues,
    drop_if_before,
    instant,
    json_text,
    members_of,
    noted,
    text,
    text_at,
    unless_empty,
    without_empty,
)
from ...schema import (
    Agent,
    Channel,
    Conversation,
    EndReason,
    Issue,
    Recording,
    RecordingAccess,
    Role,
    Status,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ...schema import ToolCall as Called
from ._payload import Call, Turn

_call = msgspec.json.Decoder(Call, strict=False)

# The first four are of 2026-03-01 and later, the others of earlier versions.
# https://docs.cartesia.ai/api-reference/agents/calls/get-call
_STATUSES = {
    "created": Status.QUEUED,
    "started": Status.IN_PROGRESS,
    "completed": Status.ENDED,
    "failed": Status.FAILED,
    "active": Status.IN_PROGRESS,
    "cancelled": Status.CANCELLED,
}
# https://docs.cartesia.ai/api-reference/agents/calls/get-call
_END_REASONS = {
    "agent_hangup": EndReason.AGENT_ENDED,
    "client_hangup": EndReason.CUSTOMER_ENDED,
    "client_disconnected": EndReason.CUSTOMER_ENDED,
    "api_cancelled": EndReason.API_ENDED,
    "max_duration": EndReason.MAX_DURATION,
    "inactivity": EndReason.SILENCE,
    "dial_busy": EndReason.BUSY,
    "dial_no_answer": EndReason.NO_ANSWER,
    "dial_failed": EndReason.ERROR,
    "error": EndReason.ERROR,
}
_UNANSWERED = {"dial_busy", "dial_no_answer"}
_SPEAKERS: Speakers = {"assistant": (Role.ASSISTANT, 0), "user": (Role.USER, 1), "system": (Role.SYSTEM, None)}


def normalize(body: bytes | msgspec.Raw, *, present: datetime | None = None) -> Conversation:
    """Read a call as Cartesia sends it, in a list or alone; `present` is when it was sent."""
    issues = Issues()
    sent = decode(body, _call, issues)
    return read(sent, bytes(body), issues, present=present)


def read(sent: Call, raw: bytes, issues: Issues, *, present: datetime | None = None) -> Conversation:
    """Read a call; `present` is when it was sent."""
    started_at = instant(sent.start_time, "start_time", issues)
    ended_at = drop_if_before(instant(sent.end_time, "end_time", issues), started_at, "end_time", issues)
    redacted_at = instant(sent.redacted_at, "redacted_at", issues)
    known = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    status = concluded(known, sent.status, sent.end_reason, ended_at)
    if status.is_finished and sent.end_reason in _UNANSWERED:
        status = known = Status.NO_ANSWER
    duration = (ended_at - started_at).total_seconds() if started_at and ended_at else None

    agent = Agent(id=text(sent.agent_id), name=text(sent.agent_name), version=text(sent.deployment_id))
    # The numbers are documented as those of the caller and of the agent, for calls in both directions.
    # https://docs.cartesia.ai/api-reference/agents/calls/get-call
    line = members_of(sent.telephony_params)
    participants = Participants.of(agent, agent_phone=text_at(line, "from"), customer_phone=text_at(line, "to"))
    turns = tuple(_turns(sent.transcript or (), participants, issues))
    state = _transcript_state(sent, status, turns, ended_at=ended_at, present=present)
    recordings = () if redacted_at or not (status.is_finished and started_at) else (_recording(sent, duration),)
    derived = {
        "status": status is not known,
        "channel": not line,
        "participants": bool(line),
        "duration": duration is not None,
        "recordings": bool(recordings),
    }
    return Conversation(
        provider="cartesia",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        channel=Channel.PHONE if line else Channel.WEB,
        agent=unless_empty(agent),
        participants=tuple(participants),
        started_at=started_at,
        ended_at=ended_at,
        duration=duration,
        end_reason=_END_REASONS.get(sent.end_reason, EndReason.UNKNOWN) if sent.end_reason else None,
        provider_end_reason=sent.end_reason or None,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        summary=text(sent.summary),
        recordings=recordings,
        metadata=without_empty(
            {
                "error_message": sent.error_message,
                "metadata": sent.metadata,
                "telephony_params": sent.telephony_params,  # carriers may add more to the numbers
                "redacted_at": sent.redacted_at,
            }
        ),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


def _turns(entries: Sequence[Turn | None], participants: Participants, issues: list[Issue]) -> Iterator[TranscriptTurn]:
    """Yield the turns; what the customer's own code logged, and what tools returned, are turns of their own."""
    index = 0
    for position, entry in enumerate(entries):
        if entry is None:
            issues.append(Issue(f"transcript[{position}]", "null"))
            continue
        for turn in _said(entry, participants):
            yield msgspec.structs.replace(turn, index=index, start=entry.start_timestamp)
            index += 1


def _said(entry: Turn, participants: Participants) -> Iterator[TranscriptTurn]:
    logs = [log for log in (entry.log_event, entry.log_metric) if log is not None]
    calls = [call for call in entry.tool_calls or () if call is not None]
    role, participant = _SPEAKERS.get(entry.role) or unknown_speaker(entry.role, participants)
    if entry.text or not logs:
        start, end = entry.start_timestamp, entry.end_timestamp
        yield TranscriptTurn(
            index=0,
            role=role,
            text=entry.text or "",
            duration=None if start is None or end is None or end < start else round(end - start, 6),
            participant=participant,
            interrupted=_interrupted(entry),
            tool_calls=tuple(
                [Called(id=text(call.id), name=call.name, arguments=json_text(call.arguments)) for call in calls]
            ),
            metrics=_metrics(entry),
            visibility=Visibility.INTERNAL if role is Role.SYSTEM else Visibility.PUBLIC,
        )
    for call in calls:
        if call.result is not None:  # in webhooks only
            result = ToolResult(call_id=text(call.id), content=json_text(call.result))
            yield TranscriptTurn(index=0, role=Role.TOOL, tool_result=result)
    for log in logs:
        told = json_text(log) or ""
        yield TranscriptTurn(index=0, role=Role.SYSTEM, text=told, visibility=Visibility.INTERNAL)


def _interrupted(entry: Turn) -> bool | None:
    if entry.was_interrupted is not None:
        return entry.was_interrupted
    return entry.end_reason == "interrupted" if entry.end_reason else None


def _metrics(entry: Turn) -> dict[str, float] | None:
    buffered = None if entry.vad_buffer_ms is None else round(entry.vad_buffer_ms / 1000, 6)
    return without_empty({"tts_ttfb": entry.tts_ttfb, "vad_buffer": buffered}) or None


def _transcript_state(
    sent: Call,
    status: Status,
    turns: Sequence[TranscriptTurn],
    *,
    ended_at: datetime | None,
    present: datetime | None,
) -> TranscriptState:
    if sent.redacted_at:
        # Somebody deleted what was said.
        # https://docs.cartesia.ai/agents/transcripts-and-recordings
        return TranscriptState.UNAVAILABLE
    if turns and (status.is_finished or status is Status.UNKNOWN):
        return TranscriptState.AVAILABLE
    if not status.is_finished:
        return TranscriptState.PENDING
    # Calls that never connected have none.
    # https://docs.cartesia.ai/agents/transcripts-and-recordings
    if sent.start_time and may_still_come(ended_at, present):
        return TranscriptState.PENDING
    is_empty = sent.transcript is not None and bool(sent.start_time)
    return TranscriptState.AVAILABLE if is_empty else TranscriptState.UNAVAILABLE


def _recording(sent: Call, duration: float | None) -> Recording:
    """Return where a recording is, if there is one: that is known only when it is asked for."""
    return Recording(
        location=f"/agents/calls/{quote(str(sent.id), safe='')}/audio",
        access=RecordingAccess.PROVIDER_KEY,
        media_type="audio/wav",
        duration=duration,
    )
