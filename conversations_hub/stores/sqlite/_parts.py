"""Partial summaries of the conversations of a group, and their sum."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import chain, compress, repeat
from math import isnan
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from ...metrics import METRICS, Figures, Summary
from ...metrics._definitions import PERCENTILES
from ...metrics._measure import EXACT, usable_cost
from ...metrics._summary import in_unit, metric_of
from ...metrics._tally import CODES, Tally, Values
from ...schema import Cost
from ._measures import Cells, told_of

__all__ = ["Alike", "Group", "Labels", "Part", "is_spread", "part_of"]

_Word = TypeVar("_Word", bound=str)

_ONE_OF: Final = {latency: next(iter(metrics)) for latency, metrics in PERCENTILES.items()}
"""A percentile of each latency: all have the same basis, or lack a value for the same reason."""


class Labels(NamedTuple):
    """Values that many conversations share."""

    basis: str
    unit: str | None
    success: Any
    sentiment: str | None


class Alike(NamedTuple):
    """Conversations with the same labels."""

    labels: Labels
    cells: Sequence[bytes]
    """What the table of measures has of each."""
    amounts: Sequence[str | None]
    """What each cost."""


class Part(NamedTuple):
    """A partial summary: of some conversations of a group."""

    labels: Counter[Labels]
    """How many have which."""
    lacking: Counter[str]
    """How many latencies, or outcomes of tools, lacked what is needed."""
    costs: Counter[tuple[str | None, str | None]]
    """How many cost what, in which unit."""
    values: Mapping[str, Values]
    """By metric; those in units of costs stand apart, as in summaries."""


def part_of(conversations: Sequence[Alike], metrics: Sequence[str]) -> Part:
    """Return a partial summary of conversations, by some metrics."""
    labels: Counter[Labels] = Counter()
    for some in conversations:
        labels[some.labels] += len(some.cells)
    cells = Cells([cell for some in conversations for cell in some.cells])
    units = [*chain.from_iterable(repeat(some.labels.unit, len(some.cells)) for some in conversations)]
    costs = Counter(zip([amount for some in conversations for amount in some.amounts], units, strict=True))
    values: dict[str, Values] = {}
    for name in metrics:
        if name in PERCENTILES:
            values[name] = _Latencies(cells.figures(name), cells, name)
        elif not _is_in_unit(name):
            values[name] = _values(*cells.values(name))
        else:
            found, codes = cells.values(name)
            for unit in dict.fromkeys(same.unit for same in labels):
                is_in = [each == unit for each in units]
                values[in_unit(name, unit)] = _values(array("d", compress(found, is_in)), [*compress(codes, is_in)])
    return Part(labels, Counter(cells.lacking), costs, values)


class Group:
    """The sum of the partial summaries of a group."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = metrics
        self._tallies: dict[str, Tally] = {}
        self._labels: Counter[Labels] = Counter()
        self._lacking: Counter[str] = Counter()
        self._costs: Counter[tuple[str | None, str | None]] = Counter()

    def add(self, part: Part) -> None:
        """Add a partial summary; it may have more metrics."""
        for title, values in part.values.items():
            if metric_of(title) not in self._metrics:
                continue
            if title not in self._tallies:
                self._tallies[title] = Tally(is_spread=is_spread(title))
            self._tallies[title].add(values)
        self._labels.update(part.labels)
        self._lacking.update(part.lacking)
        self._costs.update(part.costs)

    def summary(self, group: dict[str, str | None]) -> Summary:
        """Return the summary of the group."""
        metrics = {title: figures for title, tally in self._tallies.items() if (figures := tally.figures()).n}
        success: Counter[Literal["true", "false", "unknown"]] = Counter()
        sentiments: Counter[str] = Counter()
        for (basis, unit, told_success, sentiment), times in self._labels.items():
            success["unknown" if told_success is None else "true" if told_success else "false"] += times
            if sentiment:
                sentiments[sentiment] += times
            told = told_of(basis)
            for name in self._metrics:
                metric = _ONE_OF.get(name, name)
                if metric in told.bases:
                    _count(metrics[in_unit(name, unit) if _is_in_unit(name) else name].bases, told.bases[metric], times)
                else:
                    _count(metrics.setdefault(name, Figures()).missing, told.missing[metric], times)
        for title, figures in metrics.items():
            if title not in PERCENTILES and sum(figures.bases.values()) != figures.n:
                raise ValueError  # they are not ours
        for name in self._lacking.keys() & metrics.keys():
            metrics[name].lacking = self._lacking[name]
        return Summary(
            group=group,
            conversations=self._labels.total(),
            metrics=metrics,
            costs=_costs(self._costs),
            success=dict(success),
            sentiments=msgspec.convert(dict(sentiments), dict[str, int]),
        )


def is_spread(title: str) -> bool:
    """Whether values have a histogram; `title` is their metric's, with a unit if it has one."""
    name = metric_of(title)
    return name in PERCENTILES or METRICS[name].kind != "flag"


class _Latencies(NamedTuple):
    """The latencies of one kind."""

    figures: tuple[int, float, float, float]
    cells: Cells
    kind: str

    def numbers(self) -> array[float]:
        return self.cells.latencies(self.kind)

    def counted(self) -> Mapping[int, int]:
        return self.cells.counted(self.kind)


class _Values(NamedTuple):
    """Values with their codes; those of all conversations may be the same."""

    figures: tuple[int, float, float, float]
    values: array[float]
    codes: Sequence[int]

    def numbers(self) -> array[float]:
        return self.values

    def counted(self) -> Mapping[int, int]:
        _, _, least, most = self.figures
        return {self.codes[0]: len(self.codes)} if least == most else Counter(self.codes)


def _values(values: array[float], codes: Sequence[int]) -> Values:
    """Return a value for each conversation, with its code; not a number stands for none."""
    cells, number = values.tobytes(), len(values)
    if cells == cells[:8] * number:  # all are alike, or there is none
        if not number or isnan(value := values[0]):
            return _Values((0, *_NOTHING), array("d"), ())
        return _Values((number, number * value, value, value), values, codes)
    found = values.tolist()
    total = sum(found)
    if isnan(total):
        is_there = [value == value for value in found]  # noqa: PLR0124  (quicker than `isnan`)
        found, codes = [*compress(found, is_there)], array(CODES, compress(codes, is_there))
        values, total = array("d", found), sum(found)
    return _Values((len(found), total, min(found), max(found)), values, codes)


_NOTHING: Final = (0.0, 0.0, 0.0)


def _is_in_unit(name: str) -> bool:
    return name in METRICS and METRICS[name].unit == "unit/min"


def _costs(counted: Mapping[tuple[str | None, str | None], int]) -> dict[str, Decimal]:
    found: dict[str, Decimal] = {}
    for (amount, unit), times in counted.items():
        cost = None if amount is None else usable_cost(msgspec.convert({"amount": amount, "unit": unit}, Cost))
        if cost is not None:
            found[cost.unit] = EXACT.add(found.get(cost.unit, Decimal()), EXACT.multiply(cost.amount, Decimal(times)))
    return found


def _count(counts: dict[_Word, int], word: _Word, times: int) -> None:
    counts[word] = counts.get(word, 0) + times
