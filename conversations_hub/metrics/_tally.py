"""Figures of very many values whose buckets in a histogram are known, so that no value is looked at by itself."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from itertools import chain
from math import isfinite
from typing import Final, Protocol

from ._histogram import LEAST_BUCKET, MOST_EXACT, ZERO, Histogram
from ._summary import Figures

__all__ = ["CODES", "Tally", "Values", "code_of"]

CODES: Final = "H"
"""The type of an array of codes."""
_ZERO: Final = 2**16 - 1
_MOST: Final = 4_000 - LEAST_BUCKET  # far beyond the largest value


def code_of(bucket: int) -> int:
    """Return the number in two bytes that stands for a bucket of a histogram."""
    return _ZERO if bucket == ZERO else bucket - LEAST_BUCKET


class Values(Protocol):
    """Some values, or all latencies of a kind."""

    @property
    def figures(self) -> tuple[int, float, float, float]:
        """Their number, sum, minimum and maximum."""
        ...

    def numbers(self) -> array[float]:
        """Return each."""
        ...

    def counted(self) -> Mapping[int, int]:
        """Return how many are in each bucket, by its code."""
        ...


class Tally:
    """Collects the values of one metric, or the latencies behind one.

    Args:
        is_spread: Whether they have a histogram.
    """

    def __init__(self, *, is_spread: bool) -> None:
        self._is_spread = is_spread
        self._found = Figures()
        self._few: list[Values] = []
        self._counted: Counter[int] | None = None  # once they are many

    def add(self, values: Values) -> None:
        """Add values."""
        number, total, least, most = values.figures
        if not number:
            return
        found = self._found
        found.n += number
        found.sum += total
        found.min = least if found.min is None or least < found.min else found.min
        found.max = most if found.max is None or most > found.max else found.max
        if not self._is_spread:
            return
        self._few.append(values)
        if found.n <= MOST_EXACT:
            return
        if self._counted is None:
            self._counted = Counter()
        for each in self._few:
            self._counted.update(each.counted())
        self._few = []

    def figures(self) -> Figures:
        """Return the figures, without bases and reasons.

        Raises `ValueError` if there are other values than a metric has, or the buckets are not theirs.
        """
        found = self._found
        if not isfinite(found.sum) or (found.min is not None and found.min < 0):
            raise ValueError
        if self._is_spread:
            counted = self._counted
            if counted is None:
                found.histogram = Histogram(exact=[*chain.from_iterable(each.numbers().tolist() for each in self._few)])
            elif max(counted.keys() - {_ZERO}, default=0) > _MOST:
                raise ValueError
            else:
                buckets = {code + LEAST_BUCKET: count for code, count in counted.items() if code != _ZERO}
                found.histogram = Histogram(zeros=counted[_ZERO], buckets=buckets)
            if len(found.histogram) != found.n:
                raise ValueError
        return found
