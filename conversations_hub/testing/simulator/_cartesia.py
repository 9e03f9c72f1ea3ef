"""Cartesia's agents as specification and newer pages describe them: a list for each agent, other words by version."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._instants import to_the_millisecond
from ._truth import TRANSCRIPT_DELAY, Phase, Truth, Turn
from ._world import Call, Delivery, Simulated, World, at_most, dated, one_of, reply

__all__ = ["SIMULATED", "answer"]

_VERSIONS = ("2024-06-10", "2024-11-13", "2025-04-16", "2025-11-04", "2026-03-01", "2026-08-14")
_NEWER_WORDS = "2026-03-01"
_DEFAULT_LIMIT = 10
_MOST = 100
_OUR_NUMBER = "+15555550199"
_WEBHOOK = "ahw_simulated"
_WAV = (
    b"RIFF\x24\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00data"
)


def answer(call: Call, world: World) -> Response:
    """Answer as Cartesia does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    key = _key(call)
    if not key or key.startswith("bad"):
        return _refusal(401, "Invalid API key")
    version = call.headers.get("cartesia-version", "")
    if version not in _VERSIONS:
        return _refusal(400, "Cartesia-Version header is missing or no version")
    match call.method, call.segments:
        case "GET", ("agents",):
            return reply(200, {"summaries": [_agent(world, number) for number in range(len(_AGENTS))]})
        case "GET", ("agents", "calls"):
            return _list(call, world, version)
        case method, ("agents", "calls", id, *rest):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(method, tuple(rest), world, truth, version)
        case "GET", ("agents", "metrics", "results"):
            return reply(200, {"data": [], "has_more": False, "next_page": None})
        case "GET", ("agents", id) if id in _AGENTS:
            return reply(200, _agent(world, _AGENTS.index(id)))
        case _:
            return _refusal(404, "Not found")


def _about(method: str, rest: tuple[str, ...], world: World, truth: Truth, version: str) -> Response:
    match method, rest:
        case "GET", ():
            return reply(200, _call(world, truth, version, world.present))
        case "GET", ("audio",):
            is_there = truth.answered is not None and truth.phase(world.present) is Phase.SETTLED
            if not is_there or _is_redacted(world, truth):
                return _refusal(404, "No audio for this call")
            return Response(200, {"content-type": "audio/wav"}, _WAV + bytes(4))
        # docs.cartesia.ai/agents/transcripts-and-recordings
        case "DELETE", ():
            if truth.ended > world.present:
                return _refusal(400, "The call has not completed")
            world.note(truth, redacted_at=to_the_millisecond(world.present))
            return Response(204, {}, b"")
        case _:
            return _refusal(405, "Method not allowed")


# the agents


_AGENTS = ("agent_a_2026", "agent_b_2025", "agent_c_2024")
"""One after the other took all calls, the first one to this day; the last one was deleted."""


def _begins(world: World) -> tuple[float, float]:
    """Return since when the first and the second agent took calls."""
    size = world.corpus.size
    return world.corpus.created(size * 2 // 3), world.corpus.created(size // 3)


def _agent_of(world: World, truth: Truth) -> str:
    first, second = _begins(world)
    return _AGENTS[0 if truth.created >= first else 1 if truth.created >= second else 2]


def _agent(world: World, number: int) -> dict[str, Any]:
    since = to_the_millisecond(world.corpus.created(0))
    return {
        "id": _AGENTS[number],
        "name": f"front-desk-{_AGENTS[number][-4:]}",
        "description": None,
        "created_at": since,
        "updated_at": since,
        "tts_voice": "simulated-voice",
        "tts_language": "en",
        "webhook_id": _WEBHOOK,
        "deleted_at": to_the_millisecond(world.present) if number == len(_AGENTS) - 1 else None,
        "git_repository": None,
        "git_deploy_branch": None,
        "phone_numbers": [],
        "has_text_to_agent_run": False,
        "deployment_count": 1,
    }


# the list


def _list(call: Call, world: World, version: str) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return _refusal(400, f"Invalid {', '.join(wrong)}")
    if "agent_id" not in asked:
        return _refusal(400, "agent_id is required")
    if asked["agent_id"] not in _AGENTS:
        return _refusal(404, "Agent not found")
    if {"starting_after", "ending_before"} <= asked.keys():
        return _refusal(400, "Use either starting_after or ending_before")
    where = world.find(asked.get("starting_after") or asked.get("ending_before") or "")
    if where is None and not {"starting_after", "ending_before"}.isdisjoint(asked):
        return _refusal(400, "Unknown cursor")
    size: int = asked.get("limit", _DEFAULT_LIMIT)
    first, second = _begins(world)
    since, until = {_AGENTS[0]: (first, None), _AGENTS[1]: (second, first), _AGENTS[2]: (None, second)}[
        asked["agent_id"]
    ]
    if "ending_before" in asked and where is not None:
        newer = (truth for truth in world.newest(since=since, before=until) if truth.created > where.created)
        found = list(newer)[-size - 1 :]
        shown, has_more = found[-size:], len(found) > size
        following = world.id(shown[0]) if has_more else None
    else:
        before = until if where is None else where.created if until is None else min(until, where.created)
        found = list(islice(world.newest(since=since, before=before), size + 1))
        shown, has_more = found[:size], len(found) > size
        following = world.id(shown[-1]) if has_more else None
    rows = [_call(world, truth, version, world.present) for truth in shown]
    if asked.get("expand") != "transcript":
        for row in rows:
            del row["transcript"]
    # It is optional, so the last page may leave it out.
    told = {} if following is None and shown and shown[-1].variant & 1 else {"next_page": following}
    return reply(200, {"data": rows, **told})


_READERS: dict[str, Callable[[str], Any]] = {"limit": at_most(_MOST), "expand": one_of(("transcript",))}


# one call


def _call(world: World, truth: Truth, version: str, present: float) -> dict[str, Any]:
    is_over, is_written = truth.ended <= present, truth.phase(present) is Phase.SETTLED
    has_begun = truth.answered is not None and truth.answered <= present
    is_redacted = _is_redacted(world, truth)
    is_phone = truth.channel is Channel.PHONE
    reason = _end_reason(truth) if is_over else None
    is_newer = version >= _NEWER_WORDS
    has_failed = is_over and _has_failed(truth)
    call: dict[str, Any] = {
        "id": world.id(truth),
        "agent_id": _agent_of(world, truth),
        "status": (_status if is_newer else _older_status)(truth, present),
        "start_time": to_the_millisecond(truth.answered or 0.0) if has_begun else None,
        "end_time": to_the_millisecond(truth.ended) if has_begun and is_over else None,
        "transcript": list(_transcript(world, truth)) if is_written and has_begun and not is_redacted else None,
        # The caller's number first, as if every call were outbound.
        "telephony_params": {"to": truth.phone, "from": _OUR_NUMBER} if is_phone and not is_redacted else None,
        "summary": truth.summary if is_written and has_begun and not is_redacted else None,
        "error_message": "The agent's code failed" if has_failed and truth.ending is EndReason.ERROR else None,
        "deployment_id": f"ad_{truth.scenario.number}",
    }
    # docs.cartesia.ai/api-reference/agents/calls/get-call, of version 2026-03-01
    if is_newer:
        call["end_reason"] = reason
        call["metadata"] = {"ticket": truth.facts["order"]} if truth.variant >> 1 & 1 and not is_redacted else {}
    if is_redacted:
        call |= world.notes(truth)
    return call


def _is_redacted(world: World, truth: Truth) -> bool:
    return "redacted_at" in world.notes(truth)


def _is_dialled(truth: Truth) -> bool:
    return truth.channel is Channel.PHONE and truth.direction is Direction.OUTBOUND


def _has_failed(truth: Truth) -> bool:
    return truth.answered is None or truth.ending is EndReason.ERROR


def _status(truth: Truth, present: float) -> str:
    if present >= truth.ended:
        return "failed" if _has_failed(truth) else "completed"
    return "created" if truth.answered is None or present < truth.answered else "started"


def _older_status(truth: Truth, present: float) -> str:
    if present < truth.ended:
        return "active"
    return "cancelled" if truth.ending is EndReason.CANCELLED else _status(truth, present)


def _end_reason(truth: Truth) -> str:
    match truth.ending:
        case EndReason.NO_ANSWER if _is_dialled(truth):
            return "dial_busy" if truth.variant >> 2 & 1 else "dial_no_answer"
        case EndReason.NO_ANSWER:
            return "client_disconnected"
        case EndReason.ERROR if truth.answered is None and _is_dialled(truth):
            return "dial_failed"
        case EndReason.CUSTOMER_ENDED if truth.variant >> 3 & 7 == 7:
            return "inactivity"
        case EndReason.CUSTOMER_ENDED if truth.channel is not Channel.PHONE:
            return "client_disconnected"
        case ending:
            return _REASONS[ending]


_REASONS = {
    EndReason.CUSTOMER_ENDED: "client_hangup",
    EndReason.AGENT_ENDED: "agent_hangup",
    EndReason.TRANSFERRED: "agent_hangup",
    EndReason.API_ENDED: "api_cancelled",
    EndReason.CANCELLED: "api_cancelled",
    EndReason.MAX_DURATION: "max_duration",
    EndReason.ERROR: "error",
}


def _transcript(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    turns = world.turns(truth)
    for turn in turns:
        yield _entry(truth, turn)
        # Logs of the customer's own code stand among what was said.
        if turn.tool is not None and truth.variant >> 6 & 1:
            metric = {"name": "lookup_ms", "value": 120.0, "timestamp": turn.start}
            yield _log(turn.start, log_metric=metric)
    if turns and truth.variant >> 7 & 1:
        event = {"event": "order_checked", "metadata": {"order": truth.facts["order"]}, "timestamp": truth.duration}
        yield _log(truth.duration, log_event=event)


def _entry(truth: Truth, turn: Turn) -> dict[str, Any]:
    when = {"start_timestamp": turn.start, "end_timestamp": round(turn.start + turn.duration, 3)}
    if turn.tool is not None:
        call = {"id": turn.tool.call_id, "name": turn.tool.name, "arguments": _object(turn.tool.arguments)}
        return {"role": "assistant", "text": "", **when, "end_reason": None, "tool_calls": [call]}
    chunks = None
    if truth.variant >> 8 & 1:
        words = turn.text.split()
        halves = " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])
        chunks = [{"text": half, "start_timestamp": turn.start} for half in halves if half]
    said = {"role": turn.role.value, "text": turn.text, "text_chunks": chunks, **when}
    if turn.role is Role.ASSISTANT:
        reason = "interrupted" if turn.interrupted else "tts_completed"
        return {**said, "end_reason": reason, "tool_calls": None, "tts_ttfb": turn.latency}
    return {**said, "end_reason": None, "vad_buffer_ms": 250}


def _log(moment: float, **said: Mapping[str, Any]) -> dict[str, Any]:
    return {"role": "system", "start_timestamp": moment, "end_timestamp": moment, **said}


def _object(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {"input": text}
    return found


# what it delivers: docs.cartesia.ai/agents/webhooks


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    found: list[Delivery] = []

    def deliver(kind: str, moment: float, **members: Any) -> None:
        shared = {
            "type": kind,
            "call_id": world.id(truth),
            "agent_id": _agent_of(world, truth),
            "webhook_id": _WEBHOOK,
            "timestamp": to_the_millisecond(moment),
        }
        found.append(Delivery(moment, kind, msgspec.json.encode({**shared, **members})))

    def deliver_call(kind: str, moment: float) -> None:
        deliver(kind, moment, call=_call(world, truth, _VERSIONS[-1], moment))

    if truth.answered is not None:
        deliver_call("call_started", truth.answered)
    deliver_call("call_failed" if _has_failed(truth) else "call_completed", truth.ended)
    if truth.answered is not None:
        deliver("post_call_analysis", truth.ended + TRANSCRIPT_DELAY, analysis={"summary": truth.summary})
    return found


# The secret itself, and no signature.
def _signed(_delivery: Delivery, secret: str) -> dict[str, str]:
    return {"X-Webhook-Secret": secret}


def _key(call: Call) -> str:
    return call.bearer or call.headers.get("x-api-key", "")


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"error": words})


_UNKNOWN = _refusal(404, "Call not found")

SIMULATED = Simulated(
    prefix="ac_",
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="sk_car_simulated",
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret="simulated-secret-of-the-webhook",  # noqa: S106  (of no use anywhere else)
)
