"""What happens in conversations that do not end for good: days after they were closed, something may follow."""

from __future__ import annotations

from ._truth import Truth

__all__ = ["AGAIN", "LATER", "NOTE", "fate"]

LATER = 3 * 86400.0
"""Seconds from the end of a conversation until something happens in it once more."""
AGAIN = "One more thing: is that still so?"
"""What the customer says who opens a conversation again."""
NOTE = "Called back, all is well."
"""What a person of the company notes."""

_FATES = ("opened", "snoozed", "noted", None)


def fate(truth: Truth, moment: float) -> str | None:
    """Return what happened days after the end: it was opened again, was snoozed, or got a note; None: nothing yet."""
    is_late = truth.answered is not None and truth.ended + LATER <= moment
    return _FATES[truth.variant >> 3 & 3] if is_late else None
