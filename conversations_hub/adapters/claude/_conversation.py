"""What a session of Claude and its events mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec

from ...reading.json import decode
from ...reading.lifecycle import concluded, may_still_come
from ...reading.money import cost
from ...reading.participants import Participants, Speakers, unknown_speaker
from ...reading.values import (
    Issues,
    drop_if_before,
    ids_of,
    instant,
    json_text,
    members_of,
    noted,
    text,
    text_at,
    timestamp,
    unless_empty,
    without_empty,
)
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
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ._payload import Agent as SentAgent
from ._payload import Block, Error, Event, EventPage, Outcome, Session, Stats

_session = msgspec.json.Decoder(Session, strict=False)

# https://platform.claude.com/docs/en/managed-agents/session-operations
# Idle sessions wait for input, and go on when it comes: also those whose work is done.
_STATUSES = {
    "running": Status.IN_PROGRESS,
    "rescheduling": Status.IN_PROGRESS,
    "idle": Status.IN_PROGRESS,
    "terminated": Status.FAILED,
}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a session as Claude sends it, in a list or alone; its events are another resource."""
    issues = Issues()
    return read(decode(body, _session, issues), bytes(body), issues)


def read(
    sent: Session,
    raw: bytes,
    issues: Issues,
    pages: Sequence[EventPage] | None = None,
    *,
    place: str = "",
    present: datetime | None = None,
) -> Conversation:
    """Read a session and its events; `place` is its place in `raw`, and `present` when it was sent."""
    created_at = instant(sent.created_at, f"{place}created_at", issues)
    updated_at = instant(sent.updated_at, f"{place}updated_at", issues)
    archived_at = instant(sent.archived_at, f"{place}archived_at", issues)
    archived_at = drop_if_before(archived_at, created_at, f"{place}archived_at", issues)
    known = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    status = concluded(known, sent.status, archived_at)
    if sent.archived_at:  # then it was not an error that terminated it
        status = Status.ENDED
    ended_at = archived_at or (updated_at if status.is_finished else None)

    sent_agent, stats = sent.agent or SentAgent(), sent.stats or Stats()
    agent = Agent(id=text(sent_agent.id), name=text(sent_agent.name), version=text(sent_agent.version))
    participants = Participants.of(agent)
    turns = None if pages is None else tuple(_turns(pages, created_at, participants, issues))
    stopped = _stopped(pages or ())
    analysis = _analysis(sent.outcome_evaluations or ())
    price = _cost(sent, place, issues)
    derived = {
        "status": status is not known and sent.status != "terminated",
        "direction": True,
        "ended_at": ended_at is not None and archived_at is None,
        "cost": price is not None,  # list price, not the bill
        "transcript.start": any(turn.start is not None for turn in turns or ()),
        "analysis.success": analysis is not None and analysis.success is not None,
    }
    return Conversation(
        provider="claude",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        title=text(sent.title),
        channel=Channel.CHAT,
        direction=Direction.INBOUND,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        ended_at=ended_at,
        updated_at=updated_at,
        duration=stats.duration_seconds if status.is_finished else None,
        end_reason=_END_REASONS.get(status),
        provider_end_reason=text_at(stopped, "type") if status.is_finished else None,
        transcript=turns,
        transcript_state=_transcript_state(status, turns, ended_at=ended_at, present=present),
        analysis=analysis,
        cost=price,
        metadata=without_empty(
            {
                "metadata": sent.metadata,
                "model": sent_agent.model,
                "usage": sent.usage,
                "stats": without_empty(msgspec.to_builtins(stats)) or None,
                "stop_reason": stopped or None,
            }
        ),
        related_ids=ids_of({"environment": sent.environment_id, "deployment": sent.deployment_id}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


_END_REASONS = {Status.ENDED: EndReason.API_ENDED, Status.FAILED: EndReason.ERROR}
"""Sessions end only when they are archived, or by an error."""


def _transcript_state(
    status: Status,
    turns: Sequence[TranscriptTurn] | None,
    *,
    ended_at: datetime | None,
    present: datetime | None,
) -> TranscriptState:
    if turns is None:
        return TranscriptState.NOT_LOADED
    # A log that was read to its end is all there is, also while the agent is at work.
    is_early = not turns and status.is_finished and may_still_come(ended_at, present)
    return TranscriptState.PENDING if is_early else TranscriptState.AVAILABLE


def _cost(sent: Session, place: str, issues: list[Issue]) -> Cost | None:
    """Return the list price of what was used; it is in hundredths."""
    priced = members_of(members_of(sent.usage).get("list_cost"))
    unit = text_at(priced, "currency") or "USD"
    return cost(priced.get("amount"), f"{place}usage.list_cost.amount", issues, unit=unit, per_unit=100)


_FAILED = {"failed", "max_iterations_reached"}


def _analysis(outcomes: Sequence[Outcome | None]) -> Analysis | None:
    found = [outcome for outcome in outcomes if outcome is not None]
    results = {outcome.result for outcome in found}
    success = False if results & _FAILED else True if results == {"satisfied"} else None
    collected = {
        str(outcome.outcome_id): without_empty(
            {name: value for name, value in msgspec.to_builtins(outcome).items() if name != "outcome_id"}
        )
        for outcome in found
    }
    return Analysis(success=success, collected=collected) if found else None


# the events


def _stopped(pages: Sequence[EventPage]) -> dict[str, Any]:
    """Return why the agent rests, as the last event about it says."""
    events = (event for page in reversed(pages) for event in reversed(page.data or ()) if event is not None)
    last = next((event for event in events if event.type == "session.status_idle"), None) or Event()
    told = {} if last.stop_reason is None else without_empty(msgspec.to_builtins(last.stop_reason))
    details = {} if last.stop_details is None else without_empty(msgspec.to_builtins(last.stop_details))
    return {**told, **({"details": details} if details else {})}


def _turns(
    pages: Sequence[EventPage], created_at: datetime | None, participants: Participants, issues: list[Issue]
) -> Iterator[TranscriptTurn]:
    began = None if created_at is None else created_at.timestamp()
    index = 0
    for number, page in enumerate(pages):
        for position, event in enumerate(page.data or ()):
            if event is None:
                issues.append(Issue(f"events[{number}].data[{position}]", "null"))
                continue
            turn = _turn(event, participants)
            if turn is None:
                continue
            place = f"events[{number}].data[{position}].processed_at"
            moment = timestamp(event.processed_at, place, issues)
            yield msgspec.structs.replace(
                turn,
                index=index,
                timestamp=moment,
                start=None if began is None or moment is None or moment < began else round(moment - began, 6),
                visibility=Visibility.INTERNAL if event.session_thread_id else turn.visibility,
                provider_id=text(event.id),
            )
            index += 1


# https://platform.claude.com/docs/en/managed-agents/events-and-streaming
_SPEAKERS: Speakers = {
    "user.message": (Role.USER, 1),
    "agent.message": (Role.ASSISTANT, 0),
    "system.message": (Role.SYSTEM, None),
}
_CALLS = {"agent.tool_use", "agent.mcp_tool_use", "agent.custom_tool_use"}
_RESULTS = {"agent.tool_result", "agent.mcp_tool_result", "user.custom_tool_result", "user.tool_result"}
_SILENT = ("session.", "span.", "workflow_run.", "agent.thinking")
"""How the types of events begin that are no turns; an error is the exception."""


def _turn(event: Event, participants: Participants) -> TranscriptTurn | None:
    """Return what an event says or does, without its place and its time; None if it is none of both."""
    kind = event.type or ""
    said = _words(event.content or ())
    if kind in _CALLS:
        name = ".".join(filter(None, (event.mcp_server_name, event.name)))
        call = ToolCall(id=text(event.id), name=name or None, arguments=json_text(event.input))
        return TranscriptTurn(index=0, role=Role.ASSISTANT, participant=0, tool_calls=(call,))
    if kind in _RESULTS:
        id = event.tool_use_id or event.mcp_tool_use_id or event.custom_tool_use_id
        result = ToolResult(call_id=text(id), content=said, is_error=event.is_error)
        return TranscriptTurn(index=0, role=Role.TOOL, tool_result=result)
    note = _note(event, said, participants)
    if note is not None:
        role, participant, words = note
        return TranscriptTurn(index=0, role=role, text=words, participant=participant, visibility=Visibility.INTERNAL)
    if kind not in _SPEAKERS and (kind.startswith(_SILENT) or not said):
        return None
    role, participant = _SPEAKERS.get(kind) or unknown_speaker(kind, participants)
    return TranscriptTurn(index=0, role=role, text=said, participant=participant)


def _note(event: Event, said: str, participants: Participants) -> tuple[Role, int | None, str] | None:
    """Return role, participant and text of what only the company's own people read; None for all else."""
    match event.type:
        case "agent.thread_message_sent":
            return Role.ASSISTANT, 0, said
        case "agent.thread_message_received":
            other = Participant(kind=ParticipantKind.AI_AGENT, name=event.from_agent_name)
            return Role.ASSISTANT, participants.index_of(other), said
        case "user.tool_confirmation":
            return Role.SYSTEM, None, ": ".join(filter(None, (json_text(event.result), event.deny_message)))
        case "user.define_outcome":
            return Role.SYSTEM, None, event.description or ""
        case "session.error":
            error = event.error or Error()
            return Role.SYSTEM, None, ": ".join(filter(None, (error.type, error.message)))
        case "user.interrupt" | "agent.thread_context_compacted" as kind:
            return Role.SYSTEM, None, kind
        case _:
            return None


def _words(blocks: Sequence[Block | None]) -> str:
    """Return the text of a message; what is no text is named in brackets."""
    return "\n".join([_words_of(block) for block in blocks if block is not None])


def _words_of(block: Block) -> str:
    if block.type in {"text", None}:
        return block.text or ""
    about = ": ".join(filter(None, (block.type, block.title, block.context)))
    parts = [part.text for part in block.content or () if part is not None and part.text]
    return "\n".join([f"[{about}]", *parts])
