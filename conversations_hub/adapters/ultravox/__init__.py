"""Ultravox: GET /api/calls, newest first, each page with the URL of the next; the transcript is a list of its own."""

# how to ask

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import AuthError, HubError, InvalidRefError, PaginationError
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode
from ...reading.refusals import provider_error, words_or_body
from ...reading.values import AnyJson, Issues, without_empty
from ...schema import Conversation, Issue
from ...signing import header
from ...signing.webhooks import hmac_signed
from ...wire import Flow, Request, Response
from ._conversation import CALL, events, normalize, with_messages
from ._payload import LEFT_TO_RAW, SECRET_FIELDS, Call, Created, Message, Page, Whole

__all__ = ["ADAPTER", "delete", "end", "events", "get", "list_page", "normalize", "refusal", "start"]

_calls = msgspec.json.Decoder(Page[msgspec.Raw], strict=False)
_messages = msgspec.json.Decoder(Page[Message | None], strict=False)
_created = msgspec.json.Decoder(Created, strict=False)

# Neither the default nor the maximum is documented; this is the most in the vendor's own examples.
# https://docs.ultravox.ai/agents/call-management
_PAGE_SIZE = 100

_Asked = dict[str, Any]


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is Ultravox's own."""
    asked = _asked(query)
    if cursor:
        [asked["cursor"]] = parse_qs(cursor).get("cursor", [cursor])  # until 0.3 a cursor may be the next page's query
    # https://docs.ultravox.ai/api-reference/calls/calls-list
    reply = yield Request("GET", "/api/calls", asked, reads=_calls)
    page = decode(reply.body, _calls, [])
    return RawPage(
        rows=page.results,
        normalize=partial(normalize, present=sent_at(reply.headers)),
        cursor=_cursor_in(page.next),
    )


def _asked(query: Query) -> _Asked:
    told = {
        "pageSize": query.page_size,
        "agentIds": query.agent,
        "fromDate": query.since.isoformat() if query.since else None,
        # This bound is inclusive; the hub drops rows of that instant.
        "toDate": query.until.isoformat() if query.until else None,
    }
    asked = {"sort": "-created", "pageSize": _PAGE_SIZE, **query.options}
    return asked | without_empty(told)


def _cursor_in(next_page: AnyJson) -> str | None:
    """Return the cursor in the next page's URL; None after the last page, whatever the total says.

    Its host and path are not used, so no answer can send the key elsewhere.
    """
    if not next_page:
        return None
    try:
        asked = parse_qs(urlsplit(next_page).query) if isinstance(next_page, str) else {}
    except ValueError:
        asked = {}
    if "cursor" not in asked:
        raise PaginationError("the provider says that there are more rows, but not where")
    return asked["cursor"][-1]


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a call with its messages."""
    # https://docs.ultravox.ai/api-reference/calls/calls-get
    call = yield Request("GET", "/api/calls/{id}", ids={"id": id}, reads=CALL)
    # The default mode leaves out all stages but the last, and adds messages of earlier calls.
    # https://docs.ultravox.ai/api-reference/calls/calls-messages-list
    asked: _Asked = {"mode": "in_call", "pageSize": _PAGE_SIZE}
    pages: list[list[Message | None]] = []
    bodies: list[msgspec.Raw] = []
    issues = Issues()
    seen: set[Any] = set()
    while True:
        reply = yield Request("GET", "/api/calls/{id}/messages", asked, {"id": id}, reads=_messages)
        misfits: list[Issue] = []
        page = decode(reply.body, _messages, misfits)
        issues += [Issue(f"messages[{len(pages)}].{misfit.place}", misfit.reason) for misfit in misfits]
        pages.append(page.results)
        bodies.append(msgspec.Raw(reply.body))
        cursor = _cursor_in(page.next)
        if cursor is None:
            raw = msgspec.json.encode({"call": msgspec.Raw(call.body), "messages": bodies})
            whole = with_messages(call.body, pages, issues, present=sent_at(call.headers))
            return msgspec.structs.replace(whole, raw=raw)
        if page.next in seen:
            raise PaginationError("the pages of the transcript run in a circle")
        seen.add(page.next)
        asked = {**asked, "cursor": cursor}


# Options that belong in the query; all others are the body.
_IN_QUERY = ("enableGreetingPrompt", "priorCallId", "throttle")


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Open a call that can be joined, or have Ultravox dial `to` over the carrier that the option `medium` names."""
    body = dict(wanted.options)
    query = {name: body.pop(name) for name in _IN_QUERY if name in body}
    if wanted.to is not None:
        body["medium"] = _dialling(body.get("medium"), wanted.to)
    # https://docs.ultravox.ai/api-reference/agents/agents-calls-post
    # https://docs.ultravox.ai/api-reference/calls/calls-post
    path, ids = ("/api/calls", {}) if wanted.agent is None else ("/api/agents/{agent}/calls", {"agent": wanted.agent})
    reply = yield Request("POST", path, query, ids, body=msgspec.json.encode(body))
    return Started(conversation=normalize(reply.body), join_url=decode(reply.body, _created, []).join_url)


def _dialling(medium: Any, to: str) -> dict[str, Any]:
    try:
        [(carrier, details)] = medium.items()
        return {carrier: {**details, "outgoing": {**details["outgoing"], "to": to}}}
    except (AttributeError, KeyError, TypeError, ValueError):
        pass  # raised below, without the caller's own values
    example = '{"twilio": {"outgoing": {"from": "+15550100"}}}'
    raise InvalidRefError(f"a call to `to` needs the option medium, such as {example}")


def end(_account: Account, id: str) -> Flow[None]:
    """Have the agent hang up; refused for a call that is not joined yet, or that has ended."""
    body = msgspec.json.encode({"type": "hang_up"})
    # https://docs.ultravox.ai/apps/datamessages
    yield Request("POST", "/api/calls/{id}/send_data_message", ids={"id": id}, body=body, json=False, safe=True)


def delete(_account: Account, id: str, _options: Mapping[str, Any]) -> Flow[None]:
    """Delete a call and everything that belongs to it; refused until it is billed."""
    # https://docs.ultravox.ai/api-reference/calls/calls-delete
    yield Request("DELETE", "/api/calls/{id}", ids={"id": id}, json=False)


def refusal(response: Response) -> HubError:
    """Read a refusal; an unknown key may have status 403, and would look like a missing permission."""
    words = words_or_body(response)  # bodies are not documented
    # https://docs.ultravox.ai/api-reference/introduction
    is_about_the_key = response.status == 403 and "credentials" in (words or "").lower()
    return provider_error(response, words, AuthError if is_about_the_key else None)


ADAPTER = Adapter(
    name="ultravox",
    base_url="https://api.ultravox.ai",
    docs="https://docs.ultravox.ai/api-reference/calls/overview",
    sign=header("X-API-Key"),
    refusal=refusal,
    main="calls",
    list_page=list_page,
    normalize=normalize,
    page_size=_PAGE_SIZE,
    newest_first=True,
    get=get,
    start=start,
    end=end,
    delete=delete,
    webhook=Webhook(
        events=events,
        # https://docs.ultravox.ai/webhooks/securing-webhooks
        scheme=hmac_signed(
            "x-ultravox-webhook-signature",
            timestamp="x-ultravox-webhook-timestamp",
            message="{body}{timestamp}",
            times="iso",
            tolerance=60,
        ),
    ),
    complete_lists=False,
    secret_fields=SECRET_FIELDS,
    # https://docs.ultravox.ai/gettingstarted/faq
    requests_per_second=200,
    filters=("since", "until", "agent"),
    shows=("tool calls", "recording"),
    support="specification",
    coverage=Coverage(read=123, members=182),
    payloads=(Call, Whole),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        "There is no status either: it is derived from the times at which a call was joined and ended.",
        "A call can be deleted only after it has been billed, a while after its end.",
        "The summary arrives after the end. A sync fetches a call again for an hour.",
    ),
)
