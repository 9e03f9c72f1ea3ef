"""Figures of very many values whose buckets in a histogram are known, so that no value is looked at by itself."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from typing import Final

from ._histogram import LEAST_BUCKET, MOST_EXACT, ZERO, Histogram, bucket_of
from ._summary import Figures

__all__ = ["CODES", "Tally", "code_of"]

CODES: Final = "H"
"""The type of an array of codes."""
_ZERO: Final = 2**16 - 1
_MOST: Final = 4_000 - LEAST_BUCKET  # far beyond the largest value


def code_of(bucket: int) -> int:
    """Return the number in two bytes that stands for a bucket of a histogram."""
    return _ZERO if bucket == ZERO else bucket - LEAST_BUCKET


class Tally:
    """Collects the values of one metric, or the latencies behind one.

    Args:
        is_spread: Whether they have a histogram.
    """

    def __init__(self, *, is_spread: bool) -> None:
        self._is_spread = is_spread
        self._found = Figures()
        self._values = array("d")  # while they are few; the garbage collector would look at each of a list
        self._codes = array(CODES)  # of these, as far as they are known
        self._counted: Counter[int] | None = None  # once they are many

    def add(
        self,
        figures: tuple[int, float, float, float],
        values: Callable[[], Iterable[float]],
        counted: Callable[[], Mapping[int, int]],
        codes: Callable[[], Iterable[int]] | None = None,
    ) -> None:
        """Add values.

        Args:
            figures: Their number, sum, minimum and maximum.
            values: Returns them.
            counted: Returns how many are in each bucket, by its code.
            codes: Returns the code of each value, if these are known.
        """
        number, total, least, most = figures
        if not number:
            return
        found = self._found
        found.n += number
        found.sum += total
        found.min = least if found.min is None or least < found.min else found.min
        found.max = most if found.max is None or most > found.max else found.max
        if not self._is_spread:
            return
        if found.n <= MOST_EXACT:
            self._values.extend(values())
            if codes is not None:
                self._codes.extend(codes())
            return
        if self._counted is None:
            is_coded = len(self._codes) == len(self._values)
            self._counted = Counter(self._codes if is_coded else map(code_of, map(bucket_of, self._values)))
            del self._values[:], self._codes[:]
        self._counted.update(counted())

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
                found.histogram = Histogram(exact=self._values.tolist())
            elif max(counted.keys() - {_ZERO}, default=0) > _MOST:
                raise ValueError
            else:
                buckets = {code + LEAST_BUCKET: count for code, count in counted.items() if code != _ZERO}
                found.histogram = Histogram(zeros=counted[_ZERO], buckets=buckets)
            if len(found.histogram) != found.n:
                raise ValueError
        return found
