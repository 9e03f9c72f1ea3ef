"""What Vapi's lists may be asked for; whatever else they are asked for, they refuse."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from math import inf
from typing import Any, NamedTuple

from .._instants import in_milliseconds
from .._world import Call

__all__ = ["COMMON", "TEXT", "Parameter", "fits", "read", "span"]

_MOST = 1000


class Parameter(NamedTuple):
    """One parameter: how it is read, None for what it cannot be, and words for what it must be."""

    read: Callable[[str], Any]
    must: str


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,9}", text) else None


# Instants are told in milliseconds, and compared so.
_BOUNDS: Mapping[str, Callable[[int, int], bool]] = {
    "Gt": int.__gt__,
    "Lt": int.__lt__,
    "Ge": int.__ge__,
    "Le": int.__le__,
}
_DATE = Parameter(in_milliseconds, "a valid ISO 8601 date string")
TEXT = Parameter(str, "a string")
COMMON: Mapping[str, Parameter] = {
    "limit": Parameter(_count, "a number conforming to the specified constraints"),
    **{f"{name}{bound}": _DATE for name in ("createdAt", "updatedAt") for bound in _BOUNDS},
}
"""Those of every list."""


def read(call: Call, parameters: Mapping[str, Parameter]) -> tuple[dict[str, Any], list[str]]:
    """Return what a list is asked for, and what is wrong with it."""
    asked, unread = call.asked({name: parameter.read for name, parameter in parameters.items()})
    wrong = [f"{name} must be {parameters[name].must}" for name in unread]
    wrong += [f"property {name} should not exist" for name in asked if name not in parameters]
    if not wrong and asked.get("limit", 0) > _MOST:
        wrong = [f"limit must not be greater than {_MOST}"]
    return asked, wrong


def span(asked: Mapping[str, Any]) -> tuple[float, float]:
    """Return from which moment on and before which one it must have been created, in Unix seconds."""
    since = max(asked.get("createdAtGe", -inf), asked.get("createdAtGt", -inf) + 1)
    before = min(asked.get("createdAtLt", inf), asked.get("createdAtLe", inf) + 1)
    return since / 1000, before / 1000


def fits(asked: Mapping[str, Any], name: str, instant: int) -> bool:
    """Whether an instant, in Unix milliseconds, lies within the bounds asked for under a name."""
    return all(holds(instant, asked[name + bound]) for bound, holds in _BOUNDS.items() if name + bound in asked)
