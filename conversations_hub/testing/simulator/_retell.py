"""Retell as its documentation and its clients describe it: lists are searches, and calls and chats lie apart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import operator
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice, takewhile
from math import inf, isfinite
from typing import Annotated, Any, Literal

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, iso, reply

__all__ = ["SIMULATED", "answer"]

_DEFAULT_LIMIT = 50
_MOST = 1000
_ANALYSIS_DELAY = 30.0
"""Seconds from a transcript to its analysis."""
_PICK_UP = 8.0
_LONGEST_WAIT = 20.0
"""Seconds in which a call is answered, if it is."""
_NUMBER = "+14155550199"

# How much of its calls an agent lets be stored; not of those of the last hour, since when they let everything be.
_STORED = {106: "everything_except_pii", 107: "basic_attributes_only"}
_LAST_HOUR = 3600.0


def answer(call: Call, world: World) -> Response:
    """Answer as Retell does."""
    key = call.bearer.removeprefix("key_")
    if not key or key.startswith("bad"):
        return _refusal(401, "API key is missing or invalid.")
    match call.method, call.segments:
        case "POST", ("v3", "list-calls" | "list-chats" as path):
            return _list(call, world, path.removeprefix("list-"))
        case "POST", (*_, "create-phone-call" | "create-web-call" | "create-chat" | "create-sms-chat" as path):
            return _create(call, world, "/".join(call.segments), path)
        case "POST", ("create-chat-completion",):
            return _complete(call, world)
        case method, (*version, action, id) if (method, *version, action) in _ACTIONS:
            return _about(method, world, _found(world, id, _ACTIONS[method, *version, action]))
        case _:
            return _NO_PATH


_ACTIONS: dict[tuple[str, ...], str] = {
    ("GET", "v2", "get-call"): "call_",
    ("DELETE", "v2", "delete-call"): "call_",
    ("POST", "v2", "stop-call"): "call_",
    ("GET", "get-chat"): "chat_",
    ("DELETE", "delete-chat"): "chat_",
    ("PATCH", "end-chat"): "chat_",
}


def _found(world: World, id: str, prefix: str) -> Truth | None:
    truth = world.find(f"call_{id.removeprefix(prefix)}")
    return truth if truth is not None and _id(world, truth) == id else None


def _about(method: str, world: World, truth: Truth | None) -> Response:
    if truth is None:
        return _UNKNOWN
    match method:
        case "GET":
            return reply(200, _record(world, truth, world.present))
        case "DELETE":
            world.delete(truth)
        case _:
            world.end(truth)
    return Response(204, {}, b"")


class _Enum(msgspec.Struct, tag_field="type", tag="enum"):
    op: Literal["in"]
    value: list[str]


class _String(msgspec.Struct, tag_field="type", tag="string"):
    op: Literal["eq", "ne", "sw", "ew", "co"]
    value: str


class _Number(msgspec.Struct, tag_field="type", tag="number"):
    op: Literal["eq", "ne", "gt", "ge", "lt", "le"]
    value: float


class _Range(msgspec.Struct, tag_field="type", tag="range"):
    op: Literal["bt"]
    value: tuple[float, float]


class _Boolean(msgspec.Struct, tag_field="type", tag="boolean"):
    op: Literal["eq"]
    value: bool


class _Agent(msgspec.Struct):
    agent_id: str
    version: list[int] | None = None


# https://docs.retellai.com/api-references/list-calls
class _Criteria(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    agent: list[_Agent] | None = None
    agent_tag: _Enum | None = None
    call_id: _String | _Enum | None = None
    call_status: _Enum | None = None
    chat_status: _Enum | None = None
    call_type: _Enum | None = None
    direction: _Enum | None = None
    disconnection_reason: _Enum | None = None
    data_storage_setting: _Enum | None = None
    user_sentiment: _Enum | None = None
    from_number: _String | None = None
    to_number: _String | None = None
    call_successful: _Boolean | None = None
    in_voicemail: _Boolean | None = None
    start_timestamp: _Number | _Range | None = None
    end_timestamp: _Number | _Range | None = None
    duration_ms: _Number | _Range | None = None
    combined_cost: _Number | _Range | None = None


class _Search(msgspec.Struct):
    limit: Annotated[int, msgspec.Meta(ge=1, le=_MOST)] = _DEFAULT_LIMIT
    sort_order: Literal["ascending", "descending"] = "descending"
    pagination_key: str | None = None
    include_total: bool = False
    filter_criteria: _Criteria = _Criteria()


_COMPARED: Mapping[str, Callable[[Any, Any], bool]] = {
    "in": lambda value, words: value in words,
    "bt": lambda value, bounds: bounds[0] <= value <= bounds[1],
    "eq": operator.eq,
    "ne": operator.ne,
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "sw": str.startswith,
    "ew": str.endswith,
    "co": operator.contains,
}


def _list(call: Call, world: World, what: str) -> Response:
    try:
        search = msgspec.json.decode(call.body or b"{}", type=_Search)
        boundary = None if search.pagination_key is None else _opened(search.pagination_key)
    except (msgspec.MsgspecError, ValueError) as error:  # of the body, of Base64 and of numbers
        return _refusal(400, f"Invalid request format: {error}")
    criteria = search.filter_criteria
    if criteria.call_status and "registered" in criteria.call_status.value:
        return _refusal(400, "Invalid request format: registered is no status to filter by")
    if search.sort_order == "descending":
        following = _newest(world, what, criteria, boundary)
    else:
        oldest = reversed(list(_newest(world, what, criteria, None)))
        following = (truth for truth in oldest if boundary is None or truth.created > boundary)
    found = list(islice(following, search.limit + 1))
    rows = found[: search.limit]
    page: dict[str, Any] = {"items": [_row(world, truth) for truth in rows], "has_more": len(found) > len(rows)}
    if rows:  # the last page has a key too
        page["pagination_key"] = _sealed(rows[-1].created)
    if search.include_total:
        page["total"] = sum(1 for _ in _newest(world, what, criteria, None))
    return reply(200, page)


def _newest(world: World, what: str, criteria: _Criteria, before: float | None) -> Iterator[Truth]:
    """Yield what matches by when it was created, which is the order of the starts too."""
    first, last = -inf, inf
    match criteria.start_timestamp:
        case _Range(value=(since, until)):
            first, last = since, until
        case _Number(op="ge" | "gt", value=since):
            first = since
        case _Number(op="lt" | "le", value=until):
            last = until
        case _:
            pass
    # What starts within a millisecond may have been created a little later in it.
    newest = world.newest(until=(last + 1) / 1000, before=before)
    recent = takewhile(lambda truth: truth.created > first / 1000 - _LONGEST_WAIT, newest)
    return (
        truth for truth in recent if _is_chat(world, truth) == (what == "chats") and _matches(world, truth, criteria)
    )


def _sealed(created: float) -> str:
    return base64.urlsafe_b64encode(f"after {created!r}".encode()).decode()


def _opened(key: str) -> float:
    return float(base64.urlsafe_b64decode(key).decode().removeprefix("after "))


def _matches(world: World, truth: Truth, criteria: _Criteria) -> bool:
    conditions = {name: wanted for name, wanted in msgspec.structs.asdict(criteria).items() if wanted is not None}
    if not conditions:
        return True
    row = _row(world, truth)
    agents: list[_Agent] | None = conditions.pop("agent", None)
    if agents is not None and not any(one.agent_id == row["agent_id"] for one in agents):
        return False
    row |= row.get("call_analysis", {}) | row.get("call_cost", {})
    return all(name in row and _COMPARED[wanted.op](row[name], wanted.value) for name, wanted in conditions.items())


# https://docs.retellai.com/api-references/get-call
def _row(world: World, truth: Truth) -> dict[str, Any]:
    record = _record(world, truth, world.present)
    return {name: value for name, value in record.items() if "transcript" not in name and "message_" not in name}


def _record(world: World, truth: Truth, at: float) -> dict[str, Any]:
    """Return a call or chat as it is shown at a moment."""
    return _chat(world, truth, at) if _is_chat(world, truth) else _call(world, truth, at)


def _call(world: World, truth: Truth, at: float) -> dict[str, Any]:
    details, is_phone = world.details(truth), truth.channel == Channel.PHONE
    shown: dict[str, Any] = {
        "call_id": _id(world, truth),
        "call_type": "phone_call" if is_phone else "web_call",
        "agent_id": _agent(truth, details),
        "agent_name": truth.scenario.agent,
        "agent_version": 1 + truth.variant % 3,
        "call_status": _status(truth, at),
    }
    if is_phone:
        is_outbound = truth.direction == Direction.OUTBOUND
        customer, ours = details.get("to_number") or truth.phone, details.get("from_number") or _NUMBER
        shown["direction"] = "outbound" if is_outbound else "inbound"
        shown["from_number"], shown["to_number"] = (ours, customer) if is_outbound else (customer, ours)
        shown["telephony_identifier"] = {"twilio_call_sid": f"CA{truth.index:032x}"}
    else:
        shown["access_token"] = _token(truth)
    # What was not given is left out, not null.
    given = dict(details) if details else {"metadata": {"order_id": truth.facts["order"]}} if truth.variant & 1 else {}
    if not details and truth.direction == Direction.OUTBOUND:
        given["retell_llm_dynamic_variables"] = {"customer_name": truth.facts["name"]}
    shown |= {name: given[name] for name in ("metadata", "retell_llm_dynamic_variables") if name in given}
    if truth.answered is not None and truth.answered <= at:
        shown["start_timestamp"] = _ms(truth.answered)
    return shown | _ended(world, truth, at) if truth.ended <= at else shown


def _ended(world: World, truth: Truth, at: float) -> dict[str, Any]:
    stored = _stored(world, truth)
    over: dict[str, Any] = {"disconnection_reason": _reason(truth), "data_storage_setting": stored, "duration_ms": 0}
    if truth.answered is not None:
        over["end_timestamp"] = _ms(truth.ended)
        over["duration_ms"] = _ms(truth.ended) - _ms(truth.answered)
        over["call_cost"] = _cost(truth)
        if truth.ending == EndReason.TRANSFERRED:
            over["transfer_destination"] = "+14155550190" if truth.variant & 2 else "sip:desk@example.com;transport=tls"
        if at >= _told_at(world, truth) and stored != "basic_attributes_only":
            over |= _told(world, truth, is_scrubbed=stored == "everything_except_pii")
    if at >= _told_at(world, truth) + _ANALYSIS_DELAY:
        over["call_analysis"] = _analysis(truth)
    return over


def _told_at(world: World, truth: Truth) -> float:
    """Return when all is written down that was said; what was written needs no time."""
    is_spoken = truth.answered is not None and not _is_chat(world, truth)
    return truth.ended + (TRANSCRIPT_DELAY if is_spoken else 0.0)


def _stored(world: World, truth: Truth) -> str:
    is_recent = truth.created > world.corpus.now - _LAST_HOUR
    return "everything" if is_recent else _STORED.get(truth.scenario.number, "everything")


def _told(world: World, truth: Truth, *, is_scrubbed: bool) -> dict[str, Any]:
    scrub = truth.facts["name"] if is_scrubbed else ""
    items = list(_items(truth, world.turns(truth), scrub))
    folder, signature = f"https://media.example.com/{_id(world, truth)}", ""
    if truth.variant & 4:
        stamp = iso(world.present).partition(".")[0].replace("-", "").replace(":", "")
        signature = f"?X-Amz-Date={stamp}Z&X-Amz-Expires=86400&X-Amz-Signature=simulated"
    told: dict[str, Any] = {"opt_in_signed_url": bool(signature), "public_log_url": f"{folder}/log.txt{signature}"}
    if is_scrubbed:
        told["scrubbed_transcript_with_tool_calls"] = items
        told["scrubbed_recording_url"] = f"{folder}/scrubbed_recording.wav{signature}"
        return told | _measured(world, truth)
    spoken = [item for item in items if item["role"] in {"agent", "user"}]
    told["transcript"] = "".join(f"{item['role'].title()}: {item['content']}\n" for item in spoken)
    told["transcript_object"] = [item for item in items if "words" in item]
    told["transcript_with_tool_calls"] = items
    told["recording_url"] = f"{folder}/recording.wav{signature}"
    told["recording_multi_channel_url"] = f"{folder}/recording_multichannel.wav{signature}"
    return told | _measured(world, truth)


def _items(truth: Truth, turns: tuple[Turn, ...], scrub: str) -> Iterator[dict[str, Any]]:
    for place, turn in enumerate(turns):
        if turn.tool is not None:
            named = {"tool_call_id": turn.tool.call_id}
            asked = {"name": turn.tool.name, "arguments": turn.tool.arguments}
            yield {"role": "tool_call_invocation", **named, **asked}
            answered = {"content": turn.tool.result, "successful": not turn.tool.is_error}
            yield {"role": "tool_call_result", **named, **answered}
            continue
        text = turn.text.replace(scrub, "[PERSON_NAME]") if scrub else turn.text
        # Words may be missing altogether.
        words = [] if truth.variant >> 4 & 7 == 0 else _words(text, turn)
        yield {"role": "user" if turn.role == Role.USER else "agent", "content": text, "words": words}
        if place == 0 and truth.variant & 128:
            nodes = {"former_node_id": "node-1", "former_node_name": "Welcome"}
            nodes |= {"new_node_id": "node-2", "new_node_name": truth.scenario.tool.name}
            yield {"role": "node_transition", **nodes, "transition_type": "normal"}
    if truth.ending == EndReason.TRANSFERRED:
        taken = Turn(Role.USER, "Hello, I take over from here.", truth.duration, 2.0)
        yield {"role": "transfer_target", "content": taken.text, "words": _words(taken.text, taken)}


def _words(text: str, turn: Turn) -> list[dict[str, Any]]:
    said = text.split()
    ends = [round(turn.start + turn.duration * place / len(said), 3) for place in range(len(said) + 1)]
    return [{"word": word, "start": ends[place], "end": ends[place + 1]} for place, word in enumerate(said)]


def _measured(world: World, truth: Truth) -> dict[str, Any]:
    values = [round(turn.latency * 1000) for turn in world.turns(truth) if turn.latency]
    if not values:
        return {}
    tokens = [300 + 40 * place for place in range(len(values))]
    return {
        "latency": {"e2e": _spread(values), "llm": _spread([value // 2 for value in values])},
        "llm_token_usage": {"values": tokens, "average": sum(tokens) / len(tokens), "num_requests": len(tokens)},
    }


def _spread(values: list[int]) -> dict[str, Any]:
    ranked = sorted(values)
    shares = {f"p{share}": ranked[min(len(ranked) - 1, len(ranked) * share // 100)] for share in (50, 90, 95, 99)}
    return {"min": ranked[0], "max": ranked[-1], **shares, "num": len(ranked), "values": values}


def _cost(truth: Truth) -> dict[str, Any]:
    minutes = truth.duration / 60
    prices = {
        "elevenlabs_tts": 7.0,
        "gpt_4_1": 4.0,
        **({"us_telephony": 1.5} if truth.channel == Channel.PHONE else {}),
    }
    costs = {product: round(minutes * cents, 3) for product, cents in prices.items()}
    return {
        "combined_cost": round(sum(costs.values()), 3),
        "product_costs": [
            {"product": product, "unit_price": round(prices[product] / 60, 4), "cost": cost}
            for product, cost in costs.items()
        ],
        "total_duration_seconds": round(truth.duration),
        "total_duration_unit_price": round(sum(prices.values()) / 60, 4),
    }


def _analysis(truth: Truth) -> dict[str, Any]:
    if truth.answered is None:
        return {"in_voicemail": False, "call_successful": False, "user_sentiment": "Unknown"}
    judged = {} if truth.success is None else {"call_successful": truth.success}
    return {
        "call_summary": truth.summary,
        "in_voicemail": False,
        "user_sentiment": "Negative" if truth.success is False else "Positive" if truth.success else "Neutral",
        **judged,
        "custom_analysis_data": {"order": truth.facts["order"]} if truth.variant & 1 else {},
    }


def _status(truth: Truth, at: float) -> str:
    match truth.phase(at):
        case Phase.QUEUED | Phase.RINGING:
            return "registered"
        case Phase.LIVE:
            return "ongoing"
        case _ if truth.answered is None:
            return "not_connected" if truth.channel == Channel.PHONE else "error"
        case _:
            return "error" if truth.ending == EndReason.ERROR else "ended"


# https://docs.retellai.com/reliability/debug-call-disconnect
def _reason(truth: Truth) -> str:
    is_phone = truth.channel == Channel.PHONE
    match truth.ending:
        case EndReason.NO_ANSWER:
            return "dial_no_answer" if is_phone else "error_user_not_joined"
        case EndReason.ERROR if truth.answered is None:
            return "dial_failed" if is_phone else "error_retell"
        case ending:
            return _REASONS.get(ending, "user_hangup")


_REASONS = {
    EndReason.AGENT_ENDED: "agent_hangup",
    EndReason.TRANSFERRED: "call_transfer",
    EndReason.ERROR: "error_llm_websocket_runtime",
    EndReason.MAX_DURATION: "max_duration_reached",
    EndReason.CANCELLED: "manual_stopped",
    EndReason.API_ENDED: "manual_stopped",
}


# https://docs.retellai.com/api-references/get-chat
def _chat(world: World, truth: Truth, at: float) -> dict[str, Any]:
    details, is_over = world.details(truth), truth.ended <= at
    messages = [message for turn in world.turns(truth) for message in [_message(truth, turn)]]
    shown: dict[str, Any] = {
        "chat_id": _id(world, truth),
        "agent_id": _agent(truth, details),
        "version": 1 + truth.variant % 3,
        "chat_type": details["chat_type"],
        "chat_status": "ended" if is_over else "ongoing",
        "start_timestamp": _ms(truth.created),
        "transcript": "".join(f"{message['role'].title()}: {message['content']}\n" for message in messages),
        "message_with_tool_calls": messages,
    }
    shown |= {name: details[name] for name in ("metadata", "retell_llm_dynamic_variables") if name in details}
    if is_over:
        shown["end_timestamp"] = _ms(truth.ended)
        shown["chat_cost"] = {"combined_cost": len(messages), "product_costs": []}
    if at >= _told_at(world, truth) + _ANALYSIS_DELAY:
        shown["chat_analysis"] = {
            "chat_summary": truth.summary,
            "chat_successful": True,
            "user_sentiment": "Neutral",
            "custom_analysis_data": {},
        }
    return shown


def _message(truth: Truth, turn: Turn) -> dict[str, Any]:
    role = "user" if turn.role == Role.USER else "agent"
    moment = _ms((truth.answered or truth.created) + turn.start)
    id = f"msg_{truth.index:x}_{role}_{moment}"
    return {"message_id": id, "role": role, "content": turn.text, "created_timestamp": moment}


# what calls change


# https://docs.retellai.com/api-references/create-phone-call
def _create(call: Call, world: World, path: str, kind: str) -> Response:
    body = call.json
    if path not in _CREATES:
        return _NO_PATH
    missing = [name for name in _CREATES[path] if not isinstance((body or {}).get(name), str)]
    numbers = [(body or {}).get(name, _NUMBER) for name in ("from_number", "to_number")]
    if body is None or missing:
        return _refusal(400, f"Invalid request format, {', '.join(missing) or 'the body'} is missing.")
    if not all(re.fullmatch(r"\+[1-9][0-9]{6,14}", number) for number in numbers):
        return _refusal(422, "Numbers must be in E.164 format.")
    if kind.endswith("chat"):
        details = {**body, "chat_type": "sms_chat" if kind == "create-sms-chat" else "api_chat"}
        truth = world.create(details, lambda truth: _open_chat(truth, world.present))
        return reply(200 if kind == "create-sms-chat" else 201, _chat(world, truth, world.present))
    truth = world.create(body, lambda truth: _dialled(truth, Channel.PHONE if "to_number" in body else Channel.WEB))
    if path == "v3/create-web-call":
        # https://docs.retellai.com/api-references/create-web-call
        relay = {"urls": ["turn:turn.example.com"], "username": "simulated", "credential": "simulated-password"}
        joining = {"access_token": _token(truth), "expires_at": _ms(truth.created + 30), "transport": "gateway"}
        return reply(201, {"call_id": _id(world, truth), **joining, "ice_servers": [relay]})
    return reply(201, _call(world, truth, world.present))


_CREATES = {
    "v2/create-phone-call": ("from_number", "to_number"),
    "v2/create-web-call": ("agent_id",),
    "v3/create-web-call": ("agent_id",),
    "create-chat": ("agent_id",),
    "create-sms-chat": ("from_number", "to_number"),
}


def _dialled(truth: Truth, channel: Channel) -> Truth:
    answered = truth.created + _PICK_UP
    direction = Direction.OUTBOUND if channel == Channel.PHONE else Direction.INBOUND
    return replace(truth, channel=channel, direction=direction, answered=answered, ended=answered + truth.planned)


def _open_chat(truth: Truth, present: float) -> Truth:
    # Whoever opened it writes the user's side, for as long as they like.
    return replace(truth, channel=Channel.CHAT, direction=Direction.INBOUND, answered=present, ended=inf, exchanges=0)


# https://docs.retellai.com/api-references/create-chat-completion
def _complete(call: Call, world: World) -> Response:
    body = call.json or {}
    truth = _found(world, str(body.get("chat_id")), "chat_")
    if truth is None:
        return _UNKNOWN
    text = body.get("content")
    if not isinstance(text, str) or not text or truth.ended <= world.present:
        return _refusal(400, "Invalid request format, content is missing or the chat has ended.")
    start = round(world.present - (truth.answered or truth.created), 3)
    exchanges = truth.scenario.exchanges
    said = exchanges[world.user_turns(truth) % len(exchanges)][1].format_map(truth.facts)
    answered = Turn(Role.ASSISTANT, said, start, 0.0, latency=0.4)
    world.say(truth, Turn(Role.USER, text, start, 0.0), answered)
    return reply(201, {"messages": [_message(truth, answered)]})


def _is_chat(world: World, truth: Truth) -> bool:
    return "chat_type" in world.details(truth)


def _id(world: World, truth: Truth) -> str:
    id = world.id(truth)
    return f"chat_{id.removeprefix('call_')}" if _is_chat(world, truth) else id


def _agent(truth: Truth, details: Mapping[str, Any]) -> str:
    return details.get("agent_id") or details.get("override_agent_id") or f"agent_{truth.scenario.number}"


def _token(truth: Truth) -> str:
    return f"simulated-access-token-{truth.index:x}"


def _ms(moment: float) -> int:
    return round(moment * 1000)


# https://docs.retellai.com/features/webhook-overview
def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    # Of a call that never connected nothing is told before its end.
    what, told_at = "chat" if _is_chat(world, truth) else "call", _told_at(world, truth)
    moments = {
        f"{what}_started": truth.answered,
        f"{what}_ended": told_at,
        f"{what}_analyzed": told_at + _ANALYSIS_DELAY,
    }
    return [
        Delivery(moment, kind, _delivered(world, truth, what, kind, moment))
        for kind, moment in moments.items()
        if moment is not None and isfinite(moment)
    ]


def _delivered(world: World, truth: Truth, what: str, kind: str, moment: float) -> bytes:
    about = _record(world, truth, moment)
    if kind.endswith("_ended"):
        about.pop(f"{what}_analysis", None)
    return msgspec.json.encode({"event": kind, "event_timestamp": _ms(moment), what: about})


# https://docs.retellai.com/features/secure-webhook
def _signed(delivery: Delivery, secret: str) -> dict[str, str]:
    stamp = str(_ms(delivery.moment))
    digest = hmac.new(secret.encode(), delivery.body + stamp.encode(), hashlib.sha256).hexdigest()
    return {"x-retell-signature": f"v={stamp},d={digest}"}


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"status": "error", "message": words})


_NO_PATH = _refusal(404, "The requested resource was not found.")
_UNKNOWN = _refusal(422, "Cannot find requested asset under given api key.")
_KEY = "key_simulated0123456789abcdef"

SIMULATED = Simulated(
    prefix="call_",
    answer=answer,
    refusal=_refusal,
    key=lambda call: call.bearer,
    api_key=_KEY,
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret=_KEY,  # the API key itself
)
