"""Bolna as its specification and its own tools describe it: a list for each agent, of seven days at most."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from typing import Any

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._instants import in_milliseconds, milliseconds, to_the_millisecond
from ._truth import TRANSCRIPT_DELAY, Phase, Truth
from ._world import Call, Delivery, Simulated, World, at_most, dated, one_of, positive, reply

__all__ = ["SIMULATED", "answer"]

_DEFAULT_SIZE = 20
_MOST = 50
_LONGEST_SPAN = 7 * 86_400_000  # milliseconds
_OUR_NUMBER = "+15555550199"
_CENTS_PER_MINUTE = 6.0
_STATUSES = (
    *("scheduled", "queued", "rescheduled", "initiated", "ringing", "in-progress", "call-disconnected", "completed"),
    *("no-answer", "busy", "canceled", "stopped", "balance-low", "failed", "error"),
)


def answer(call: Call, world: World) -> Response:
    """Answer as Bolna does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if not call.bearer:
        return _refusal(401, "Access denied.")
    if call.bearer.startswith("bad"):
        # The vendor's own tools say 403, not 401.
        return reply(403, {"detail": "Invalid API key"})
    match call.method, call.segments:
        case "GET", ("v2", "agent", "all"):
            return reply(200, [_agent(world, number) for number in range(len(_AGENTS))])
        case "GET", ("v2", "agent", agent, "executions"):
            return _list(call, world, agent)
        case "GET", ("executions", id):
            truth = world.find(id)
            return _UNKNOWN if truth is None else reply(200, _execution(world, truth, world.present))
        case "POST", ("call",):
            return _start(call, world)
        case "POST", ("call", id, "stop"):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _stop(world, truth)
        case _:
            return _refusal(404, "Not found")


# the agents


_AGENTS = ("0a1c3e5a-0d2f-4a6b-8c9d-0e1f2a3b4c5d", "0b1c3e5a-0d2f-4a6b-8c9d-0e1f2a3b4c5d")
"""The first one takes all calls that nobody asked the other one to make."""


def _agent_of(world: World, truth: Truth) -> str:
    return str(world.details(truth).get("agent_id", _AGENTS[0]))


def _agent(world: World, number: int) -> dict[str, Any]:
    oldest = world.slice(0, 1, oldest_first=True)
    begin = oldest[0].created if oldest and number == 0 else world.present
    since = to_the_millisecond(begin - 3600)
    return {
        "id": _AGENTS[number],
        "agent_name": f"Front desk {number + 1}",
        "agent_type": "other",
        "agent_status": "processed",
        "created_at": since,
        "updated_at": since,
        "agent_prompts": {"task_1": {"system_prompt": "You answer the phone."}},
    }


# the list


def _list(call: Call, world: World, agent: str) -> Response:
    if agent not in _AGENTS:
        return _refusal(404, "Agent not found")
    asked, wrong = call.asked(_READERS)
    if wrong:
        detail = [{"loc": ["query", name], "msg": "Invalid value", "type": "value_error"} for name in wrong]
        return reply(422, {"detail": detail})
    begin, end = asked.get("from"), asked.get("to")
    if begin is None or end is None or not 0 <= end - begin <= _LONGEST_SPAN:
        return _refusal(400, "from and to are required, and may be 7 days apart")
    page, size = asked.get("page_number", 1), asked.get("page_size", _DEFAULT_SIZE)
    found = (truth for truth in _between(world, begin, end) if _agent_of(world, truth) == agent)
    found = (truth for truth in found if _matches(world, truth, asked))
    rows = list(islice(found, (page - 1) * size, page * size + 1))
    return reply(
        200,
        {
            "data": [_row(world, truth) for truth in rows[:size]],
            "page_number": page,
            "page_size": size,
            "has_more": len(rows) > size,
            "filters": {},
            "sorts": {},
        },
    )


def _between(world: World, begin: int, end: int) -> Iterable[Truth]:
    """Return what was created in a span, both ends included, the newest first."""
    around = world.newest(since=begin / 1000 - 1, until=end / 1000 + 1)
    return (truth for truth in around if begin <= milliseconds(truth.created) <= end)


def _matches(world: World, truth: Truth, asked: dict[str, Any]) -> bool:
    return (
        asked.get("status") in {None, _status(truth, world.present)}
        and asked.get("call_type") in {None, _direction(truth)}
        and asked.get("provider") in {None, _carrier(truth)}
    )


_READERS: dict[str, Callable[[str], Any]] = {
    "from": in_milliseconds,
    "to": in_milliseconds,
    "page_number": positive,
    "page_size": at_most(_MOST),
    "status": one_of(_STATUSES),
    "call_type": one_of(("inbound", "outbound")),
    "provider": one_of(("plivo", "twilio", "websocket", "web-call")),
}


def _row(world: World, truth: Truth) -> dict[str, Any]:
    whole = _execution(world, truth, world.present)
    line = whole["telephony_data"]
    return {
        "id": whole["id"],
        "status": whole["status"],
        "conversation_duration": whole["conversation_duration"],
        "created_at": whole["created_at"],
        "termination_reason": whole["termination_reason"],
        "telephony_data": {name: line[name] for name in ("to_number", "from_number", "provider")},
    }


# an execution, at a moment


def _execution(world: World, truth: Truth, moment: float) -> dict[str, Any]:
    is_settled = _is_settled(truth, moment)
    is_done = is_settled and truth.answered is not None
    seconds = round(truth.duration, 1) if is_done else 0
    cents = round(truth.duration / 60 * _CENTS_PER_MINUTE, 2) if is_done else 0
    changed = max((at for at in _changes(truth) if at <= moment), default=truth.created)
    return {
        "id": world.id(truth),
        "agent_id": _agent_of(world, truth),
        "batch_id": None,
        "status": _status(truth, moment),
        "error_message": "The line broke." if is_settled and truth.ending is EndReason.ERROR else None,
        "conversation_duration": seconds,
        "total_cost": cents,
        "cost_breakdown": {"llm": cents, "network": 0, "platform": 0, "synthesizer": 0, "transcriber": 0},
        "answered_by_voice_mail": False if truth.variant & 1 else None,
        "transcript": _transcript(world, truth) if is_done else None,
        "summary": truth.summary if is_done and truth.variant >> 1 & 1 else None,
        "extracted_data": {"order": truth.facts["order"]} if is_done and truth.variant >> 2 & 1 else None,
        "created_at": to_the_millisecond(truth.created),
        "updated_at": to_the_millisecond(changed),
        "termination_reason": None,
        "telephony_data": _line(truth, world.id(truth), is_over=is_settled),
        "transfer_call_data": {"status": "completed", "to_number": "+14155550177", "duration": "30"}
        if is_settled and truth.ending is EndReason.TRANSFERRED
        else None,
        "context_details": {"recipient_data": {"city": truth.facts["city"]}},
        "latency_data": {"time_to_first_audio": 130.5, "region": "us"} if is_done else None,
    }


def _changes(truth: Truth) -> list[float]:
    """Return when its status changes."""
    if truth.answered is None:
        return [truth.created, truth.ended]
    return [truth.created, truth.answered, truth.ended, truth.ended + TRANSCRIPT_DELAY]


def _is_settled(truth: Truth, moment: float) -> bool:
    return truth.phase(moment) is Phase.SETTLED


def _status(truth: Truth, moment: float) -> str:
    match truth.phase(moment):
        case Phase.QUEUED:
            return "queued"
        case Phase.RINGING:
            return "ringing"
        case Phase.LIVE:
            return "in-progress"
        case Phase.PROCESSING:
            return "call-disconnected"
        case Phase.SETTLED:
            return _end(truth)


def _end(truth: Truth) -> str:
    if truth.answered is not None:
        return "error" if truth.ending is EndReason.ERROR else "completed"
    match truth.ending:
        case EndReason.NO_ANSWER:
            return "busy" if truth.variant >> 3 & 1 else "no-answer"
        case EndReason.CANCELLED:
            return "canceled"
        case EndReason.API_ENDED:
            return "stopped"
        case _:
            return "failed"


def _transcript(world: World, truth: Truth) -> str:
    spoken = [turn for turn in world.turns(truth) if turn.tool is None]
    return "".join(f"{'assistant' if turn.role is Role.ASSISTANT else 'user'}: {turn.text}\n" for turn in spoken)


def _direction(truth: Truth) -> str:
    return "outbound" if truth.direction is Direction.OUTBOUND else "inbound"


def _carrier(truth: Truth) -> str:
    if truth.channel is not Channel.PHONE:
        return "web-call"
    return "twilio" if truth.variant >> 4 & 1 else "plivo"


def _line(truth: Truth, id: str, *, is_over: bool) -> dict[str, Any]:
    is_phone = truth.channel is Channel.PHONE
    numbers = (truth.phone, _OUR_NUMBER) if truth.direction is Direction.OUTBOUND else (_OUR_NUMBER, truth.phone)
    is_kept = is_over and truth.answered is not None and truth.variant % 5 > 0
    ended_by, why = _HANG_UPS.get(truth.ending, ("Unknown", None))
    if ended_by == "customer":
        ended_by = "Callee" if truth.direction is Direction.OUTBOUND else "Caller"
    seconds = math.ceil(truth.duration) if is_over else 0
    return {
        "duration": str(seconds) if truth.variant >> 5 & 1 else seconds,
        "to_number": numbers[0] if is_phone else None,
        "from_number": numbers[1] if is_phone else None,
        "recording_url": f"https://media.example.com/{id}.wav?X-Amz-Date=20261120T120000Z&X-Amz-Expires=3600"
        "&X-Amz-Signature=simulated"
        if is_kept
        else "",
        "hosted_telephony": True,
        "provider_call_id": f"CA{truth.index:032d}" if is_phone else None,
        "call_type": _direction(truth),
        "provider": _carrier(truth),
        "hangup_by": ended_by if is_over else None,
        "hangup_reason": why if is_over else None,
        "hangup_provider_code": 4000 if is_over else None,
        "ring_duration": 7,
        "post_dial_delay": 1,
    }


_HANG_UPS: dict[EndReason, tuple[str, str | None]] = {
    EndReason.CUSTOMER_ENDED: ("customer", "Call recipient hung up"),
    EndReason.AGENT_ENDED: ("Plivo", "llm_prompted_hangup"),
    EndReason.TRANSFERRED: ("Plivo", "Call completed"),
    EndReason.MAX_DURATION: ("Carrier", "Carrier ended because call limit exceeded"),
    EndReason.NO_ANSWER: ("Carrier", "Call unanswered"),
    EndReason.API_ENDED: ("API Request", None),
    EndReason.ERROR: ("Error", "Bolna Error"),
}


# what begins and ends a call


def _start(call: Call, world: World) -> Response:
    body = call.json
    agent, to = (body or {}).get("agent_id"), (body or {}).get("recipient_phone_number")
    if body is None or agent not in _AGENTS or not isinstance(to, str) or not to.startswith("+"):
        return _refusal(400, "agent_id and recipient_phone_number are required")
    if str(body.get("scheduled_at", "")).endswith("Z"):
        return _refusal(500, "Internal server error")

    def dialled(truth: Truth) -> Truth:
        return replace(truth, channel=Channel.PHONE, direction=Direction.OUTBOUND)

    truth = world.create(body, dialled)
    return reply(200, {"message": "done", "status": "queued", "execution_id": world.id(truth)})


def _stop(world: World, truth: Truth) -> Response:
    if truth.phase(world.present) is not Phase.QUEUED:
        return _refusal(400, "Only queued or scheduled calls can be stopped")
    world.end(truth)
    return reply(200, {"message": "done", "status": "stopped", "execution_id": world.id(truth)})


# what it delivers: the execution, at every change of its status


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    bodies = [(moment, _execution(world, truth, moment)) for moment in _changes(truth) if moment <= world.present]
    return [Delivery(moment, body["status"], msgspec.json.encode(body)) for moment, body in bodies]


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"error": status, "message": words})


_UNKNOWN = _refusal(404, "Execution not found")

SIMULATED = Simulated(
    prefix="1c0f2f4e-6d0a-4e0e-9a55-2a",
    answer=answer,
    refusal=_refusal,
    key=lambda call: call.bearer,
    api_key="simulated-key",
    deliveries=_deliveries,
)
