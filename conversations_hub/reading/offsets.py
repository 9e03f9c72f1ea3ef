"""Where a turn lies in its conversation, told twice: as an offset from the start, and as an instant."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

__all__ = ["LAG", "Offsets"]

LAG = 3.0
"""Seconds by which an offset may lag behind the instants before its clock counts as one that started again."""


class Offsets:
    """Tells offsets that can be believed from those of a clock that started again, as some do at a hand-over.

    Counted anew from a later zero, they are too small: the instants then tell where a turn lies.
    """

    def __init__(self, told: Iterable[tuple[float | None, float | None]]) -> None:
        """Take pairs of offset and instant, in seconds; the first that has both tells when the clock stood at zero."""
        both = ((moment - offset) for offset, moment in told if offset is not None and moment is not None)
        self.zero = next(both, None)
        self.latest = inf if self.zero is None else self.zero + LAG
        """An instant less its offset; where it lies after this, the clock has started again. So `start` is asked."""
        self.have_restarted = False
        self._lag = 0.0

    def start(self, offset: float, moment: float | None) -> float:
        """Return where a turn lies; one without an instant lags as much as the one before."""
        if self.zero is None or (moment is not None and moment - offset <= self.latest):
            self._lag = 0.0
            return offset
        if moment is not None:
            self._lag, self.have_restarted = moment - offset - self.zero, True
        return round(offset + self._lag, 3) if self._lag else offset
