"""Synthflow's assistants: one took over from the other in the middle of the history, so each has a part of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ....wire import Response
from .._truth import Truth
from .._world import Call, World, reply, whole
from .refusals import rejected

__all__ = ["MODELS", "PAGING", "model_of", "paged", "pagination", "span_of"]

MODELS: Mapping[str, str] = {"m-1-front-desk": "Front desk", "m-2-old-desk": "Old desk"}
"""The names of the assistants by id; the first is the one at work."""

_NEWER, _OLDER = MODELS
_DEFAULT_LIMIT = 20
_MOST = 100
"""Of rows on a page, whatever was asked for; the documentation names no maximum."""


def _at_least(least: int) -> Callable[[str], int | None]:
    def read(text: str) -> int | None:
        number = whole(text)
        return number if number is not None and number >= least else None

    return read


PAGING: Mapping[str, Callable[[str], Any]] = {"limit": _at_least(1), "offset": _at_least(0)}


def paged(asked: Mapping[str, Any]) -> tuple[int, int]:
    """Return the limit and the offset of a page."""
    return min(asked.get("limit", _DEFAULT_LIMIT), _MOST), asked.get("offset", 0)


def pagination(total: int, limit: int, offset: int) -> dict[str, int]:
    """Return where a page is."""
    return {"total_records": total, "limit": limit, "offset": offset}


def _took_over(world: World) -> float:
    return world.corpus.created(world.corpus.size // 2) if world.corpus.size else 0.0


def model_of(world: World, truth: Truth) -> str:
    """Return the id of the assistant that has a call."""
    return _NEWER if truth.created >= _took_over(world) else _OLDER


def span_of(world: World, model: str) -> tuple[float | None, float | None]:
    """Return since when and before when the calls of an assistant were created."""
    return (_took_over(world), None) if model == _NEWER else (None, _took_over(world))


def listed(call: Call) -> Response:
    """Return a page of assistants."""
    asked, wrong = call.asked(PAGING)
    if wrong:
        return rejected(400, f"Invalid {', '.join(wrong)}", "validation")
    limit, offset = paged(asked)
    page = [_row(id) for id in MODELS][offset : offset + limit]
    about = {"pagination": pagination(len(MODELS), limit, offset), "assistants": page}
    return reply(200, {"status": "ok", "response": about})


def shown(id: str) -> Response:
    """Return one assistant, in a list."""
    if id not in MODELS:
        return rejected(404, "Assistant not found", "not_found")
    about = {"pagination": pagination(1, _DEFAULT_LIMIT, 0), "assistants": [_row(id)]}
    return reply(200, {"status": "ok", "response": about})


def _row(id: str) -> dict[str, Any]:
    return {"model_id": id, "name": MODELS[id], "type": "outbound", "phone_number": "+15555550199"}
