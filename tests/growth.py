"""How work grows with its size, counted and not timed: the same on a slow machine, and on a busy one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from types import FrameType
from typing import Any

__all__ = ["ratio", "steps"]


def steps(work: Callable[[], object]) -> int:
    """Return how many instructions of Python the work takes."""
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


def ratio(costs: Iterable[float]) -> float:
    """Return by how much a cost exceeds the one before it at most: of n, 2n and 4n it is 2 where they are in step."""
    return max(larger / smaller for smaller, larger in pairwise(costs))
