"""Cartesia: GET /agents/calls, one agent at a time, newest first, paged by the last id; rows bring the transcript.

Every request names a version of the API, which decides the words for the state of a call: those of all are read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from itertools import compress
from typing import Any
from urllib.parse import quote

import msgspec

from ..account import Account
from ..adapter import Adapter, Coverage, Query, RawPage
from ..errors import HubError, PaginationError, PayloadError
from ..events import Event, EventKind, Webhook
from ..policy import sent_at
from ..reading.json import decode
from ..reading.lifecycle import concluded, may_still_come
from ..reading.paging import stamps_of
from ..reading.parents import list_each
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.refusals import provider_error, read_or_raise, words_or_body
from ..reading.values import (
    AnyJson,
    Id,
    Instant,
    Issues,
    Seconds,
    drop_if_before,
    enclosed,
    ids_of,
    instant,
    json_text,
    members_of,
    noted,
    text,
    text_at,
    unless_empty,
    without_empty,
)
from ..schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
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
    Visibility,
)
from ..signing import bearer
from ..signing.webhooks import shared_secret
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "refusal", "sign"]

# what Cartesia sends


class _ToolCall(msgspec.Struct, gc=False):
    id: Id | None = None
    name: str | None = None
    arguments: AnyJson = None
    result: AnyJson = None


class _Turn(msgspec.Struct, gc=False):
    role: str | None = None
    text: str | None = None
    start_timestamp: Seconds | None = None
    end_timestamp: Seconds | None = None
    end_reason: str | None = None
    was_interrupted: bool | None = None
    tool_calls: list[_ToolCall | None] | None = None
    vad_buffer_ms: Seconds | None = None  # not in seconds, but within the same bounds
    tts_ttfb: Seconds | None = None
    log_event: AnyJson = None
    log_metric: AnyJson = None


class _Call(msgspec.Struct, kw_only=True):
    id: Id
    agent_id: Id | None = None
    agent_name: str | None = None
    deployment_id: Id | None = None
    status: str | None = None
    start_time: Instant = None
    end_time: Instant = None
    end_reason: str | None = None
    error_message: str | None = None
    transcript: list[_Turn | None] | None = None
    telephony_params: AnyJson = None
    summary: str | None = None
    metadata: AnyJson = None
    redacted_at: Instant = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    next_page: Id | msgspec.UnsetType | None = msgspec.UNSET


class _Stamp(msgspec.Struct):
    id: Id | None = None
    start_time: Instant = None


class _Agent(msgspec.Struct):
    id: Id | None = None


class _Agents(msgspec.Struct):
    summaries: list[_Agent | None] | None = None


class _Delivery(msgspec.Struct):
    type: str | None = None
    timestamp: Instant = None
    agent_id: Id | None = None
    webhook_id: Id | None = None
    call_id: Id | None = None
    call: _Call | None = None
    turn: AnyJson = None
    analysis: AnyJson = None
    # Older deliveries have these two instead.
    request_id: Id | None = None
    body: list[_Turn | None] | None = None


_call = msgspec.json.Decoder(_Call, strict=False)
_page = msgspec.json.Decoder(_Page, strict=False)
_stamp = msgspec.json.Decoder(_Stamp, strict=False)
_agents = msgspec.json.Decoder(_Agents, strict=False)
_delivery = msgspec.json.Decoder(_Delivery, strict=False)

_LEFT_TO_RAW = {
    "transcript[].text_chunks*": "the text of the turn again, in phrases",
}

# what it means

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
    return _read(sent, bytes(body), issues, present=present)


def _read(sent: _Call, raw: bytes, issues: Issues, *, present: datetime | None = None) -> Conversation:
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


def _turns(
    entries: Sequence[_Turn | None], participants: Participants, issues: list[Issue]
) -> Iterator[TranscriptTurn]:
    """Yield the turns; what the customer's own code logged, and what tools returned, are turns of their own."""
    index = 0
    for position, entry in enumerate(entries):
        if entry is None:
            issues.append(Issue(f"transcript[{position}]", "null"))
            continue
        for turn in _said(entry, participants):
            yield msgspec.structs.replace(turn, index=index, start=entry.start_timestamp)
            index += 1


def _said(entry: _Turn, participants: Participants) -> Iterator[TranscriptTurn]:
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
                [ToolCall(id=text(call.id), name=call.name, arguments=json_text(call.arguments)) for call in calls]
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


def _interrupted(entry: _Turn) -> bool | None:
    if entry.was_interrupted is not None:
        return entry.was_interrupted
    return entry.end_reason == "interrupted" if entry.end_reason else None


def _metrics(entry: _Turn) -> dict[str, float] | None:
    buffered = None if entry.vad_buffer_ms is None else round(entry.vad_buffer_ms / 1000, 6)
    return without_empty({"tts_ttfb": entry.tts_ttfb, "vad_buffer": buffered}) or None


def _transcript_state(
    sent: _Call,
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


def _recording(sent: _Call, duration: float | None) -> Recording:
    """Return where a recording is, if there is one: that is known only when it is asked for."""
    return Recording(
        location=f"/agents/calls/{quote(str(sent.id), safe='')}/audio",
        access=RecordingAccess.PROVIDER_KEY,
        media_type="audio/wav",
        duration=duration,
    )


# https://docs.cartesia.ai/agents/webhooks
_EVENT_KINDS = {
    "call_started": (EventKind.STARTED, "started"),
    "call_turn": (EventKind.UPDATED, "started"),
    "call_completed": (EventKind.ENDED, "completed"),
    "call_failed": (EventKind.ENDED, "failed"),
    "post_call_analysis": (EventKind.ANALYSIS_READY, "completed"),
}
"""The kind of each event, and the status that it implies."""
_CALL_ID = "ac_"
"""How Cartesia's own ids of calls begin."""


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event, in the present envelope or in the older one, whose id may be the carrier's."""
    issues = Issues()
    sent = decode(body, _delivery, issues)
    kind, implied = _EVENT_KINDS.get(sent.type or "", (EventKind.OTHER, None))
    conversation = None if kind is EventKind.OTHER else _told_by(body, sent, implied, issues)
    id = _id_of(sent) if conversation is None else conversation.id
    is_once = id is not None and kind not in {EventKind.OTHER, EventKind.UPDATED}
    return (
        Event(
            provider="cartesia",
            kind=kind,
            provider_kind=sent.type,
            id=f"{id}:{sent.type}" if is_once else None,
            conversation_id=id,
            conversation=conversation,
            related_ids=ids_of({"request": sent.request_id, "webhook": sent.webhook_id}),
            occurred_at=instant(sent.timestamp, "timestamp", []),
        ),
    )


def _id_of(sent: _Delivery) -> str | None:
    if sent.call is not None:
        return str(sent.call.id)
    if sent.call_id is not None:
        return text(sent.call_id)
    told = text(sent.request_id) or ""
    return told if told.startswith(_CALL_ID) else None


def _told_by(body: bytes, sent: _Delivery, implied: str | None, issues: Issues) -> Conversation | None:
    """Return what one event says about its call; one turn is no transcript, so it stays in `raw`."""
    if sent.call is not None:
        inner = Issues()
        told = enclosed(_read(sent.call, b"", inner), "call", body)
        found = [*issues, *told.issues]
        return msgspec.structs.replace(told, issues=noted(found))
    id = _id_of(sent)
    if id is None:
        return None
    call = _Call(id=id, agent_id=sent.agent_id, status=implied, transcript=sent.body)
    analysis = dict(members_of(sent.analysis))
    call.summary = text_at(analysis, "summary")
    analysis.pop("summary", None)
    inner = Issues()
    told = _read(call, body, inner)
    state = told.transcript_state
    if not told.transcript:
        state = TranscriptState.PENDING if implied == "started" else TranscriptState.NOT_LOADED
    placed = [Issue(issue.place.replace("transcript", "body", 1), issue.reason) for issue in inner]
    return msgspec.structs.replace(
        told,
        provider_status=None,
        channel=Channel.UNKNOWN,
        transcript_state=state,
        analysis=Analysis(collected=analysis) if analysis else None,
        estimated=("status",),
        issues=noted([*issues, *placed]),
    )


# how to ask

_VERSION = "2026-08-14"
"""The newest that is documented."""
_PAGE_SIZE = 20
_LARGEST_PAGE = 100
_NO_START = "calls that never started have no time, and some of them may be left out of this window"


def sign(request: Request, account: Account, now: datetime) -> Request:
    """Send the key as a bearer token, and the version of the API, which every request must name."""
    version = account.settings.get("version")
    signed = bearer(request, account, now)
    # https://github.com/cartesia-ai/cartesia-python
    headers = {**signed.headers, "Cartesia-Version": _VERSION if version is None else version.reveal()}
    return msgspec.structs.replace(signed, headers=headers)


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of the calls of one agent; a cursor names the agent, and its last call before the page."""
    return (
        yield from list_each(
            cursor,
            "Cartesia",
            partial(_agent_ids, query.agent),
            partial(_list_of, query),
            RawPage(rows=(), normalize=normalize),
        )
    )


def _agent_ids(wanted: str | None) -> Flow[Sequence[str]]:
    """Return the ids of all agents, or only the one that is wanted."""
    if wanted is not None:
        return [wanted]
    # https://docs.cartesia.ai/api-reference/agents/list
    reply = yield Request("GET", "/agents", reads=_agents)
    sent = read_or_raise(reply, lambda body: decode(body, _agents, []))
    if sent.summaries is None:
        raise PayloadError("the answer has no list of agents")
    return [id for agent in sent.summaries if agent is not None and (id := text(agent.id))]


def _list_of(query: Query, agent: str, after: str | None) -> Flow[RawPage]:
    size = min(query.page_size or _PAGE_SIZE, _LARGEST_PAGE)
    asked = {**query.options, "agent_id": agent, "expand": "transcript", "limit": size, "starting_after": after}
    # https://docs.cartesia.ai/api-reference/agents/calls/get-call
    reply = yield Request("GET", "/agents/calls", asked, reads=_page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.data is None:
        raise PayloadError("the answer has no list of calls")
    stamps = stamps_of(page.data, _stamp)
    following = _following(page, stamps, size)
    is_past = following is not None and query.since is not None and _begin_before(stamps, query.since)
    return RawPage(
        rows=page.data,
        normalize=partial(normalize, present=sent_at(reply.headers)),
        cursor=None if is_past else following,
        warning=_NO_START if is_past else None,
    )


def _following(page: _Page, stamps: Sequence[_Stamp], size: int) -> str | None:
    """Return the id that the next page comes after; without a word about it, a full page is not the last one."""
    if not stamps:
        return None
    if page.next_page is not msgspec.UNSET:
        return text(page.next_page)
    if len(stamps) < size:
        return None
    last = text(stamps[-1].id)
    if last is None:
        raise PaginationError("the last row of a full page has no id, so nothing says where the next one begins")
    return last


def _begin_before(stamps: Sequence[_Stamp], since: datetime) -> bool:
    """Whether the last call that has a time began before `since`, and so all that follow."""
    times = [time for stamp in stamps if (time := instant(stamp.start_time, "start_time", [])) is not None]
    return bool(times) and times[-1] < since


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a call with its transcript."""
    # https://docs.cartesia.ai/api-reference/agents/calls/get-call
    reply = yield Request("GET", "/agents/calls/{id}", ids={"id": id}, reads=_call)
    return read_or_raise(reply, lambda body: normalize(body, present=sent_at(reply.headers)))


def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete irrevocably what was said in a call that is over; the call itself stays in the list."""
    # https://docs.cartesia.ai/agents/transcripts-and-recordings
    yield Request("DELETE", "/agents/calls/{id}", ids={"id": id}, json=False)


def refusal(response: Response) -> HubError:
    """Read a refusal, which may be plain text."""
    return provider_error(response, words_or_body(response))


ADAPTER = Adapter(
    name="cartesia",
    base_url="https://api.cartesia.ai",
    docs="https://docs.cartesia.ai/api-reference/agents/calls/get-call",
    sign=sign,
    refusal=refusal,
    main="calls",
    unlisted=("calls of deleted agents",),
    list_page=list_page,
    page_size=_PAGE_SIZE,
    get=get,
    delete=delete,
    settings=("version",),
    # https://docs.cartesia.ai/agents/webhooks
    webhook=Webhook(events=events, scheme=shared_secret("x-webhook-secret")),
    filters=("agent",),
    shows=("tool calls", "interruptions", "recording"),
    support="specification",
    coverage=Coverage(read=31, members=32),
    payloads=(_Call,),
    left_to_raw=_LEFT_TO_RAW,
)
