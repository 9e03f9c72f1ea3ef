"""AssemblyAI's voice agents as their pages describe them: sessions in a list, what was said in files with signed URLs.

The files are at the simulator's own address, where nobody may show a key: their URLs are signed and expire.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec

from ...schema import Channel, EndReason, Role
from ...wire import Response
from ._instants import milliseconds
from ._scenarios import SCENARIOS
from ._truth import TRANSCRIPT_DELAY, Phase, ToolUse, Truth, Turn
from ._world import Call, Delivery, Simulated, World, at_most, dated, iso, positive, reply

__all__ = ["SIMULATED", "answer"]

_DEFAULT_SIZE = 50
_MOST = 200
_URL_LIVES = 3600
"""Seconds."""
_BUCKET = "https://speech-to-speech-production-eu-west-1-sessions.s3.amazonaws.com"
_SIGNING_KEY = b"simulated-bucket"
_FILES = {"audio": "audio/ogg", "timeline": "application/json", "metadata": "application/json"}


def answer(call: Call, world: World) -> Response:
    """Answer as AssemblyAI does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if call.segments[:1] == ("artifacts",):
        return _file(call, world)
    key = _key(call)
    if not key or key.startswith("bad"):
        return _refusal(401, "Unauthorized")
    match call.method, call.segments:
        case "GET", ("v1", "sessions"):
            return _list(call, world)
        case ("GET" | "DELETE") as method, ("v1", "sessions", id):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(method, call, world, truth)
        case "GET", ("v1", "agents"):
            return reply(200, {"agents": _AGENTS, "has_more": False, "response_metadata": {"next_cursor": None}})
        case "GET", ("v1", "agents", id):
            found = next((agent for agent in _AGENTS if agent["id"] == id), None)
            return _refusal(404, "Agent not found") if found is None else reply(200, found)
        case _:
            return _refusal(404, "Not found")


def _about(method: str, call: Call, world: World, truth: Truth) -> Response:
    if method == "DELETE":
        world.delete(truth)
        return Response(204, {}, b"")
    artifacts = [
        {"type": kind, "url": _url(call, world, truth, kind), "content_type": media_type}
        for kind, media_type in _FILES.items()
        if _is_written(world, truth)
    ]
    return reply(200, _row(world, truth) | {"config": _config(truth), "artifacts": artifacts})


# https://www.assemblyai.com/docs/api-reference/voice-agent-api/list-sessions
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked({"limit": at_most(_MOST), "cursor": _position})
    if wrong:
        return _refusal(422, f"invalid {', '.join(wrong)}")
    size: int = asked.get("limit", _DEFAULT_SIZE)
    rows: list[dict[str, Any]] = []
    last, has_more = 0.0, False
    for truth in world.newest(before=asked.get("cursor")):
        row = _row(world, truth)
        if any(asked.get(name) not in {None, row[name]} for name in ("status", "agent_id")):
            continue
        if len(rows) == size:
            has_more = True
            break
        rows.append(row)
        last = truth.created
    cursor = base64.urlsafe_b64encode(str(last).encode()).decode() if has_more else None
    return reply(200, {"sessions": rows, "has_more": has_more, "response_metadata": {"next_cursor": cursor}})


def _position(text: str) -> float | None:
    try:
        return float(base64.urlsafe_b64decode(text))
    except ValueError:
        return None


# https://www.assemblyai.com/docs/api-reference/voice-agent-api/get-session
def _row(world: World, truth: Truth) -> dict[str, Any]:
    is_over = truth.ended <= world.present
    return {
        "id": world.id(truth),
        "agent_id": _agent_id(truth),
        "status": "completed" if is_over else "active",
        "public_close_reason": _CLOSE_REASONS[truth.ending] if is_over else None,
        "duration_seconds": _length(truth) if is_over else None,
        "created_at": iso(truth.created),
        "ended_at": iso(truth.ended) if is_over else None,
    }


# Only the first is documented.
_CLOSE_REASONS = {
    EndReason.CUSTOMER_ENDED: "client_end",
    EndReason.AGENT_ENDED: "agent_end",
    EndReason.TRANSFERRED: "agent_transfer",
    EndReason.MAX_DURATION: "max_duration",
    EndReason.NO_ANSWER: "idle_timeout",
    EndReason.CANCELLED: "client_end",
    EndReason.ERROR: "internal_error",
}
_AGENTS = [{"id": f"agent_{scenario.number}", "name": scenario.agent} for scenario in SCENARIOS]


def _agent_id(truth: Truth) -> str | None:
    """Return the stored agent; now and then a client brings all of its configuration itself."""
    return f"agent_{truth.scenario.number}" if truth.variant & 7 else None


def _began(truth: Truth) -> float:
    return truth.created if truth.answered is None else truth.answered


def _length(truth: Truth) -> float:
    return round(truth.ended - _began(truth), 3)


def _is_written(world: World, truth: Truth) -> bool:
    return truth.answered is not None and truth.phase(world.present) is Phase.SETTLED


def _config(truth: Truth) -> dict[str, Any]:
    hidden = base64.b64encode(f"hidden-{truth.index}".encode()).decode()
    kept = {"api_key_ciphertext": hidden, "api_key_kms_key_id": "kms-1", "api_key_encrypted_data_key": hidden}
    return {
        "system_prompt": f"You are {truth.scenario.agent}.",
        "greeting": truth.scenario.greeting,
        "output": {"voice": "ivy"},
        "llm": [{"model": "simulated-llm", **kept}],
        "tools": [
            {
                "type": "http",
                "name": truth.scenario.tool.name,
                "http": {"url": "https://tools.example.com/run", "headers_ciphertext": hidden},
            }
        ],
    }


# the files


def _url(call: Call | None, world: World, truth: Truth, kind: str) -> str:
    """Return the URL of a file: on the host of the request, or in the vendor's bucket if there was no request."""
    host = call.headers.get("host") if call else None
    base = f"http://{host}/assemblyai/artifacts" if host else _BUCKET
    path, expires = f"{world.id(truth)}/{kind}", str(int(world.present) + _URL_LIVES)
    signature = {"AWSAccessKeyId": "SIMULATED", "Signature": _signature(path, expires), "Expires": expires}
    return f"{base}/{path}?{urlencode(signature)}"


def _signature(path: str, expires: str) -> str:
    return base64.b64encode(hmac.digest(_SIGNING_KEY, f"{path}\n{expires}".encode(), "sha1")).decode()


def _file(call: Call, world: World) -> Response:
    _, *steps = call.segments
    truth = world.find(steps[0]) if steps else None
    kind = "/".join(steps[1:])
    if "authorization" in call.headers:
        return _denied(400, "InvalidArgument", "Only one auth mechanism allowed")
    asked = call.query
    expires = positive(asked.get("Expires", "")) or 0
    if asked.get("Signature") != _signature("/".join(steps), asked.get("Expires", "")):
        return _denied(403, "SignatureDoesNotMatch", "The request signature does not match")
    if expires < world.present:
        return _denied(403, "AccessDenied", "Request has expired")
    if call.method != "GET" or kind not in _FILES or truth is None or not _is_written(world, truth):
        return _denied(404, "NoSuchKey", "The specified key does not exist.")
    if kind == "audio":
        return Response(200, {"content-type": _FILES[kind]}, b"OggS" + bytes(2000))
    return reply(200, _timeline(world, truth) if kind == "timeline" else _metadata(world, truth))


def _denied(status: int, code: str, words: str) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{words}</Message></Error>'
    return Response(status, {"content-type": "application/xml"}, body.encode())


def _metadata(world: World, truth: Truth) -> dict[str, Any]:
    return {
        "session_id": world.id(truth),
        "started_at": iso(_began(truth)),
        "ended_at": iso(truth.ended),
        "format": "ogg_opus",
        "channels": 2,
        "channel_layout": ["user", "agent"],
        "sample_rate": 24000,
        "file": "audio.ogg",
        "uploaded_chunks": 3,
        "dropped_chunks": 0,
    }


def _timeline(world: World, truth: Truth) -> dict[str, Any]:
    return {
        "session_id": world.id(truth),
        "started_at_unix_ms": milliseconds(_began(truth)),
        "turns": list(_entries(world, truth)),
        "config_changes": [{"at_ms": milliseconds(_began(truth)), "config": _config(truth)}],
        "ended": {
            "reason": "user_initiated" if truth.ending is EndReason.CUSTOMER_ENDED else "participant_disconnected",
            "public_reason": _CLOSE_REASONS[truth.ending],
            "duration_seconds": _length(truth),
        },
    }


def _entries(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    """Yield what is one entry there: what the user says, the tools that it takes, and what the agent answers."""
    entry: list[Turn] = []
    number = 0
    for turn in world.turns(truth):
        if entry and (turn.role is Role.USER or entry[-1].role is Role.ASSISTANT):
            yield _entry(truth, number, entry)
            entry, number = [], number + 1
        entry.append(turn)
    if entry:
        yield _entry(truth, number, entry)


def _entry(truth: Truth, number: int, turns: list[Turn]) -> dict[str, Any]:
    user = next((turn for turn in turns if turn.role is Role.USER), None)
    agent = next((turn for turn in turns if turn.role is Role.ASSISTANT), None)
    tools = [turn for turn in turns if turn.tool is not None]
    # Greetings and answers that took a tool may have no times.
    is_timed = truth.variant >> 3 & 1 > 0 or (number > 0 and not tools)
    is_interrupted = agent is not None and agent.interrupted
    trigger = "greeting" if not number else "user_speech" if user else "reply_create"
    told: dict[str, Any] = {
        "turn_id": f"resp_{truth.index:x}_{number}",
        "item_id": f"item_{truth.index:x}_{number}" if agent else None,
        "status": "interrupted" if is_interrupted else "completed",
        "trigger": trigger,
        "requested_instructions": "Say goodbye." if trigger == "reply_create" else None,
        "user_transcript": user.text if user else None,
        "user_speech_started_at_ms": _moment(truth, user.start) if user else None,
        "user_speech_ended_at_ms": _moment(truth, user.start + user.duration) if user else None,
        "user_confidence": 0.94 if user else None,
        "agent_text": agent.text if agent else None,
        "agent_reply_started_at_ms": _moment(truth, agent.start) if agent and is_timed else None,
        "agent_reply_ended_at_ms": _moment(truth, agent.start + agent.duration) if agent and is_timed else None,
        "interrupted_at_ms": _moment(truth, agent.start + agent.duration) if agent and is_interrupted else None,
        "time_to_first_audio_ms": round(agent.latency * 1000) if agent and agent.latency and not tools else None,
    }
    calls = [_tool_call(truth, turn, turn.tool) for turn in tools if turn.tool is not None]
    return told | ({"tool_calls": calls} if calls else {})


def _moment(truth: Truth, start: float) -> int:
    """Return an instant, in Unix milliseconds; some readers of these files take them for offsets, so some are."""
    began = milliseconds(_began(truth))
    moment = milliseconds(_began(truth) + start)
    return moment - began if truth.variant >> 4 & 7 == 7 else moment


def _tool_call(truth: Truth, turn: Turn, tool: ToolUse) -> dict[str, Any]:
    is_late = tool.is_error and truth.variant >> 5 & 1 > 0
    return {
        "call_id": tool.call_id,
        "name": tool.name,
        "arguments": msgspec.json.decode(tool.arguments),
        "result": tool.result,
        "dispatched_at_ms": _moment(truth, turn.start),
        "result_received_at_ms": _moment(truth, turn.start + 0.24),
        "duration_ms": 240,
        "is_error": tool.is_error and not is_late,
        "timed_out": is_late,
        "parallel_call_id": None,
    }


# what it delivers: https://www.assemblyai.com/docs/voice-agents/voice-agent-api/webhooks


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    id, is_call = world.id(truth), truth.channel is Channel.PHONE  # all of them are inbound there
    found: list[Delivery] = []

    def deliver(kind: str, moment: float, **members: Any) -> None:
        event_id = f"evt_{truth.index:x}_{len(found)}"
        told = {"event": kind, "event_id": event_id, "session_id": id, "agent_id": _agent_id(truth), **members}
        found.append(Delivery(moment, kind, msgspec.json.encode(told)))

    def about(*, is_written: bool) -> dict[str, Any]:
        urls = {
            f"{name}_url": _url(None, world, truth, kind) if is_written else None
            for name, kind in (("recording", "audio"), ("transcript", "timeline"))
        }
        return {"call_id": id, "session_id": id, "created_at": iso(truth.created), **urls}

    deliver("session.started", _began(truth))
    if is_call and truth.answered is not None:
        deliver("call.connected", truth.answered, call=about(is_written=False))
    closed = {"duration_seconds": _length(truth), "public_close_reason": _CLOSE_REASONS[truth.ending]}
    deliver("session.completed", truth.ended, **closed)
    if is_call and (truth.answered is None or truth.ending is EndReason.ERROR):
        deliver("call.failed", truth.ended, call=about(is_written=False))
    elif is_call:
        deliver("call.ended", truth.ended + TRANSCRIPT_DELAY, call=about(is_written=True))
    return found


def _signed(delivery: Delivery, secret: str) -> Mapping[str, str]:
    stamp = str(int(delivery.moment))
    signature = hmac.new(secret.encode(), f"{stamp}.".encode() + delivery.body, hashlib.sha256).hexdigest()
    return {"X-AAI-Signature": f"t={stamp},v1={signature}"}


# keys and refusals


def _key(call: Call) -> str:
    return call.bearer or call.headers.get("authorization", "")


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"error": words})


_UNKNOWN = _refusal(404, "Session not found")

SIMULATED = Simulated(
    prefix="sess_",
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="simulated-key",
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret="simulated-0123456789abcdef0123456789",  # noqa: S106  (simulated, like everything here)
)
