"""Claude's managed agents as their types and pages describe them: sessions with a log of events, archived ones hidden.

A session whose work is done rests idle; one that was archived, or has failed, is terminated.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from math import inf
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from ...schema import Channel, Direction, EndReason, Role
from ...wire import Response
from ._instants import in_seconds
from ._truth import TRANSCRIPT_DELAY, Phase, ToolUse, Truth, Turn
from ._world import Call, Delivery, Simulated, World, dated, iso, one_of, positive, reply

__all__ = ["SIMULATED", "answer"]

_VERSIONS = ("2023-06-01", "2026-10-21")
_BETA = "managed-agents-2026-04-01"
_DEFAULT_LIMIT = 20
_MOST = 100
_EVENTS = 1000
"""Events on a page, unless told and at most."""
_STATUSES = ("rescheduling", "running", "idle", "terminated")
_ENVIRONMENT = "env_simulated"
_WEBHOOK_KEY = b"simulated-secret-of-the-webhook"


def answer(call: Call, world: World) -> Response:
    """Answer as Claude does."""
    return dated(_answer(call, world), world, {"request-id": _REQUEST})


def _answer(call: Call, world: World) -> Response:
    key = _key(call)
    if not key or key.startswith("bad"):
        return _refusal(401, "invalid x-api-key" if key else "x-api-key header is required")
    if call.headers.get("anthropic-version") not in _VERSIONS:
        return _refusal(400, "anthropic-version: header is required")
    betas = [beta.strip() for beta in call.headers.get("anthropic-beta", "").split(",")]
    if _BETA not in betas:
        return _refusal(400, f"anthropic-beta: {_BETA} is required")
    match call.method, call.segments:
        case "GET", ("v1", "sessions"):
            return _list(call, world)
        case "POST", ("v1", "sessions"):
            return _start(call, world)
        case _, ("v1", "sessions", id, *rest):
            truth = world.find(id)
            return _UNKNOWN if truth is None else _about(call, tuple(rest), world, truth)
        case _:
            return _refusal(404, "Not found")


def _about(call: Call, rest: tuple[str, ...], world: World, truth: Truth) -> Response:
    match call.method, rest:
        case "GET", ():
            return reply(200, _session(world, truth))
        case "DELETE", ():
            if _standing(world, truth) == "running":
                return _refusal(409, "The session is running: interrupt it first")
            world.delete(truth)
            return reply(200, {"id": world.id(truth), "type": "session_deleted"})
        case "POST", ("archive",):
            if _standing(world, truth) != "idle":
                return _refusal(409, "The session is running or terminated")
            world.note(truth, archived_at=world.present)
            return reply(200, _session(world, truth))
        case "GET", ("events",):
            return _events(call, world, truth)
        case "POST", ("events",):
            return _send(call, world, truth)
        case "GET", ("threads",):
            return reply(200, {"data": [_thread(world, truth)], "next_page": None})
        case "GET", ("threads", id, "events") if id == _thread(world, truth)["id"]:
            return _events(call, world, truth)
        case _:
            return _refusal(404, "Not found")


# pages


def _asked(call: Call, readers: Mapping[str, Callable[[str], Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return the query's members as they are read, and the names of those that cannot be read; lists are repeated."""
    asked, wrong = call.asked(readers)
    for name, value in parse_qsl(urlsplit(call.target).query):
        if name.endswith("[]"):
            asked[name] = [*([] if isinstance(asked.get(name), str) else asked[name]), value]
    return asked, wrong


def _written(order: str, place: float) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, place]).encode()).decode()


def _page(text: str) -> tuple[str, float] | None:
    try:
        order, place = msgspec.json.decode(base64.urlsafe_b64decode(text), type=tuple[str, float])
    except (ValueError, msgspec.MsgspecError):
        return None
    return order, place


_LIMITS: dict[str, int] = {"sessions": _MOST, "events": _EVENTS}
_BOUNDS = {"created_at[gt]": -inf, "created_at[gte]": -inf, "created_at[lt]": inf, "created_at[lte]": inf}


def _readers(kind: str) -> dict[str, Callable[[str], Any]]:
    def limit(text: str) -> int | None:
        return size if (size := positive(text)) and size <= _LIMITS[kind] else None

    return {
        "limit": limit,
        "page": _page,
        "order": one_of(("asc", "desc")),
        "include_archived": one_of(("true", "false")),
        **dict.fromkeys(_BOUNDS, in_seconds),
    }


_OF_SESSIONS, _OF_EVENTS = _readers("sessions"), _readers("events")


def _is_within(moment: float, asked: Mapping[str, Any]) -> bool:
    after, since, before, until = (float(asked.get(name, where)) for name, where in _BOUNDS.items())
    return after < moment < before and since <= moment <= until


# the list of sessions


def _list(call: Call, world: World) -> Response:
    asked, wrong = _asked(call, _OF_SESSIONS)
    wrong += [name for name in ("statuses[]",) if not {*asked.get(name, ())} <= {*_STATUSES}]
    if wrong:
        return _refusal(400, f"{', '.join(wrong)}: invalid value")
    order: str = asked.get("order", "desc")
    page: tuple[str, float] | None = asked.get("page")
    if page is not None and page[0] != order:
        return _refusal(400, "page: the cursor is of another order")
    size: int = asked.get("limit", _DEFAULT_LIMIT)
    after = None if page is None else page[1]
    walked = _newest(world, asked, after) if order == "desc" else _oldest(world, asked, after)
    found = list(islice((truth for truth in walked if _matches(world, truth, asked)), size + 1))
    shown, has_more = found[:size], len(found) > size
    following = _written(order, shown[-1].created) if has_more else None
    rows = [_session(world, truth) for truth in shown]
    return reply(200, {"data": rows, "next_page": following, "prev_page": None})


def _newest(world: World, asked: Mapping[str, Any], after: float | None) -> Iterator[Truth]:
    bounds = [one for one in (after, asked.get("created_at[lt]")) if one is not None]
    since = max(asked.get("created_at[gt]", -inf), asked.get("created_at[gte]", -inf))
    return world.newest(
        since=None if since == -inf else since,
        until=asked.get("created_at[lte]"),
        before=min(bounds) if bounds else None,
    )


def _oldest(world: World, asked: Mapping[str, Any], after: float | None) -> Iterator[Truth]:
    bounds = [one for one in (after, asked.get("created_at[gt]"), asked.get("created_at[gte]")) if one is not None]
    since, offset = max(bounds, default=None), 0
    while found := world.slice(offset, _MOST, since=since, before=asked.get("created_at[lt]"), oldest_first=True):
        yield from (truth for truth in found if after is None or truth.created > after)
        offset += len(found)


def _matches(world: World, truth: Truth, asked: Mapping[str, Any]) -> bool:
    is_archived = _standing(world, truth) == "archived"
    return (
        _is_within(truth.created, asked)
        and (not is_archived or asked.get("include_archived") == "true")
        and asked.get("agent_id") in {None, _agent(world, truth)["id"]}
        and ("statuses[]" not in asked or _status(world, truth) in asked["statuses[]"])
    )


# one session


def _standing(world: World, truth: Truth) -> str:
    """Return where a session stands: running, idle, archived or failed."""
    present, notes = world.present, world.notes(truth)
    if "archived_at" in notes:
        return "archived"
    if present < truth.ended:
        is_held = truth.answered is not None and present >= truth.answered
        return "running" if is_held and not world.details(truth) and "interrupted_at" not in notes else "idle"
    return _end_of(truth)


def _end_of(truth: Truth) -> str:
    """Return where a session stands when it is over."""
    if truth.ending is EndReason.ERROR:
        return "failed"
    is_left = truth.ending is EndReason.CUSTOMER_ENDED and not truth.variant & 1
    return "idle" if is_left or truth.ending in _IDLE_FOREVER else "archived"


def _ended(world: World, truth: Truth) -> float | None:
    """Return when a session was put away or had nothing left to do; None while it goes on."""
    archived: float | None = world.notes(truth).get("archived_at")
    if archived is not None:
        return archived
    return truth.ended if truth.ended <= world.present else None


_IDLE_FOREVER = {EndReason.NO_ANSWER, EndReason.TRANSFERRED, EndReason.MAX_DURATION}


def _status(world: World, truth: Truth) -> str:
    standing = _standing(world, truth)
    if standing == "running":
        return "rescheduling" if truth.variant >> 1 & 7 == 7 else "running"
    return "terminated" if standing in {"archived", "failed"} else "idle"


def _session(world: World, truth: Truth) -> dict[str, Any]:
    standing, details = _standing(world, truth), world.details(truth)
    ended = _ended(world, truth)
    is_counted = truth.answered is not None and truth.phase(world.present) is Phase.SETTLED
    lasted = (world.present if ended is None else ended) - truth.created
    return {
        "id": world.id(truth),
        "type": "session",
        "agent": _agent(world, truth),
        "status": _status(world, truth),
        "title": details.get("title") if details else truth.title,
        "metadata": details.get("metadata") or ({"order": truth.facts["order"]} if truth.variant >> 4 & 1 else {}),
        "created_at": iso(truth.created),
        "updated_at": iso(truth.created if ended is None else ended),
        "archived_at": iso(ended) if ended is not None and standing == "archived" else None,
        "environment_id": details.get("environment_id", _ENVIRONMENT),
        "deployment_id": "depl_simulated" if truth.variant >> 5 & 1 else None,
        "vault_ids": [],
        "resources": [],
        "outcome_evaluations": _outcomes(truth) if is_counted and not details else [],
        "stats": {"active_seconds": 9.4, "duration_seconds": round(lasted, 6)},
        "usage": _usage(truth) if is_counted else {"input_tokens": 0, "output_tokens": 0},
        "budget": None,
    }


def _agent(world: World, truth: Truth) -> dict[str, Any]:
    asked: Any = world.details(truth).get("agent")
    named: str | None = asked if isinstance(asked, str) or asked is None else asked.get("id")
    return {
        "type": "agent",
        "id": named or f"agent_{truth.scenario.number}",
        "name": truth.scenario.agent,
        "version": 3,
        "description": None,
        "system": f"You are {truth.scenario.agent}. Speak {truth.scenario.language}.",
        "model": {"id": "claude-simulated"},
        "tools": [{"type": "custom", "name": truth.scenario.tool.name}],
        "skills": [],
        "mcp_servers": [],
        "multiagent": None,
        "execution_identity": {"type": "service_account"},
    }


def _usage(truth: Truth) -> dict[str, Any]:
    return {
        "input_tokens": 400 * truth.exchanges,
        "output_tokens": 90 * truth.exchanges,
        "cache_read_input_tokens": 1024,
        "active_seconds": 9.4,
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        # In cents.
        "list_cost": {"amount": str(2 * truth.exchanges), "currency": "USD"},
    }


def _outcomes(truth: Truth) -> list[dict[str, Any]]:
    if truth.success is None:
        return []
    return [
        {
            "type": "outcome_evaluation",
            "outcome_id": f"outc_{truth.index:x}",
            "description": "The matter is settled",
            "result": "satisfied" if truth.success else "failed",
            "explanation": "It was said at the end.",
            "iteration": 0,
            "completed_at": iso(truth.ended + TRANSCRIPT_DELAY),
        }
    ]


def _thread(world: World, truth: Truth) -> dict[str, Any]:
    session = _session(world, truth)
    same = {name: session[name] for name in ("agent", "status", "created_at", "updated_at", "archived_at")}
    id = f"sthr_{truth.index:x}"
    return {"id": id, "type": "session_thread", "session_id": session["id"], "parent_thread_id": None, **same}


# its events


def _events(call: Call, world: World, truth: Truth) -> Response:
    asked, wrong = _asked(call, _OF_EVENTS)
    if wrong:
        return _refusal(400, f"{', '.join(wrong)}: invalid value")
    order: str = asked.get("order", "asc")
    page: tuple[str, float] = asked.get("page") or (order, 0)
    if page[0] != order:
        return _refusal(400, "page: the cursor is of another order")
    logged = list(_log(world, truth))[:: 1 if order == "asc" else -1]
    wanted = asked.get("types[]")
    found = [event for event in logged if wanted is None or event["type"] in wanted]
    first, size = int(page[1]), asked.get("limit", _EVENTS)
    following = _written(order, first + size) if len(found) > first + size else None
    return reply(200, {"data": found[first : first + size], "next_page": following})


def _log(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    """Yield all events of a session so far, its transcript among them."""
    if truth.answered is None and _standing(world, truth) != "failed":
        return
    numbers = iter(range(1, 1_000_000))

    def event(kind: str, moment: float | None, **members: Any) -> dict[str, Any]:
        at = None if moment is None else iso(moment)
        return {"id": f"sevt_{truth.index:x}_{next(numbers)}", "type": kind, "processed_at": at, **members}

    began = truth.answered or truth.created
    turns = world.turns(truth)
    yield event("session.status_running", began)
    for number, turn in enumerate(turns):
        moment = began + turn.start
        if turn.tool is not None:
            yield from _tool(turn.tool, truth, moment, event)
        elif turn.role is Role.USER:
            # One that is last still waits for the agent.
            waits = number == len(turns) - 1 and _standing(world, truth) == "running"
            yield event("user.message", None if waits else moment, content=_text(turn.text))
        else:
            yield event("span.model_request_start", moment)
            if truth.variant >> 6 & 1:
                yield event("agent.thinking", moment)
            yield event("agent.message", moment, content=_text(turn.text))
            yield event("span.model_request_end", moment, is_error=False, model_usage={"input_tokens": 400})
    match _standing(world, truth):
        case "running":
            return
        case "failed":
            error = {"type": "unknown_error", "message": "The container stopped", "retry_status": {"type": "terminal"}}
            yield event("session.error", truth.ended, error=error)
            yield event("session.status_terminated", truth.ended)
        case standing:
            ended = _ended(world, truth) or began + _last(turns)
            yield event("session.status_idle", ended, stop_reason=_stop_reason(truth))
            if standing == "archived":
                yield event("session.status_terminated", ended)


def _last(turns: Sequence[Turn]) -> float:
    return max((turn.start for turn in turns), default=0.0)


def _tool(tool: ToolUse, truth: Truth, moment: float, event: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    is_custom = bool(truth.variant >> 7 & 1)
    kind, answer_kind = _CUSTOM if is_custom else _BUILT_IN
    # The id of the event is the id of the call.
    yield {**event(kind, moment, name=tool.name, input=_object(tool.arguments)), "id": tool.call_id}
    if is_custom:
        yield event("session.status_idle", moment, stop_reason={"type": "requires_action", "event_ids": [tool.call_id]})
    refers = {"custom_tool_use_id" if is_custom else "tool_use_id": tool.call_id}
    yield event(answer_kind, moment, **refers, content=_text(tool.result), is_error=tool.is_error)


_CUSTOM = ("agent.custom_tool_use", "user.custom_tool_result")
_BUILT_IN = ("agent.tool_use", "agent.tool_result")


def _stop_reason(truth: Truth) -> dict[str, Any]:
    match truth.ending:
        case EndReason.MAX_DURATION:
            return {"type": "budget_reached"}
        case EndReason.TRANSFERRED:
            return {"type": "requires_action", "event_ids": []}
        case _:
            return {"type": "end_turn"}


def _text(words: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": words}]


def _object(text: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return {"input": text}
    return found


# what calls change


class _Block(msgspec.Struct):
    type: str
    text: str = ""


class _Event(msgspec.Struct):
    type: str
    content: list[_Block] = []


class _Sent(msgspec.Struct):
    events: list[_Event]


class _Wanted(msgspec.Struct):
    agent: str | dict[str, Any]
    environment_id: str
    title: str | None = None
    metadata: dict[str, str] = {}
    initial_events: list[_Event] = []


def _start(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Wanted)
    except msgspec.ValidationError as error:
        return _refusal(400, str(error))

    def rests(truth: Truth) -> Truth:
        chat = replace(truth, channel=Channel.CHAT, direction=Direction.INBOUND, said=())
        return replace(chat, answered=truth.created, ended=inf)

    truth = world.create(msgspec.to_builtins(wanted), rests)
    _hear(world, truth, wanted.initial_events)
    return reply(200, _session(world, truth))


def _send(call: Call, world: World, truth: Truth) -> Response:
    try:
        sent = msgspec.convert(call.json, _Sent)
    except msgspec.ValidationError as error:
        return _refusal(400, str(error))
    if _status(world, truth) == "terminated":
        return _refusal(409, "The session is terminated")
    if truth.answered is None or world.present < truth.answered:
        return _refusal(409, "The session has not begun")
    if any(event.type == "user.interrupt" for event in sent.events):
        world.note(truth, interrupted_at=world.present)
    heard = _hear(world, truth, sent.events)
    stored = [event for event in _log(world, truth) if event["type"] == "user.message"][-heard:] if heard else []
    return reply(200, {"data": stored})


def _hear(world: World, truth: Truth, events: Sequence[_Event]) -> int:
    """Let messages be answered at once, and return how many there were."""
    heard = 0
    for event in events:
        words = "\n".join(block.text for block in event.content if block.type == "text")
        if event.type == "user.message":
            now = round(world.present - (truth.answered or truth.created), 2)
            reply_to = f"You wrote: {words}"
            world.say(truth, Turn(Role.USER, words, now, 0.0), Turn(Role.ASSISTANT, reply_to, now, 0.0))
            heard += 1
    return heard


# what it delivers: platform.claude.com, managed-agents/webhooks


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    found: list[Delivery] = []

    def deliver(kind: str, moment: float) -> None:
        about = {"type": kind, "id": world.id(truth), "organization_id": "org-simulated", "workspace_id": "wrkspc_1"}
        id = f"event_{truth.index:x}_{len(found)}"
        body = {"type": "event", "id": id, "created_at": iso(moment), "data": about}
        found.append(Delivery(moment, kind, msgspec.json.encode(body)))

    deliver("session.created", truth.created)
    if world.details(truth):
        archived: float | None = world.notes(truth).get("archived_at")
        if archived is not None:
            deliver("session.archived", archived)
        return found
    if truth.answered is not None:
        deliver("session.status_run_started", truth.answered)
    ends = _end_of(truth)
    if ends == "failed":
        deliver("session.status_terminated", truth.ended)
        return found
    # There are two families of names.
    deliver("session.idled" if truth.variant >> 8 & 1 else "session.status_idled", truth.ended)
    if ends == "archived":
        deliver("session.archived", truth.ended)
    if truth.answered is not None and truth.success is not None:
        deliver("session.outcome_evaluation_ended", truth.ended + TRANSCRIPT_DELAY)
    return found


def _signed(delivery: Delivery, secret: str) -> dict[str, str]:
    id, stamp = json.loads(delivery.body)["id"], str(int(delivery.moment))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{id}.{stamp}.".encode() + delivery.body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(made).decode()}",
    }


# what it refuses

_REQUEST = "req_simulated"
_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def _key(call: Call) -> str:
    return call.headers.get("x-api-key", "") or call.bearer


def _refusal(status: int, words: str) -> Response:
    kind = _TYPES.get(status) or ("api_error" if status >= 500 else "invalid_request_error")
    error = {"type": kind, "message": words}
    return reply(status, {"type": "error", "error": error, "request_id": _REQUEST})


_UNKNOWN = _refusal(404, "Session not found")

SIMULATED = Simulated(
    prefix="sesn_",
    answer=answer,
    refusal=_refusal,
    key=_key,
    api_key="sk-ant-simulated",
    deliveries=_deliveries,
    signed=_signed,
    webhook_secret=f"whsec_{base64.b64encode(_WEBHOOK_KEY).decode()}",
)
