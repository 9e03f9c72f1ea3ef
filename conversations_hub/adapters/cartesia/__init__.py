"""Cartesia: GET /agents/calls, one agent at a time, newest first, paged by the last id; rows bring the transcript.

Every request names a version of the API, which decides the words for the state of a call: those of all are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage
from ...errors import HubError, PaginationError, PayloadError
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode
from ...reading.paging import stamps_of
from ...reading.parents import list_each
from ...reading.refusals import provider_error, read_or_raise, words_or_body
from ...reading.values import instant, text
from ...schema import Conversation, Issue
from ...signing import bearer
from ...signing.webhooks import shared_secret
from ...wire import Flow, Request, Response
from ._conversation import normalize
from ._payload import LEFT_TO_RAW, Agents, Call, Page, Stamp
from ._webhook import events

__all__ = ["ADAPTER", "delete", "events", "get", "list_page", "normalize", "refusal", "sign"]

_call = msgspec.json.Decoder(Call, strict=False)
_page = msgspec.json.Decoder(Page, strict=False)
_stamp = msgspec.json.Decoder(Stamp, strict=False)
_agents = msgspec.json.Decoder(Agents, strict=False)

# how to ask

_VERSION = "2026-08-14"
"""The newest that is documented."""
_PAGE_SIZE = 20
_LARGEST_PAGE = 100
_NO_START = "calls that never started have no time, and some of them may be left out of this window"


def sign(request: Request, account: Account, now: datetime) -> Request:
    """Send the key as a bearer token, and the version of the API, which every request must name."""
    version = account.settings.get("version")
    signed = bearer(request, account, now)
    # https://github.com/cartesia-ai/cartesia-python
    headers = {**signed.headers, "Cartesia-Version": _VERSION if version is None else version.reveal()}
    return msgspec.structs.replace(signed, headers=headers)


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page of the calls of one agent; a cursor names the agent, and its last call before the page."""
    return (
        yield from list_each(
            cursor,
            "Cartesia",
            partial(_agent_ids, query.agent),
            partial(_list_of, query),
            RawPage(rows=(), normalize=normalize),
        )
    )


def _agent_ids(wanted: str | None) -> Flow[Sequence[str]]:
    """Return the ids of all agents, or only the one that is wanted."""
    if wanted is not None:
        return [wanted]
    # https://docs.cartesia.ai/api-reference/agents/list
    reply = yield Request("GET", "/agents", reads=_agents)
    sent = read_or_raise(reply, lambda body: decode(body, _agents, []))
    if sent.summaries is None:
        raise PayloadError("the answer has no list of agents")
    return [id for agent in sent.summaries if agent is not None and (id := text(agent.id))]


def _list_of(query: Query, agent: str, after: str | None) -> Flow[RawPage]:
    size = min(query.page_size or _PAGE_SIZE, _LARGEST_PAGE)
    asked = {**query.options, "agent_id": agent, "expand": "transcript", "limit": size, "starting_after": after}
    # https://docs.cartesia.ai/api-reference/agents/calls/get-call
    reply = yield Request("GET", "/agents/calls", asked, reads=_page)
    misfits: list[Issue] = []
    page = read_or_raise(reply, lambda body: decode(body, _page, misfits))
    if page.data is None:
        raise PayloadError("the answer has no list of calls")
    if misfits and page.data:
        raise PaginationError("the provider says that there are more rows, but not where")
    stamps = stamps_of(page.data, _stamp)
    following = _following(page, stamps, size)
    is_past = following is not None and query.since is not None and _begin_before(stamps, query.since)
    return RawPage(
        rows=page.data,
        normalize=partial(normalize, present=sent_at(reply.headers)),
        cursor=None if is_past else following,
        warning=_NO_START if is_past else None,
    )


def _following(page: Page, stamps: Sequence[Stamp], size: int) -> str | None:
    """Return the id that the next page comes after; without a word about it, a full page is not the last one."""
    if not stamps:
        return None
    if page.next_page is not msgspec.UNSET:
        return text(page.next_page)
    if len(stamps) < size:
        return None
    last = text(stamps[-1].id)
    if last is None:
        raise PaginationError("the last row of a full page has no id, so nothing says where the next one begins")
    return last


def _begin_before(stamps: Sequence[Stamp], since: datetime) -> bool:
    """Whether the last call that has a time began before `since`, and so all that follow."""
    times = [time for stamp in stamps if (time := instant(stamp.start_time, "start_time", [])) is not None]
    return bool(times) and times[-1] < since


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a call with its transcript."""
    # https://docs.cartesia.ai/api-reference/agents/calls/get-call
    reply = yield Request("GET", "/agents/calls/{id}", ids={"id": id}, reads=_call)
    return read_or_raise(reply, lambda body: normalize(body, present=sent_at(reply.headers)))


def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete irrevocably what was said in a call that is over; the call itself stays in the list."""
    # https://docs.cartesia.ai/agents/transcripts-and-recordings
    yield Request("DELETE", "/agents/calls/{id}", ids={"id": id}, json=False)


def refusal(response: Response) -> HubError:
    """Read a refusal, which may be plain text."""
    return provider_error(response, words_or_body(response))


ADAPTER = Adapter(
    name="cartesia",
    base_url="https://api.cartesia.ai",
    docs="https://docs.cartesia.ai/api-reference/agents/calls/get-call",
    sign=sign,
    refusal=refusal,
    main="calls",
    unlisted=("calls of deleted agents",),
    list_page=list_page,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    get=get,
    delete=delete,
    settings=("version",),
    # https://docs.cartesia.ai/agents/webhooks
    webhook=Webhook(events=events, scheme=shared_secret("x-webhook-secret")),
    filters=("agent",),
    shows=("tool calls", "interruptions", "recording"),
    support="specification",
    coverage=Coverage(read=31, members=32),
    payloads=(Call,),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        (
            "Calls are listed for one agent at a time, so a walk asks for each agent. Calls of deleted agents cannot "
            "be listed."
        ),
        (
            "Calls that failed to start have no time, so a walk until a past instant may leave some out; "
            "`walk.report` says so."
        ),
        "`version` is the version of the API, a date. Leave it out for the one that this adapter was checked with.",
        (
            "The webhook carries the secret itself, so its events are `verified` but not `protected`: fetch the "
            "conversation."
        ),
    ),
)
