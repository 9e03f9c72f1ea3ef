"""Tavus: GET /v2/conversations, numbered pages, no known order; only `get` returns the transcript.

A conversation is one list of events, some of which arrive minutes after the end. Personas and replicas became PALs and
faces in 2026; both vocabularies are read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from itertools import compress
from typing import Any

import msgspec

from ..account import Account
from ..adapter import Adapter, Query, RawPage, Start, Started
from ..errors import HubError, NotFoundError, PayloadError, RateLimitError, UnsupportedError
from ..events import Event, EventKind, Webhook
from ..reading.json import decode
from ..reading.lifecycle import concluded
from ..reading.offsets import rebased
from ..reading.paging import read_numbers
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.plain_text import utterances
from ..reading.refusals import provider_error, read_or_raise, words_of
from ..reading.values import (
    Id,
    Instant,
    Issues,
    Seconds,
    UnixSeconds,
    drop_if_before,
    instant,
    json_text,
    noted,
    text,
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
)
from ..secret import Secret
from ..signing import header
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "delete", "end", "events", "get", "list_page", "normalize", "refusal", "start"]

# what Tavus sends


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None


class _ToolCall(msgspec.Struct, gc=False):
    id: Id | None = None
    function: _Function | None = None
    name: str | None = None
    arguments: Any = None


class _Turn(msgspec.Struct, gc=False):
    role: str | None = None
    content: str | None = None
    timestamp: UnixSeconds | None = None
    seconds_from_start: Seconds | None = None
    duration: Seconds | None = None
    inference_id: str | None = None
    tool_calls: list[_ToolCall | None] | None = None
    tool_call_id: Id | None = None


class _ActionRequest(msgspec.Struct, gc=False):
    body: Any = None


class _Properties(msgspec.Struct, gc=False):
    transcript: list[_Turn | None] | str | None = None
    transcript_url: str | None = None
    shutdown_reason: str | None = None
    reason: str | None = None
    analysis: Any = None
    storage_uri: str | None = None
    bucket_name: str | None = None
    s3_key: str | None = None
    duration: Seconds | None = None
    error_message: str | None = None
    tool_id: Id | None = None
    tool_name: str | None = None
    status: Id | None = None
    request: _ActionRequest | None = None


_NOTHING = _Properties()


class _Event(msgspec.Struct, gc=False):
    event_type: str | None = None
    timestamp: Instant = None
    properties: _Properties | None = None

    @property
    def told(self) -> _Properties:
        return self.properties or _NOTHING


class _Conversation(msgspec.Struct, gc=False):
    conversation_id: Id
    conversation_name: Id | None = None
    conversation_url: str | None = None
    callback_url: str | None = None
    status: str | None = None
    pal_id: Id | None = None
    persona_id: Id | None = None
    face_id: Id | None = None
    replica_id: Id | None = None
    created_at: Instant = None
    updated_at: Instant = None
    shutdown_reason: str | None = None
    metadata: Any = None
    events: list[_Event | None] | msgspec.UnsetType | None = msgspec.UNSET


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    conversations: list[msgspec.Raw] | None = None
    total_count: float | None = None


class _Created(msgspec.Struct):
    conversation_url: str | None = None
    meeting_token: str | None = None


class _Delivery(msgspec.Struct):
    conversation_id: Id
    event_type: str | None = None
    timestamp: Instant = None


_conversation = msgspec.json.Decoder(_Conversation, strict=False)
_page: msgspec.json.Decoder[_Page | list[msgspec.Raw]] = msgspec.json.Decoder(_Page | list[msgspec.Raw], strict=False)
_created = msgspec.json.Decoder(_Created, strict=False)
_delivery = msgspec.json.Decoder(_Delivery, strict=False)

_LEFT_TO_RAW = {
    "events[].properties.face_id": "the conversation has the same member",
    "events[].properties.replica_id": "the conversation has the same member",
    "events[].properties.storage_provider": "part of the recording's address",
    "events[].properties.request.method": "the customer's own server",
    "events[].properties.request.url": "the customer's own server",
    "events[].properties.response.*": "the answer of the customer's own server",
    "events[].properties.response": "the answer of the customer's own server",
}

# what it means

_STATUSES = {"active": Status.IN_PROGRESS, "ended": Status.ENDED}

_SPEAKERS: Speakers = {
    "user": (Role.USER, 1),
    "assistant": (Role.ASSISTANT, 0),
    "replica": (Role.ASSISTANT, 0),
    "pal": (Role.ASSISTANT, 0),
    "system": (Role.SYSTEM, None),
    "tool": (Role.TOOL, None),
}

# Matched by prefix: the documentation shows these with and without a trailing " reached".
# https://docs.tavus.io/sections/webhooks-and-callbacks
_END_REASONS = {
    "max_call_duration": (Status.ENDED, EndReason.MAX_DURATION),
    "participant_left_timeout": (Status.ENDED, EndReason.CUSTOMER_ENDED),
    "participant_absent_timeout": (Status.NO_ANSWER, EndReason.NO_ANSWER),
    "end_conversation_endpoint_hit": (Status.ENDED, EndReason.API_ENDED),
    "daily_room_has_been_deleted": (Status.ENDED, EndReason.API_ENDED),
    "bot_could_not_join": (Status.FAILED, EndReason.ERROR),
    "exception_": (Status.FAILED, EndReason.ERROR),
    "internal error": (Status.FAILED, EndReason.ERROR),
}

_JOINED = ("system.pal_joined", "system.replica_joined")
_AFTER_THE_END = (
    "system.shutdown",
    "application.transcription_ready",
    "application.recording_ready",
    "application.perception_analysis",
)
_KNOWN_EVENTS = {
    *_JOINED,
    "system.shutdown",
    "application.transcription_ready",
    "application.recording_ready",
    "application.recording_copy_failed",
    "application.perception_analysis",
    "application.perception_unavailable",
    "application.post_call_action_executed",
    "application.raven_memory_evidence",
}


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a conversation as Tavus sends it: a row of a list, or one with its events."""
    issues = Issues()
    sent = decode(body, _conversation, issues)
    happened = _by_kind(sent, issues)
    status, reason, end_reason = _outcome(sent, happened)

    created_at = instant(sent.created_at, "created_at", issues)
    updated_at = instant(sent.updated_at, "updated_at", issues)
    # One join is reported twice, under the new and the old name.
    joined_at = _when(sent, happened, "system.pal_joined", issues)
    joined_at = joined_at or _when(sent, happened, "system.replica_joined", issues)
    shut_down_at = _when(sent, happened, "system.shutdown", issues)

    started_at = joined_at or (None if status is Status.QUEUED else created_at)
    ended_at = shut_down_at or (updated_at if status.is_finished else None)
    if ended_at and started_at and ended_at < started_at:
        at = f"{_place(sent, happened['system.shutdown'][0])}.timestamp" if shut_down_at else "updated_at"
        ended_at = drop_if_before(ended_at, started_at, at, issues)

    agent = Agent(id=text(sent.pal_id) or text(sent.persona_id))
    participants = Participants.of(agent)
    estimated: list[str] = []
    transcript = _transcript(sent, happened, participants, estimated, issues)
    recordings = tuple(filter(None, map(_recording, happened.get("application.recording_ready", ()))))

    duration = _duration(joined_at, shut_down_at and ended_at, transcript, recordings)
    derived = {
        "status": status.is_finished and sent.status != "ended",
        "started_at": started_at is not None and joined_at is None,
        "ended_at": ended_at is not None and shut_down_at is None,
        "duration": duration is not None,
    }
    return Conversation(
        provider="tavus",
        id=str(sent.conversation_id),
        status=status,
        provider_status=sent.status,
        title=text(sent.conversation_name),
        channel=Channel.VIDEO,
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        updated_at=updated_at,
        duration=duration,
        end_reason=end_reason,
        provider_end_reason=reason,
        transcript=transcript,
        transcript_state=_transcript_state(sent, status, transcript),
        analysis=_analysis(happened),
        recordings=recordings,
        metadata=_metadata(sent, happened),
        links={"conversation": sent.conversation_url} if sent.conversation_url else {},
        estimated=(*compress(derived, derived.values()), *estimated),
        issues=noted(issues),
        raw=bytes(body),
    )


_Happened = Mapping[str, Sequence[_Event]]


def _by_kind(sent: _Conversation, issues: list[Issue]) -> _Happened:
    happened: dict[str, list[_Event]] = {}
    for position, event in enumerate(sent.events or ()):
        if event is None:
            issues.append(Issue(f"events[{position}]", "null"))
        elif event.event_type:
            happened.setdefault(event.event_type, []).append(event)
    return happened


def _last(happened: _Happened, kind: str) -> _Properties:
    return happened[kind][-1].told if kind in happened else _NOTHING


def _when(sent: _Conversation, happened: _Happened, kind: str, issues: list[Issue]) -> datetime | None:
    if kind not in happened:
        return None
    event = happened[kind][0]
    unread: list[Issue] = []
    moment = instant(event.timestamp, "timestamp", unread)
    if unread:
        issues += [Issue(f"{_place(sent, event)}.{issue.place}", issue.reason) for issue in unread]
    return moment


def _place(sent: _Conversation, event: _Event) -> str:
    return next(f"events[{position}]" for position, one in enumerate(sent.events or ()) if one is event)


def _outcome(sent: _Conversation, happened: _Happened) -> tuple[Status, str | None, EndReason | None]:
    status = _STATUSES.get(sent.status or "", Status.UNKNOWN)
    if status is Status.IN_PROGRESS and sent.events is not msgspec.UNSET and happened.keys().isdisjoint(_JOINED):
        status = Status.QUEUED
    shutdown = _last(happened, "system.shutdown")
    reason = sent.shutdown_reason or shutdown.shutdown_reason or shutdown.reason
    if status is Status.UNKNOWN:
        status = concluded(status, sent.status, reason, not happened.keys().isdisjoint(_AFTER_THE_END))
    if not reason:
        return status, None, None
    for beginning, (outcome, end_reason) in _END_REASONS.items():
        if reason.startswith(beginning):
            return (outcome if status is Status.ENDED else status), reason, end_reason
    return status, reason, EndReason.UNKNOWN


def _transcript(
    sent: _Conversation, happened: _Happened, participants: Participants, estimated: list[str], issues: list[Issue]
) -> tuple[TranscriptTurn, ...] | None:
    ready = happened.get("application.transcription_ready", ())
    if not ready or ready[-1].told.transcript is None:
        return None
    entries = ready[-1].told.transcript
    if isinstance(entries, str):
        told = utterances(entries, agent="pal", user="user", labels={"pal": "pal", "replica": "replica"})
        entries = [_Turn(role=who, content=said) for who, said in told]
        estimated.append("transcript")
    nulls: list[int] = []
    turns = _turns(entries, participants, estimated, nulls)
    if nulls:
        place = f"{_place(sent, ready[-1])}.properties.transcript"
        issues.extend(Issue(f"{place}[{position}]", "null") for position in nulls)
    return turns


def _transcript_state(
    sent: _Conversation, status: Status, transcript: tuple[TranscriptTurn, ...] | None
) -> TranscriptState:
    if sent.events is msgspec.UNSET:
        return TranscriptState.NOT_LOADED
    if transcript is not None:
        return TranscriptState.AVAILABLE
    # It arrives a minute or two after the end, so its absence means nothing yet.
    return TranscriptState.UNAVAILABLE if status in {Status.FAILED, Status.NO_ANSWER} else TranscriptState.PENDING


def _turns(
    entries: Sequence[_Turn | None], participants: Participants, estimated: list[str], nulls: list[int]
) -> tuple[TranscriptTurn, ...]:
    turns: list[TranscriptTurn] = []
    called: set[str] = set()
    for position, entry in enumerate(entries):
        if entry is None:
            nulls.append(position)
            continue
        role, participant = _SPEAKERS.get(entry.role) or unknown_speaker(entry.role, participants)
        said, result = entry.content or "", None
        calls: tuple[ToolCall, ...] = ()
        if entry.tool_calls:
            calls = _tool_calls(entry.tool_calls, called)
            if not calls and not said:
                continue  # it repeats calls that an earlier turn has
        if entry.tool_call_id is not None:
            said, result = "", ToolResult(call_id=_call_id(entry.tool_call_id), content=entry.content)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=said,
                start=entry.seconds_from_start,
                duration=entry.duration,
                timestamp=entry.timestamp,
                participant=participant,
                provider_id=entry.inference_id,
                tool_calls=calls,
                tool_result=result,
            )
        )
    moved = rebased(turns)
    estimated += ["transcript.start"] if moved else []
    return moved or tuple(turns)


def _call_id(sent: Id) -> str:
    # An asynchronous tool answers twice: "dispatched", then its result under the call's id with this suffix. Both
    # are in the transcript, and the later one counts.
    return str(sent).removesuffix("_result")


def _tool_calls(sent: Sequence[_ToolCall | None], called: set[str]) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    for call in filter(None, sent):
        id = None if call.id is None else _call_id(call.id)
        if id is not None and id in called:
            continue
        if id is not None:
            called.add(id)
        function = call.function or _Function(call.name, call.arguments)
        calls.append(ToolCall(id=id, name=function.name, arguments=json_text(function.arguments)))
    return tuple(calls)


def _recording(event: _Event) -> Recording | None:
    told = event.told
    location = told.storage_uri
    if not location and told.bucket_name and told.s3_key:
        location = f"s3://{told.bucket_name}/{told.s3_key}"
    if not location:
        return None
    return Recording(location=location, access=RecordingAccess.CUSTOMER_BUCKET, duration=told.duration)


def _duration(
    joined_at: datetime | None,
    ended_at: datetime | None,
    transcript: tuple[TranscriptTurn, ...] | None,
    recordings: tuple[Recording, ...],
) -> float | None:
    if joined_at and ended_at:
        return (ended_at - joined_at).total_seconds()
    ends = [turn.start + (turn.duration or 0.0) for turn in transcript or () if turn.start is not None]
    lengths = [recording.duration for recording in recordings if recording.duration is not None]
    return max(ends, default=None) or max(lengths, default=None)


def _analysis(happened: _Happened) -> Analysis | None:
    collected: dict[str, Any] = {}
    for event in happened.get("application.post_call_action_executed", ()):
        body = event.told.request.body if event.told.request else None
        if isinstance(body, str):
            # If it is not JSON, the text itself was collected.
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                body = msgspec.json.decode(body)
        if body is not None:
            collected[event.told.tool_name or text(event.told.tool_id) or "action"] = body
    return Analysis(collected=collected) if collected else None


def _metadata(sent: _Conversation, happened: _Happened) -> dict[str, Any]:
    ready = _last(happened, "application.transcription_ready")
    perception = _last(happened, "application.perception_analysis")
    unperceived = _last(happened, "application.perception_unavailable")
    evidence = _last(happened, "application.raven_memory_evidence")
    not_copied = _last(happened, "application.recording_copy_failed")
    actions = [
        {"id": event.told.tool_id, "name": event.told.tool_name, "status": event.told.status}
        for event in happened.get("application.post_call_action_executed", ())
    ]
    found = {
        "face_id": text(sent.face_id) or text(sent.replica_id),
        "callback_url": sent.callback_url,
        "metadata": sent.metadata,
        "transcript_url": ready.transcript_url,
        "perception": perception.analysis,
        "perception_unavailable": unperceived.reason,
        "memory_evidence": evidence.analysis,
        "recording_copy_failed": not_copied.error_message,
        "post_call_actions": actions or None,
        "other_events": [kind for kind in happened if kind not in _KNOWN_EVENTS] or None,
    }
    return without_empty(found)


# https://docs.tavus.io/sections/webhooks-and-callbacks
_EVENT_KINDS = {
    "system.pal_joined": EventKind.STARTED,
    "system.replica_joined": EventKind.STARTED,
    "system.shutdown": EventKind.ENDED,
    "application.transcription_ready": EventKind.TRANSCRIPT_READY,
    "application.recording_ready": EventKind.RECORDING_READY,
    "application.perception_analysis": EventKind.ANALYSIS_READY,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a callback: one event, as the verbose conversation lists it. Callbacks are not signed."""
    issues: list[Issue] = []
    sent = decode(body, _delivery, issues)
    kind = _EVENT_KINDS.get(sent.event_type or "", EventKind.OTHER)
    id = str(sent.conversation_id)
    return (
        Event(
            provider="tavus",
            kind=kind,
            provider_kind=sent.event_type,
            id=f"{id}:{sent.event_type}" if sent.event_type else None,
            conversation_id=id,
            conversation=None if kind is EventKind.OTHER else _told_by(body, id, kind),
            occurred_at=instant(sent.timestamp, "timestamp", issues),
        ),
    )


def _told_by(body: bytes, id: str, kind: EventKind) -> Conversation:
    """Return what one event says about its conversation."""
    status = "active" if kind is EventKind.STARTED else "ended"
    told = {"conversation_id": id, "status": status, "events": [msgspec.Raw(body)]}
    conversation = normalize(msgspec.json.encode(told))
    estimated = ("status", *conversation.estimated)
    issues = tuple([Issue(one.place.removeprefix("events[0]."), one.reason) for one in conversation.issues])
    return msgspec.structs.replace(conversation, provider_status=None, estimated=estimated, issues=issues, raw=body)


# how to ask

_LARGEST_PAGE = 100
_CURSOR = re.compile(r"([1-9][0-9]{0,8}):(?:[1-9][0-9]*:)?([0-9]{1,12})")  # until 0.3 with a page size between them
_ENDED = {Status.ENDED, Status.FAILED, Status.NO_ANSWER, Status.CANCELLED, Status.PROCESSING}
_RUNNING = {Status.QUEUED, Status.RINGING, Status.IN_PROGRESS}


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is "page:rows seen"."""
    page, seen = read_numbers(cursor, _CURSOR, "Tavus", "page:rows seen") if cursor else (1, 0)
    status = "ended" if query.status in _ENDED else "active" if query.status in _RUNNING else None
    # https://docs.tavus.io/api-reference/conversations/get-conversations
    asked = {"limit": query.page_size or _LARGEST_PAGE, "page": page} | ({"status": status} if status else {})
    reply = yield Request("GET", "/v2/conversations", {**query.options, **asked}, reads=_page)
    rows, total = read_or_raise(reply, _rows)
    seen += len(rows)
    # A short page is not the end: the server may return fewer rows than requested.
    is_last = not rows or (total is not None and seen >= total)
    told_apart = query.status in {None, Status.ENDED, Status.IN_PROGRESS}
    return RawPage(
        rows=rows,
        normalize=normalize,
        cursor=None if is_last else f"{page + 1}:{seen}",
        warning=None if told_apart else f"Tavus lists only say active or ended, never {query.status}",
    )


def _rows(body: bytes) -> tuple[list[msgspec.Raw], float | None]:
    # Without a readable total, the walk ends at an empty page.
    listed = decode(body, _page, [])
    if isinstance(listed, list):
        return listed, None
    rows = listed.data if listed.data is not None else listed.conversations
    if rows is None:
        raise PayloadError("the answer has no list of conversations")
    return rows, listed.total_count


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its events."""
    # https://docs.tavus.io/api-reference/conversations/get-conversation
    reply = yield Request("GET", "/v2/conversations/{id}", {"verbose": "true"}, {"id": id}, reads=_conversation)
    return read_or_raise(reply, normalize)


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a room with a PAL in it; anyone with the join URL may enter."""
    if wanted.to is not None:
        raise UnsupportedError("Tavus places no calls: omit `to`, and share the join URL")
    body = {**wanted.options, **({"persona_id": wanted.agent} if wanted.agent else {})}
    # https://docs.tavus.io/api-reference/conversations/create-conversation
    reply = yield Request("POST", "/v2/conversations", body=msgspec.json.encode(body))
    conversation = read_or_raise(reply, normalize)
    created = decode(reply.body, _created, [])
    return Started(
        conversation=conversation,
        join_url=created.conversation_url,
        token=Secret(created.meeting_token) if created.meeting_token else None,
    )


def end(_account: Account, id: str) -> Flow[None]:
    """End a conversation; ending it again does nothing."""
    # https://docs.tavus.io/api-reference/conversations/end-conversation
    yield Request("POST", "/v2/conversations/{id}/end", ids={"id": id}, json=False, safe=True)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a conversation; `hard=True` removes its assets irrevocably."""
    hard = "true" if options.get("hard") else None
    # https://docs.tavus.io/api-reference/conversations/delete-conversation
    yield Request("DELETE", "/v2/conversations/{id}", {"hard": hard}, {"id": id}, json=False)


def refusal(response: Response) -> HubError:
    """Read a refusal; exhausted capacity and unknown ids have status 400."""
    words = words_of(response)
    if response.status == 400 and words:
        # https://docs.tavus.io/api-reference/conversations/create-conversation
        if "maximum concurrent conversations" in words.lower():
            return provider_error(response, words, RateLimitError)
        # https://docs.tavus.io/api-reference/conversations/get-conversation
        if "invalid conversation_id" in words.lower():
            return provider_error(response, words, NotFoundError)
    return provider_error(response, words)


ADAPTER = Adapter(
    name="tavus",
    base_url="https://tavusapi.com",
    docs="https://docs.tavus.io/api-reference/conversations",
    sign=header("x-api-key"),
    refusal=refusal,
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    counted=True,
    get=get,
    start=start,
    end=end,
    delete=delete,
    webhook=Webhook(events=events),
    complete_lists=False,
    secret_fields=frozenset({"meeting_token"}),
    filters=("status",),
    shows=("tool calls", "recording"),
    support="documentation",
    payloads=(_Conversation, _Created),
    left_to_raw=_LEFT_TO_RAW,
    notes=(
        "Lists distinguish only active and ended conversations, so a filter for any other status finds nothing.",
        "The transcript can arrive minutes after the end. Until then, `transcript_state` is `pending`.",
        "Turns do not say whether the user interrupted, so a turn of the agent can hold words that were never spoken.",
    ),
)
