"""Vapi's sessions: each holds all that was written in its chats."""

from __future__ import annotations

from functools import partial
from typing import Any

from ....wire import Response
from .._instants import to_the_millisecond
from .._truth import Truth
from .._world import Call, Kind, World
from . import pages
from .account import LINE, ORGANIZATION, answering
from .costs import costs_of
from .messages import prompt_of, written
from .pages import Listed
from .threads import Sessions, life_of

__all__ = ["SESSIONS", "answer"]

_USUAL_LIFE = 86_400.0


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer as Vapi does about sessions; `rest` of the path comes behind theirs."""
    sessions = world.others["sessions"]
    return pages.answer(
        call, rest, Listed(name="session", world=sessions, record=partial(_record, sessions), filters=_FILTERS)
    )


# https://docs.vapi.ai/api-reference/sessions/list
_FILTERS = {
    **{name: (name,) for name in ("id", "name", "assistantId", "squadId", "workflowId", "phoneNumberId")},
    "idAny": ("id",),
    "assistantIdAny": ("assistantId",),
    "phoneNumberIdAny": ("phoneNumberId",),
    **{name: ("customer", name) for name in ("number", "sipUri", "email", "externalId")},
    "customerNumberAny": ("customer", "number"),
}


# https://docs.vapi.ai/api-reference/sessions/get
def _record(world: World, truth: Truth) -> dict[str, Any]:
    life, is_over = life_of(truth.index), truth.ended <= world.present
    turns = world.turns(truth)
    messages = [*prompt_of(truth), *written(turns)]
    record: dict[str, Any] = {
        "id": world.id(truth),
        "orgId": ORGANIZATION,
        "createdAt": to_the_millisecond(truth.created),
        "updatedAt": to_the_millisecond(truth.ended if is_over else truth.ended - life),
        "status": "completed" if is_over else "active",
        "messages": messages,
        **answering(truth),
        **costs_of(turns, "session"),
    }
    if life != _USUAL_LIFE or truth.variant & 1:
        record["expirationSeconds"] = int(life)
    if truth.variant >> 1 & 1:
        record["name"] = truth.title[:40]
    # By SMS there is a line and a number, and in a web page perhaps a name.
    if truth.variant >> 2 & 1:
        record |= {"phoneNumberId": LINE, "customer": {"number": truth.phone}}
    elif truth.variant >> 3 & 1:
        record["customer"] = {"name": truth.facts["name"], "externalId": f"customer-{truth.customer}"}
    if is_over:
        record["artifact"] = _artifact(truth, messages)
    return record


def _artifact(truth: Truth, messages: list[dict[str, Any]]) -> dict[str, Any]:
    speakers = {"user": "User", "assistant": "AI"}
    said = [message for message in messages if message["role"] in speakers and "content" in message]
    order = {"name": "Order", "result": truth.facts["order"]}
    return {
        "messagesOpenAIFormatted": said,
        "transcript": "".join(f"{speakers[message['role']]}: {message['content']}\n" for message in said),
        "variableValues": {"order": truth.facts["order"]},
        "structuredOutputs": {"6f0e1d2c-3b4a-4958-8776-655443322110": order},
    }


SESSIONS = Kind(path=("session",), corpus=Sessions)
