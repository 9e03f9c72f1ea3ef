"""Intercom: GET /conversations, or a search of them by POST; only `get` returns the parts, which are the turns.

Conversations never end: a closed one may be opened again, so a sync follows `updated_at`. Fin is the agent, and
teammates are human agents. Of a phone conversation, `get` also reads its calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from ...account import Account
from ...adapter import Adapter, Coverage, Query, RawPage, Start, Started
from ...errors import ConfigurationError, ForbiddenError, NotFoundError, PayloadError, RejectedError, UnsupportedError
from ...events import Webhook
from ...policy import sent_at
from ...reading.json import decode, decode_at
from ...reading.paging import invalid_cursor
from ...reading.refusals import read_or_raise
from ...reading.values import Issues, instant, noted
from ...schema import Conversation, Direction, Issue, Status
from ...signing import bearer
from ...signing.webhooks import hmac_signed
from ...wire import Flow, Request
from ._conversation import is_phone, normalize, read
from ._payload import LEFT_TO_RAW, Answer, Calls, FinCall, Page, Sent, Whole
from ._webhook import events

__all__ = ["ADAPTER", "delete", "end", "events", "get", "list_page", "normalize", "sign", "start"]

_page = msgspec.json.Decoder(Page, strict=False)
_sent = msgspec.json.Decoder(Sent, strict=False)
_calls = msgspec.json.Decoder(Calls, strict=False)
_fin_calls: msgspec.json.Decoder[list[FinCall | None]] = msgspec.json.Decoder(list[FinCall | None], strict=False)
_answer = msgspec.json.Decoder(Answer, strict=False)

# how to ask

_T = TypeVar("_T")

_VERSION = "2.16"
"""Without it, the version that the app is set to answers."""
_LARGEST_PAGE = 150
_STATES = {Status.IN_PROGRESS: ["open", "snoozed"], Status.ENDED: ["closed"]}


def sign(request: Request, account: Account, now: datetime) -> Request:
    """Send the key, and the version of the API."""
    # https://github.com/intercom/Intercom-OpenAPI, descriptions/2.16/api.intercom.io.yaml
    signed = bearer(request, account, now)
    return msgspec.structs.replace(signed, headers={**signed.headers, "Intercom-Version": _VERSION})


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page; a cursor is Intercom's own. Options are fields to search by, such as `source.type`."""
    size = query.page_size or _LARGEST_PAGE
    wanted = [*_filters(query)]
    # https://github.com/intercom/Intercom-OpenAPI, descriptions/2.16/api.intercom.io.yaml
    if wanted:
        search = {
            "query": {"operator": "AND", "value": wanted},
            "pagination": {"per_page": size, "starting_after": _text(cursor)},
        }
        body = msgspec.json.encode(search)
        reply = yield Request("POST", "/conversations/search", body=body, safe=True, reads=_page)
    else:
        reply = yield Request("GET", "/conversations", {"per_page": size, "starting_after": cursor}, reads=_page)
    page = read_or_raise(reply, lambda body: decode(body, _page, []))
    if page.conversations is None:
        raise PayloadError("the answer has no list of conversations")
    following = page.pages.next.starting_after if page.pages and page.pages.next else None
    return RawPage(rows=page.conversations, normalize=normalize, cursor=following or None)


def _filters(query: Query) -> Iterator[dict[str, Any]]:
    """Return the filters of a search. Whether a bound is inclusive is not clear, and the hub checks the rows."""
    if query.since:
        yield {"field": "created_at", "operator": ">", "value": math.floor(query.since.timestamp()) - 1}
    if query.until:
        yield {"field": "created_at", "operator": "<", "value": math.ceil(query.until.timestamp())}
    if query.updated_since:
        yield {"field": "updated_at", "operator": ">", "value": math.floor(query.updated_since.timestamp()) - 1}
    states = _STATES.get(query.status) if query.status else None
    if states:
        yield {"field": "state", "operator": "IN", "value": states}
    for field, value in query.options.items():
        yield {"field": field, "operator": "IN" if isinstance(value, list) else "=", "value": value}


def _text(cursor: str | None) -> str | None:
    """Return a cursor if it is text; JSON has no lone surrogates."""
    try:
        return cursor and cursor.encode().decode()
    except UnicodeEncodeError:
        raise invalid_cursor("Intercom", "one of the provider's own") from None


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its latest 500 parts, and with its calls if it is a phone conversation."""
    # https://github.com/intercom/Intercom-OpenAPI, descriptions/2.16/api.intercom.io.yaml
    asked = {"display_as": "plaintext"}
    reply = yield Request("GET", "/conversations/{id}", asked, {"id": id}, reads=_sent)
    issues = Issues()
    sent = read_or_raise(reply, lambda body: decode(body, _sent, issues))
    present = sent_at(reply.headers)
    if not is_phone(sent):
        return read(sent, bytes(reply.body), issues, present=present)
    issues[:] = [Issue(f"conversation.{issue.place}", issue.reason) for issue in issues]
    parts = {"conversation": msgspec.Raw(reply.body)}
    wanted = msgspec.json.encode({"conversation_ids": [str(sent.id)]})
    searched = Request("POST", "/calls/search", body=wanted, safe=True, reads=_calls)
    calls = yield from _beside("calls", searched, _calls, parts, issues)
    answered = Request("GET", "/fin_voice/conversation/{id}", ids={"id": id}, reads=_fin_calls)
    fin_calls = yield from _beside("fin_calls", answered, _fin_calls, parts, issues)
    return read(
        sent,
        msgspec.json.encode(parts),
        issues,
        (calls.data if calls else None) or (),
        fin_calls=fin_calls or (),
        place="conversation.",
        present=present,
    )


def _beside(
    name: str, request: Request, decoder: msgspec.json.Decoder[_T], parts: dict[str, msgspec.Raw], issues: list[Issue]
) -> Flow[_T | None]:
    """Ask for what else belongs to a conversation, if the plan has it, and keep the answer under a name."""
    try:
        reply = yield request
    except (ForbiddenError, NotFoundError, RejectedError) as error:
        issues.append(Issue(name, f"could not be loaded: {type(error).__name__}"))
        return None
    parts[name] = msgspec.Raw(reply.body)
    return read_or_raise(reply, lambda body: decode_at(name, body, decoder, issues))


def start(_account: Account, wanted: Start) -> Flow[Started]:
    """Write in the name of a contact; the options are `from`, such as `{"type": "user", "id": …}`, and `body`."""
    if wanted.to is not None or wanted.agent is not None:
        raise UnsupportedError("Intercom calls nobody, and chooses who answers: omit `to` and `agent`")
    # https://github.com/intercom/Intercom-OpenAPI, descriptions/2.16/api.intercom.io.yaml
    reply = yield Request("POST", "/conversations", body=msgspec.json.encode(wanted.options))
    issues = Issues()
    answer = read_or_raise(reply, lambda body: decode(body, _answer, issues))
    created_at = instant(answer.created_at, "created_at", issues)
    conversation = Conversation(
        provider="intercom",
        id=str(answer.conversation_id),
        status=Status.IN_PROGRESS,
        direction=Direction.INBOUND,
        created_at=created_at,
        started_at=created_at,
        estimated=("status", "direction"),
        issues=noted(issues),
        raw=bytes(reply.body),
    )
    return Started(conversation=conversation)


def end(account: Account, id: str) -> Flow[None]:
    """Close a conversation in the name of the teammate that the setting `admin_id` names.

    Raises:
        ConfigurationError: the account has no such setting.
    """
    if "admin_id" not in account.settings:
        raise ConfigurationError(
            "to close a conversation, the account needs the setting admin_id: the teammate who closes it",
            provider="intercom",
        )
    body = {"message_type": "close", "type": "admin", "admin_id": account.settings["admin_id"].reveal()}
    # https://github.com/intercom/Intercom-OpenAPI, descriptions/2.16/api.intercom.io.yaml
    path = "/conversations/{id}/parts"
    yield Request("POST", path, ids={"id": id}, body=msgspec.json.encode(body), json=False)


def delete(_account: Account, id: str, options: Mapping[str, Any]) -> Flow[None]:
    """Delete a conversation; with the option `retain_metrics=False`, what reports know of it too."""
    # https://github.com/intercom/Intercom-OpenAPI, descriptions/2.16/api.intercom.io.yaml
    yield Request("DELETE", "/conversations/{id}", dict(options), {"id": id}, json=False)


ADAPTER = Adapter(
    name="intercom",
    base_url="https://api.intercom.io",
    docs="https://developers.intercom.com/docs/references/2.16/rest-api/api.intercom.io/conversations",
    sign=sign,
    list_page=list_page,
    normalize=normalize,
    page_size=_LARGEST_PAGE,
    get=get,
    start=start,
    end=end,
    delete=delete,
    settings=("admin_id",),
    webhook=Webhook(
        events=events,
        # https://developers.intercom.com/docs/webhooks/webhook-notifications
        scheme=hmac_signed("x-hub-signature", message="{body}", digest="sha1", prefix="sha1="),
    ),
    unlisted=("calls that belong to no conversation",),
    complete_lists=False,
    only_in_get=("conversation_parts",),
    filters=("since", "until", "status", "updated_since"),
    tells_transfers=True,
    shows=("tool calls", "recording"),
    support="specification",
    coverage=Coverage(read=523, members=610),
    payloads=(Sent, Whole, Answer),
    left_to_raw=LEFT_TO_RAW,
    notes=(
        "Conversations never end: a closed one can be opened again. A sync follows changes, not starts.",
        (
            "Only the newest 500 parts of a conversation can be read. If there are more, `transcript_state` is "
            "`truncated`."
        ),
        "A workspace in the EU or Australia has its own address: set `INTERCOM_BASE_URL`.",
        "`admin_id` is the id of the teammate who closes conversations; only `end` needs it.",
    ),
)
