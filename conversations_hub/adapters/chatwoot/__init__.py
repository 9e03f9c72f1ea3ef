"""Chatwoot: GET conversations by page, or a filter of them by POST; `get` reads the messages, by windows of ids.

It runs on the customer's own server or on the vendor's, so an account says where. Conversations never end: a resolved
one opens again with the next message. Bots are the agent, and teammates are human agents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Literal, TypeGuard, TypeVar

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import (
    ConfigurationError,
    ForbiddenError,
    HubError,
    PayloadError,
    RejectedError,
    UnsupportedError,
)
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode
from ...reading.paging import invalid_cursor
from ...reading.refusals import provider_error, read_or_raise, words_or_body
from ...reading.values import Issues, ids_of, noted
from ...schema import Conversation, Issue, Status
from ...signing import header
from ...signing.webhooks import hmac_signed
from ...wire import Flow, Request, Response, field
from ._conversation import normalize, read
from ._payload import LEFT_TO_RAW, Created, MessagePage, Page, Sent, Whole
from ._webhook import events

__all__ = ["ADAPTER", "end", "events", "get", "list_page", "normalize", "refusal", "start"]

_page = msgspec.json.Decoder(Page, strict=False)
_sent = msgspec.json.Decoder(Sent, strict=False)
_messages = msgspec.json.Decoder(MessagePage, strict=False)
_created = msgspec.json.Decoder(Created, strict=False)

# how to ask

_T = TypeVar("_T")

_CONVERSATIONS = "/api/v1/accounts/{account}/conversations"
_STATES = {Status.IN_PROGRESS: ["open", "pending", "snoozed"], Status.ENDED: ["resolved"]}
_MARGIN = timedelta(days=2)
"""Filters compare dates, in a time zone of the server's own."""
_LONGEST_ID = 19
_CURSOR = re.compile(r"(list|filter):([0-9]{1,9}):([0-9]{1,12})")


def _account_id(account: Account) -> dict[str, str]:
    """Return the id for paths; a token must not go to the vendor's server if it is for another."""
    if account.base_url is None:
        raise ConfigurationError(
            "Chatwoot runs on many servers: pass base_url=…, or set CHATWOOT_BASE_URL; "
            "the vendor's own is https://app.chatwoot.com",
            provider="chatwoot",
        )
    if "account_id" not in account.settings:
        raise ConfigurationError(
            "the account needs the setting account_id, the number after /accounts/ in Chatwoot's own URLs: "
            "pass settings={'account_id': …}, or set CHATWOOT_ACCOUNT_ID",
            provider="chatwoot",
        )
    return {"account": account.settings["account_id"].reveal()}


def list_page(account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is "list:page:rows seen" or "filter:page:rows seen".

    A server that refuses to filter is asked for its whole list.
    """
    ids = _account_id(account)
    way, number, seen = _place(cursor)
    # What a filter finds has no order that is known.
    filters = [] if query.newest_first else [*_filters(query)]
    warning = None
    reply: Response | None = None
    if filters and way != "list":
        try:
            reply = yield _filter_request(query, filters, ids, number)
            way = "filter"
        except RejectedError:
            if cursor is not None:
                raise
            warning = "the server refused to filter, so its whole list is read"
    if reply is None:
        way = "list"
        reply = yield _list_request(query, ids, number)
    page = read_or_raise(reply, lambda body: decode(body, _page, []), words_or_body)
    inner = page.data or page
    if inner.payload is None:
        raise PayloadError("the answer has no list of conversations")
    seen += len(inner.payload)
    count = inner.meta.all_count if inner.meta else None
    # The server sets the size of a page, so a short one is not the end.
    is_last = not inner.payload or (count is not None and seen >= count)
    following = None if is_last else f"{way}:{number + 1}:{seen}"
    return RawPage(rows=inner.payload, normalize=normalize, cursor=following, warning=warning)


def _place(cursor: str | None) -> tuple[Literal["list", "filter"] | None, int, int]:
    if cursor is None:
        return None, 1, 0
    found = _CURSOR.fullmatch(cursor)
    if found is None:
        raise invalid_cursor("Chatwoot", '"list:page:rows seen" or "filter:page:rows seen"')
    return ("list" if found[1] == "list" else "filter"), int(found[2]), int(found[3])


def _list_request(query: Query, ids: dict[str, str], number: int) -> Request:
    # Without a status, only open ones come; in the usual order, rows move while they are read.
    # https://github.com/chatwoot/chatwoot, app/finders/conversation_finder.rb
    order = "created_at_desc" if query.newest_first else "created_at_asc"
    status = "resolved" if query.status is Status.ENDED else "all"
    asked = {"status": status, "sort_by": order, **query.options, "per_page": query.page_size, "page": number}
    return Request("GET", _CONVERSATIONS, asked, ids, reads=_page)


def _filter_request(query: Query, filters: list[dict[str, Any]], ids: dict[str, str], number: int) -> Request:
    # https://github.com/chatwoot/chatwoot, swagger/paths/application/conversation/filter.yml
    asked = [{**one, "query_operator": "AND"} for one in filters[:-1]] + [{**filters[-1], "query_operator": None}]
    body = msgspec.json.encode({"payload": asked})
    told = {"per_page": query.page_size, "page": number}
    return Request("POST", f"{_CONVERSATIONS}/filter", told, ids, body=body, safe=True, reads=_page)


def _filters(query: Query) -> Iterator[dict[str, Any]]:
    """Return the filters that are passed on; the hub checks the rows.

    Everything that happens in a conversation is an activity, so those that changed are those that were active.
    """
    bounds = (
        ("created_at", "is_greater_than", _date(query.since, -_MARGIN)),
        ("created_at", "is_less_than", _date(query.until, _MARGIN)),
        ("last_activity_at", "is_greater_than", _date(query.updated_since, -_MARGIN)),
    )
    found = [_filter(key, operator, [value]) for key, operator, value in bounds if value]
    states = _STATES.get(query.status) if query.status else None
    if states:
        found.append(_filter("status", "equal_to", states))
    if found:
        yield from found
        for name, value in query.options.items():
            yield _filter(name.removesuffix("[]"), "equal_to", value if isinstance(value, list) else [value])


def _filter(key: str, operator: str, values: Any) -> dict[str, Any]:
    return {"attribute_key": key, "filter_operator": operator, "values": values}


def _date(moment: datetime | None, margin: timedelta) -> str | None:
    return None if moment is None else f"{moment + margin:%Y-%m-%d}"


def get(account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with all of its messages."""
    ids = {**_account_id(account), "id": id}
    issues = Issues()
    # https://github.com/chatwoot/chatwoot, swagger/paths/application/conversation/show.yml
    reply = yield Request("GET", f"{_CONVERSATIONS}/{{id}}", ids=ids, reads=_sent)
    sent = _part(reply, _sent, "conversation", issues)
    bodies, pages = yield from _all_messages(ids, issues)
    raw = msgspec.json.encode({"conversation": msgspec.Raw(reply.body), "messages": bodies})
    return read(sent, raw, issues, pages, place="conversation.", present=sent_at(reply.headers))


def _all_messages(ids: dict[str, str], issues: Issues) -> Flow[tuple[list[msgspec.Raw], list[MessagePage]]]:
    """Get all pages of messages, from the oldest on; from the newest back, if the server knows no other way."""
    bodies: list[msgspec.Raw] = []
    pages: list[MessagePage] = []
    seen: set[int] = set()
    window = {"after": 0}
    while True:
        # https://github.com/chatwoot/chatwoot, app/finders/message_finder.rb
        reply = yield Request("GET", f"{_CONVERSATIONS}/{{id}}/messages", window, ids, reads=_messages)
        page = _part(reply, _messages, f"messages[{len(pages)}]", issues)
        bodies.append(msgspec.Raw(reply.body))
        pages.append(page)
        there = {int(one.id) for one in page.payload or () if one is not None and _is_number(one.id)}
        fresh = there - seen
        if "after" in window and there and not fresh:
            window = {"before": min(seen)}  # an old server: it has sent the latest twice
            continue
        if not fresh:
            return bodies, pages
        seen |= fresh
        window = {"after": max(seen)} if "after" in window else {"before": min(seen)}


def _is_number(id: str | int | None) -> TypeGuard[str | int]:
    return isinstance(id, int) or (id is not None and id.isascii() and id.isdigit() and len(id) < _LONGEST_ID)


def _part(reply: Response, decoder: msgspec.json.Decoder[_T], place: str, issues: list[Issue]) -> _T:
    """Read one of the answers about a conversation; `place` is its place in `raw`."""
    misfits: list[Issue] = []
    found = read_or_raise(reply, lambda body: decode(body, decoder, misfits), words_or_body)
    issues += [Issue(f"{place}.{misfit.place}", misfit.reason) for misfit in misfits]
    return found


def start(account: Account, wanted: Start) -> Flow[Started]:
    """Create a conversation; the options are its members: `source_id`, `inbox_id`, `contact_id`, `message`."""
    if wanted.to is not None or wanted.agent is not None:
        raise UnsupportedError("Chatwoot calls nobody, and its inbox chooses the bot: omit `to` and `agent`")
    # https://github.com/chatwoot/chatwoot, swagger/paths/application/conversation/create.yml
    reply = yield Request("POST", _CONVERSATIONS, ids=_account_id(account), body=msgspec.json.encode(wanted.options))
    issues = Issues()
    created = read_or_raise(reply, lambda body: decode(body, _created, issues), words_or_body)
    conversation = Conversation(
        provider="chatwoot",
        id=str(created.id),
        status=Status.IN_PROGRESS,
        related_ids=ids_of({"account": created.account_id, "inbox": created.inbox_id}),
        estimated=("status",),
        issues=noted(issues),
        raw=bytes(reply.body),
    )
    return Started(conversation=conversation)


def end(account: Account, id: str) -> Flow[None]:
    """Resolve a conversation; the customer's next message opens it again."""
    ids = {**_account_id(account), "id": id}
    body = msgspec.json.encode({"status": "resolved"})
    # https://github.com/chatwoot/chatwoot, swagger/paths/application/conversation/toggle_status.yml
    yield Request("POST", f"{_CONVERSATIONS}/{{id}}/toggle_status", ids=ids, body=body, safe=True, json=False)


# https://github.com/chatwoot/chatwoot, app/controllers/concerns/access_token_auth_helper.rb
_NOT_ALLOWED = ("not authorized to do this action", "not authorized for bots")


def refusal(response: Response) -> HubError:
    """Read a refusal: a valid token that may not do something is refused like an invalid one, but for the words."""
    words = words_or_body(response)
    if response.status == 401 and words and any(told in words for told in _NOT_ALLOWED):
        return provider_error(response, words, ForbiddenError)
    is_page = "html" in field(response.headers, "content-type").lower()
    if response.status == 404 and is_page:
        told = "the server has a page for people here, not Chatwoot's API: check the base URL"
        return provider_error(response, told, RejectedError)
    return provider_error(response, words)


ADAPTER = Adapter(
    name="chatwoot",
    base_url="https://app.chatwoot.com",
    docs="https://developers.chatwoot.com/api-reference/conversations/conversations-list",
    sign=header("api_access_token"),
    refusal=refusal,
    list_page=list_page,
    normalize=normalize,
    newest_first=True,
    counted=True,
    get=get,
    start=start,
    end=end,
    settings=("account_id",),
    # https://github.com/chatwoot/chatwoot, config/initializers/rack_attack.rb
    requests_per_second=50.0,
    webhook=Webhook(
        events=events,
        # Older servers do not sign.
        # https://github.com/chatwoot/chatwoot, swagger/definitions/resource/webhook.yml
        scheme=hmac_signed("x-chatwoot-signature", timestamp="x-chatwoot-timestamp", prefix="sha256="),
    ),
    complete_lists=False,
    secret_fields=frozenset({"access_token", "hmac_identifier", "pubsub_token"}),
    filters=("since", "until", "status", "updated_since"),
    tells_transfers=True,
    shows=("recording",),
    support="specification",
    coverage=Coverage(read=78, members=175),
    payloads=(Sent, Whole, Created),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        (
            "Chatwoot runs on many servers, so `CHATWOOT_BASE_URL` is required; the vendor's own server is "
            "`https://app.chatwoot.com`."
        ),
        "`account_id` is required: the number after `/accounts/` in Chatwoot's own URLs.",
        "The token of a teammate sees only the inboxes of that teammate. Use an administrator's.",
        "Conversations never end: the next message opens a resolved one again. A sync follows changes, not starts.",
        "Older servers do not sign webhooks.",
    ),
)
