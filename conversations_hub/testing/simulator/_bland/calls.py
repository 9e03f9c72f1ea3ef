"""Bland's calls: listed by index, in minutes and seconds, with rows in no order."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import takewhile
from math import inf
from typing import Any

import msgspec

from ....schema import Channel, Direction, EndReason, Role
from ....wire import Response
from .._instants import in_seconds, to_the_millisecond
from .._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from .._world import Call, Delivery, World, iso, one_of, positive, reply, whole
from .account import AGENT_NUMBER, pathway_of
from .refusals import NOT_FOUND, failed

__all__ = ["answer", "audio", "deliveries", "signed"]

_MOST = 1000
_LONGEST_CALL = 30
"""Minutes."""
_DOLLARS_PER_MINUTE = 0.09
_SAME_NUMBER_AFTER = 10.0
_PICK_UP = 8.0
_CITATIONS_DELAY = 45.0
_DESK_NUMBER = "+15550100199"
# WAVE audio without any samples.
_SILENCE = (
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
    b"data\x00\x00\x00\x00"
)


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer as Bland does about calls; `rest` of the path comes behind theirs."""
    match call.method, rest:
        case "GET", ():
            return _list(call, world)
        case "POST", ():
            return _create(call, world)
        case "GET", ("active",):
            return reply(200, {"data": [_active(world, truth) for truth in world.running()], "errors": None})
        case method, (id, *more):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(method, tuple(more), world, truth)
        case _:
            return NOT_FOUND


def _about(method: str, rest: tuple[str, ...], world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            return reply(200, _details(world, truth, world.present))
        case "GET", ("correct",):
            return _corrected(world, truth)
        case "POST", ("stop",):
            return _stop(world, truth)
        case "DELETE", ():
            world.delete(truth)
            return Response(204, {}, b"")
        case _:
            return NOT_FOUND


# https://docs.bland.ai/api-v1/get/calls
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        words = [f"Invalid parameter: {name}." for name in wrong]
        return reply(400, {"status": "error", "message": "Invalid parameters", "errors": words})
    index, size = asked.get("from", 0), min(asked.get("limit", _MOST), _MOST)
    is_ascending = asked.get("ascending") == "true"
    if _by_creation(asked) and not asked.keys() - {"from", "limit", "ascending", "sort_by"}:
        total = len(world)
        page = world.slice(index, size, oldest_first=is_ascending)
    else:
        newest = world.newest(until=asked.get("end_date"))
        recent = takewhile(lambda truth: truth.created >= asked.get("start_date", -inf), newest)
        matching = [truth for truth in recent if _matches(world, truth, asked)]
        if not _by_creation(asked):
            matching.sort(key=lambda truth: min(truth.ended, world.present), reverse=True)
        total = len(matching)
        page = (matching[::-1] if is_ascending else matching)[index : index + size]
    rows = [_row(world, truth, world.present) for truth in page]
    return reply(200, {"total_count": total, "count": len(rows), "calls": rows})


def _by_creation(asked: Mapping[str, Any]) -> bool:
    return "sort_by" not in asked or asked["sort_by"] == "created_at"


def _to_date(text: str) -> float | None:
    moment = in_seconds(text)
    is_a_day = len(text) == len("2026-11-03")
    return moment + 86400.0 - 1e-6 if moment is not None and is_a_day else moment


def _index(text: str) -> int | None:
    return index if (index := whole(text)) is not None and index >= 0 else None


def _minutes(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


_YES_OR_NO = one_of(("true", "false"))
_READERS: dict[str, Callable[[str], Any]] = {
    "from": _index,
    "limit": positive,
    "ascending": _YES_OR_NO,
    "sort_by": one_of(("created_at", "updated_at")),
    "start_date": in_seconds,
    "end_date": _to_date,
    "completed": _YES_OR_NO,
    "inbound": _YES_OR_NO,
    "duration_gt": _minutes,
    "duration_lt": _minutes,
}


def _matches(world: World, truth: Truth, asked: Mapping[str, Any]) -> bool:
    row = _row(world, truth, world.present)
    exact = {"from_number": "from", "to_number": "to", "answered_by": "answered_by", "batch_id": "batch_id"}
    told = {"completed": row["completed"], "inbound": row["inbound"]}
    minutes = row["call_length"] or 0.0
    return (
        all(asked[name] == row[member] for name, member in exact.items() if name in asked)
        and all(asked[name] == str(value).lower() for name, value in told.items() if name in asked)
        and asked.get("duration_gt", -inf) < minutes < asked.get("duration_lt", inf)
    )


def _row(world: World, truth: Truth, moment: float) -> dict[str, Any]:
    details = world.details(truth)
    inbound = truth.direction == Direction.INBOUND
    customer = details.get("phone_number") or truth.phone
    _, queue_status, completed = _states(truth, moment)
    return {
        "call_id": world.id(truth),
        "created_at": iso(truth.created, "+00:00"),
        "call_length": round(truth.duration / 60, 4) if completed else None,
        "to": AGENT_NUMBER if inbound else customer,
        "from": customer if inbound else AGENT_NUMBER,
        "inbound": inbound,
        "completed": completed,
        "queue_status": queue_status,
        "answered_by": _answered_by(truth, moment),
        "error_message": _error(truth) if completed else None,
        "batch_id": details.get("batch_id"),
        "pathway_id": _pathway(truth, details),
        "pathway_version": 1 + truth.variant % 3,
    }


# https://docs.bland.ai/api-v1/get/calls-id
def _states(truth: Truth, moment: float) -> tuple[str, str, bool]:
    """Return `status`, `queue_status` and `completed`, which may differ."""
    match truth.phase(moment), truth.ending:
        case Phase.QUEUED, _:
            return "queued", "queued" if truth.variant & 1 else "new", False
        case Phase.RINGING, _:
            return "queued", "allocated", False
        case Phase.LIVE, _:
            return "in-progress", "started", False
        case _, EndReason.NO_ANSWER:
            return "busy" if truth.variant % 4 == 0 else "no-answer", "complete", True
        case _, EndReason.CANCELLED:
            return "canceled", "complete", True
        case _, EndReason.ERROR:
            return "failed", "queue_error" if truth.answered is None else "call_error", True
        case _ if truth.answered is None:
            return "canceled", "complete", True
        case _:
            return "completed", "completed" if truth.variant >> 1 & 1 else "complete", True


def _answered_by(truth: Truth, moment: float) -> str | None:
    if moment < truth.ended:
        return None  # found out later
    if truth.answered is None:
        return "no-answer" if truth.ending == EndReason.NO_ANSWER else None
    return "human" if truth.variant % 5 else "unknown"


# https://docs.bland.ai/tutorials/post-call-webhooks
def _error(truth: Truth) -> str | None:
    if truth.ending == EndReason.ERROR:
        return "Call failed. The number you dialed is not found."
    # A call that went well may have an error, too.
    return f"Account not allowed to call {_DESK_NUMBER}" if truth.variant % 11 == 0 else None


def _pathway(truth: Truth, details: Mapping[str, Any]) -> str | None:
    if details:
        return details.get("pathway_id")
    return pathway_of(truth)


def _details(world: World, truth: Truth, moment: float) -> dict[str, Any]:
    row, details = _row(world, truth, moment), world.details(truth)
    is_settled = truth.phase(moment) == Phase.SETTLED
    has_talked = truth.answered is not None and is_settled
    rows = _rows(world, truth, moment)
    record: dict[str, Any] = {
        **row,
        "c_id": row["call_id"],
        "status": _states(truth, moment)[0],
        "started_at": to_the_millisecond(truth.answered) if truth.answered and truth.answered <= moment else None,
        "end_at": _end_at(truth, moment),
        "corrected_duration": str(round(truth.duration)) if has_talked else None,
        "max_duration": details.get("max_duration", _LONGEST_CALL),
        "call_ended_by": _ENDED_BY.get(truth.ending) if moment >= truth.ended else None,
        "price": round(truth.duration / 60 * _DOLLARS_PER_MINUTE, 4) if is_settled else None,
        "summary": truth.summary if has_talked else None,
        "analysis": None,
        "record": _is_recorded(truth, details),
        "recording_url": None,
        "metadata": _attached(truth, details),
        "request_data": details.get("request_data") or {},
        "variables": {"language": truth.scenario.language.title(), "call_id": row["call_id"]},
        "pathway_logs": [None, "not exported", _logs(rows)][truth.variant % 3],
        "pathway_tags": [truth.scenario.title.partition(" ")[0]] if has_talked else [],
        "local_dialing": False,
        "is_proxy_agent_call": False,
        "endpoint_url": "api.bland.ai",
        "transcripts": rows,
        "concatenated_transcript": "".join(f"{entry['user']}: {entry['text']} \n " for entry in rows),
    }
    if has_talked and record["record"]:
        record["recording_url"] = f"https://api.bland.ai/v1/recordings/{row['call_id']}"
        record["recording_expiration"] = to_the_millisecond(truth.ended + 30 * 86400)
    if has_talked and _is_cited(truth):
        record["citations"] = _citations(truth, row["call_id"])
    return record | (_transfer(truth) if truth.ending == EndReason.TRANSFERRED and moment >= truth.ended else {})


_ENDED_BY = {
    EndReason.CUSTOMER_ENDED: "USER",
    EndReason.AGENT_ENDED: "ASSISTANT",
    EndReason.TRANSFERRED: "USER",
}


def _end_at(truth: Truth, moment: float) -> str | None:
    if truth.answered is None or truth.answered > moment:
        return None
    # Documented as when the call would be cut off, and sent as that until the end; sometimes after it, too.
    is_cut_off = moment < truth.ended or truth.variant >> 2 & 3 == 0
    return to_the_millisecond(truth.answered + _LONGEST_CALL * 60 if is_cut_off else truth.ended)


def _is_recorded(truth: Truth, details: Mapping[str, Any]) -> bool:
    return bool(details.get("record")) if details else truth.variant >> 4 & 3 > 0


def _attached(truth: Truth, details: Mapping[str, Any]) -> dict[str, Any]:
    if details:
        return details.get("metadata") or {}
    return {"order_id": truth.facts["order"]} if truth.variant >> 5 & 1 else {}


def _logs(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    node: dict[str, Any] = {"tag": None, "decision": None, "pathway_info": "{}", "chosen_node_id": "1"}
    return [{**node, **{name: row[name] for name in ("text", "created_at")}, "role": row["user"]} for row in rows[:1]]


def _is_cited(truth: Truth) -> bool:
    return truth.variant >> 6 & 3 == 0


# https://docs.bland.ai/enterprise-features/citations
def _citations(truth: Truth, id: str) -> list[dict[str, Any]]:
    schema = "b0477cba-1c97-4105-8ac9-46cb8eae5cf1"
    cited: dict[str, Any] = {"call_id": id, "schema_id": schema, "variable_type": "string", "cited_utterances": []}
    return [{**cited, "variable_name": name, "value": truth.facts[name]} for name in ("order", "city")]


def _transfer(truth: Truth) -> dict[str, Any]:
    told: dict[str, Any] = {
        "transferred_to": _DESK_NUMBER,
        "transferred_at": to_the_millisecond(truth.ended),
        "pre_transfer_duration": round(truth.duration / 60, 4),
        "post_transfer_duration": 0.5712,
    }
    if truth.variant >> 8 & 1:
        leg = {
            "state": "MERGED",
            "call_id": f"1f8a3c2d-75e9-4b32-bb19-{truth.variant:012x}",
            "phone_number": _DESK_NUMBER,
        }
        told["warm_transfer_call"] = {"state": "MERGED", "proxy_agent_calls": [leg]}
    return told


def _turns(world: World, truth: Truth, moment: float) -> list[Turn]:
    heard = -1.0 if truth.answered is None else min(moment, truth.ended) - truth.answered
    return [turn for turn in world.corpus.turns(truth) if turn.start <= heard]


def _rows(world: World, truth: Truth, moment: float) -> list[dict[str, Any]]:
    if truth.answered is None or truth.phase(moment) == Phase.PROCESSING:
        return []
    noted: list[tuple[float, str, str]] = []
    for turn in _turns(world, truth, moment):
        if turn.tool is not None:
            noted.append((turn.start, f"Calling tool: {turn.tool.name}", "agent-action"))
        else:
            # Noted when the agent begins, and when the user has ended.
            at = turn.start + (turn.duration if turn.role == Role.USER else 0.0)
            noted.append((at, turn.text, turn.role.value))
    if truth.ending == EndReason.AGENT_ENDED and moment >= truth.ended:
        noted.append((truth.duration, "Ended call", "agent-action"))
    rows = [
        {
            "id": truth.index * 1000 + place,
            "created_at": iso(truth.answered + at, "+00:00" if truth.variant >> 9 & 1 else "Z"),
            "text": text,
            "user": user,
            "c_id": world.id(truth),
            "status": None,
            "transcript_id": None,
        }
        for place, (at, text, user) in enumerate(noted)
    ]
    # They need not come in order.
    return rows[1::2] + rows[::2] if truth.variant >> 10 & 3 == 0 else rows


# https://docs.bland.ai/api-v1/get/calls-corrected-transcript
def _corrected(world: World, truth: Truth) -> Response:
    if not _has_audio(world, truth):
        return reply(404, {"status": "error", "message": "No recording found for this call."})
    said = [turn for turn in _turns(world, truth, world.present) if turn.tool is None]
    segments = [
        {
            "start": turn.start,
            "end": round(turn.start + turn.duration, 3),
            "text": f" {turn.text}",
            "speaker": 1 if turn.role == Role.USER else 2,
            "speaker_label": turn.role.value,
            "confidence": round(0.5 + (truth.variant >> place % 16 & 7) / 16, 3),
        }
        for place, turn in enumerate(said)
    ]
    original = _rows(world, truth, world.present)[::-1]
    return reply(200, {"status": "success", "message": "Done", "corrected": segments, "original": original})


def _has_audio(world: World, truth: Truth) -> bool:
    has_talked = truth.answered is not None and truth.phase(world.present) == Phase.SETTLED
    return has_talked and _is_recorded(truth, world.details(truth))


# https://docs.bland.ai/api-v1/get/calls-id-recording
def audio(world: World, truth: Truth | None) -> Response:
    """Return a call's recording."""
    if truth is None or not _has_audio(world, truth):
        return failed(404, "CALL_RECORDING_NOT_FOUND", "Call recording not found")
    return Response(200, {"content-type": "audio/wav"}, _SILENCE)


# https://docs.bland.ai/api-v1/get/active
def _active(world: World, truth: Truth) -> dict[str, Any]:
    row = _row(world, truth, world.present)
    return {
        "call_id": row["call_id"],
        "from": row["from"],
        "to": row["to"],
        "pathway_id": row["pathway_id"],
        "international": "false",
        "status": "IN_PROGRESS" if row["queue_status"] == "started" else "QUEUED",
        "timestamp": str(int(truth.created * 1000)),
    }


# what calls change


# https://docs.bland.ai/api-v1/post/calls
def _create(call: Call, world: World) -> Response:
    body = call.json or {}
    needed = {"phone_number": ("phone_number",), "task": ("task", "pathway_id", "persona_id")}
    wrong = [
        f"Missing required parameter: {name}." for name, others in needed.items() if not any(map(body.get, others))
    ]
    if wrong:
        return reply(400, {"status": "error", "message": "Invalid parameters", "errors": wrong})
    recent = takewhile(lambda truth: truth.created > world.present - _SAME_NUMBER_AFTER, world.newest())
    if any(world.details(truth).get("phone_number") == body["phone_number"] for truth in recent):
        words = "Calls can only be sent every 10 seconds to the same number. Please try again in a few seconds."
        return reply(429, {"status": "error", "message": words})

    def picked_up(truth: Truth) -> Truth:
        answered = truth.created + _PICK_UP
        ended = answered + truth.planned
        return replace(truth, channel=Channel.PHONE, direction=Direction.OUTBOUND, answered=answered, ended=ended)

    made = {"call_id": world.id(world.create(body, picked_up)), "batch_id": None}
    return reply(200, {"status": "success", "message": "Call successfully queued.", **made})


# https://docs.bland.ai/api-v1/post/calls-id-stop
def _stop(world: World, truth: Truth) -> Response:
    if truth.ended <= world.present:
        return reply(200, {"status": "error", "message": "SID not found for the given c_id."})
    world.end(truth)
    return reply(200, {"status": "success", "message": "Call ended successfully."})


# https://docs.bland.ai/tutorials/post-call-webhooks
def deliveries(world: World, truth: Truth) -> list[Delivery]:
    """Return what is delivered about a call."""
    id = world.id(truth)
    after = truth.ended + (0.0 if truth.answered is None else TRANSCRIPT_DELAY)
    told: list[tuple[float, str, dict[str, Any]]] = []
    if truth.answered is not None:
        connected = {"message": "Call connected", "call_id": id, "category": "call", "log_level": "info"}
        told.append((truth.answered, "call", connected))
    told.append((after, "post_call", {**_details(world, truth, after), "disposition_tag": "COMPLETED_ACTION"}))
    if truth.answered is not None and _is_cited(truth):
        later = after + _CITATIONS_DELAY
        event = {"event_type": "citations", "call_id": id, "user_id": "user-1", "timestamp": iso(later)}
        told.append((later, "citations", event | {"citations": _citations(truth, id)}))
    return [Delivery(moment, kind, msgspec.json.encode(body)) for moment, kind, body in told]


# https://docs.bland.ai/tutorials/webhook-signing
def signed(delivery: Delivery, secret: str) -> dict[str, str]:
    """Return the headers that sign a delivery."""
    return {"x-webhook-signature": hmac.new(secret.encode(), delivery.body, hashlib.sha256).hexdigest()}


_UNKNOWN = failed(404, "CALL_NOT_FOUND", "Call not found")
