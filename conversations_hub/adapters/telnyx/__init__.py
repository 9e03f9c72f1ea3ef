"""Telnyx: GET /ai/conversations, newest first, paged by the instant of creation; `get` reads messages and insights too.

There is no status, so it is inferred: a call with insights is over, a call without words for an hour by the `Date` of
the answer is over too, and a thread of messages never ends. Recordings are handles to the place that lists their URLs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from ...account import Account
from ...adapter import Adapter, Query, RawPage, Start, Started
from ...errors import (
    ForbiddenError,
    HubError,
    NotFoundError,
    PaginationError,
    RateLimitError,
    RejectedError,
    UnsupportedError,
)
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode, try_decode
from ...reading.paging import read_json, stamps_of
from ...reading.refusals import provider_error, read_or_raise, words_of
from ...reading.values import Issues, enclosed, instant, text, utc_text
from ...schema import Conversation, Issue, Recording, Role, TranscriptTurn
from ...signing import bearer
from ...signing.webhooks import ed25519_signed
from ...wire import Flow, Request, Response
from ._conversation import normalize, read, word
from ._payload import (
    Enclosed,
    Envelope,
    Insights,
    Message,
    Page,
    Recorded,
    Refusal,
    Reply,
    Row,
    Rows,
    Stamp,
    Whole,
)
from ._webhook import events

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "recording", "refusal", "send", "start"]

_T = TypeVar("_T")

_envelope = msgspec.json.Decoder(Envelope, strict=False)
_messages = msgspec.json.Decoder(Page[Message], strict=False)
_insights = msgspec.json.Decoder(Page[Insights], strict=False)
_rows = msgspec.json.Decoder(Rows)
_stamp = msgspec.json.Decoder(Stamp, strict=False)
_enclosed = msgspec.json.Decoder(Enclosed)
_recorded = msgspec.json.Decoder(Recorded, strict=False)
_reply = msgspec.json.Decoder(Reply, strict=False)
_refusal = msgspec.json.Decoder(Refusal, strict=False)

_LEFT_TO_RAW = {
    "messages[].meta.*": "the number of pages",
    "insights[].meta.*": "the number of pages",
    "messages[].data[].created_at": "when it was stored; read if nothing says when it was sent",
    "messages[].data[].tool_calls[].type": "always a function",
    "messages[].data[].metadata.*": "a turn has a place for the latencies and the tool call only",
}

# how to ask

# Our choice, always sent: neither the default nor the maximum of `limit` is documented.
_PAGE_SIZE = 100
_LARGEST_PAGE = 100  # of messages

_NO_STATUS = "Telnyx keeps no status: it is estimated from the time since the last message"

# Instants are sent in milliseconds, and may be stored more precisely.
_GRAIN = timedelta(milliseconds=1)

_Bound = Annotated[datetime, msgspec.Meta(tz=True)]
_cursor = msgspec.json.Decoder(tuple[_Bound, list[str]])


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is the instant where it begins and the ids seen up to there, as JSON."""
    bound, seen = read_json(cursor, _cursor, "Telnyx", "[instant, [id, …]] as JSON") if cursor else (None, [])
    size = query.page_size or _PAGE_SIZE
    until = bound or query.until
    own = query.options.get("created_at")
    told = {
        "created_at": [
            *([own] if isinstance(own, str) else own or ()),
            *([f"gte.{utc_text(query.since)}"] if query.since else ()),
            *([f"lte.{utc_text(until)}"] if until else ()),
        ],
        "metadata->assistant_id": f"eq.{query.agent}" if query.agent else None,
        "order": "created_at.desc",  # overrides the options: the walk depends on it
        "limit": max(size, len(seen) + 1),
    }
    asked = {**query.options, **{name: value for name, value in told.items() if value}}
    # https://developers.telnyx.com/api-reference/conversations/list-conversations
    reply = yield Request("GET", "/ai/conversations", asked, reads=_rows)
    rows = _read(reply, _rows).data
    stamps = [(text(stamp.id), instant(stamp.created_at, "created_at", [])) for stamp in stamps_of(rows, _stamp)]
    # A short page is not the end, as the maximum is not documented: the end is a page without new rows.
    fresh = [row for row, (id, _) in zip(rows, stamps, strict=True) if id not in seen]
    following = _following(stamps, size, bound, query.since) if fresh else None
    return RawPage(
        rows=fresh,
        normalize=partial(normalize, present=sent_at(reply.headers)),
        cursor=msgspec.json.encode(following).decode() if following else None,
        warning=_NO_STATUS if query.status else None,
    )


_Stamped = tuple[str | None, datetime | None]


def _following(
    stamps: Sequence[_Stamped], size: int, bound: datetime | None, since: datetime | None
) -> tuple[str, list[str]] | None:
    """Return where the next page begins, and the ids seen up to there; None if all rows left are too old."""
    moments = [moment for _, moment in stamps if moment is not None]
    if not moments and len(stamps) >= size:
        raise PaginationError("a full page leads no further: its conversations do not say when they were created")
    if moments != sorted(moments, reverse=True) or (bound and moments and moments[0] > bound):
        raise PaginationError("the list ignores the requested order or bounds")
    if not moments or (since and moments[-1] < since):
        return None
    # Other rows of the last millisecond may follow, so the next page lists that millisecond again.
    begin = moments[-1] + _GRAIN
    return utc_text(begin), [id for id, moment in stamps if id and moment and moment <= begin]


def _read(reply: Response, decoder: msgspec.json.Decoder[_T]) -> _T:
    return read_or_raise(reply, lambda body: decode(body, decoder, []))


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its messages and its insights."""
    ids = {"id": id}
    issues = Issues()
    # https://developers.telnyx.com/api-reference/conversations/get-a-specific-ai-conversation-by-id
    reply = yield Request("GET", "/ai/conversations/{id}", ids=ids, reads=_envelope)
    whole = Whole(_part(reply, _envelope, "conversation", issues))
    parts: dict[str, Any] = {"conversation": msgspec.Raw(reply.body)}
    # https://developers.telnyx.com/api-reference/conversations/get-conversation-messages
    messages = _pages("/ai/conversations/{id}/messages", ids, {"page[size]": _LARGEST_PAGE}, _messages, "messages")
    parts["messages"], whole.messages, misfits = yield from messages
    issues += misfits
    try:
        # https://developers.telnyx.com/api-reference/conversations/get-insights-for-a-conversation
        insights = _pages("/ai/conversations/{id}/conversations-insights", ids, {}, _insights, "insights")
        parts["insights"], whole.insights, misfits = yield from insights
        issues += misfits
    except (ForbiddenError, NotFoundError, RejectedError) as error:
        issues.append(Issue("insights", f"could not be loaded: {type(error).__name__}"))
    raw = msgspec.json.encode(parts)
    # With insights it is over, whatever the time.
    present = None if whole.runs else sent_at(reply.headers)
    return read(whole, raw, present, issues, place="conversation.data.")


def _part(reply: Response, decoder: msgspec.json.Decoder[_T], place: str, issues: list[Issue]) -> _T:
    """Read one of the answers about a conversation; `place` is its place in `raw`."""
    misfits: list[Issue] = []
    found = read_or_raise(reply, lambda body: decode(body, decoder, misfits))
    issues += [Issue(f"{place}.{misfit.place}", misfit.reason) for misfit in misfits]
    return found


def _pages(
    path: str, ids: Mapping[str, str], query: Mapping[str, int], decoder: msgspec.json.Decoder[Page[_T]], place: str
) -> Flow[tuple[list[msgspec.Raw], list[Page[_T]], list[Issue]]]:
    """Get all pages: their bodies, what is in them, and what could not be read."""
    bodies: list[msgspec.Raw] = []
    pages: list[Page[_T]] = []
    issues = Issues()
    seen = 0
    while True:
        number = len(bodies) + 1
        asked = {**query, "page[number]": number if bodies else None}
        reply = yield Request("GET", path, asked, ids, reads=decoder)
        page = _part(reply, decoder, f"{place}[{len(bodies)}]", issues)
        is_again = bool(bodies) and reply.body == bytes(bodies[-1])
        bodies.append(msgspec.Raw(reply.body))
        pages.append(page)
        seen += len(page.data)
        if _is_last(page, number, seen):
            return bodies, pages, issues
        if not page.data or is_again:
            raise PaginationError(f"page {number} has no new rows, although the provider names more pages")


def _is_last(page: Page[Any], number: int, seen: int) -> bool:
    if page.meta.total_pages is not None:
        return number >= int(page.meta.total_pages)
    if page.meta.total_results is not None:
        return seen >= int(page.meta.total_results)
    return len(page.data) < _LARGEST_PAGE


def recording(_account: Account, recording: Recording) -> Flow[str]:
    """Ask for the URL of a recording; it is valid for ten minutes."""
    path, _, query = recording.location.partition("?")
    # https://developers.telnyx.com/api-reference/call-recordings/list-all-call-recordings
    reply = yield Request("GET", path, dict(parse_qsl(query)))
    for one in _read(reply, _recorded).data:
        url = one.download_urls and (one.download_urls.wav or one.download_urls.mp3)
        if url:
            return url
    raise NotFoundError("Telnyx has no recording of this call, or not yet")


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a thread with an assistant; `send` talks to it."""
    if wanted.to is not None:
        raise UnsupportedError("Telnyx places no calls this way: omit `to`, and talk to the assistant with `send`")
    body = dict(wanted.options)
    if wanted.agent is not None:
        body["metadata"] = {**(body.get("metadata") or {}), "assistant_id": wanted.agent}
    # https://developers.telnyx.com/api-reference/conversations/create-a-conversation
    reply = yield Request("POST", "/ai/conversations", body=msgspec.json.encode(body))
    # The documentation shows it without the envelope of other answers.
    return Started(conversation=read_or_raise(reply, _created))


def _created(body: bytes) -> Conversation:
    inner = decode(body, _enclosed).data
    return enclosed(normalize(inner), "data", body) if inner else normalize(body)


def send(_account: Account, id: str, words: str) -> Flow[TranscriptTurn]:
    """Say something in a thread and return its assistant's answer; refused while a person has taken over."""
    reply = yield Request("GET", "/ai/conversations/{id}", ids={"id": id})
    attached = _read(reply, _envelope).data.metadata
    agent = word(attached, "assistant_id") if isinstance(attached, dict) else None
    if agent is None:
        raise UnsupportedError("the conversation names no assistant that could answer")
    body = msgspec.json.encode({"content": words, "conversation_id": id})
    # https://developers.telnyx.com/api-reference/assistants/assistant-chat
    reply = yield Request("POST", "/ai/assistants/{agent}/chat", ids={"agent": agent}, body=body)
    return TranscriptTurn(index=0, role=Role.ASSISTANT, text=_read(reply, _reply).content or "", participant=0)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a conversation."""
    # https://developers.telnyx.com/api-reference/conversations/delete-a-conversation
    yield Request("DELETE", "/ai/conversations/{id}", ids={"id": id}, json=False)


_TOO_MANY_REQUESTS = "10011"


def refusal(response: Response) -> HubError:
    """Read a refusal; too many requests have their own code."""
    sent = try_decode(response.body, _refusal) or Refusal()
    # https://developers.telnyx.com/development/api-fundamentals/reliability/rate-limiting
    is_throttled = any(text(error.code) == _TOO_MANY_REQUESTS for error in sent.errors or ())
    return provider_error(response, words_of(response), RateLimitError if is_throttled else None)


ADAPTER = Adapter(
    name="telnyx",
    base_url="https://api.telnyx.com/v2",
    docs="https://developers.telnyx.com/api-reference/conversations/list-conversations",
    sign=bearer,
    refusal=refusal,
    list_page=list_page,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    newest_first=True,
    get=get,
    start=start,
    delete=delete,
    send=send,
    recording=recording,
    # https://developers.telnyx.com/docs/voice/programmable-voice/storing-call-recordings
    recording_hosts=("s3.amazonaws.com",),
    complete_lists=False,
    # Customers may attach anything; these names suggest a credential.
    secret_fields=frozenset({"access_token", "api_key", "authorization", "password", "secret", "token"}),
    webhook=Webhook(
        events=events,
        # Not Standard Webhooks, although the vendor's newer clients expect them.
        # https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks
        scheme=ed25519_signed("telnyx-signature-ed25519", timestamp="telnyx-timestamp", message="{timestamp}|{body}"),
    ),
    filters=("since", "until", "agent"),
    shows=("tool calls", "recording"),
    response_metric="end_user_perceived_latency",
    tells_transfers=True,
    support="documentation",
    payloads=(Whole, Row, Envelope),
    left_to_raw=_LEFT_TO_RAW,
    notes=(
        (
            "There is no status. A call counts as ended once it has insights or an hour has passed without a word; a "
            "thread of messages never ends."
        ),
        "Checking webhooks needs the extra `ed25519`: `pip install 'conversations-hub[ed25519]'`.",
    ),
)
