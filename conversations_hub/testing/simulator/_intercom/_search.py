"""Intercom's list of all conversations, and its search."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from math import inf
from typing import Any

import msgspec

from ....reading.values import members_of
from ....wire import Response
from .._world import Call, World, reply
from ._refusal import invalid
from ._seen import Seen, row, seen_at

__all__ = ["list_all", "search"]

_DEFAULT_SIZE = 20
_MOST = 150
_MOST_FILTERS = 15
_DEEPEST = 2

# https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations/searchconversations


class _Paging(msgspec.Struct, frozen=True):
    per_page: int = _DEFAULT_SIZE
    starting_after: str | None = None


class _Filter(msgspec.Struct):
    operator: str
    value: Any
    field: str | None = None


class _Search(msgspec.Struct):
    query: _Filter
    pagination: _Paging = _Paging()


def list_all(call: Call, world: World) -> Response:
    try:
        paging = msgspec.convert({**call.query}, _Paging, strict=False)
    except msgspec.ValidationError as error:
        return invalid(str(error))
    return _paged(world, paging, None, {})


def search(call: Call, world: World) -> Response:
    try:
        wanted = msgspec.convert(call.json, _Search)
        _check(wanted.query, 0)
    except (msgspec.ValidationError, ValueError) as error:
        return invalid(str(error))
    return _paged(world, wanted.pagination, wanted.query, _bounds(wanted.query))


def _check(asked: _Filter, depth: int) -> None:
    """Raise `ValueError` for a filter that is not accepted."""
    if asked.field is None:
        below = msgspec.convert(asked.value, list[_Filter])
        if asked.operator not in {"AND", "OR"} or len(below) > _MOST_FILTERS or depth >= _DEEPEST:
            raise ValueError("invalid group of filters")
        for one in below:
            _check(one, depth + 1)
    elif asked.operator not in _OPERATORS:
        raise ValueError(f"invalid operator {asked.operator}")
    elif asked.field not in _FIELDS:
        raise ValueError(f"invalid field {asked.field}")
    elif asked.operator in _ORDERED and not isinstance(asked.value, int | float):
        raise ValueError(f"{asked.field} is compared with a number")


_ORDERED = ("<", "<=", ">", ">=")


def _fields(asked: _Filter | None) -> Iterator[_Filter]:
    if asked is None:
        return
    if asked.field is not None:
        yield asked
        return
    for one in msgspec.convert(asked.value, list[_Filter]):
        yield from _fields(one)


def _bounds(asked: _Filter) -> dict[str, float]:
    """Return bounds of the creation that follow from a filter, so that a search makes no more than it shows."""
    if asked.operator == "OR":
        return {}
    found: dict[str, float] = {}
    for one in [asked] if asked.field else msgspec.convert(asked.value, list[_Filter]):
        if one.field == "created_at" and one.operator in {">", ">="}:
            found["since"] = max(found.get("since", -inf), float(one.value))
        if one.field == "created_at" and one.operator in {"<", "<="}:
            found["before"] = min(found.get("before", inf), float(one.value) + 1)
    return found


def _paged(world: World, paging: _Paging, asked: _Filter | None, bounds: Mapping[str, float]) -> Response:
    size = paging.per_page
    if not 1 <= size <= _MOST:
        return invalid("per_page must be between 1 and 150")
    by_update = any(one.field == "updated_at" for one in _fields(asked))
    number, place = 1, (inf, inf)
    if paging.starting_after:
        read = _place(paging.starting_after)
        if read is None:
            return invalid("starting_after is not a cursor")
        number, *rest = read
        place = (rest[0], rest[1])
    rows: Iterable[Seen]
    if by_update:
        every = (seen_at(world, truth) for truth in world.newest(**bounds))
        rows = sorted(every, key=lambda seen: (seen.updated, seen.truth.created), reverse=True)
        rows = (seen for seen in rows if (seen.updated, seen.truth.created) < place)
    else:
        below = {**bounds, "before": min(bounds.get("before", inf), place[1])}
        rows = (seen_at(world, truth) for truth in world.newest(**below))
    matching = (seen for seen in rows if asked is None or _matches(asked, row(seen)))
    found = list(islice(matching, size + 1))
    shown, following = found[:size], None
    if len(found) > size:
        last = shown[-1]
        cursor = _written_place(number + 1, last.updated, last.truth.created)
        following = {"per_page": size, "starting_after": cursor}
    total = _count(world, asked, bounds)
    pages = {"type": "pages", "page": number, "per_page": size, "total_pages": -(-total // size), "next": following}
    page = {"type": "conversation.list", "conversations": [row(seen) for seen in shown], "total_count": total}
    return reply(200, {**page, "pages": pages})


def _count(world: World, asked: _Filter | None, bounds: Mapping[str, float]) -> int:
    if all(one.field == "created_at" for one in _fields(asked)) and (asked is None or asked.operator != "OR"):
        return world.count(**bounds)
    every = (seen_at(world, truth) for truth in world.newest(**bounds))
    return sum(asked is None or _matches(asked, row(seen)) for seen in every)


def _written_place(number: int, updated: float, created: float) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode((number, updated, created))).decode()


def _place(text: str) -> tuple[int, float, float] | None:
    try:
        return msgspec.json.decode(base64.urlsafe_b64decode(text), type=tuple[int, float, float])
    except (ValueError, msgspec.MsgspecError):
        return None


def _matches(asked: _Filter, row: Mapping[str, Any]) -> bool:
    if asked.field is not None:
        return _OPERATORS[asked.operator](_FIELDS[asked.field](row), asked.value)
    below = msgspec.convert(asked.value, list[_Filter])
    return (any if asked.operator == "OR" else all)(_matches(one, row) for one in below)


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def holds(held: Any, wanted: Any) -> bool:
        try:
            return held is not None and compare(float(held), float(wanted))
        except (TypeError, ValueError):
            return False

    return holds


def _holds_one(held: Any, wanted: Any) -> bool:
    values: Any = [held] if isinstance(held, str | int | float | None) else held
    return any(one in wanted for one in values)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda held, wanted: wanted in held if isinstance(held, list) else held == wanted,
    "!=": lambda held, wanted: held != wanted,
    "IN": _holds_one,
    "NIN": lambda held, wanted: not _holds_one(held, wanted),
    # The words of the documentation take both to be inclusive.
    "<": _ordered(lambda held, wanted: held <= wanted),
    "<=": _ordered(lambda held, wanted: held <= wanted),
    ">": _ordered(lambda held, wanted: held >= wanted),
    ">=": _ordered(lambda held, wanted: held >= wanted),
    "~": lambda held, wanted: str(wanted) in str(held or ""),
    "!~": lambda held, wanted: str(wanted) not in str(held or ""),
    "^": lambda held, wanted: str(held or "").startswith(str(wanted)),
    "$": lambda held, wanted: str(held or "").endswith(str(wanted)),
}


def _member(*path: str) -> Callable[[Mapping[str, Any]], Any]:
    def found(row: Mapping[str, Any]) -> Any:
        value: Any = row
        for name in path:
            value = members_of(value).get(name)
        return value

    return found


_FIELDS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    **{
        name: _member(*name.split("."))
        for name in (
            *("id", "created_at", "updated_at", "waiting_since", "snoozed_until", "open", "read", "state", "priority"),
            *("admin_assignee_id", "team_assignee_id", "source.type", "source.id", "source.delivered_as"),
            *("source.subject", "source.body", "source.author.id", "source.author.type", "source.author.name"),
            *("source.author.email", "source.url", "ai_agent_participated", "ai_agent.resolution_state"),
            *("ai_agent.last_answer_type", "ai_agent.rating", "ai_agent.source_type", "ai_agent.source_title"),
            *("statistics.last_close_at", "statistics.first_close_at", "statistics.count_reopens"),
        )
    },
    "contact_ids": lambda row: [one["id"] for one in row["contacts"]["contacts"]],
    "teammate_ids": lambda row: [one["id"] for one in members_of(row["teammates"]).get("teammates", ())],
    "tag_ids": lambda row: [one["id"] for one in row["tags"]["tags"]],
    "conversation_rating.score": _member("conversation_rating", "rating"),
}
