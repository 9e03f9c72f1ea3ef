"""What chats and sessions cost, in US dollars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from ....schema import Role
from .._truth import Turn

__all__ = ["costs_of"]

_PER_EXCHANGE = 0.005
_PER_PROMPT_TOKEN, _PER_COMPLETION_TOKEN = 2.5e-6, 1e-5


def costs_of(turns: Sequence[Turn], kind: Literal["chat", "session"]) -> dict[str, Any]:
    """Return what some turns cost in all, and each part of it."""
    asked = [len(turn.text) // 4 + 1 for turn in turns if turn.role == Role.USER]
    answered = [len(turn.text) // 4 + 1 for turn in turns if turn.role != Role.USER]
    tokens = round(sum(asked) * _PER_PROMPT_TOKEN + sum(answered) * _PER_COMPLETION_TOKEN, 7)
    exchanges = round(len(asked) * _PER_EXCHANGE, 7)
    used = {"promptTokens": sum(asked), "completionTokens": sum(answered), "cost": tokens}
    model = {"type": "model", "model": {"provider": "openai", "model": "gpt-4o"}, **used}
    own = {"type": kind, "cost": exchanges, "usageComplete": True}
    return {"cost": round(tokens + exchanges, 7), "costs": [model, own]}
