"""Policies: the numbers of the profiles, how long is waited, and what a provider's headers say."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict, CIMultiDictProxy

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
from conversations_hub.policy import PROFILES, Backoff, Profile, Quota, quota, retry_after, sent_at
from conversations_hub.policy._profile import profile_named

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
def test_f025_full_jitter_spreads_evenly_below_the_ceiling(retry: int, ceiling: float) -> None:
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
def test_f026_what_the_provider_asked_for_is_a_floor(asked: float, roll: float, wait: float | None) -> None:
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
        parks=True,
    )


def test_a_profile_is_found_by_name_or_is_itself() -> None:
    assert profile_named("bulk") is PROFILES["bulk"]
    assert profile_named(PROFILES["bulk"]) is PROFILES["bulk"]
    with pytest.raises(ConfigurationError, match="unknown profile 'fast': choose from interactive, bulk"):
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
def test_f029_seconds_are_read_and_garbage_is_as_if_absent(value: str, wait: float | None) -> None:
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
def test_f029_too_long_is_not_absent(value: str, asked: float) -> None:
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
def test_f028_a_date_is_measured_from_the_answers_own(value: str, date: dict[str, str], wait: float) -> None:
    assert retry_after({"retry-after": value, **date}, NOW) == wait


def test_who_does_not_say_asks_for_nothing() -> None:
    assert retry_after({"date": DATE}, NOW) is None


# RateLimit


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"ratelimit": '"default";r=0;t=7'}, Quota(0, 7.0)),
        ({"ratelimit": '"default"; t=7; r=50; pk=:c2VjcmV0:'}, Quota(50, 7.0)),
        ({"ratelimit": '"default";r=0', "ratelimit-policy": '"default";q=100;w=60'}, Quota(0, 60.0)),
        ({"ratelimit": '"default";r=0;t=7', "ratelimit-policy": '"default";q=100;w=60'}, Quota(0, 7.0)),
        ({"ratelimit": '"day";r=900;t=3600, "burst";r=0;t=1'}, Quota(0, 1.0)),
        ({"ratelimit": '"burst";r=0;t=1, "day";r=0;t=3600'}, Quota(0, 3600.0)),
        ({"ratelimit": '"default";r=0;t=7', "x-ratelimit-remaining": "5", "x-ratelimit-reset": "9"}, Quota(0, 7.0)),
        ({"ratelimit": "nonsense", "x-ratelimit-remaining": "5", "x-ratelimit-reset": "9"}, Quota(5, 9.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7", "x-ratelimit-limit": "100"}, Quota(0, 7.0)),
        ({"x-ratelimit-remaining": " 0 ", "x-ratelimit-reset": " 7", "x-ratelimit-limit": "9, 9;w=1"}, Quota(0, 7.0)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "2678400"}, Quota(0, 2_678_400.0)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "7", "ratelimit-limit": "100"}, Quota(0, 7.0)),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "7", "ratelimit-limit": "9, 9;w=1"}, Quota(0, 7.0)),
        ({"ratelimit": "nonsense", "ratelimit-remaining": "5", "ratelimit-reset": "9"}, Quota(5, 9.0)),
        ({"x-ratelimit-remaining": "soon", "ratelimit-remaining": "5", "ratelimit-reset": "9"}, Quota(5, 9.0)),
    ],
)
def test_f044_what_is_left_is_read(headers: Mapping[str, str], left: Quota) -> None:
    assert quota(headers, NOW) == left


@pytest.mark.parametrize(
    ("reset", "date", "resets_in"),
    [
        ("784111777", {"date": DATE}, 7.0),
        ("784111777", {}, 37.0),
        ("784111777", {"date": "garbage"}, 37.0),
        ("784111769", {"date": DATE}, 0.0),
        ("784198170", {"date": DATE}, 86_400.0),
        ("784198171", {"date": DATE}, None),
        ("784025370", {"date": DATE}, 0.0),
        ("784025369", {"date": DATE}, None),
        ("4102444800", {"date": DATE}, None),
        ("784111777000", {"date": DATE}, None),
        ("2678401", {"date": DATE}, None),
    ],
)
def test_f044_an_instant_is_taken_within_a_day_of_the_answers_date(
    reset: str, date: dict[str, str], resets_in: float | None
) -> None:
    found = quota({"x-ratelimit-remaining": "0", "x-ratelimit-reset": reset, **date}, NOW)
    assert found == (None if resets_in is None else Quota(0, resets_in))


@pytest.mark.parametrize("value", ["0", "3", "9" * 20, "Sun, 06 Nov 1994 08:49:37 GMT"])
def test_f044_retry_after_goes_before_what_is_left(value: str) -> None:
    limits = {"ratelimit": '"default";r=0;t=7', "x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}
    assert quota({**limits, "retry-after": value}, NOW) is None
    assert quota({**limits, "retry-after": "soon"}, NOW) == Quota(0, 7.0)


@pytest.mark.parametrize(
    "value",
    [
        *('"default";r=-1;t=7', '"default";r=abc;t=7', '"default";r=0;t=-7', '"default";r=0;t=1.5', '"default";r=;t=7'),
        *('"default";r=+0;t=7', '"default";r=0;t=12345678901', '"default";r=\u0660;t=7', '"default";r=0;t=\u00b2'),
        *('"default";t=7', '"default";r=0', '"default";r', '"default"', '"', '""', "", ",", ";", "default;r=0;t=7"),
        *('"a";r=0;t=7, "a";r=0;t=7', '"a";r=0;r=1;t=7', '"a";r=0;t=7,', '"a";r=0;t=7, "b";r=-1;t=7', 'a";r=0;t=7'),
        *(f'"{"a" * 10_240}";r=0;t=7', f'"a";r=0;t={"7" * 10_240}', "limit=10, remaining=0, reset=7", "0"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_f045_a_malformed_limit_is_ignored_whole(value: str) -> None:
    assert quota({"ratelimit": value}, NOW) is None


@pytest.mark.parametrize(
    "policy",
    [
        *('"default";q=100', '"default";w=-60', '"default";w=60, "default";w=60', '"other";w=60', "default;w=60"),
        *('"default";w=60;w=61', "", '"default";w=12345678901'),
    ],
)
def test_f045_a_doubtful_policy_says_nothing_of_the_reset(policy: str) -> None:
    assert quota({"ratelimit": '"default";r=0', "ratelimit-policy": policy}, NOW) is None
    assert quota({"ratelimit": '"default";r=0;t=7', "ratelimit-policy": policy}, NOW) == Quota(0, 7.0)


@pytest.mark.parametrize(
    ("remaining", "reset"),
    [
        *(("-1", "7"), ("abc", "7"), ("0.0", "7"), ("1e3", "7"), ("", "7"), ("0, 0", "7"), ("9" * 10_240, "7")),
        *(("0", "-7"), ("0", "soon"), ("0", "6m0s"), ("0", ""), ("0", "7, 7"), ("0", "9" * 5000), ("\u0660", "7")),
        *(("0", "nan"), ("0", "inf"), ("0", "+7"), ("0", "1_0"), ("0", DATE)),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_f045_malformed_numbers_are_ignored_whole(remaining: str, reset: str) -> None:
    assert quota({"x-ratelimit-remaining": remaining, "x-ratelimit-reset": reset}, NOW) is None


def test_what_is_left_is_not_known_without_its_reset() -> None:
    assert quota({"x-ratelimit-remaining": "0"}, NOW) is None
    assert quota({"x-ratelimit-reset": "7"}, NOW) is None
    assert quota({"ratelimit-policy": '"default";q=100;w=60'}, NOW) is None
    assert quota({}, NOW) is None


def sent(*headers: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(headers))


LATER = "Sun, 06 Nov 1994 08:49:37 GMT"


@pytest.mark.parametrize("values", [("1", "6"), ("1", LATER), (LATER, "Sun, 06 Nov 1994 08:49:57 GMT")])
def test_f029_a_wait_sent_twice_is_as_if_absent_whichever_stands_first(values: tuple[str, str]) -> None:
    for first, second in (values, values[::-1]):
        assert retry_after(sent(("Retry-After", first), ("retry-after", second)), NOW) is None
    assert retry_after(sent(("Retry-After", values[0])), NOW) is not None


def test_f028_a_date_sent_twice_tells_no_time() -> None:
    for dates in ((DATE, LATER), (LATER, DATE)):
        headers = sent(*(("Date", date) for date in dates), ("Retry-After", LATER))
        assert sent_at(headers) is None
        assert retry_after(headers, NOW) == 37.0
    assert sent_at(sent(("Date", DATE))) == datetime(1994, 11, 6, 8, 49, 30, tzinfo=UTC)


def test_f045_a_header_sent_twice_is_read_as_one_line() -> None:
    once = [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", "7")]
    assert quota(sent(*once), NOW) == Quota(0, 7.0)
    assert quota(sent(*once, ("x-ratelimit-remaining", "0")), NOW) is None
    assert quota(sent(*once, ("x-ratelimit-reset", "8")), NOW) is None
    assert quota(sent(("RateLimit", '"a";r=3;t=7'), ("RateLimit", '"b";r=0;t=9')), NOW) == Quota(0, 9.0)
    assert quota(sent(("RateLimit", '"a";r=3;t=7'), ("RateLimit", '"a";r=0;t=9')), NOW) is None


PIECES = st.lists(
    st.sampled_from([*'",;=-+/: ', "r=", "t=", "w=", '"a"', "0", "7", "784111777", "99999999999", "\u0665", "\ud800"])
    | st.sampled_from(["Sun, ", "06 Nov 1994 ", "31 Dec 9999 ", "01 Jan 0001 ", "23:59:59 ", "GMT", "-2359", "+9999"])
    | st.text(max_size=5)
).map("".join)
NAMES = ["ratelimit", "ratelimit-policy", "x-ratelimit-remaining", "x-ratelimit-reset", "retry-after", "date"]


@given(headers=st.dictionaries(st.sampled_from(NAMES), PIECES | st.sampled_from(['"a";r=0;t=7', "0", "7"])))
@example(headers={"ratelimit": '"a";r=0;t=7'})
@example(headers={"retry-after": "Sun, 06 Nov 1994 08:49:37 +9999", "date": "Fri, 31 Dec 9999 23:59:59 -2359"})
def test_no_header_does_harm(headers: dict[str, str]) -> None:
    left, wait = quota(headers, NOW), retry_after(headers, NOW)
    assert left is None or (wait is None and left.remaining >= 0 and 0.0 <= left.resets_in < 1e10)
    assert wait is None or 0.0 <= wait <= 1e12
