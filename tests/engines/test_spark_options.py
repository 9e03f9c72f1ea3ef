"""What Spark asks for, without Spark: options, filters, and the steps of a stream."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from conversations_hub.engines import COLUMNS, Partition
from conversations_hub.engines.spark import SCHEMA, Conversations
from conversations_hub.errors import ConfigurationError, InvalidRefError

SPAN = {"since": "2026-11-01", "until": "2026-11-21"}


@pytest.fixture(autouse=True)
def _accounts(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for provider in ("VAPI", "BLAND", "TAVUS", "RETELL"):
        monkeypatch.setenv(f"{provider}_API_KEY", "key")


def filtered(kind: str, column: str, value: object = None) -> Any:
    """Return a filter as Spark describes it."""
    return type(kind, (SimpleNamespace,), {})(attribute=(column,), value=value)


def asked(*filters: Any, **options: str) -> list[Partition]:
    reader = Conversations(SPAN | options).reader(None)
    for _ in range(2):  # Spark may tell its filters more than once
        assert [*reader.pushFilters(filters)] == [*filters]
    return [each.value for each in reader.partitions()]


def test_the_columns_are_those_of_a_row() -> None:
    assert tuple(column.split()[0] for column in SCHEMA.split(", ")) == COLUMNS
    assert Conversations({}).schema() == SCHEMA
    assert Conversations.name() == "conversations"


def test_without_filters_all_is_read() -> None:
    assert {one.where for one in asked()} == {"vapi/default", "bland/default", "tavus/default", "retell/default"}
    assert {one.where for one in asked(targets="vapi, tavus/default")} == {"vapi/default", "tavus/default"}
    assert len(asked(targets="vapi", step="1d")) == 20


@pytest.mark.parametrize(
    ("filters", "wheres"),
    [
        ([filtered("EqualTo", "provider", "vapi")], {"vapi/default"}),
        ([filtered("In", "provider", ("vapi", "bland"))], {"vapi/default", "bland/default"}),
        ([filtered("In", "provider", ("vapi", "bland")), filtered("EqualTo", "provider", "vapi")], {"vapi/default"}),
        ([filtered("EqualTo", "account", "eu")], set[str]()),
        (
            [filtered("GreaterThan", "provider", "tavus"), filtered("IsNotNull", "provider")],
            {"vapi/default", "bland/default", "tavus/default", "retell/default"},
        ),
    ],
)
def test_filters_leave_out_accounts(filters: list[Any], wheres: set[str]) -> None:
    assert {one.where for one in asked(*filters)} == wheres


@pytest.mark.parametrize(
    ("kind", "first", "last"),
    [
        ("GreaterThanOrEqual", "2026-11-10T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("GreaterThan", "2026-11-10T00:00:00Z", "2026-11-21T00:00:00Z"),
        ("LessThan", "2026-11-01T00:00:00Z", "2026-11-10T00:00:00.000001Z"),
        ("LessThanOrEqual", "2026-11-01T00:00:00Z", "2026-11-10T00:00:00.000001Z"),
        ("EqualTo", "2026-11-10T00:00:00Z", "2026-11-10T00:00:00.000001Z"),
        ("Not", "2026-11-01T00:00:00Z", "2026-11-21T00:00:00Z"),
    ],
)
def test_bounds_of_created_at_narrow_the_span(kind: str, first: str, last: str) -> None:
    found = asked(filtered(kind, "created_at", datetime(2026, 11, 10, tzinfo=UTC)), targets="vapi")
    assert (found[0].since, found[-1].until) == (first, last)


def test_a_span_without_an_instant_asks_nobody() -> None:
    assert asked(filtered("GreaterThan", "created_at", datetime(2027, 1, 1, tzinfo=UTC))) == []


def test_a_stream_reads_what_has_settled_and_once_more_what_is_older() -> None:
    stream = Conversations({"since": "2026-11-01T00:00Z", "targets": "vapi", "settle": "2h"}).streamReader(None)
    start = stream.initialOffset()
    end = stream.offset_at(start, datetime(2026, 11, 1, 6, tzinfo=UTC))
    assert [(one.value.since, one.value.until) for one in stream.partitions(start, end)] == [
        ("2026-11-01T00:00:00Z", "2026-11-01T04:00:00Z"),  # nothing is read from before the stream's beginning
    ]
    later = stream.offset_at(end, datetime(2026, 11, 2, 6, tzinfo=UTC))
    assert [(one.value.since, one.value.until) for one in stream.partitions(end, later)] == [
        ("2026-11-01T03:45:00Z", "2026-11-02T04:00:00Z"),
        ("2026-11-01T00:00:00Z", "2026-11-01T04:00:00Z"),
    ]
    assert stream.offset_at(end, datetime(2026, 11, 1, 5, tzinfo=UTC)) == end  # the clock went back
    assert stream.partitions(end, end) == []


def test_what_a_time_filter_leaves_out_is_read_once_in_each_step() -> None:
    stream = Conversations({"targets": "retell", "reread": "24h,7d"}).streamReader(None)
    start = {"until": "2026-11-01T00:00:00+00:00"}
    found = [one.value for one in stream.partitions(start, {"until": "2026-11-01T01:00:00+00:00"})]
    assert [one.rest for one in found] == [True, False, False, False]


def test_a_stream_without_a_beginning_begins_with_what_settles_now() -> None:
    began = datetime.now(UTC)
    offset = datetime.fromisoformat(Conversations({}).streamReader(None).initialOffset()["until"])
    assert timedelta(0) <= offset - (began - timedelta(hours=1)) < timedelta(minutes=5)


@pytest.mark.parametrize(
    "options", [{"sinze": "90d"}, {"since": "yesterday"}, {"step": "7"}, {"on_bad": "ignore"}, {"reread": "1 day"}]
)
def test_a_mistaken_option_is_refused(options: dict[str, str]) -> None:
    with pytest.raises(InvalidRefError):
        Conversations(options).reader(None)


def test_options_are_found_in_any_case_and_hold_no_password() -> None:
    assert (
        len(Conversations({"TARGETS": "vapi", "Since": "2026-11-01", "until": "2026-11-02"}).reader(None).partitions())
        == 1
    )
    with pytest.raises(ConfigurationError, match="no password"):
        Conversations({"limiter": "redis://:secret@localhost"}).reader(None)
