"""How work grows with its size, counted and not timed: the same on a slow machine, and on a busy one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from types import FrameType
from typing import Any

import msgspec

__all__ = ["cost", "increase", "ratio", "steps"]


def steps(work: Callable[[], object]) -> int:
    """Return how many instructions of Python the work takes."""
    monitoring = getattr(sys, "monitoring", None)
    return _traced(work) if monitoring is None else _monitored(work, monitoring)


def _traced(work: Callable[[], object]) -> int:
    taken = 0

    def trace(frame: FrameType, event: str, _value: Any) -> Any:
        nonlocal taken
        if event == "call":
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        taken += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return taken


def _monitored(work: Callable[[], object], monitoring: Any) -> int:
    """Count by what came with Python 3.12; since then a trace leaves instructions out."""
    taken = 0

    def count(_code: object, _offset: int) -> None:
        nonlocal taken
        taken += 1

    monitoring.use_tool_id(_TOOL, "growth")
    monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, count)
    monitoring.set_events(_TOOL, monitoring.events.INSTRUCTION)
    try:
        work()
    finally:
        monitoring.set_events(_TOOL, monitoring.events.NO_EVENTS)
        monitoring.register_callback(_TOOL, monitoring.events.INSTRUCTION, None)
        monitoring.free_tool_id(_TOOL)
    return taken


_TOOL = 4  # one of those that nobody has a right to


def ratio(costs: Iterable[float]) -> float:
    """Return by how much a cost exceeds the one before it at most: of n, 2n and 4n it is 2 where they are in step."""
    return max(larger / smaller for smaller, larger in pairwise(costs))


def cost(work: Callable[[], object]) -> int:
    """Return how many instructions the work takes, and how many bytes it has decoded, which is done in C."""
    decoded = 0

    def profile(frame: FrameType, event: str, called: Any) -> None:
        nonlocal decoded
        if event == "c_call" and called.__name__ in {"decode", "json_format"}:
            held = [value for value in frame.f_locals.values() if isinstance(value, bytes | msgspec.Raw)]
            decoded += max((memoryview(value).nbytes for value in held), default=0)

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        return steps(work) + decoded
    finally:
        sys.setprofile(before)


def increase(costs: Sequence[float]) -> float:
    """Return by how much the costs of n, 2n and 4n bend, whatever they begin with: 2 where straight, 4 for squares."""
    few, more, many = costs
    return (many - more) / max(1, more - few)
