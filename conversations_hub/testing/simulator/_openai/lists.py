"""How OpenAI lists: after the id of a row, in either order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ....wire import Response
from .._truth import Truth
from .._world import Call, World, one_of, reply, whole
from .refusals import refused

__all__ = ["page_of_conversations", "page_of_parts"]

_DEFAULT_LIMIT = 20
_MOST = 100
Row = Mapping[str, Any]


def _asked(call: Call, least: int) -> tuple[int, bool, Response | None]:
    """Return the limit, whether the oldest come first, and the refusal of what cannot be read."""

    def limit(text: str) -> int | None:
        number = whole(text)
        return number if number is not None and least <= number <= _MOST else None

    asked, wrong = call.asked({"limit": limit, "order": one_of(("asc", "desc"))})
    refusal = refused(400, f"Invalid value for '{wrong[0]}'.", param=wrong[0]) if wrong else None
    return asked.get("limit", _DEFAULT_LIMIT), asked.get("order") == "asc", refusal


def page_of_conversations(
    call: Call, world: World, row: Callable[[Truth], Row], holds: Callable[[Row], bool] | None, *, least: int
) -> Response:
    """Return a page of all; `holds` tells which are wanted, and None that all are."""
    limit, oldest_first, refusal = _asked(call, least)
    if refusal is not None:
        return refusal
    query = call.query
    bounds: dict[str, Truth] = {}
    for name in ("after", "before"):
        if query.get(name):
            truth = world.find(query[name])
            if truth is None:
                return refused(400, f"No row has the id '{query[name]}'.", param=name)
            bounds[name] = truth
    truths = _in_order(world, bounds, oldest_first=oldest_first, at_once=limit + 1)
    rows = (told for told in map(row, truths) if holds is None or holds(told))
    found = list(islice(rows, limit + 1))
    return _page(found[:limit], [str(told["id"]) for told in found[:limit]], has_more=len(found) > limit)


def _in_order(world: World, bounds: Mapping[str, Truth], *, oldest_first: bool, at_once: int) -> Iterator[Truth]:
    older, newer = ("after", "before") if oldest_first else ("before", "after")
    since = bounds[older].created if older in bounds else None
    before = bounds[newer].created if newer in bounds else None
    if not oldest_first:
        yield from (truth for truth in world.newest(since=since, before=before) if truth.created != since)
        return
    left_out = [bounds[older]] if older in bounds else []
    offset = 0
    while found := world.slice(offset, at_once, without=left_out, since=since, before=before, oldest_first=True):
        yield from found
        offset += at_once


def page_of_parts(call: Call, ids: Sequence[str], parts: Sequence[Row], *, least: int, tells_ids: bool) -> Response:
    """Return a page of what a conversation has, with the ids of its first and its last row where it tells them."""
    limit, oldest_first, refusal = _asked(call, least)
    if refusal is not None:
        return refusal
    order = list(range(len(ids)))[:: 1 if oldest_first else -1]
    after = call.query.get("after")
    if after and after not in ids:
        return refused(400, f"No item has the id '{after}'.", param="after")
    left = order[order.index(ids.index(after)) + 1 :] if after else order
    shown = left[:limit]
    told = [ids[place] for place in shown] if tells_ids else None
    return _page([parts[place] for place in shown], told, has_more=len(left) > limit)


def _page(rows: Sequence[Row], ids: Sequence[str] | None, *, has_more: bool) -> Response:
    page: dict[str, Any] = {"object": "list", "data": rows, "has_more": has_more}
    if ids is not None:
        page |= {"first_id": ids[0] if ids else None, "last_id": ids[-1] if ids else None}
    return reply(200, page)
