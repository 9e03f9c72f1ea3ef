"""Intercom's phone calls: resources of their own, each with the id of its conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....schema import Channel
from ....wire import Response
from .._truth import Phase, Truth
from .._world import Call, World, iso, positive, reply
from ._refusal import UNKNOWN, invalid, refusal
from ._seen import Seen, contact_of, seen_at

__all__ = ["CALL", "calls", "calls_of", "one_call", "voice"]

_MOST_CALLS = 25
_MOST_IDS = 20

# https://developers.intercom.com/docs/references/rest-api/api.intercom.io/calls

CALL = "call"


def calls(call: Call, world: World) -> Response:
    page, size = (positive(call.query.get(name, default)) for name, default in (("page", "1"), ("per_page", "25")))
    if page is None or size is None or size > _MOST_CALLS:
        return invalid("page and per_page must be numbers, per_page at most 25")
    calls = [truth for truth in world.newest() if truth.channel is Channel.PHONE]
    shown = [_call(world, truth) for truth in calls[(page - 1) * size : page * size]]
    pages = {"type": "pages", "page": page, "per_page": size, "total_pages": -(-len(calls) // size)}
    return reply(200, {"type": "list", "data": shown, "total_count": len(calls), "pages": pages})


def calls_of(call: Call, world: World) -> Response:
    ids: list[str] = (call.json or {}).get("conversation_ids") or []
    if not 1 <= len(ids) <= _MOST_IDS:
        return refusal(400, "conversation_ids must hold 1 to 20 ids", "conversation_id_limit_exceeded")
    truths = [truth for id in ids if (truth := world.find(str(id))) and truth.channel is Channel.PHONE]
    # Which members the entries of a transcript have is not documented.
    more: dict[str, Any] = {"transcript": [], "transcript_status": None}
    return reply(200, {"type": "list", "data": [{**_call(world, truth), **more} for truth in truths]})


def _call(world: World, truth: Truth) -> dict[str, Any]:
    seen = seen_at(world, truth)
    has_begun = truth.answered is not None and truth.answered <= seen.moment
    id = f"{CALL}{world.id(truth)}"
    has_files = _has_files(seen)
    # An instant is text or a number.
    told: Callable[[float], str | int] = iso if truth.variant & 1 else int
    return {
        "type": "call",
        "id": id,
        "conversation_id": world.id(truth),
        "admin_id": None,
        "contact_id": contact_of(truth, {})["id"],
        "state": "completed" if seen.is_over else "in_progress" if has_begun else "ringing",
        "initiated_at": told(truth.created),
        "answered_at": told(truth.answered) if has_begun and truth.answered is not None else None,
        "ended_at": told(truth.ended) if seen.is_over else None,
        "created_at": told(truth.created),
        "updated_at": told(seen.updated),
        "recording_url": f"https://api.intercom.io/calls/{id}/recording" if has_files else None,
        "transcription_url": f"https://api.intercom.io/calls/{id}/transcript" if has_files else None,
        "fin_recording_url": None,
        "fin_transcription_url": None,
        "call_type": "phone",
        "direction": truth.direction.value,
        "ended_reason": None,
        "phone": truth.phone,
    }


def _has_files(seen: Seen) -> bool:
    return seen.truth.answered is not None and seen.truth.phase(seen.moment) is Phase.SETTLED


def one_call(rest: tuple[str, ...], world: World, truth: Truth) -> Response:
    seen = seen_at(world, truth)
    if truth.channel is not Channel.PHONE:
        return UNKNOWN
    match rest:
        case ():
            return reply(200, _call(world, truth))
        case ("recording",) if _has_files(seen):
            place = f"https://media.example.com/{world.id(truth)}.mp3?X-Amz-Signature=simulated"
            return Response(302, {"location": place}, b"")
        case ("transcript",) if _has_files(seen):
            lines = [f"{turn.role.value}: {turn.text}" for turn in seen.turns if turn.tool is None]
            return Response(200, {"content-type": "text/plain"}, "\n".join(lines).encode())
        case _:
            return UNKNOWN


def voice(world: World, truth: Truth) -> Response:
    if truth.channel is not Channel.PHONE:
        return UNKNOWN
    seen = seen_at(world, truth)
    is_settled = _has_files(seen)
    found: dict[str, Any] = {
        "id": truth.index,
        "app_id": "simulated",
        "user_phone_number": truth.phone,
        "status": "resolved" if is_settled else "registered",
        "intercom_call_id": f"{CALL}{world.id(truth)}",
        "external_call_id": None,
        "intercom_conversation_id": world.id(truth),
        "call_transcript": [],
        "call_summary": truth.summary[:256] if is_settled else None,
        "intent": [],
    }
    return reply(200, [found])
