"""AssemblyAI Voice Agents: GET /v1/sessions, newest first, paged by cursor; the transcript is a file at another host.

That file, the timeline, is there some seconds to some minutes after the end. Each entry has what the user said, then
the calls of tools, then what the agent said. The text of an interrupted reply can hold words that were never spoken.

Another region has agents and sessions of its own: `Account(base_url="https://agents.us.assemblyai.com")`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage
from ...errors import (
    DeadlineError,
    LocalLimitError,
    NotFoundError,
    PaginationError,
    PayloadError,
    ProviderError,
    TransportError,
    UnsafeURLError,
)
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode, decode_at
from ...reading.paging import Stamp, stamps_of
from ...reading.refusals import read_or_raise
from ...reading.values import Issues, instant, without_empty
from ...schema import Conversation, Issue, Recording, TranscriptState
from ...signing import header
from ...signing.webhooks import hmac_signed
from ...wire import Flow, Request, Response
from ._conversation import artifacts_of, normalize, read
from ._payload import LEFT_TO_RAW, Cursor, Page, Session, Timeline, Whole
from ._webhook import events

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "recording"]

_page = msgspec.json.Decoder(Page, strict=False)
_session = msgspec.json.Decoder(Session, strict=False)
_timeline = msgspec.json.Decoder(Timeline, strict=False)
_stamp = msgspec.json.Decoder(Stamp, strict=False)

# how to ask

_LARGEST_PAGE = 200
# The buckets that were seen are at the first of these; the others are other forms of the same addresses.
_BUCKETS = (
    "s3.amazonaws.com",
    "s3.eu-west-1.amazonaws.com",
    "s3.us-east-1.amazonaws.com",
    "s3.us-west-2.amazonaws.com",
)


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is AssemblyAI's own. The list cannot be narrowed by time, so it ends at `since`."""
    told = {"agent_id": query.agent, "limit": query.page_size or _LARGEST_PAGE, "cursor": cursor}
    # https://www.assemblyai.com/docs/api-reference/voice-agent-api/list-sessions
    reply = yield Request("GET", "/v1/sessions", {**query.options, **without_empty(told)}, reads=_page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.sessions is None:
        raise PayloadError("the answer has no list of sessions")
    following = (page.response_metadata or Cursor()).next_cursor
    if page.has_more and not following:
        raise PaginationError("the provider says that there are more rows, but not where")
    is_last = page.has_more is False or not following or _is_before(page.sessions, query)
    return RawPage(rows=page.sessions, normalize=normalize, cursor=None if is_last else following)


def _is_before(rows: list[msgspec.Raw], query: Query) -> bool:
    """Whether the last row is older than what is asked for; the newest come first."""
    stamps = stamps_of(rows[-1:], _stamp) if query.since else []
    created = instant(stamps[0].created_at, "created_at", []) if stamps else None
    return query.since is not None and created is not None and created < query.since


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a session with its timeline; without it if the timeline cannot be fetched, with an issue that says so."""
    misfits = Issues()
    # https://www.assemblyai.com/docs/api-reference/voice-agent-api/get-session
    reply = yield Request("GET", "/v1/sessions/{id}", ids={"id": id}, reads=_session)
    sent = read_or_raise(reply, lambda body: decode(body, _session, misfits))
    present = sent_at(reply.headers)
    place = next((one.url for one in artifacts_of(sent, "timeline") if one.url), None)
    if place is None:
        return read(sent, bytes(reply.body), misfits, present=present)
    try:
        timeline = yield Request("GET", place, elsewhere=True, reads=_timeline)
        issues = Issues([Issue(f"session.{one.place}", one.reason) for one in misfits])
        said = decode_at("timeline", timeline.body, _timeline, issues)
    except (ProviderError, PayloadError, UnsafeURLError, TransportError) as error:
        if isinstance(error, DeadlineError | LocalLimitError):
            raise
        misfits.append(Issue("timeline", f"could not be loaded: {type(error).__name__}"))
        is_late = TranscriptState.PENDING if error.retryable else None
        return read(sent, bytes(reply.body), misfits, state=is_late, present=present)
    return read(sent, _whole(reply, timeline), issues, said, present=present)


def _whole(session: Response, timeline: Response) -> bytes:
    return msgspec.json.encode({"session": msgspec.Raw(session.body), "timeline": msgspec.Raw(timeline.body)})


def recording(_account: Account, recording: Recording) -> Flow[str]:
    """Ask for the URL of a session's recording; it is valid for an hour."""
    # https://www.assemblyai.com/docs/voice-agents/voice-agent-api/session-history
    reply = yield Request("GET", recording.location, reads=_session)
    sent = read_or_raise(reply, lambda body: decode(body, _session, []))
    for one in artifacts_of(sent, "audio"):
        if one.url:
            return one.url
    raise NotFoundError("AssemblyAI has no recording of this session, or not yet")


def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete a session."""
    # https://www.assemblyai.com/docs/voice-agents/voice-agent-api/session-history
    yield Request("DELETE", "/v1/sessions/{id}", ids={"id": id}, json=False, safe=True)


ADAPTER = Adapter(
    name="assemblyai",
    base_url="https://agents.assemblyai.com",
    docs="https://www.assemblyai.com/docs/voice-agents/voice-agent-api/session-history",
    sign=header("Authorization"),
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    newest_first=True,
    get=get,
    delete=delete,
    recording=recording,
    recording_hosts=_BUCKETS,
    artifact_hosts=_BUCKETS,
    webhook=Webhook(
        events=events,
        # https://www.assemblyai.com/docs/voice-agents/voice-agent-api/webhooks
        scheme=hmac_signed("x-aai-signature/v1", timestamp="x-aai-signature/t"),
    ),
    complete_lists=False,
    only_in_get=("session", "timeline"),
    # Keys of models and headers of tools, encrypted.
    secret_fields=frozenset({"api_key", "api_key_*", "headers", "headers_*"}),
    filters=("agent",),
    shows=("tool calls", "interruptions", "recording"),
    support="specification",
    coverage=Coverage(read=53, members=59),
    payloads=(Session, Whole),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        "The transcript is a file that appears some seconds to minutes after the end.",
        "The text of an interrupted reply can hold words that were never spoken.",
        (
            "The region in the US has agents and sessions of its own: add an account with the base URL "
            "`https://agents.us.assemblyai.com`."
        ),
    ),
)
