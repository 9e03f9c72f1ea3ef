"""Voiceable as its documentation and its own front end describe it: two shapes of a conversation, one envelope."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice, takewhile
from math import inf
from typing import Any

from ...schema import Channel, Direction, Role
from ...wire import Response
from ._truth import Phase, Truth
from ._world import Call, Simulated, World, at_most, iso, one_of, reply, whole

__all__ = ["SIMULATED", "answer"]

_DEFAULT_SIZE = 30
_MOST = 100
_CENTS_PER_MINUTE = 12
# One silent frame of MPEG audio.
_SILENCE = b"\xff\xfb\x90\x00" + bytes(413)


def answer(call: Call, world: World) -> Response:
    """Answer as Voiceable does."""
    key = _key(call)
    if not key:
        # https://docs.voiceable.dev/api-reference/conversations/get-conversation
        # A missing key is a bad request, a wrong one is not authorized.
        return _refused(400, "Missing API key")
    if key.startswith("bad"):
        return _refused(401, "Authentication required.")
    match call.method, _below_base(call.segments):
        case "GET", ("conversations",):
            return _list(call, world)
        case "GET", ("conversations", id, *rest):
            truth = world.find(id)
            return _refused(404, "Conversation not found") if truth is None else _about(tuple(rest), world, truth)
        case _:
            return _refused(404, "Not Found")


def _about(rest: tuple[str, ...], world: World, truth: Truth) -> Response:
    match rest:
        case ():
            return _enveloped(_record(world, truth, whole_record=True))
        case ("audio",):
            return _audio(world, truth)
        case _:
            return _refused(404, "Not Found")


def _below_base(segments: tuple[str, ...]) -> tuple[str, ...]:
    # The front end calls /voiceable-api, the documentation /api/v1; here both are the same place as no such path.
    for base in (("voiceable-api",), ("api", "v1")):
        if segments[: len(base)] == base:
            return segments[len(base) :]
    return segments


# https://docs.voiceable.dev/api-reference/conversations/list-conversations
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return _refused(400, "Bad request", errors=[f"{name} is invalid" for name in wrong])
    size: int = asked.get("page_size", _DEFAULT_SIZE)
    # Whether the bounds count is not documented; whole seconds are compared, and they do not.
    newest = world.newest(before=min(asked.get("cursor", inf), asked.get("call_start_before_unix", inf)))
    recent = takewhile(lambda truth: int(truth.created) > asked.get("call_start_after_unix", -inf), newest)
    found = list(islice((truth for truth in recent if _matches(world, truth, asked)), size + 1))
    rows = [_record(world, truth, summary=asked.get("summary_mode") != "exclude") for truth in found[:size]]
    more = len(found) > size
    if not more and "cursor" not in asked:
        return _enveloped(rows)  # where everything fits one page, the data is the bare array the front end reads
    cursor = base64.urlsafe_b64encode(iso(found[size - 1].created).encode()).decode() if more else None
    return _enveloped({"conversations": rows, "has_more": more, "next_cursor": cursor})


def _cursor(text: str) -> float | None:
    try:
        return datetime.fromisoformat(base64.urlsafe_b64decode(text).decode()).timestamp()
    except ValueError:
        return None


_READERS: dict[str, Callable[[str], Any]] = {
    "page_size": at_most(_MOST),
    "call_start_before_unix": whole,
    "call_start_after_unix": whole,
    "call_successful": one_of(("success", "failure", "unknown")),
    "summary_mode": one_of(("include", "exclude")),
    "cursor": _cursor,
}


def _matches(world: World, truth: Truth, asked: dict[str, Any]) -> bool:
    return (
        asked.get("agent_id") in {None, str(truth.scenario.number)}
        and asked.get("user_id") in {None, _user(truth)}
        and asked.get("call_successful") in {None, _success(world, truth)}
    )


def _record(world: World, truth: Truth, *, summary: bool = True, whole_record: bool = False) -> dict[str, Any]:
    shape = _documented if truth.variant & 1 else _consumed
    record = shape(world, truth, summary=summary)
    if not whole_record:
        del record["transcript"]
    return record


def _documented(world: World, truth: Truth, *, summary: bool) -> dict[str, Any]:
    began = truth.answered or truth.created
    heard = [turn for turn in world.turns(truth) if turn.tool is None] if _is_ready(world, truth) else []
    metadata: dict[str, Any] = {"call_quality": "good" if truth.variant % 5 else "fair"}
    if truth.ended <= world.present:
        metadata["duration"] = round(truth.duration)
    if summary and _is_ready(world, truth):
        metadata["summary"] = truth.summary
    return {
        "conversation_id": world.id(truth),
        "agent_id": str(truth.scenario.number),
        "agent_name": truth.scenario.agent,
        "status": _STATUSES[_state(world, truth)],
        "transcript": [
            {"role": turn.role.value, "content": turn.text, "timestamp": _to_the_second(began + turn.start)}
            for turn in heard
        ],
        "metadata": metadata,
        "created_at": _to_the_second(truth.created),
    }


# https://github.com/voiceabledev/voiceable-client
# What the vendor's own front end reads: other names for almost everything, and every member may be missing.
def _consumed(world: World, truth: Truth, *, summary: bool) -> dict[str, Any]:
    ready = _is_ready(world, truth)
    heard = [turn for turn in world.turns(truth) if turn.tool is None] if ready else []
    agent = "agent" if truth.variant >> 1 & 3 == 0 else "assistant"
    minutes, seconds = divmod(round(truth.duration) if truth.ended <= world.present else 0, 60)
    cents = round(truth.duration / 60 * _CENTS_PER_MINUTE)
    dollars = cents / 100
    record: dict[str, Any] = {
        "id": world.id(truth),
        "agent_id": str(truth.scenario.number),
        "agent_name": truth.scenario.agent,
        "user_id": _user(truth),
        "status": _state(world, truth),
        "call_successful": _success(world, truth),
        "duration": f"{minutes}:{seconds:02}",
        "messages": len(heard),
        "date": _date(truth),
        "has_audio": ready and truth.variant % 9 > 0,  # now and then wrong
        "transcript": [
            {
                "role": agent if turn.role == Role.ASSISTANT else "user",
                "message": turn.text,
                "time_in_call_secs": int(turn.start),
            }
            for turn in heard
        ],
        "metadata": {},
        "outcome": _outcome(world, truth) if ready and truth.variant >> 3 & 1 else None,
        "cost": {"amount_cents": cents, "amount_dollars": dollars, "formatted": f"${dollars:.2f}"} if ready else None,
    }
    if truth.channel == Channel.PHONE:
        record["direction"] = "outbound" if truth.direction == Direction.OUTBOUND else "inbound"
    if summary and ready:
        record["summary"] = truth.summary
    return record


def _date(truth: Truth) -> str:
    moment = datetime.fromtimestamp(truth.created, UTC)
    return _to_the_second(truth.created) if truth.variant >> 4 & 3 == 0 else f"{moment:%b} {moment.day}, {moment.year}"


def _outcome(world: World, truth: Truth) -> dict[str, Any]:
    won = truth.success is not False
    judged = iso(truth.ended + 61)
    return {
        "id": truth.index + 1,
        "conversation_id": world.id(truth),
        "agent_id": truth.scenario.number,
        "outcome_definition_id": 1,
        "outcome": "success" if won else "failure",
        "reason_code": None if won else "goal_not_reached",
        "confidence_score": 0.5 + truth.variant % 50 / 100,
        "cost_cents": round(truth.duration / 60 * _CENTS_PER_MINUTE),
        "duration_seconds": round(truth.duration),
        "sentiment": "positive" if won else "negative",
        "metadata": {},
        "classified_at": judged,
        "created_at": judged,
        "updated_at": judged,
    }


_STATUSES = {
    "initiated": "initiated",
    "in-progress": "in_progress",
    "processing": "processing",
    "done": "completed",
    "failed": "failed",
}


def _state(world: World, truth: Truth) -> str:
    match truth.phase(world.present):
        case Phase.QUEUED | Phase.RINGING:
            return "initiated"
        case Phase.LIVE:
            return "in-progress"
        case Phase.PROCESSING:
            return "processing"
        case Phase.SETTLED:
            return "failed" if truth.answered is None else "done"


def _is_ready(world: World, truth: Truth) -> bool:
    return truth.answered is not None and truth.phase(world.present) == Phase.SETTLED


def _success(world: World, truth: Truth) -> str:
    judged = truth.phase(world.present) == Phase.SETTLED
    return _VERDICTS[truth.success if judged else None]


_VERDICTS = {True: "success", False: "failure", None: "unknown"}


def _user(truth: Truth) -> str:
    return truth.phone if truth.channel == Channel.PHONE else f"user_{truth.customer}"


def _to_the_second(moment: float) -> str:
    return iso(moment).partition(".")[0] + "Z"


def _audio(world: World, truth: Truth) -> Response:
    if not _is_ready(world, truth):
        return _refused(404, "Audio not found")
    return Response(200, {"content-type": "audio/mpeg"}, _SILENCE * 8)


def _key(call: Call) -> str:
    return call.headers.get("x-api-key", "") or call.bearer


def _enveloped(data: object) -> Response:
    return reply(200, {"status": {"code": 200, "message": "Success"}, "data": data})


def _refused(status: int, words: str, *, errors: list[str] | None = None) -> Response:
    body: dict[str, Any] = {"status": {"code": status, "message": words}, "error": words}
    return reply(status, body | ({"errors": errors} if errors else {}))


def _refusal(status: int, words: str) -> Response:
    return _refused(status, "ElevenLabs API error" if status == _UPSTREAM else words)


_UPSTREAM = 502

SIMULATED = Simulated(
    prefix="conv_",
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="simulated-key",
    # https://docs.voiceable.dev/api-reference/introduction
    limit_headers=("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
)
