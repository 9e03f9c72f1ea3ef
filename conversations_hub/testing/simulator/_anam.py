"""Anam as its specification and its newer pages describe it: pages by number, two shapes of a session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import ceil
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from ...schema import Role
from ...wire import Response
from ._instants import milliseconds, to_the_millisecond
from ._truth import Phase, Truth
from ._world import Call, Simulated, World, at_most, dated, positive, reply

__all__ = ["SIMULATED", "answer"]

_PREFIX = "5c1d7a52-6a0e-4e55-9f7e-0f"
_PERSONA = "9c0e5f0a-1d2b-4c3d-8e4f-"
_API_KEY = "2f6d1c1e-0b57-4f0e-9a53-3f1f6a7c1b2d"
_ORGANIZATION = "7b1c9e7a-44d0-4c55-8a07-6a0c2f9d3e10"
_DEFAULT_SIZE = 10
_MOST = 100
_REPORT_DELAY = 30.0
"""Seconds from the end of a session to its report, which lists its tool calls."""
_RECORDING_DELAY = 20.0
_KEEPS_NOTHING = 107
"""A persona with zero data retention."""
_LIVEKIT = 108
"""A persona in a room of the customer's own, of which Anam hears nothing."""


def answer(call: Call, world: World) -> Response:
    """Answer as Anam does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if not call.bearer or call.bearer.startswith("bad"):
        return _refusal(401, "Unauthorized - Invalid or missing API key.")
    match call.method, call.segments:
        case "GET", ("v1", "sessions"):
            return _list(call, world)
        case "GET", ("v1", "sessions", id, *rest):
            return _about(tuple(rest), world, id)
        case "POST", ("v1", "auth", "session-token"):
            return _mint(call, world)
        case _:
            return _refusal(404, "Not Found")


def _about(rest: tuple[str, ...], world: World, id: str) -> Response:
    if _uuid(id) is None:
        return _refusal(400, "Bad request - Invalid session ID.")
    truth = world.find(id)
    if truth is None:
        return _refusal(404, "Not Found - Session not found.")
    match rest:
        case ():
            return reply(200, _row(world, truth) | ({"toolCalls": _report(world, truth)} if _is_newer(truth) else {}))
        case ("transcript",):
            return _transcript(world, truth)
        case ("recording",):
            return _recording(world, truth)
        case _:
            return _refusal(404, "Not Found")


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# https://anam.ai/docs/api-reference/sessions/list-sessions
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return _refusal(400, f"Bad request - Invalid query parameters: {', '.join(wrong)}")
    page: int = asked.get("page", 1)
    size: int = asked.get("perPage", _DEFAULT_SIZE)
    first = (page - 1) * size
    filters = {name: asked[name] for name in ("search", "personaId", "apiKeyId") if asked.get(name)}
    if filters:
        matching = [truth for truth in world.newest() if _matches(world, truth, filters)]
        found, total = matching[first : first + size], len(matching)
    else:
        found, total = world.slice(first, size), len(world)
    last = ceil(total / size)
    meta = {
        "total": total,
        "lastPage": last,
        "currentPage": page,
        "perPage": size,
        "prev": page - 1 if page > 1 else None,
        "next": page + 1 if page < last else None,
    }
    return reply(200, {"data": [_row(world, truth) for truth in found], "meta": meta})


_READERS: Mapping[str, Callable[[str], Any]] = {
    "page": positive,
    "perPage": at_most(_MOST),
    "personaId": lambda text: text if _uuid(text) else None,
    "apiKeyId": lambda text: text if _uuid(text) else None,
}


def _matches(world: World, truth: Truth, filters: Mapping[str, str]) -> bool:
    return (
        filters.get("search", "") in (world.id(truth), _label(truth), "")
        and filters.get("personaId") in {None, _persona(truth)}
        and filters.get("apiKeyId") in {None, _API_KEY}
    )


# one session, in the shape of the specification or in that of the newer pages


def _is_newer(truth: Truth) -> bool:
    return bool(truth.variant & 1)


# https://anam.ai/docs/api-reference/sessions/get-session
def _row(world: World, truth: Truth) -> dict[str, Any]:
    ended = truth.ended <= world.present
    times = {
        "startTime": to_the_millisecond(truth.created),
        "endTime": to_the_millisecond(truth.ended) if ended else None,
        "createdAt": to_the_millisecond(truth.created),
        "updatedAt": to_the_millisecond(truth.ended + 1) if ended else to_the_millisecond(truth.created),
    }
    length = _length(truth) if ended else None
    same = {"id": world.id(truth), "clientLabel": _label(truth), "personaId": _persona(truth)}
    if _is_newer(truth):
        # It includes ends by the user and by the app.
        reason = {"exitStatus": "CLOSED_BY_ENGINE" if ended else None}
        return same | times | {"sessionLengthMs": length} | reason | _setup(truth)
    status = {"personaName": truth.scenario.agent, "status": "ended" if ended else "active"}
    return same | times | {"durationMs": length} | status


def _length(truth: Truth) -> int:
    return milliseconds(truth.ended) - milliseconds(truth.created)


def _label(truth: Truth) -> str | None:
    return f"web-{truth.customer}" if truth.variant & 2 else None


def _persona(truth: Truth) -> str:
    return f"{_PERSONA}{truth.scenario.number:012}"


def _setup(truth: Truth) -> dict[str, Any]:
    scenario = truth.scenario
    return {
        "engineHost": "connect-eu.anam.ai",
        "engineProtocol": "https",
        "engineVersion": "v2.31.0",
        "clientMetadata": {"userAgent": "Mozilla/5.0 (simulated)"},
        "personaConfig": {
            "type": "livekit" if scenario.number == _LIVEKIT else "stateful",
            "name": scenario.agent,
            "systemPrompt": f"You are {scenario.agent}. Speak {scenario.language}.",
            "languageCode": _LANGUAGES[scenario.language],
            "llmConfig": {
                "provider": "simulated",
                "secret_iv": "simulated-initialization-vector",
                "encrypted_secret": "simulated-encrypted-secret",
            },
            "ttsProvider": "simulated",
            "maxSessionLengthSeconds": 3600,
            "zeroDataRetention": scenario.number == _KEEPS_NOTHING,
            "metadata": {},
        },
        "apiKeyId": _API_KEY,
        "organizationId": _ORGANIZATION,
    }


_LANGUAGES = {"english": "en", "spanish": "es", "german": "de", "japanese": "ja"}


def _report(world: World, truth: Truth) -> list[dict[str, Any]]:
    if truth.scenario.number == _LIVEKIT or truth.ended + _REPORT_DELAY > world.present:
        return []
    # The pages tell that there are names and statuses, but not how the members are called.
    used = [turn.tool for turn in world.turns(truth) if turn.tool]
    return [{"name": tool.name, "status": "failed" if tool.is_error else "completed"} for tool in used]


# https://anam.ai/docs/api-reference/sessions/get-session-transcript
def _transcript(world: World, truth: Truth) -> Response:
    is_written = truth.answered is not None and truth.phase(world.present) == Phase.SETTLED
    if not is_written or truth.scenario.number == _LIVEKIT:
        return _refusal(404, "Not Found - Session not found or no transcript available.")
    is_kept = truth.scenario.number != _KEEPS_NOTHING
    messages = list(_messages(world, truth)) if is_kept else []
    return reply(
        200,
        {
            "sessionId": world.id(truth),
            "personaName": truth.scenario.agent,
            "startTime": to_the_millisecond(truth.created),
            "endTime": to_the_millisecond(truth.ended),
            "durationMs": _length(truth),
            "totalMessages": len(messages),
            "transcriptsEnabled": is_kept,
            "messages": messages,
        },
    )


def _messages(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    is_timed = truth.variant >> 2 & 7 > 0  # now and then nobody knows when the user spoke
    for turn in world.turns(truth):
        if turn.tool is not None:
            continue
        is_persona = turn.role == Role.ASSISTANT
        began = (truth.answered or truth.created) + turn.start
        yield {
            "role": "persona" if is_persona else "user",
            "message": turn.text,
            "timestamp": to_the_millisecond(began) if is_persona or is_timed else None,
            "speakingDurationSeconds": turn.duration if is_persona or is_timed else None,
            **({"wasInterrupted": turn.interrupted} if is_persona else {}),
        }


# https://anam.ai/docs/api-reference/sessions/get-session-recording
def _recording(world: World, truth: Truth) -> Response:
    is_made = truth.answered is not None and truth.ended + _RECORDING_DELAY <= world.present
    if not is_made or truth.scenario.number in {_KEEPS_NOTHING, _LIVEKIT}:
        return _refusal(404, "Not Found - Session or recording not found.")
    name = uuid5(NAMESPACE_URL, f"{world.id(truth)}:recording")
    return reply(200, {"recordingUrl": f"https://recordings.example.org/{name}.mp4?X-Amz-Expires=3600"})


# https://anam.ai/docs/api-reference/sessions/create-session-token
def _mint(call: Call, world: World) -> Response:
    body = call.json
    if body is None or not isinstance(body.get("personaConfig", {}), dict):
        return _refusal(400, "Invalid request body.")
    # There is no session until a browser shows this.
    return reply(200, {"sessionToken": f"simulated-session-token-{milliseconds(world.present)}"})


def _refusal(status: int, words: str) -> Response:
    return reply(status, {"message": words})


SIMULATED = Simulated(
    prefix=_PREFIX, answer=answer, refusal=_refusal, key=lambda call: call.bearer, api_key="simulated-key"
)
