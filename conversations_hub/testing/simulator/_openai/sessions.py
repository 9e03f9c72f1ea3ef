"""The sessions of OpenAI's agents: they rest and go on, and never end; their items have no times, their turns have.

In old sessions the messages of the user have no ids. Pages of items then tell after what they go on.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from math import inf
from typing import Any, NamedTuple

import msgspec

from ....reading.values import AnyJson
from ....schema import Channel, Direction, EndReason, Role
from ....wire import Response
from .._truth import Phase, Truth, Turn
from .._world import Call, World, reply
from .lists import page_of_conversations, page_of_parts
from .refusals import refused

__all__ = ["answer", "environment_of", "status_of"]

_MODEL = "gpt-5.2"
_INPUT = "agent.session.input."
_INPUTS = {
    *(f"{_INPUT}{word}" for word in ("message", "cancel", "tool_result")),
    *(f"{_INPUT}{word}_approval_request_result" for word in ("mcp", "computer_use")),
}
_ANSWERS_AFTER = 2.0


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer about sessions; `rest` of the path comes behind their name."""
    match call.method, rest:
        case "GET", ():
            wanted = {
                name: value for name, value in call.query.items() if name == "agent_id" or name[:9] == "metadata["
            }
            holds = partial(_matches, wanted) if wanted else None
            return page_of_conversations(call, world, partial(_session, world), holds, least=1)
        case "POST", ():
            return _start(call, world)
        case _, (id, *below):
            truth = world.find(id)
            if truth is None:
                return refused(404, f"Session '{id}' not found.", param="session_id")
            return _about(call, tuple(below), world, truth)
        case _:
            return refused(405, f"Not allowed to {call.method} on sessions.")


def _about(call: Call, below: tuple[str, ...], world: World, truth: Truth) -> Response:
    match call.method, below:
        case "GET", ():
            return reply(200, _session(world, truth))
        case "GET", ("items",):
            return _page_of_items(call, truth, _items(world, truth))
        case "GET", ("turns",):
            turns = _turns(world, truth)
            return page_of_parts(call, [turn["id"] for turn in turns], turns, least=1, tells_ids=False)
        case "GET", ("turns", id, "items"):
            return _page_of_items(call, truth, [item for item in _items(world, truth) if item.row["turn_id"] == id])
        case "POST", ("events",):
            return _send(call, world, truth)
        case "DELETE", ():
            if status_of(truth, world.present) == "in_progress":
                return refused(409, "A turn is running: cancel it first.")
            world.delete(truth)
            return reply(200, {"id": world.id(truth), "deleted": True, "object": "agent.session.deleted"})
        case _:
            return refused(404, f"Invalid URL ({call.method} /v1/agents/sessions/…)")


def _matches(wanted: Mapping[str, str], row: Mapping[str, Any]) -> bool:
    return all(
        (row["agent"]["id"] if name == "agent_id" else row["metadata"].get(name[9:-1])) == value
        for name, value in wanted.items()
    )


# the session


def status_of(truth: Truth, present: float) -> str:
    """Return the provider's word; a session whose work is done is idle, and goes on if somebody writes."""
    if truth.ended <= present:
        return "failed" if truth.ending is EndReason.ERROR else "idle"
    # What was started through the API is answered at once.
    return "in_progress" if truth.phase(present) is Phase.LIVE and truth.said is None else "idle"


def environment_of(truth: Truth) -> str:
    """Return the type of its environment."""
    return ("none", "openai_hosted", "self_hosted")[truth.variant % 3]


def _session(world: World, truth: Truth) -> dict[str, Any]:
    details, environment = world.details(truth), environment_of(truth)
    status = status_of(truth, world.present)
    hosted = {"remote_url": "wss://simulated.example/connect?ticket=simulated"} if environment == "self_hosted" else {}
    said = world.turns(truth)
    session: dict[str, Any] = {
        "id": world.id(truth),
        "object": "agent.session",
        "agent": _agent(truth, details),
        "created_at": int(truth.created),
        "last_active_at": int((truth.answered or truth.created) + (said[-1].start if said else 0.0)),
        "status": status,
        "error": "The sandbox could not be reached." if status == "failed" else None,
        "environment": details.get("environment") or {"type": environment, **hosted},
        "metadata": details.get("metadata") or ({"ticket": truth.facts["order"]} if truth.variant >> 2 & 1 else {}),
        "required_actions": [],
        "usage": _usage(said) if truth.variant >> 3 & 3 else None,
        "vault_ids": [],
    }
    return session


def _agent(truth: Truth, details: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": details.get("agent_id") or f"agent_{truth.scenario.number}",
        "name": truth.scenario.agent if truth.variant >> 5 & 3 else None,
        "model": _MODEL,
        "instructions": "Be brief.",
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tools": [],
        "multi_agent": {"enabled": False, "max_concurrent_subagents": None},
    }


def _usage(said: Sequence[Turn]) -> dict[str, Any]:
    heard, written = (
        sum(len(turn.text) for turn in said if (turn.role is Role.USER) is is_user) // 4 for is_user in (True, False)
    )
    return {
        "input_tokens": heard,
        "input_tokens_details": {"cached_tokens": heard // 2},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": heard + written,
    }


# what was written


class _Item(NamedTuple):
    """An item, and the id after which a page goes on; the item itself may tell none."""

    id: str
    row: dict[str, Any]


def _numbered(world: World, truth: Truth) -> list[tuple[int, Turn]]:
    """Return what was said with the number of the turn: each time the user writes, another one begins."""
    found: list[tuple[int, Turn]] = []
    number = 0
    for turn in world.turns(truth):
        number += turn.role is Role.USER
        found.append((number, turn))
    return found


def _items(world: World, truth: Truth) -> list[_Item]:
    found: list[_Item] = []
    own = world.id(truth).removeprefix("sess_")
    for number, turn in _numbered(world, truth):
        for row in _rows(truth, turn):
            id = row.get("id") or f"item_{own}_{len(found)}"
            shown = None if _is_old(truth) and row.get("role") == "user" else id
            found.append(_Item(id, {"id": shown, "turn_id": f"turn_{own}_{number}", **row}))
    return found


def _is_old(truth: Truth) -> bool:
    return truth.variant >> 7 & 3 == 0


def _page_of_items(call: Call, truth: Truth, items: Sequence[_Item]) -> Response:
    tells_ids = _is_old(truth) or bool(truth.variant >> 9 & 1)
    return page_of_parts(call, [item.id for item in items], [item.row for item in items], least=1, tells_ids=tells_ids)


def _rows(truth: Truth, turn: Turn) -> list[dict[str, Any]]:
    tool = turn.tool
    if tool is not None:
        arguments, status = json.loads(tool.arguments), "failed" if tool.is_error else "completed"
        if truth.variant >> 10 & 1:
            # It names no call: its own id is that of the call.
            called = {
                "type": "mcp_call",
                "id": tool.call_id,
                "name": tool.name,
                "server_label": "shop",
                "arguments": arguments,
            }
            told = {"output": None, "error": tool.result} if tool.is_error else {"output": tool.result, "error": None}
            return [{**called, **told, "status": status}]
        call = {"type": "function_call", "call_id": tool.call_id, "name": tool.name, "arguments": arguments}
        result = {"type": "function_call_output", "call_id": tool.call_id, "output": tool.result, "error": None}
        return [{**call, "status": "completed"}, {**result, "status": status}]
    if turn.role is Role.USER:
        content = [{"type": "input_text", "text": turn.text}]
        return [{"type": "message", "role": "user", "status": "completed", "phase": None, "content": content}]
    phase = "final_answer" if truth.variant >> 11 & 1 else None
    content = [{"type": "output_text", "text": turn.text}]
    return [{"type": "message", "role": "assistant", "status": "completed", "phase": phase, "content": content}]


def _turns(world: World, truth: Truth) -> list[dict[str, Any]]:
    own, present, begun = world.id(truth).removeprefix("sess_"), world.present, truth.answered or 0.0
    numbered = [(number, list(said)) for number, said in groupby(_numbered(world, truth), key=lambda pair: pair[0])]
    found: list[dict[str, Any]] = []
    for place, (number, said) in enumerate(numbered):
        is_last = place == len(numbered) - 1
        is_running = is_last and status_of(truth, present) == "in_progress"
        has_failed = is_last and not is_running and truth.ending is EndReason.ERROR
        started = int(begun + said[0][1].start)
        error = {"code": "sandbox_error", "message": "The sandbox could not be reached."} if has_failed else None
        found.append(
            {
                "id": f"turn_{own}_{number}",
                "object": "agent.session.turn",
                "agent_id": f"agent_{truth.scenario.number}",
                "session_id": world.id(truth),
                "subagent_id": None,
                "status": "in_progress" if is_running else "failed" if has_failed else "completed",
                "created_at": started,
                "started_at": started,
                "completed_at": None if is_running else int(begun + said[-1][1].start + said[-1][1].duration),
                "error": error,
                "usage": _usage([turn for _, turn in said]),
            }
        )
    return found


# what calls change


class _Wanted(msgspec.Struct):
    environment: dict[str, Any]
    agent_id: str | None = None
    agent: dict[str, Any] | None = None
    input: Any = None
    metadata: dict[str, str] | None = None


class _Sent(msgspec.Struct):
    events: list[dict[str, Any]]


def _start(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Wanted)
    except msgspec.ValidationError as error:
        return _invalid(error)
    if wanted.agent_id is None and not (wanted.agent or {}).get("model"):
        return refused(400, "Either 'agent_id' or 'agent.model' is required.", param="agent_id")
    text = _text_of(wanted.input)
    if not text and wanted.environment.get("type") == "none":
        return refused(400, "'input' is required without an environment.", param="input")

    def idle(truth: Truth) -> Truth:
        chat = replace(truth, channel=Channel.CHAT, direction=Direction.INBOUND, said=())
        return replace(chat, answered=truth.created, ended=inf, ending=EndReason.CUSTOMER_ENDED)

    truth = world.create(msgspec.to_builtins(wanted), idle)
    if text:
        _say(world, truth, text)
    return reply(200, _session(world, truth))


def _send(call: Call, world: World, truth: Truth) -> Response:
    try:
        sent = msgspec.convert(call.json, _Sent)
    except msgspec.ValidationError as error:
        return _invalid(error)
    for event in sent.events:
        if event.get("type") not in _INPUTS:
            return refused(400, f"Invalid value: '{event.get('type')}'.", param="events[0].type")
        text = _text_of(event.get("content") or event.get("input"))
        if event["type"] == "agent.session.input.message":
            if not text:
                return refused(400, "A message has no content.", param="events[0].content")
            _say(world, truth, text)
    return Response(202, {}, b"")


def _text_of(sent: AnyJson) -> str:
    """Return the text of an input: itself, of its parts, or of the content of its messages."""
    if isinstance(sent, str):
        return sent
    if isinstance(sent, dict):
        return _text_of(sent.get("text") or sent.get("content"))
    return "\n".join(filter(None, map(_text_of, sent))) if isinstance(sent, list) else ""


def _say(world: World, truth: Truth, text: str) -> None:
    start = world.present - (truth.answered or truth.created)
    world.say(
        truth,
        Turn(Role.USER, text, start, 0.0),
        Turn(Role.ASSISTANT, truth.scenario.farewell.format_map(truth.facts), start + _ANSWERS_AFTER, 0.0),
    )


def _invalid(error: msgspec.ValidationError) -> Response:
    words, _, place = str(error).partition(" - at `$.")
    return refused(400, words, param=place.strip("`") or None)
