"""ElevenLabs: GET /v1/convai/conversations, newest first, an opaque cursor; only `get` returns the transcript.

A row has the members of `metadata` and `analysis` on its top level; only rows have the sentiment of a conversation.
Members and values are added all the time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import (
    AuthError,
    ForbiddenError,
    HubError,
    InvalidRefError,
    NotFoundError,
    PaginationError,
    PayloadError,
    ProviderError,
    RateLimitError,
    RejectedError,
)
from ...events import Event, EventKind, Webhook
from ...policy import sent_at
from ...reading.json import decode, try_decode_any
from ...reading.refusals import provider_error, read_or_raise, words_of
from ...reading.values import ids_of, instant, text, text_at, without_empty
from ...schema import Channel, Conversation, Issue, Status
from ...secret import Secret
from ...signing import header
from ...signing.webhooks import hmac_signed
from ...wire import Flow, Request, Response
from ._conversation import STATUSES, normalize
from ._payload import (
    BEGUN,
    CONVERSATION,
    DELIVERY,
    LEFT_TO_RAW,
    NAMED,
    PAGE,
    Begun,
    Metadata,
    Page,
    SentAnalysis,
    SentConversation,
)

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "refusal", "start"]

# https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks
_EVENT_KINDS = {
    "post_call_transcription": EventKind.TRANSCRIPT_READY,
    "post_call_audio": EventKind.RECORDING_READY,
    "call_initiation_failure": EventKind.ENDED,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a delivery: a conversation, its recording, or a call that could not be placed.

    The recording itself is dropped; the conversation that `get` returns has a handle to it.
    """
    issues: list[Issue] = []
    sent = decode(body, DELIVERY, issues)
    kind = _EVENT_KINDS.get(sent.type or "", EventKind.OTHER)
    named = decode(sent.data, NAMED, issues).conversation_id
    if named is None and (kind is not EventKind.OTHER or not sent.type):
        raise PayloadError("the delivery names no conversation")
    id = text(named)
    occurred_at = instant(sent.event_timestamp, "event_timestamp", issues)
    tells = kind in {EventKind.TRANSCRIPT_READY, EventKind.ENDED}
    return (
        Event(
            provider="elevenlabs",
            kind=kind,
            provider_kind=sent.type,
            id=f"{id}:{sent.type}" if id and sent.type else None,
            conversation_id=id,
            conversation=normalize(sent.data, is_over=True, present=occurred_at) if tells else None,
            occurred_at=occurred_at,
        ),
    )


# how to ask

_LARGEST_PAGE = 100


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is ElevenLabs' own."""
    # Whether the bounds are inclusive is not documented, so they are a little wide.
    # https://elevenlabs.io/docs/api-reference/conversations/list
    filters = {
        "page_size": min(query.page_size or _LARGEST_PAGE, _LARGEST_PAGE),
        "cursor": cursor or None,
        "agent_id": query.agent,
        "call_start_after_unix": math.floor(query.since.timestamp()) - 1 if query.since else None,
        "call_start_before_unix": math.ceil(query.until.timestamp()) if query.until else None,
        "exclude_statuses": _all_but(query.status) if query.status else None,
    }
    # Without this, rows have no summaries.
    asked = {"summary_mode": "include", **query.options, **without_empty(filters)}
    reply = yield Request("GET", "/v1/convai/conversations", asked, reads=PAGE)
    page = read_or_raise(reply, _read_page)
    following = text(page.next_cursor)
    if page.has_more and following is None:
        raise PaginationError("the provider says that there are more rows, but not where")
    if page.has_more is not False and following is not None and following == cursor:
        raise PaginationError("the provider names this page as the next one")
    return RawPage(rows=page.conversations, normalize=normalize, cursor=None if page.has_more is False else following)


def _all_but(status: Status) -> tuple[str, ...] | None:
    """Return the words for all other statuses; None if ElevenLabs has none for this one."""
    wanted = Status.QUEUED if status is Status.RINGING else status  # one word for both
    others = tuple(word for word, known in STATUSES.items() if known is not wanted)
    return others if len(others) < len(STATUSES) else None


def _read_page(body: bytes) -> Page:
    return decode(body, PAGE)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its transcript."""
    # https://elevenlabs.io/docs/api-reference/conversations/get
    reply = yield Request("GET", "/v1/convai/conversations/{id}", ids={"id": id}, reads=CONVERSATION)
    return read_or_raise(reply, partial(normalize, present=sent_at(reply.headers)))


_CARRIERS = {"twilio": "twilio", "sip_trunk": "sip-trunk", "exotel": "exotel"}


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Call a number; without `to`, open a session that anyone with its token may join.

    A call needs the option `agent_phone_number_id` and, if that number is not Twilio's, `provider`: `sip_trunk` or
    `exotel`.
    """
    if not wanted.agent:
        raise InvalidRefError("`agent` is required: the id of the agent")
    options = dict(wanted.options)
    if wanted.to is None:
        # https://elevenlabs.io/docs/api-reference/conversations/get-webrtc-token
        reply = yield Request("GET", "/v1/convai/conversation/token", {**options, "agent_id": wanted.agent})
    else:
        carrier = _CARRIERS.get(str(options.pop("provider", "twilio")))
        if carrier is None:
            raise InvalidRefError(f"the option `provider` must be one of {', '.join(_CARRIERS)}")
        body = msgspec.json.encode({**options, "agent_id": wanted.agent, "to_number": wanted.to})
        # https://elevenlabs.io/docs/api-reference/twilio/outbound-call
        reply = yield Request("POST", f"/v1/convai/{carrier}/outbound-call", body=body)
    begun = read_or_raise(reply, _read_begun)
    # Status 200 does not mean that the call was placed.
    if begun.success is False:
        raise provider_error(reply, begun.message, RejectedError)
    return _started(begun, wanted, reply.body)


def _read_begun(body: bytes) -> Begun:
    return decode(body, BEGUN, [])


def _started(begun: Begun, wanted: Start, body: bytes) -> Started:
    if begun.conversation_id is None:
        raise PayloadError("the answer names no conversation, which may have started all the same")
    told = {"conversation_id": begun.conversation_id, "agent_id": wanted.agent, "status": "initiated"}
    conversation = normalize(msgspec.json.encode(told | ({"direction": "outbound"} if wanted.to else {})))
    agent, customer = conversation.participants
    ids = {"call_sid": begun.call_sid, "sip_call_id": begun.sip_call_id}
    return Started(
        conversation=msgspec.structs.replace(
            conversation,
            provider_status=None,
            channel=Channel.PHONE if wanted.to else Channel.WEB,
            participants=(agent, msgspec.structs.replace(customer, phone=wanted.to)),
            related_ids=ids_of(ids),
            metadata={"message": begun.message} if begun.message else {},
            estimated=("status",),
            raw=body,
        ),
        token=Secret(begun.token, "session token") if begun.token else None,
    )


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a conversation with its audio."""
    # https://elevenlabs.io/docs/api-reference/conversations/delete
    yield Request("DELETE", "/v1/convai/conversations/{id}", ids={"id": id}, json=False)


# The status alone misleads: missing permissions and an exceeded quota have 401, and unknown ids 400.
# https://elevenlabs.io/docs/eleven-api/resources/errors
_REFUSALS: dict[str, type[ProviderError]] = {
    "invalid_api_key": AuthError,
    "missing_permissions": ForbiddenError,
    "quota_exceeded": RejectedError,
    "rate_limit_exceeded": RateLimitError,
    "concurrent_limit_exceeded": RateLimitError,
    "too_many_concurrent_requests": RateLimitError,
    "system_busy": RateLimitError,
}


def refusal(response: Response) -> HubError:
    """Read a refusal; below 500, its code decides if it is known."""
    sent = try_decode_any(response.body)
    code = text_at(sent, "detail", "code") or text_at(sent, "detail", "status") or ""
    kind = _REFUSALS.get(code)
    if kind is None and response.status == 400 and code.endswith("_not_found"):
        kind = NotFoundError
    return provider_error(response, words_of(response) or code, kind if response.status < 500 else None)


# They may hold credentials: headers and parameters of the customer's own tools, variables for them, and whatever opens
# a session or a file.
_SECRET_FIELDS = {
    "custom_llm_extra_body",
    "file_url",
    "headers",
    "new_value",
    "old_value",
    "path_params",
    "query_params",
    # https://elevenlabs.io/docs/eleven-agents/customization/personalization/dynamic-variables
    "secret__*",
    "signed_url",
    "token",
}

ADAPTER = Adapter(
    name="elevenlabs",
    base_url="https://api.elevenlabs.io",
    docs="https://elevenlabs.io/docs/api-reference/conversations/list",
    sign=header("xi-api-key"),
    refusal=refusal,
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    newest_first=True,
    get=get,
    start=start,
    delete=delete,
    complete_lists=False,
    secret_fields=frozenset(_SECRET_FIELDS),
    # https://elevenlabs.io/docs/eleven-agents/customization/privacy/retention
    retention=timedelta(days=730),
    webhook=Webhook(
        events=events,
        # https://elevenlabs.io/docs/eleven-agents/workflows/post-call-webhooks
        # A delivery may arrive half an hour after it was signed: most are not retried, and an endpoint that refuses ten
        # is disabled.
        scheme=hmac_signed("elevenlabs-signature/v0", timestamp="elevenlabs-signature/t", tolerance=30 * 60),
        largest_body=64 * 1024 * 1024,  # a recording of three quarters of an hour in Base64
    ),
    filters=("since", "until", "status", "agent"),
    shows=("tool calls", "interruptions", "recording"),
    tool_metric="tool_latency_secs",
    tells_transfers=True,
    support="specification",
    coverage=Coverage(read=315, members=385),
    payloads=(SentConversation, Metadata, SentAnalysis, Begun),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        "Turns begin at whole seconds, so latencies and talk times are not measured from them.",
        "A workspace with data residency answers only at its own address: set `ELEVENLABS_BASE_URL`.",
        "Retention is set for each agent; two years is the default.",
        "The sentiment of a conversation is only in lists, so `get` alone does not return it.",
    ),
)
