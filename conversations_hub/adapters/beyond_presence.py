"""Beyond Presence: GET /v1/conversations, paged by cursor, no known order; messages are a resource of their own.

The older name of the same is /v1/calls: what is not there under one name is asked for under the other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from itertools import compress
from typing import Any

import msgspec

from ..account import Account
from ..adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ..errors import NotFoundError, PaginationError, PayloadError, UnsupportedError
from ..events import Event, EventKind, Webhook
from ..policy import sent_at
from ..reading.json import decode, decode_at
from ..reading.lifecycle import concluded, is_too_early
from ..reading.paging import invalid_cursor
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.refusals import read_or_raise
from ..reading.values import (
    Id,
    Instant,
    Issues,
    Seconds,
    drop_if_before,
    instant,
    noted,
    text,
    timestamp,
    unless_empty,
    without_empty,
)
from ..schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Direction,
    Issue,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from ..secret import Secret
from ..signing import header
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "events", "get", "list_page", "normalize", "start"]

# what Beyond Presence sends


class _Status(msgspec.Struct, gc=False):
    type: str | None = None
    started_at: Instant = None
    ended_at: Instant = None


class _Call(msgspec.Struct):
    id: Id
    agent_id: Id | None = None
    user_name: str | None = None
    user_email: str | None = None
    tags: Any = None
    status: _Status | str | None = None


class _Message(msgspec.Struct, gc=False):
    message: str | None = None
    sent_at: Instant = None
    sender: str | None = None


class _Whole(msgspec.Struct):
    """What `get` reads: two answers under one roof."""

    call: _Call
    messages: list[_Message | None] | None = None


class _Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    has_more: bool | None = None
    next_cursor: str | None = None


class _Created(_Call):
    livekit_url: str | None = None
    livekit_token: str | None = None


class _CallData(msgspec.Struct, rename="camel", gc=False):
    user_name: str | None = None
    agent_id: Id | None = None


class _Evaluation(msgspec.Struct, gc=False):
    topic: str | None = None
    user_sentiment: str | None = None
    duration_minutes: Seconds | None = None  # not in seconds, but within the same bounds
    messages_count: Any = None


class _Delivery(msgspec.Struct):
    event_type: str | None = None
    call_id: Id | None = None
    user_name: str | None = None
    message: _Message | None = None
    messages: list[_Message | None] | None = None
    call_data: _CallData | None = None
    evaluation: _Evaluation | None = None


_call = msgspec.json.Decoder(_Call, strict=False)
_messages: msgspec.json.Decoder[list[_Message | None]] = msgspec.json.Decoder(list[_Message | None], strict=False)
_page = msgspec.json.Decoder(_Page, strict=False)
_created = msgspec.json.Decoder(_Created, strict=False)
_delivery = msgspec.json.Decoder(_Delivery, strict=False)

# what it means

# https://docs.bey.dev/openapi.json
_STATUSES = {"to_start": Status.QUEUED, "ongoing": Status.IN_PROGRESS, "completed": Status.ENDED}
_SPEAKERS: Speakers = {"ai": (Role.ASSISTANT, 0), "user": (Role.USER, 1)}

_ZONELESS = re.compile(r"[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?", re.ASCII)
_NO_ZONE = "no time zone: taken to be UTC"


def normalize(body: bytes | msgspec.Raw) -> Conversation:
    """Read a conversation as Beyond Presence sends it, in a list or alone; its messages are another resource."""
    issues = Issues()
    sent = decode(body, _call, issues)
    return _read(sent, bytes(body), issues, state=TranscriptState.NOT_LOADED)


def _read(
    sent: _Call,
    raw: bytes,
    issues: Issues,
    messages: Sequence[_Message | None] | None = None,
    *,
    place: str = "",
    state: TranscriptState | None = None,
    present: datetime | None = None,
) -> Conversation:
    """Read a conversation and its messages; `place` is its place in `raw`, `state` replaces what follows from both."""
    told = sent.status if isinstance(sent.status, _Status) else _Status(type=sent.status)
    started_at = _moment(told.started_at, f"{place}status.started_at", issues)
    ended_at = _moment(told.ended_at, f"{place}status.ended_at", issues)
    ended_at = drop_if_before(ended_at, started_at, f"{place}status.ended_at", issues)
    known = _STATUSES.get(told.type or "", Status.UNKNOWN)
    status = concluded(known, told.type, ended_at)
    duration = (ended_at - started_at).total_seconds() if started_at and ended_at else None

    agent = Agent(id=text(sent.agent_id))
    participants = Participants.of(agent, customer_name=text(sent.user_name))
    turns = None if messages is None else _turns(messages, started_at, participants, issues)
    if state is None:
        state = _transcript_state(status, turns, duration, ended_at, present)
    derived = {
        "status": status is not known,
        "direction": True,
        "duration": duration is not None,
        "transcript.start": any(turn.start is not None for turn in turns or ()),
    }
    return Conversation(
        provider="beyond_presence",
        id=str(sent.id),
        status=status,
        provider_status=told.type,
        channel=Channel.VIDEO,
        direction=Direction.INBOUND,
        agent=unless_empty(agent),
        participants=tuple(participants),
        started_at=started_at,
        ended_at=ended_at,
        duration=duration,
        transcript=turns if turns or state is TranscriptState.AVAILABLE else None,
        transcript_state=state,
        metadata=without_empty({"user_email": sent.user_email, "tags": sent.tags}),
        estimated=tuple(compress(derived, derived.values())),
        issues=noted(issues),
        raw=raw,
    )


def _moment(value: Instant, place: str, issues: list[Issue]) -> datetime | None:
    found = instant(value, place, issues)
    if found is not None and _is_zoneless(value):
        issues.append(Issue(place, _NO_ZONE))
    return found


def _is_zoneless(value: Instant) -> bool:
    found = _ZONELESS.search(value) if isinstance(value, str) else None
    return found is not None and found.end() == found.endpos


def _turns(
    messages: Sequence[_Message | None], started_at: datetime | None, participants: Participants, issues: list[Issue]
) -> tuple[TranscriptTurn, ...]:
    began = None if started_at is None else started_at.timestamp()
    turns: list[TranscriptTurn] = []
    has_zones = True
    for position, sent in enumerate(messages):
        if sent is None:
            issues.append(Issue(f"messages[{position}]", "null"))
            continue
        place = f"messages[{position}].sent_at"
        moment = timestamp(sent.sent_at, place, issues)
        if has_zones and moment is not None and _is_zoneless(sent.sent_at):
            has_zones = False  # the first stands for all
            issues.append(Issue(place, _NO_ZONE))
        role, participant = _SPEAKERS.get(sent.sender) or unknown_speaker(sent.sender, participants)
        turns.append(
            TranscriptTurn(
                index=len(turns),
                role=role,
                text=sent.message or "",
                start=None if began is None or moment is None or moment < began else round(moment - began, 6),
                timestamp=moment,
                participant=participant,
            )
        )
    return tuple(turns)


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
        return TranscriptState.UNAVAILABLE
    return TranscriptState.PENDING if is_too_early(turns, duration, ended_at, present) else TranscriptState.AVAILABLE


# https://docs.bey.dev/integrations/managed-agents/webhook-events
_EVENT_KINDS = {"message": EventKind.UPDATED, "call_ended": EventKind.ENDED}


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. Deliveries are not signed, and have neither an id nor a time.

    The evaluation comes with `call_ended` only: no other answer of the provider has it.
    """
    issues = Issues()
    sent = decode(body, _delivery, issues)
    kind = _EVENT_KINDS.get(sent.event_type or "", EventKind.OTHER)
    id = text(sent.call_id)
    conversation = None if id is None or kind is EventKind.OTHER else _told_by(body, id, sent, issues)
    return (
        Event(
            provider="beyond_presence",
            kind=kind,
            provider_kind=sent.event_type,
            id=None if conversation is None else _event_id(sent),
            conversation_id=id,
            conversation=conversation,
            occurred_at=instant(sent.message.sent_at, "message.sent_at", []) if sent.message else None,
        ),
    )


def _event_id(sent: _Delivery) -> str | None:
    """Return what tells a delivery from others; messages have no ids, so their content counts, as a digest."""
    if sent.event_type != "message":
        return f"{sent.call_id}:{sent.event_type}"
    if sent.message is None or sent.message.sent_at is None:
        return None
    digest = sha256(msgspec.json.encode(sent.message)).hexdigest()[:16]
    return f"{sent.call_id}:message:{digest}"


def _told_by(body: bytes, id: str, sent: _Delivery, issues: Issues) -> Conversation:
    """Return what one event says about its conversation; one message is no transcript, so it stays in `raw`."""
    data = sent.call_data or _CallData()
    is_over = sent.event_type == "call_ended"
    call = _Call(
        id=id,
        agent_id=data.agent_id,
        user_name=sent.user_name or data.user_name,
        status=_Status("completed" if is_over else "ongoing"),
    )
    told = _read(call, body, issues, sent.messages if is_over else None)
    evaluation = sent.evaluation or _Evaluation()
    minutes = evaluation.duration_minutes
    collected = without_empty({"topic": evaluation.topic})
    analysis = Analysis(sentiment=text(evaluation.user_sentiment), collected=collected or None)
    state = told.transcript_state
    if is_over and not told.transcript:
        state = TranscriptState.PENDING  # the event may know less than `get`
    return msgspec.structs.replace(
        told,
        provider_status=None,
        duration=None if minutes is None else round(minutes * 60, 6),
        transcript=told.transcript or None,
        transcript_state=state,
        analysis=unless_empty(analysis),
        metadata=without_empty({"messages_count": evaluation.messages_count}),
        estimated=("status", *told.estimated),
    )


# how to ask

_PATHS = ("conversations", "calls")
"""The newer name of the list, then the older one."""
_PATHS_OF_ONE = ("calls", "conversations")
"""Of one conversation, only the older name is documented."""
_LARGEST_PAGE = 50
_CURSOR = re.compile(rf"({'|'.join(_PATHS)}):(.+)", re.DOTALL)


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is "path:the provider's own"."""
    paths, own = _place(cursor)
    asked = {**query.options, "limit": query.page_size or _LARGEST_PAGE, "cursor": own}
    # https://docs.bey.dev/openapi.json
    path, reply = yield from _first_there(paths, "", asked, {}, _page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.data is None:
        raise PayloadError("the answer has no list of conversations")
    if page.has_more and not page.next_cursor:
        raise PaginationError("the provider says that there are more rows, but not where")
    # Either may be left out of the last page, or of all.
    is_last = page.has_more is False or not page.next_cursor
    return RawPage(rows=page.data, normalize=normalize, cursor=None if is_last else f"{path}:{page.next_cursor}")


def _place(cursor: str | None) -> tuple[Sequence[str], str | None]:
    """Return under which names to ask, and the provider's own cursor; a walk keeps the name that it began with."""
    if not cursor:
        return _PATHS, None
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise invalid_cursor("Beyond Presence", '"conversations:" or "calls:" and a cursor of the provider')
    return (found[1],), found[2]


def _first_there(
    paths: Sequence[str], below: str, asked: dict[str, Any], ids: dict[str, str], reads: msgspec.json.Decoder[Any]
) -> Flow[tuple[str, Response]]:
    """Ask under each name until one is there; return that name and its answer."""
    *others, last = paths
    for path in others:
        try:
            return path, (yield Request("GET", f"/v1/{path}{below}", asked, ids, reads=reads))
        except NotFoundError:
            continue
    return last, (yield Request("GET", f"/v1/{last}{below}", asked, ids, reads=reads))


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its messages."""
    ids = {"id": id}
    issues = Issues()
    # https://docs.bey.dev/openapi.json
    path, reply = yield from _first_there(_PATHS_OF_ONE, "/{id}", {}, ids, _call)
    misfits: list[Issue] = []
    sent = read_or_raise(reply, lambda body: decode(body, _call, misfits))
    issues += [Issue(f"call.{misfit.place}", misfit.reason) for misfit in misfits]
    parts = {"call": msgspec.Raw(reply.body)}
    messages: list[_Message | None] | None = None
    try:
        # https://docs.bey.dev/api-reference/agent-conversations/list-conversation-messages
        alike = (path, *(other for other in _PATHS if other != path))
        _, said = yield from _first_there(alike, "/{id}/messages", {}, ids, _messages)
    except NotFoundError as error:
        issues.append(Issue("messages", f"could not be loaded: {type(error).__name__}"))
    else:
        parts["messages"] = msgspec.Raw(said.body)
        messages = read_or_raise(said, lambda body: decode_at("messages", body, _messages, issues))
    return _read(sent, msgspec.json.encode(parts), issues, messages, place="call.", present=sent_at(reply.headers))


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Create a call that a person can join: its URL is that of a LiveKit server, which wants the token."""
    if wanted.to is not None:
        raise UnsupportedError("Beyond Presence places no calls: omit `to`, and join with the token")
    body = {**wanted.options, **({"agent_id": wanted.agent} if wanted.agent else {})}
    # https://docs.bey.dev/openapi.json
    reply = yield Request("POST", "/v1/calls", body=msgspec.json.encode(body))
    conversation = read_or_raise(reply, normalize)
    created = decode(reply.body, _created, [])
    return Started(
        conversation=conversation,
        join_url=created.livekit_url,
        token=Secret(created.livekit_token) if created.livekit_token else None,
    )


ADAPTER = Adapter(
    name="beyond_presence",
    base_url="https://api.bey.dev",
    docs="https://docs.bey.dev/api-reference/agent-conversations/list-conversation-messages",
    sign=header("x-api-key"),
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    get=get,
    start=start,
    # https://docs.bey.dev/webhooks
    webhook=Webhook(events=events),
    complete_lists=False,
    secret_fields=frozenset({"livekit_token"}),
    support="specification",
    coverage=Coverage(read=23, members=23),
    payloads=(_Call, _Whole, _Created),
    notes=(
        "The evaluation of a conversation comes only by webhook: `get` does not return it.",
        "Lists have no filter and no known order, so every walk reads the whole list.",
        "Webhooks are not signed and have no id, so deduplicate them by conversation.",
    ),
)
