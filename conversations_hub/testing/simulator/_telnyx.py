"""Telnyx as its documentation and its users describe it: PostgREST's filters, no cursor, messages newest first."""

from __future__ import annotations

import base64
import math
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice, takewhile
from math import inf
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import NAMESPACE_URL, uuid5

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._instants import in_seconds
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, dated, iso, positive, reply

__all__ = ["SIMULATED", "answer"]

_PREFIX = "3fa85f64-5717-4562-b3fc-00"
_SESSION = "cc29c8d6-3c91-11f0-aa7c-"
_CONTROL = "v3:"
_DEFAULT_LIMIT = 20
_MOST = 100
"""Neither is documented; more is cut to this without a word."""
_OUR_NUMBER = "+14155550199"
_STORING = 0.4
"""Seconds until a message that was sent is stored."""
_RECORDING_DELAY = 5.0
_CALLS = {Channel.PHONE: "phone_call", Channel.WEB: "web_call"}
_WITHOUT_INSIGHTS = 107
"""An assistant that no insights were assigned to."""


def answer(call: Call, world: World) -> Response:
    """Answer as Telnyx does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if not call.bearer or call.bearer.startswith("bad"):
        return _refusal(401, "Could not find any usable credentials in the request.")
    match call.method, call.segments:
        case "GET", ("ai", "conversations"):
            return _list(call, world)
        case "POST", ("ai", "conversations"):
            return _create(call, world)
        case "POST", ("ai", "assistants", _, "chat"):
            return _chat(call, world)
        case "GET", ("recordings",):
            return _recordings(call, world)
        case method, ("ai", "conversations", id, *rest):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(method, tuple(rest), call, world, truth)
        case _:
            return _UNKNOWN


def _about(method: str, rest: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            return reply(200, {"data": _row(world, truth)})
        case "GET", ("messages",):
            return _page(call, _messages(world, truth))
        case "GET", ("conversations-insights",):
            return _page(call, _insights(world, truth))
        case "DELETE", ():
            world.delete(truth)
            return Response(204, {}, b"")
        case _:
            return _UNKNOWN


# the list: https://developers.telnyx.com/api-reference/conversations/list-conversations


def _list(call: Call, world: World) -> Response:
    asked = parse_qsl(urlsplit(call.target).query, keep_blank_values=True)
    words = dict(asked)
    limit = positive(words.get("limit", str(_DEFAULT_LIMIT)))
    if limit is None:
        return _invalid("query", "limit", "Input should be a valid integer")
    column, _, way = words.get("order", "created_at.desc").partition(".")
    if column not in {"created_at", "last_message_at"} or way not in {"asc", "desc"}:
        return _refusal(400, "The order is not one of a known column.")
    conditions: list[_Condition] = []
    newest, oldest = inf, -inf
    for name, value in asked:
        if name in {"limit", "order"}:
            continue
        condition = _any_of(value) if name == "or" else _condition(name, *value.partition(".")[::2])
        if condition is None:
            return _refusal(400, f"The value of {name} is not a valid filter.")
        conditions.append(condition)
        if name == "created_at":
            word, _, bound = value.partition(".")
            newest = min(newest, in_seconds(bound) or inf) if word in {"lt", "lte"} else newest
            oldest = max(oldest, in_seconds(bound) or -inf) if word in {"gt", "gte"} else oldest
    recent = takewhile(lambda truth: truth.created >= oldest, world.newest(until=newest))
    found: Iterator[Truth] = (truth for truth in recent if all(condition(world, truth) for condition in conditions))
    if (column, way) != ("created_at", "desc"):
        found = iter(sorted(found, key=lambda truth: _column(world, truth, column), reverse=way == "desc"))
    return reply(200, {"data": [_row(world, truth) for truth in islice(found, min(limit, _MOST))]})


_Condition = Callable[[World, Truth], bool]


def _condition(column: str, word: str, value: str) -> _Condition | None:
    """Return a filter as PostgREST spells it: `created_at=gte.2026-01-01`."""
    compare = _OPERATORS.get(word)
    due = in_seconds(value) if column in {"created_at", "last_message_at"} else value
    if compare is None or due is None or not (column in _COLUMNS or column.startswith("metadata->")):
        return None

    def holds(world: World, truth: Truth) -> bool:
        found = _column(world, truth, column)
        return found is not None and bool(compare(found, due))

    return holds


def _any_of(value: str) -> _Condition | None:
    parts = [part.split(".", 2) for part in value.strip("()").split(",")]
    conditions = [_condition(*part) if len(part) == 3 else None for part in parts]
    if None in conditions:
        return None
    return lambda world, truth: any(condition(world, truth) for condition in conditions if condition)


def _like(text: str, pattern: str) -> bool:
    return bool(re.fullmatch(".*".join(map(re.escape, pattern.split("%"))), text))


_COLUMNS = {"id", "name", "created_at", "last_message_at"}
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "like": _like,
    "ilike": lambda text, pattern: _like(text.lower(), pattern.lower()),
    "in": lambda text, words: text in words.strip("()").split(","),
}


def _column(world: World, truth: Truth, column: str) -> Any:
    match column:
        case "id":
            return world.id(truth)
        case "name":
            return _name(world, truth)
        case "created_at":
            return truth.created
        case "last_message_at":
            return _last_message(world, truth)
        case _:
            value = _metadata(world, truth).get(column.partition("->")[2])
            return None if value is None else str(value)


# one conversation


def _row(world: World, truth: Truth) -> dict[str, Any]:
    return {
        "id": world.id(truth),
        "name": _name(world, truth),
        "created_at": _to_the_millisecond(truth.created),
        "last_message_at": _to_the_millisecond(_last_message(world, truth)),
        "metadata": _metadata(world, truth),
    }


def _to_the_millisecond(moment: float) -> str:
    return iso(math.floor(moment * 1000) / 1000)[:-4] + "Z"


def _name(world: World, truth: Truth) -> str:
    return str(world.details(truth).get("name") or ("" if truth.variant & 1 else truth.title))


def _last_message(world: World, truth: Truth) -> float:
    turns = world.turns(truth)
    return _began(truth) + turns[-1].start + _STORING if turns else truth.created


def _began(truth: Truth) -> float:
    return truth.answered or truth.created


def _metadata(world: World, truth: Truth) -> dict[str, Any]:
    details = world.details(truth)
    if details:
        attached: dict[str, Any] = details.get("metadata") or {}
        return attached
    found: dict[str, Any] = {
        "assistant_id": f"assistant-{truth.scenario.number}",
        "telnyx_conversation_channel": _channel(truth),
        "telnyx_agent_target": _OUR_NUMBER,
        "telnyx_end_user_target": f"guest_{truth.customer}" if truth.channel == Channel.WEB else truth.phone,
    }
    if truth.variant >> 1 & 1:
        found["assistant_version_id"] = "main"
    if truth.channel in _CALLS:
        found |= _call_ids(world, truth)
    elif truth.ending == EndReason.TRANSFERRED and truth.ended <= world.present:
        found["ai_disabled"] = "true"  # a person took over
    if truth.channel == Channel.PHONE:
        ours, theirs = _OUR_NUMBER, truth.phone
        outbound = truth.direction == Direction.OUTBOUND
        found |= {"from": ours, "to": theirs} if outbound else {"from": theirs, "to": ours}
    return found


def _channel(truth: Truth) -> str:
    return _CALLS.get(truth.channel) or ("web_chat" if truth.channel == Channel.CHAT else "sms_chat")


def _call_ids(world: World, truth: Truth) -> dict[str, str]:
    tail = world.id(truth)[-12:]
    return {"call_control_id": f"{_CONTROL}{tail}", "call_session_id": f"{_SESSION}{tail}"}


# https://developers.telnyx.com/api-reference/conversations/get-conversation-messages
def _messages(world: World, truth: Truth) -> list[dict[str, Any]]:
    found = [message for turn in world.turns(truth) for message in _said(truth, turn)]
    # No order is promised; nearly always the newest come first.
    return found if truth.variant >> 2 & 7 == 0 else found[::-1]


def _said(truth: Truth, turn: Turn) -> Iterator[dict[str, Any]]:
    sent = _began(truth) + turn.start
    stored = _to_the_millisecond(sent + _STORING)
    if turn.tool is not None:
        function = {"name": turn.tool.name, "arguments": turn.tool.arguments}
        called = [{"id": turn.tool.call_id, "type": "function", "function": function}]
        yield {"role": "assistant", "text": None, "created_at": stored, "sent_at": None, "tool_calls": called}
        named = {"tool_call_id": turn.tool.call_id} if truth.variant >> 5 & 1 else {}
        yield {"role": "tool", "text": turn.tool.result, "created_at": stored, "sent_at": None, **named}
        return
    message: dict[str, Any] = {
        "role": turn.role.value,
        "text": turn.text,
        "created_at": stored,
        "sent_at": _to_the_millisecond(sent),
        "tool_calls": None,
    }
    if turn.latency and truth.channel in _CALLS:
        message["metadata"] = {"end_user_perceived_latency_ms": round(turn.latency * 1000)}
    yield message


# https://developers.telnyx.com/api-reference/conversations/get-insights-for-a-conversation
def _insights(world: World, truth: Truth) -> list[dict[str, Any]]:
    if not _has_insights(truth) or world.details(truth) or truth.ended > world.present:
        return []
    status = "failed" if truth.answered is None else "completed"
    if truth.phase(world.present) == Phase.PROCESSING:
        status = "in_progress"
    return [
        {
            "id": str(uuid5(NAMESPACE_URL, world.id(truth))),
            "status": status,
            "created_at": _to_the_millisecond(truth.ended + 1),
            "insight_group_id": f"group-{truth.scenario.number}",
            "conversation_insights": _results(truth) if status == "completed" else [],
        }
    ]


def _has_insights(truth: Truth) -> bool:
    return truth.scenario.number != _WITHOUT_INSIGHTS and (truth.channel in _CALLS or bool(truth.variant >> 6 & 1))


def _results(truth: Truth) -> list[dict[str, str]]:
    outcome = msgspec.json.encode({"summary": truth.summary, "order": truth.facts["order"]}).decode()
    return [
        {"insight_id": "insight-outcome", "result": outcome},
        {"insight_id": "insight-title", "result": truth.title},
    ]


def _page(call: Call, items: list[dict[str, Any]]) -> Response:
    number, size = positive(call.query.get("page[number]", "1")), positive(call.query.get("page[size]", "20"))
    if number is None:
        return _invalid("query", "page[number]", "Input should be greater than or equal to 1")
    if size is None or size > _MOST:
        return _invalid("query", "page[size]", f"Input should be from 1 to {_MOST}")
    shown = items[(number - 1) * size : number * size]
    pages = math.ceil(len(items) / size)
    meta = {"page_number": number, "page_size": size, "total_pages": pages, "total_results": len(items)}
    return reply(200, {"data": shown, "meta": meta})


# https://developers.telnyx.com/api-reference/call-recordings/list-all-call-recordings
def _recordings(call: Call, world: World) -> Response:
    session, control = call.query.get("filter[call_session_id]", ""), call.query.get("filter[call_control_id]", "")
    tail = session.removeprefix(_SESSION) or control.removeprefix(_CONTROL)
    truth = world.find(_PREFIX[:-2] + tail)
    is_there = truth is not None and _is_recorded(truth) and truth.ended + _RECORDING_DELAY <= world.present
    return _page(call, [_recording(world, truth)] if truth is not None and is_there else [])


def _is_recorded(truth: Truth) -> bool:
    return truth.channel in _CALLS and truth.answered is not None and truth.variant % 4 > 0


def _recording(world: World, truth: Truth) -> dict[str, Any]:
    id = str(uuid5(NAMESPACE_URL, f"{world.id(truth)}:recording"))
    return {
        "record_type": "recording",
        "id": id,
        **_call_ids(world, truth),
        "channels": "dual",
        "source": "call",
        "status": "completed",
        "duration_millis": round(truth.duration * 1000),
        "download_urls": {"mp3": f"https://recordings.example.org/{id}.mp3?X-Amz-Expires=600"},
        "recording_started_at": iso(_began(truth)),
        "recording_ended_at": iso(truth.ended),
    }


# what calls change


# https://developers.telnyx.com/api-reference/conversations/create-a-conversation
def _create(call: Call, world: World) -> Response:
    body = call.json
    if body is None or not isinstance(body.get("metadata", {}), dict):
        return _invalid("body", "metadata", "Input should be a valid dictionary")

    def as_thread(truth: Truth) -> Truth:
        chat = replace(truth, channel=Channel.CHAT, direction=Direction.INBOUND, exchanges=0)
        return replace(chat, answered=world.present, ended=inf)

    # Answered without the envelope that other answers have.
    return reply(200, _row(world, world.create({"name": "", "metadata": {}, **body}, as_thread)))


# https://developers.telnyx.com/api-reference/assistants/assistant-chat
def _chat(call: Call, world: World) -> Response:
    body = call.json or {}
    content, id = body.get("content"), body.get("conversation_id")
    if not isinstance(content, str) or not isinstance(id, str):
        return _invalid("body", "content", "Field required")
    truth = world.find(id)
    if truth is None or truth.channel in _CALLS:
        return _UNKNOWN
    if _metadata(world, truth).get("ai_disabled") in {"true", True}:
        return reply(400, {"detail": "AI responses are disabled for this conversation."})
    start = round(world.present - _began(truth), 3)
    _, words = truth.scenario.exchanges[world.user_turns(truth) % len(truth.scenario.exchanges)]
    said = words.format_map(truth.facts)
    world.say(truth, Turn(Role.USER, content, start, 0.0), Turn(Role.ASSISTANT, said, start, 0.0, latency=0.4))
    return reply(200, {"content": said})


# what it delivers: https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks

_CAUSES = {
    EndReason.NO_ANSWER: "timeout",
    EndReason.CANCELLED: "originator_cancel",
    EndReason.MAX_DURATION: "time_limit",
    EndReason.ERROR: "unspecified",
}


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    told = _metadata(world, truth)
    is_call, was_held = truth.channel in _CALLS, truth.answered is not None
    call = _call_ids(world, truth) | {"connection_id": "2694492062593582591", "client_state": "c2ltdWxhdGVk"}
    sides = {"from": told.get("from", _OUR_NUMBER), "to": told.get("to", _OUR_NUMBER)}
    held = {"conversation_id": world.id(truth), "assistant_id": told.get("assistant_id")}
    party = {"calling_party_type": "pstn" if truth.channel == Channel.PHONE else "sip"}
    way = "outgoing" if truth.direction == Direction.OUTBOUND else "incoming"
    found: list[Delivery] = []

    def deliver(kind: str, moment: float, payload: dict[str, Any]) -> None:
        id = str(uuid5(NAMESPACE_URL, f"{world.id(truth)}:{kind}"))
        event = {"record_type": "event", "event_type": kind, "id": id, "occurred_at": iso(moment), "payload": payload}
        about = {"attempt": 1, "delivered_to": "https://hooks.example.org/telnyx"}
        found.append(Delivery(moment, kind, msgspec.json.encode({"data": event, "meta": about})))

    if is_call:
        deliver("call.initiated", truth.created, {**call, **sides, "direction": way, "state": "parked"})
    if is_call and was_held:
        deliver("call.answered", _began(truth), {**call, **sides})
        deliver("call.conversation.created", _began(truth) + 0.1, {**call, **held, **party})
        why = {"reason": "customer_disconnect"} if truth.ending == EndReason.CUSTOMER_ENDED else {}
        ended = {**call, **held, **party, **sides, "duration_sec": round(truth.duration), "llm_model": "openai/gpt-4o"}
        deliver("call.conversation.ended", truth.ended, ended | why)
    if is_call:
        cause = _CAUSES.get(truth.ending, "normal_clearing")
        deliver("call.hangup", truth.ended + 0.1, {**call, **sides, "hangup_cause": cause, "hangup_source": "unknown"})
    if _is_recorded(truth):
        urls = _recording(world, truth)["download_urls"]
        deliver("call.recording.saved", truth.ended + _RECORDING_DELAY, {**call, "recording_urls": urls})
    if was_held and _has_insights(truth):
        results = {"insight_group_id": f"group-{truth.scenario.number}", "results": _results(truth)}
        if is_call:
            deliver("call.conversation_insights.generated", truth.ended + TRANSCRIPT_DELAY, {**call, **results})
        # A group's own webhook comes without the envelope, and with no id but its request's.
        result = {
            **held,
            **results,
            "request_id": f"request-{world.id(truth)}",
            "status": "completed",
            "metadata": told,
        }
        bare = {"record_type": "event", "event_type": "conversation_insight_result", "payload": result}
        moment = truth.ended + TRANSCRIPT_DELAY + 0.1
        found.append(Delivery(moment, "conversation_insight_result", msgspec.json.encode(bare)))
    return found


_SIGNS_WITH = "cryptography.hazmat.primitives.asymmetric.ed25519"


def _signed(delivery: Delivery, secret: str) -> dict[str, str]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415  (an extra)

    stamp = str(int(delivery.moment))
    key = Ed25519PrivateKey.from_private_bytes(base64.b64decode(secret))
    signature = key.sign(f"{stamp}|".encode() + delivery.body)
    return {"telnyx-timestamp": stamp, "telnyx-signature-ed25519": base64.b64encode(signature).decode()}


# refusals, of the platform and of the service behind the assistants

_CODES = {400: "10015", 401: "10009", 403: "10010", 404: "10005", 429: "10011"}


def _refusal(status: int, words: str) -> Response:
    error = {"code": _CODES.get(status, "10007"), "title": words.partition(".")[0], "detail": words}
    return reply(status, {"errors": [error]})


def _invalid(place: str, name: str, words: str) -> Response:
    return reply(422, {"detail": [{"loc": [place, name], "msg": words, "type": "value_error"}]})


_UNKNOWN = _refusal(404, "The requested resource or URL could not be found.")

SIMULATED = Simulated(
    prefix=_PREFIX,
    answer=answer,
    refusal=_refusal,
    key=lambda call: call.bearer,
    api_key="KEY-simulated",
    deliveries=_deliveries,
    signed=_signed,
    signs_with=_SIGNS_WITH,
    webhook_secret="b/jDszt33fcncS6t6Da2Tw+9gMyVxdj/nRVf+asn69I=",  # noqa: S106  (half of a pair that signs nothing else)
    signing_secret="c2ltdWxhdGVkLXRlbG55eC1zaWduaW5nLWtleS0zMmI=",  # noqa: S106  (the other half)
    limit_headers=("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
)
