"""Fish Audio's agents as their specification describes them: web sessions and phone calls in one list, a dial apart.

The list leaves out sessions that nobody joined yet, and webhooks name the same facts otherwise than the API.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from math import inf
from typing import Any

import msgspec

from ...schema import Channel, Direction, EndReason
from ...wire import Response
from ._instants import in_seconds
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, at_most, dated, iso, one_of, positive, reply

__all__ = ["SIMULATED", "answer"]

_DEFAULT_SIZE = 30
_MOST = 100
_DEEPEST = 100_000
"""Rows that pages by number reach."""
_STATUSES = ("pending", "active", "completed", "failed", "unknown")
_OUR_NUMBER = "+15555550199"
_LONGEST_CALL = 1800
_URL_LIVES = 900.0
"""Seconds."""


def answer(call: Call, world: World) -> Response:
    """Answer as Fish Audio does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if not call.bearer:
        return Response(401, {"www-authenticate": "Bearer"}, b"")
    if call.bearer.startswith("bad"):
        return _refusal(401, "Invalid token")
    match call.method, call.segments:
        case "GET", ("v1", "agent", "sessions"):
            return _list(call, world)
        case "POST", ("v1", "agent", "sessions"):
            return _open(call, world)
        case "POST", ("v1", "agent", "phone-calls"):
            return _dial(call, world)
        case method, ("v1", "agent", "sessions", id, *rest):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(method, tuple(rest), world, truth)
        case _:
            return _refusal(404, "Not Found")


def _about(method: str, rest: tuple[str, ...], world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            items = _items(world, truth)
            return reply(200, _row(world, truth) | {"items": items, "analysis": _analysis(truth, world.present)})
        case "GET", ("recording",):
            return _recording(world, truth)
        case "POST", ("end",):
            world.end(truth)
            return Response(204, {}, b"")
        case _:
            return _refusal(405, "Method Not Allowed")


# the list: agents/monitor/conversation-history in https://github.com/fishaudio/docs


def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return _refusal(400, f"Invalid {', '.join(wrong)}")
    size: int = asked.get("page_size", _DEFAULT_SIZE)
    offset = 0
    if "page" in asked:
        if "cursor" in asked:
            return _refusal(400, "page and cursor cannot be combined")
        offset = (asked["page"] - 1) * size
        if offset + size > _DEEPEST:
            return _refusal(400, "page is too deep, use cursor")
    newest = world.newest(
        since=asked.get("created_after"), until=asked.get("created_before"), before=asked.get("cursor", inf)
    )
    matching = (truth for truth in newest if _matches(world, truth, asked))
    found = list(islice(matching, offset, offset + size + 1))
    shown, has_more = found[:size], len(found) > size
    total = None
    if "page" in asked or asked.get("include_total") == "true":
        total = sum(_matches(world, truth, asked) for truth in world.newest())
    cursor = _written(shown[-1].created) if has_more and "page" not in asked else None
    rows = [_row(world, truth) for truth in shown]
    return reply(200, {"sessions": rows, "has_more": has_more, "next_cursor": cursor, "total": total})


def _matches(world: World, truth: Truth, asked: Mapping[str, Any]) -> bool:
    row = _row(world, truth)
    number = asked.get("caller_number")
    return (
        row["status"] in asked.get("status", _STATUSES[1:])
        and asked.get("agent_id") in {None, row["agent_id"]}
        and asked.get("direction") in {None, row["direction"]}
        and (number is None or row["caller_number"] == f"+{number.strip().removeprefix('+')}")
    )


def _words(text: str) -> list[str] | None:
    words = text.split(",")
    return words if {*words} <= {*_STATUSES} else None


def _written(moment: float) -> str:
    return base64.urlsafe_b64encode(str(moment).encode()).decode()


def _cursor(text: str) -> float | None:
    try:
        return float(base64.urlsafe_b64decode(text))
    except ValueError:
        return None


_READERS: dict[str, Callable[[str], Any]] = {
    "page_size": at_most(_MOST),
    "page": positive,
    "cursor": _cursor,
    "status": _words,
    "direction": one_of(("inbound", "outbound")),
    "created_after": in_seconds,
    "created_before": in_seconds,
    "include_total": one_of(("true", "false")),
}


# one session


def _row(world: World, truth: Truth) -> dict[str, Any]:
    details, present = world.details(truth), world.present
    is_phone = truth.channel is Channel.PHONE
    status = _status(truth, present)
    started, ended = _started(truth, present), _ended(truth, present)
    return {
        "session_id": world.id(truth),
        "agent_id": details.get("agent_id") or f"ag_{truth.scenario.number}",
        "agent_name": truth.scenario.agent,
        "name": details.get("name") if details else (truth.title if truth.variant & 1 else None),
        "status": status,
        "source": "phone" if is_phone else ("api_key", "dashboard", "public")[(truth.variant >> 1) % 3],
        "direction": truth.direction.value,
        "dial_status": _dial_status(truth, present),
        "answered_by": "human" if _dial_status(truth, present) == "answered" else None,
        # Always the person, whoever calls whom.
        "caller_number": (details.get("to_number") or truth.phone) if is_phone else None,
        "dialed_number": _OUR_NUMBER if is_phone else None,
        "timezone": "America/Chicago" if truth.variant >> 2 & 1 else None,
        "created_at": _whole(truth.created),
        "started_at": None if started is None else _whole(started),
        "ended_at": None if ended is None else _whole(ended),
        "duration_seconds": None if started is None or ended is None else int(ended) - int(started),
        "metadata": details.get("metadata") or ({"lead": f"L-{truth.customer}"} if truth.variant >> 3 & 1 else {}),
    }


def _is_dialled(truth: Truth) -> bool:
    return truth.channel is Channel.PHONE and truth.direction is Direction.OUTBOUND


def _is_never_joined(truth: Truth) -> bool:
    """Whether it is a web session that is open to this day, because nobody came."""
    return truth.channel is not Channel.PHONE and truth.answered is None and truth.ending in _UNJOINED


_UNJOINED = {EndReason.NO_ANSWER, EndReason.CANCELLED}
_FAILED = {EndReason.ERROR, EndReason.CANCELLED}


def _status(truth: Truth, present: float) -> str:
    if _is_never_joined(truth):
        return "pending"
    if present < truth.ended:
        is_waiting = truth.answered is None or present < truth.answered
        return "pending" if is_waiting and truth.channel is not Channel.PHONE else "active"
    # In which of the two an unanswered dial ends is not documented.
    is_failed = truth.ending in _FAILED or (truth.ending is EndReason.NO_ANSWER and truth.variant >> 4 & 1)
    return "failed" if is_failed else "completed"


def _dial_status(truth: Truth, present: float) -> str | None:
    if not _is_dialled(truth):
        return None
    if truth.answered is not None:
        return "answered" if truth.answered <= present else None
    if present < truth.ended:
        return None
    if truth.ending is EndReason.NO_ANSWER:
        return "busy" if truth.variant >> 5 & 1 else "no_answer"
    return "failed"


def _started(truth: Truth, present: float) -> float | None:
    return truth.answered if truth.answered is not None and truth.answered <= present else None


def _ended(truth: Truth, present: float) -> float | None:
    return truth.ended if truth.ended <= present and not _is_never_joined(truth) else None


def _whole(moment: float) -> str:
    """Return a moment in whole seconds, as in the vendor's examples."""
    return iso(math.floor(moment)).replace(".000000", "")


# https://github.com/fishaudio/docs, api-reference/openapi.json


def _items(world: World, truth: Truth) -> list[dict[str, Any]]:
    """Return what was said and done so far; nothing in the minute after the end, while it is written down."""
    if truth.phase(world.present) is Phase.PROCESSING:
        return []
    found = [item for number, turn in enumerate(world.turns(truth), 1) for item in _said(truth, turn, number)]
    if truth.answered is not None and truth.ended <= world.present:
        found += _farewell(truth, len(found))
    return found


def _said(truth: Truth, turn: Turn, number: int) -> Iterator[dict[str, Any]]:
    when = _when(truth, (truth.answered or 0.0) + turn.start)
    tool = turn.tool
    if tool is None:
        yield {"type": "message", "role": turn.role.value, "content": turn.text, "turn_id": number, **when}
        return
    about = {"call_id": tool.call_id, "tool_name": tool.name, "tool_source": "webhook", "turn_id": number, **when}
    yield {"type": "tool_call", "input": tool.arguments, **about}
    result = {"status": "failed" if tool.is_error else "completed", "output": None, "error": None}
    result["error" if tool.is_error else "output"] = tool.result
    yield {"type": "tool_result", **result, "output_truncated": False, "latency_ms": 640, **about}


def _when(truth: Truth, moment: float) -> dict[str, str | None]:
    return {"created_at": _whole(moment) if truth.variant >> 6 & 7 else None}


def _farewell(truth: Truth, number: int) -> Iterator[dict[str, Any]]:
    """Yield how the agent's own tools ended it."""
    name = _OWN_TOOLS.get(truth.ending)
    if name is None:
        return
    about = {"call_id": f"own_{truth.index:x}", "tool_name": name, "tool_source": "builtin", "turn_id": number}
    about |= _when(truth, truth.ended)
    yield {"type": "tool_call", "input": "{}", **about}
    if truth.ending is EndReason.TRANSFERRED:
        done = {"status": "completed", "output": "transferred", "output_truncated": False, "error": None}
        yield {"type": "tool_result", **done, "latency_ms": None, **about}


_OWN_TOOLS = {EndReason.AGENT_ENDED: "hang_up_call", EndReason.TRANSFERRED: "transfer_call"}


def _analysis(truth: Truth, present: float) -> dict[str, Any] | None:
    if truth.ended > present or _is_never_joined(truth):
        return None
    if truth.answered is None:
        return {"status": "skipped", "summary": None, "data": [], "criteria_results": []}
    if truth.phase(present) is Phase.PROCESSING:
        return {"status": "running", "summary": None, "data": [], "criteria_results": []}
    verdict = {True: "success", False: "failure", None: "unknown"}[truth.success]
    value = {"name": "order", "type": "text", "value": truth.facts["order"], "rationale": "It was said."}
    return {
        "status": "completed",
        "summary": truth.summary,
        "data": [value],
        "criteria_results": [{"name": "solved", "result": verdict, "rationale": ""}],
    }


def _recording(world: World, truth: Truth) -> Response:
    if not truth.variant % 4 or truth.answered is None or truth.ended > world.present:
        return _refusal(404, "Recording not found")
    id, is_ready = world.id(truth), truth.phase(world.present) is Phase.SETTLED
    tracks = [
        {
            "role": role,
            "status": "complete" if is_ready else "active",
            "url": f"https://media.example.com/{id}/{role}.ogg?X-Amz-Signature=simulated" if is_ready else None,
            "expires_at": _whole(world.present + _URL_LIVES) if is_ready else None,
            "duration_ms": round(truth.duration * 1000) if is_ready else None,
            "started_at": _whole(truth.answered),
            "ended_at": _whole(truth.ended),
            "error": None,
            "error_code": None,
        }
        for role in ("agent", "user")
    ]
    status = "complete" if is_ready else "processing"
    return reply(200, {"session_id": id, "status": status, "tracks": tracks})


# what calls change


class _Session(msgspec.Struct, forbid_unknown_fields=True):
    agent_id: str
    name: str | None = None
    timezone: str | None = None
    client_timezone: str | None = None
    world_context: bool = True
    overrides: dict[str, Any] | None = None
    dynamic_variables: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


class _PhoneCall(msgspec.Struct, forbid_unknown_fields=True):
    agent_id: str
    phone_number_id: str
    to_number: str
    dynamic_variables: dict[str, Any] | None = None
    overrides: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None


def _open(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Session)
    except msgspec.ValidationError as error:
        return _invalid(error)

    def nobody_joins(truth: Truth) -> Truth:
        web = replace(truth, channel=Channel.WEB, direction=Direction.INBOUND)
        return replace(web, answered=None, ended=inf, ending=EndReason.NO_ANSWER)

    truth = world.create(msgspec.to_builtins(wanted), nobody_joins)
    id = world.id(truth)
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (b"{}", id.encode(), b"signed"))
    opened = {
        "session_id": id,
        "expires_at": _whole(world.present + 600),
        "max_duration_seconds": _LONGEST_CALL,
        "transport": "livekit",
        "livekit_url": "wss://simulated.livekit.example",
        "token": token,
    }
    return reply(201, opened)


# agents/telephony/outbound-calls
def _dial(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _PhoneCall)
    except msgspec.ValidationError as error:
        return _invalid(error)
    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", wanted.to_number):
        return _refusal(422, "The destination is not a number in E.164 form.", "destination_not_allowed")
    key, body = call.headers.get("idempotency-key"), msgspec.to_builtins(wanted)
    recent = islice(world.newest(), _MOST)
    before = next((one for one in recent if key and world.details(one).get("idempotency_key") == key), None)
    if before is not None and world.details(before)["body"] != body:
        return _refusal(409, "The key was used for another call.", "idempotency_key_conflict")

    def outbound(truth: Truth) -> Truth:
        return replace(truth, channel=Channel.PHONE, direction=Direction.OUTBOUND)

    truth = before or world.create({**body, "body": body, "idempotency_key": key}, outbound)
    return reply(201, {"session_id": world.id(truth), "status": "queued"})


# what it delivers: agents/monitor/webhooks


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    if _is_never_joined(truth):
        return []
    found: list[Delivery] = []

    def deliver(kind: str, moment: float, **members: Any) -> None:
        about = {"event": kind, "session": _delivered_session(world, truth, moment), **members}
        found.append(Delivery(moment, kind, msgspec.json.encode(about)))

    if _is_dialled(truth):
        resolved = truth.ended if truth.answered is None else truth.answered
        told = _dial_status(truth, resolved)
        by = "human" if told == "answered" else None
        deliver("phone_call.dial_finished", resolved, dial_status=told, answered_by=by)
    if truth.answered is not None:
        deliver("call.ended", truth.ended, ended_reason="error" if truth.ending is EndReason.ERROR else "hangup")
        written = truth.ended + TRANSCRIPT_DELAY
        analysis = {**(_analysis(truth, written) or {}), "finished_at": _whole(written), "error": None}
        # The transcript came with a later version.
        items = {"items": _items(world, truth)} if truth.variant >> 9 & 1 else {}
        deliver("call.analyzed", written, analysis=analysis, **items)
    return found


def _delivered_session(world: World, truth: Truth, moment: float) -> dict[str, Any]:
    row = _row(world, truth)
    started, ended = _started(truth, moment), _ended(truth, moment)
    same = ("agent_id", "agent_name", "source", "metadata", "direction")
    return {
        "id": row["session_id"],
        "branch_id": None,
        "status": _status(truth, moment),
        "conversation_started_at": None if started is None else _whole(started),
        "conversation_ended_at": None if ended is None else _whole(ended),
        "duration_seconds": None if started is None or ended is None else int(ended) - int(started),
        "end_user_id": f"guest_{truth.customer}",
        "config_hash": "c0ffee",
        "dial_status": _dial_status(truth, moment),
        "answered_by": "human" if _dial_status(truth, moment) == "answered" else None,
        "batch_call_id": None,
        **{name: row[name] for name in same},
    }


def _signed(delivery: Delivery, secret: str) -> dict[str, str]:
    stamp = str(int(delivery.moment))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + delivery.body, hashlib.sha256).hexdigest()
    return {"X-Fish-Webhook-Signature": f"t={stamp},v1={signature}"}


# what it refuses: api-reference/agent-errors


def _refusal(status: int, words: str, reason: str | None = None) -> Response:
    return reply(status, {"status": status, **({"reason": reason} if reason else {}), "message": words})


def _invalid(error: msgspec.ValidationError) -> Response:
    words, _, place = str(error).partition(" - at `$.")
    where = ["body", *filter(None, [place.strip("`")])]
    return reply(422, [{"type": "value_error", "loc": where, "msg": words}])


_UNKNOWN = _refusal(404, "Session not found")

SIMULATED = Simulated(
    prefix="9c41f0",
    answer=answer,
    refusal=_refusal,
    key=lambda call: call.bearer,
    api_key="simulated-key",
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret="fish_simulated_0123456789abcdef",  # noqa: S106  (simulated, like everything here)
)
