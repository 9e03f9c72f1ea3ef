"""Summarize what the conversations of a store measure: from the table of measures, and by measuring what it lacks."""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from functools import lru_cache, partial
from itertools import chain, compress, repeat
from math import isnan
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from ...metrics import METRICS, Figures, Measures, Summary, measure
from ...metrics import merge as added
from ...metrics._definitions import PERCENTILES
from ...metrics._groups import SPANS, group_of
from ...metrics._measure import EXACT, usable_cost
from ...metrics._summary import in_unit
from ...metrics._tally import Tally
from ...schema import Conversation, Cost
from .._conditions import Condition
from .._untrusted import instant_of
from ._measures import Cells, keep, measures_row, row_version, told_of
from ._tables import CONVERSATION

__all__ = ["KEPT", "Stats"]

_Row = Sequence[Any]
_Group = tuple[str | None, ...]
_Word = TypeVar("_Word", bound=str)

_AT_ONCE: Final = 20_000  # rows in memory
_MEASURED_AT_ONCE: Final = 500  # conversations, so that a stopped run has kept most of its work
_FIRST: Final = ("at", "key", "latencies", "cost")
_AT, _KEY, _CELL, _AMOUNT, _REST = range(len(_FIRST) + 1)
_ALIKE: Final = ("provider", "version", "basis", "cost_unit", "success", "sentiment")
"""Columns in which very many rows are alike, as they are in those of the keys."""
KEPT: Final = (
    " LEFT JOIN remembered ON remembered.conversation = key"
    " LEFT JOIN measures ON measures.conversation = key AND measures.content_print = remembered.content_print"
)
"""What joins each conversation with what is kept of it, if that is of the content that is stored."""
_ONE_OF: Final = {latency: next(iter(metrics)) for latency, metrics in PERCENTILES.items()}
"""A percentile of each latency: all have the same basis, or lack a value for the same reason."""


class Stats:
    """Summaries of conversations by some keys, made of what is kept of them, and by measuring the others.

    Args:
        connection: A connection to the store.
        read: Makes a conversation of its columns.
        by: The keys of the groups.
        metrics: The metrics, under their names in summaries; what is measured anew has all of them.
        zone: Where days, weeks and months begin.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        read: Callable[[_Row], Conversation],
        *,
        by: Sequence[str],
        metrics: Sequence[str],
        zone: tzinfo,
    ) -> None:
        self._connection = connection
        self._read = read
        self._by = by
        self._metrics = metrics
        self._zone = zone
        self._is_utc = zone.utcoffset(None) == timedelta()
        self._kept: dict[_Group, _Gathered] = {}
        self._measured: dict[_Group, Summary] = {}
        self._named = lru_cache(maxsize=4096)(self._group_of)
        self._alike = lru_cache(maxsize=4096)(self._alike_in)
        self._version_of = lru_cache(row_version)

    @property
    def columns(self) -> str:
        """The columns of a row, in SQL, of `conversations` joined with `KEPT`."""
        return self._columns("at")

    def _columns(self, at: str) -> str:
        # Each column takes its time, so those in which rows are alike are one.
        alike = ", ".join((*_ALIKE, *map(self._column, self._by)))
        return ", ".join((at, *_FIRST[1:], f"json_array({alike})"))

    def summaries(self) -> list[Summary]:
        """Return the summaries of all that was added, in the order of the keys."""
        kept = [one.summary(dict(zip(self._by, group, strict=True))) for group, one in self._kept.items()]
        return [*added([*kept, *self._measured.values()])]

    def add_all(self, condition: Condition, path: Path) -> None:
        """Add all conversations that meet a condition; keep what is measured, if the store can be written now."""
        where, values = condition
        columns = self._columns("NULL")  # an instant that nobody asks for takes its time, too
        rows = self._connection.execute(f"SELECT {columns} FROM conversations{KEPT} WHERE {where or '1'}", values)
        stale: list[int] = []
        while some := rows.fetchmany(_AT_ONCE):
            stale += self._add(some)
        is_kept = True
        for begin in range(0, len(stale), _MEASURED_AT_ONCE):
            measured: list[tuple[Any, ...]] = []
            for key, (content, one) in self._whole(stale[begin : begin + _MEASURED_AT_ONCE]).items():
                measures = self._measure(one)
                if content is not None:
                    measured.append(measures_row(key, row_version(one.provider), content, measures))
            is_kept = is_kept and (not measured or keep(path, measured))

    def add_newest(self, pieces: Iterable[Sequence[_Row]], goes_on: Callable[[], bool]) -> tuple[datetime | None, bool]:
        """Add rows while `goes_on`, the newest first; keep nothing.

        Return when the oldest began that was added and has an instant, and whether all were added.
        """
        waiting: list[_Row] = []
        is_all = True
        oldest: str | None = None
        for rows in pieces:
            stale = self._whole([row[_KEY] for row in rows if not self._alike(row[_REST]).is_fresh])
            number = 0
            for row in rows if stale or goes_on() else ():
                if row[_KEY] not in stale:
                    waiting.append(row)
                elif goes_on():
                    self._measure(stale[row[_KEY]][1])
                else:
                    break
                oldest = row[_AT] or oldest
                number += 1
            if len(waiting) >= _AT_ONCE:
                self._add(waiting)
                waiting = []
            is_all = number == len(rows)
            if not is_all:
                break
        self._add(waiting)
        return (None if oldest is None else instant_of(oldest)), is_all

    def _add(self, rows: Sequence[_Row]) -> list[int]:
        """Add what is kept of some conversations, and return the keys of the others."""
        stale: list[int] = []
        alike: defaultdict[str, list[_Row]] = defaultdict(list)
        for row in rows:
            alike[row[_REST]].append(row)
        together: defaultdict[_Group, list[tuple[_Labels, list[_Row]]]] = defaultdict(list)
        for each, members in alike.items():
            one = self._alike(each)
            if one.is_fresh:
                together[one.group].append((one.labels, members))
            else:
                stale += [row[_KEY] for row in members]
        for group, parts in together.items():
            self._kept.setdefault(group, _Gathered(self._metrics)).add(parts)
        return stale

    def _alike_in(self, document: str) -> _Alike:
        provider, version, basis, unit, success, sentiment, *cells = msgspec.json.decode(document, type=list[Any])
        is_fresh = bool(version == self._version_of(msgspec.convert(provider, str)))
        return _Alike(is_fresh, self._named(*cells), _Labels(basis, unit, success, sentiment))

    def _whole(self, keys: Sequence[int]) -> dict[int, tuple[object, Conversation]]:
        """Return conversations by their keys, each with what is remembered of its content."""
        question = (
            f"SELECT content_print, at, key, {', '.join(CONVERSATION)} FROM conversations"
            f" LEFT JOIN remembered ON conversation = key WHERE key IN ({', '.join('?' * len(keys))})"
        )
        rows = self._connection.execute(question, keys) if keys else ()
        return {row[1]: (content, self._read(row)) for content, *row in rows}

    def _measure(self, one: Conversation) -> Measures:
        measures = measure(one)
        group = group_of(one, self._by, self._zone)
        if group not in self._measured:
            self._measured[group] = Summary(group=dict(zip(self._by, group, strict=True)))
        self._measured[group].add(one, measures)
        return measures

    # the groups of rows

    def _column(self, key: str) -> str:
        if key not in SPANS:
            return "agent_id" if key == "agent" else key
        # There are fewer days than instants, but where they begin is only known in UTC.
        return "nullif(day, '')" if self._is_utc else "nullif(at, '')"

    def _group_of(self, *told: object) -> _Group:
        cells = msgspec.convert(told, tuple[str | None, ...])
        rest = _MIDNIGHT if self._is_utc else ""
        return tuple(
            SPANS[key](instant_of(cell + rest), self._zone) if cell is not None and key in SPANS else cell
            for key, cell in zip(self._by, cells, strict=True)
        )


class _Labels(NamedTuple):
    """Values that many conversations share."""

    basis: str
    unit: str | None
    success: object
    sentiment: str | None


class _Alike(NamedTuple):
    """What the last column of many rows says, which is the same text in all of them."""

    is_fresh: bool
    """Whether what is kept was measured by the present definitions."""
    group: _Group
    labels: _Labels


class _Gathered:
    """What is kept of the conversations of a group."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = metrics
        self._tallies: dict[str, Tally] = {}
        self._labels: Counter[_Labels] = Counter()
        self._lacking: Counter[str] = Counter()
        self._costs: Counter[tuple[str | None, str | None]] = Counter()

    def add(self, parts: Sequence[tuple[_Labels, Sequence[_Row]]]) -> None:
        """Add rows; those with the same labels come together."""
        cells = Cells([row[_CELL] for _, rows in parts for row in rows])
        units = [*chain.from_iterable(repeat(labels.unit, len(rows)) for labels, rows in parts)]
        for name in self._metrics:
            if name in PERCENTILES:
                self._tally(name).add(cells.figures(name), partial(cells.latencies, name), partial(cells.counted, name))
            elif not _is_in_unit(name):
                _add(self._tally(name), *cells.values(name))
            else:
                values, codes = cells.values(name)
                for unit in dict.fromkeys(labels.unit for labels, _ in parts):
                    is_in = [each == unit for each in units]
                    _add(self._tally(name, unit), array("d", compress(values, is_in)), [*compress(codes, is_in)])
        for labels, rows in parts:
            self._labels[labels] += len(rows)
        self._lacking.update(cells.lacking)
        self._costs.update(zip([row[_AMOUNT] for _, rows in parts for row in rows], units, strict=True))

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


def _add(tally: Tally, values: array[float], codes: Sequence[int]) -> None:
    """Add a value for each conversation, with its code; not a number stands for none."""
    cells, number = values.tobytes(), len(values)
    if cells == cells[:8] * number:  # all are alike, or there is none
        if not isnan(value := values[0]):
            code = codes[0]
            tally.add((number, number * value, value, value), lambda: values, lambda: {code: number}, lambda: codes)
        return
    found = values.tolist()
    total = sum(found)
    if not isnan(total):
        tally.add((number, total, min(found), max(found)), lambda: values, lambda: Counter(codes), lambda: codes)
        return
    is_there = [value == value for value in found]  # noqa: PLR0124  (quicker than `isnan`)
    found = [*compress(found, is_there)]
    codes = [*compress(codes, is_there)]
    tally.add((len(found), sum(found), min(found), max(found)), lambda: found, lambda: Counter(codes), lambda: codes)


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


_MIDNIGHT: Final = "T00:00:00Z"
