"""Beyond Presence as its specification describes it: no filter, no end reason, a status that is an object."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from math import inf
from typing import Annotated, Any

import msgspec

from ...schema import EndReason, Role
from ...wire import Response
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, at_most, dated, iso, reply

__all__ = ["SIMULATED", "answer"]

_DEFAULT_LIMIT = 10
_MOST = 50
_AGENT = "01929f00-aaaa-7000-8000-000000000"


def answer(call: Call, world: World) -> Response:
    """Answer as Beyond Presence does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    key = _key(call)
    if not key or key.startswith("bad"):
        return _refusal(401, "Missing or invalid API key")
    match call.method, call.segments:
        case "GET", ("v1", "auth", "verify"):
            return Response(204, {}, b"")
        # One thing has two names: the specification has calls, newer pages have conversations.
        # https://docs.bey.dev/api-reference/agent-conversations/list-conversation-messages
        case "GET", ("v1", "calls" | "conversations"):
            return _list(call, world)
        case "POST", ("v1", "calls"):
            return _create(call, world)
        case "GET", ("v1", "calls" | "conversations", id):
            truth = world.find(id)
            return _UNKNOWN if truth is None else reply(200, _call(world, truth))
        case "GET", ("v1", "calls" | "conversations", id, "messages"):
            truth = world.find(id)
            return _UNKNOWN if truth is None else reply(200, _messages(world, truth))
        case _:
            return _refusal(404, "Not Found")


# https://docs.bey.dev/openapi.json


def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return _invalid(*(("query", name, _COMPLAINTS[name]) for name in wrong))
    size: int = asked.get("limit", _DEFAULT_LIMIT)
    found = list(islice(world.newest(before=asked.get("cursor", inf)), size + 1))
    page: dict[str, Any] = {"data": [_call(world, truth) for truth in found[:size]]}
    if len(found) > size:
        last = found[size - 1]
        page["next_cursor"] = base64.urlsafe_b64encode(msgspec.json.encode({"before": last.created})).decode()
    # It has a default, so it may be left out.
    if not found or found[0].variant & 1:
        page["has_more"] = len(found) > size
    return reply(200, page)


class _Cursor(msgspec.Struct):
    before: float


def _cursor(text: str) -> float | None:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=_Cursor).before
    except (ValueError, msgspec.MsgspecError):
        return None


_READERS: dict[str, Callable[[str], Any]] = {"limit": at_most(_MOST), "cursor": _cursor}
_COMPLAINTS = {"limit": f"Input should be greater than 0 and at most {_MOST}", "cursor": "Invalid cursor"}


def _call(world: World, truth: Truth) -> dict[str, Any]:
    details = world.details(truth)
    if details:
        told = {name: details[name] for name in ("user_name", "user_email", "tags") if name in details}
        return {"id": world.id(truth), "agent_id": details["agent_id"], **told, "status": _status(world, truth)}
    name = truth.facts["name"]
    return {
        "id": world.id(truth),
        "agent_id": f"{_AGENT}{truth.scenario.number}",
        "user_name": name if truth.variant >> 1 & 1 else None,
        "user_email": f"{name.lower()}@example.com" if truth.variant >> 2 & 1 else None,
        **({"tags": {"source": "pricing", "city": truth.facts["city"]}} if truth.variant >> 3 & 1 else {}),
        "status": _status(world, truth),
    }


def _status(world: World, truth: Truth) -> dict[str, str]:
    present = world.present
    # A call that nobody joins has no way to end.
    if truth.answered is None or present < truth.answered:
        return {"type": "to_start"}
    started = _whole(truth.answered)
    if present < truth.ended:
        return {"type": "ongoing", "started_at": started}
    return {"type": "completed", "started_at": started, "ended_at": _whole(truth.ended)}


def _whole(moment: float) -> str:
    """Return a moment in whole seconds, as in the vendor's examples."""
    return iso(math.floor(moment)).replace(".000000", "")


def _messages(world: World, truth: Truth) -> list[dict[str, str]]:
    """Return what was said so far; nothing in the minute after the end, while it is written down."""
    if truth.phase(world.present) is Phase.PROCESSING:
        return []
    return [_message(truth, turn) for turn in world.turns(truth) if turn.tool is None]


def _message(truth: Truth, turn: Turn) -> dict[str, str]:
    sender = "ai" if turn.role is Role.ASSISTANT else "user"
    return {"message": turn.text, "sent_at": _whole((truth.answered or 0.0) + turn.start), "sender": sender}


class _Wanted(msgspec.Struct):
    agent_id: str
    user_name: str | None = None
    user_email: str | None = None
    tags: Annotated[
        dict[
            Annotated[str, msgspec.Meta(min_length=1, max_length=30)],
            Annotated[str, msgspec.Meta(min_length=1, max_length=100)],
        ],
        msgspec.Meta(max_length=10),
    ] = {}


def _create(call: Call, world: World) -> Response:
    body = call.json
    try:
        msgspec.convert(body, _Wanted)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$.")
        return _invalid(("body", place.strip("`"), words))

    def nobody_joins(truth: Truth) -> Truth:
        return replace(truth, answered=None, ending=EndReason.NO_ANSWER)

    truth = world.create(body or {}, nobody_joins)
    secret = {"livekit_url": "wss://simulated.livekit.example", "livekit_token": _token(world.id(truth))}
    return reply(201, _call(world, truth) | secret)


def _token(id: str) -> str:
    parts = (b'{"alg":"HS256","typ":"JWT"}', msgspec.json.encode({"room": id}), b"simulated-signature")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


# what it delivers: https://docs.bey.dev/integrations/managed-agents/webhook-events


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    if truth.answered is None:
        return []
    call = _call(world, truth)
    about = {"userName": call.get("user_name"), "agentId": call["agent_id"]}
    spoken = [turn for turn in world.turns(truth) if turn.tool is None]
    found = [
        _delivery(
            truth.answered + turn.start,
            {
                "event_type": "message",
                "call_id": call["id"],
                "message": _message(truth, turn),
                "call_data": about,
            },
        )
        for turn in spoken
    ]
    if truth.ended <= world.present:
        evaluation = {
            "topic": truth.title,
            "user_sentiment": "positive" if truth.success else "neutral",
            "duration_minutes": round(truth.duration / 60, 2),
            "messages_count": len(spoken),
        }
        ended = {
            "event_type": "call_ended",
            "call_id": call["id"],
            "user_name": call.get("user_name"),
            "evaluation": evaluation,
            "messages": [_message(truth, turn) for turn in spoken],
        }
        found.append(_delivery(truth.ended + TRANSCRIPT_DELAY, ended))
    return found


def _delivery(moment: float, event: dict[str, Any]) -> Delivery:
    return Delivery(moment, event["event_type"], msgspec.json.encode(event))


# refusals


def _key(call: Call) -> str:
    return call.headers.get("x-api-key", "")


_Complaint = tuple[str, str, str]
"""Where the value is, its name, and what is wrong with it."""


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"detail": words})


def _invalid(*complaints: _Complaint) -> Response:
    detail = [
        {"loc": [place, *([name] if name else [])], "msg": words, "type": "value_error"}
        for place, name, words in complaints
    ]
    return reply(422, {"detail": detail})


_UNKNOWN = _refusal(404, "Call not found")

SIMULATED = Simulated(
    prefix="01929f3e-0d4b-7a51-8f5c-2b",
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="sk-simulated",
    deliveries=_deliveries,
)
