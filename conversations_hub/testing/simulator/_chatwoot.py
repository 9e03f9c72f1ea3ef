"""Chatwoot as its specification and its code describe it: a shared inbox, in which conversations do not end for good.

One conversation comes with its last message only; all of them are a resource of their own, paged by their ids. Pages of
the list have as many rows as the server's operator has set, whatever is asked for.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import inf
from typing import Any

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._instants import to_the_millisecond
from ._later import AGAIN, LATER, NOTE, fate
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, dated, one_of, positive, reply, whole

__all__ = ["SIMULATED", "answer"]

_ACCOUNT = "1"
_ROWS = 50  # 25 unless the operator sets another number
_LATEST = 20
_AFTER = 100
_BETWEEN = 1000
_STATUSES = ("open", "resolved", "pending", "snoozed")
_CHANNELS = {Channel.PHONE: "Channel::Voice", Channel.EMAIL: "Channel::Email", Channel.WEB: "Channel::WebWidget"}
_INBOXES = {"Channel::Voice": 1, "Channel::Email": 2, "Channel::WebWidget": 3, "Channel::Api": 4}
_PERSON = {"id": 7, "name": "Tess", "email": "tess@example.com", "type": "user"}
_INCOMING, _OUTGOING, _ACTIVITY = range(3)


def answer(call: Call, world: World) -> Response:
    """Answer as Chatwoot does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    key = _key(call)
    if not key or key.startswith("bad"):
        return _refusal(401, "Invalid Access Token")
    match call.method, call.segments:
        case "GET", ("api",):
            return reply(200, {"version": "4.8.0", "queue_services": "ok", "data_services": "ok"})
        case method, ("api", "v1", "accounts", account, "conversations", *rest):
            if account != _ACCOUNT:
                return _refusal(401, "You are not authorized to access this account")
            return _about(method, tuple(rest), call, world)
        case _:
            # The page of the software itself.
            return Response(404, {"content-type": "text/html"}, b"<!DOCTYPE html><title>Not found</title>")


def _about(method: str, rest: tuple[str, ...], call: Call, world: World) -> Response:
    match method, rest:
        case "GET", ():
            return _list(call, world)
        case "POST", ():
            return _create(call, world)
        case "GET", ("meta",):
            return reply(200, {"meta": _counts(_every(world, {"status": "all"}))})
        case "POST", ("filter",):
            return _filter(call, world)
        case _, (id, *below):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about_one(method, tuple(below), call, world, truth)
        case _:
            return _UNKNOWN


def _about_one(method: str, rest: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            return reply(200, _row(_Seen(world, truth, world.present)))
        case "GET", ("messages",):
            return _messages(call, world, truth)
        case "POST", ("messages",):
            return _say(call, world, truth)
        case "POST", ("toggle_status",):
            return _toggle(call, world, truth)
        case "GET", ("reporting_events",):
            return reply(200, _reported(world, truth))
        case _:
            return _UNKNOWN


def _key(call: Call) -> str:
    return call.headers.get("api_access_token", "")


# a conversation as it was at one moment


@dataclass(frozen=True, slots=True)
class _Seen:
    """A conversation at one moment."""

    world: World
    truth: Truth
    moment: float

    @property
    def added(self) -> Sequence[dict[str, Any]]:
        """What calls have said and changed."""
        added: Sequence[dict[str, Any]] = self.world.notes(self.truth).get("added", ())
        return [one for one in added if one["at"] <= self.moment]

    @property
    def status(self) -> str:
        told = [one["status"] for one in self.added if one["status"]]
        if told:
            return str(told[-1])
        if self.truth.ended > self.moment:
            return "pending"  # the bot has it
        words = {"opened": "open", "snoozed": "snoozed"}
        return words.get(fate(self.truth, self.moment) or "", "resolved")

    @property
    def is_handed_over(self) -> bool:
        """Whether a person of the company has it."""
        return self.truth.ending is EndReason.TRANSFERRED and self.truth.ended <= self.moment

    @property
    def active(self) -> float:
        """When something happened last."""
        truth = self.truth
        moments: list[float] = [truth.created, *(one["at"] for one in self.added)]
        moments += [one["at"] for one in _said(self)]
        moments += [at for at in (truth.ended, truth.ended + TRANSCRIPT_DELAY) if at <= self.moment]
        return max(moments)


def _said(seen: _Seen) -> list[dict[str, Any]]:
    """Return what was written so far, each with a number of its own."""
    found = [*_talk(seen), *_ends(seen)]
    return found + [
        {**one, "number": 7001 + place} for place, one in enumerate(seen.added) if one["content"] is not None
    ]


def _talk(seen: _Seen) -> Iterator[dict[str, Any]]:
    """Yield what the two said: nothing in the minute after the end, while it is written down."""
    truth, world = seen.truth, seen.world
    if truth.answered is None or truth.phase(seen.moment) is Phase.PROCESSING:
        return
    for number, turn in enumerate(world.turns(truth), 1):
        at = truth.answered + turn.start
        if turn.tool is None and at <= seen.moment:
            yield _entry(number, at, _INCOMING if turn.role is Role.USER else _OUTGOING, turn.text)
    if truth.channel is Channel.PHONE and truth.phase(seen.moment) is Phase.SETTLED:
        yield _entry(5001, truth.ended, _INCOMING, None, content_type="voice_call")


def _ends(seen: _Seen) -> Iterator[dict[str, Any]]:
    """Yield what happened at the end, and days after it."""
    truth = seen.truth
    if truth.ended <= seen.moment:
        if seen.is_handed_over:
            yield _entry(5002, truth.ended, _ACTIVITY, "Assigned to Tess by the bot")
        yield _entry(5003, truth.ended, _ACTIVITY, "Conversation was marked resolved by the bot")
    what, at = fate(truth, seen.moment), truth.ended + LATER
    if what == "opened":
        yield _entry(6001, at, _INCOMING, AGAIN)
        yield _entry(6002, at, _ACTIVITY, "Conversation was reopened by the contact")
    if what == "noted":
        yield _entry(6001, at, _OUTGOING, NOTE, by="person", private=True)


def _entry(number: int, at: float, kind: int, content: str | None, **more: Any) -> dict[str, Any]:
    usual = {"by": None, "private": False, "content_type": "text", "status": None}
    return {"number": number, "at": at, "kind": kind, "content": content, **usual, **more}


def _all_messages(seen: _Seen) -> list[dict[str, Any]]:
    return [_message(seen, one) for one in _said(seen)]


def _message(seen: _Seen, said: Mapping[str, Any]) -> dict[str, Any]:
    truth = seen.truth
    id: int = truth.index * 10_000 + said["number"]
    message: dict[str, Any] = {
        "id": id,
        "content": said["content"],
        "inbox_id": _INBOXES[_channel(truth)],
        "conversation_id": seen.world.id(truth),
        "message_type": said["kind"],
        "content_type": said["content_type"],
        "status": "read",
        "content_attributes": {},
        "created_at": int(said["at"]),
        "private": said["private"],
        "source_id": None,
    }
    sender = _sender(seen, said)
    if sender is not None:
        message["sender"] = sender
    if said["content_type"] == "voice_call":
        url = f"https://media.example.com/rails/active_storage/{id}.mp3"
        audio = {"id": id, "message_id": id, "file_type": "audio", "account_id": 1, "extension": "mp3"}
        message["attachments"] = [{**audio, "data_url": url, "thumb_url": "", "file_size": 48_000}]
    return message


def _sender(seen: _Seen, said: Mapping[str, Any]) -> dict[str, Any] | None:
    if said["kind"] == _ACTIVITY:
        return None
    if said["kind"] == _INCOMING:
        return {"id": seen.truth.customer + 1, "name": seen.truth.facts["name"], "type": "contact"}
    if said["by"] == "person":
        return _PERSON
    scenario = seen.truth.scenario
    kind = "captain_assistant" if seen.truth.variant >> 5 & 1 else "agent_bot"
    return {"id": scenario.number, "name": scenario.agent, "type": kind}


def _channel(truth: Truth) -> str:
    return _CHANNELS.get(truth.channel, "Channel::Api")


def _row(seen: _Seen) -> dict[str, Any]:
    truth, world = seen.truth, seen.world
    messages = _all_messages(seen)
    talk = [one for one in messages if one["message_type"] != _ACTIVITY]
    active = int(seen.active)
    assigned = {"assignee": {**_PERSON, "role": "agent"}} if seen.is_handed_over else {}
    index, language = f"{truth.index:012x}", truth.scenario.language[:2]
    return {
        "id": world.id(truth),
        "uuid": f"0a4c1d7e-0000-4000-8000-{index}",
        "account_id": 1,
        "inbox_id": _INBOXES[_channel(truth)],
        "status": seen.status,
        "priority": "high" if not truth.variant % 9 else None,
        "created_at": int(truth.created),
        # Older servers do not have it.
        **({"updated_at": seen.active} if truth.variant & 1 else {}),
        "last_activity_at": active,
        "timestamp": active,
        "first_reply_created_at": next((one["created_at"] for one in talk if one["message_type"] == _OUTGOING), 0),
        "waiting_since": int(truth.created) if seen.status == "open" else 0,
        "snoozed_until": active + 30 * 86400 if seen.status == "snoozed" else None,
        "agent_last_seen_at": 0,
        "assignee_last_seen_at": 0,
        "contact_last_seen_at": active if messages else 0,
        "unread_count": 0,
        "can_reply": True,
        "muted": False,
        "labels": ["vip"] if truth.variant % 5 == 0 else [],
        "custom_attributes": {"order": truth.facts["order"]} if talk else {},
        "additional_attributes": {"conversation_language": language} if truth.variant >> 6 & 1 else {},
        "meta": {"sender": _contact(truth), "channel": _channel(truth), "hmac_verified": False, **assigned},
        "messages": messages[-1:],
        "last_non_activity_message": talk[-1] if talk else None,
        "sla_policy_id": None,
    }


def _contact(truth: Truth) -> dict[str, Any]:
    return {
        "id": truth.customer + 1,
        "name": truth.facts["name"],
        "email": f"c{truth.customer}@example.com",
        "phone_number": truth.phone if truth.channel is Channel.PHONE else None,
        "identifier": None,
        "thumbnail": "",
        "additional_attributes": {},
        "custom_attributes": {},
        "blocked": False,
        "type": "contact",
    }


def _reported(world: World, truth: Truth) -> list[dict[str, Any]]:
    if truth.ended > world.present:
        return []
    ended = to_the_millisecond(truth.ended)
    about = {
        "account_id": 1,
        "conversation_id": world.id(truth),
        "inbox_id": _INBOXES[_channel(truth)],
        "user_id": None,
    }
    times = {"event_start_time": to_the_millisecond(truth.created), "event_end_time": ended, "created_at": ended}
    value = round(truth.ended - truth.created, 3)
    event = {"id": truth.index, "name": "conversation_resolved", "value": value, "value_in_business_hours": 0.0}
    return [{**event, **about, **times, "updated_at": ended}]


# the list
# app/finders/conversation_finder.rb in https://github.com/chatwoot/chatwoot


_ORDERS: dict[str, tuple[Callable[[_Seen], float], bool]] = {
    "created_at_asc": (lambda seen: seen.truth.created, False),
    "created_at_desc": (lambda seen: seen.truth.created, True),
    "last_activity_at_asc": (lambda seen: seen.active, False),
    "last_activity_at_desc": (lambda seen: seen.active, True),
}
_READERS: dict[str, Callable[[str], Any]] = {
    "page": positive,
    "status": one_of(("all", *_STATUSES)),
    "assignee_type": one_of(("me", "unassigned", "all", "assigned")),
    "updated_within": whole,
}


def _list(call: Call, world: World) -> Response:
    # What cannot be read is as good as absent.
    asked = {name: value for name, value in call.asked(_READERS)[0].items() if value is not None}
    order = asked.get("sort_by", "last_activity_at_desc")
    page = asked.get("page", 1)
    offset = (page - 1) * _ROWS
    is_whole = asked.get("status") == "all" and not {*asked} - {"status", "sort_by", "page"}
    if is_whole and order.startswith("created_at"):
        truths = world.slice(offset, _ROWS, oldest_first=order == "created_at_asc")
        rows = [_Seen(world, truth, world.present) for truth in truths]
        # The others are counted only where all have to be looked at anyway.
        counts = {"mine_count": 0, "assigned_count": 0, "unassigned_count": len(world), "all_count": len(world)}
    else:
        found = _every(world, asked)
        key, newest_first = _ORDERS.get(order, _ORDERS["last_activity_at_desc"])
        found.sort(key=key, reverse=newest_first)
        counts = _counts(found)
        rows = found if "updated_within" in asked else found[offset : offset + _ROWS]
    return reply(200, {"data": {"meta": counts, "payload": [_row(seen) for seen in rows]}})


def _every(world: World, asked: Mapping[str, Any]) -> list[_Seen]:
    every = [_Seen(world, truth, world.present) for truth in world.newest()]
    return [seen for seen in every if _is_wanted(seen, asked)]


def _is_wanted(seen: _Seen, asked: Mapping[str, Any]) -> bool:
    status = asked.get("status", "open")
    who = asked.get("assignee_type", "all")
    is_assigned = seen.is_handed_over
    within = asked.get("updated_within")
    return (
        status in {"all", seen.status}
        and (who == "all" or (who == "assigned" and is_assigned) or (who == "unassigned" and not is_assigned))
        and asked.get("inbox_id", "") in {"", str(_INBOXES[_channel(seen.truth)])}
        and ("labels[]" not in asked or (asked["labels[]"] == "vip" and not seen.truth.variant % 5))
        and (within is None or seen.active >= seen.moment - within)
        and ("q" not in asked or any(asked["q"] in (one["content"] or "") for one in _said(seen)))
    )


def _counts(found: Sequence[_Seen]) -> dict[str, int]:
    assigned = sum(seen.is_handed_over for seen in found)
    counts = {"mine_count": 0, "assigned_count": assigned, "unassigned_count": len(found) - assigned}
    return {**counts, "all_count": len(found)}


class _Condition(msgspec.Struct):
    attribute_key: str
    filter_operator: str
    values: list[str | int] = []
    query_operator: str | None = None


def _filter(call: Call, world: World) -> Response:
    try:
        asked = msgspec.convert((call.json or {}).get("payload"), list[_Condition])
        found = [seen for seen in _every(world, {"status": "all"}) if _holds(asked, seen)]
    except (msgspec.ValidationError, ValueError, KeyError) as error:
        return _refusal(422, f"Invalid filter: {error}")
    found.sort(key=lambda seen: seen.active, reverse=True)
    offset = ((positive(call.query.get("page", "1")) or 1) - 1) * _ROWS
    rows = [_row(seen) for seen in found[offset : offset + _ROWS]]
    return reply(200, {"meta": _counts(found), "payload": rows})


def _holds(asked: Sequence[_Condition], seen: _Seen) -> bool:
    """Whether conditions hold, from the first to the last."""
    result, joined = True, "AND"
    for one in asked:
        holds = _OPERATORS[one.filter_operator](_KEYS[one.attribute_key](seen), one.values)
        result = (result and holds) if joined == "AND" else (result or holds)
        joined = (one.query_operator or "AND").upper()
    return result


def _day(value: str | int) -> float:
    return datetime.fromisoformat(str(value)).replace(tzinfo=UTC).timestamp()


_OPERATORS: dict[str, Callable[[Any, Sequence[str | int]], bool]] = {
    "equal_to": lambda held, values: str(held) in map(str, values) or "all" in values,
    "not_equal_to": lambda held, values: str(held) not in map(str, values),
    "contains": lambda held, values: any(str(value) in str(held) for value in values),
    "does_not_contain": lambda held, values: all(str(value) not in str(held) for value in values),
    "is_greater_than": lambda held, values: held > _day(values[0]) + 86400 - 1,
    "is_less_than": lambda held, values: held < _day(values[0]),
}
_KEYS: dict[str, Callable[[_Seen], Any]] = {
    "status": lambda seen: seen.status,
    "inbox_id": lambda seen: _INBOXES[_channel(seen.truth)],
    "display_id": lambda seen: seen.world.id(seen.truth),
    "labels": lambda seen: "vip" if not seen.truth.variant % 5 else "",
    "created_at": lambda seen: seen.truth.created,
    "last_activity_at": lambda seen: seen.active,
    "order": lambda seen: seen.truth.facts["order"],
}


# its messages
# app/finders/message_finder.rb in https://github.com/chatwoot/chatwoot


def _messages(call: Call, world: World, truth: Truth) -> Response:
    seen, asked = _Seen(world, truth, world.present), call.query
    found = _all_messages(seen)
    if asked.get("filter_internal_messages") == "true":
        found = [one for one in found if not one["private"] and one["message_type"] != _ACTIVITY]
    after, before = (whole(asked[name]) if name in asked else None for name in ("after", "before"))
    if after is not None and before is not None:
        found = [one for one in found if after <= one["id"] < before][:_BETWEEN]
    elif after is not None:
        found = [one for one in found if one["id"] > after][:_AFTER]
    elif before is not None:
        found = [one for one in found if one["id"] < before][-_LATEST:]
    else:
        found = found[-_LATEST:]
    row = _row(seen)
    same = ("labels", "additional_attributes", "agent_last_seen_at", "assignee_last_seen_at")
    meta: dict[str, Any] = {name: row[name] for name in same}
    meta |= {"contact": row["meta"]["sender"], "assignee": row["meta"].get("assignee")}
    return reply(200, {"meta": meta, "payload": found})


# what calls change


class _Created(msgspec.Struct):
    source_id: str
    status: str = "open"
    message: dict[str, Any] | None = None


class _Said(msgspec.Struct):
    content: str
    message_type: str = "outgoing"
    private: bool = False


def _create(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Created)
    except msgspec.ValidationError as error:
        return _refusal(422, str(error))
    said = str((wanted.message or {}).get("content", ""))

    def written(truth: Truth) -> Truth:
        first = (Turn(Role.ASSISTANT, said, 0.0, 0.0),) if said else ()
        chat = replace(truth, channel=Channel.CHAT, direction=Direction.OUTBOUND, said=first)
        return replace(chat, answered=truth.created, ended=inf, ending=EndReason.CUSTOMER_ENDED)

    truth = world.create({"source_id": wanted.source_id}, written)
    _add(world, truth, status=wanted.status)
    return reply(200, _row(_Seen(world, truth, world.present)))


def _say(call: Call, world: World, truth: Truth) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Said)
    except msgspec.ValidationError as error:
        return _refusal(422, str(error))
    is_incoming = wanted.message_type == "incoming"
    kind = _INCOMING if is_incoming else _OUTGOING
    opens = "open" if is_incoming and _Seen(world, truth, world.present).status == "resolved" else None
    _add(world, truth, kind=kind, content=wanted.content, by="person", private=wanted.private, status=opens)
    return reply(200, _all_messages(_Seen(world, truth, world.present))[-1])


def _toggle(call: Call, world: World, truth: Truth) -> Response:
    status = (call.json or {}).get("status")
    if status not in _STATUSES:
        return reply(422, {"message": "Status is not included in the list", "attributes": ["status"]})
    if status == "resolved":
        world.end(truth)
    _add(world, truth, status=status)
    told = {"success": True, "current_status": status, "conversation_id": world.id(truth)}
    return reply(200, {"meta": {}, "payload": told})


def _add(world: World, truth: Truth, *, kind: int = _OUTGOING, content: str | None = None, **more: Any) -> None:
    before: tuple[dict[str, Any], ...] = world.notes(truth).get("added", ())
    world.note(truth, added=(*before, _entry(0, world.present, kind, content, **more)))


# what it delivers
# https://www.chatwoot.com/docs/product/others/webhook-events

_TYPES = ("incoming", "outgoing", "activity", "template")


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    moments = [("conversation_created", truth.created), ("conversation_status_changed", truth.ended)]
    if truth.answered is not None:
        moments.append(("message_created", truth.ended + TRANSCRIPT_DELAY))
        if fate(truth, world.present) is not None:
            moments.append(("conversation_updated", truth.ended + LATER))
    return [_delivery(world, truth, *one) for one in moments if one[1] < inf]


def _delivery(world: World, truth: Truth, kind: str, moment: float) -> Delivery:
    """Return an event: the object itself, with the event's name in it; messages have other types than in the API."""
    seen = _Seen(world, truth, moment)
    row: dict[str, Any] = {**_row(seen), "messages": [_delivered(one) for one in _all_messages(seen)[-1:]]}
    if kind == "message_created":
        about = {"id": 1, "name": "Simulated"}
        nested = {
            "conversation": row,
            "account": about,
            "inbox": {"id": row["inbox_id"], "name": row["meta"]["channel"]},
        }
        row = {**_delivered(_all_messages(seen)[-1]), **nested}
    elif kind != "conversation_created":
        row["changed_attributes"] = [{"status": {"previous_value": "pending", "current_value": row["status"]}}]
    return Delivery(moment, kind, msgspec.json.encode({"event": kind, **row}))


def _delivered(message: Mapping[str, Any]) -> dict[str, Any]:
    created = datetime.fromtimestamp(message["created_at"], UTC).isoformat().replace("+00:00", ".000Z")
    return {**message, "message_type": _TYPES[message["message_type"]], "created_at": created}


def _signed(delivery: Delivery, secret: str) -> dict[str, str]:
    stamp = str(int(delivery.moment))
    digest = hmac.new(secret.encode(), f"{stamp}.".encode() + delivery.body, hashlib.sha256).hexdigest()
    id = hashlib.sha256(delivery.body).hexdigest()[:32]
    return {"X-Chatwoot-Timestamp": stamp, "X-Chatwoot-Signature": f"sha256={digest}", "X-Chatwoot-Delivery": id}


# what it refuses
# app/controllers/concerns/request_exception_handler.rb in https://github.com/chatwoot/chatwoot


def _refusal(status: int, words: str) -> Response:
    if status == 429:
        return Response(status, {"content-type": "text/plain"}, b"Retry later\n")
    return reply(status, {"error": words})


_UNKNOWN = _refusal(404, "Resource could not be found")

SIMULATED = Simulated(
    prefix="41",
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="simulated-key",
    settings={"account_id": _ACCOUNT},
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret="chatwoot-simulated-webhook-secret",  # noqa: S106  (simulated, like everything here)
)
