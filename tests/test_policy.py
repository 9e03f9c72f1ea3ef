"""Policies: the numbers of the profiles, how long is waited, and what a provider's Retry-After says."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from conversations_hub.errors import (
    AuthError,
    CircuitOpenError,
    ConfigurationError,
    DeadlineError,
    HubError,
    OutageError,
    PayloadError,
    RateLimitError,
    RejectedError,
    TransportError,
)
from conversations_hub.policy import PROFILES, Backoff, Profile, profile_named, retry_after

QUICK = Backoff(transient_base=0.25, cap=5.0, longest_retry_after=10.0)
ALMOST_ONE = 1 - 2**-53

# how long is waited


@pytest.mark.parametrize(
    ("retry", "transient", "throttle"),
    [(0, 0.25, 1.0), (1, 0.5, 2.0), (2, 1.0, 4.0), (3, 2.0, 5.0), (4, 4.0, 5.0), (5, 5.0, 5.0), (10**9, 5.0, 5.0)],
)
def test_the_ceiling_doubles_up_to_the_cap(retry: int, transient: float, throttle: float) -> None:
    for error, ceiling in ((TransportError("cut"), transient), (RateLimitError("slow"), throttle)):
        assert QUICK.delay(error, retry, 0.0) == 0.0
        assert QUICK.delay(error, retry, 0.5) == ceiling / 2
        assert QUICK.delay(error, retry, ALMOST_ONE) == pytest.approx(ceiling)


@pytest.mark.parametrize(("retry", "ceiling"), [(0, 0.25), (3, 2.0), (5000, 5.0)])
def test_full_jitter_spreads_evenly_below_the_ceiling(retry: int, ceiling: float) -> None:
    roll = random.Random(1).random  # noqa: S311  (waits are no secret)
    waits = [QUICK.delay(OutageError("down"), retry, roll()) or 0.0 for _ in range(10_000)]
    assert 0 <= min(waits) <= max(waits) <= ceiling
    assert sum(waits) / len(waits) == pytest.approx(ceiling / 2, rel=0.03)


@pytest.mark.parametrize(
    ("asked", "roll", "wait"),
    [
        (2.0, 0.0, 2.0),
        (2.0, 0.5, 2.1),
        (10.0, 0.5, 10.5),
        (10.0, ALMOST_ONE, 11.0),
        (0.0, 0.5, 0.125),
        (0.1, 0.8, 0.208),
        (10.001, 0.0, None),
        (3600.0, 0.5, None),
    ],
)
def test_what_the_provider_asked_for_is_a_floor(asked: float, roll: float, wait: float | None) -> None:
    found = QUICK.delay(OutageError("down", retry_after=asked), 0, roll)
    assert found == (None if wait is None else pytest.approx(wait))


def test_bulk_waits_for_ten_minutes_and_not_for_an_hour() -> None:
    backoff = PROFILES["bulk"].backoff
    assert backoff.delay(RateLimitError("slow", retry_after=600.0), 0, 0.5) == 600.5
    assert backoff.delay(RateLimitError("slow", retry_after=3600.0), 0, 0.0) is None


@pytest.mark.parametrize(
    ("error", "tried_again"),
    [
        (TransportError("cut"), True),
        (TransportError("certificate", retryable=False), False),
        (DeadlineError("late"), False),
        (AuthError("no", status=401), False),
        (RejectedError("no", status=400), False),
        (RejectedError("no", status=408), True),
        (RateLimitError("slow", status=429), True),
        (OutageError("down", status=503), True),
        (OutageError("down", status=501), False),
        (OutageError("down", status=503, retryable=False), False),
        (CircuitOpenError("down"), True),
        (PayloadError("no id"), False),
        (PayloadError("cut", retryable=True), True),
        (HubError("no"), False),
    ],
    ids=str,
)
def test_only_what_may_pass_is_tried_again(error: HubError, tried_again: bool) -> None:  # noqa: FBT001
    assert (QUICK.delay(error, 0, 0.5) is not None) is tried_again


# the profiles


def test_the_profiles_hold_their_numbers() -> None:
    assert set(PROFILES) == {"interactive", "bulk"}
    assert PROFILES["interactive"] == Profile(
        attempts=3,
        deadline=30.0,
        attempt_timeout=10.0,
        connect_timeout=3.0,
        in_flight=64,
        largest_body=33_554_432,
        backoff=Backoff(transient_base=0.25, throttle_base=1.0, cap=5.0, longest_retry_after=10.0),
    )
    assert PROFILES["bulk"] == Profile(
        attempts=6,
        deadline=300.0,
        attempt_timeout=60.0,
        connect_timeout=5.0,
        in_flight=64,
        largest_body=67_108_864,
        backoff=Backoff(transient_base=0.5, throttle_base=1.0, cap=20.0, longest_retry_after=900.0),
    )


def test_a_profile_is_found_by_name_or_is_itself() -> None:
    assert profile_named("bulk") is PROFILES["bulk"]
    assert profile_named(PROFILES["bulk"]) is PROFILES["bulk"]
    with pytest.raises(ConfigurationError, match="unknown profile 'fast'; there are: interactive, bulk"):
        profile_named("fast")


# Retry-After

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)
DATE = "Sun, 06 Nov 1994 08:49:30 GMT"


@pytest.mark.parametrize(
    ("value", "wait"),
    [
        ("0", 0.0),
        ("2", 2.0),
        (" 120 ", 120.0),
        ("9999999999", 9_999_999_999.0),
        *((garbage, None) for garbage in ("", "soon", "-5", "1.5", "1e3", "12, 13", "12abc")),
        *(
            (garbage, None)
            for garbage in ("+5", "0x5", "1_0", "\u00b2", "\u0665", "\uff15", "nan", "NaN", "inf", "Infinity", "Mon")
        ),
        *((garbage, None) for garbage in ("Sun, 06 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT", "Mon" * 10_000)),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_seconds_are_read_and_garbage_is_as_if_absent(value: str, wait: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == wait


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("10000000000", 1e10),
        ("99999999999999999999", 1e10),
        ("9" * 5000, 1e10),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 252_618_189_059.0),
    ],
    ids=["11 digits", "20 digits", "5000 digits", "date"],
)
def test_too_long_is_not_absent(value: str, asked: float) -> None:
    assert retry_after({"retry-after": value}, NOW) == asked
    for profile in PROFILES.values():
        assert profile.backoff.delay(RateLimitError("slow", retry_after=asked), 0, 0.5) is None


@pytest.mark.parametrize(
    "value", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
@pytest.mark.parametrize(
    ("date", "wait"),
    [
        ({"date": DATE}, 7.0),
        ({"date": "Sunday, 06-Nov-94 08:49:30 GMT"}, 7.0),
        ({"date": "Sun, 06 Nov 1994 09:49:30 GMT"}, 0.0),
        ({"date": "garbage"}, 37.0),
        ({}, 37.0),
    ],
)
def test_a_date_is_measured_from_the_answers_own(value: str, date: dict[str, str], wait: float) -> None:
    assert retry_after({"retry-after": value, **date}, NOW) == wait


def test_who_does_not_say_asks_for_nothing() -> None:
    assert retry_after({"date": DATE}, NOW) is None
