"""Figures of very many values whose buckets in a histogram are known, so that no value is looked at by itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isfinite, isnan
from typing import Final

from ._histogram import MOST_EXACT, ZERO, histogram_of
from ._summary import Figures

__all__ = ["ABSENT", "Tally"]

ABSENT: Final = 2**31 - 1
"""Stands for the bucket of a value that does not exist."""
_BUCKETS: Final = range(-40_000, 4_000)  # from the least float there is to far beyond the largest value


class Tally:
    """Collects the values of one metric, or the latencies behind one.

    Args:
        is_spread: Whether they have a histogram.
    """

    def __init__(self, *, is_spread: bool) -> None:
        self._is_spread = is_spread
        self._found = Figures()
        self._values: list[float] = []
        self._buckets: Counter[int] = Counter()

    def add(self, values: Sequence[float], buckets: Iterable[int]) -> None:
        """Add values, with the bucket of each; not a number and `ABSENT` stand for none."""
        if self._is_spread:
            self._buckets.update(buckets)
        total = sum(values)
        if isnan(total):
            values = [value for value in values if value == value]  # noqa: PLR0124  (quicker than `isnan`)
            total = sum(values)
        if values:
            least, most = min(values), max(values)
            found = self._found
            found.n += len(values)
            found.sum += total
            found.min = least if found.min is None or least < found.min else found.min
            found.max = most if found.max is None or most > found.max else found.max
            if self._is_spread and found.n <= MOST_EXACT:
                self._values += values

    def figures(self) -> Figures:
        """Return the figures, without bases and reasons.

        Raises `ValueError` if there are other values than a metric has, or the buckets are not theirs.
        """
        found, buckets = self._found, self._buckets
        del buckets[ABSENT]
        if not isfinite(found.sum) or (found.min is not None and found.min < 0):
            raise ValueError
        if self._is_spread:
            if buckets.total() != found.n or not all(bucket in _BUCKETS for bucket in buckets if bucket != ZERO):
                raise ValueError
            found.histogram = histogram_of(self._values, buckets)
        return found
