"""Synthflow's chats: bound to no assistant, listed without what was written, and with no end."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from itertools import islice
from math import inf
from typing import Any

import msgspec

from ....schema import EndReason, Role
from ....wire import Response
from .._corpus import Corpus
from .._truth import Truth, Turn
from .._world import Call, Kind, World, iso, positive, reply
from .refusals import refused, rejected

__all__ = ["CHATS", "answer"]

_DEFAULT_LIMIT = 10
_MOST = 100
_CANCELLED = {EndReason.NO_ANSWER, EndReason.CANCELLED, EndReason.ERROR}


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer about chats; `rest` of the path comes behind their name."""
    match call.method, rest:
        case "GET", ():
            return _list(call, world)
        case method, (id, *below):
            truth = world.find(id)
            if truth is None:
                return rejected(404, "Chat not found", "not_found")
            return _about(method, tuple(below), call, world, truth)
        case _:
            return refused(405, "Method Not Allowed")


def _about(method: str, below: tuple[str, ...], call: Call, world: World, truth: Truth) -> Response:
    match method, below:
        case "GET", ():
            return reply(200, {"status": "ok", "response": _chat(world, truth)})
        case "DELETE", ():
            world.delete(truth)
            return reply(200, {"status": "ok"})
        case "POST", ("messages",):
            return _send(call, world, truth)
        case _:
            return refused(405, "Method Not Allowed")


def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked({"limit": positive, "cursor": _opened})
    if wrong:
        return rejected(400, f"Invalid {', '.join(wrong)}", "validation")
    limit = min(asked.get("limit", _DEFAULT_LIMIT), _MOST)
    newest = world.newest(before=asked.get("cursor", inf))
    matching = (truth for truth in newest if asked.get("agent_id") in {None, _agent_id(truth)})
    found = list(islice(matching, limit + 1))
    shown, has_more = found[:limit], len(found) > limit
    cursor = base64.urlsafe_b64encode(str(shown[-1].created).encode()).decode() if has_more else ""
    rows = [_row(world, truth) for truth in shown]
    return reply(200, {"status": "ok", "response": {"chats": rows, "has_more": has_more, "next_cursor": cursor}})


def _opened(cursor: str) -> float | None:
    try:
        return float(base64.urlsafe_b64decode(cursor)) if cursor else inf
    except ValueError:
        return None


def _agent_id(truth: Truth) -> str:
    return f"agent-{truth.scenario.number}"


def _row(world: World, truth: Truth) -> dict[str, Any]:
    word = "ongoing"
    if truth.ended <= world.present:
        word = "cancelled" if truth.ending in _CANCELLED else "completed"
    return {"chat_id": world.id(truth), "chat_status": word, "start_timestamp": iso(truth.created)}


def _chat(world: World, truth: Truth) -> dict[str, Any]:
    said = [turn for turn in world.turns(truth) if turn.tool is None]
    # The agent may have begun; what it said is then told apart.
    opening = said[0] if said and said[0].role is Role.ASSISTANT and truth.variant & 1 else None
    history = [
        {
            "agent_id": "user" if turn.role is Role.USER else _agent_id(truth),
            "message": turn.text,
            **_placed(truth, turn, number),
        }
        for number, turn in enumerate(said)
        if turn is not opening
    ]
    return {
        **_row(world, truth),
        "conversation_history": history,
        "initial_message": opening and {"agent_message": opening.text, **_placed(truth, opening, 0)},
        "transcript": "\n".join(f"{'human' if turn.role is Role.USER else 'bot'}: {turn.text}" for turn in said),
        "fsm_log": None,
    }


def _placed(truth: Truth, turn: Turn, number: int) -> Mapping[str, Any]:
    moment = iso((truth.answered or truth.created) + turn.start)
    return {"current_state": "talk", "timestamp": moment, "turn_number": number}


class _Sent(msgspec.Struct):
    message: str


def _send(call: Call, world: World, truth: Truth) -> Response:
    try:
        sent = msgspec.convert(call.json, _Sent)
    except msgspec.ValidationError:
        return rejected(400, "message is required", "validation")
    if truth.ended <= world.present:
        return rejected(400, "The chat is over", "validation")
    start = world.present - (truth.answered or truth.created)
    told = truth.scenario.farewell.format_map(truth.facts)
    replied = Turn(Role.ASSISTANT, told, start, 0.0)
    world.say(truth, Turn(Role.USER, sent.message, start, 0.0), replied)
    placed = _placed(truth, replied, len(world.turns(truth)) - 1)
    return reply(200, {"status": "ok", "response": {"agent_message": told, **placed}})


class _Chats(Corpus):
    """All chats, by number."""

    def __init__(self, *, size: int, seed: int, now: float) -> None:
        super().__init__("synthflow chats", prefix="7d0c1f52-8a3b-4e6d-9f10-5a", size=size, seed=seed, now=now)


CHATS = Kind(path=("chat",), corpus=_Chats)
