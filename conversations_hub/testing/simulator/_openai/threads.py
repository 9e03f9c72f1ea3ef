"""ChatKit's threads: each begins when a user writes in the widget, and is closed in the end.

Items say when they were created; nothing says how long they took, nor which agent wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from ....schema import Role
from ....wire import Response
from .._corpus import Corpus
from .._truth import Phase, Truth, Turn
from .._world import Call, Kind, World, reply
from .lists import page_of_conversations, page_of_parts
from .refusals import refused

__all__ = ["THREADS", "answer"]


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer about threads; `rest` of the path comes behind their name."""
    match call.method, rest:
        case "GET", ():
            holds = partial(_is_of, call.query["user"]) if "user" in call.query else None
            return page_of_conversations(call, world, partial(_thread, world), holds, least=0)
        case "GET" | "DELETE", (id, *below):
            truth = world.find(id)
            if truth is None:
                return refused(404, f"No thread found with id '{id}'.", param="thread_id")
            return _about(call, tuple(below), world, truth)
        case _:
            return refused(405, f"Not allowed to {call.method} on threads.")


def _is_of(user: str, row: Mapping[str, Any]) -> bool:
    return bool(row["user"] == user)


def _about(call: Call, below: tuple[str, ...], world: World, truth: Truth) -> Response:
    match call.method, below:
        case "GET", ():
            return reply(200, _thread(world, truth))
        case "GET", ("items",):
            items = _items(world, truth)
            return page_of_parts(call, [item["id"] for item in items], items, least=0, tells_ids=True)
        case "DELETE", ():
            world.delete(truth)
            return reply(200, {"id": world.id(truth), "deleted": True, "object": "chatkit.thread.deleted"})
        case _:
            return refused(404, f"Invalid URL ({call.method} /v1/chatkit/threads/…)")


# developers.openai.com, reference of ChatKit


def _thread(world: World, truth: Truth) -> dict[str, Any]:
    return {
        "id": world.id(truth),
        "object": "chatkit.thread",
        "created_at": int(truth.created),
        "status": _status(truth, world.present),
        "title": truth.title if truth.variant & 1 else None,
        "user": f"user_{truth.customer}",
    }


def _status(truth: Truth, present: float) -> dict[str, Any]:
    if truth.ended <= present:
        return {"type": "closed", "reason": truth.ending.value if truth.variant >> 1 & 1 else None}
    if truth.phase(present) is Phase.LIVE and truth.variant >> 2 & 1:
        return {"type": "locked", "reason": "The agent is at work."}
    return {"type": "active"}


def _items(world: World, truth: Truth) -> list[dict[str, Any]]:
    """Return what was written so far."""
    id = world.id(truth)
    return [
        {
            "id": f"cti_{id.removeprefix('cthr_')}_{number}",
            "object": "chatkit.thread_item",
            "thread_id": id,
            "created_at": int((truth.answered or 0.0) + turn.start),
            **_said(truth, turn),
        }
        for number, turn in enumerate(world.turns(truth))
    ]


def _said(truth: Truth, turn: Turn) -> dict[str, Any]:
    tool = turn.tool
    if tool is not None:
        called = {"call_id": tool.call_id, "name": tool.name, "arguments": tool.arguments}
        return {"type": "chatkit.client_tool_call", **called, "output": tool.result, "status": "completed"}
    if turn.role is Role.USER:
        chosen = {"model": "gpt-5.2", "tool_choice": None} if truth.variant >> 3 & 1 else None
        content = [{"type": "input_text", "text": turn.text}]
        return {"type": "chatkit.user_message", "content": content, "attachments": [], "inference_options": chosen}
    source = {"type": "url", "source": {"type": "url", "url": "https://shop.example/help"}}
    written = {"type": "output_text", "text": turn.text, "annotations": [source] if truth.variant >> 4 & 1 else []}
    return {"type": "chatkit.assistant_message", "content": [written]}


class _Threads(Corpus):
    """All threads, by number."""

    def __init__(self, *, size: int, seed: int, now: float) -> None:
        super().__init__("openai threads", prefix="cthr_", size=size, seed=seed, now=now)


THREADS = Kind(path=("chatkit", "threads"), corpus=_Threads)
