"""Intercom as its specification describes it: conversations that do not end for good, and HTML in their parts.

The first message is in `source`, the others are parts, which only `get` returns. A conversation that was closed may be
opened again days later; a search by `updated_at` finds it, in an order that moves.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import replace
from math import inf

import msgspec

from ....schema import Channel, Direction, EndReason, Role
from ....wire import Response
from .._later import LATER
from .._truth import TRANSCRIPT_DELAY, Truth, Turn
from .._world import Call, Delivery, Simulated, World, dated, reply
from ._calls import CALL, calls, calls_of, one_call, voice
from ._refusal import UNKNOWN, invalid, refusal
from ._search import list_all, search
from ._seen import all_parts, list_of, row, seen_at, whole

__all__ = ["SIMULATED", "answer"]


def answer(call: Call, world: World) -> Response:
    """Answer as Intercom does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if not call.bearer or call.bearer.startswith("bad"):
        return refusal(401, "Access Token Invalid", "unauthorized")
    version = call.headers.get("intercom-version", "2.16")
    if not re.fullmatch(r"1\.[0-4]|2\.([0-9]|1[0-6])|Unstable", version):
        return refusal(400, "The requested version does not exist", "intercom_version_invalid")
    match call.method, call.segments:
        case "GET", ("conversations",):
            return list_all(call, world)
        case "POST", ("conversations",):
            return _create(call, world)
        case "POST", ("conversations", "search"):
            return search(call, world)
        case method, ("conversations", id, *rest):
            truth = world.find(id)
            return UNKNOWN if truth is None else _about(method, tuple(rest), call, world, truth)
        case _:
            return _about_calls(call, world)


def _about_calls(call: Call, world: World) -> Response:
    match call.method, call.segments:
        case "GET", ("calls",):
            return calls(call, world)
        case "POST", ("calls", "search"):
            return calls_of(call, world)
        case "GET", ("calls", id, *rest) if id.startswith(CALL):
            truth = world.find(id.removeprefix(CALL))
            return UNKNOWN if truth is None else one_call(tuple(rest), world, truth)
        case "GET", ("fin_voice", "conversation", id):
            truth = world.find(id)
            return UNKNOWN if truth is None else voice(world, truth)
        case _:
            return UNKNOWN


def _about(method: str, rest: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            plain = call.query.get("display_as") == "plaintext"
            return reply(200, whole(world, truth, plain=plain))
        case "DELETE", ():
            world.delete(truth)
            return reply(200, {"id": world.id(truth), "object": "conversation", "deleted": True})
        case "POST", ("reply",):
            return _reply(call, world, truth)
        case "POST", ("parts",):
            return _manage(call, world, truth)
        case _:
            return UNKNOWN


# what calls change


class _From(msgspec.Struct):
    type: str
    id: str


class _Created(msgspec.Struct, rename={"sender": "from"}):
    sender: _From
    body: str
    subject: str | None = None


class _Reply(msgspec.Struct):
    message_type: str
    type: str
    body: str
    admin_id: str | None = None


class _Managed(msgspec.Struct):
    message_type: str
    type: str
    admin_id: str
    body: str | None = None


def _create(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Created)
    except msgspec.ValidationError as error:
        return invalid(str(error))

    def written(truth: Truth) -> Truth:
        said = (Turn(Role.USER, wanted.body, 0.0, 0.0),)
        chat = replace(truth, channel=Channel.CHAT, direction=Direction.INBOUND, said=said)
        return replace(chat, answered=truth.created, ended=inf, ending=EndReason.CUSTOMER_ENDED)

    truth = world.create({"contact": wanted.sender.id}, written)
    message = {"type": "user_message", "id": f"4039{truth.index}", "created_at": int(truth.created)}
    more = {"subject": wanted.subject, "body": wanted.body, "message_type": "inapp"}
    return reply(200, {**message, **more, "conversation_id": world.id(truth)})


def _reply(call: Call, world: World, truth: Truth) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Reply)
    except msgspec.ValidationError as error:
        return invalid(str(error))
    if wanted.message_type not in {"comment", "note"} or wanted.type not in {"user", "admin"}:
        return invalid("message_type or type is invalid")
    if wanted.type == "admin" and not wanted.admin_id:
        return invalid("admin_id is required")
    opens = "open" if wanted.type == "user" else None
    kind = "open" if opens and seen_at(world, truth).state != "open" else wanted.message_type
    _add(world, truth, kind, wanted, opens)
    return _answered(world, truth)


def _manage(call: Call, world: World, truth: Truth) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Managed)
    except msgspec.ValidationError as error:
        return invalid(str(error))
    state = {"close": "closed", "open": "open", "snoozed": "snoozed"}.get(wanted.message_type)
    if state is None:
        return invalid("message_type is invalid")
    _add(world, truth, wanted.message_type, wanted, state)
    if state == "closed":
        world.end(truth)
    return _answered(world, truth)


def _add(world: World, truth: Truth, kind: str, wanted: _Reply | _Managed, state: str | None) -> None:
    about = {"by": wanted.type, "body": wanted.body, "admin": wanted.admin_id}
    part = {"type": kind, "state": state, "at": world.present, **about}
    world.note(truth, parts=(*world.notes(truth).get("parts", ()), part))


def _answered(world: World, truth: Truth) -> Response:
    found = world.find(world.id(truth))
    return UNKNOWN if found is None else reply(200, whole(world, found))


# what it delivers
# https://developers.intercom.com/docs/references/webhooks/webhook-models


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    moments = [("conversation.user.created", truth.created), ("conversation.admin.closed", truth.ended)]
    if truth.answered is not None:
        moments.append(("conversation.operator.replied", truth.ended + TRANSCRIPT_DELAY))
        late = seen_at(world, truth, truth.ended + LATER)
        if late.fate is not None and late.moment <= world.present:
            moments.append((_TOPICS[late.fate], late.moment))
    return [_delivery(world, truth, *one) for one in moments if one[1] < inf]


_TOPICS = {
    "opened": "conversation.user.replied",
    "snoozed": "conversation.admin.snoozed",
    "noted": "conversation.admin.noted",
}


def _delivery(world: World, truth: Truth, topic: str, moment: float) -> Delivery:
    """Return a notification: it has the part that caused it, in plain text."""
    seen = seen_at(world, truth, moment)
    parts = list_of(all_parts(seen, plain=True)[-1:])
    at = int(moment)
    id = hashlib.sha256(f"{world.id(truth)}{topic}".encode()).hexdigest()
    body = {
        "type": "notification_event",
        "id": f"notif_{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:32]}",
        "topic": topic,
        "app_id": "simulated",
        "created_at": at,
        "delivery_attempts": 1,
        "first_sent_at": at,
        "delivery_status": "pending",
        "delivered_at": 0,
        "self": None,
        "links": {},
        "data": {
            "type": "notification_event_data",
            "item": row(seen, plain=True) | {"conversation_parts": parts},
        },
    }
    return Delivery(moment, topic, msgspec.json.encode(body))


def _signed(delivery: Delivery, secret: str) -> dict[str, str]:
    return {"X-Hub-Signature": f"sha1={hmac.new(secret.encode(), delivery.body, hashlib.sha1).hexdigest()}"}


SIMULATED = Simulated(
    prefix="2154",
    answer=answer,
    refusal=refusal,
    key=lambda call: call.bearer,
    api_key="simulated-key",
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret="intercom-simulated-client-secret",  # noqa: S106  (simulated, like everything here)
    limit_headers=("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
    limit_resets_at=True,
)
