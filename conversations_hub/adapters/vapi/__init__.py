"""Vapi: GET /call, a bare array, newest first; the client pages by the instant of the last call. Lists are complete.

Text chats are a resource of their own, not read here. Calls are kept for two weeks, unless the organization pays for
more, and what is no longer kept is not listed.
"""

# how to ask

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import msgspec

from ...adapter import (
    Account,
    Adapter,
    Coverage,
    Event,
    EventKind,
    Listing,
    Query,
    Start,
    Started,
    Webhook,
    answered,
    refused,
)
from ...coerce import AnyJson, Id, Instant, instant, text
from ...errors import HubError, InvalidRefError, NotFoundError, PaginationError, PayloadError, RateLimitError
from ...payload import decode, decoded_or_none
from ...schema import Conversation, Issue, TranscriptState
from ...signing import bearer
from ...signing.schemes import shared_secret
from ...wire import Flow, Request, Response
from .conversation import normalize
from .payload import LEFT_TO_RAW, SECRETS, Call

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "refusal", "start"]


class _Stamped(msgspec.Struct, rename="camel"):
    id: Id | None = None
    created_at: str | None = None


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


class _Refusal(msgspec.Struct):
    message: AnyJson = None
    error: AnyJson = None


_LARGEST_PAGE = 1000
# Calls come whole, with all that was said and configured: of the largest pages a few would fill the memory.
_PAGE_SIZE = 100

_PageSize = Annotated[int, msgspec.Meta(ge=1, le=_LARGEST_PAGE)]

_cursor = msgspec.json.Decoder(tuple[_PageSize, Annotated[str, msgspec.Meta(min_length=1)], list[str]])
_page = msgspec.json.Decoder(list[msgspec.Raw])
_stamped = msgspec.json.Decoder(_Stamped, strict=False)
_delivery = msgspec.json.Decoder(_Delivery)
_told = msgspec.json.Decoder(_Told, strict=False)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_refusal = msgspec.json.Decoder(_Refusal, strict=False)


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[Listing]:
    """List a page; a cursor is the JSON of page size, the last `createdAt`, and the ids already seen at that instant.

    Several calls may be created in one millisecond, so a page begins at the last one's instant, not after it, and
    leaves out what was seen there. A short page is no end; one that brings nothing new is.
    """
    size, begin, seen = _read_cursor(cursor) if cursor else (min(query.page_size or _PAGE_SIZE, _LARGEST_PAGE), "", [])
    limit = min(size + len(seen), _LARGEST_PAGE)
    told = {
        "limit": limit,
        # Inclusive and in milliseconds; the hub leaves out again what is not before `until`.
        "createdAtLe": begin or _iso(query.until),
        "createdAtGe": _iso(query.since),
        "assistantId": query.agent,
    }
    asked = {name: value for name, value in told.items() if value is not None}
    # https://docs.vapi.ai/api-reference/calls/list
    reply = yield Request("GET", "/call", {**query.options, **asked})
    listed = [(row, _stamp(row)) for row in answered(reply, _rows, _words)]
    fresh = [(row, stamp) for row, stamp in listed if stamp.id is None or str(stamp.id) not in seen]
    stamps = [stamp.created_at for _, stamp in fresh if stamp.id is not None and stamp.created_at]
    if not stamps and len(listed) >= limit:
        raise PaginationError(
            f"a full page of {limit} leads no further: its calls were all created at the instant where it begins, or "
            "do not say when"
        )
    if begin and stamps and stamps[0] > begin:
        raise PaginationError("the page does not begin where it was asked to")
    last = stamps[-1] if stamps else None
    known = [str(stamp.id) for _, stamp in fresh if stamp.id is not None and stamp.created_at in {last, None}]
    return Listing(
        rows=[row for row, _ in fresh],
        normalize=normalize,
        cursor=_written_cursor(size, last, [*(seen if last == begin else ()), *known]) if last else None,
    )


def _rows(body: bytes) -> list[msgspec.Raw]:
    return decode(body, _page)


def _stamp(row: msgspec.Raw) -> _Stamped:
    try:
        return decode(row, _stamped, [])
    except PayloadError:
        return _Stamped()  # the hub sets such a row apart


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _written_cursor(size: int, last: str, seen: Sequence[str]) -> str:
    return msgspec.json.encode((size, last, seen)).decode()


def _read_cursor(cursor: str) -> tuple[int, str, list[str]]:
    try:
        return _cursor.decode(cursor)
    except (msgspec.MsgspecError, UnicodeEncodeError):
        raise InvalidRefError("not a cursor of Vapi: it reads [page size, createdAt, [id, …]]") from None


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a call."""
    # https://docs.vapi.ai/api-reference/calls/get
    reply = yield Request("GET", "/call/{id}", ids={"id": id})
    return answered(reply, normalize, _words)


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Call a phone number or a SIP address, from the `phoneNumberId` among the options.

    Calls in a browser are started there, with the other of an organization's two keys.
    """
    body = dict(wanted.options)
    if wanted.agent is not None:
        body["assistantId"] = wanted.agent
    if wanted.to is not None:
        address = "sipUri" if wanted.to.startswith(("sip:", "sips:")) else "number"
        body["customer"] = {**(body.get("customer") or {}), address: wanted.to}
    if "customers" in body or not body.keys() & {"customer", "customerId"}:
        raise InvalidRefError("a call goes to one customer: give `to` as +E.164 or as a SIP address")
    # https://docs.vapi.ai/api-reference/calls/create
    reply = yield Request("POST", "/call", body=msgspec.json.encode(body))
    return Started(conversation=answered(reply, normalize, _words))


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a call with its recordings; where those could not be erased, nothing was, and the error is retryable."""
    if options:
        raise InvalidRefError("a call is deleted whole and by itself: there are no options")
    # https://docs.vapi.ai/api-reference/calls/delete
    yield Request("DELETE", "/call/{id}", ids={"id": id}, body=b"{}", json=False)


# `id`, but not `assistantId`.
_NO_UUID = re.compile(r"\bid must be a uuid|uuid is expected", re.IGNORECASE)


def refusal(response: Response) -> HubError:
    """Read a refusal; too many calls at once and ids of another make come as 400."""
    words = _words(response)
    if response.status == 400 and words:
        # https://github.com/VapiAI/docs/pull/110
        if "concurrency limit" in words.lower():
            return refused(response, words, RateLimitError)
        if _NO_UUID.search(words):
            return refused(response, words, NotFoundError)
    return refused(response, words)


def _words(response: Response) -> str | None:
    # One sentence or a list of them, with the status's own name in `error`.
    sent = decoded_or_none(response.body, _refusal) or _Refusal()
    said = sent.message if isinstance(sent.message, list) else [sent.message]
    words = "; ".join(word for word in said if isinstance(word, str) and word)
    return words or (sent.error if isinstance(sent.error, str) and sent.error else None)


# https://docs.vapi.ai/server-url/events
_EVENT_KINDS = {
    "end-of-call-report": EventKind.TRANSCRIPT_READY,
    "call.artifact.upload": EventKind.UPDATED,
    "conversation-update": EventKind.UPDATED,
    "transfer-update": EventKind.UPDATED,
}
_STATUS_KINDS = {"in-progress": EventKind.STARTED, "ended": EventKind.ENDED}

# These come once for a call, or once for each of its statuses; of all others there are many.
_ONCE = {"status-update", "end-of-call-report", "call.artifact.upload", "call.deleted", "call.delete.failed"}

# What of a call is complete in the report only.
_LATE = {"analysis", "artifact", "messages", "transcript", "summary"}


def events(body: bytes) -> Sequence[Event]:
    """Read a server message; those that wait for an answer are `other`, and only the report brings the transcript."""
    issues: list[Issue] = []
    message = decode(body, _delivery).message
    told = decode(message, _told, issues)
    id = text(told.call.id) if told.call else None
    about = id or next((text(one.id) for one in (told.chat, told.session) if one), None)
    # Nothing else tells one from another, and a message that is sent again is the same.
    mark = (told.status or "") if told.type in _ONCE else told.timestamp
    return (
        Event(
            provider="vapi",
            kind=_kind(told),
            provider_kind=told.type,
            id=f"{about}:{told.type}:{mark}".rstrip(":") if about and told.type and mark is not None else None,
            conversation_id=id,
            conversation=_told_by(message, told, body) if id else None,
            occurred_at=instant(told.timestamp, "timestamp", issues, per_second=1000),
        ),
    )


def _kind(told: _Told) -> EventKind:
    if told.type == "status-update":
        return _STATUS_KINDS.get(told.status or "", EventKind.UPDATED)
    stored = (one.type for one in told.artifacts or () if one and one.success)
    if told.type == "call.artifact.upload" and any(kind and kind.startswith("recording") for kind in stored):
        return EventKind.RECORDING_READY
    return _EVENT_KINDS.get(told.type or "", EventKind.OTHER)


def _told_by(message: msgspec.Raw, told: _Told, body: bytes) -> Conversation | None:
    """Return the call as a message tells of it: what it was before, and beside it what is new."""
    is_report = told.type == "end-of-call-report"
    if not is_report and told.type != "status-update":
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
    """Return where something of a call stands in a delivery: beside the call, or in it."""
    found = _FIRST_STEP.match(place)
    is_beside = found is not None and found[0] in _OF_A_CALL and members.get(found[0], _NULL) != _NULL
    return f"message.{place}" if is_beside else f"message.call.{place}"


_OF_A_CALL = {field.encode_name for field in msgspec.structs.fields(Call)} - {"id", "type"}
_NULL = msgspec.Raw(b"null")
_ENDED = msgspec.Raw(b'"ended"')

ADAPTER = Adapter(
    name="vapi",
    base_url="https://api.vapi.ai",
    docs="https://docs.vapi.ai/api-reference/calls/list",
    sign=bearer,
    refusal=refusal,
    list_page=list_page,
    page_size=_PAGE_SIZE,
    newest_first=True,
    get=get,
    start=start,
    delete=delete,
    secret_fields=SECRETS,
    # https://docs.vapi.ai/assistants/call-recording (pay as you go)
    retention=timedelta(days=14),
    webhook=Webhook(
        events=events,
        # https://docs.vapi.ai/server-url/server-authentication
        # Customers choose; this is what needs no choice. For a credential with an HMAC pass its own scheme to `verify`.
        scheme=shared_secret("x-vapi-secret"),
        largest_body=8 * 1024 * 1024,  # a report tells what was said up to four times
    ),
    filters=("since", "until", "agent"),
    shows=("tool calls", "interruptions", "word timing", "recording"),
    support="specification",
    coverage=Coverage(read=302, members=398),
    payloads=(Call,),
    left_to_raw=LEFT_TO_RAW,
)
