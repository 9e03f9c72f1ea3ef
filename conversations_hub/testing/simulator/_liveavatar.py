"""LiveAvatar as its documentation and its SDK describe it: two lists, an envelope of its own, times without a unit."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import floor
from typing import Any
from urllib.parse import urlencode

import msgspec

from ...schema import EndReason, Role
from ...wire import Response
from ._instants import to_the_millisecond
from ._truth import Phase, Truth
from ._world import Call, Simulated, World, at_most, dated, one_of, positive, reply

__all__ = ["SIMULATED", "answer"]

_PREFIX = "0f7a3b9e-51a4-4c39-8d55-0a"
_DEFAULT_SIZE = 20
_MOST = 100
_AT_ONCE = 20
"""How many entries of a transcript come in one answer; it is not documented that there is a limit."""
_LITE = 108
"""An avatar whose customer runs the conversation, so LiveAvatar has no transcript."""
_LONGEST = 600.0
_SANDBOX = 60.0
"""Seconds after which a sandbox session is cut."""
_CREDITS_A_MINUTE = 2.0
# The specification and every documented example say the first, the vendor's own SDK wants the second.
_SUCCESS = (100, 1000)


def answer(call: Call, world: World) -> Response:
    """Answer as LiveAvatar does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    key = _key(call)
    if call.segments[:2] == ("v1", "sessions") and call.method == "POST":
        return _changed(call, world, key)
    if not key or key.startswith("bad"):
        return _UNAUTHORIZED
    match call.method, call.segments:
        case "GET", ("v1", "sessions"):
            return _list(call, world)
        case method, ("v1", "sessions", id, *rest):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(method, tuple(rest), call, world, truth)
        case _:
            return _refusal(404, "Not Found")


def _about(method: str, rest: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, rest:
        case "GET", ():
            return _enveloped(_row(world, truth), code=_SUCCESS[truth.variant & 1])
        case "GET", ("transcript",):
            return _transcript(call, world, truth)
        case "DELETE", ("events",):
            world.note(truth, is_silenced=True)
            return _enveloped(None)
        case _:
            return _refusal(404, "Not Found")


# https://docs.liveavatar.com/api-reference/sessions/list-sessions
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong or "type" not in asked:
        return _invalid([("query", name) for name in wrong or ["type"]])
    page: int = asked.get("page", 1)
    size: int = asked.get("page_size", _DEFAULT_SIZE)
    first = (page - 1) * size
    running = world.running()
    filters = {name: asked[name] for name in ("avatar_id", "context_id", "embed_id") if asked.get(name)}
    if asked["type"] == "active" or filters:
        there = running if asked["type"] == "active" else [one for one in world.newest() if one not in running]
        matching = [truth for truth in there if filters.items() <= _made_with(world, truth).items()]
        found, total = matching[first : first + size], len(matching)
    else:
        found, total = world.slice(first, size, without=running), len(world) - len(running)
    told = {
        "count": total,
        **({"next": _page(call, page + 1)} if page * size < total else {"next": None} if page > 1 else {}),
        **({"previous": _page(call, page - 1)} if page > 1 else {}),
        "results": [_row(world, truth) for truth in found],
    }
    return _enveloped(told)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "type": one_of(("active", "historic")),
    "page": positive,
    "page_size": at_most(_MOST),
}


def _page(call: Call, number: int) -> str:
    """Return where a page is; in which form is not documented."""
    return f"/v1/sessions?{urlencode({**call.query, 'page': number})}"


def _made_with(world: World, truth: Truth) -> dict[str, str]:
    """Return what a session can be filtered by, though no answer says it."""
    details = world.details(truth)
    if details:
        persona: Any = details.get("avatar_persona") or {}
        return {"avatar_id": str(details.get("avatar_id")), "context_id": str(persona.get("context_id"))}
    number = truth.scenario.number
    return {"avatar_id": f"avatar-{number}", "context_id": f"context-{number}", "embed_id": f"embed-{number}"}


# https://docs.liveavatar.com/api-reference/sessions/get-session
def _row(world: World, truth: Truth) -> dict[str, Any]:
    ended = truth.ended <= world.present
    until = truth.ended if ended else world.present
    row: dict[str, Any] = {
        "id": world.id(truth),
        "created_at": to_the_millisecond(truth.created),
        "updated_at": to_the_millisecond(until),
        "duration": int(until - truth.created),
        "source": ("API", "APP", "EMBED", "DEMO")[truth.variant >> 1 & 3],
        "mode": _mode(world, truth),
        "is_sandbox": _is_sandbox(world, truth),
        "credits_consumed": 0.0 if _is_sandbox(world, truth) else round(_minutes(truth, until) * _CREDITS_A_MINUTE, 2),
    }
    return row | ({"end_at": to_the_millisecond(truth.ended), "end_reason": _reason(world, truth)} if ended else {})


def _minutes(truth: Truth, until: float) -> float:
    return (until - truth.created) / 60


def _mode(world: World, truth: Truth) -> str:
    is_lite = world.details(truth).get("mode") == "LITE" if world.details(truth) else truth.scenario.number == _LITE
    return "LITE" if is_lite else "FULL"


def _is_sandbox(world: World, truth: Truth) -> bool:
    if world.details(truth):
        return bool(world.details(truth).get("is_sandbox"))
    return truth.ended - truth.created <= _SANDBOX and truth.variant >> 3 & 1 == 0


def _reason(world: World, truth: Truth) -> str | None:
    if truth.ending == EndReason.API_ENDED:
        return str(world.notes(truth).get("reason", "UNKNOWN"))
    if truth.ending == EndReason.ERROR:
        return ("NO_CREDITS", "ZOMBIE_SESSION_REAP", "AVATAR_DELETED", "SERVER_ERROR")[truth.variant >> 4 & 3]
    if truth.ending == EndReason.CUSTOMER_ENDED:
        return ("USER_CLOSED", "USER_DISCONNECTED")[truth.variant >> 4 & 1]
    return _REASONS.get(truth.ending)


_REASONS = {
    EndReason.AGENT_ENDED: "AGENT_HANG_UP",
    EndReason.TRANSFERRED: "UNKNOWN",
    EndReason.MAX_DURATION: "MAX_DURATION_REACHED",
    EndReason.NO_ANSWER: "IDLE_TIMEOUT",
}


# https://docs.liveavatar.com/api-reference/sessions/get-session-transcript
def _transcript(call: Call, world: World, truth: Truth) -> Response:
    asked, wrong = call.asked({"start_timestamp": _stamp, "end_timestamp": _stamp})
    if wrong:
        return _invalid([("query", name) for name in wrong])
    if _mode(world, truth) == "LITE":
        return _refusal(404, "There is no transcript of a session in LITE mode")
    since, until = asked.get("start_timestamp", 0), asked.get("end_timestamp", 1 << 60)
    said = [entry for entry in _entries(world, truth) if since <= entry["absolute_timestamp"] <= until]
    is_active = truth.ended > world.present
    cut = _AT_ONCE
    while 0 < cut < len(said) and said[cut - 1]["absolute_timestamp"] == said[cut]["absolute_timestamp"]:
        cut += 1  # what was said at one instant comes together
    told: dict[str, Any] = {"session_active": is_active, "transcript_data": said[:cut]}
    if cut < len(said):
        told["next_timestamp"] = said[cut]["absolute_timestamp"]
    elif is_active and said:
        told["next_timestamp"] = said[-1]["absolute_timestamp"] + 1
    elif is_active and since:
        told["next_timestamp"] = since
    return _enveloped(told, code=_SUCCESS[1])


def _stamp(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _entries(world: World, truth: Truth) -> list[dict[str, Any]]:
    is_readable = truth.phase(world.present) in {Phase.LIVE, Phase.SETTLED}
    if not is_readable or world.notes(truth).get("is_silenced"):
        return []
    per_second = 1000 if truth.variant >> 6 & 1 else 1
    began = truth.answered or truth.created
    return [
        {
            "role": "avatar" if turn.role == Role.ASSISTANT else "user",
            "transcript": turn.text,
            "absolute_timestamp": floor((began + turn.start) * per_second),
            "relative_timestamp": floor((began + turn.start - truth.created) * per_second),
        }
        for turn in world.turns(truth)
        if turn.tool is None
    ]


# what calls change


def _changed(call: Call, world: World, key: str) -> Response:
    """Answer a POST; all but the first may show a session token in place of the key."""
    may = bool(key) and not key.startswith("bad")
    match call.segments[2:]:
        case ("token",) if may:
            return _mint(call)
        case ("start",) if _session_of(call) is not None:
            return _start(call, world)
        case ("stop",) if may or _session_of(call) is not None:
            return _stop(call, world)
        case ("keep-alive",) if may or _session_of(call) is not None:
            return _enveloped(None)
        case ("token" | "start" | "stop" | "keep-alive",):
            return _UNAUTHORIZED
        case _:
            return _refusal(404, "Not Found")


# https://docs.liveavatar.com/api-reference/sessions/create-session-token
def _mint(call: Call) -> Response:
    body = call.json
    if body is None or body.get("mode") not in {"FULL", "LITE"} or not isinstance(body.get("avatar_id"), str):
        wrong = "avatar_id" if body and body.get("mode") in {"FULL", "LITE"} else "mode"
        return _invalid([("body", wrong)])
    return _enveloped({"session_token": base64.urlsafe_b64encode(msgspec.json.encode(body)).decode()})


def _session_of(call: Call) -> dict[str, Any] | None:
    """Return the session that a token is for; None for what is no token."""
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(call.bearer.encode()), type=dict[str, Any])
    except (ValueError, msgspec.MsgspecError):
        return None


# https://docs.liveavatar.com/api-reference/sessions/start-session
def _start(call: Call, world: World) -> Response:
    details = _session_of(call) or {}
    longest = _SANDBOX if details.get("is_sandbox") else _LONGEST

    def runs_until_it_is_stopped(truth: Truth) -> Truth:
        ended = truth.created + longest
        return replace(truth, answered=truth.created, ended=ended, ending=EndReason.MAX_DURATION, planned=longest)

    truth = world.create(details, runs_until_it_is_stopped)
    id = world.id(truth)
    lite = {"livekit_agent_token": f"simulated-agent-token-{id}", "ws_url": f"wss://simulated.example/{id}"}
    return _enveloped(
        {
            "session_id": id,
            "livekit_url": "wss://simulated.livekit.example",
            "livekit_client_token": f"simulated-client-token-{id}",
            "max_session_duration": int(longest),
            **(lite if details.get("mode") == "LITE" else {}),
        },
        status=201,
    )


# https://docs.liveavatar.com/api-reference/sessions/stop-session
def _stop(call: Call, world: World) -> Response:
    body = call.json or {}
    truth = world.find(str(body.get("session_id")))
    if truth is None:
        return _UNKNOWN if body.get("session_id") else _invalid([("body", "session_id")])
    if truth.ended > world.present:
        world.note(truth, reason=body.get("reason", "UNKNOWN"))
        world.end(truth)
    return _enveloped(None)


# the envelope, and refusals


def _enveloped(data: object, *, status: int = 200, code: int = _SUCCESS[0]) -> Response:
    return reply(status, {"code": code, "data": data, "message": None if code == _SUCCESS[0] else "Success"})


def _refusal(status: int, words: str) -> Response:
    # Which codes refusals have is not documented; the SDK reads the words.
    return reply(status, {"code": status, "data": None, "message": words})


def _invalid(places: list[tuple[str, str]]) -> Response:
    detail = [{"loc": place, "msg": "Field required or not valid", "type": "value_error"} for place in places]
    return reply(422, {"detail": detail})


def _key(call: Call) -> str:
    return call.headers.get("x-api-key", "")


_UNAUTHORIZED = _refusal(401, "Invalid API key")
_UNKNOWN = _refusal(404, "Session not found")

SIMULATED = Simulated(prefix=_PREFIX, answer=answer, refusal=_refusal, key=_key, api_key="simulated-key")
