"""Bland's text conversations, by SMS, RCS, WhatsApp or iMessage: listed by pages without what was said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from math import ceil
from typing import Any

from ....schema import EndReason, Role
from ....wire import Response
from .._corpus import Corpus
from .._instants import to_the_millisecond
from .._truth import TRANSCRIPT_DELAY, Phase, Truth
from .._world import Call, Kind, World, one_of, positive, reply
from . import filters
from .account import AGENT_NUMBER, pathway_of
from .refusals import NOT_FOUND, failed

__all__ = ["TEXTS", "answer"]

_DEFAULT_SIZE = 25
_MOST = 100
_TIMED_OUT = frozenset({EndReason.NO_ANSWER, EndReason.MAX_DURATION})


def answer(call: Call, rest: tuple[str, ...], world: World) -> Response:
    """Answer as Bland does about text conversations; `rest` of the path comes behind theirs."""
    match call.method, rest:
        case "GET", ():
            return _list(call, world)
        case "GET" | "DELETE" as method, (id,):
            truth = world.find(id)
            if truth is None:
                return failed(404, "CONVERSATION_NOT_FOUND", "Conversation not found")
            return _whole(world, truth) if method == "GET" else _delete(world, truth)
        case _:
            return NOT_FOUND


# https://docs.bland.ai/api-v1/get/sms-conversations
def _list(call: Call, world: World) -> Response:
    asked, wrong = call.asked(_READERS)
    if wrong:
        return failed(400, "INVALID_QUERY", f"Invalid query parameters: {', '.join(wrong)}")
    size, page = min(asked.get("pageSize", _DEFAULT_SIZE), _MOST), asked.get("page", 1)
    offset, member, is_ascending = (page - 1) * size, asked.get("sortBy", "created_at"), asked.get("sortDir") == "asc"
    conditions = asked.get("filters", [])
    since, before = filters.span(conditions)
    others = [each for each in conditions if not each.bounds_creation]
    if member == "created_at" and not others:
        total = world.count(since=since, before=before)
        found = world.slice(offset, size, since=since, before=before, oldest_first=is_ascending)
        rows = [_row(world, truth) for truth in found]
    else:
        newest = (_row(world, truth) for truth in world.newest(since=since, before=before))
        matching = [row for row in newest if all(each.holds(row) for each in others)]
        matching.sort(key=lambda row: (row[member] is not None, row[member]), reverse=not is_ascending)
        total, rows = len(matching), matching[offset : offset + size]
    pagination = {"totalItems": total, "totalPages": ceil(total / size), "currentPage": page, "pageSize": size}
    return reply(200, {"data": rows, "errors": None, "extra": {"pagination": pagination}})


_READERS: dict[str, Callable[[str], Any]] = {
    "page": positive,
    "pageSize": positive,
    "sortBy": one_of(filters.SORTED_BY),
    "sortDir": one_of(("asc", "desc")),
    "filters": filters.read,
}


def _row(world: World, truth: Truth) -> dict[str, Any]:
    messages = list(_messages(world, truth))
    shown = _shown(world, truth, messages)
    last = messages[-1] if messages else {"message": None}
    tags = [{"name": truth.scenario.title.partition(" ")[0], "color": "#4287f5"}]
    return shown | {"message_count": len(messages), "last_message": last["message"], "pathway_tags": tags}


# https://docs.bland.ai/api-v1/get/sms-conversations-id
def _whole(world: World, truth: Truth) -> Response:
    messages = list(_messages(world, truth))
    inner = {"user_id": "5c1d2e3f-0a4b-4c5d-9e6f-7a8b9c0d1e2f", "inbound_id": 100_000 + truth.customer}
    logs = list(_outcomes(world, truth))
    data = {**_shown(world, truth, messages), **inner, "messages": messages, "disposition_logs": logs}
    return reply(200, {"data": data, "errors": None})


def _shown(world: World, truth: Truth, messages: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what both a row and the whole conversation have."""
    is_over, is_settled = truth.ended <= world.present, truth.phase(world.present) == Phase.SETTLED
    pathway = pathway_of(truth) if truth.variant >> 2 & 3 else None
    outcome = next(_outcomes(world, truth), None)
    return {
        "id": world.id(truth),
        "created_at": to_the_millisecond(truth.created),
        "updated_at": to_the_millisecond(_updated(world, truth)),
        "user_number": truth.phone,
        "agent_number": AGENT_NUMBER,
        "variables": {"order_id": truth.facts["order"]} if truth.variant >> 1 & 1 else None,
        "current_node_id": "1" if pathway else None,
        "curr_pathway_id": pathway,
        "curr_pathway_version": str(1 + truth.variant % 3) if pathway else None,
        "timed_out_at": to_the_millisecond(truth.ended) if is_over and truth.ending in _TIMED_OUT else None,
        "last_message_at": messages[-1]["created_at"] if messages else None,
        "is_active": not is_over,
        "effective_channel": _channel(truth),
        "summary": truth.summary if is_settled and truth.answered is not None and truth.variant >> 4 & 1 else None,
        "citation_variables": {"city": truth.facts["city"]} if is_settled and truth.variant >> 5 & 3 == 0 else None,
        "disposition_tag": outcome["result"]["tag"] if outcome else None,
    }


def _updated(world: World, truth: Truth) -> float:
    begun, said = _begun(truth), world.turns(truth)
    changes = [begun, *(begun + turn.start for turn in said[-1:]), truth.ended, truth.ended + TRANSCRIPT_DELAY]
    return max((moment for moment in changes if moment <= world.present), default=truth.created)


def _begun(truth: Truth) -> float:
    return truth.created if truth.answered is None else truth.answered


def _channel(truth: Truth) -> str | None:
    return ("sms", "sms", "sms", "rcs", "whatsapp", "imessage", "sms", None)[truth.variant >> 7 & 7]


def _outcomes(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    if truth.phase(world.present) == Phase.SETTLED and truth.variant >> 10 & 1:
        result = {"tag": "resolved" if truth.success else "unresolved"}
        run = {"disposition_id": "d1f0a2b3-4c5d-4e6f-8a7b-9c0d1e2f3a4b", "snippet_version": 1, "status": "COMPLETE"}
        yield {**run, "result": result, "error": None, "exec_time": 412, "reference_type": "SMS"}


def _messages(world: World, truth: Truth) -> Iterator[dict[str, Any]]:
    begun = _begun(truth)
    if begun > world.present:
        return
    if truth.variant & 1:
        # What makes the agent begin is put down as the user's, between the numbers of a message of the agent's.
        yield _message(truth, 0, begun, "<Call Connected>") | {"sender": "USER", "status": None}
    if truth.answered is None:
        opening = _message(truth, 1, begun, truth.scenario.greeting.format_map(truth.facts))
        yield opening | (_LOST if truth.ending == EndReason.ERROR else {})
    for place, turn in enumerate(world.turns(truth), start=1):
        if turn.tool is None:
            message = _message(truth, place, begun + turn.start, turn.text)
            if turn.role == Role.USER:
                message |= {"from": truth.phone, "to": AGENT_NUMBER, "sender": "USER", "status": None}
            yield message | (_LOST if turn.interrupted else {})


_LOST = {"status": "undelivered", "error_code": "30003"}


def _message(truth: Truth, place: int, moment: float, text: str) -> dict[str, Any]:
    number = truth.index * 1000 + place
    return {
        # The carrier's own, and of older messages a number.
        "id": f"SM{number:032x}" if truth.variant >> 11 & 1 else str(number),
        "created_at": to_the_millisecond(moment),
        "message": text,
        "from": AGENT_NUMBER,
        "to": truth.phone,
        "sender": "AGENT",
        "status": "read" if _channel(truth) in {"rcs", "whatsapp"} else "delivered",
        "error_code": None,
        "attachments": None,
        "app_card": None,
    }


# https://docs.bland.ai/api-v1/delete/sms-conversations
def _delete(world: World, truth: Truth) -> Response:
    world.delete(truth)
    told = {"message": "Conversation and all associated messages deleted successfully"}
    return reply(200, {"data": told, "errors": None})


TEXTS = Kind(
    path=("v1", "sms", "conversations"),
    corpus=partial(Corpus, "bland texts", prefix="4a7e90d2-61bc-4f38-a5d7-c0"),
)
