"""Partitions: values without keys that cover a span exactly."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.adapters import BUILTIN, load
from conversations_hub.engines import Partition, Source, plan
from conversations_hub.errors import ConfigurationError, InvalidRefError, UnknownAccountError

KEY = "hub-test-key-of-these-partitions"
SINCE = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _accounts(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for provider in BUILTIN:
        monkeypatch.setenv(f"{provider.upper()}_API_KEY", KEY)
    monkeypatch.setenv("ANYREACH_ORG_ID", "o1")
    monkeypatch.setenv("CHATWOOT_ACCOUNT_ID", "1")


@given(
    minutes=st.integers(0, 60 * 24 * 40),
    step=st.integers(7, 60 * 24 * 50).map(lambda minutes: timedelta(minutes=minutes)),
)
def test_the_windows_of_an_account_cover_the_span_exactly(minutes: int, step: timedelta) -> None:
    until = SINCE + timedelta(minutes=minutes)
    found = [one.window for one in plan(Source(targets=("vapi",)), SINCE, until, step)]
    assert all(window.since is not None and window.until - window.since <= step for window in found)
    assert all(first.until == second.since for first, second in pairwise(found))
    if minutes:
        assert found[0].since == SINCE
        assert found[-1].until == until
    else:
        assert found == []


def test_accounts_take_turns() -> None:
    found = plan(Source(targets=("vapi", "bland", "tavus")), SINCE, UNTIL)
    assert [one.where.partition("/")[0] for one in found] == [
        "vapi",
        "bland",
        "tavus",
        "vapi",
        "bland",
        "vapi",
        "bland",
    ]


def test_an_account_without_a_time_filter_is_one_partition() -> None:
    found = plan(Source(), SINCE, UNTIL)
    for provider in BUILTIN:
        of_it = [one for one in found if one.where == f"{provider}/default"]
        if load(provider).narrows_by_time:
            assert len([one for one in of_it if one.narrowed]) == 3
        else:
            assert [(one.narrowed, one.rest) for one in of_it] == [(False, False)]


def test_what_a_time_filter_leaves_out_is_a_partition_of_its_own() -> None:
    rest, *windows = plan(Source(targets=("retell",)), SINCE, UNTIL)  # first, or a call that connects now is in neither
    assert all(one.narrowed and not one.rest for one in windows)
    assert (rest.narrowed, rest.rest, rest.window.since, rest.window.until) == (False, True, SINCE, UNTIL)


def test_everything_is_one_partition_that_is_not_narrowed() -> None:
    for found in (
        plan(Source(targets=("retell",)), None, UNTIL),
        plan(Source(targets=("retell",)), SINCE, UNTIL, None),
    ):
        assert [(one.narrowed, one.rest) for one in found] == [(False, False)]


def test_the_rate_of_an_account_sets_its_windows() -> None:
    source = Source(targets=("vapi", "bland"))
    found = plan(source, SINCE, SINCE + timedelta(days=4), rate={"vapi/default": 1000.0, "bland/default": 0.0})
    assert [one.where for one in found] == ["vapi/default", "bland/default", "vapi/default"]


def test_a_partition_is_pickled_and_written_as_json_without_a_key() -> None:
    found = plan(Source(), SINCE, UNTIL)
    pickled, written = pickle.dumps(found), json.dumps([asdict(one) for one in found])
    assert pickle.loads(pickled) == found  # noqa: S301  (our own)
    assert msgspec.json.decode(written, type=list[Partition]) == found
    assert KEY.encode() not in pickled
    assert KEY not in written + repr(found)
    assert len(pickle.dumps(found[0])) < 300


@pytest.mark.parametrize(
    ("source", "since", "step"),
    [
        (Source(targets=("vapi:chats",)), SINCE, timedelta(days=1)),
        (Source(), SINCE.replace(tzinfo=None), timedelta(days=1)),
        (Source(), UNTIL + timedelta(days=1), timedelta(days=1)),
        (Source(), SINCE, timedelta(0)),
    ],
)
def test_what_cannot_be_planned_is_refused(source: Source, since: datetime, step: timedelta) -> None:
    with pytest.raises(InvalidRefError):
        plan(source, since, UNTIL, step)


def test_accounts_that_are_not_there_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownAccountError):
        plan(Source(targets=("vapi/eu",)), SINCE, UNTIL)
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        plan(Source(accounts="nowhere.toml"), SINCE, UNTIL)
