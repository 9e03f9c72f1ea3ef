"""Synthflow: GET /calls for one agent at a time, counted, no known order; and chats.

A row and a record of a call name the same otherwise, and a record comes in a list. A workspace answers in its own
region only: accounts in the US or the EU have the base URL https://api.us.synthflow.ai/v2 or
https://api.eu.synthflow.ai/v2.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import HubError, NotFoundError, PayloadError, UnsupportedError
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode, try_decode_any
from ...reading.paging import read_numbers
from ...reading.parents import list_each
from ...reading.refusals import provider_error, read_or_raise, words_of
from ...reading.values import Issues, members_of, text_at, without_empty
from ...schema import Conversation, Direction, Issue
from ...signing import bearer
from ...wire import Flow, QueryValue, Request, Response
from ._chat import CHATS
from ._conversation import read
from ._payload import CALLS_LEFT, Call, Got, Listed, ListedAssistants, StartedCall
from ._webhook import SCHEME, events

__all__ = ["ADAPTER", "events", "get", "list_page", "normalize", "refusal", "start"]

_call = msgspec.json.Decoder(Call, strict=False)
_got = msgspec.json.Decoder(Got, strict=False)
_listed = msgspec.json.Decoder(Listed, strict=False)
_agents = msgspec.json.Decoder(ListedAssistants, strict=False)
_begun = msgspec.json.Decoder(StartedCall, strict=False)


def normalize(body: bytes | msgspec.Raw, *, present: datetime | None = None) -> Conversation:
    """Read a row of the list; `present` is when it was sent."""
    issues = Issues()
    return read(decode(body, _call, issues), body, issues, present=present)


# how to ask

# Our choice: the default is 20, and the maximum is not documented.
_PAGE_SIZE = 100
_CURSOR = re.compile(r"([0-9]{1,12})")
_LONGEST_CALL = timedelta(days=1)
"""Whether the upper bound is for the start or the end of a call is not documented, so it allows for both."""


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is how many rows were before it, and of which agent unless one is asked for."""
    if query.agent is not None:
        return (yield from _page(query, query.agent, cursor))
    empty = RawPage(rows=(), normalize=normalize)
    return (yield from list_each(cursor, "Synthflow", _all_agents, partial(_page, query), empty))


def _all_agents() -> Flow[Sequence[str]]:
    """Return the ids of all agents; those that were deleted are not listed, nor are their calls."""
    found: list[str] = []
    seen = 0
    while True:
        # https://docs.synthflow.ai/api-reference/platform-api/assistants
        reply = yield Request("GET", "/assistants", {"limit": _PAGE_SIZE, "offset": seen}, reads=_agents)
        page = read_or_raise(reply, lambda body: decode(body, _agents, [])).response
        if page is None or page.assistants is None:
            raise PayloadError("the answer has no list of agents")
        ids = [str(one.model_id) for one in page.assistants if one is not None and one.model_id]
        seen += len(page.assistants)
        total = page.pagination.total_records if page.pagination else None
        is_last = len(page.assistants) < _PAGE_SIZE if total is None else seen >= int(total)
        if is_last or not {*ids} - {*found}:
            return [*found, *ids]
        found += ids


def _page(query: Query, agent: str, cursor: str | None) -> Flow[RawPage]:
    """Return a page of the calls of one agent."""
    [offset] = read_numbers(cursor, _CURSOR, "Synthflow", "a number of rows") if cursor else (0,)
    bounds = {
        "from_date": _milliseconds(query.since) if query.since else None,
        "to_date": _milliseconds(query.until + _LONGEST_CALL) if query.until else None,
    }
    size = query.page_size or _PAGE_SIZE
    asked: dict[str, QueryValue] = {**query.options, **without_empty(bounds)}
    asked |= {"model_id": agent, "limit": size, "offset": offset}
    # https://docs.synthflow.ai/api-reference/platform-api/calls/list-calls
    reply = yield Request("GET", "/calls", asked, reads=_listed)
    page = read_or_raise(reply, lambda body: decode(body, _listed, [])).response
    if page is None or page.calls is None:
        raise PayloadError("the answer has no list of calls")
    seen = offset + len(page.calls)
    total = page.pagination.total_records if page.pagination else None
    # Without a total, a short page may be short because the provider allows no more rows.
    has_more = bool(page.calls) and (total is None or seen < int(total))
    return RawPage(
        rows=page.calls,
        normalize=partial(normalize, present=sent_at(reply.headers)),
        cursor=str(seen) if has_more else None,
    )


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a call; the answer is a list."""
    # https://docs.synthflow.ai/api-reference/platform-api/calls/get-phone-call
    reply = yield Request("GET", "/calls/{id}", ids={"id": id}, reads=_got)
    issues = Issues()
    answer = read_or_raise(reply, lambda body: decode(body, _got, issues)).response
    calls = answer.calls if answer else None
    if calls is None:
        raise PayloadError("the answer has no list of calls")
    # What an unknown id is answered with is not documented.
    there = [(number, call) for number, call in enumerate(calls) if call is not None]
    issues.extend(Issue(f"response.calls[{number}]", "null") for number, call in enumerate(calls) if call is None)
    if not there:
        raise NotFoundError("Synthflow has no call of this id")
    number, call = next((one for one in there if str(one[1].call_id) == id), there[0])
    return read(call, reply.body, issues, place=f"response.calls[{number}].", present=sent_at(reply.headers))


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Call `to`; the option `name`, of the person, is required. A call that is started twice dials twice."""
    if wanted.to is None:
        raise UnsupportedError("a call needs a number: give `to` in E.164 form")
    body = {**wanted.options, **without_empty({"model_id": wanted.agent, "phone": wanted.to})}
    # https://docs.synthflow.ai/api-reference/platform-api/calls/voice-call
    reply = yield Request("POST", "/calls", body=msgspec.json.encode(body))
    issues = Issues()
    begun = read_or_raise(reply, lambda body: decode(body, _begun, issues))
    name = wanted.options.get("name")
    call = Call(
        call_id=begun.response.call_id,
        model_id=wanted.agent,
        status="pending",
        type_of_call=Direction.OUTBOUND.value,
        phone_number_to=wanted.to,
        name=name if isinstance(name, str) else None,
    )
    told = read(call, reply.body, issues)
    return Started(
        conversation=msgspec.structs.replace(
            told,
            provider_status=None,
            metadata=without_empty({"answer": begun.response.answer, "eta": begun.eta}),
            estimated=("status", "direction", *told.estimated),
        )
    )


def refusal(response: Response) -> HubError:
    """Read a refusal; a key that is refused without a word may be of another region."""
    words = text_at(members_of(try_decode_any(response.body)), "detail", "description") or words_of(response)
    # https://docs.synthflow.ai/customer-region
    if words is None and response.status in {401, 403}:
        words = "no reason given: the key is wrong, or of a workspace in another region, which has its own base URL"
    return provider_error(response, words)


ADAPTER = Adapter(
    name="synthflow",
    base_url="https://api.synthflow.ai/v2",
    docs="https://docs.synthflow.ai/api-reference/platform-api/calls/list-calls",
    sign=bearer,
    refusal=refusal,
    main="calls",
    list_page=list_page,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    counted=True,
    get=get,
    start=start,
    complete_lists=False,
    resources={"chats": CHATS},
    unlisted=("calls of deleted agents",),
    # Customers' own requests are among the actions; these names suggest a credential.
    secret_fields=frozenset({"access_token", "api_key", "authorization", "password", "secret", "token"}),
    # https://docs.synthflow.ai/logs
    recording_hosts=("api.twilio.com",),
    webhook=Webhook(events=events, scheme=SCHEME),
    filters=("since", "until", "agent"),
    shows=("recording",),
    support="specification",
    coverage=Coverage(read=71, members=75),
    payloads=(Call, Got, StartedCall),
    left_to_raw=CALLS_LEFT,
    notes=(
        (
            "Calls are listed for one agent at a time, so a walk asks for each agent. Calls of deleted agents cannot "
            "be listed."
        ),
        (
            "A workspace answers only in its own region: set `SYNTHFLOW_BASE_URL` to "
            "`https://api.us.synthflow.ai/v2` or `https://api.eu.synthflow.ai/v2`."
        ),
        "Of a webhook, only the id of the call is signed: fetch the conversation.",
    ),
)
