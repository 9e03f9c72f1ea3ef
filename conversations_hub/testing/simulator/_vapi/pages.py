"""What lies beside calls: chats and sessions, listed whole and by pages, looked at and deleted one by one."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

from ....wire import Response
from .._instants import in_milliseconds, to_the_millisecond
from .._truth import Truth
from .._world import Call, World, one_of, positive, reply
from . import parameters
from .parameters import TEXT, Parameter
from .refusals import is_uuid, refusal

__all__ = ["Listed", "answer"]

_DEFAULT_LIMIT = 100


def _opened(cursor: str) -> int | None:
    try:
        return int(base64.urlsafe_b64decode(cursor).removeprefix(b"before "))
    except ValueError:
        return None


def _sealed(instant: int) -> str:
    return base64.urlsafe_b64encode(b"before %d" % instant).decode()


def _word(*words: str) -> Parameter:
    return Parameter(one_of(words), f"one of the following values: {', '.join(words)}")


_PAGED: Mapping[str, Parameter] = {
    **parameters.COMMON,
    "page": Parameter(positive, "a number not less than 1"),
    "sortOrder": _word("ASC", "DESC"),
    "sortBy": _word("createdAt", "duration", "cost"),
}
_CURSOR = {"cursor": Parameter(_opened, "a cursor")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One kind."""

    name: str
    world: World
    record: Callable[[Truth], dict[str, Any]]
    filters: Mapping[str, tuple[str, ...]]
    """What narrows it, and where a record has that; of what ends with `Any`, several may be named."""
    narrowed: Callable[[Mapping[str, Any]], Iterable[Truth] | None] = lambda _asked: None
    """What alone can match, where that is known without a search."""
    tells_all: bool = False
    """Whether a page tells how many there are, and a cursor of the next one; else no more than is promised."""


def answer(call: Call, rest: tuple[str, ...], listed: Listed) -> Response:
    """Answer as Vapi does about one kind; `rest` of the path comes behind its name."""
    world = listed.world
    match call.method, rest:
        case "GET", ():
            return _page(call, world, listed)
        case "GET" | "DELETE" as method, (id,) if is_uuid(id):
            truth = world.find(id)
            if truth is None:
                return refusal(404, f"Couldn't find the {listed.name}.")
            if method == "DELETE":
                world.delete(truth)
            return reply(200, listed.record(truth))
        case "GET" | "DELETE", (_,):
            return refusal(400, "Validation failed (uuid is expected)")
        case method, _:
            return refusal(404, f"Cannot {method} /{listed.name}")


def _page(call: Call, world: World, listed: Listed) -> Response:
    known = {**_PAGED, **dict.fromkeys(listed.filters, TEXT), **(_CURSOR if listed.tells_all else {})}
    asked, wrong = parameters.read(call, known)
    if wrong:
        return refusal(400, wrong)
    limit, page = asked.get("limit", _DEFAULT_LIMIT), asked.get("page", 1)
    order, member = asked.get("sortOrder", "DESC"), asked.get("sortBy", "createdAt")
    by_creation = (member, order) == ("createdAt", "DESC")
    cursor = asked.get("cursor") if by_creation else None
    since, before = parameters.span(asked)
    if member == "createdAt" and not any(name in listed.filters or name.startswith("updatedAt") for name in asked):
        total = world.count(since=since, before=before)
        offset = (page - 1) * limit
        if cursor is not None:
            offset = world.count(since=max(since, cursor / 1000), before=before)
        truths = world.slice(offset, limit, since=since, before=before, oldest_first=order == "ASC")
        rows = [listed.record(truth) for truth in truths]
    else:
        matching = _matching(world, listed, asked)
        matching.sort(key=_MEASURES[member], reverse=order == "DESC")
        total = len(matching)
        offset = (page - 1) * limit if cursor is None else sum(_created(row) >= cursor for row in matching)
        rows = matching[offset : offset + limit]
    metadata: dict[str, Any] = {"itemsPerPage": limit, "totalItems": total, "currentPage": page}
    if listed.tells_all:
        has_next = 0 < len(rows) < total - offset
        pages = ceil(total / limit) if limit else 0
        metadata |= {"totalPages": pages, "hasNextPage": has_next, "sortOrder": order, "itemsBeyondRetention": False}
        metadata |= {name: to_the_millisecond(asked[name] / 1000) for name in _ECHOED if name in asked}
        if has_next and by_creation:
            metadata["nextCursor"] = _sealed(_created(rows[-1]))
    return reply(200, {"results": rows, "metadata": metadata})


_ECHOED = ("createdAtGe", "createdAtLe")


def _matching(world: World, listed: Listed, asked: Mapping[str, Any]) -> list[dict[str, Any]]:
    since, before = parameters.span(asked)
    candidates = listed.narrowed(asked)
    rows = map(listed.record, world.newest(since=since, before=before) if candidates is None else candidates)
    return [row for row in rows if _matches(listed, row, asked)]


def _matches(listed: Listed, row: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
    for name, path in listed.filters.items():
        if name in asked:
            told: Any = row
            for member in path:
                told = told.get(member, {})
            wanted = asked[name].split(",") if name.endswith("Any") else [asked[name]]
            if told not in wanted:
                return False
    return all(parameters.fits(asked, name, _instant(row, name)) for name in ("createdAt", "updatedAt"))


def _instant(row: Mapping[str, Any], name: str) -> int:
    return in_milliseconds(row[name]) or 0


def _created(row: Mapping[str, Any]) -> int:
    return _instant(row, "createdAt")


_MEASURES: Mapping[str, Callable[[Mapping[str, Any]], float]] = {
    "createdAt": _created,
    "duration": lambda row: _instant(row, "updatedAt") - _instant(row, "createdAt"),
    "cost": lambda row: float(row["cost"]),
}
