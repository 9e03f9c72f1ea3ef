"""Conversations side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from ..metrics import Measured, measure
from ..schema import Conversation
from ..schema._rendering import span
from ._answers import Listing
from ._disarm import short
from ._failures import failures_of, tool_uses
from ._page import Page
from ._render import day
from ._wanted import when

__all__ = ["compared"]


_COMPARED: Final = (
    *("exchanges", "user_words", "agent_words", "talk_ratio", "longest_silence", "response_latency_p50"),
    *("response_latency_p95", "reported_latency_p50", "agent_interrupted", "tool_calls", "tool_failures"),
    *("transferred", "contained", "cost_per_minute"),
)


def compared(ones: Sequence[Conversation], page: Page) -> Listing:
    page.say(
        f"{len(ones)} conversations, in the same order on each line; a measure has its basis, or why there is none."
    )
    measured = [measure(one) for one in ones]
    rows: dict[str, list[str]] = {"ref": [one.ref for one in ones]}
    rows["when"] = [day(when(one)) for one in ones]
    rows["agent"] = [(one.agent and (one.agent.name or one.agent.id)) or "?" for one in ones]
    rows["length"] = [span(one.duration) for one in ones]
    rows["ended"] = [one.end_reason.value if one.end_reason else one.status.value for one in ones]
    rows["failed"] = ["; ".join(failures_of(one)) or "no" for one in ones]
    rows["about"] = [one.summary or one.title or "?" for one in ones]
    rows["tools"] = [_tools_of(one) for one in ones]
    for name in _COMPARED:
        rows[name] = [_measured_as(each[name]) for each in measured]
    for name, cells in rows.items():
        if not page.takes(f"{name}: {' | '.join(short(cell, 160) for cell in cells)}"):
            page.note("Some lines were left out for want of room: ask for a larger max_tokens.")
            break
    answer = page.answer()
    return Listing(answer.text, None, answer.notes, shown=len(ones), total=len(ones))


def _tools_of(one: Conversation) -> str:
    uses = Counter((use.name or "?", use.outcome) for use in tool_uses(one))
    return ", ".join(f"{name} {outcome} {count}x" for (name, outcome), count in uses.items()) or "none"


def _measured_as(one: Measured) -> str:
    if one.value is None:
        return f"- ({one.reason})"
    value = one.value if isinstance(one.value, int) else f"{one.value:.4g}"
    return f"{value}{f' {one.unit}' if one.unit else ''} ({one.basis})"
