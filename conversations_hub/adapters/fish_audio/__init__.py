"""Fish Audio: GET /v1/agent/sessions, newest first, paged by cursor; only `get` returns the timeline and the analysis.

A timeline has messages, calls of tools and their results. A recording has one track for each speaker.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import HubError, NotFoundError, PaginationError, PayloadError, RateLimitError
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode, try_decode_any
from ...reading.refusals import provider_error, read_or_raise, words_of
from ...reading.values import Issues, members_of, text_at, utc_text, without_empty
from ...schema import Channel, Conversation, Direction, Recording, Status
from ...secret import Secret
from ...signing import bearer
from ...signing.webhooks import hmac_signed
from ...wire import Flow, Request, Response
from ._conversation import normalize, read
from ._payload import LEFT_TO_RAW, Created, Page, Recorded, Session
from ._webhook import events

__all__ = ["ADAPTER", "end", "events", "get", "list_page", "normalize", "recording", "refusal", "start"]

_page = msgspec.json.Decoder(Page, strict=False)
_session = msgspec.json.Decoder(Session, strict=False)
_recorded = msgspec.json.Decoder(Recorded, strict=False)
_created = msgspec.json.Decoder(Created, strict=False)

# how to ask

_LARGEST_PAGE = 100
# Without this, sessions that nobody has joined yet are left out.
# https://docs.fish.audio/agents/monitor/conversation-history
_ALL = "pending,active,completed,failed,unknown"
# In which status a call ends that nobody took is not documented.
_WORDS = {
    Status.QUEUED: "pending",
    Status.RINGING: "active",
    Status.IN_PROGRESS: "active",
    Status.ENDED: "completed,unknown",
    Status.FAILED: "failed,completed",
    Status.NO_ANSWER: "failed,completed",
    Status.UNKNOWN: "unknown",
}
_GRAIN = timedelta(seconds=1)


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is Fish Audio's own."""
    told = {
        "agent_id": query.agent,
        "status": _WORDS.get(query.status, _ALL) if query.status else None,
        # Whether the bounds are inclusive is not documented; the hub checks the rows.
        "created_after": utc_text(query.since - _GRAIN) if query.since else None,
        "created_before": utc_text(query.until) if query.until else None,
        "page_size": query.page_size or _LARGEST_PAGE,
        "cursor": cursor,
    }
    asked = {"status": _ALL, **query.options, **without_empty(told)}
    # https://docs.fish.audio/api-reference/openapi.json
    reply = yield Request("GET", "/v1/agent/sessions", asked, reads=_page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.sessions is None:
        raise PayloadError("the answer has no list of sessions")
    if page.has_more and not page.next_cursor:
        raise PaginationError("the provider says that there are more rows, but not where")
    is_last = page.has_more is False or not page.next_cursor
    return RawPage(rows=page.sessions, normalize=normalize, cursor=None if is_last else page.next_cursor)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a session with its timeline and its analysis."""
    # https://docs.fish.audio/api-reference/openapi.json
    reply = yield Request("GET", "/v1/agent/sessions/{id}", ids={"id": id}, reads=_session)
    return read_or_raise(reply, lambda body: normalize(body, present=sent_at(reply.headers)))


def recording(_account: Account, recording: Recording) -> Flow[str]:
    """Ask for the URL of one speaker's recording; it is valid for a short time."""
    path, _, speaker = recording.location.partition("#")
    # https://docs.fish.audio/agents/monitor/conversation-history
    reply = yield Request("GET", path)
    found = read_or_raise(reply, lambda body: decode(body, _recorded, []))
    for track in found.tracks or ():
        if track is not None and track.role == speaker and track.url:
            return track.url
    raise NotFoundError("Fish Audio has no recording of this speaker, or not yet")


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a session that a person can join, or call `to` from the number of the option `phone_number_id`.

    With the option `idempotency_key`, a call is placed once within a day, however often it is asked for.
    """
    options = dict(wanted.options)
    key = options.pop("idempotency_key", None)
    body = {**options, **without_empty({"agent_id": wanted.agent, "to_number": wanted.to})}
    # https://docs.fish.audio/agents/telephony/outbound-calls
    reply = yield Request(
        "POST",
        "/v1/agent/sessions" if wanted.to is None else "/v1/agent/phone-calls",
        headers={} if key is None else {"Idempotency-Key": str(key)},
        body=msgspec.json.encode(body),
        safe=None if key is None or wanted.to is None else True,
    )
    issues = Issues()
    created = read_or_raise(reply, lambda body: decode(body, _created, issues))
    is_phone = wanted.to is not None
    session = Session(
        session_id=created.session_id,
        agent_id=wanted.agent,
        status="pending",
        direction=(Direction.OUTBOUND if is_phone else Direction.INBOUND).value,
        caller_number=wanted.to,
    )
    told = read(session, reply.body, issues)
    conversation = msgspec.structs.replace(
        told,
        channel=Channel.PHONE if is_phone else Channel.WEB,
        provider_status=created.status,
        metadata=without_empty(
            {
                "expires_at": created.expires_at,
                "max_duration_seconds": created.max_duration_seconds,
                "transport": created.transport,
            }
        ),
        estimated=("status", "channel", "direction", *told.estimated),
    )
    return Started(
        conversation=conversation,
        join_url=created.livekit_url,
        token=Secret(created.token) if created.token else None,
    )


def end(_account: Account, id: str) -> Flow[None]:
    """End a session; its transcript and its recording stay."""
    # https://docs.fish.audio/api-reference/openapi.json
    yield Request("POST", "/v1/agent/sessions/{id}/end", ids={"id": id}, json=False, safe=True)


def refusal(response: Response) -> HubError:
    """Read a refusal: its words and its code. A wrong field is reported in a bare array."""
    sent: Any = try_decode_any(response.body)
    if isinstance(sent, list):
        # https://docs.fish.audio/api-reference/agent-errors
        wrapped = Response(response.status, response.headers, msgspec.json.encode({"errors": sent}))
        return provider_error(response, words_of(wrapped))
    reason, words = text_at(members_of(sent), "reason"), words_of(response)
    said = ": ".join(filter(None, (reason, words)))
    # https://docs.fish.audio/agents/telephony/outbound-calls
    if reason == "daily_limit_exceeded":
        return provider_error(response, said, RateLimitError, retryable=False)
    return provider_error(response, said)


ADAPTER = Adapter(
    name="fish_audio",
    base_url="https://api.fish.audio",
    docs="https://docs.fish.audio/agents/monitor/conversation-history",
    sign=bearer,
    refusal=refusal,
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    newest_first=True,
    get=get,
    start=start,
    end=end,
    recording=recording,
    webhook=Webhook(
        events=events,
        # https://docs.fish.audio/agents/monitor/webhooks
        scheme=hmac_signed("x-fish-webhook-signature/v1", timestamp="x-fish-webhook-signature/t"),
    ),
    complete_lists=False,
    secret_fields=frozenset({"token"}),
    filters=("since", "until", "status", "agent"),
    shows=("tool calls", "recording"),
    tool_metric="latency",
    tells_transfers=True,
    support="specification",
    coverage=Coverage(read=42, members=44),
    payloads=(Session, Created),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        "Sessions that have not begun are listed too, with the status `queued`.",
        (
            "A recording has one track for each speaker. Its URL is valid for a short time; `hub.download` asks for "
            "a new one."
        ),
        "The analysis arrives within a minute of the end.",
    ),
)
