"""`stats`: measure the conversations of a store, in groups, or one of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Literal

import click
import msgspec
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from .._refs import Ref
from ..formats._csv import write_lines
from ..metrics import METRICS, VERSION, Figures, Measured, Measures, Summary, measure
from ..metrics._definitions import PERCENTILES
from ..metrics._summary import SUMMARIZED, metric_of
from ..stores._url import StoreURL
from .render import console
from .stored import opened
from .terminal import escaped, write_json, write_plain

__all__ = ["run"]

_SHOWN = (
    *("duration", "exchanges", "talk_ratio", "longest_silence", "response_latency", "reported_latency"),
    *("agent_interrupted", "tool_failures", "transferred", "contained", "cost_per_minute"),
)
"""The metrics that are shown if none is named."""
_LATENCY_OF = {metric: latency for latency, metrics in PERCENTILES.items() for metric in metrics}
_LONGEST_NAME = max(map(len, METRICS))
_BAR = 16  # cells
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_MOST_REASONS = 2


def run(
    targets: Sequence[str],
    *,
    store: StoreURL,
    by: str,
    metrics: Sequence[str],
    since: datetime | None,
    until: datetime | None,
    timezone: tzinfo,
    ref: str | None,
    form: Literal["json", "csv"] | None,
) -> None:
    """Write what the conversations of a store measure, group by group; or every measure of one conversation."""
    unknown = [name for name in metrics if name not in {*METRICS, *SUMMARIZED, "all"}]
    if unknown:
        raise click.BadParameter(f"no metric {unknown[0]!a}: choose from all, {', '.join(SUMMARIZED)}")
    if ref is not None:
        if targets or since or until:
            raise click.UsageError("--ref is one conversation: leave out targets, --since and --until")
        with opened(store, [str(Ref.parse(ref).target)]) as reader:
            one = reader.get(ref)
        _write_one(one.ref, measure(one), metrics, form)
        return
    keys = [name.strip() for name in by.split(",") if name.strip()]
    wanted = metrics or (() if form else _SHOWN)
    with opened(store, targets) as reader:
        summaries = reader.stats(
            *targets, by=keys, metrics=() if "all" in wanted else wanted, since=since, until=until, timezone=timezone
        )
    if form == "json":
        for summary in summaries:
            write_json(msgspec.json.encode(_document(summary)))
    elif form == "csv" and summaries:
        _write_csv(line for summary in summaries for line in _lines(_document(summary)))
    elif summaries:
        _write_tables(console(), summaries, metrics)
    total = sum(summary.conversations for summary in summaries)
    count = f"{total:,} conversation{'s' * (total != 1)}" if total else "no conversations to measure"
    click.echo(f"{escaped(str(store))}: {count}", err=form is not None)


# one conversation


def _write_one(ref: str, found: Measures, metrics: Sequence[str], form: Literal["json", "csv"] | None) -> None:
    wanted = set(METRICS) if not metrics or "all" in metrics else set(metrics)
    names = [name for name in METRICS if name in wanted or _LATENCY_OF.get(name) in wanted]
    document = {"ref": ref, "version": VERSION, "measures": {name: found[name] for name in names}}
    if form == "json":
        write_json(msgspec.json.encode(document))
        return
    if form == "csv":
        _write_csv(
            {"ref": ref, "version": VERSION, "metric": name, **msgspec.structs.asdict(found[name])} for name in names
        )
        return
    out = console()
    lines = [(name, _value(found[name]), _unit_of(name, found[name]), _basis(found[name])) for name in names]
    width, unit_width = (max(len(line[column]) for line in lines) for column in (1, 2))
    for name, value, unit, basis in lines:
        line = Text(f"{name:<{_LONGEST_NAME}}  {value:>{width}}  {unit:<{unit_width}}  ")
        _print(out, line.append(basis, "dim" if found[name].value is None else ""))


def _unit_of(name: str, one: Measured) -> str:
    unit = METRICS[name].unit if one.unit is None else f"{escaped(one.unit)}/min"
    return "" if unit in {"1", "bool"} or one.value is None else unit


def _value(one: Measured) -> str:
    if isinstance(one.value, bool):
        return "yes" if one.value else "no"
    return "-" if one.value is None else str(one.value) if isinstance(one.value, int) else _number(float(one.value))


def _basis(one: Measured) -> str:
    """Return where a value comes from, or why there is none."""
    if one.value is None:
        return one.reason or ""
    counts = f", of {one.n:,}" if one.n else ""
    return f"{one.basis}{counts}{f', {one.missing:,} missing' if one.missing else ''}"


# groups


def _document(summary: Summary) -> dict[str, Any]:
    """Return a summary with its means and percentiles, instead of what they are computed from."""
    return {
        "group": summary.group,
        "version": summary.version,
        "conversations": summary.conversations,
        "is_few": summary.is_few,
        "metrics": {
            name: {
                "unit": _unit(name),
                "n": figures.n,
                "sum": figures.sum if figures.n else None,
                "mean": figures.mean,
                "min": figures.min,
                "max": figures.max,
                "p50": figures.percentile(50),
                "p95": figures.percentile(95),
                "bases": figures.bases,
                "missing": figures.missing,
                "lacking": figures.lacking,
            }
            for name, figures in summary.metrics.items()
        },
        "costs": summary.costs,
        "success": summary.success,
        "sentiments": summary.sentiments,
    }


def _lines(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a line of CSV for each metric of a document, under the names that it has there."""
    group, metrics = document.pop("group"), document.pop("metrics")
    for name, figures in metrics.items():
        yield {**group, **document, "metric": name, **figures}


def _write_csv(lines: Iterable[Mapping[str, Any]]) -> None:
    """Write lines of the same members, as CSV that is safe for spreadsheets; what is nested is JSON."""

    def rows() -> Iterator[Iterable[object]]:
        for number, line in enumerate(lines):
            if not number:
                yield line.keys()
            yield (msgspec.json.encode(cell).decode() if isinstance(cell, dict) else cell for cell in line.values())

    write_lines(rows(), write_plain, Counter())


def _names(summaries: Iterable[Summary]) -> list[str]:
    """Return the metrics to show, in each unit that a cost has."""
    known = dict.fromkeys(name for summary in summaries for name in summary.metrics)
    in_units = {metric_of(name) for name in known if " " in name}
    return [name for name in known if name not in in_units]


def _unit(name: str) -> str:
    stem, _, unit = name.partition(" ")
    if unit:
        return f"{unit}/min"
    return "s" if stem in PERCENTILES else METRICS[stem].unit


def _write_tables(out: Console, summaries: Sequence[Summary], metrics: Sequence[str]) -> None:
    """Write a table for each metric, with a line for each group; its bar is the mean beside those of the others."""
    labels = [_label(summary) for summary in summaries]
    names = _names(summaries)
    width = max(map(cell_len, (*map(_title, names), *labels)), default=0)
    has_estimates = False
    for name in names:
        rows = [_figures(summary, name) for summary in summaries]
        if not metrics and not any(figures.n for figures in rows):
            continue
        has_estimates |= any("estimated" in figures.bases for figures in rows)
        longest = 1.0 if _unit(name) in {"0-1", "bool"} else max(figures.mean or 0.0 for figures in rows)
        cells = [[*_cells(summary, figures)] for summary, figures in zip(summaries, rows, strict=True)]
        widths = (width, *(2 + max(_NARROWEST, *map(len, column)) for column in zip(*cells, strict=True)))
        _print(out, _line((_title(name), *_HEADINGS), widths), "bold")
        for label, figures, row in zip(labels, rows, cells, strict=True):
            line = _line((label, *row), widths)
            if figures.mean is None:
                line.append(f"  {_reasons(figures)}", "dim")
            else:
                share = figures.mean / longest if longest else 0.0
                line.append(f"  {_bar(share, is_ascii=out.options.ascii_only)}", "cyan")
            _print(out, line)
        _print(out, Text())
    if has_estimates:
        _print(out, Text("~ estimated, at least in part: an input was derived, or the value is a bound"), "dim")


_HEADINGS = ("count", "values", "mean", "p50", "p95")
_NARROWEST = 7


def _print(out: Console, line: Text, style: str = "") -> None:
    line.rstrip()
    if out.is_terminal:
        out.print(line, style=style, no_wrap=True, overflow="ellipsis")
    else:
        out.print(line, style=style, soft_wrap=True)


def _line(cells: Sequence[str], widths: Sequence[int]) -> Text:
    label, *others = cells
    width, *rest = widths
    numbers = "".join(f"{cell:>{size}}" for cell, size in zip(others, rest, strict=True))
    return Text(label + " " * (width - cell_len(label)) + numbers)


def _title(name: str) -> str:
    unit = _unit(name)
    return escaped(name) if unit in {"1", "bool"} or " " in name else f"{name}, {unit}"


def _label(summary: Summary) -> str:
    return escaped("  ".join(value or "-" for value in summary.group.values())) or "all"


def _figures(summary: Summary, name: str) -> Figures:
    found = summary.metrics.get(name)
    # Where no cost is in this unit, the reasons are those of costs in any.
    return found or summary.metrics.get(metric_of(name)) or Figures()


def _cells(summary: Summary, figures: Figures) -> Iterator[str]:
    yield f"{summary.conversations:,}{' few' if summary.is_few else ''}"
    yield f"{figures.n:,}"
    mark = "~" if "estimated" in figures.bases else ""
    for value in (figures.mean, figures.percentile(50), figures.percentile(95)):
        yield "-" if value is None else f"{mark}{_number(value)}"


def _reasons(figures: Figures) -> str:
    """Return the most frequent reasons for there being no value."""
    most = sorted(figures.missing.items(), key=lambda each: -each[1])
    return ", ".join(f"{reason} ({count:,})" for reason, count in most[:_MOST_REASONS]) or "in another unit"


def _bar(share: float, *, is_ascii: bool) -> str:
    full, rest = divmod(round(min(share, 1.0) * _BAR * 8), 8)
    return "#" * full if is_ascii else f"{_EIGHTHS[-1] * full}{_EIGHTHS[rest]}".rstrip()


def _number(value: float) -> str:
    """Return a number of at least three digits."""
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 or value == 0 else 3
    return f"{value:,.{digits}f}"
