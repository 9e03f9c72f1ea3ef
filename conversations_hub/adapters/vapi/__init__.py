"""Vapi: GET /call, a bare array, newest first; the client pages by the instant of the last call. Lists are complete.

Written conversations are separate: chats, and the sessions they belong to. Calls are kept for two weeks, unless the
organization pays for more, and are not listed afterwards.
"""

# how to ask

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import HubError, InvalidRefError, NotFoundError, RateLimitError
from ...events import Event, EventKind, Webhook
from ...reading.json import decode
from ...reading.refusals import provider_error, read_or_raise, words_of
from ...reading.values import Id, Instant, enclosed, instant, text
from ...schema import Conversation, Issue, TranscriptState
from ...signing import bearer
from ...signing.webhooks import hmac_signed, shared_secret
from ...wire import Flow, Request, Response
from ._chat import CHATS
from ._chat import normalize as normalize_chat
from ._conversation import normalize
from ._pages import ARRAY, PAGE_SIZE, page_of
from ._payload import LEFT_TO_RAW, SECRETS, Call, call_decoder
from ._session import SESSIONS
from ._session import normalize as normalize_session

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "refusal", "start"]


class _Named(msgspec.Struct):
    id: Id | None = None


class _Upload(msgspec.Struct):
    type: str | None = None
    success: bool | None = None


class _Delivery(msgspec.Struct):
    message: msgspec.Raw


class _Told(msgspec.Struct):
    type: str | None = None
    timestamp: Instant = None
    status: str | None = None
    call: _Named | None = None
    chat: _Named | None = None
    session: _Named | None = None
    artifacts: list[_Upload | None] | None = None


_delivery = msgspec.json.Decoder(_Delivery)
_told = msgspec.json.Decoder(_Told, strict=False)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of calls."""
    # https://docs.vapi.ai/api-reference/calls/list
    return (yield from page_of("/call", ARRAY, normalize, query, cursor))


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a call."""
    # https://docs.vapi.ai/api-reference/calls/get
    reply = yield Request("GET", "/call/{id}", ids={"id": id}, reads=call_decoder)
    return read_or_raise(reply, normalize)


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Call a phone number or a SIP address, from the `phoneNumberId` among the options.

    Calls in a browser are started there, with the organization's public key.
    """
    body = dict(wanted.options)
    if wanted.agent is not None:
        body["assistantId"] = wanted.agent
    if wanted.to is not None:
        address = "sipUri" if wanted.to.startswith(("sip:", "sips:")) else "number"
        body["customer"] = {**(body.get("customer") or {}), address: wanted.to}
    if "customers" in body or not body.keys() & {"customer", "customerId"}:
        raise InvalidRefError("a call needs exactly one customer: give `to` in E.164 form or as a SIP address")
    # https://docs.vapi.ai/api-reference/calls/create
    reply = yield Request("POST", "/call", body=msgspec.json.encode(body))
    return Started(conversation=read_or_raise(reply, normalize))


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a call with its recordings; if these cannot be erased, nothing is, and the error is retryable."""
    if options:
        raise InvalidRefError("deleting a call takes no options")
    # https://docs.vapi.ai/api-reference/calls/delete
    yield Request("DELETE", "/call/{id}", ids={"id": id}, body=b"{}", json=False)


# `id`, but not `assistantId`.
_NO_UUID = re.compile(r"\bid must be a uuid|uuid is expected", re.IGNORECASE)


def refusal(response: Response) -> HubError:
    """Read a refusal; too many concurrent calls and malformed ids have status 400."""
    words = words_of(response)
    if response.status == 400 and words:
        # https://github.com/VapiAI/docs/pull/110
        if "concurrency limit" in words.lower():
            return provider_error(response, words, RateLimitError)
        if _NO_UUID.search(words):
            return provider_error(response, words, NotFoundError)
    return provider_error(response, words)


# https://docs.vapi.ai/server-url/events
_EVENT_KINDS = {
    "end-of-call-report": EventKind.TRANSCRIPT_READY,
    "call.artifact.upload": EventKind.UPDATED,
    "conversation-update": EventKind.UPDATED,
    "transfer-update": EventKind.UPDATED,
    "chat.created": EventKind.STARTED,
    "session.created": EventKind.STARTED,
    "session.updated": EventKind.UPDATED,
}
_STATUS_KINDS = {"in-progress": EventKind.STARTED, "ended": EventKind.ENDED}

# Sent once for a conversation, or once for each of its statuses; all others are sent many times.
_ONCE = {
    *("status-update", "end-of-call-report", "call.artifact.upload", "call.deleted", "call.delete.failed"),
    *("chat.created", "chat.deleted", "session.created", "session.deleted"),
}

# These hold the chat or session as `get` returns it; deletions do not.
# https://docs.vapi.ai/chat/quickstart#webhook-support
_WRITTEN = {
    "chat.created": ("chat", normalize_chat),
    "session.created": ("session", normalize_session),
    "session.updated": ("session", normalize_session),
}

# The members of a call that only the report has complete.
_LATE = {"analysis", "artifact", "messages", "transcript", "summary"}


def events(body: bytes) -> Sequence[Event]:
    """Read a server message; requests are `other`, and only the report has the complete call."""
    issues: list[Issue] = []
    message = decode(body, _delivery).message
    told = decode(message, _told, issues)
    resource, id = _subject(told)
    conversation = _told_by(message, told, resource, body) if id else None
    # Nothing else distinguishes messages, and a message that is sent again is the same.
    mark = (told.status or "") if told.type in _ONCE else told.timestamp
    return (
        Event(
            provider="vapi",
            kind=_kind(told, conversation),
            provider_kind=told.type,
            id=f"{id}:{told.type}:{mark}".rstrip(":") if id and told.type and mark is not None else None,
            resource=resource,
            conversation_id=id,
            conversation=conversation,
            occurred_at=instant(told.timestamp, "timestamp", issues, per_second=1000),
        ),
    )


def _subject(told: _Told) -> tuple[str | None, str | None]:
    """Return resource and id of what a message is about: the one that its type begins with, else the first it has."""
    subjects = (("call", None, told.call), ("chat", "chats", told.chat), ("session", "sessions", told.session))
    named = sorted(subjects, key=lambda subject: not (told.type or "").startswith(f"{subject[0]}."))
    found = ((resource, text(one.id)) for _, resource, one in named if one)
    return next((subject for subject in found if subject[1]), (None, None))


def _kind(told: _Told, conversation: Conversation | None) -> EventKind:
    if told.type in _WRITTEN and conversation is not None and conversation.is_finished:
        return EventKind.ENDED if conversation.transcript is None else EventKind.TRANSCRIPT_READY
    if told.type == "status-update":
        return _STATUS_KINDS.get(told.status or "", EventKind.UPDATED)
    stored = (one.type for one in told.artifacts or () if one and one.success)
    if told.type == "call.artifact.upload" and any(kind and kind.startswith("recording") for kind in stored):
        return EventKind.RECORDING_READY
    return _EVENT_KINDS.get(told.type or "", EventKind.OTHER)


def _told_by(message: msgspec.Raw, told: _Told, resource: str | None, body: bytes) -> Conversation | None:
    """Return the conversation in a message: a call updated by the members beside it, or a complete chat or session."""
    if told.type in _WRITTEN:
        return _written(message, *_WRITTEN[told.type], body)
    is_report = told.type == "end-of-call-report"
    if resource is not None or (not is_report and told.type != "status-update"):
        return None
    members = decode(message, _members)
    before = decode(members["call"], _members)
    call = before | {name: value for name, value in members.items() if name in _OF_A_CALL and value != _NULL}
    if is_report:
        call["status"] = _ENDED
    kept = {name: value for name, value in call.items() if is_report or name not in _LATE}
    conversation = normalize(msgspec.json.encode(kept))
    issues = tuple([Issue(_place(issue.place, members), issue.reason) for issue in conversation.issues])
    conversation = msgspec.structs.replace(conversation, issues=issues, raw=body)
    if not is_report:
        return msgspec.structs.replace(conversation, transcript_state=TranscriptState.PENDING)
    estimated = ("status", *conversation.estimated)
    return msgspec.structs.replace(conversation, provider_status=None, estimated=estimated)


_FIRST_STEP = re.compile(r"[^.\[]+")


def _place(place: str, members: Mapping[str, msgspec.Raw]) -> str:
    """Return the place in a delivery of a member of the call: beside the call, or in it."""
    found = _FIRST_STEP.match(place)
    is_beside = found is not None and found[0] in _OF_A_CALL and members.get(found[0], _NULL) != _NULL
    return f"message.{place}" if is_beside else f"message.call.{place}"


def _written(
    message: msgspec.Raw, name: str, read: Callable[[msgspec.Raw], Conversation], body: bytes
) -> Conversation | None:
    sent = decode(message, _members).get(name, _NULL)
    if sent == _NULL:
        return None
    written = enclosed(read(sent), f"message.{name}", body)
    if written.transcript is not None:
        return written
    # A delivery may leave out a transcript that exists.
    return msgspec.structs.replace(written, transcript_state=TranscriptState.PENDING)


_OF_A_CALL = {field.encode_name for field in msgspec.structs.fields(Call)} - {"id", "type"}
_NULL = msgspec.Raw(b"null")
_ENDED = msgspec.Raw(b'"ended"')

ADAPTER = Adapter(
    name="vapi",
    base_url="https://api.vapi.ai",
    docs="https://docs.vapi.ai/api-reference/calls/list",
    sign=bearer,
    refusal=refusal,
    main="calls",
    list_page=list_page,
    normalize=normalize,
    page_size=PAGE_SIZE,
    newest_first=True,
    get=get,
    start=start,
    delete=delete,
    resources={"chats": CHATS, "sessions": SESSIONS},
    secret_fields=SECRETS,
    # https://docs.vapi.ai/assistants/call-recording (calls, pay as you go; what is written stays for a month)
    retention=timedelta(days=14),
    webhook=Webhook(
        events=events,
        # https://docs.vapi.ai/server-url/server-authentication
        # Customers choose; this is the default. In which unit the time of an HMAC is, is not said.
        scheme=shared_secret("x-vapi-secret"),
        schemes={
            "bearer": shared_secret("authorization", prefix="Bearer "),
            "hmac": hmac_signed("x-signature", timestamp="x-timestamp", times="unix"),
        },
        largest_body=8 * 1024 * 1024,  # a report may repeat the transcript four times
    ),
    filters=("since", "until", "agent"),
    shows=("tool calls", "interruptions", "word timing", "recording"),
    response_metric="turnLatency",
    tells_transfers=True,
    support="specification",
    coverage=Coverage(read=365, members=631),
    payloads=(Call,),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        (
            "Calls of a pay-as-you-go organization are kept for two weeks, and not listed afterwards. Sync at least "
            "weekly."
        ),
        "Chats and sessions are lists of their own; a bare `list` reads all three.",
        (
            "The usual webhook carries the secret itself, so its events are `verified` but not `protected`: fetch "
            "the conversation."
        ),
    ),
)
