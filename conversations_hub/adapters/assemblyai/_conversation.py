"""What a session of AssemblyAI means."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import compress
from typing import Any
from urllib.parse import quote

import msgspec

from ...reading.json import decode
from ...reading.lifecycle import concluded, is_too_early, may_still_come
from ...reading.participants import Participants
from ...reading.values import Issues, drop_if_before, instant, json_text, noted, text, unless_empty, without_empty
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
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from ._payload import Artifact, Call, Ending, Exchange, Session, Timeline

_session = msgspec.json.Decoder(Session, strict=False)

# https://www.assemblyai.com/docs/voice-agents/voice-agent-api/session-history
# The words for sessions that run or failed are not documented.
_STATUSES = {
    "completed": Status.ENDED,
    "active": Status.IN_PROGRESS,
    "in_progress": Status.IN_PROGRESS,
    "failed": Status.FAILED,
}
_END_REASONS = {"client_end": EndReason.CUSTOMER_ENDED}
_FAILURES = ("error", "fail")
"""Parts of the reasons of sessions that failed; the reasons themselves are not documented."""

_MILLISECONDS = 1000.0
# Instants are Unix milliseconds in real answers, but some public readers take them for offsets.
_ABSOLUTE_FROM = 1e11


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a session as AssemblyAI sends it, in a list or alone; its timeline is a file of its own."""
    issues = Issues()
    sent = decode(body, _session, issues)
    return read(sent, bytes(body), issues, state=TranscriptState.NOT_LOADED)


def read(
    sent: Session,
    raw: bytes,
    issues: Issues,
    timeline: Timeline | None = None,
    *,
    state: TranscriptState | None = None,
    present: datetime | None = None,
    is_phone: bool = False,
) -> Conversation:
    """Read a session and its timeline; `state` replaces what follows from both, `present` is when it was sent."""
    place = "" if timeline is None else "session."
    told = timeline or Timeline()
    ending = told.ended or Ending()
    created_at = instant(sent.created_at, f"{place}created_at", issues)
    began = _unix(told.started_at_unix_ms)
    # It may be an offset too, and then it says nothing.
    connected_at = None if began is None else instant(began, "timeline.started_at_unix_ms", issues)
    started_at = connected_at or created_at
    ended_at = drop_if_before(
        instant(sent.ended_at, f"{place}ended_at", issues), started_at, f"{place}ended_at", issues
    )
    reason = text(sent.public_close_reason) or text(ending.public_reason)
    known = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    status = _status(known, sent.status, ended_at, reason)

    agent = Agent(id=text(sent.agent_id))
    zero = None if started_at is None else started_at.timestamp()
    turns = None if timeline is None else tuple(_turns(told.turns or (), zero, issues))
    duration = ending.duration_seconds if sent.duration_seconds is None else sent.duration_seconds
    if state is None:
        state = _transcript_state(status, turns, duration, ended_at, present)
    derived = {
        "status": status is not known,
        "channel": not is_phone,
        "direction": True,
        "started_at": started_at is not None and connected_at is None,
        "transcript.start": any(turn.start is not None for turn in turns or ()),
    }
    return Conversation(
        provider="assemblyai",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        # Only the events of phone calls name a channel.
        channel=Channel.PHONE if is_phone else Channel.WEB,
        direction=Direction.INBOUND,
        agent=unless_empty(agent),
        participants=tuple(Participants.of(agent)),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        duration=duration,
        end_reason=end_reason_of(reason) if status.is_finished else None,
        provider_end_reason=reason,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        recordings=_recordings(sent),
        metadata=_metadata(sent, ending),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


def _unix(moment: float | None) -> float | None:
    """Return Unix seconds; None for what is not an instant."""
    return None if moment is None or moment < _ABSOLUTE_FROM else round(moment / _MILLISECONDS, 3)


def _status(known: Status, word: str | None, ended_at: datetime | None, reason: str | None) -> Status:
    status = concluded(known, word, ended_at)
    if status is Status.ENDED and _is_failure(reason):
        return Status.FAILED
    # A session that has no end runs, whatever the word for that is.
    return Status.IN_PROGRESS if status is Status.UNKNOWN and word else status


def _is_failure(reason: str | None) -> bool:
    return any(part in (reason or "").lower() for part in _FAILURES)


def end_reason_of(reason: str | None) -> EndReason | None:
    """Return why a session ended, by the provider's reason; None if there is none."""
    if reason is None:
        return None
    return EndReason.ERROR if _is_failure(reason) else _END_REASONS.get(reason, EndReason.UNKNOWN)


def _turns(entries: Sequence[Exchange | None], zero: float | None, issues: list[Issue]) -> Iterator[TranscriptTurn]:
    """Yield the turns of each entry: what the user said, each call with its result, what the agent said."""
    index = 0
    for position, entry in enumerate(entries):
        if entry is None:
            issues.append(Issue(f"timeline.turns[{position}]", "null"))
            continue
        for turn in _told(entry, zero, f"timeline.turns[{position}]", issues):
            yield msgspec.structs.replace(turn, index=index, provider_id=text(entry.turn_id))
            index += 1


def _told(entry: Exchange, zero: float | None, place: str, issues: list[Issue]) -> Iterator[TranscriptTurn]:
    if entry.user_transcript:
        start, moment = _timed(entry.user_speech_started_at_ms, zero)
        yield TranscriptTurn(
            index=0,
            role=Role.USER,
            text=entry.user_transcript,
            start=start,
            timestamp=moment,
            duration=_span(entry.user_speech_started_at_ms, entry.user_speech_ended_at_ms),
            participant=1,
            confidence=entry.user_confidence,
        )
    for position, call in enumerate(entry.tool_calls or ()):
        if call is None:
            issues.append(Issue(f"{place}.tool_calls[{position}]", "null"))
        else:
            yield from _called(call, zero)
    if entry.agent_text or entry.agent_reply_started_at_ms is not None:
        start, moment = _timed(entry.agent_reply_started_at_ms, zero)
        first = entry.time_to_first_audio_ms
        yield TranscriptTurn(
            index=0,
            role=Role.ASSISTANT,
            text=entry.agent_text or "",
            start=start,
            timestamp=moment,
            duration=_span(entry.agent_reply_started_at_ms, entry.agent_reply_ended_at_ms),
            participant=0,
            interrupted=_was_interrupted(entry),
            metrics=None if first is None else {"time_to_first_audio": _in_seconds(first)},
        )


def _called(call: Call, zero: float | None) -> Iterator[TranscriptTurn]:
    id = text(call.call_id)
    start, moment = _timed(call.dispatched_at_ms, zero)
    made = ToolCall(id=id, name=call.name, arguments=json_text(call.arguments))
    yield TranscriptTurn(index=0, role=Role.ASSISTANT, start=start, timestamp=moment, participant=0, tool_calls=(made,))
    signs = (call.is_error, call.timed_out)
    is_answered = call.result is not None or call.result_received_at_ms is not None or any(signs)
    if not is_answered:
        return
    start, moment = _timed(call.result_received_at_ms, zero)
    failed = any(signs) if any(sign is not None for sign in signs) else None
    yield TranscriptTurn(
        index=0,
        role=Role.TOOL,
        start=start,
        timestamp=moment,
        tool_result=ToolResult(call_id=id, content=json_text(call.result), is_error=failed),
        metrics=None if call.duration_ms is None else {"duration": _in_seconds(call.duration_ms)},
    )


def _timed(moment: float | None, zero: float | None) -> tuple[float | None, float | None]:
    """Return seconds from the start, and Unix seconds."""
    if moment is None:
        return None, None
    unix = _unix(moment)
    if unix is None:
        offset = _in_seconds(moment)
        return offset, None if zero is None else round(zero + offset, 3)
    return (None if zero is None or unix < zero else round(unix - zero, 3)), unix


def _span(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None or end < start else _in_seconds(end - start)


def _in_seconds(milliseconds: float) -> float:
    return round(milliseconds / _MILLISECONDS, 6)


def _was_interrupted(entry: Exchange) -> bool | None:
    if entry.status == "interrupted" or entry.interrupted_at_ms is not None:
        return True
    return False if entry.status == "completed" else None


def _transcript_state(
    status: Status,
    turns: Sequence[TranscriptTurn] | None,
    duration: float | None,
    ended_at: datetime | None,
    present: datetime | None,
) -> TranscriptState:
    if not status.is_finished and not (turns and status is Status.UNKNOWN):
        return TranscriptState.PENDING
    if turns is None:
        # The files come up to some minutes after the end.
        # https://www.assemblyai.com/docs/voice-agents/voice-agent-api/session-history
        return TranscriptState.PENDING if may_still_come(ended_at, present) else TranscriptState.UNAVAILABLE
    return TranscriptState.PENDING if is_too_early(turns, duration, ended_at, present) else TranscriptState.AVAILABLE


def artifacts_of(sent: Session, kind: str) -> Iterator[Artifact]:
    """Yield the files of a kind that a session has."""
    found = () if sent.artifacts is msgspec.UNSET else sent.artifacts or ()
    return (one for one in found if one is not None and one.type == kind and one.url)


def _recordings(sent: Session) -> tuple[Recording, ...]:
    return tuple([recording_of(str(sent.id), one.content_type) for one in artifacts_of(sent, "audio")][:1])


def recording_of(id: str, media_type: str | None) -> Recording:
    """Return the recording of a session: where its URL is asked for, since that is valid for an hour."""
    return Recording(
        location=f"/v1/sessions/{quote(id, safe='')}", access=RecordingAccess.PROVIDER_KEY, media_type=text(media_type)
    )


def _metadata(sent: Session, ending: Ending) -> dict[str, Any]:
    return without_empty({"config": sent.config, "ended_reason": ending.reason})
