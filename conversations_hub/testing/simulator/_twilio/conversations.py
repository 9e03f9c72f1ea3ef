"""Classic Conversations: text messages of people with addresses and people with identities, without an end."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from math import inf
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from ....schema import Channel, Direction, EndReason, Role
from ....wire import Response
from .._truth import Phase, Truth, Turn
from .._world import Call, Delivery, World, reply
from .account import ACCOUNT, sid, vendor, written
from .pages import UNKNOWN, page, place, refusal

__all__ = ["PREFIX", "answer", "deliveries", "signed"]

PREFIX = "CH4f6a0b1c2d3e4f5a6b7c8d"
_SERVICE = "IS00000000000000000000000000000001"
_OUR_NUMBER = "+15555550199"
_STATES = ("initializing", "active", "inactive", "closed")
_MOST = 100
_HOOK = "https://hooks.example.com/twilio"
_INACTIVE_AFTER = 900.0
"""Seconds without a message."""


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer about conversations; `rest` of the path comes behind theirs."""
    match call.method, rest:
        case "GET", ():
            return _list(call, world)
        case "POST", ():
            return _create(call, world)
        case method, (id, *below):
            truth = world.find(id)
            return UNKNOWN if truth is None else _about(method, tuple(below), call, world, truth)
        case _:
            return UNKNOWN


def _about(method: str, below: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, below:
        case "GET", ():
            return reply(200, _row(world, truth))
        case "POST", ():
            return _update(call, world, truth)
        case "DELETE", ():
            world.delete(truth)
            return Response(204, {}, b"")
        case "GET", ("Messages",):
            return _messages_page(call, world, truth)
        case "POST", ("Messages",):
            return _write(call, world, truth)
        case "GET", ("Participants",):
            rows = _after(call, [(str(place), row) for place, row in enumerate(_participants(world, truth))])
            return page(call, "participants", rows, most=_MOST)
        case _:
            return UNKNOWN


# https://www.twilio.com/docs/conversations/api/conversation-resource
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(
        {"StartDate": _day, "EndDate": _day, "State": lambda text: text if text in _STATES else None}
    )
    token = place(call)
    if wrong or token is None:
        return refusal(400, f"Invalid {', '.join(wrong) or 'Page'}", code=20001)
    before = min(asked.get("EndDate", inf), float(token.removeprefix("PT")) if token else inf)
    newest = world.newest(since=asked.get("StartDate"), before=None if before == inf else before)
    rows = ((f"PT{truth.created}", _row(world, truth)) for truth in newest)
    matching = ((token, row) for token, row in rows if asked.get("State") in {None, row["state"]})
    return page(call, "conversations", matching, most=_MOST)


def _day(text: str) -> float | None:
    """Read the first or the last second of a day, as only these are accepted; the last is the day's end."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    clock = f"{moment:%H:%M:%S}"
    return {"00:00:00": moment.timestamp(), "23:59:59": moment.timestamp() + 1}.get(clock)


def _state(world: World, truth: Truth) -> str:
    if truth.ended <= world.present:
        return "closed"
    if truth.phase(world.present) is Phase.QUEUED:
        return "initializing"
    return "inactive" if truth.variant & 3 == 3 else "active"


def _row(world: World, truth: Truth) -> dict[str, Any]:
    id, details = world.id(truth), world.details(truth)
    url = f"{vendor('conversations')}/v1/Conversations/{id}"
    closed = truth.ended <= world.present
    # The future is told too: when it will be closed, if nobody writes.
    timers = {"date_closed": written(truth.ended)} if closed else {}
    if not closed and truth.ended < inf and truth.variant >> 2 & 1:
        timers = {"date_inactive": written(world.present + _INACTIVE_AFTER)}
    return {
        "sid": id,
        "account_sid": ACCOUNT,
        "chat_service_sid": _SERVICE,
        "messaging_service_sid": "MG00000000000000000000000000000001",
        "friendly_name": details.get("FriendlyName") if details else (truth.title if truth.variant >> 3 & 1 else None),
        "unique_name": details.get("UniqueName")
        if details
        else (f"order-{id[-8:]}" if truth.variant >> 4 & 1 else None),
        "attributes": details.get("Attributes", "{}") if details else _attributes(truth),
        "state": _state(world, truth),
        "date_created": written(truth.created),
        "date_updated": written(_updated(world, truth)),
        "timers": timers,
        "bindings": {},
        "url": url,
        "links": {name.lower(): f"{url}/{name}" for name in ("Participants", "Messages", "Webhooks", "Export")},
    }


def _attributes(truth: Truth) -> str:
    """Return JSON as text; what old conversations have may be no JSON."""
    whole = msgspec.json.encode({"order": truth.facts["order"], "language": truth.scenario.language}).decode()
    return ("{}", whole, whole, whole[:-1])[truth.variant >> 5 & 3]


def _updated(world: World, truth: Truth) -> float:
    moments = [truth.created, *(_began(truth) + turn.start for turn in world.turns(truth)), truth.ended]
    return max(moment for moment in moments if moment <= world.present)


def _began(truth: Truth) -> float:
    return truth.created if truth.answered is None else truth.answered


# https://www.twilio.com/docs/conversations/api/conversation-participant-resource


def _customer(truth: Truth) -> tuple[str, str]:
    """Return by what the customer writes, and from where."""
    return ("sms", truth.phone) if truth.channel is Channel.PHONE else ("whatsapp", f"whatsapp:{truth.phone}")


def _participants(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    id = world.id(truth)
    medium, address_ = _customer(truth)
    binding = {"type": medium, "address": address_, "proxy_address": _OUR_NUMBER}
    for name, identity, bound in (("agent", _identity(truth), None), ("customer", None, binding)):
        url = f"{vendor('conversations')}/v1/Conversations/{id}/Participants/{sid('MB', id, name)}"
        yield {
            "sid": sid("MB", id, name),
            "account_sid": ACCOUNT,
            "conversation_sid": id,
            "identity": identity,
            "attributes": "{}",
            "messaging_binding": bound,
            "role_sid": "RL00000000000000000000000000000001",
            "date_created": written(truth.created),
            "date_updated": written(truth.created),
            "url": url,
            "last_read_message_index": None,
            "last_read_timestamp": None,
        }


def _identity(truth: Truth) -> str:
    return f"agent_{truth.scenario.number}"


# https://www.twilio.com/docs/conversations/api/conversation-message-resource


def _messages_page(call: Call, world: World, truth: Truth) -> Response:
    order = call.query.get("Order", "asc")
    if order not in {"asc", "desc"} or place(call) is None:
        return refusal(400, "Invalid Order or Page", code=20001)
    is_shown = truth.phase(world.present) is not Phase.PROCESSING
    rows = list(_messages(world, truth)) if is_shown else []
    placed = [(str(number), row) for number, row in enumerate(rows if order == "asc" else rows[::-1])]
    return page(call, "messages", _after(call, placed), most=_MOST)


def _after(call: Call, rows: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the rows behind the one that the page's token names."""
    token = (place(call) or "").removeprefix("PT")
    first = int(token) + 1 if token.isdigit() else 0
    return ((f"PT{number}", row) for number, row in rows[first:])


def _messages(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    step = 1 + (truth.variant >> 6 & 1)  # now and then a number is left out
    index = 0
    if truth.variant >> 7 & 1:
        yield _message(world, truth, 0, truth.created, by=("system", None, "The conversation was opened."))
        index += step
    for turn in world.turns(truth):
        if turn.tool is None:
            yield _message(world, truth, index, _began(truth) + turn.start, by=_written_by(world, truth, turn))
            index += step


def _written_by(world: World, truth: Truth, turn: Turn) -> tuple[str, str | None, str]:
    """Return the author of a message, its participant, and the text."""
    if turn.role is Role.USER:
        return _customer(truth)[1], sid("MB", world.id(truth), "customer"), turn.text
    return _identity(truth), sid("MB", world.id(truth), "agent"), turn.text


def _message(
    world: World, truth: Truth, index: int, moment: float, *, by: tuple[str, str | None, str]
) -> dict[str, Any]:
    id, (author, participant, body) = world.id(truth), by
    message = sid("IM", id, index)
    url = f"{vendor('conversations')}/v1/Conversations/{id}/Messages/{message}"
    delivered = {"total": 1, "sent": "all", "delivered": "all", "read": "some", "failed": "none", "undelivered": "none"}
    return {
        "sid": message,
        "account_sid": ACCOUNT,
        "conversation_sid": id,
        "body": body,
        "media": None,
        "author": author,
        "participant_sid": participant,
        "attributes": "{}",
        "date_created": written(moment),
        "date_updated": written(moment),
        "index": index,
        "delivery": delivered if participant and author.startswith("agent") else None,
        "content_sid": None,
        "url": url,
        "links": {"delivery_receipts": f"{url}/Receipts", "channel_metadata": f"{url}/ChannelMetadata"},
    }


# what calls change


def _form(call: Call) -> dict[str, str]:
    return dict(parse_qsl(call.body.decode(errors="replace"), keep_blank_values=True))


def _create(call: Call, world: World) -> Response:
    def until_it_is_closed(truth: Truth) -> Truth:
        chat = replace(truth, channel=Channel.CHAT, direction=Direction.INBOUND, said=())
        return replace(chat, answered=truth.created, ended=inf, ending=EndReason.API_ENDED)

    truth = world.create({"FriendlyName": None, **_form(call)}, until_it_is_closed)
    return reply(201, _row(world, truth))


def _update(call: Call, world: World, truth: Truth) -> Response:
    state = _form(call).get("State")
    if state not in {None, *_STATES}:
        return refusal(400, "Invalid State", code=20001)
    changed = world.end(truth) if state == "closed" else truth
    return reply(200, _row(world, changed))


def _write(call: Call, world: World, truth: Truth) -> Response:
    form = _form(call)
    if truth.ended <= world.present:
        return refusal(400, "Conversation is closed", code=50353)
    if not form.get("Body"):
        return refusal(400, "Message body is missing", code=50203)
    is_agent = form.get("Author", "system") in {"system", _identity(truth)}
    start = world.present - _began(truth)
    world.say(truth, Turn(Role.ASSISTANT if is_agent else Role.USER, form["Body"], start, 0.0))
    return reply(201, list(_messages(world, truth))[-1])


# https://www.twilio.com/docs/conversations/conversations-webhooks


def deliveries(world: World, truth: Truth) -> list[Delivery]:
    """Return what is delivered about one conversation: forms."""
    base = {"AccountSid": ACCOUNT, "ConversationSid": world.id(truth), "ChatServiceSid": _SERVICE}
    found: list[Delivery] = []

    def deliver(kind: str, moment: float, **members: str | None) -> None:
        told = {"EventType": kind, **base, **{name: text for name, text in members.items() if text is not None}}
        found.append(Delivery(moment, kind, urlencode(told).encode(), url=_HOOK))

    created = written(truth.created)
    deliver("onConversationAdded", truth.created, DateCreated=created, State="active", Attributes=_attributes(truth))
    for row, turn in zip(_spoken(world, truth), _said(world, truth), strict=True):
        deliver(
            "onMessageAdded",
            _began(truth) + turn.start,
            MessageSid=row["sid"],
            Index=str(row["index"]),
            Author=row["author"],
            ParticipantSid=row["participant_sid"],
            Body=row["body"],
            DateCreated=row["date_created"],
        )
    if truth.ended < inf:
        told = {"StateFrom": "active", "StateTo": "closed", "Reason": "TIMER", "DateUpdated": written(truth.ended)}
        deliver("onConversationStateUpdated", truth.ended, **told)
    return found


def _said(world: World, truth: Truth) -> list[Turn]:
    return [turn for turn in world.turns(truth) if turn.tool is None]


def _spoken(world: World, truth: Truth) -> list[dict[str, Any]]:
    return [row for row in _messages(world, truth) if row["participant_sid"] is not None]


# https://www.twilio.com/docs/usage/security
def signed(delivery: Delivery, secret: str) -> Mapping[str, str]:
    """Return the headers that sign a form: the URL, then all fields in the order of their names."""
    fields = sorted(parse_qsl(delivery.body.decode(), keep_blank_values=True))
    message = (delivery.url or "") + "".join(name + value for name, value in fields)
    signature = base64.b64encode(hmac.digest(secret.encode(), message.encode(), "sha1")).decode()
    return {"content-type": "application/x-www-form-urlencoded", "X-Twilio-Signature": signature}
