"""`stats`: what the conversations of a store measure, as tables and as JSON, from stores of every kind."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub.metrics import METRICS, VERSION, Figures, Histogram, Summary, measure, summarize
from conversations_hub.schema import Agent, Analysis, Channel, Conversation
from conversations_hub.stores import open_store, put
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.command_line import run
from ..support.measured import BOOKING, RESERVATION

WHEN = datetime(2026, 11, 2, 9, tzinfo=UTC)


def _named(one: Conversation, id: str, days: int = 0, **more: Any) -> Conversation:
    moment = WHEN + timedelta(days=days)
    return msgspec.structs.replace(one, id=id, created_at=moment, started_at=moment, **more)


CONVERSATIONS = [
    _named(BOOKING, "c1", agent=Agent(id="front")),
    _named(BOOKING, "c2", days=1, agent=Agent(id="front"), analysis=Analysis(success=True)),
    _named(BOOKING, "c3", days=8, agent=Agent(id="\x1b[31mback"), channel=Channel.CHAT),
    _named(RESERVATION, "c4", days=8),
]


@pytest.fixture(params=["sqlite:c.db", "jsonl:c.jsonl", "parquet:c"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    kind, _, name = request.param.partition(":")
    if kind == "parquet":
        pytest.importorskip("duckdb", reason="Parquet needs the extra duckdb")
    place = f"{kind}:{tmp_path / name}"
    await put(open_store(place), *CONVERSATIONS)
    return place


@pytest.fixture
async def database(tmp_path: Path) -> str:
    place = str(tmp_path / "c.db")
    await put(open_store(place), *CONVERSATIONS)
    return place


def _documents(*arguments: str) -> list[dict[str, Any]]:
    result = run("stats", "--json", *arguments)
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_groups_as_json_from_every_store(store: str) -> None:
    retell, elevenlabs = sorted(_documents("--store", store), key=lambda each: -each["conversations"])
    assert (retell["group"], retell["conversations"], retell["is_few"]) == ({"provider": "retell"}, 3, True)
    assert retell["version"] == VERSION
    [expected] = summarize(CONVERSATIONS[:3])
    assert retell["metrics"].keys() == expected.metrics.keys()
    latency = retell["metrics"]["response_latency"]
    assert latency["missing"] == {"not spoken: chat": 1}
    assert [latency[name] for name in ("unit", "n", "min", "max", "p50", "p95")] == ["s", 6, 0.5, 4.0, 1.0, 4.0]
    assert retell["metrics"]["contained"] | {"bases": None} == {
        "unit": "bool",
        "n": 3,
        "sum": 3.0,
        "mean": 1.0,
        "min": 1.0,
        "max": 1.0,
        "p50": None,
        "p95": None,
        "bases": None,
        "missing": {},
        "lacking": 0,
    }
    assert retell["metrics"]["cost_per_minute USD"]["unit"] == "USD/min"
    assert retell["metrics"]["cost_per_minute"]["missing"] == {"not spoken: chat": 1}
    assert retell["costs"] == {"USD": "0.36"}
    assert retell["success"] == {"true": 1, "unknown": 2}
    assert elevenlabs["metrics"]["talk_ratio"]["missing"] == {"turns without an end": 1}
    assert elevenlabs["metrics"]["talk_ratio"]["sum"] is None


def test_what_is_measured_can_be_narrowed(database: str) -> None:
    place = ("--store", database)
    assert [each["conversations"] for each in _documents(*place, "--by", "")] == [4]
    assert [each["group"] for each in _documents(*place, "--by", "provider, week")] == [
        {"provider": "elevenlabs", "week": "2026-W46"},
        {"provider": "retell", "week": "2026-W45"},
        {"provider": "retell", "week": "2026-W46"},
    ]
    assert [each["conversations"] for each in _documents(*place, "retell", "--until", "2026-11-05")] == [2]
    [late] = _documents(*place, "elevenlabs", "--since", "2026-11-05", "--metric", "duration")
    assert late["metrics"].keys() == {"duration"}
    [either] = _documents(*place, "--by", "", "--metric", "response_latency_p95", "--metric", "user_latency")
    assert either["metrics"].keys() == {"response_latency", "user_latency"}
    days = _documents(*place, "--by", "day", "--timezone", "Pacific/Kiritimati")  # UTC+14
    assert [each["group"]["day"] for each in days] == ["2026-11-02", "2026-11-03", "2026-11-10"]


def test_a_table_for_each_metric(database: str) -> None:
    told = run("stats", "--store", database, "--metric", "talk_ratio", "--metric", "contained").stdout
    assert told.splitlines() == [
        "talk_ratio, 0-1    count   values     mean      p50      p95",
        "elevenlabs         1 few        0        -        -        -  turns without an end (1)",
        "retell             3 few        2    0.643    0.643    0.643  ██████████▎",
        "",
        "contained          count   values     mean      p50      p95",
        "elevenlabs         1 few        1     0.00        -        -",
        "retell             3 few        3     1.00        -        -  ████████████████",
        "",
        f"{database}: 4 conversations",
    ]
    estimated = run("stats", "--store", database, "--by", "", "--metric", "agent_interrupted").stdout
    assert estimated.splitlines()[1:4] == [
        "all                  4 few        3    ~1.00    ~1.00    ~1.00  ████████████████",
        "",
        "~ estimated, at least in part: an input was derived, or the value is a bound",
    ]


def test_what_nobody_has_is_only_shown_if_it_is_asked_for(database: str) -> None:
    usual = run("stats", "--store", database).stdout
    assert "talk_ratio, 0-1" in usual
    assert "reported_latency" not in usual
    assert "the provider does not tell" in run("stats", "--store", database, "--metric", "reported_latency").stdout
    everything = run("stats", "--store", database, "--metric", "all").stdout
    assert all(name in everything for name in METRICS if METRICS[name].kind != "percentile" and name[:4] != "cost")
    assert "cost_per_minute USD" in everything


def test_text_of_vendors_does_not_steer_the_terminal(database: str) -> None:
    told = run("stats", "--store", database, "--by", "agent", "--metric", "duration").stdout
    assert "\x1b" not in told
    assert "\\x1b[31mback" in told


def test_lines_are_as_wide_as_the_terminal(database: str) -> None:
    terminal = {"FORCE_COLOR": "1", "NO_COLOR": "1", "COLUMNS": "70", "TERM": "xterm"}
    told = run("stats", "--store", database, "--metric", "talk_ratio", environ=terminal).stdout
    assert max(len(re.sub("\x1b[^m]*m", "", line)) for line in told.splitlines()[:3]) == 70
    assert "…" in told
    assert "…" not in run("stats", "--store", database, "--metric", "talk_ratio", environ={"COLUMNS": "70"}).stdout


def test_columns_are_as_wide_as_their_numbers(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A metric of 200,000 conversations has millions of values, which stood against their number."""
    many = Figures(n=4_000_000, sum=8e12, min=2e6, max=2e6, histogram=Histogram(buckets={733: 4_000_000}))
    few = Figures(n=3, sum=3.0, min=1.0, max=1.0, histogram=Histogram(exact=[1.0] * 3))
    summaries = [
        Summary(group={"provider": name}, conversations=count, metrics={"response_latency": figures})
        for name, count, figures in (("retell", 1_200_000, many), ("vapi", 30, few))
    ]

    def stats(*_targets: object, **_filters: object) -> list[Summary]:
        return summaries

    monkeypatch.setattr(SQLiteReader, "stats", stats)
    told = run("stats", "--store", database, "--metric", "response_latency").stdout.splitlines()
    assert [line.rstrip("█").rstrip() for line in told[:3]] == [
        "response_latency, s      count     values       mean        p50        p95",
        "retell               1,200,000  4,000,000  2,000,000  2,000,000  2,000,000",
        "vapi                        30          3       1.00       1.00       1.00",
    ]


def test_bars_where_the_terminal_has_only_ascii(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import ConsoleOptions  # noqa: PLC0415

    monkeypatch.setattr(ConsoleOptions, "ascii_only", property(lambda _options: True))
    told = run("stats", "--store", database, "--metric", "talk_ratio").stdout
    assert "##########" in told
    assert told.isascii()


def test_one_conversation_with_where_its_values_come_from(database: str) -> None:
    result = run("stats", "--store", database, "--ref", "retell:c1")
    assert result.exit_code == 0, result.stderr
    lines = [line.split("  ") for line in result.stdout.splitlines()]
    assert [line[0] for line in lines] == list(METRICS)
    told = {line[0]: " ".join(part.strip() for part in line[1:] if part.strip()) for line in lines}
    assert told["talk_ratio"] == "0.643 0-1 measured"
    assert told["response_latency_p95"] == "4.00 s measured, of 3"
    assert told["contained"] == "yes reported"
    assert told["agent_turns"] == "4 counted"
    assert told["cost_per_minute"] == "0.180 USD/min reported"
    assert told["reported_latency_p50"] == "- the provider does not tell"
    other = run("stats", "--store", database, "--ref", "elevenlabs:c4", "--metric", "talk_ratio").stdout
    assert other.split() == ["talk_ratio", "-", "4", "of", "4", "turns", "without", "an", "end"]


def test_one_conversation_as_json(database: str) -> None:
    [told] = _documents("--store", database, "--ref", "elevenlabs:c4")
    assert (told["ref"], told["version"]) == ("elevenlabs:c4", VERSION)
    assert told["measures"] == msgspec.to_builtins(dict(measure(CONVERSATIONS[3])))
    [only] = _documents("--store", database, "--ref", "elevenlabs:c4", "--metric", "tool_latency")
    assert only["measures"] == {"tool_latency_p50": told["measures"]["tool_latency_p50"]}


async def test_an_empty_store_is_no_failure(tmp_path: Path) -> None:
    place = str(tmp_path / "c.db")
    await put(open_store(place))
    result = run("stats", "--store", place)
    assert (result.exit_code, result.stdout) == (0, f"{place}: no conversations to measure\n")
    as_json = run("stats", "--store", place, "--json")
    assert (as_json.exit_code, as_json.stdout) == (0, "")
    assert as_json.stderr == f"{place}: no conversations to measure\n"
    as_csv = run("stats", "--store", place, "--csv")
    assert (as_csv.exit_code, as_csv.stdout, as_csv.stderr) == (0, "", as_json.stderr)


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--metric", "charm"], 2, "no metric 'charm': choose from all, duration, "),
        (["--by", "colour"], 2, "cannot be grouped by 'colour': choose from provider, account, "),
        (["--timezone", "Mars/Base"], 2, "unknown time zone 'Mars/Base'"),
        (["--timezone", "../../etc/passwd"], 2, "unknown time zone"),
        (["nobody"], 2, "has no conversations of nobody"),
        (["--ref", "retell:c9"], 1, "no such conversation in the store"),
        (["--ref", "retell"], 2, "is not a ref"),
        (["--ref", "retell:c1", "retell"], 2, "--ref is one conversation"),
        (["--ref", "retell:c1", "--since", "1d"], 2, "--ref is one conversation"),
        (["--since", "1d", "--until", "2d"], 2, "is after until"),
    ],
)
def test_what_is_wrong_is_one_sentence(arguments: list[str], code: int, told: str, database: str) -> None:
    result = run("stats", "--store", database, *arguments)
    assert result.exit_code == code, result.output
    assert told in result.stderr
    assert "Traceback" not in result.stderr


def _lines(*arguments: str) -> list[dict[str, str]]:
    result = run("stats", "--csv", *arguments)
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("\ufeff")
    return list(csv.DictReader(io.StringIO(result.stdout.removeprefix("\ufeff"))))


def test_csv_says_what_json_says_under_the_same_names(store: str) -> None:
    lines = iter(_lines("--store", store, "--by", "provider,week"))
    for document in _documents("--store", store, "--by", "provider,week"):
        group, metrics = document.pop("group"), document.pop("metrics")
        for name, figures in metrics.items():
            expected = {**group, **document, "metric": name, **figures}
            assert next(lines) == {name: _cell(value) for name, value in expected.items()}
    assert list(lines) == []


def _cell(value: object) -> str:
    nested = json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else value
    return "" if nested is None else str(nested)


def test_csv_of_only_some_metrics_and_of_one_conversation(database: str) -> None:
    assert {line["metric"] for line in _lines("--store", database, "--metric", "duration")} == {"duration"}
    lines = _lines("--store", database, "--ref", "elevenlabs:c4")
    assert [line["metric"] for line in lines] == list(METRICS)
    ratio = next(line for line in lines if line["metric"] == "talk_ratio")
    assert (ratio["ref"], ratio["value"], ratio["reason"]) == ("elevenlabs:c4", "", "4 of 4 turns without an end")


async def test_csv_is_safe_for_spreadsheets(tmp_path: Path) -> None:
    place = str(tmp_path / "c.db")
    hostile = _named(BOOKING, "c1", agent=Agent(id="=cmd()"), analysis=Analysis(sentiment="\n=cmd()"))
    await put(open_store(place), hostile)
    [line] = _lines("--store", place, "--by", "agent", "--metric", "duration")
    assert line["agent"] == "'=cmd()"
    assert line["sentiments"] == '{"\\n=cmd()":1}'
