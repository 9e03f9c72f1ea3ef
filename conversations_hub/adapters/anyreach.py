"""AnyReach: GET /core/conversations, newest first, a bare array; the client builds the cursor. Lists are complete.

A key whose role may not read sensitive columns gets the same 200 without them, so a missing transcript is not an error.
The shape of the transcript is not documented: its reader accepts the likely ones and notes what it cannot read.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from ..account import Account
from ..adapter import Adapter, Query, RawPage, Start, Started
from ..errors import ConfigurationError, HubError, InvalidRefError, PayloadError
from ..events import Event, EventKind, Webhook
from ..policy import sent_at
from ..reading.json import decode, decode_at
from ..reading.lifecycle import concluded, is_too_early
from ..reading.paging import Stamp, advance, read_position, stamps_of
from ..reading.participants import Participants, Speakers, unknown_speaker
from ..reading.plain_text import utterances
from ..reading.recordings import signed_recording
from ..reading.refusals import provider_error, read_or_raise, words_of
from ..reading.values import (
    ABSENT,
    DIRECTIONS,
    AnyJson,
    Id,
    Instant,
    Issues,
    Seconds,
    add_seconds,
    enclosed,
    instant,
    json_text,
    noted,
    text,
    text_at,
    timestamp,
    unless_empty,
    without_empty,
)
from ..schema import (
    Agent,
    Channel,
    Conversation,
    Direction,
    EndReason,
    Issue,
    Recording,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
)
from ..secret import Secret
from ..signing import bearer
from ..wire import Flow, Request, Response

__all__ = ["ADAPTER", "end", "events", "get", "list_page", "normalize", "refusal", "send", "start"]

# what AnyReach sends


class _Agent(msgspec.Struct):
    id: Id | None = None
    name: str | None = None


class _Conversation(msgspec.Struct):
    id: Id
    organization_id: Id | None = None
    direction: str | None = None
    channel: str | None = None
    status: str | None = None
    user_id: Id | None = None
    agent_id: Id | None = None
    agent_version_id: Id | None = None
    agent_number: Id | None = None
    web_widget_id: Id | None = None
    trunk_id: Id | None = None
    duration: Seconds | None = None
    user_turn_count: int | None = None
    created_at: Instant = None
    updated_at: Instant = None
    # Sensitive columns: absent if the key may not read them.
    # https://docs.anyreach.ai/conversations/permissions-and-data-access
    agent: _Agent | str | msgspec.UnsetType | None = msgspec.UNSET
    summary: str | msgspec.UnsetType | None = msgspec.UNSET
    initial_context: str | msgspec.UnsetType | None = msgspec.UNSET
    metadata: AnyJson = None
    custom_metadata: AnyJson | msgspec.UnsetType = msgspec.UNSET
    recording_details: AnyJson | msgspec.UnsetType = msgspec.UNSET
    conversation: msgspec.Raw = msgspec.Raw()

    @property
    def recording_url(self) -> str | None:
        return None if self.recording_details is msgspec.UNSET else text_at(self.recording_details, "recording_url")

    @property
    def is_restricted(self) -> bool:
        sensitive = (self.agent, self.summary, self.initial_context, self.custom_metadata, self.recording_details)
        return not self.conversation and all(column is msgspec.UNSET for column in sensitive)


class _Item(msgspec.Struct, gc=False):
    id: Id | None = None
    type: str | None = None
    role: str | None = None
    content: AnyJson = None
    text: str | None = None
    interrupted: bool | None = None
    call_id: Id | None = None
    name: str | None = None
    arguments: AnyJson = None
    output: AnyJson = None
    is_error: bool | None = None
    created_at: Instant = None
    timestamp: Instant = None
    metrics: AnyJson = None

    @property
    def is_call(self) -> bool:
        return self.type == "function_call" or self.arguments is not None


class _Created(msgspec.Struct):
    conversation: msgspec.Raw
    starting_message: str | None = None
    token: str | None = None
    join_token: str | None = None
    access_token: str | None = None


class _Reply(msgspec.Struct):
    reply: str | None
    tool_calls: msgspec.Raw = msgspec.Raw()


class _Trigger(msgspec.Struct):
    type: str | None = None
    conversation_id: Id | None = None


class _Notice(msgspec.Struct):
    conversation_id: Id | None = None
    trigger: _Trigger | None = None


_Items = dict[str, msgspec.Raw] | list[_Item | None] | str | None

_conversation = msgspec.json.Decoder(_Conversation, strict=False)
_items: msgspec.json.Decoder[_Items] = msgspec.json.Decoder(_Items, strict=False)
_page = msgspec.json.Decoder(list[msgspec.Raw])
_stamp = msgspec.json.Decoder(Stamp)
_created = msgspec.json.Decoder(_Created, strict=False)
_reply = msgspec.json.Decoder(_Reply, strict=False)
_notice = msgspec.json.Decoder(_Notice, strict=False)

# what it means

# https://docs.anyreach.ai/api-reference/conversations/get-a-conversation
_STATUSES = {
    "token_created": (Status.QUEUED, None),
    "triggered": (Status.QUEUED, None),
    "ringing": (Status.RINGING, None),
    "in_progress": (Status.IN_PROGRESS, None),
    "completed": (Status.ENDED, None),
    "transferred": (Status.ENDED, EndReason.TRANSFERRED),
    "failed": (Status.FAILED, EndReason.ERROR),
    "cancelled": (Status.CANCELLED, EndReason.CANCELLED),
    "unanswered": (Status.NO_ANSWER, EndReason.NO_ANSWER),
}
_HELD = (Status.IN_PROGRESS, Status.ENDED)
_CHANNELS = {"telephone": Channel.PHONE, "webrtc": Channel.WEB, "email": Channel.EMAIL, "text": Channel.CHAT}

_SPEAKERS: Speakers = {
    "user": (Role.USER, 1),
    "assistant": (Role.ASSISTANT, 0),
    "agent": (Role.ASSISTANT, 0),
    "system": (Role.SYSTEM, None),
    "developer": (Role.SYSTEM, None),
    "tool": (Role.TOOL, None),
}

# The names that the list of entries may have, the likeliest first.
_LISTS = ("items", "messages", "transcript", "turns", "history")

_NOT_YET = (*ABSENT, msgspec.Raw(b"{}"))

# A latency is less than a day; an instant in Unix seconds, which may be among the metrics, is more.
_NUMBERS = (int, float)
_DAY = 86_400

_PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")


def normalize(body: bytes | msgspec.Raw, *, present: datetime | None = None) -> Conversation:
    """Read a conversation as AnyReach sends it, in a list or alone; `present` is when it was sent."""
    issues = Issues()
    sent = decode(body, _conversation, issues)
    told, end_reason = _STATUSES.get(sent.status or "") or (Status.UNKNOWN, None)
    # These exist once it is over; but beside an unknown status, the length may be the length so far.
    length = None if sent.status else sent.duration
    status = concluded(told, sent.status, sent.summary or None, sent.recording_url, length)

    named = sent.agent if isinstance(sent.agent, _Agent) else _Agent(name=sent.agent or None)
    agent = Agent(id=text(sent.agent_id) or text(named.id), name=text(named.name), version=text(sent.agent_version_id))
    number = _phone_number(sent.agent_number)
    participants = Participants.of(
        agent, agent_phone=number, customer_id=text(sent.user_id), customer_phone=_phone_number(sent.user_id)
    )
    # There is no start, only the creation of the record: an outbound call may have waited in a queue after it.
    created_at = instant(sent.created_at, "created_at", issues)
    has_talked = status in _HELD or (status is Status.FAILED and sent.duration)
    started_at = created_at if has_talked else None
    ended_at = add_seconds(started_at, sent.duration, "duration", issues) if status.is_finished else None
    derived = {"status": status is not told, "started_at": started_at is not None, "ended_at": ended_at is not None}
    estimated = [name for name, is_derived in derived.items() if is_derived]
    turns = None if sent.is_restricted else _transcript(sent, participants, estimated, issues)
    is_early = is_too_early(turns, sent.duration, ended_at, present)
    return Conversation(
        provider="anyreach",
        id=str(sent.id),
        status=status,
        provider_status=sent.status,
        channel=_CHANNELS.get(sent.channel or "", Channel.UNKNOWN),
        direction=DIRECTIONS.get(sent.direction or "", Direction.UNKNOWN),
        agent=unless_empty(agent),
        participants=tuple(participants),
        created_at=created_at,
        started_at=started_at,
        ended_at=ended_at,
        updated_at=instant(sent.updated_at, "updated_at", issues),
        duration=sent.duration,
        end_reason=end_reason,
        transcript=None if is_early else turns,
        transcript_state=_transcript_state(sent, status, turns, is_early=is_early),
        summary=sent.summary or None,
        recordings=_recordings(sent.recording_url, issues),
        metadata=_metadata(sent, number),
        estimated=tuple(estimated),
        issues=noted(issues),
        raw=bytes(body),
    )


def _phone_number(value: Id | None) -> str | None:
    return value if isinstance(value, str) and _PHONE_NUMBER.fullmatch(value) else None


def _transcript(
    sent: _Conversation, participants: Participants, estimated: list[str], issues: list[Issue]
) -> tuple[TranscriptTurn, ...] | None:
    place, items = _entries(sent.conversation, "conversation", issues)
    if isinstance(items, str):
        told = utterances(items, agent="agent", user="user")
        items = [_Item(role=who, text=said) for who, said in told] or None
        estimated += ["transcript"] if items else []
    return None if items is None else _turns(place, items, participants, issues)


def _transcript_state(
    sent: _Conversation, status: Status, turns: tuple[TranscriptTurn, ...] | None, *, is_early: bool
) -> TranscriptState:
    if sent.is_restricted:
        return TranscriptState.RESTRICTED
    if not status.is_finished:
        # The record of a running conversation lags behind it, so its turns are incomplete.
        # https://docs.anyreach.ai/conversations/conversation-detail
        return TranscriptState.PENDING
    if turns is not None:
        # A conversation that took time and has no turns may get them later.
        return TranscriptState.PENDING if is_early else TranscriptState.AVAILABLE
    # A conversation that took place has a transcript; without one, the record was read too early.
    is_late = status is Status.ENDED and sent.conversation in _NOT_YET
    return TranscriptState.PENDING if is_late else TranscriptState.UNAVAILABLE


def _entries(sent: msgspec.Raw, place: str, issues: list[Issue]) -> tuple[str, Sequence[_Item | None] | str | None]:
    """Find the list or the plain text in a value of unknown shape, and its place."""
    try:
        items = decode_at(place, sent, _items, issues)
    except PayloadError:
        issues.append(Issue(place, "not a list of entries"))
        return place, None
    if isinstance(items, dict):
        for name in _LISTS:
            if bytes(items.get(name, b""))[:1] in {b"[", b'"'}:
                return _entries(items[name], f"{place}.{name}", issues)
        if items:
            issues.append(Issue(place, "has no list of a known name"))
        return place, None
    # A list without any entry is a list of something else.
    return place, None if isinstance(items, list) and items and not any(items) else items


def _turns(
    where: str, items: Sequence[_Item | None], participants: Participants, issues: list[Issue]
) -> tuple[TranscriptTurn, ...]:
    turns: list[TranscriptTurn] = []
    unread: list[Issue] = []  # places are added at the end: for every turn, that would take a tenth of the time
    for position, item in enumerate(items):
        if item is None:
            issues.append(Issue(f"{where}[{position}]", "null"))
            continue
        content = item.text if item.content is None else item.content
        said = content if isinstance(content, str) else _said(content, unread)
        speaker, result = item.role, None
        calls: tuple[ToolCall, ...] = ()
        if item.call_id is not None or item.output is not None or item.is_call:
            speaker = "assistant" if item.is_call else "tool"
            calls = (_tool_call(item),) if item.is_call else ()
            if item.output is not None or not item.is_call:
                said, result = "", _tool_result(item, said)
        if speaker is None and not said:
            unread.append(Issue("", "has neither words, a call nor a speaker"))
        else:
            role, participant = _SPEAKERS.get(speaker) or unknown_speaker(speaker, participants)
            stamp = item.timestamp if item.created_at is None else item.created_at
            turns.append(
                TranscriptTurn(
                    index=len(turns),
                    role=role,
                    text=said,
                    timestamp=timestamp(stamp, "", unread),
                    participant=participant,
                    interrupted=item.interrupted,
                    provider_id=text(item.id),
                    tool_calls=calls,
                    tool_result=result,
                    metrics=_metrics(item.metrics) if item.metrics else None,
                )
            )
        if unread:
            issues.extend(Issue(f"{where}[{position}]", issue.reason) for issue in unread)
            unread.clear()
    return tuple(turns)


def _said(content: AnyJson, unread: list[Issue]) -> str:
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], str):  # the usual form
        return content[0]
    lines: list[str] = []
    for part in content if isinstance(content, list) else (content,):
        line = part if isinstance(part, str) else _words_in(part)
        if line is not None:
            lines.append(line)
        elif part is not None:
            unread.append(Issue("", "holds more than text"))
    return "\n".join(lines)


def _words_in(part: AnyJson) -> str | None:
    words = (part.get("text"), part.get("transcript")) if isinstance(part, dict) else ()
    return next((said for said in words if isinstance(said, str)), None)


def _tool_call(item: _Item) -> ToolCall:
    return ToolCall(id=text(item.call_id), name=item.name, arguments=json_text(item.arguments))


def _tool_result(item: _Item, said: str) -> ToolResult:
    content = said if item.output is None else json_text(item.output)
    return ToolResult(call_id=text(item.call_id), content=content, is_error=item.is_error)


def _metrics(sent: AnyJson) -> dict[str, float] | None:
    if not isinstance(sent, dict):
        return None
    return {name: float(span) for name, span in sent.items() if type(span) in _NUMBERS and 0 <= span < _DAY} or None


def _recordings(url: str | None, issues: list[Issue]) -> tuple[Recording, ...]:
    found = signed_recording(url, "recording_details.recording_url", issues)
    return () if found is None else (found,)


def _metadata(sent: _Conversation, number: str | None) -> dict[str, Any]:
    details = sent.recording_details
    if isinstance(details, dict):
        details = {name: value for name, value in details.items() if name != "recording_url"}
    found = {
        "organization_id": text(sent.organization_id),
        "web_widget_id": text(sent.web_widget_id),
        "trunk_id": text(sent.trunk_id),
        "agent_number": None if number else text(sent.agent_number),
        "user_turn_count": sent.user_turn_count,
        "initial_context": sent.initial_context or None,
        "recording_details": details or None,
        # Under its own key, since the customer chooses the names in it.
        "custom": sent.custom_metadata or None,
        "metadata": sent.metadata or None,
    }
    return without_empty(found)


# how to ask

# Our choice, always sent: neither the default nor the maximum of `limit` is documented.
_PAGE_SIZE = 100

_MAY_BE_MORE = "a page ended between conversations created at the same instant: others of that instant may be missing"


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is a `Position`, whose instant in Base64 is AnyReach's own cursor."""
    position = read_position(cursor, "AnyReach")
    # Whether a page begins at its cursor's instant or after it is not documented, so it may repeat what was seen.
    limit = max(query.page_size or _PAGE_SIZE, len(position.seen) + 1)
    words = [word for word, (status, _) in _STATUSES.items() if status is query.status]
    # https://docs.anyreach.ai/conversations/search-and-filters
    told: dict[str, str | int | None] = {
        "limit": limit,
        "cursor": base64.b64encode(position.at.encode()).decode() or None,
        # It takes one word; a status that has several is left to the hub's own check.
        "status": words[0] if len(words) == 1 else None,
        "agent_id": query.agent,
        "created_after": query.since.isoformat() if query.since else None,
        # This bound is inclusive; the hub drops rows of that instant.
        "created_before": query.until.isoformat() if query.until else None,
    }
    asked: dict[str, str | int | None] = {name: json_text(value) for name, value in query.options.items()}
    asked |= without_empty(told)
    # https://docs.anyreach.ai/api-reference/conversations/list-conversations
    reply = yield Request("GET", "/core/conversations", asked, reads=_page)
    rows = read_or_raise(reply, _rows)
    stamps = stamps_of(rows, _stamp)
    # The server may return fewer rows than requested.
    fresh, following = advance(rows, stamps, position, min(limit, _PAGE_SIZE))
    if following and query.since and _lies_before(following.at, query.since):
        following = None  # the rows after it are older still, whether or not the filter was applied
    ends = [stamp.created_at for stamp in stamps if stamp.created_at][-2:]
    return RawPage(
        rows=fresh,
        normalize=partial(normalize, present=sent_at(reply.headers)),
        cursor=str(following) if following else None,
        warning=_MAY_BE_MORE if following and len(ends) == 2 and ends[0] == ends[1] else None,
    )


def _rows(body: bytes) -> list[msgspec.Raw]:
    return decode(body, _page)


def _lies_before(created_at: str, moment: datetime) -> bool:
    reached = instant(created_at, "", [])
    return reached is not None and reached < moment


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation, as completely as the key's role allows."""
    # https://docs.anyreach.ai/api-reference/conversations/get-a-conversation
    reply = yield Request("GET", "/core/conversations/{id}", ids={"id": id}, reads=_conversation)
    return read_or_raise(reply, partial(normalize, present=sent_at(reply.headers)))


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Call a phone number, or open the `channel` webrtc, text or email. A call is only queued at first."""
    body = dict(wanted.options)
    if wanted.agent is not None:
        body["agent_id"] = wanted.agent
    if wanted.to is not None:
        body["user_id"] = wanted.to
    if "channel" not in body:
        if not _phone_number(body.get("user_id")):
            raise InvalidRefError("`to` is required, in E.164 form, or a `channel` other than telephone")
        body["channel"] = "telephone"
    # https://docs.anyreach.ai/api-reference/conversations/create-a-conversation
    reply = yield Request("POST", "/core/conversations", body=msgspec.json.encode(body))
    return read_or_raise(reply, _started)


def _started(body: bytes) -> Started:
    created = decode(body, _created, [])
    conversation = enclosed(normalize(created.conversation), "conversation", body)
    greeting = {"starting_message": created.starting_message} if created.starting_message else {}
    # A webrtc answer has a token; its name is not documented.
    token = created.token or created.join_token or created.access_token
    return Started(
        conversation=msgspec.structs.replace(conversation, metadata={**conversation.metadata, **greeting}),
        token=Secret(token, "join token") if token else None,
    )


def send(_account: Account, id: str, words: str) -> Flow[TranscriptTurn]:
    """Say something in a text conversation, and return the agent's reply with the tools it called for it.

    A turn holds the answer of one tool, and a reply may use several: the transcript that `get` returns has them all.
    """
    # "plain", because a turn has no place for the widgets of a rich reply.
    body = msgspec.json.encode({"text": words, "interactivity": "plain"})
    # https://docs.anyreach.ai/api-reference/conversations/send-a-message
    reply = yield Request("POST", "/core/conversations/{id}/messages", ids={"id": id}, body=body)
    return read_or_raise(reply, _replied)


def _replied(body: bytes) -> TranscriptTurn:
    sent = decode(body, _reply, [])
    _, called = _entries(sent.tool_calls, "tool_calls", [])
    items = called if isinstance(called, list) else ()
    calls = tuple(_tool_call(item) for item in items if item is not None and item.is_call)
    return TranscriptTurn(index=0, role=Role.ASSISTANT, text=sent.reply or "", participant=0, tool_calls=calls)


def end(_account: Account, id: str) -> Flow[None]:
    """End a text conversation; ending it again does nothing. Other channels are refused."""
    # https://docs.anyreach.ai/api-reference/conversations/end-a-conversation
    yield Request("POST", "/core/conversations/{id}/end", ids={"id": id}, json=False, safe=True)


_NEEDS_ORGANIZATION = "a personal access token needs the account's setting org_id (in the environment, ANYREACH_ORG_ID)"


def _sign(request: Request, account: Account, now: datetime) -> Request:
    # https://docs.anyreach.ai/getting-started/authentication
    organization = account.settings.get("org_id")
    if organization is None and account.key.reveal().startswith("pat_"):
        raise ConfigurationError(_NEEDS_ORGANIZATION, provider="anyreach", account=account.name)
    signed = bearer(request, account, now)
    if organization is None:
        return signed
    return msgspec.structs.replace(signed, headers={**signed.headers, "X-Anyreach-Org": organization.reveal()})


def refusal(response: Response) -> HubError:
    """Read a refusal; a missing organization has status 401 and would look like a bad key."""
    # https://docs.anyreach.ai/api-reference/errors
    words = words_of(response)
    if words and "organization claim" in words.lower():
        words = f"{words.rstrip('.')}: {_NEEDS_ORGANIZATION}"
    return provider_error(response, words)


# https://docs.anyreach.ai/workflows/triggers/agent-embedded
_EVENT_KINDS = {
    "pre_call": EventKind.STARTED,
    "ongoing_conversation": EventKind.UPDATED,
    "post_call": EventKind.TRANSCRIPT_READY,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a delivery of a customer's workflow: its author decides what is in it, but it must name the conversation."""
    sent = decode(body, _notice, [])
    trigger = sent.trigger or _Trigger()
    id = text(sent.conversation_id) or text(trigger.conversation_id)
    if id is None:
        raise PayloadError("the delivery names no conversation: have the workflow send its conversation_id")
    return (
        Event(
            provider="anyreach",
            kind=_EVENT_KINDS.get(trigger.type or "", EventKind.OTHER),
            provider_kind=trigger.type,
            id=f"{id}:{trigger.type}" if trigger.type else None,
            conversation_id=id,
        ),
    )


ADAPTER = Adapter(
    name="anyreach",
    base_url="https://api.anyreach.ai",
    docs="https://docs.anyreach.ai/api-reference/conversations",
    sign=_sign,
    refusal=refusal,
    list_page=list_page,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    newest_first=True,
    get=get,
    start=start,
    end=end,
    send=send,
    settings=("org_id",),
    secret_fields=frozenset({"access_token", "join_token", "token"}),
    webhook=Webhook(events=events),
    filters=("since", "until", "agent"),
    shows=("tool calls", "interruptions", "recording"),
    response_metric="e2e_latency",
    tells_transfers=True,
    support="documentation",
    payloads=(_Conversation, _Created),
    notes=(
        (
            "A key whose role may not read transcripts gets conversations without them: `transcript_state` is "
            "`restricted`."
        ),
        (
            "`org_id` is the id of the organization. A personal access token, which begins with `pat_`, needs it; "
            "the key of an organization does not."
        ),
        "Only text conversations can be ended or sent a message; other channels are refused.",
    ),
)
