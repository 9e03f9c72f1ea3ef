"""Retell: POST /v3/list-calls and /v3/list-chats, newest first; only `get` returns the transcript."""

# how to ask

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Filter, Query, RawPage, Resource, Start, Started
from ...errors import HubError, NotFoundError, PaginationError, PayloadError
from ...policy import sent_at
from ...reading.json import decode
from ...reading.paging import invalid_cursor
from ...reading.participants import Participants
from ...reading.refusals import provider_error, read_or_raise, words_of
from ...reading.values import text, without_empty
from ...schema import Conversation, Role, Status, TranscriptTurn
from ...secret import Secret
from ...signing import bearer
from ...wire import Flow, Request, Response
from ._conversation import CALL, normalize, turns
from ._payload import LEFT_TO_RAW, SECRETS, Call, Created, Page, Reply
from ._webhook import WEBHOOK, events

__all__ = [
    "ADAPTER",
    "delete_call",
    "delete_chat",
    "end_call",
    "end_chat",
    "events",
    "get_call",
    "get_chat",
    "list_calls",
    "list_chats",
    "normalize",
    "refusal",
    "send",
    "start_call",
    "start_chat",
]

_created = msgspec.json.Decoder(Created, strict=False)
_page = msgspec.json.Decoder(Page, strict=False)
_reply = msgspec.json.Decoder(Reply, strict=False)

# Our choice, always sent: the maximum of v3 is not documented, and its default was seen to be 50.
_PAGE_SIZE = 100

# Lists can be filtered by these, but not by `registered`.
# https://docs.retellai.com/api-references/list-calls
_FAILED = ("not_connected", "error")
_STATUSES: dict[Status | None, tuple[str, ...]] = {
    Status.IN_PROGRESS: ("ongoing",),
    Status.ENDED: ("ended",),
    Status.FAILED: _FAILED,
    Status.NO_ANSWER: _FAILED,
    Status.CANCELLED: _FAILED,
}
_CONNECTED = {Status.IN_PROGRESS, Status.ENDED}

_NO_START = (
    "calls that never connected may have no start, so a time filter misses them: list them by status, without since "
    "and until"
)


def list_calls(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of calls; a cursor is Retell's own key."""
    return (yield from _page_of("calls", query, cursor))


def list_chats(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of chats; a cursor is Retell's own key."""
    return (yield from _page_of("chats", query, cursor))


def _page_of(what: str, query: Query, key: str | None) -> Flow[RawPage]:
    if key is not None and not (key and key.isprintable()):
        raise invalid_cursor("Retell", "a pagination key")
    options = query.options
    asked: dict[str, Any] = {"sort_order": "descending", **options, "limit": query.page_size or _PAGE_SIZE}
    criteria = {**options.get("filter_criteria", {}), **_criteria(query, what)}
    if criteria:
        asked["filter_criteria"] = criteria
    if key is not None:
        asked["pagination_key"] = key
    # A search that is a POST, and safe to repeat.
    # https://docs.retellai.com/api-references/list-calls
    reply = yield Request("POST", f"/v3/list-{what}", body=msgspec.json.encode(asked), safe=True, reads=_page)
    rows, following = read_or_raise(reply, _rows)
    if following is not None and following == key:
        raise PaginationError("the provider's list runs in a circle: it names this page as the next one")
    is_windowed = query.since is not None or query.until is not None
    misses_some = what == "calls" and is_windowed and query.status not in _CONNECTED
    return RawPage(
        rows=rows,
        normalize=normalize,
        cursor=following,
        warning=_NO_START if misses_some else None,
    )


def _criteria(query: Query, what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if query.agent is not None:
        found["agent"] = [{"agent_id": query.agent}]
    words = [word for word in _STATUSES.get(query.status, ()) if what == "calls" or word != "not_connected"]
    if words:
        found[f"{what[:-1]}_status"] = {"type": "enum", "op": "in", "value": words}
    # Whether the bounds are inclusive is not documented, so they are a little wide; the hub checks the rows.
    since = None if query.since is None else math.floor(query.since.timestamp() * 1000) - 1
    until = None if query.until is None else math.ceil(query.until.timestamp() * 1000)
    if since is not None and until is not None:
        found["start_timestamp"] = {"type": "range", "op": "bt", "value": [since, until]}
    elif since is not None:
        found["start_timestamp"] = {"type": "number", "op": "ge", "value": since}
    elif until is not None:
        found["start_timestamp"] = {"type": "number", "op": "lt", "value": until}
    return found


def _rows(body: bytes) -> tuple[list[msgspec.Raw], str | None]:
    page = decode(body, _page, [])
    if page.items is None:
        raise PayloadError("the answer has no list of items")
    # The last page may have a key as well, so only this shows the end.
    if page.has_more is None:
        raise PaginationError("the provider does not say whether there are more rows")
    key = text(page.pagination_key)
    if page.has_more and key is None:
        raise PaginationError("the provider says that there are more rows, but not where")
    return page.items, key if page.has_more else None


def get_call(_account: Account, id: str) -> Flow[Conversation]:
    """Get a call with its transcript."""
    # https://docs.retellai.com/api-references/get-call
    reply = yield Request("GET", "/v2/get-call/{id}", ids={"id": id}, reads=CALL)
    return read_or_raise(reply, partial(normalize, is_whole=True, present=sent_at(reply.headers)))


def get_chat(_account: Account, id: str) -> Flow[Conversation]:
    """Get a chat with its transcript."""
    # https://docs.retellai.com/api-references/get-chat
    reply = yield Request("GET", "/get-chat/{id}", ids={"id": id}, reads=CALL)
    return read_or_raise(reply, partial(normalize, is_whole=True, present=sent_at(reply.headers)))


def start_call(_account: Account, wanted: Start) -> Flow[Started]:
    """Call `to` from the option `from_number`; without `to`, open a web call."""
    # https://docs.retellai.com/api-references/create-phone-call
    if wanted.to is not None:
        return (yield from _started("/v2/create-phone-call", "override_agent_id", wanted))
    # https://docs.retellai.com/api-references/create-web-call
    reply = yield _creation("/v3/create-web-call", "agent_id", wanted)
    return read_or_raise(reply, partial(_web_call, agent=wanted.agent))


def start_chat(_account: Account, wanted: Start) -> Flow[Started]:
    """Write to `to` from the option `from_number`; without `to`, open a chat."""
    # https://docs.retellai.com/api-references/create-chat
    if wanted.to is not None:
        return (yield from _started("/create-sms-chat", "override_agent_id", wanted))
    return (yield from _started("/create-chat", "agent_id", wanted))


def _started(path: str, agent: str, wanted: Start) -> Flow[Started]:
    reply = yield _creation(path, agent, wanted)
    return Started(conversation=read_or_raise(reply, normalize))


def _creation(path: str, agent: str, wanted: Start) -> Request:
    body = dict(wanted.options)
    body |= {agent: wanted.agent} if wanted.agent else {}
    body |= {"to_number": wanted.to} if wanted.to is not None else {}
    return Request("POST", path, body=msgspec.json.encode(body))


def _web_call(body: bytes, agent: str | None) -> Started:
    # The answer has only the id of the call; its other members are for the browser that joins.
    # https://docs.retellai.com/api-references/create-web-call
    created = decode(body, _created, [])
    known = {"call_id": created.call_id, "call_type": "web_call", "call_status": "registered", "agent_id": agent}
    for_browser = {name: getattr(created, name) for name in ("transport", "ice_servers", "expires_at")}
    conversation = msgspec.structs.replace(
        normalize(msgspec.json.encode(known)),
        provider_status=None,
        metadata=without_empty(for_browser),
        estimated=("status", "channel", "agent"),
        raw=body,
    )
    token = Secret(created.access_token, "access token") if created.access_token else None
    return Started(conversation=conversation, token=token)


def send(_account: Account, id: str, words: str) -> Flow[TranscriptTurn]:
    """Say something in a chat, and return the agent's reply with the tools it called for it.

    A turn holds the answer of one tool, and a reply may use several: the transcript that `get` returns has them all.
    """
    body = msgspec.json.encode({"chat_id": id, "content": words})
    # https://docs.retellai.com/api-references/create-chat-completion
    reply = yield Request("POST", "/create-chat-completion", body=body)
    return read_or_raise(reply, _replied)


def _replied(body: bytes) -> TranscriptTurn:
    replied = turns(decode(body, _reply, []).messages, None, Participants(), [])
    said = [turn for turn in replied if turn.role is Role.ASSISTANT and turn.text]
    return TranscriptTurn(
        index=0,
        role=Role.ASSISTANT,
        text="\n".join(turn.text for turn in said),
        timestamp=said[-1].timestamp if said else None,
        participant=0,
        tool_calls=tuple(call for turn in replied for call in turn.tool_calls),
        provider_id=said[-1].provider_id if said else None,
    )


def end_call(_account: Account, id: str) -> Flow[None]:
    """Stop a call."""
    # https://docs.retellai.com/api-references/stop-call
    yield Request("POST", "/v2/stop-call/{id}", ids={"id": id}, json=False)


def end_chat(_account: Account, id: str) -> Flow[None]:
    """End a chat."""
    # https://docs.retellai.com/api-references/end-chat
    yield Request("PATCH", "/end-chat/{id}", ids={"id": id}, json=False)


def delete_call(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete a call and everything that belongs to it."""
    # https://docs.retellai.com/api-references/delete-call
    yield Request("DELETE", "/v2/delete-call/{id}", ids={"id": id}, json=False)


def delete_chat(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete a chat and everything that belongs to it."""
    # https://docs.retellai.com/api-references/delete-chat
    yield Request("DELETE", "/delete-chat/{id}", ids={"id": id}, json=False)


_UNKNOWN_ID = re.compile("cannot find|not found", re.IGNORECASE)


def refusal(response: Response) -> HubError:
    """Read a refusal; an unknown id has status 422."""
    words = words_of(response)
    # https://docs.retellai.com/api-references/get-call
    if response.status == 422 and _UNKNOWN_ID.search(words or ""):
        return provider_error(response, words, NotFoundError)
    return provider_error(response, words)


_FILTERS: tuple[Filter, ...] = ("since", "until", "status", "agent")
_ONLY_IN_GET = ("transcript", "transcript_object", "transcript_with_tool_calls", "message_with_tool_calls")

ADAPTER = Adapter(
    name="retell",
    base_url="https://api.retellai.com",
    docs="https://docs.retellai.com/api-references",
    sign=bearer,
    refusal=refusal,
    main="calls",
    list_page=list_calls,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    newest_first=True,
    undated=True,
    get=get_call,
    start=start_call,
    end=end_call,
    delete=delete_call,
    resources={
        "chats": Resource(
            list_page=list_chats,
            normalize=normalize,
            page_size=_PAGE_SIZE,
            newest_first=True,
            get=get_chat,
            start=start_chat,
            end=end_chat,
            delete=delete_chat,
            send=send,
            complete_lists=False,
            only_in_get=_ONLY_IN_GET,
            filters=_FILTERS,
            # New ids begin like this, though the examples in the documentation show ids without a prefix.
            id_prefix="chat_",
            payloads=(Call,),
            left_to_raw=LEFT_TO_RAW,
        )
    },
    webhook=WEBHOOK,
    complete_lists=False,
    only_in_get=_ONLY_IN_GET,
    # The first is documented; at the second, recordings of calls were found for a long time.
    # https://docs.retellai.com/api-references/get-call
    recording_hosts=("retellai.s3.us-west-2.amazonaws.com", "dxc03zgurdly9.cloudfront.net"),
    secret_fields=SECRETS,
    filters=_FILTERS,
    shows=("tool calls", "word timing", "recording"),
    tells_transfers=True,
    support="specification",
    coverage=Coverage(read=185, members=188),
    payloads=(Call, Created),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        (
            "Calls that nobody answered may have no start, so a time filter misses them. A sync therefore reads the "
            "whole list."
        ),
        "The summary and the analysis arrive some minutes after the end. A sync fetches a call again for an hour.",
    ),
)
