"""Vapi's chats: each is one exchange, of a session, or after the chat that it names, or alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ....wire import Response
from .._instants import to_the_millisecond
from .._truth import Truth
from .._world import Call, Kind, World
from . import pages
from .account import ORGANIZATION, answering
from .costs import costs_of
from .messages import prompt_of, written
from .pages import Listed
from .threads import Chats, chats_of, thread_of

__all__ = ["CHATS", "answer"]


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer as Vapi does about chats; `rest` of the path comes behind theirs."""
    chats = Listed(
        name="chat",
        world=world.others["chats"],
        record=partial(_record, world),
        filters=_FILTERS,
        narrowed=partial(_narrowed, world),
        tells_all=True,
    )
    return pages.answer(call, rest, chats)


# https://docs.vapi.ai/api-reference/chats/list
_FILTERS = {
    "id": ("id",),
    "idAny": ("id",),
    "assistantId": ("assistantId",),
    "assistantIdAny": ("assistantId",),
    "squadId": ("squadId",),
    "sessionId": ("sessionId",),
    "previousChatId": ("previousChatId",),
}


def _narrowed(world: World, asked: Mapping[str, Any]) -> Iterable[Truth] | None:
    if "sessionId" not in asked:
        return None
    chats, sessions = world.others["chats"], world.others["sessions"]
    number = sessions.corpus.index(asked["sessionId"])
    if not 0 <= number < sessions.corpus.size:
        return ()
    ids = map(chats.corpus.id, chats_of(number, chats.corpus.size))
    return [truth for truth in map(chats.find, ids) if truth is not None]


# https://docs.vapi.ai/api-reference/chats/get
def _record(world: World, truth: Truth) -> dict[str, Any]:
    chats, sessions, thread = world.others["chats"], world.others["sessions"], thread_of(truth.index)
    record: dict[str, Any] = {
        "id": chats.id(truth),
        "orgId": ORGANIZATION,
        "createdAt": to_the_millisecond(truth.created),
        "updatedAt": to_the_millisecond(truth.ended),
        **_said(chats, truth),
        **costs_of(chats.corpus.turns(truth), "chat"),
    }
    if thread.session is None:
        record |= answering(truth)
    else:
        record["sessionId"] = sessions.corpus.id(thread.session)
        # Who answers is the session's to say, and is not always said here as well.
        record |= answering(truth) if truth.variant >> 2 & 1 else {}
    if thread.session is None and thread.place:
        record["previousChatId"] = chats.corpus.id(truth.index - 1)
    if truth.variant >> 3 & 1:
        record["name"] = truth.title[:40]
    if truth.variant >> 4 & 1:
        record["assistantOverrides"] = {"variableValues": {"order": truth.facts["order"]}}
    return record


def _said(chats: World, truth: Truth) -> dict[str, Any]:
    """Return what was written before, now, and then, in one of the shapes it has had."""
    first = thread_of(truth.index).first
    earlier = (chats.corpus.truth(number) for number in range(first, truth.index))
    context = [*prompt_of(truth), *written(turn for chat in earlier for turn in chats.corpus.turns(chat))]
    said, *output = written(chats.corpus.turns(truth))
    inputs: tuple[dict[str, Any], ...] = (
        {"messages": [*context, said]},
        {"messages": [*context, said], "input": said["content"]},
        {"messages": context, "input": said["content"]},
        {"messages": context, "input": [said]},
    )
    told = inputs[truth.variant & 3]
    return {name: value for name, value in {**told, "output": output}.items() if value}


CHATS = Kind(path=("chat",), corpus=Chats)
