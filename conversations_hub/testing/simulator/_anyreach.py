"""AnyReach as its documentation describes it: a bare array, newest first, with a cursor the client makes of a date."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice, takewhile
from math import inf
from typing import Any

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._instants import in_seconds
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, iso, one_of, positive, reply, whole

__all__ = ["SIMULATED", "answer"]

_ORGANIZATION = "org_simulated"
_DEFAULT_LIMIT = 50
_MOST = 100
"""Neither is documented; more is cut to this without a word."""
_PICK_UP = 8.0
"""Seconds until somebody answers a call that was asked for."""
_LAG = 10.0
"""Seconds by which the saved history of a live conversation lags behind."""

_CHANNELS = {"telephone": Channel.PHONE, "webrtc": Channel.WEB, "text": Channel.CHAT, "email": Channel.EMAIL}
_CHANNEL_WORDS = {channel: word for word, channel in _CHANNELS.items()}
# https://docs.anyreach.ai/conversations/statuses
_ENDINGS = {
    EndReason.ERROR: "failed",
    EndReason.CANCELLED: "cancelled",
    EndReason.TRANSFERRED: "transferred",
    EndReason.NO_ANSWER: "unanswered",
}


def answer(call: Call, world: World) -> Response:
    """Answer as AnyReach does."""
    refused = _refused(call)
    if refused is not None:
        return refused
    match call.method, call.segments:
        case "GET", ("core", "conversations"):
            return _list(call, world)
        case "GET", ("core", "conversations", id):
            truth = world.find(id)
            return _UNKNOWN if truth is None else reply(200, _record(call, world, truth))
        case "GET", ("admin", "members", "me", "scopes"):
            return reply(200, _scopes(call))
        case "POST", ("core", "conversations", *rest):
            return _manage(call, world, tuple(rest))
        case _:
            return reply(404, {"detail": "Not Found"})


# https://docs.anyreach.ai/api-reference/authentication
def _refused(call: Call) -> Response | None:
    key = call.bearer
    kind = re.match(r"(?:ak_|pat_)?", key)
    if not key or key[kind.end() if kind else 0 :].startswith("bad"):
        return reply(401, {"detail": "Invalid or missing authentication token."})
    if key.startswith("pat_") and not call.headers.get("x-anyreach-org"):
        return reply(401, {"detail": "Token is missing organization claim."})
    return None


def _scopes(call: Call) -> list[str]:
    reads = ["conversations:read"]
    return reads if _reads_only(call) else [*reads, "conversations:read_sensitive", "conversations:manage"]


def _reads_only(call: Call) -> bool:
    return call.bearer.startswith(("ak_readonly", "pat_readonly"))


# https://docs.anyreach.ai/api-reference/conversations/list-conversations
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        details = [{"type": "value_error", "loc": ["query", name], "msg": "Invalid value"} for name in wrong]
        return reply(422, {"detail": details})
    newest = world.newest(until=asked.get("created_before"), before=asked.get("cursor"))
    recent = takewhile(lambda truth: truth.created >= asked.get("created_after", -inf), newest)
    matching = (truth for truth in recent if _matches(world, truth, asked))
    page = islice(matching, min(asked.get("limit", _DEFAULT_LIMIT), _MOST))
    return reply(200, [_record(call, world, truth) for truth in page])


def _cursor(text: str) -> float | None:
    try:
        return in_seconds(base64.b64decode(text, validate=True).decode())
    except ValueError:
        return None


def _object(text: str) -> dict[str, Any] | None:
    return Call("GET", "/", body=text.encode()).json


_READERS: dict[str, Callable[[str], Any]] = {
    "direction": one_of(("inbound", "outbound")),
    "channel": one_of(_CHANNELS),
    "status": one_of({"token_created", "triggered", "ringing", "in_progress", "completed", *_ENDINGS.values()}),
    "duration_above": whole,
    "duration_below": whole,
    "user_turn_count_above": whole,
    "user_turn_count_below": whole,
    "created_after": in_seconds,
    "created_before": in_seconds,
    "custom_metadata": _object,
    "cursor": _cursor,
    "limit": positive,
}


# https://docs.anyreach.ai/conversations/search-and-filters
def _matches(world: World, truth: Truth, asked: dict[str, Any]) -> bool:
    if not asked.keys() - {"limit", "cursor", "created_after", "created_before"}:
        return True
    row, held = _safe(world, truth), _metadata(world, truth)
    exact = ("direction", "channel", "status", "agent_id", "agent_version_id", "web_widget_id")
    within = ("user_id", "agent_number")
    wanted = {name.partition(".")[2]: text for name, text in asked.items() if name.startswith("custom_metadata.")}
    wanted |= asked.get("custom_metadata", {})
    return (
        all(row[name] == asked[name] for name in exact if name in asked)
        and all(asked[name].lower() in (row[name] or "").lower() for name in within if name in asked)
        and all(_lies(row[name], asked.get(f"{name}_above"), asked.get(f"{name}_below")) for name in _COUNTED)
        and all(held.get(name) == value for name, value in wanted.items())
    )


_COUNTED = ("duration", "user_turn_count")


def _lies(value: int | None, least: int | None, most: int | None) -> bool:
    if value is None:
        return least is None and most is None
    return (least is None or value >= least) and (most is None or value <= most)


# https://docs.anyreach.ai/api-reference/conversations/get-a-conversation
def _record(call: Call, world: World, truth: Truth) -> dict[str, Any]:
    safe = _safe(world, truth)
    return safe if _reads_only(call) else safe | _sensitive(world, truth)


def _safe(world: World, truth: Truth) -> dict[str, Any]:
    present, details = world.present, world.details(truth)
    over = truth.ended <= present
    agent = _agent(truth, details)
    numbers = {Channel.PHONE: "+14155550199", Channel.EMAIL: "desk@example.com"}
    return {
        "id": world.id(truth),
        "organization_id": _ORGANIZATION,
        "direction": "outbound" if truth.direction == Direction.OUTBOUND else "inbound",
        "user_id": details.get("user_id") or _user(truth),
        "agent_number": details.get("agent_number") or numbers.get(truth.channel),
        "agent_id": agent,
        "agent_version_id": details.get("agent_version_id") or f"{agent}_v{1 + truth.variant % 3}",
        "web_widget_id": "widget_1" if truth.channel == Channel.WEB else None,
        "trunk_id": "trunk_1" if truth.channel == Channel.PHONE else None,
        "channel": _CHANNEL_WORDS[truth.channel],
        "duration": int(truth.ended - truth.created) if over else None,
        "user_turn_count": world.user_turns(truth) if over else None,
        "status": _status(truth, present),
        "created_at": iso(truth.created, "+00:00"),
        "updated_at": iso(truth.ended if over else truth.created, "+00:00"),
    }


def _user(truth: Truth) -> str:
    if truth.channel == Channel.PHONE:
        return truth.phone
    if truth.channel == Channel.EMAIL:
        return f"{truth.facts['name'].lower()}@example.com"
    return f"guest_{truth.customer:04x}"


def _status(truth: Truth, present: float) -> str:
    waiting = "token_created" if truth.channel == Channel.WEB else "triggered"
    match truth.phase(present):
        case Phase.QUEUED:
            return waiting
        case Phase.RINGING:
            return "ringing" if truth.channel == Channel.PHONE else waiting
        case Phase.LIVE:
            return "in_progress"
        case _ if truth.answered is None and truth.channel == Channel.WEB and truth.ending == EndReason.NO_ANSWER:
            return waiting  # a web session nobody ever started
        case _:
            return _ENDINGS.get(truth.ending, "completed")


# https://docs.anyreach.ai/conversations/permissions-and-data-access
def _sensitive(world: World, truth: Truth) -> dict[str, Any]:
    phase, details = truth.phase(world.present), world.details(truth)
    written = truth.channel == Channel.CHAT  # nothing has to be transcribed
    settled = truth.answered is not None and (phase == Phase.SETTLED or (written and phase == Phase.PROCESSING))
    spoken = settled and truth.channel in {Channel.PHONE, Channel.WEB}
    signed = iso(world.present).partition(".")[0].replace("-", "").replace(":", "")
    url = f"https://media.example.com/{world.id(truth)}.mp3?X-Amz-Date={signed}Z&X-Amz-Expires=3600"
    return {
        "agent": {"id": _agent(truth, details), "name": truth.scenario.agent},
        "summary": truth.summary if settled else None,
        "initial_context": details.get("initial_context") or "",
        "custom_metadata": _metadata(world, truth) or None,
        "conversation": _history(world, truth) if settled or phase == Phase.LIVE else None,
        "recording_details": {"recording_url": url} if spoken else None,
    }


def _agent(truth: Truth, details: Mapping[str, Any]) -> str:
    return details.get("agent_id") or f"agent_{truth.scenario.number}"


def _metadata(world: World, truth: Truth) -> dict[str, Any]:
    details = world.details(truth)
    if details:
        return details.get("custom_metadata") or {}
    campaign = {"anyreach_campaign": "spring"} if truth.direction == Direction.OUTBOUND else {}
    return {"order_id": truth.facts["order"], **campaign} if truth.variant & 1 else {}


# https://docs.anyreach.ai/conversations/conversation-detail
# Messages and tool calls in one list, calls and outputs paired by call_id; how the list is named is not documented.
def _history(world: World, truth: Truth) -> dict[str, Any]:
    began = truth.answered or truth.created
    lags = truth.channel != Channel.CHAT and truth.ended > world.present
    known = world.present - began - (_LAG if lags else 0.0)
    turns = [turn for turn in world.turns(truth) if turn.start <= known]
    plain = truth.variant >> 1 & 3 == 0
    items = [item for place, turn in enumerate(turns) for item in _items(turn, f"item_{place + 1}", began, plain=plain)]
    return {"messages": items} if plain else {"items": items}


def _items(turn: Turn, id: str, began: float, *, plain: bool) -> Iterator[dict[str, Any]]:
    if turn.tool is not None:
        named = {"call_id": turn.tool.call_id, "name": turn.tool.name}
        yield {"id": id, "type": "function_call", **named, "arguments": turn.tool.arguments}
        output = {"output": turn.tool.result, "is_error": turn.tool.is_error}
        yield {"id": f"{id}_out", "type": "function_call_output", **named, **output}
    elif plain:
        role = "agent" if turn.role == Role.ASSISTANT else "user"
        yield {"id": id, "role": role, "content": turn.text, "created_at": iso(began + turn.start, "+00:00")}
    else:
        said: dict[str, Any] = {"id": id, "type": "message", "role": turn.role.value, "content": [turn.text]}
        said |= {"interrupted": turn.interrupted, "created_at": round(began + turn.start, 3)}
        if turn.latency:
            said["metrics"] = {
                "e2e_latency": turn.latency,
                "llm_node_ttft": round(turn.latency * 0.5, 3),
                "tts_node_ttfb": round(turn.latency * 0.2, 3),
            }
        yield said


# what calls change


def _manage(call: Call, world: World, rest: tuple[str, ...]) -> Response:
    if _reads_only(call):
        return reply(403, {"detail": "Your role does not grant access to this action."})
    if not rest:
        return _create(call, world)
    truth = world.find(rest[0])
    if truth is None:
        return _UNKNOWN
    match rest[1:]:
        case ("messages",):
            return _message(call, world, truth)
        case ("end",):
            return _end(world, truth)
        case _:
            return reply(404, {"detail": "Not Found"})


# https://docs.anyreach.ai/api-reference/conversations/create-a-conversation
def _create(call: Call, world: World) -> Response:
    body = call.json
    wrong = _wrong_with(body)
    if body is None or wrong:
        return reply(422, {"detail": wrong})
    channel = _CHANNELS[body["channel"]]

    def asked_for(truth: Truth) -> Truth:
        if channel == Channel.CHAT:  # the caller writes the user's side, for as long as they like
            return replace(
                truth, channel=channel, direction=Direction.INBOUND, answered=world.present, ended=inf, exchanges=0
            )
        answered = truth.created + _PICK_UP
        direction = Direction.INBOUND if channel == Channel.WEB else Direction.OUTBOUND
        return replace(truth, channel=channel, direction=direction, answered=answered, ended=answered + truth.planned)

    truth = world.create(body, asked_for)
    made: dict[str, Any] = {"conversation": _record(call, world, truth)}
    if channel == Channel.CHAT:
        made["starting_message"] = truth.scenario.greeting
    elif channel == Channel.WEB:
        made["token"] = f"simulated-join-token-{world.id(truth)}"
    return reply(202 if channel == Channel.PHONE else 200, made)


def _wrong_with(body: dict[str, Any] | None) -> str | None:
    if body is None:
        return "The body must be a JSON object"
    channel, user = body.get("channel"), body.get("user_id")
    if channel not in _CHANNELS:
        return f"channel must be one of {', '.join(_CHANNELS)}"
    if not isinstance(user, str) or not user:
        return "user_id is required"
    if channel == "telephone" and not re.fullmatch(r"\+[1-9][0-9]{6,14}", user):
        return "user_id must be an E.164 number for telephone"
    if channel == "email" and not body.get("to_address"):
        return "to_address is required for email"
    agents = sum(bool(body.get(name)) for name in ("agent_id", "agent_version_id", "agent_config"))
    if agents == 1 or (agents == 0 and channel == "telephone" and body.get("agent_number")):
        return None
    return "Exactly one of agent_id, agent_version_id and agent_config is required"


# https://docs.anyreach.ai/api-reference/conversations/send-a-message
def _message(call: Call, world: World, truth: Truth) -> Response:
    body = call.json or {}
    text, interactivity = body.get("text"), body.get("interactivity", "plain")
    if not isinstance(text, str) or not text or interactivity not in {"plain", "rich"}:
        return reply(422, {"detail": "text is required; interactivity is plain or rich"})
    if truth.channel != Channel.CHAT or truth.phase(world.present) != Phase.LIVE:
        return reply(409, {"detail": "Messages can only be sent to live text conversations"})
    began = truth.answered or truth.created
    start = round(world.present - began, 3)
    _, words = truth.scenario.exchanges[world.user_turns(truth) % len(truth.scenario.exchanges)]
    said = words.format_map(truth.facts)
    world.say(truth, Turn(Role.USER, text, start, 0.0), Turn(Role.ASSISTANT, said, start, 0.0, latency=0.4))
    widgets = {"widgets": [{"type": "info", "data": {"title": truth.title}}]} if interactivity == "rich" else {}
    return reply(200, {"conversation_id": world.id(truth), "reply": said, "tool_calls": [], **widgets})


# https://docs.anyreach.ai/api-reference/conversations/end-a-conversation
def _end(world: World, truth: Truth) -> Response:
    if truth.channel != Channel.CHAT:
        return reply(409, {"detail": "Only text conversations can be ended"})
    truth = world.end(truth)
    settled = truth.phase(world.present) == Phase.SETTLED
    said = {"duration": int(truth.ended - truth.created), "summary": truth.summary if settled else None}
    return reply(200, {"conversation_id": world.id(truth), "status": "completed", **said})


# https://docs.anyreach.ai/workflows/triggers/agent-embedded
# A workflow sends whatever its author wrote; this one passes its trigger on.
def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    def told(kind: str) -> bytes:
        number = truth.phone if truth.channel == Channel.PHONE else None
        trigger = {"type": kind, "conversation_id": world.id(truth), "phone_number": number}
        return msgspec.json.encode({"trigger": trigger})

    after = truth.ended + TRANSCRIPT_DELAY
    moments = {"pre_call": truth.created, "post_call": after}
    return [Delivery(moment, kind, told(kind)) for kind, moment in moments.items()]


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"detail": words})


_UNKNOWN = reply(404, {"detail": "Conversation not found"})

SIMULATED = Simulated(
    prefix="conv_",
    answer=answer,
    refusal=_refusal,
    key=lambda call: call.bearer,
    api_key="ak_simulated.key",
    settings={"org_id": _ORGANIZATION},
    deliveries=_deliveries,
)
