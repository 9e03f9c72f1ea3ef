"""Summarize what the conversations of a store measure: from the table of measures, and by measuring what it lacks."""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache
from itertools import compress, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec

from ...metrics import METRICS, Figures, Summary, measure
from ...metrics._definitions import PERCENTILES
from ...metrics._groups import SPANS, group_of
from ...metrics._measure import EXACT, usable_cost
from ...metrics._summary import in_unit
from ...metrics._tally import Tally
from ...schema import Conversation, Cost
from .._untrusted import instant_of
from ._measures import FRESH, keep, measures_row, told_of, unpacked
from ._tables import CONVERSATION

__all__ = ["Stats"]

_Row = Sequence[Any]
_Group = tuple[str | None, ...]
_Word = TypeVar("_Word", bound=str)

_AT_ONCE: Final = 20_000  # rows in memory
_MEASURED_AT_ONCE: Final = 500  # conversations, so that a stopped run has kept most of its work
_TOLD: Final = ("latencies", "basis", "cost", "cost_unit", "success", "sentiment")
_OWN: Final = 1 + len(_TOLD)
_ONE_OF: Final = {latency: next(iter(metrics)) for latency, metrics in PERCENTILES.items()}
"""A percentile of each latency: all have the same basis, or lack a value for the same reason."""


class Stats:
    """Summaries by some keys, of some metrics: read what is kept first, then measure what is not.

    Args:
        by: The keys of the groups.
        metrics: The metrics, under their names in summaries.
        zone: Where days, weeks and months begin.
    """

    def __init__(self, by: Sequence[str], metrics: Sequence[str], zone: tzinfo) -> None:
        self._by = by
        self._metrics = metrics
        self._zone = zone
        self._unmeasured: list[int] = []

    def kept(self, connection: sqlite3.Connection, where: str, values: Sequence[object]) -> Iterator[Summary]:
        """Yield summaries of the matching conversations whose measures are kept."""
        columns = ("key", *_TOLD, *map(self._column, self._by))
        rows = connection.execute(
            f"SELECT {', '.join(columns)} FROM conversations"
            " LEFT JOIN remembered ON remembered.conversation = key"
            f" LEFT JOIN measures ON measures.conversation = key AND {FRESH} WHERE {where or '1'}",
            values,
        )
        named = lru_cache(maxsize=4096)(self._named)
        told: Callable[[_Row], object] = bool  # which is the same for all rows
        if not SPANS.keys().isdisjoint(self._by):
            told = lambda row: named(*row[_OWN:])  # noqa: E731
        elif self._by:
            told = itemgetter(*range(_OWN, len(columns)))
        groups: dict[_Group, _Gathered] = {}
        while some := rows.fetchmany(_AT_ONCE):
            alike: defaultdict[object, list[_Row]] = defaultdict(list)
            for row in some:
                if row[1] is None:
                    self._unmeasured.append(row[0])
                else:
                    alike[told(row)].append(row)
            for members in alike.values():
                group = named(*members[0][_OWN:])
                if group not in groups:
                    groups[group] = _Gathered(self._metrics)
                groups[group].add([*zip(*members, strict=True)])
        for group, gathered in groups.items():
            yield gathered.summary(dict(zip(self._by, group, strict=True)))

    def measured(
        self, connection: sqlite3.Connection, path: Path, read: Callable[[_Row], Conversation]
    ) -> Iterator[Summary]:
        """Measure the conversations whose measures are not kept, and keep them if the store can be written now.

        These summaries have all metrics. `read` makes a conversation of its columns.
        """
        is_kept = True
        found: dict[_Group, Summary] = {}
        for begin in range(0, len(self._unmeasured), _MEASURED_AT_ONCE):
            rows: list[tuple[Any, ...]] = []
            for content, *row in _conversations(connection, self._unmeasured[begin : begin + _MEASURED_AT_ONCE]):
                one = read(row)
                measures = measure(one)
                group = group_of(one, self._by, self._zone)
                if group not in found:
                    found[group] = Summary(group=dict(zip(self._by, group, strict=True)))
                found[group].add(one, measures)
                if content is not None:
                    rows.append(measures_row(row[1], content, measures))
            is_kept = is_kept and (not rows or keep(path, rows))
        yield from found.values()

    # the groups of rows

    def _column(self, key: str) -> str:
        if key not in SPANS:
            return "agent_id" if key == "agent" else key
        # There are fewer days than instants, but where they begin is only known in UTC.
        is_utc = self._zone.utcoffset(None) == timedelta()
        return f"CASE at WHEN '' THEN NULL ELSE {_DAY if is_utc else 'at'} END"

    def _named(self, *told: object) -> _Group:
        cells = msgspec.convert(told, tuple[str | None, ...])
        return tuple(
            SPANS[key](instant_of(cell), self._zone) if cell is not None and key in SPANS else cell
            for key, cell in zip(self._by, cells, strict=True)
        )


class _Gathered:
    """What is kept of the conversations of a group."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = metrics
        self._tallies: dict[str, Tally] = {}
        self._told: Counter[tuple[str, str | None]] = Counter()
        self._lacking: Counter[str] = Counter()
        self._costs: Counter[tuple[str | None, str | None]] = Counter()
        self._success: Counter[object] = Counter()
        self._sentiments: Counter[str | None] = Counter()

    def add(self, columns: Sequence[Sequence[Any]]) -> None:
        """Add the columns of some rows."""
        _, cells, basis, amounts, units, success, sentiments, *_ = columns
        told = unpacked(cells, self._metrics)
        for name in self._metrics:
            if _is_in_unit(name):
                self._add_in_units(name, *told.values[name], units)
            else:
                self._tally(name).add(*told.values[name])
        self._told.update(zip(basis, units, strict=True))
        self._lacking.update(told.lacking)
        self._costs.update(zip(amounts, units, strict=True))
        self._success.update(success)
        self._sentiments.update(sentiments)

    def _add_in_units(
        self, name: str, values: Sequence[float], buckets: Sequence[int], units: Sequence[str | None]
    ) -> None:
        for unit in (known := dict.fromkeys(units)):
            is_in = [each == unit for each in units] if len(known) > 1 else repeat(object=True)
            self._tally(name, unit).add([*compress(values, is_in)], compress(buckets, is_in))

    def _tally(self, name: str, unit: str | None = None) -> Tally:
        title = in_unit(name, unit)
        found = self._tallies.get(title)
        if found is None:
            is_spread = name in PERCENTILES or METRICS[name].kind != "flag"
            found = self._tallies[title] = Tally(is_spread=is_spread)
        return found

    def summary(self, group: dict[str, str | None]) -> Summary:
        """Return the summary of the group."""
        metrics = {title: figures for title, tally in self._tallies.items() if (figures := tally.figures()).n}
        for (basis, unit), times in self._told.items():
            told = told_of(basis)
            for name in self._metrics:
                metric = _ONE_OF.get(name, name)
                if metric in told.bases:
                    _count(metrics[in_unit(name, unit) if _is_in_unit(name) else name].bases, told.bases[metric], times)
                else:
                    _count(metrics.setdefault(name, Figures()).missing, told.missing[metric], times)
        for name in self._lacking.keys() & metrics.keys():
            metrics[name].lacking = self._lacking[name]
        success: Counter[Literal["true", "false", "unknown"]] = Counter()
        for told_success, times in self._success.items():
            success["unknown" if told_success is None else "true" if told_success else "false"] += times
        del self._sentiments[None]
        del self._sentiments[""]
        return Summary(
            group=group,
            conversations=self._told.total(),
            metrics=metrics,
            costs=_costs(self._costs),
            success=dict(success),
            sentiments=msgspec.convert(dict(self._sentiments), dict[str, int]),
        )


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


_DAY: Final = "substr(at, 1, 10) || 'T00:00:00Z'"


def _conversations(connection: sqlite3.Connection, keys: Sequence[int]) -> Iterator[_Row]:
    """Yield the columns of conversations, each after what is remembered of its content."""
    question = (
        f"SELECT content_print, at, key, {', '.join(CONVERSATION)} FROM conversations"
        f" LEFT JOIN remembered ON conversation = key WHERE key IN ({', '.join('?' * len(keys))})"
    )
    return iter(connection.execute(question, keys))
