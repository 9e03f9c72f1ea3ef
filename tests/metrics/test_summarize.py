"""Summaries of many conversations: of any parts, in any order, and read back from JSON they add up to the whole."""

from __future__ import annotations

import math
import tracemalloc
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import InvalidRefError
from conversations_hub.metrics import METRICS, Figures, Histogram, Summary, measure, merge, summarize
from conversations_hub.metrics._groups import KEYS
from conversations_hub.metrics._measured import is_reason, nearest_rank
from conversations_hub.metrics._summary import SUMMARIZED
from conversations_hub.schema import Agent, Analysis, Conversation, Cost, Role

from ..support.measured import BOOKING, RESERVATION, conversation, spoken
from ..support.recorded import recorded
from ..support.summaries import told, varied

replace = msgspec.structs.replace


# one group


def test_a_summary_of_two() -> None:
    [summary] = summarize([BOOKING, RESERVATION], by=())
    assert (summary.group, summary.conversations, summary.is_few) == ({}, 2, True)
    ratio = summary.metrics["talk_ratio"]
    assert (ratio.n, ratio.bases, ratio.missing) == (1, {"measured": 1}, {"turns without an end": 1})
    words = summary.metrics["agent_words"]
    assert (words.n, words.sum, words.mean, words.min, words.max) == (2, 21, 10.5, 6, 15)
    assert [words.percentile(percent) for percent in (50, 95)] == [6, 15]
    # Of what is true or false, the share that is true.
    contained = summary.metrics["contained"]
    assert (contained.n, contained.sum, contained.mean, contained.percentile(50)) == (2, 1, 0.5, None)
    assert summary.costs == {"USD": Decimal("0.12")}
    assert summary.metrics["cost_per_minute USD"].mean == 0.18
    assert summary.metrics["cost_per_minute"].missing == {"no cost": 1}
    assert summary.metrics["tool_failures"].lacking == 1


def test_latencies_are_pooled() -> None:
    calls = [
        conversation(
            spoken(0, Role.USER, 0, 1, "Well?"),
            spoken(1, Role.ASSISTANT, 1 + latency, 9, "Well."),
        )
        for latency in (0.5, 0.6, 0.7)
    ]
    [summary] = summarize([BOOKING, *calls], by=())
    pooled = summary.metrics["response_latency"]
    assert (pooled.n, pooled.bases) == (6, {"measured": 4})
    # 0.5, 0.5, 0.6, 0.7, 1, 4; the mean of the four medians would be 0.7.
    assert [pooled.percentile(percent) for percent in (50, 95)] == [0.6, 4.0]
    assert pooled.mean == pytest.approx(7.3 / 6)
    assert not {name for name, metric in METRICS.items() if metric.kind == "percentile"} & summary.metrics.keys()


def test_costs_are_never_added_across_units() -> None:
    credits = replace(BOOKING, cost=Cost(amount=Decimal(30), unit="credits"))
    [summary] = summarize([BOOKING, BOOKING, credits], by=())
    assert summary.costs == {"USD": Decimal("0.24"), "credits": Decimal(30)}
    assert {name: figures.n for name, figures in summary.metrics.items() if figures.n and name.startswith("cost")} == {
        "cost_per_minute USD": 2,
        "cost_per_minute credits": 1,
    }


def test_what_the_providers_think_is_passed_on() -> None:
    analyses = [Analysis(success=True, sentiment="Positive"), Analysis(success=False), None, Analysis(success=True)]
    [summary] = summarize([replace(BOOKING, analysis=each) for each in analyses], by=())
    assert summary.success == {"true": 2, "false": 1, "unknown": 1}
    assert summary.sentiments == {"Positive": 1}


@pytest.mark.parametrize("amount", ["1E+400", "9E+999999", "NaN", "-Infinity"])
def test_no_cost_breaks_it(amount: str) -> None:
    odd = replace(BOOKING, cost=Cost(amount=Decimal(amount), unit="USD"))
    [summary] = summarize([odd, odd, BOOKING], by=())
    assert summary.costs == {"USD": Decimal("0.12")}
    assert summary.metrics["cost_per_minute"].missing == {"no cost": 2}


@pytest.mark.parametrize("duration", [1e308, 1e-300, float("inf"), float("nan")])
def test_no_duration_breaks_it(duration: float) -> None:
    [summary] = summarize([replace(BOOKING, duration=duration)] * 2, by=())
    assert math.isfinite(summary.metrics["duration"].sum)
    assert summary.metrics["cost_per_minute"].missing == {"no duration": 2}


# groups


def test_groups_are_named_and_in_order() -> None:
    moment = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    one = replace(
        BOOKING,
        created_at=moment,
        agent=Agent(id="a1", version="7"),
        language="en",
        account="eu",
    )
    [summary] = summarize([one], by=tuple(KEYS))
    assert summary.group == {
        "provider": "retell",
        "account": "eu",
        "agent": "a1",
        "agent_version": "7",
        "day": "2026-12-31",
        "week": "2026-W53",
        "month": "2026-12",
        "channel": "phone",
        "direction": "unknown",
        "status": "ended",
        "end_reason": "customer_ended",
        "language": "en",
    }
    [shifted] = summarize([one], by=("day", "month"), timezone=ZoneInfo("Europe/Berlin"))
    assert shifted.group == {"day": "2027-01-01", "month": "2027-01"}
    bare = replace(BOOKING, end_reason=None)
    [absent] = summarize([bare], by=tuple(KEYS))
    assert [name for name, value in absent.group.items() if value is None] == [
        *("agent", "agent_version", "day", "week", "month", "end_reason", "language")
    ]
    found = summarize([bare, one, replace(one, created_at=None, started_at=moment - timedelta(days=1))], by=("day",))
    assert [summary.group["day"] for summary in found] == ["2026-12-30", "2026-12-31", None]


def test_a_zone_may_lead_out_of_the_calendar() -> None:
    first = replace(BOOKING, created_at=datetime.min.replace(tzinfo=UTC))
    [summary] = summarize([first], by=("day", "week"), timezone=timezone(-timedelta(hours=5)))
    assert summary.group == {"day": "0001-01-01", "week": "0001-W01"}


def test_a_key_is_one_word_or_several() -> None:
    assert [list(summarize([BOOKING], by=by)) for by in ("provider", ("provider", "provider"))] == [
        list(summarize([BOOKING]))
    ] * 2
    with pytest.raises(InvalidRefError, match="cannot be grouped by 'colour': choose from provider, account, "):
        summarize([], by=("provider", "colour"))  # before it is iterated


def test_only_those_that_are_chosen() -> None:
    chosen = list(summarize([BOOKING, RESERVATION], where=lambda one: one.duration == 60))
    assert [summary.group for summary in chosen] == [{"provider": "elevenlabs"}]


def test_a_summary_is_of_one_length_of_dead_air() -> None:
    [short], [long] = (list(summarize([BOOKING], dead_air=span)) for span in (0.5, 3.0))
    assert [each.metrics["dead_air"].sum for each in (short, long)] == [5, 1]
    with pytest.raises(InvalidRefError, match="do not add up"):
        _ = short + long
    with pytest.raises(InvalidRefError, match="do not add up"):
        _ = long + replace(long, version=2)


# parts and the whole


@settings(max_examples=25)
@given(
    st.randoms(use_true_random=False), st.integers(1, 5), st.sampled_from([(), ("provider",), ("channel", "status")])
)
def test_parts_add_up_to_the_whole(chance: Random, parts: int, by: Sequence[str]) -> None:
    everything = list(varied(40, chance))
    whole = [told(summary) for summary in summarize(everything, by)]
    shuffled = chance.sample(everything, len(everything))
    assert [told(summary) for summary in summarize(shuffled, by)] == whole
    partial = [summary for part in range(parts) for summary in summarize(shuffled[part::parts], by)]
    sent = [msgspec.json.decode(msgspec.json.encode(summary), type=Summary) for summary in partial]
    assert [told(summary) for summary in merge(sent)] == whole


def test_adding_changes_neither_part() -> None:
    [one], [two] = summarize([BOOKING], by=()), summarize([RESERVATION], by=())
    before = [msgspec.json.encode(each) for each in (one, two)]
    both = one + two
    both.add(BOOKING, measure(BOOKING))
    assert [msgspec.json.encode(each) for each in (one, two)] == before


@pytest.mark.parametrize("provider", BUILTIN)
def test_every_conversation_counts_once_for_every_metric(provider: str) -> None:
    conversations = list(recorded(provider))
    [summary] = summarize(conversations, by=("provider",))
    assert summary.conversations == len(conversations)
    for name in SUMMARIZED:
        of_name = [figures for key, figures in summary.metrics.items() if key == name or key.startswith(f"{name} ")]
        counted = sum(sum(each.missing.values()) + sum(each.bases.values()) for each in of_name)
        assert counted == len(conversations), name
        for figures in of_name:
            assert all(reason == "turns without an end" or is_reason(reason) for reason in figures.missing)
    assert sum(summary.success.values()) == len(conversations)


def test_a_stream_is_not_kept() -> None:
    def stream(count: int) -> Iterator[Conversation]:
        for number in range(count):
            yield replace(BOOKING, id=f"c{number}", title="x" * 10_000)

    list(summarize(stream(1)))
    tracemalloc.start()
    try:
        [summary] = summarize(stream(1000))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert summary.conversations == 1000
    assert most < 4_000_000  # the titles alone are 10 MB


# histograms


def _filled(values: Sequence[float]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


def test_percentiles_are_exact_up_to_ten_thousand_values() -> None:
    chance = Random(7)  # noqa: S311  (values, not secrets)
    values = [chance.lognormvariate(0, 1) for _ in range(10_000)]
    histogram = _filled(values)
    assert [histogram.percentile(percent) for percent in (1, 50, 95)] == [
        nearest_rank(sorted(values), percent) for percent in (1, 50, 95)
    ]
    assert histogram.buckets == {}


def test_percentiles_of_more_values_are_within_a_percent() -> None:
    chance = Random(7)  # noqa: S311  (values, not secrets)
    values = [0.0] * 600 + [chance.lognormvariate(0, 1) for _ in range(50_000)]
    chance.shuffle(values)
    histogram = _filled(values)
    assert (len(histogram), histogram.zeros, histogram.exact) == (50_600, 600, [])
    assert len(histogram.buckets) < 600
    for percent in (2, 50, 90, 95, 99, 100):
        assert histogram.percentile(percent) == pytest.approx(nearest_rank(sorted(values), percent), rel=0.01)
    assert histogram.percentile(0) == histogram.percentile(1) == 0.0


def test_figures_stay_within_what_there_was() -> None:
    figures = Figures(n=1, min=1.0, max=1.0, histogram=_filled([1.0] * 10_001))
    assert [figures.percentile(percent) for percent in (0, 50, 100)] == [1.0, 1.0, 1.0]
    assert Figures().percentile(50) is None
    assert Figures().mean is None


@given(st.lists(st.integers(0, 12_000), min_size=1, max_size=4))
def test_histograms_of_parts_add_up(sizes: list[int]) -> None:
    parts = [[float(value % 97) for value in range(size)] for size in sizes]
    whole = _filled([value for part in parts for value in part])
    added = Histogram()
    for part in parts:
        added = added + _filled(part)
    assert (sorted(added.exact), added.zeros, added.buckets) == (sorted(whole.exact), whole.zeros, whole.buckets)
    assert msgspec.json.decode(msgspec.json.encode(added), type=Histogram) == added
