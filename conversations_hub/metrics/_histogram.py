"""Percentiles of very many values in little memory: exact for some, then within a percent."""

from __future__ import annotations

from math import ceil, log
from typing import Final

import msgspec

from ._measured import nearest_rank

__all__ = ["LEAST_BUCKET", "MOST_EXACT", "ZERO", "Histogram", "bucket_of"]

MOST_EXACT: Final = 10_000
"""How many values are kept as they are."""
ZERO: Final = -(2**31)
"""Stands for a bucket of values that are 0."""
LEAST_BUCKET: Final = -40_000
"""Less than the bucket of the least float there is."""
_GROWTH: Final = 1.02  # from one bucket to the next
_LOG_GROWTH: Final = log(_GROWTH)


class Histogram(msgspec.Struct):
    """Values of 0 and more; histograms of parts add up to that of the whole.

    Up to 10,000 values are kept as they are. More are counted in buckets that grow by 2 %, so that a percentile is at
    most 1 % off.
    """

    exact: list[float] = []
    """The values, while there are few."""
    zeros: int = 0
    """How many values are 0, once they are counted."""
    buckets: dict[int, int] = {}
    """How many values lie between 1.02ⁱ⁻¹ and 1.02ⁱ, by i, once they are counted."""

    def __len__(self) -> int:
        return len(self.exact) + self.zeros + sum(self.buckets.values())

    def __add__(self, other: Histogram) -> Histogram:
        if not (self._is_counted or other._is_counted) and len(self.exact) + len(other.exact) <= MOST_EXACT:
            return Histogram(exact=[*self.exact, *other.exact])
        both = Histogram(zeros=self.zeros + other.zeros, buckets=dict(self.buckets))
        for bucket, count in other.buckets.items():
            both.buckets[bucket] = both.buckets.get(bucket, 0) + count
        both._count(*self.exact)
        both._count(*other.exact)
        return both

    def add(self, value: float) -> None:
        """Add one value."""
        if self._is_counted:
            self._count(value)
            return
        self.exact.append(value)
        if len(self.exact) > MOST_EXACT:
            self._count(*self.exact)
            self.exact = []

    def percentile(self, percent: int) -> float | None:
        """Return a percentile by nearest rank; None if there are no values."""
        if not self._is_counted:
            return nearest_rank(sorted(self.exact), percent) if self.exact else None
        left = -(-percent * len(self) // 100) - self.zeros
        for bucket, count in sorted(self.buckets.items()):
            if left <= 0:
                break
            left -= count
            if left <= 0:
                return 2 * _GROWTH**bucket / (1 + _GROWTH)  # as far from one end of the bucket as from the other
        return 0.0

    @property
    def _is_counted(self) -> bool:
        return bool(self.zeros or self.buckets)

    def _count(self, *values: float) -> None:
        for value in values:
            bucket = bucket_of(value)
            if bucket == ZERO:
                self.zeros += 1
            else:
                self.buckets[bucket] = self.buckets.get(bucket, 0) + 1


def bucket_of(value: float) -> int:
    """Return the bucket that a value is counted in; `ZERO` for 0."""
    return ceil(log(value) / _LOG_GROWTH) if value > 0 else ZERO
