"""One measured value, or the reason why there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

import msgspec

__all__ = ["BEYOND", "REASONS", "WRITTEN", "Basis", "Measured", "absent", "is_reason", "known", "nearest_rank"]

Basis = Literal["counted", "reported", "measured", "estimated"]
"""Where a value comes from: counted in the transcript, stated by the provider, measured between times that it gives, or
estimated, because an input was derived or the value is only a bound."""


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """The value of one metric for one conversation."""

    value: float | int | bool | Decimal | None = None
    """The value in the metric's unit; None if there is none, and `reason` says why."""
    basis: Basis | None = None
    """Where the value comes from; the weakest of its inputs counts."""
    reason: str | None = None
    """Why there is no value: one of a few fixed phrases, never text of the conversation."""
    n: int = 0
    """Latencies and outcomes of tools: how many there were."""
    missing: int = 0
    """Latencies and outcomes of tools: how many lacked what is needed."""
    unit: str | None = None
    """The unit of the cost, for what is in the cost's own unit."""


BEYOND: Final = 1_000_000_000_000
"""No second and no price of this world is as large; a sum of such numbers would be no number."""

WRITTEN: Final = ("chat", "sms", "email")
"""The channels without speech."""
REASONS: Final = (
    "no transcript",
    "transcript pending",
    "transcript truncated",
    "transcript restricted",
    "transcript not loaded",
    "not spoken: CHANNEL",
    "nobody talked",
    "the user said nothing",
    "the agent said nothing",
    "no times",
    "times in whole seconds",
    "N of M turns without an end",
    "no ends of turns",
    "no exchange",
    "language without spaces",
    "no start of the conversation",
    "no duration",
    "no cost",
    "no end reason",
    "nobody was reached",
    "not finished",
    "no tool calls",
    "no times of tools",
    "the provider does not say",
    "the provider does not tell",
)
"""Every reason for an absent value; CHANNEL is a word, N and M are numbers. Stores number them: add at the end."""

_REASON: Final = re.compile(
    "|".join(
        reason.replace("CHANNEL", f"({'|'.join(WRITTEN)})").replace("N", "[0-9]+").replace("M", "[0-9]+")
        for reason in REASONS
    )
)


def is_reason(text: str) -> bool:
    """Whether it is one of the fixed phrases."""
    return _REASON.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def absent(reason: str, missing: int = 0) -> Measured:
    """Return what stands for a value that does not exist."""
    return Measured(reason=reason, missing=missing)


def known(value: float, basis: Basis, *, n: int = 0, missing: int = 0) -> Measured:
    """Return a value."""
    return Measured(value=value, basis=basis, n=n, missing=missing)


def nearest_rank(ordered: Sequence[float], percent: int) -> float:
    """Return a percentile of what is in order, by nearest rank: a value that occurs."""
    return ordered[max(-(-percent * len(ordered) // 100) - 1, 0)]
