"""Conversations counted and measured in groups."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from functools import partial
from typing import Final, NamedTuple

from ..errors import InvalidRefError
from ..metrics import METRICS, Figures, Summary, measure
from ..metrics._definitions import PERCENTILES
from ..metrics._groups import group_of
from ..schema import Conversation
from ._answers import Listing
from ._cursors import Cursors
from ._disarm import short
from ._failures import failures_of
from ._listing import suggest
from ._page import Page
from ._render import day, named
from ._source import Reader
from ._wanted import Wanted, when
from ._wording import nearest, number_of

__all__ = ["GROUPS", "Asked", "counted", "metric_of"]


class Chosen(NamedTuple):
    """What a group is summarized by."""

    summarized: str
    """Its name among the figures of a summary."""
    percent: int | None
    """The percentile that was asked for; None: all that are usual."""


_LATENCY_OF: Final = {
    name: (latency, percent) for latency, names in PERCENTILES.items() for name, percent in names.items()
}
GROUPS: Final = ("day", "week", "provider", "agent", "status", "end_reason", "language", "failure")
"""What a group may have in common."""
_MOST_NAMED: Final = 120


class Asked(NamedTuple):
    """What is counted."""

    wanted: Wanted
    by: str
    metric: Chosen | None
    """None: a mere count."""
    offset: int
    """How many groups were passed before."""


def metric_of(name: str | None) -> Chosen | None:
    """Return a metric by name; None for a mere count."""
    if name is None or name == "count":
        return None
    if name == "cost" or name in PERCENTILES:
        return Chosen(name, None)
    if name in _LATENCY_OF:
        return Chosen(*_LATENCY_OF[name])
    if name not in METRICS:
        close = ", ".join(nearest(name, (*METRICS, *PERCENTILES, "count", "cost")))
        raise InvalidRefError(f"no measure {name[:60]!a}; the nearest: {close}")
    return Chosen(name, None)


def _group_of(one: Conversation, by: str) -> str:
    if by == "failure":
        return next(iter(failures_of(one)), "did not fail")
    if by == "agent":
        return named(one)
    [group] = group_of(one, (by,), UTC)
    return group or ""


def counted(reader: Reader, asked: Asked, page: Page, cursors: Cursors) -> Listing:
    """Return a line for each group, the largest first, or in order of time.

    Raises:
        InvalidRefError: there are more conversations than can be looked at in the time there is.
    """
    by, metric = asked.by, asked.metric
    groups: dict[str, Summary] = {}
    total = 0
    agents: Counter[str] = Counter()
    costless: Counter[str] = Counter()
    for looked_at, row in enumerate(reader.rows(asked.wanted), 1):
        one = row.one
        if one.agent is not None and one.agent.name:
            agents[one.agent.name] += 1
        if row.is_wanted:
            total += 1
            group = _group_of(one, by)
            summary = groups.setdefault(group, Summary(group={}))
            costless[group] += one.cost is None
            if metric is None:
                summary.conversations += 1
            else:
                summary.add(one, measure(one))
        if reader.is_late:
            raise InvalidRefError(
                f"counting takes too long: in the time there is, {looked_at:,} conversations were looked at, back to"
                f" {day(when(one))}. Narrow since, provider, status or the agent's id"
            )
    what = f"{metric.summarized}{_in_what(metric.summarized)}" if metric else "count"
    page.say(
        f"{what} by {by}, of {number_of(total, 'conversation')} in {number_of(len(groups), 'group')};"
        " days and weeks are those of UTC."
    )
    if not total:
        suggest(page, "agent", asked.wanted.agent, agents)
    is_time = by in {"day", "week"}
    ordered = sorted(groups, key=lambda name: (0 if is_time else -groups[name].conversations, not name, name))
    lacking = "(no time)" if is_time else f"(no {by})"
    shown = 0
    for name in ordered[asked.offset :]:
        line = partial(_line, name or lacking, _figures(groups[name], metric, costless[name]))
        if not page.takes(line(_MOST_NAMED)):
            if shown:
                break
            page.note("The first name was cut for want of room: ask for a larger max_tokens.")
            cut = line(page.budget.most(line, _MOST_NAMED))
            page.budget.spend(cut)
            page.add(cut)
        shown += 1
    place = asked.offset + shown
    answer = page.answer(cursors.at(place) if shown and place < len(ordered) else None)
    return Listing(answer.text, answer.cursor, answer.notes, shown=shown, total=len(ordered))


def _line(name: str, figures: str, most: int) -> str:
    return f"- {short(name, most)}: {figures}"


def _figures(summary: Summary, metric: Chosen | None, costless: int) -> str:
    if metric is None:
        return f"{summary.conversations:,}"
    if metric.summarized == "cost":
        sums = ", ".join(f"{amount} {short(unit, 20)}" for unit, amount in sorted(summary.costs.items()))
        return f"{sums or 'no value'}{f' (none for {costless}: no cost)' * bool(costless)}"
    found = {name: each for name, each in summary.metrics.items() if name.partition(" ")[0] == metric.summarized}
    return "; ".join(f"{_figure(each, metric)}{_unit(name)}" for name, each in found.items())


def _in_what(metric: str) -> str:
    """Return the unit of a metric's numbers; that of a cost stands beside each."""
    latency = next(iter(PERCENTILES.get(metric, {})), metric)
    unit = METRICS[latency].unit if latency in METRICS else ""
    return {"s": " in seconds", "0-1": " from 0 to 1", "1/min": " per minute"}.get(unit, "")


def _unit(name: str) -> str:
    unit = name.partition(" ")[2]
    return f" {short(unit, 20)}/min" if unit else ""


def _figure(found: Figures, metric: Chosen) -> str:
    lacking = ", ".join(f"{count} {reason}" for reason, count in sorted(found.missing.items()))
    missing = f" (none for {sum(found.missing.values())}: {lacking})" if found.missing else ""
    if not found.n:
        return f"no value{missing}"
    if metric.percent is not None:
        return f"p{metric.percent} {_number(found.percentile(metric.percent))}, n {found.n}{missing}"
    is_flag = metric.summarized in METRICS and METRICS[metric.summarized].kind == "flag"
    if is_flag:
        return f"true {found.sum:.0f} of {found.n}{missing}"
    middle = f", p50 {_number(found.percentile(50))}, p95 {_number(found.percentile(95))}"
    total = f", sum {_number(found.sum)}"
    return f"mean {_number(found.mean)}{middle}{total}, n {found.n}{missing}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
