"""Synthflow's calls: a transcript is one text, and the names and forms of the same facts differ from place to place."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ....schema import Channel, Direction, EndReason, Role
from ....wire import Response
from .._instants import milliseconds
from .._truth import TRANSCRIPT_DELAY, Phase, Truth
from .._world import Call, Delivery, World, iso, reply, whole
from .assistants import MODELS, PAGING, model_of, paged, pagination, span_of
from .refusals import refused, rejected

__all__ = ["answer", "deliveries", "signed"]

_OUR_NUMBER = "+15555550199"
_LONGEST_RING = 60.0


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer about calls; `rest` of the path comes behind their name."""
    match call.method, rest:
        case "GET", ():
            return _list(call, world)
        case "POST", ():
            return _dial(call, world)
        case "GET", (id,):
            truth = world.find(id)
            if truth is not None:
                return _page([_call(world, truth)], pagination(1, 20, 0))
            # An id of the right form may be answered with an empty list.
            is_of_the_form = id.startswith(world.corpus.id(0)[:26])
            return _page([], pagination(0, 20, 0)) if is_of_the_form else rejected(404, "Call not found", "not_found")
        case _:
            return refused(405, "Method Not Allowed")


def _page(calls: list[dict[str, Any]], where: dict[str, int]) -> Response:
    return reply(200, {"status": "ok", "response": {"pagination": where, "calls": calls}})


# the list


def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return rejected(400, f"Invalid {', '.join(wrong)}", "validation")
    model = asked.get("model_id")
    if not model:
        return rejected(400, "model_id is required", "validation")
    if model not in MODELS:
        return rejected(404, "Assistant not found", "not_found")
    limit, offset = paged(asked)
    since, before = span_of(world, model)
    if asked.keys() <= {"model_id", "limit", "offset"}:
        total = world.count(since=since, before=before)
        shown = world.slice(offset, limit, since=since, before=before)
    else:
        # Calls begin soon after they were created.
        first = max(asked.get("from_date", 0) / 1000 - _LONGEST_RING, since or 0.0)
        last = asked["to_date"] / 1000 + 1 if "to_date" in asked else None
        newest = world.newest(since=first, until=last, before=before)
        matching = [truth for truth in newest if _matches(world, truth, asked)]
        total, shown = len(matching), matching[offset : offset + limit]
    return _page([_row(world, truth) for truth in shown], pagination(total, limit, offset))


def _epoch(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


_READERS: Mapping[str, Callable[[str], Any]] = {
    **PAGING,
    "from_date": _epoch,
    "to_date": _epoch,
    "duration_min": whole,
    "duration_max": whole,
}


def _matches(world: World, truth: Truth, asked: Mapping[str, Any]) -> bool:
    begun, row = milliseconds(_begun(truth, world.present)), _row(world, truth)
    return (
        asked.get("from_date", begun) <= begun <= asked.get("to_date", begun)
        and asked.get("call_status") in {None, row["call_status"]}
        and asked.get("lead_phone_number") in {None, row["lead_phone_number"]}
        and asked.get("duration_min", 0) <= row["duration"] <= asked.get("duration_max", row["duration"])
    )


def _begun(truth: Truth, present: float) -> float:
    return truth.answered if truth.answered is not None and truth.answered <= present else truth.created


# one call


def _status(truth: Truth, present: float) -> str:
    phase = truth.phase(present)
    if present < truth.ended:
        queued = "registered" if truth.variant & 1 else "pending"
        return {Phase.QUEUED: queued, Phase.RINGING: "ringing"}.get(phase, "in-progress")
    words = _ENDS.get(truth.ending, ("completed",))
    return words[truth.variant >> 1 & 1 if len(words) > 1 else 0]


_ENDS = {
    EndReason.NO_ANSWER: ("no-answer", "busy"),
    EndReason.CANCELLED: ("canceled", "user-canceled"),
    EndReason.ERROR: ("failed",),
}


def _end_reason(truth: Truth, present: float) -> str | None:
    words = _END_REASONS.get(truth.ending)
    if present < truth.ended or words is None:
        return None
    return words[truth.variant >> 2 & 1 if len(words) > 1 else 0]


_END_REASONS = {
    EndReason.CUSTOMER_ENDED: ("human_ended_call", "human_pick_up_cut_off"),
    EndReason.AGENT_ENDED: ("agent_ended_call", "custom_end_call"),
    EndReason.TRANSFERRED: ("agent_ended_call",),
    EndReason.MAX_DURATION: ("timeout",),
    EndReason.CANCELLED: ("user_canceled",),
    EndReason.ERROR: ("error",),
}


def _transcript(world: World, truth: Truth) -> str | None:
    """Return what was said as one text; nothing before it is written down."""
    if truth.phase(world.present) is not Phase.SETTLED or truth.answered is None:
        return "" if truth.variant >> 3 & 1 else None
    said = "\n".join(f"{_SPEAKERS[turn.role]}: {turn.text} " for turn in world.turns(truth) if turn.tool is None)
    return f"\n{said}"


_SPEAKERS = {Role.ASSISTANT: "bot", Role.USER: "human"}


def _shared(world: World, truth: Truth) -> dict[str, Any]:
    """Return what a row and a call have in the same form."""
    present, model = world.present, model_of(world, truth)
    is_over, is_held = truth.ended <= present, truth.answered is not None
    numbers = (_OUR_NUMBER, truth.phone) if truth.direction is Direction.OUTBOUND else (truth.phone, _OUR_NUMBER)
    begun = is_held and (truth.answered or 0.0) <= present
    is_recorded = is_held and truth.phase(present) is Phase.SETTLED and truth.variant >> 4 & 3
    order = {"order": {"value": truth.facts["order"], "collected": True}}
    return {
        "call_id": world.id(truth),
        "model_id": model,
        "campaign_type": truth.direction.value,
        "phone_number_from": numbers[0],
        "phone_number_to": numbers[1],
        "name": world.details(truth).get("name") or truth.facts["name"],
        "transcript": _transcript(world, truth),
        "duration": int(truth.duration) if is_over else 0,
        "recording_url": _recording(world, truth) if is_recorded else None,
        "end_call_reason": _end_reason(truth, present),
        "error_message": "The carrier refused it." if is_over and truth.ending is EndReason.ERROR else None,
        "executed_actions": _actions(world, truth),
        "type_of_call": truth.direction.value,
        "start_time": str(milliseconds(truth.created)),
        "timezone": "America/Chicago" if truth.variant >> 6 & 1 else None,
        "telephony_hangup": _hangup(truth) if is_over and is_held else None,
        "telephony_disconnect_reason": "unknown" if is_over and is_held else None,
        "telephony_duration": round(truth.duration * 1000) if is_over and is_held else None,
        "telephony_start": iso(truth.answered or 0.0) if begun else None,
        "telephony_end": iso(truth.ended) if is_over and is_held else None,
        "collected_variables": {model: order} if is_held and truth.phase(present) is Phase.SETTLED else {},
    }


def _recording(world: World, truth: Truth) -> str:
    return f"https://media.example.com/recordings/RE{world.id(truth)[-12:]}"


def _hangup(truth: Truth) -> str:
    """Return which side hung up: caller and callee are sides of the line."""
    is_customer = truth.ending is EndReason.CUSTOMER_ENDED
    return "caller" if is_customer is (truth.direction is Direction.INBOUND) else "callee"


def _actions(world: World, truth: Truth) -> dict[str, Any]:
    used = [turn.tool for turn in world.turns(truth) if turn.tool] if truth.ended <= world.present else []
    return {
        f"{tool.name}_{number}": {
            "name": f"{tool.name}_{number}",
            "action_type": "run_custom_action",
            "description": "Looks something up.",
            "parameters_hard_coded": json.loads(tool.arguments),
            "error_message": tool.result if tool.is_error else None,
            "return_value": None if tool.is_error else json.loads(tool.result),
        }
        for number, tool in enumerate(used, 1)
    }


def _row(world: World, truth: Truth) -> dict[str, Any]:
    shared = _shared(world, truth)
    is_settled = truth.answered is not None and truth.phase(world.present) is Phase.SETTLED
    return {
        **shared,
        "call_status": _status(truth, world.present),
        "judge_results": {"goal": truth.success} if is_settled else None,
        "lead_phone_number": truth.phone,
        "agents_used": [shared["model_id"]],
        "recording_duration": str(int(truth.duration)) if shared["recording_url"] else None,
        "lead_name": shared["name"],
        "labels": ["vip"] if truth.variant >> 7 & 3 == 0 else [],
        "agent_phone_number": _OUR_NUMBER,
        "deployment_type": "phone" if truth.variant >> 8 & 1 else None,
    }


def _call(world: World, truth: Truth) -> dict[str, Any]:
    given: list[dict[str, str]] = world.details(truth).get("custom_variables") or []
    is_held = truth.answered is not None and truth.answered <= world.present
    return {
        **_shared(world, truth),
        "status": _status(truth, world.present),
        "custom_end_call_reason": "said_goodbye" if _end_reason(truth, world.present) == "custom_end_call" else None,
        "prompt_variables": {one["key"]: one["value"] for one in given},
        "telephony_ringing_duration": round(((truth.answered or 0.0) - truth.created) * 1000) if is_held else None,
    }


# what calls change


class _Variable(msgspec.Struct):
    key: str
    value: str


class _Wanted(msgspec.Struct):
    model_id: str
    phone: str
    name: str
    from_phone_number: str | None = None
    custom_variables: list[_Variable] | None = None


def _dial(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Wanted)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$.")
        where = ["body", *filter(None, [place.strip("`")])]
        return reply(422, {"detail": [{"type": "value_error", "loc": where, "msg": words}]})
    at_work = next(iter(MODELS))
    if wanted.model_id != at_work:
        return rejected(400, "The assistant cannot place calls", "validation")

    def outbound(truth: Truth) -> Truth:
        return replace(truth, channel=Channel.PHONE, direction=Direction.OUTBOUND)

    truth = world.create(msgspec.to_builtins(wanted), outbound)
    response = {"answer": "Your call is being made.", "call_id": world.id(truth)}
    return reply(200, {"status": "ok", "response": response, "eta": 30})


# what it delivers: docs.synthflow.ai/about-webhooks


def deliveries(world: World, truth: Truth) -> list[Delivery]:
    """Return the only delivery about a call: that it is over, once everything is written down."""
    moment = truth.ended + (TRANSCRIPT_DELAY if truth.answered is not None else 0.0)
    if moment > world.present:
        return []
    told = _call(world, truth)
    goodbye = _GOODBYES.get(truth.ending) if truth.variant >> 9 & 1 else None
    same = ("model_id", "timezone", "call_id", "duration", "transcript", "recording_url")
    body = {
        "status": "completed",
        # Some say here why it ended, too.
        "error_message": goodbye if truth.variant >> 10 & 1 else told["error_message"],
        "lead": {"name": told["name"], "phone_number": truth.phone},
        "call": {
            "status": told["status"],
            "end_call_reason": goodbye or told["end_call_reason"],
            **{name: told[name] for name in same},
            "start_time": iso(_begun(truth, world.present), "+00:00"),
        },
        "executed_actions": told["executed_actions"],
        "analysis": _analysis(truth),
    }
    return [Delivery(moment, "post-call", msgspec.json.encode(body))]


_GOODBYES = {EndReason.CUSTOMER_ENDED: "human_goodbye", EndReason.AGENT_ENDED: "agent_goodbye"}


def _analysis(truth: Truth) -> dict[str, Any]:
    if truth.answered is None:
        return {}
    goal = {True: "true", False: "false", None: "not_applicable"}[truth.success]
    return {"goal": goal, "user_sentiment": "neutral", "call_summary": truth.summary, "answered_by_human": "true"}


# docs.synthflow.ai/webhooks-security
def signed(delivery: Delivery, secret: str) -> dict[str, str]:
    """Return the signature of the call's id, under the name that is sent and the one that frameworks show."""
    id = msgspec.json.decode(delivery.body)["call"]["call_id"]
    signature = base64.b64encode(hmac.new(secret.encode(), id.encode(), hashlib.sha256).digest()).decode()
    return {"HTTP_SYNTHFLOW_SIGNATURE": signature, "Synthflow-Signature": signature}
