"""Conversations that differ in what they measure, and what a summary of such says."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

import msgspec
import pytest

from conversations_hub.adapters import BUILTIN
from conversations_hub.metrics import Figures, Summary
from conversations_hub.schema import Analysis, Channel, Conversation, Cost, EndReason, Status

from .measured import BOOKING, RESERVATION
from .recorded import recorded

__all__ = ["told", "varied"]


def told(summary: Summary) -> dict[str, Any]:
    """Return all that a summary says, without the order of what it holds."""
    return {
        **{name: getattr(summary, name) for name in ("group", "conversations", "costs", "success", "sentiments")},
        **{name: _told(figures) for name, figures in summary.metrics.items()},
    }


def _told(figures: Figures) -> dict[str, Any]:
    names = ("n", "min", "max", "bases", "missing", "lacking")
    spread = figures.histogram
    return {
        **{name: getattr(figures, name) for name in names},
        "sum": pytest.approx(figures.sum, abs=1e-9, rel=1e-9),
        "spread": (sorted(spread.exact), spread.zeros, spread.buckets),
        "percentiles": [figures.percentile(percent) for percent in (1, 50, 95, 99)],
    }


def varied(count: int, chance: Random) -> Iterator[Conversation]:
    """Yield conversations that differ in what they have."""
    for _ in range(count):
        base = chance.choice([BOOKING, RESERVATION, *_recorded()])
        yield msgspec.structs.replace(
            base,
            duration=chance.choice([None, 0.0, chance.uniform(1, 600)]),
            cost=chance.choice([None, Cost(amount=Decimal(chance.randrange(100)) / 100, unit=chance.choice("ab"))]),
            channel=chance.choice([Channel.PHONE, Channel.CHAT]),
            status=chance.choice([*Status]),
            end_reason=chance.choice([None, *EndReason]),
            analysis=chance.choice([None, Analysis(success=True, sentiment="good"), Analysis(success=False)]),
        )


@cache
def _recorded() -> list[Conversation]:
    return [one for provider in BUILTIN for one in recorded(provider)]
