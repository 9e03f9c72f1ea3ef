"""What Bland's list of text conversations may be filtered by."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import Any, Literal, get_args

import msgspec

from .._instants import in_milliseconds

__all__ = ["SORTED_BY", "Filter", "read", "span"]

_Sorted = Literal[
    "created_at",
    "updated_at",
    "user_number",
    "agent_number",
    "is_active",
    "message_count",
    "curr_pathway_id",
    "curr_pathway_version",
    "timed_out_at",
]
_Operator = Literal["eq", "contains", "startsWith", "endsWith", "gt", "gte", "lt", "lte"]
SORTED_BY: tuple[str, ...] = get_args(_Sorted)
"""The members that it may be sorted by."""

_ORDERED: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_ALIKE: Mapping[str, Callable[[str, str], bool]] = {
    "eq": operator.eq,
    "contains": operator.contains,
    "startsWith": str.startswith,
    "endsWith": str.endswith,
}


class Filter(msgspec.Struct, forbid_unknown_fields=True):
    """One condition on a row."""

    field: _Sorted | Literal["variables", "current_node_id"]
    operator: _Operator
    value: str | int | float | bool

    @property
    def bounds_creation(self) -> bool:
        """Whether `span` says all that it does."""
        return self.field == "created_at" and self.operator in _ORDERED

    def holds(self, row: Mapping[str, Any]) -> bool:
        """Whether it is true of a row."""
        told = row[self.field]
        if told is None:
            return False
        if self.operator in _ALIKE:
            return _ALIKE[self.operator](_text(told), _text(self.value))
        told, bound = _measured(told), _measured(self.value)
        return None not in {told, bound} and _ORDERED[self.operator](told, bound)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _measured(value: object) -> float | None:
    if isinstance(value, str):
        return in_milliseconds(value)
    return value if isinstance(value, int | float) else None


def read(text: str) -> list[Filter] | None:
    """Read conditions from JSON; None where they are no such thing."""
    try:
        found = msgspec.json.decode(text, type=list[Filter])
    except msgspec.MsgspecError:
        return None
    return None if any(each.bounds_creation and _measured(each.value) is None for each in found) else found


def span(filters: Iterable[Filter]) -> tuple[float, float]:
    """Return from which moment on and before which one it must have been created, in Unix seconds."""
    since, before = -inf, inf
    for each in filters:
        bound = _measured(each.value) if each.bounds_creation else None
        match each.operator:
            case "gt" | "gte" if bound is not None:
                since = max(since, bound + (each.operator == "gt"))
            case "lt" | "lte" if bound is not None:
                before = min(before, bound + (each.operator == "lte"))
            case _:
                pass
    return since / 1000, before / 1000
