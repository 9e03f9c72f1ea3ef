"""Bolna: GET /v2/agent/{id}/executions, one agent and at most seven days at a time; only `get` has the transcript.

The specification of 2026-05 calls the dates optional, but the API refuses a list without them. A transcript is one
text, a line for each utterance.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

import msgspec

from .._instants import earlier
from ..account import Account
from ..adapter import Adapter, Query, RawPage, Start, Started
from ..errors import AuthError, HubError, PaginationError, PayloadError, UnsupportedError
from ..events import Event, EventKind, Webhook
from ..policy import sent_at
from ..reading.json import decode
from ..reading.lifecycle import concluded, is_too_early
from ..reading.money import cost
from ..reading.paging import Stamp, read_json, stamps_of
from ..reading.parents import list_each
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.plain_text import utterances
from ..reading.recordings import signed_recording
from ..reading.refusals import provider_error, read_or_raise, words_of
from ..reading.values import (
    DIRECTIONS,
    Id,
    Instant,
    Issues,
    Seconds,
    ids_of,
    instant,
    members_of,
    noted,
    text,
    unless_empty,
    utc_text,
    without_empty,
)
from ..schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from ..signing import bearer
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "end", "events", "get", "list_page", "normalize", "refusal", "start"]

# what Bolna sends


class _Telephony(msgspec.Struct, gc=False):
    to_number: Id | None = None
    from_number: Id | None = None
    recording_url: str | None = None
    provider_call_id: Id | None = None
    call_type: str | None = None
    provider: str | None = None
    hangup_by: str | None = None
    hangup_reason: str | None = None
    hangup_provider_code: Any = None
    hangup_code: Any = None
    duration: Any = None
    hosted_telephony: Any = None
    ring_duration: Any = None
    post_dial_delay: Any = None
    to_number_carrier: Any = None


class _Transfer(msgspec.Struct, gc=False):
    provider_call_id: Id | None = None
    status: str | None = None
    to_number: Id | None = None
    from_number: Id | None = None
    recording_url: str | None = None
    duration: Any = None
    cost: Any = None
    hangup_by: Any = None
    hangup_reason: Any = None
    hangup_provider_code: Any = None
    termination_reason: Any = None


class _Turn(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | None = None


class _Execution(msgspec.Struct, gc=False):
    id: Id
    agent_id: Id | None = None
    batch_id: Id | None = None
    campaign_id: Id | None = None
    status: str | None = None
    error_message: Any = None
    termination_reason: str | None = None
    conversation_duration: Seconds | None = None
    total_cost: msgspec.Raw = msgspec.Raw()
    answered_by_voice_mail: bool | None = None
    transcript: str | list[_Turn | None] | float | bool | msgspec.UnsetType | None = msgspec.UNSET
    summary: str | None = None
    extracted_data: Any = None
    custom_extractions: Any = None
    agent_extraction: Any = None
    created_at: Instant = None
    updated_at: Instant = None
    scheduled_at: Any = None
    rescheduled_at: Any = None
    telephony_data: _Telephony | None = None
    transfer_call_data: _Transfer | None = None
    batch_run_details: Any = None
    context_details: Any = None
    cost_breakdown: Any = None
    usage_breakdown: Any = None
    latency_data: Any = None
    smart_status: Any = None
    workflow_retries: Any = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    has_more: bool | None = None


class _Agent(msgspec.Struct):
    id: Id | None = None
    created_at: Instant = None


class _Placed(msgspec.Struct):
    execution_id: Id
    status: str | None = None


_execution = msgspec.json.Decoder(_Execution, strict=False)
_page: msgspec.json.Decoder[_Page | list[msgspec.Raw]] = msgspec.json.Decoder(_Page | list[msgspec.Raw], strict=False)
_agents = msgspec.json.Decoder(list[_Agent | None], strict=False)
_placed = msgspec.json.Decoder(_Placed, strict=False)
_stamp = msgspec.json.Decoder(Stamp, strict=False)

_LEFT_TO_RAW = {
    "execution_id": "the same as id, in webhooks",
    "provider": "telephony_data has the same member",
    "message": "says that a call was accepted",
}

# what it means

# https://github.com/bolna-ai/skills
_STATUSES = {
    "scheduled": Status.QUEUED,
    "queued": Status.QUEUED,
    "rescheduled": Status.QUEUED,
    "initiated": Status.QUEUED,
    "ringing": Status.RINGING,
    "in-progress": Status.IN_PROGRESS,
    "call-disconnected": Status.PROCESSING,  # figures and texts follow within minutes
    "completed": Status.ENDED,
    "no-answer": Status.NO_ANSWER,
    "busy": Status.NO_ANSWER,
    "canceled": Status.CANCELLED,
    "stopped": Status.CANCELLED,
    "balance-low": Status.FAILED,
    "failed": Status.FAILED,
    "error": Status.FAILED,
}
_BEFORE_THE_END = {Status.QUEUED, Status.RINGING, Status.IN_PROGRESS}

_END_REASONS = {
    "no-answer": EndReason.NO_ANSWER,
    "busy": EndReason.BUSY,
    "canceled": EndReason.CANCELLED,
    "stopped": EndReason.CANCELLED,
    "balance-low": EndReason.ERROR,
    "failed": EndReason.ERROR,
    "error": EndReason.ERROR,
}
# The texts are free and the list is open, so only their ends are compared.
_HANGUP_REASONS = {
    "inactivity_timeout": EndReason.SILENCE,
    "llm_prompted_hangup": EndReason.AGENT_ENDED,
    "end of inputs from bolna": EndReason.AGENT_ENDED,
    "call unanswered": EndReason.NO_ANSWER,
    "busy": EndReason.BUSY,
    "limit exceeded": EndReason.MAX_DURATION,
    "call timed out": EndReason.MAX_DURATION,
    " error": EndReason.ERROR,
}
_HUNG_UP_BY = {
    ("Caller", Direction.INBOUND): EndReason.CUSTOMER_ENDED,
    ("Callee", Direction.OUTBOUND): EndReason.CUSTOMER_ENDED,
    ("API Request", Direction.INBOUND): EndReason.API_ENDED,
    ("API Request", Direction.OUTBOUND): EndReason.API_ENDED,
    ("API Request", Direction.UNKNOWN): EndReason.API_ENDED,
}
_NEVER_TRANSFERRED = {"no-answer", "busy", "failed", "canceled", "balance-low"}

_IN_A_BROWSER = {"web-call", "websocket"}

_CALL, _RESULT = "assistant_tool_call", "tool_response"
_SPEAKERS: Speakers = {
    "user": (Role.USER, 1),
    "assistant": (Role.ASSISTANT, 0),
    "system": (Role.SYSTEM, None),
    "tool": (Role.TOOL, None),
    _CALL: (Role.ASSISTANT, 0),
    _RESULT: (Role.TOOL, None),
}
# Such as {'id': 'c1', 'function': {'name': 'look_up', 'arguments': '{"day": "Monday"}'}}.
_PRINTED = {name: re.compile(rf"\b{name}'?(?:: |=)'((?:[^'\\]|\\.)*+)'") for name in ("id", "name", "arguments")}
_ESCAPED = re.compile(r"\\(.)")
_OF_CALL = re.compile(r"\(([^()\n]*)\):\s*(.*)", re.DOTALL)


def normalize(
    body: bytes | msgspec.Raw, *, agent_id: str | None = None, present: datetime | None = None
) -> Conversation:
    """Read an execution: a row of a list of the agent `agent_id`, or a whole one; `present` is when it was sent."""
    issues = Issues()
    sent = decode(body, _execution, issues)
    line = sent.telephony_data or _Telephony()
    leg = sent.transfer_call_data or _Transfer()
    known = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    status = concluded(known, sent.status)
    is_settled = status.is_finished  # until then, figures are 0 and mean nothing
    duration = sent.conversation_duration if is_settled or sent.conversation_duration else None
    created_at = instant(sent.created_at, "created_at", issues)
    updated_at = instant(sent.updated_at, "updated_at", issues)

    direction = DIRECTIONS.get(line.call_type or "", Direction.UNKNOWN)
    agent = Agent(id=text(sent.agent_id) or agent_id)
    is_transferred = leg != _Transfer() and leg.status not in _NEVER_TRANSFERRED
    participants = _participants(agent, direction, line, leg if is_transferred else None)
    transcript = _transcript(sent, participants, issues)

    charged = cost(sent.total_cost, "total_cost", issues, per_unit=100)  # in cents
    if charged is not None and not is_settled and not charged.amount:
        charged = None
    derived = {
        "status": status is not known,
        "transcript": bool(transcript) and isinstance(sent.transcript, str),
        "cost": charged is not None,  # the currency is not documented
    }
    ends_at = updated_at or created_at
    state = _transcript_state(sent, status, transcript, is_early=is_too_early(transcript, duration, ends_at, present))
    return Conversation(
        provider="bolna",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        channel=_channel(line),
        direction=direction,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        updated_at=updated_at,
        duration=duration,
        end_reason=_end_reason(sent, status, line, direction, is_transferred=is_transferred),
        provider_end_reason=sent.termination_reason or line.hangup_reason or None,
        transcript=transcript,
        transcript_state=state,
        summary=sent.summary or None,
        analysis=_analysis(sent),
        recordings=tuple(_recordings(line, leg, issues)),
        cost=charged,
        metadata=_metadata(sent, line, leg, direction, is_transferred=is_transferred),
        related_ids=ids_of(
            {
                "provider_call_id": line.provider_call_id,
                "batch_id": sent.batch_id,
                "campaign_id": sent.campaign_id,
                "transfer_provider_call_id": leg.provider_call_id,
            }
        ),
        estimated=tuple(name for name, is_derived in derived.items() if is_derived),
        issues=noted(issues),
        raw=bytes(body),
    )


def _channel(line: _Telephony) -> Channel:
    if line.provider in _IN_A_BROWSER:
        return Channel.WEB
    return Channel.PHONE if line.provider or line.to_number or line.from_number else Channel.UNKNOWN


def _participants(agent: Agent, direction: Direction, line: _Telephony, leg: _Transfer | None) -> Participants:
    if direction is Direction.OUTBOUND:
        ours, theirs = line.from_number, line.to_number
    elif direction is Direction.INBOUND:
        ours, theirs = line.to_number, line.from_number
    else:
        ours = theirs = None  # rows do not say who called whom
    participants = Participants.of(agent, agent_phone=text(ours), customer_phone=text(theirs))
    if leg is not None:
        participants.append(Participant(kind=ParticipantKind.HUMAN_AGENT, phone=text(leg.to_number)))
    return participants


def _end_reason(
    sent: _Execution, status: Status, line: _Telephony, direction: Direction, *, is_transferred: bool
) -> EndReason | None:
    if status in _BEFORE_THE_END:
        return None
    if sent.status in _END_REASONS:
        return _END_REASONS[sent.status]
    if sent.answered_by_voice_mail:
        return EndReason.VOICEMAIL
    if is_transferred:
        return EndReason.TRANSFERRED
    words = (line.hangup_reason or "").lower()
    for ending, reason in _HANGUP_REASONS.items():
        if words.endswith(ending):
            return reason
    is_told = words or line.hangup_by or sent.termination_reason
    return _HUNG_UP_BY.get((line.hangup_by or "", direction), EndReason.UNKNOWN if is_told else None)


def _transcript(sent: _Execution, participants: Participants, issues: list[Issue]) -> tuple[TranscriptTurn, ...] | None:
    if sent.transcript is msgspec.UNSET or not sent.transcript:
        return None
    if isinstance(sent.transcript, int | float):  # a truth value is a whole number too
        issues.append(Issue("transcript", "neither text nor a list"))
        return None
    if isinstance(sent.transcript, str):
        labels = {"system": "system", _CALL: _CALL, _RESULT: _RESULT}
        said = utterances(sent.transcript, agent="assistant", user="user", labels=labels)
    else:
        issues.extend(Issue(f"transcript[{at}]", "null") for at, turn in enumerate(sent.transcript) if turn is None)
        said = [(turn.role, turn.content or "") for turn in sent.transcript if turn is not None]
    return tuple(_turn(index, who, words, participants) for index, (who, words) in enumerate(said)) or None


def _turn(index: int, who: str | None, words: str, participants: Participants) -> TranscriptTurn:
    role, participant = _SPEAKERS.get((who or "").lower()) or unknown_speaker(who, participants)
    calls: tuple[ToolCall, ...] = ()
    result = None
    # https://github.com/bolna-ai/bolna/blob/master/bolna/helpers/utils.py
    if who == _CALL:
        calls, words = (_tool_call(words),), ""
    elif who == _RESULT:
        of_call = _OF_CALL.fullmatch(words)
        id, content = of_call.groups() if of_call else (None, words)
        result, words = ToolResult(call_id=id or None, content=content), ""
    return TranscriptTurn(
        index=index, role=role, text=words, participant=participant, tool_calls=calls, tool_result=result
    )


def _tool_call(words: str) -> ToolCall:
    """Read a call as Python prints it; text that is something else is its arguments."""
    found = {name: pattern.search(words) for name, pattern in _PRINTED.items()}
    id, name, arguments = [one and _ESCAPED.sub(_unescaped, one[1]) for one in found.values()]
    return ToolCall(id=id, name=name, arguments=arguments) if name else ToolCall(arguments=words)


def _unescaped(found: re.Match[str]) -> str:
    return {"n": "\n", "r": "\r", "t": "\t"}.get(found[1], found[1])


def _transcript_state(
    sent: _Execution, status: Status, transcript: tuple[TranscriptTurn, ...] | None, *, is_early: bool
) -> TranscriptState:
    if transcript is not None:
        return TranscriptState.AVAILABLE
    if sent.transcript is msgspec.UNSET:
        return TranscriptState.NOT_LOADED
    if not status.is_finished or (status is Status.ENDED and is_early):
        return TranscriptState.PENDING
    return TranscriptState.UNAVAILABLE


def _recordings(line: _Telephony, leg: _Transfer, issues: list[Issue]) -> list[Recording]:
    sent = {"telephony_data": line.recording_url, "transfer_call_data": leg.recording_url}
    found = [signed_recording(url, f"{member}.recording_url", issues) for member, url in sent.items()]
    return [*filter(None, found)]


def _analysis(sent: _Execution) -> Analysis | None:
    collected = members_of(sent.extracted_data)
    return Analysis(collected=collected) if collected else None


def _metadata(
    sent: _Execution, line: _Telephony, leg: _Transfer, direction: Direction, *, is_transferred: bool
) -> dict[str, Any]:
    is_known = direction is not Direction.UNKNOWN  # then the participants have the numbers
    shown = without_empty(
        {
            "provider": line.provider,
            "to_number": None if is_known else text(line.to_number),
            "from_number": None if is_known else text(line.from_number),
            "duration": line.duration,
            "hangup_by": line.hangup_by,
            "hangup_reason": line.hangup_reason,
            "hangup_provider_code": line.hangup_provider_code,
            "hangup_code": line.hangup_code,
            "ring_duration": line.ring_duration,
            "post_dial_delay": line.post_dial_delay,
            "hosted_telephony": line.hosted_telephony,
            "to_number_carrier": line.to_number_carrier,
        }
    )
    moved = without_empty(
        {
            "status": leg.status,
            "to_number": None if is_transferred else text(leg.to_number),
            "from_number": text(leg.from_number),
            "duration": leg.duration,
            "cost": leg.cost,
            "hangup_by": leg.hangup_by,
            "hangup_reason": leg.hangup_reason,
            "hangup_provider_code": leg.hangup_provider_code,
            "termination_reason": leg.termination_reason,
        }
    )
    found = {
        "error_message": sent.error_message,
        "answered_by_voice_mail": sent.answered_by_voice_mail,
        "scheduled_at": sent.scheduled_at,
        "rescheduled_at": sent.rescheduled_at,
        "smart_status": sent.smart_status,
        "workflow_retries": sent.workflow_retries,
        "telephony": shown or None,
        "transfer": moved or None,
        "extracted_data": None if isinstance(sent.extracted_data, dict) else sent.extracted_data,
        "custom_extractions": sent.custom_extractions,
        "agent_extraction": sent.agent_extraction,
        "context_details": sent.context_details,
        "batch_run_details": sent.batch_run_details,
        "cost_breakdown": sent.cost_breakdown,
        "usage_breakdown": sent.usage_breakdown,
        "latency_data": sent.latency_data,
    }
    return without_empty(found)


# https://bolna.ai/docs/api-reference/executions/payload
_EVENT_KINDS = {
    "in-progress": EventKind.STARTED,
    "call-disconnected": EventKind.ENDED,
    "completed": EventKind.TRANSCRIPT_READY,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a delivery: the execution as `get` has it, at every change of its status. Deliveries are not signed."""
    told = normalize(body)
    changed_at = told.updated_at
    is_unique = bool(told.provider_status and changed_at)
    return (
        Event(
            provider="bolna",
            kind=_EVENT_KINDS.get(told.provider_status or "", EventKind.UPDATED),
            provider_kind=told.provider_status,
            id=f"{told.id}:{told.provider_status}:{changed_at.isoformat()}" if is_unique and changed_at else None,
            conversation_id=told.id,
            conversation=told,
            occurred_at=changed_at,
        ),
    )


# how to ask

_LARGEST_PAGE = 50
_WIDEST = timedelta(days=7)
_OLDEST = datetime(2000, 1, 1, tzinfo=UTC)

# One word of a status can be asked for, so only statuses that have one.
_ASKED = {
    Status.RINGING: "ringing",
    Status.IN_PROGRESS: "in-progress",
    Status.PROCESSING: "call-disconnected",
    Status.ENDED: "completed",
}

_Aware = Annotated[datetime, msgspec.Meta(tz=True)]


class _Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page of one agent begins."""

    end: _Aware
    """Of a window of seven days; the list goes from the newest window to the oldest."""
    page: Annotated[int, msgspec.Meta(ge=1)]
    """In this window."""
    oldest: _Aware
    """Where the oldest window begins."""
    seen: tuple[str, ...] = ()
    """Ids of rows at the end of this window: both ends are inclusive, so the window after it had them too."""


_place = msgspec.json.Decoder(_Place)


class _Agents(msgspec.Struct):
    created: dict[str, datetime | None]
    present: datetime | None


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of one agent; a cursor is [agent, [end of the window, page, oldest instant, [id, …]] as JSON]."""
    empty = RawPage(rows=(), normalize=normalize)
    known: list[_Agents] = []

    def agents() -> Flow[_Agents]:
        if not known:
            known.append((yield from _list_agents()))
        return known[0]

    def parents() -> Flow[Sequence[str]]:
        return [query.agent] if query.agent is not None else [*(yield from agents()).created]

    def list_agent(agent: str, at: str | None) -> Flow[RawPage]:
        if at is not None:
            place: _Place | None = read_json(at, _place, "Bolna", "[end, page, oldest, [id, …]] as JSON")
        else:
            place = _newest(agent, query, (yield from agents()))
        while place is not None:
            page, place = yield from _window(agent, query, place)
            if page.rows or place is None:
                return page
        return empty

    return (yield from list_each(cursor, "Bolna", parents, list_agent, empty))


def _list_agents() -> Flow[_Agents]:
    # https://github.com/bolna-ai/mcp
    reply = yield Request("GET", "/v2/agent/all", reads=_agents)
    listed = read_or_raise(reply, lambda body: decode(body, _agents, []))
    created = {str(one.id): instant(one.created_at, "created_at", []) for one in listed if one and text(one.id)}
    return _Agents(created, sent_at(reply.headers))


def _newest(agent: str, query: Query, agents: _Agents) -> _Place | None:
    """Return where the list of an agent begins; None if it has none."""
    if agent not in agents.created:
        return None  # a deleted agent has no calls
    end = min(filter(None, (query.until, agents.present)), default=None)
    oldest = max(filter(None, (query.since, agents.created[agent])), default=None)
    if end is None:
        raise PaginationError("Bolna lists calls between two dates and does not say what time it is: give until")
    if oldest is None:
        raise PaginationError("Bolna lists calls between two dates and does not say when the agent began: give since")
    return _Place(end, 1, max(oldest, _OLDEST)) if oldest <= end else None


def _window(agent: str, query: Query, place: _Place) -> Flow[tuple[RawPage, _Place | None]]:
    """Return a page of one window, and where the next page begins."""
    begin = max(place.oldest, earlier(place.end, _WIDEST))
    size = query.page_size or _LARGEST_PAGE
    asked = {
        "from": utc_text(begin),
        "to": utc_text(place.end),
        "status": _ASKED.get(query.status) if query.status else None,
        "page_number": place.page,
        "page_size": size,
    }
    # https://github.com/bolna-ai/mcp
    reply = yield Request(
        "GET", "/v2/agent/{agent_id}/executions", {**query.options, **asked}, {"agent_id": agent}, reads=_page
    )
    rows, has_more = read_or_raise(reply, partial(_rows, size=size))
    stamps = stamps_of(rows, _stamp)
    following: _Place | None = None
    if has_more:
        following = _Place(place.end, place.page + 1, place.oldest, place.seen)
    elif begin > place.oldest:
        at_the_end = [str(one.id) for one in stamps if one.id is not None and _is_at(one, begin)]
        following = _Place(begin, 1, place.oldest, tuple(at_the_end))
    fresh = [row for row, one in zip(rows, stamps, strict=True) if str(one.id) not in place.seen]
    normalize_row = partial(normalize, agent_id=agent)
    cursor = None if following is None else msgspec.json.encode(following).decode()
    return RawPage(rows=fresh, normalize=normalize_row, cursor=cursor), following


def _is_at(one: Stamp, moment: datetime) -> bool:
    return instant(one.created_at, "created_at", []) == moment


def _rows(body: bytes, *, size: int) -> tuple[list[msgspec.Raw], bool]:
    """Return the rows of a page, and whether more follow in its window."""
    listed = decode(body, _page, [])
    if isinstance(listed, list):  # as an older version of this list, which does not say
        return listed, len(listed) == size
    if listed.data is None:
        raise PayloadError("the answer has no list of executions")
    return listed.data, bool(listed.data) and listed.has_more is not False


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get an execution with its transcript."""
    # https://bolna.ai/docs/api-reference/executions/payload
    reply = yield Request("GET", "/executions/{id}", ids={"id": id}, reads=_execution)
    return read_or_raise(reply, partial(normalize, present=sent_at(reply.headers)))


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Place a call from an agent to a number."""
    if not wanted.to:
        raise UnsupportedError("Bolna only places calls: name the number to call in `to`")
    named = {"agent_id": wanted.agent, "recipient_phone_number": wanted.to}
    # https://github.com/bolna-ai/skills
    reply = yield Request("POST", "/call", body=msgspec.json.encode({**wanted.options, **without_empty(named)}))
    sent = read_or_raise(reply, lambda body: decode(body, _placed, []))
    agent = Agent(id=wanted.agent)
    conversation = Conversation(
        provider="bolna",
        id=str(sent.execution_id),
        status=_STATUSES.get(sent.status or "", Status.UNKNOWN),
        provider_status=sent.status,
        channel=Channel.PHONE,
        direction=Direction.OUTBOUND,
        agent=unless_empty(agent),
        participants=tuple(Participants.of(agent, customer_phone=wanted.to)),
        transcript_state=TranscriptState.PENDING,
        raw=reply.body,
    )
    return Started(conversation=conversation)


def end(_account: Account, id: str) -> Flow[None]:
    """Cancel a call that waits; Bolna has no way to end one that runs."""
    # https://github.com/bolna-ai/skills
    yield Request("POST", "/call/{id}/stop", ids={"id": id}, json=False)


def refusal(response: Response) -> HubError:
    """Read a refusal; a wrong key has the status 403."""
    words = words_of(response)
    # https://github.com/bolna-ai/cli
    if response.status == 403 and words and re.search(r"\b(api[ _-]?key|token|credentials)\b", words, re.IGNORECASE):
        return provider_error(response, words, AuthError)
    return provider_error(response, words)


ADAPTER = Adapter(
    name="bolna",
    base_url="https://api.bolna.ai",
    docs="https://bolna.ai/docs/api-reference",
    sign=bearer,
    refusal=refusal,
    main="executions",
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    counted=True,
    get=get,
    start=start,
    end=end,
    webhook=Webhook(events=events),
    complete_lists=False,
    # 500 a minute: https://bolna.ai/docs/api-reference/rate-limiting
    requests_per_second=8,
    # https://bolna.ai/docs/api-reference/executions/payload
    recording_hosts=("bolna-call-recordings.s3.us-east-1.amazonaws.com",),
    filters=("since", "until", "status", "agent"),
    tells_transfers=True,
    shows=("tool calls", "recording"),
    support="documentation",
    payloads=(_Execution, _Placed),
    left_to_raw=_LEFT_TO_RAW,
    notes=(
        "Calls are listed for one agent and seven days at a time, so a long walk takes many requests.",
        "`end` cancels a call that waits; one that runs cannot be ended.",
        "The transcript is one text without times. Words that look like a speaker's name can split a turn.",
    ),
)
