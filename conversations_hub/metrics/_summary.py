"""Summarize measures of many conversations, group by group."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Final, Literal, TypeVar

import msgspec

from ..errors import InvalidRefError
from ..schema import Conversation
from ._definitions import METRICS, PERCENTILES, VERSION
from ._groups import check_keys, group_of
from ._histogram import Histogram
from ._measure import EXACT, Measures, measure, usable_cost
from ._measured import REASONS, WRITTEN, Measured

__all__ = [
    "SUMMARIZED",
    "SUMMARIZED_REASONS",
    "Figures",
    "Summary",
    "check_metrics",
    "in_unit",
    "merge",
    "metric_of",
    "narrowed",
    "summarize",
    "without_numbers",
]

_Word = TypeVar("_Word", bound=str)

_FEW: Final = 5
_IS_PERCENTILE: Final = {metric: latency for latency, metrics in PERCENTILES.items() for metric in metrics}

SUMMARIZED: Final = tuple(dict.fromkeys(_IS_PERCENTILE.get(name, name) for name in METRICS))
"""What a summary has figures of: every metric but percentiles, and instead of those the latencies themselves."""


class Figures(msgspec.Struct):
    """What one metric comes to over the conversations of a group; figures of parts add up to those of the whole."""

    n: int = 0
    """How many values there are: one per conversation, but all of its latencies."""
    sum: float = 0.0
    min: float | None = None
    max: float | None = None
    bases: dict[str, int] = {}
    """How many conversations have a value, by its basis."""
    missing: dict[str, int] = {}
    """How many conversations have none, by the reason."""
    lacking: int = 0
    """Latencies and outcomes of tools: how many lacked what is needed, in all conversations."""
    histogram: Histogram = msgspec.field(default_factory=Histogram)
    """How the values are spread; empty for what is true or false."""

    @property
    def mean(self) -> float | None:
        """The mean; for what is true or false, the share that is true of those that are known."""
        return self.sum / self.n if self.n else None

    def percentile(self, percent: int) -> float | None:
        """Return a percentile, by nearest rank; None if there are no values."""
        found = self.histogram.percentile(percent)
        if found is None or self.min is None or self.max is None:
            return None
        return min(max(found, self.min), self.max)

    def add(self, found: Measured, values: Iterable[float] | None = None) -> None:
        """Add the measure of one conversation; its latencies, if `values` has them."""
        self.lacking += found.missing
        if found.value is None or found.basis is None:
            reason = without_numbers(found.reason or "")
            self.missing[reason] = self.missing.get(reason, 0) + 1
            return
        self.bases[found.basis] = self.bases.get(found.basis, 0) + 1
        for value in (float(found.value),) if values is None else values:
            self.n += 1
            self.sum += value
            self.min = value if self.min is None else min(self.min, value)
            self.max = value if self.max is None else max(self.max, value)
            if not isinstance(found.value, bool):
                self.histogram.add(value)

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            n=self.n + other.n,
            sum=self.sum + other.sum,
            min=min((each for each in (self.min, other.min) if each is not None), default=None),
            max=max((each for each in (self.max, other.max) if each is not None), default=None),
            bases=_added(self.bases, other.bases),
            missing=_added(self.missing, other.missing),
            lacking=self.lacking + other.lacking,
            histogram=self.histogram + other.histogram,
        )


class Summary(msgspec.Struct, kw_only=True):
    """The figures of a group of conversations; summaries of parts add up to that of the whole.

    `msgspec.json.encode` writes it as JSON, and `msgspec.json.decode(…, type=Summary)` reads it back, so that several
    workers can each make one.
    """

    group: dict[str, str | None]
    """What the conversations have in common, by the names of the keys; None: they have no such value."""
    version: int = VERSION
    """The version of the definitions."""
    dead_air: float = 3.0
    """The shortest silence that counts as dead air, in seconds."""
    conversations: int = 0
    """How many there are."""
    metrics: dict[str, Figures] = {}
    """The figures, by metric. Percentiles are not averaged: `response_latency` pools the latencies of all
    conversations. Values in the unit of a cost stand apart, as `cost_per_minute USD`."""
    costs: dict[str, Decimal] = {}
    """The sum of all costs, by unit."""
    success: dict[Literal["true", "false", "unknown"], int] = {}
    """How many conversations reached their goal, as their providers say."""
    sentiments: dict[str, int] = {}
    """How many conversations have each sentiment, in the providers' terms."""

    @property
    def is_few(self) -> bool:
        """Whether there are fewer than five conversations, too few to compare with others."""
        return self.conversations < _FEW

    def add(self, one: Conversation, measures: Measures) -> None:
        """Add one conversation and its measures."""
        self.conversations += 1
        for name in SUMMARIZED:
            if name in PERCENTILES:
                self._figures(name).add(measures[next(iter(PERCENTILES[name]))], measures.samples.get(name, ()))
                continue
            found = measures[name]
            self._figures(in_unit(name, found.unit)).add(found)
        if (cost := usable_cost(one.cost)) is not None:
            self.costs[cost.unit] = EXACT.add(self.costs.get(cost.unit, Decimal()), cost.amount)
        success = one.analysis.success if one.analysis else None
        word: Literal["true", "false", "unknown"] = "unknown" if success is None else "true" if success else "false"
        self.success[word] = self.success.get(word, 0) + 1
        if one.analysis and one.analysis.sentiment:
            self.sentiments[one.analysis.sentiment] = self.sentiments.get(one.analysis.sentiment, 0) + 1

    def _figures(self, name: str) -> Figures:
        found = self.metrics.get(name)
        if found is None:
            found = self.metrics[name] = Figures()
        return found

    def __add__(self, other: Summary) -> Summary:
        if (self.group, self.version, self.dead_air) != (other.group, other.version, other.dead_air):
            raise InvalidRefError("summaries of other groups, definitions or lengths of dead air do not add up")
        names = dict.fromkeys((*self.metrics, *other.metrics))
        costs = dict.fromkeys((*self.costs, *other.costs))
        return Summary(
            group=self.group,
            version=self.version,
            dead_air=self.dead_air,
            conversations=self.conversations + other.conversations,
            metrics={name: self.metrics.get(name, Figures()) + other.metrics.get(name, Figures()) for name in names},
            costs={
                unit: EXACT.add(self.costs.get(unit, Decimal()), other.costs.get(unit, Decimal())) for unit in costs
            },
            success=_added(self.success, other.success),
            sentiments=_added(self.sentiments, other.sentiments),
        )


def summarize(
    conversations: Iterable[Conversation],
    by: Sequence[str] = ("provider",),
    *,
    where: Callable[[Conversation], bool] | None = None,
    timezone: tzinfo = UTC,
    dead_air: float = 3.0,
) -> Iterator[Summary]:
    """Measure conversations one after the other, and yield a summary of each group, in the order of their keys.

    No conversation is kept.

    Args:
        conversations: The conversations.
        by: What a group has in common: provider, account, agent (its id), agent_version, day, week, month, channel,
            direction, status, end_reason or language. Empty: one group for all.
        where: Which conversations count; None: all.
        timezone: Where days, weeks and months begin.
        dead_air: The shortest silence that counts as dead air, in seconds.

    Raises:
        InvalidRefError: no such key.
    """
    keys = check_keys(by)
    chosen = conversations if where is None else filter(where, conversations)
    return _in_groups(chosen, keys, timezone, dead_air)


def _in_groups(
    conversations: Iterable[Conversation], by: Sequence[str], zone: tzinfo, dead_air: float
) -> Iterator[Summary]:
    found: dict[tuple[str | None, ...], Summary] = {}
    for one in conversations:
        group = group_of(one, by, zone)
        summary = found.get(group)
        if summary is None:
            summary = found[group] = Summary(group=dict(zip(by, group, strict=True)), dead_air=dead_air)
        summary.add(one, measure(one, dead_air=dead_air))
    yield from sorted(found.values(), key=_order)


def in_unit(name: str, unit: str | None) -> str:
    """Return the name of a metric in a summary: values in the units of costs stand apart."""
    return f"{name} {unit}" if unit else name


def metric_of(title: str) -> str:
    """Return the metric that `in_unit` made a name of."""
    return title.partition(" ")[0]


def merge(summaries: Iterable[Summary]) -> Iterator[Summary]:
    """Add up summaries of the same groups, in the order of their keys.

    Raises `InvalidRefError` for summaries by other definitions.
    """
    found: dict[tuple[tuple[str, str | None], ...], Summary] = {}
    for summary in summaries:
        group = tuple(sorted(summary.group.items()))
        found[group] = found[group] + summary if group in found else summary
    yield from sorted(found.values(), key=_order)


def _order(summary: Summary) -> list[tuple[bool, str]]:
    return [(value is None, value or "") for value in summary.group.values()]


def _added(one: Mapping[_Word, int], two: Mapping[_Word, int]) -> dict[_Word, int]:
    return {name: one.get(name, 0) + two.get(name, 0) for name in (*one, *two)}


def narrowed(summary: Summary, names: Sequence[str]) -> Summary:
    """Return a summary with the figures of these metrics alone, in their order; those in units are in order, too."""
    titles = [title for title in summary.metrics if metric_of(title) in names]
    titles.sort(key=lambda title: (names.index(metric_of(title)), title))
    return msgspec.structs.replace(summary, metrics={title: summary.metrics[title] for title in titles})


def check_metrics(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names in summaries, in their order, of metrics and latencies; none named: of all.

    Raises `InvalidRefError` if one does not exist.
    """
    asked = (names,) if isinstance(names, str) else names
    wanted = {_IS_PERCENTILE.get(name, name) for name in asked or SUMMARIZED}
    for name in wanted.difference(SUMMARIZED):
        raise InvalidRefError(f"no metric {name!a}: choose from {', '.join(SUMMARIZED)}")
    return tuple(name for name in SUMMARIZED if name in wanted)


def without_numbers(reason: str) -> str:
    """Return a reason without its numbers, of which there are too many to tell apart."""
    return _ENDLESS if reason.endswith(_ENDLESS) else reason


_ENDLESS: Final = "turns without an end"

SUMMARIZED_REASONS: Final = tuple(
    without_numbers(reason.replace("CHANNEL", channel))
    for reason in REASONS
    for channel in (WRITTEN if "CHANNEL" in reason else ("",))
)
"""Every reason in a summary."""
