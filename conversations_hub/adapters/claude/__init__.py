"""Claude: GET /v1/sessions, newest first, paged by cursor; what was said is in the events of a session.

A session of a managed agent is a log that goes on whenever somebody writes. It ends only if it is archived, and lists
leave archived sessions out unless they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import PaginationError, PayloadError, UnsupportedError
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode
from ...reading.refusals import read_or_raise
from ...reading.values import Issues, text, timestamp, utc_text, without_empty
from ...schema import Conversation, Issue, Role, Status, TranscriptTurn
from ...signing import header
from ...signing.webhooks import STANDARD_WEBHOOKS
from ...wire import Flow, QueryValue, Request
from ._conversation import normalize, read
from ._payload import LEFT_TO_RAW, EventPage, Session, SessionPage, Whole
from ._webhook import events

__all__ = ["ADAPTER", "delete", "end", "events", "get", "list_page", "normalize", "send", "sign", "start"]

_page = msgspec.json.Decoder(SessionPage, strict=False)
_session = msgspec.json.Decoder(Session, strict=False)
_events = msgspec.json.Decoder(EventPage, strict=False)

# how to ask

_VERSION = "2026-10-21"
_BETA = "managed-agents-2026-04-01"
_LARGEST_PAGE = 100
# https://platform.claude.com/docs/en/managed-agents/session-operations
_WORDS = {
    Status.IN_PROGRESS: ("running", "rescheduling", "idle"),
    Status.ENDED: ("terminated",),
    Status.FAILED: ("terminated",),
}

_with_key = header("x-api-key")


def sign(request: Request, account: Account, now: datetime) -> Request:
    """Send the key, the version of the API and its beta, and the workspace of a key that reaches several."""
    signed = _with_key(request, account, now)
    settings = {name: value.reveal() for name, value in account.settings.items()}
    # https://platform.claude.com/docs/en/api/versioning
    more = {"anthropic-version": settings.get("version", _VERSION), "anthropic-beta": _BETA}
    workspace = {"anthropic-workspace-id": settings["workspace_id"]} if "workspace_id" in settings else {}
    return msgspec.structs.replace(signed, headers={**signed.headers, **more, **workspace})


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is Claude's own. Sessions that are archived are listed too."""
    told: dict[str, QueryValue] = {
        "created_at[gte]": utc_text(query.since) if query.since else None,
        "created_at[lt]": utc_text(query.until) if query.until else None,
        "statuses[]": _WORDS.get(query.status) if query.status else None,
        "agent_id": query.agent,
        "limit": query.page_size or _LARGEST_PAGE,
        "page": cursor,
    }
    asked = {"include_archived": True, **query.options, **without_empty(told)}
    # https://platform.claude.com/docs/en/managed-agents/session-operations
    reply = yield Request("GET", "/v1/sessions", asked, reads=_page)
    misfits: list[Issue] = []
    page = read_or_raise(reply, lambda body: decode(body, _page, misfits))
    if page.data is None:
        raise PayloadError("the answer has no list of sessions")
    if misfits:
        raise PaginationError("the provider says that there are more rows, but not where")
    return RawPage(rows=page.data, normalize=normalize, cursor=page.next_page or None)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a session with all its events; what subagents did is in threads of their own, and is not asked for."""
    ids = {"id": id}
    issues = Issues()
    misfits: list[Issue] = []
    # https://platform.claude.com/docs/en/managed-agents/session-operations
    reply = yield Request("GET", "/v1/sessions/{id}", ids=ids, reads=_session)
    session = read_or_raise(reply, lambda body: decode(body, _session, misfits))
    issues += [Issue(f"session.{misfit.place}", misfit.reason) for misfit in misfits]
    pages: list[EventPage] = []
    bodies: list[msgspec.Raw] = []
    seen: set[str] = set()
    cursor: str | None = None
    while True:
        # https://platform.claude.com/docs/en/managed-agents/events-and-streaming
        told = yield Request("GET", "/v1/sessions/{id}/events", {"order": "asc", "page": cursor}, ids, reads=_events)
        misfits = []
        page = read_or_raise(told, partial(_read_events, misfits))
        issues += [Issue(f"events[{len(pages)}].{misfit.place}", misfit.reason) for misfit in misfits]
        if any(misfit.place == "next_page" for misfit in misfits):
            raise PaginationError("the provider says that there are more events, but not where")
        if page.data is None:
            raise PayloadError("the answer has no list of events")
        pages.append(page)
        bodies.append(msgspec.Raw(told.body))
        cursor = page.next_page or None
        if cursor is None:
            raw = msgspec.json.encode({"session": msgspec.Raw(reply.body), "events": bodies})
            return read(session, raw, issues, pages, place="session.", present=sent_at(told.headers))
        if cursor in seen:
            raise PaginationError("the pages of the events run in a circle")
        seen.add(cursor)


def _read_events(misfits: list[Issue], body: bytes) -> EventPage:
    return decode(body, _events, misfits)


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a session with an agent, in the environment of the option `environment_id`."""
    if wanted.to is not None:
        raise UnsupportedError("Claude places no calls: omit `to`")
    body = {**wanted.options, **without_empty({"agent": wanted.agent})}
    # https://platform.claude.com/docs/en/managed-agents/reference
    reply = yield Request("POST", "/v1/sessions", body=msgspec.json.encode(body))
    return Started(conversation=read_or_raise(reply, normalize))


def end(_account: Account, id: str) -> Flow[None]:
    """Archive a session: it cannot go on, and can still be read."""
    # https://platform.claude.com/docs/en/managed-agents/session-operations
    yield Request("POST", "/v1/sessions/{id}/archive", ids={"id": id}, json=False)


def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete a session with its events."""
    # https://platform.claude.com/docs/en/managed-agents/session-operations
    yield Request("DELETE", "/v1/sessions/{id}", ids={"id": id}, json=False)


def send(_account: Account, id: str, words: str) -> Flow[TranscriptTurn]:
    """Write to a session, and return what was written as the provider keeps it; the answer comes later."""
    message = {"type": "user.message", "content": [{"type": "text", "text": words}]}
    # https://platform.claude.com/docs/en/managed-agents/events-and-streaming
    reply = yield Request(
        "POST", "/v1/sessions/{id}/events", ids={"id": id}, body=msgspec.json.encode({"events": [message]})
    )
    kept = next(filter(None, read_or_raise(reply, lambda body: decode(body, _events, [])).data or ()), None)
    return TranscriptTurn(
        index=0,
        role=Role.USER,
        text=words,
        timestamp=None if kept is None else timestamp(kept.processed_at, "processed_at", []),
        participant=1,
        provider_id=None if kept is None else text(kept.id),
    )


ADAPTER = Adapter(
    name="claude",
    base_url="https://api.anthropic.com",
    docs="https://platform.claude.com/docs/en/managed-agents/session-operations",
    sign=sign,
    main="sessions",
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    newest_first=True,
    get=get,
    start=start,
    end=end,
    delete=delete,
    send=send,
    complete_lists=False,
    settings=("version", "workspace_id"),
    secret_fields=frozenset({"authorization_token", "headers"}),
    # https://platform.claude.com/docs/en/managed-agents/reference
    requests_per_second=10,
    # Sessions go on long after they began; then their rows change, and rows cannot be listed by change.
    lookback=timedelta(days=30),
    webhook=Webhook(events=events, scheme=STANDARD_WEBHOOKS),
    filters=("since", "until", "status", "agent"),
    shows=("tool calls",),
    support="specification",
    coverage=Coverage(read=116, members=169),
    payloads=(Session, Whole),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        (
            "A session ends only when somebody archives it; until then, every message continues it. A sync "
            "therefore reads the sessions of the last thirty days again."
        ),
        "What a subagent's tools returned is not part of its session.",
        (
            "`version` is the version of the API, a date. `workspace_id` is needed only for keys that reach several "
            "workspaces."
        ),
    ),
)
