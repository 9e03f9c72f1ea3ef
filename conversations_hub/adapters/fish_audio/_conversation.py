"""What a session of Fish Audio means."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import compress
from typing import Any
from urllib.parse import quote

import msgspec

from ...reading.json import decode
from ...reading.lifecycle import concluded, is_too_early, may_still_come
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import (
    DIRECTIONS,
    Issues,
    drop_if_before,
    instant,
    json_text,
    noted,
    text,
    timestamp,
    unless_empty,
    without_empty,
)
from ...schema import (
    Agent,
    Analysis,
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
from ._payload import Findings, Item, Session

_session = msgspec.json.Decoder(Session, strict=False)

# https://docs.fish.audio/agents/monitor/conversation-history
_STATUSES = {
    "pending": Status.QUEUED,
    "queued": Status.QUEUED,
    "active": Status.IN_PROGRESS,
    "completed": Status.ENDED,
    "failed": Status.FAILED,
}
# https://docs.fish.audio/agents/telephony/outbound-calls
# What a call that nobody took ends as is not documented, so its dial comes first.
DIALS = {
    "busy": (Status.NO_ANSWER, EndReason.BUSY),
    "no_answer": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "failed": (Status.FAILED, EndReason.ERROR),
}
"""Dials after which nobody is on the line."""
# https://docs.fish.audio/agents/monitor/webhooks
_END_REASONS = {"hangup": EndReason.UNKNOWN, "error": EndReason.ERROR}

_SPEAKERS: Speakers = {"assistant": (Role.ASSISTANT, 0), "user": (Role.USER, 1)}
_TRACKS = ("agent", "user")
_CUT = "cut by the provider"


def normalize(body: bytes | msgspec.Raw, *, present: datetime | None = None) -> Conversation:
    """Read a session as Fish Audio sends it, in a list or alone; `present` is when it was sent."""
    issues = Issues()
    sent = decode(body, _session, issues)
    return read(sent, bytes(body), issues, present=present)


def read(
    sent: Session,
    raw: bytes,
    issues: Issues,
    *,
    present: datetime | None = None,
    ended_reason: str | None = None,
    customer_id: str | None = None,
) -> Conversation:
    """Read a session; the reason of its end and the id of its customer are in webhooks only."""
    created_at = instant(sent.created_at, "created_at", issues)
    started_at = instant(sent.started_at, "started_at", issues)
    ended_at = drop_if_before(instant(sent.ended_at, "ended_at", issues), started_at, "ended_at", issues)
    known = _status(sent)
    status = concluded(known, sent.status, ended_at)

    agent = Agent(id=text(sent.agent_id), name=text(sent.agent_name))
    # In both directions one is the person and the other ours.
    # https://docs.fish.audio/agents/monitor/conversation-history
    participants = Participants.of(
        agent,
        agent_phone=text(sent.dialed_number),
        customer_id=customer_id,
        customer_phone=text(sent.caller_number),
    )
    items = None if sent.items is msgspec.UNSET else sent.items or []
    turns = None if items is None else _turns(items, started_at, participants, issues)
    end_reason, is_guess = _end_reason(sent, items or (), ended_reason) if status.is_finished else (None, False)
    state = _transcript_state(sent, status, turns, created_at=created_at, ended_at=ended_at, present=present)
    analysis = _analysis(sent.analysis) if sent.analysis else None
    recordings = _recordings(sent, items or ()) if status.is_finished and started_at else ()
    derived = {
        "status": status is not known or status is Status.RINGING,
        "end_reason": is_guess,
        "recordings": bool(recordings),
        "transcript.start": any(turn.start is not None for turn in turns or ()),
        "analysis.success": analysis is not None and analysis.success is not None,
    }
    return Conversation(
        provider="fish_audio",
        id=str(sent.session_id),
        status=status,
        provider_status=sent.status,
        title=text(sent.name),
        channel=_channel(sent.source),
        direction=DIRECTIONS.get(sent.direction or "", Direction.UNKNOWN),
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        duration=sent.duration_seconds,
        end_reason=end_reason,
        provider_end_reason=ended_reason,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        summary=text(sent.analysis.summary) if sent.analysis else None,
        analysis=analysis and unless_empty(analysis),
        recordings=recordings,
        metadata=_metadata(sent),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


def _status(sent: Session) -> Status:
    status = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    if sent.dial_status in DIALS:
        return DIALS[sent.dial_status][0]
    rings = status is Status.IN_PROGRESS and sent.direction == "outbound" and sent.dial_status is None
    return Status.RINGING if rings else status


def _channel(source: str | None) -> Channel:
    if not source:
        return Channel.UNKNOWN
    return Channel.PHONE if source == "phone" else Channel.WEB


def _end_reason(sent: Session, items: Sequence[Item | None], ended_reason: str | None) -> tuple[EndReason | None, bool]:
    """Return why it ended, and whether that is only a guess; the provider itself does not say."""
    if sent.dial_status in DIALS:
        return DIALS[sent.dial_status][1], False
    if sent.answered_by == "voicemail":
        return EndReason.VOICEMAIL, False
    if ended_reason == "error":
        return EndReason.ERROR, False
    called = [item for item in items if item is not None and _kind(item) == "tool_call"]
    last = called[-1].tool_name if called and called[-1].tool_source in _BUILT_IN else None
    if last == "hang_up_call":
        return EndReason.AGENT_ENDED, True
    if last == "transfer_call" and _was_transferred(items):
        return EndReason.TRANSFERRED, True
    return (_END_REASONS.get(ended_reason, EndReason.UNKNOWN) if ended_reason else None), False


# https://docs.fish.audio/agents/build/system-tools
_BUILT_IN = {"builtin", "unknown", None}
"""Where a tool of the provider's own runs; a customer's tool may have the same name."""


def _was_transferred(items: Sequence[Item | None]) -> bool:
    # https://docs.fish.audio/agents/telephony/transfers
    results = [item for item in items if item is not None and _kind(item) == "tool_result"]
    return any(
        (item.tool_name, item.status) == ("transfer_call", "completed") and item.tool_source in _BUILT_IN
        for item in results
    )


def _kind(item: Item) -> str:
    """Return what an entry is; the type has a default, so it may be left out."""
    if item.type:
        return item.type
    if item.call_id is None:
        return "message"
    return "tool_call" if item.input is not None else "tool_result"


def _turns(
    items: Sequence[Item | None], started_at: datetime | None, participants: Participants, issues: list[Issue]
) -> tuple[TranscriptTurn, ...]:
    began = None if started_at is None else started_at.timestamp()
    turns: list[TranscriptTurn] = []
    for position, item in enumerate(items):
        if item is None:
            issues.append(Issue(f"items[{position}]", "null"))
            continue
        moment = timestamp(item.created_at, f"items[{position}].created_at", issues)
        role, participant, said, called, result = _told(item, f"items[{position}]", participants, issues)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=said,
                start=None if began is None or moment is None or moment < began else round(moment - began, 6),
                timestamp=moment,
                participant=participant,
                tool_calls=called,
                tool_result=result,
                metrics=None if item.latency_ms is None else {"latency": round(item.latency_ms / 1000, 6)},
            )
        )
    return tuple(turns)


_Told = tuple[Role, int | None, str, tuple[ToolCall, ...], ToolResult | None]
"""Role, participant and text of a turn, its calls and its result."""


def _told(item: Item, place: str, participants: Participants, issues: list[Issue]) -> _Told:
    id = text(item.call_id)
    match _kind(item):
        case "message":
            role, participant = _SPEAKERS.get(item.role) or unknown_speaker(item.role, participants)
            return role, participant, item.content or "", (), None
        case "tool_call":
            call = ToolCall(id=id, name=item.tool_name, arguments=json_text(item.input))
            return Role.ASSISTANT, 0, "", (call,), None
        case "tool_result":
            if item.output_truncated:
                issues.append(Issue(f"{place}.output_truncated", _CUT))  # what is left is no JSON any more
            content = json_text(item.error if item.output is None else item.output)
            failed = None if item.status is None else item.status == "failed"
            return Role.TOOL, None, "", (), ToolResult(call_id=id, content=content, is_error=failed)
        case _:
            issues.append(Issue(f"{place}.type", "an unknown kind of entry"))
            return Role.UNKNOWN, None, item.content or "", (), None


def _transcript_state(
    sent: Session,
    status: Status,
    turns: Sequence[TranscriptTurn] | None,
    *,
    created_at: datetime | None,
    ended_at: datetime | None,
    present: datetime | None,
) -> TranscriptState:
    if turns is None:
        return TranscriptState.NOT_LOADED
    if status is Status.QUEUED:
        # It waits for somebody to join, who may never come.
        waits = may_still_come(created_at, present)
        return TranscriptState.PENDING if waits else TranscriptState.UNAVAILABLE
    if not status.is_finished and not (turns and status is Status.UNKNOWN):
        return TranscriptState.PENDING
    if not turns and (status is Status.NO_ANSWER or sent.dial_status in DIALS or not sent.started_at):
        return TranscriptState.UNAVAILABLE
    is_early = is_too_early(turns, sent.duration_seconds, ended_at, present)
    return TranscriptState.PENDING if is_early else TranscriptState.AVAILABLE


def _analysis(sent: Findings) -> Analysis:
    values = [value for value in sent.data or () if value is not None and value.name]
    criteria = [one for one in sent.criteria_results or () if one is not None]
    results = {one.result for one in criteria}
    success = False if "failure" in results else True if results == {"success"} else None
    scores = {one.name: _SCORES[one.result] for one in criteria if one.name and one.result in _SCORES}
    collected = {value.name: value.value for value in values if value.name}
    return Analysis(success=success, scores=scores or None, collected=collected or None)


_SCORES = {"success": 1.0, "failure": 0.0}


def _recordings(sent: Session, items: Sequence[Item | None]) -> tuple[Recording, ...]:
    """Return a recording for each speaker, if there is one: that is known only when its URL is asked for."""
    # https://docs.fish.audio/agents/monitor/conversation-history
    tracks = (*_TRACKS, "human") if _was_transferred(items) else _TRACKS
    # A fragment, because the URLs of all tracks come in one answer.
    where = f"/v1/agent/sessions/{quote(str(sent.session_id), safe='')}/recording"
    return tuple([Recording(location=f"{where}#{track}", access=RecordingAccess.PROVIDER_KEY) for track in tracks])


def _metadata(sent: Session) -> dict[str, Any]:
    found = sent.analysis or Findings()
    explained = [one for one in (*(found.data or ()), *(found.criteria_results or ())) if one is not None]
    rationales = {one.name: one.rationale for one in explained if one.name and one.rationale}
    return without_empty(
        {
            "source": sent.source,
            "timezone": sent.timezone,
            "dial_status": sent.dial_status,
            "answered_by": sent.answered_by,
            "metadata": sent.metadata,
            "analysis_status": found.status,
            "analysis_error": found.error,
            "rationales": rationales or None,
        }
    )
