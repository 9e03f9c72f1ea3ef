"""Bounds how many things a report names one by one; it counts the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["MAX_REPORTED", "tell"]

MAX_REPORTED: Final = 100


def tell(told: dict[str, None], more: Iterable[str]) -> None:
    """Add sentences that are not there yet: at most a hundred, then one that says there are more."""
    for sentence in more:
        told[sentence if sentence in told or len(told) < MAX_REPORTED else "and more"] = None
