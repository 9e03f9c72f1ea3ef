"""The page on metrics: it defines what the code measures, and its numbers are those of the fixtures."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from conversations_hub.adapters import load
from conversations_hub.metrics import METRICS, Measures, measure
from conversations_hub.metrics._measured import REASONS
from conversations_hub.schema import Conversation
from conversations_hub.stores import open_store, put

from ..support.fault_cases import part
from ..support.measured import BOOKING
from ..support.metric_differences import DIFFERENT, WITH_ENDS
from ..support.paths import DOCS
from ..support.recorded import recorded

PAGE = (DOCS / "reference" / "metrics.md").read_text()


def _rows(name: str) -> list[list[str]]:
    lines = part(name, PAGE).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_table_of_metrics_is_that_of_the_code() -> None:
    """Paste what this expects, after reading it."""
    lines = ["| metric | unit | what it is | what it needs |", "| --- | --- | --- | --- |"]
    lines += [f"| `{one.name}` | {one.unit} | {one.definition} | {one.needs} |" for one in METRICS.values()]
    assert part("metrics", PAGE).splitlines() == lines


def test_every_reason_is_explained() -> None:
    assert [reason for reason, _ in _rows("reasons")] == list(REASONS)


def test_who_gives_what() -> None:
    said = dict(line.removeprefix("- ").split(": ") for line in part("providers", PAGE).splitlines())
    adapters = {name: load(name) for name in DIFFERENT}
    assert {what: names.split(", ") for what, names in said.items()} == {
        "Times of speech": sorted(WITH_ENDS),
        "Their own latency of answers": sorted(name for name, each in adapters.items() if each.response_metric),
        "Their own latency of tools": sorted(name for name, each in adapters.items() if each.tool_metric),
        "Transfers": sorted(name for name, each in adapters.items() if each.tells_transfers),
    }


async def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    await put(open_store("conversations.db"), BOOKING)
    told: list[tuple[object, ...]] = []

    def tell(*words: object) -> None:
        told.append(words)

    names = {"conversation": BOOKING, "conversations": [BOOKING], "print": tell}
    for example in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(example, names)  # noqa: S102  (our own page)
    assert told == [({"agent": None, "week": None}, 1, 4.0), ({"agent": None, "week": None}, 1, 0.64)]
    [queries] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
    with closing(sqlite3.connect("conversations.db")) as database:
        [means, reasons] = [database.execute(query).fetchall() for query in queries.splitlines()]
    assert means == [(None, pytest.approx(0.643, abs=1e-3), 1)]
    assert reasons == []


# what vendors say themselves

_Figure = Callable[[Conversation], float]


def _metadata(*path: str) -> _Figure:
    def figure(one: Conversation) -> float:
        found: Any = one.metadata
        for name in path:
            found = found[name]
        return float(found)

    return figure


def _greatest(metric: str) -> _Figure:
    return lambda one: max((turn.metrics or {}).get(metric, 0.0) for turn in one.transcript or ())


def _thousandth(figure: _Figure) -> _Figure:
    return lambda one: figure(one) / 1000


THEIRS: dict[str, _Figure] = {
    "`latency.e2e.p50`": _thousandth(_metadata("latency", "e2e", "p50")),
    "`latency.e2e.p95`": _thousandth(_metadata("latency", "e2e", "p95")),
    "`turnLatencyAverage`": _thousandth(_metadata("performanceMetrics", "turnLatencyAverage")),
    "`numAssistantInterrupted`": _metadata("performanceMetrics", "numAssistantInterrupted"),
    "`numUserInterrupted`": _metadata("performanceMetrics", "numUserInterrupted"),
    "greatest `turnLatency`": _greatest("turnLatency"),
    "greatest `tool_latency_secs`": _greatest("tool_latency_secs"),
    "greatest `e2e_latency`": _greatest("e2e_latency"),
    "greatest `end_user_perceived_latency`": _greatest("end_user_perceived_latency"),
}


@cache
def _recorded(ref: str) -> Conversation:
    provider, _, id = ref.partition(":")
    return next(one for one in recorded(provider) if one.id.startswith("get.") and one.id.endswith(f"-0-{id}"))


def _ours(name: str, found: Measures) -> tuple[float | None, int]:
    """Return our figure, and of how many values it is."""
    kind, _, metric = name.replace("`", "").rpartition(" ")
    if not kind:
        value = found[metric].value
        return (None if value is None else float(value)), found[metric].n
    samples = found.samples[metric]
    return (max(samples) if "greatest" in kind else sum(samples) / len(samples)), len(samples)


@pytest.mark.parametrize("row", _rows("vendors"), ids=lambda row: f"{row[0]}-{row[1]}")
def test_figures_of_vendors_and_ours_are_those_of_the_fixtures(row: list[str]) -> None:
    ref, theirs, their_value, ours, our_value, why = row
    one = _recorded(ref)
    name, _, count = ours.partition(", of ")
    value, n = _ours(name, measure(one))
    assert our_value == ("-" if value is None else _shown(value, our_value))
    assert not count or n == int(count)
    figure = THEIRS.get(theirs.partition(", of ")[0])
    assert their_value == ("-" if figure is None else _shown(figure(one), their_value))
    assert why.startswith("Equal") == (their_value == our_value != "-") or why == "The same."


def _shown(value: float, like: str) -> str:
    return f"{value:.3f}" if "." in like else f"{value:.0f}"
