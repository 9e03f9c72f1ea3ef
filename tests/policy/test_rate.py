"""The rate limit: what it allows, measured on a simulated provider in virtual time."""

from __future__ import annotations

import heapq
import itertools
import math
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.policy import quota, retry_after
from conversations_hub.policy._rate import RateLimit

# a provider in virtual time


class Answer(NamedTuple):
    sent: float
    at: float
    ok: bool


class Bucket:
    """A provider that allows so much per second, and a second's worth (or `burst`) at once."""

    def __init__(self, allowed: Callable[[float], float], burst: float | None = None) -> None:
        self._allowed = allowed
        self._burst = burst
        self._tokens = burst or allowed(0.0)
        self._at = 0.0

    def allows(self, now: float) -> bool:
        rate = self._allowed(now)
        self._tokens = min(self._burst or rate, self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Window:
    """A provider that allows so many requests in each second of its clock."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._second = -1
        self._count = 0

    def allows(self, now: float) -> bool:
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        self._count += 1
        return self._count <= self._allowed


def simulated(
    limit: RateLimit,
    server: Bucket | Window,
    *,
    begin: float = 0.0,
    until: float,
    workers: int = 32,
    travel: float = 0.1,
    late: float = 0.0,
) -> list[Answer]:
    """Let workers ask as fast as the limit lets them; sleeps may end up to so much too late."""
    roll = random.Random(1).random  # noqa: S311  (a late wake-up is no secret)
    order = itertools.count()
    due: list[tuple[float, int, Answer | None]] = [(begin, next(order), None) for _ in range(workers)]
    answers: list[Answer] = []
    while due[0][0] < until:
        now, _, answer = heapq.heappop(due)
        if answer is not None:
            answers.append(answer)
            (limit.succeeded if answer.ok else limit.throttled)(now)
        wait = limit.wait(now)
        if wait:
            heapq.heappush(due, (now + wait + late * roll(), next(order), None))
        else:
            limit.take(now)
            coming = Answer(now, now + travel, server.allows(now))
            heapq.heappush(due, (coming.at, next(order), coming))
    return answers


def throughput(answers: list[Answer], begin: float, end: float) -> float:
    return sum(answer.ok for answer in answers if begin <= answer.at < end) / (end - begin)


def refused(answers: list[Answer], begin: float, end: float) -> float:
    between = [answer.ok for answer in answers if begin <= answer.at < end]
    return between.count(False) / len(between)


class Blind(RateLimit):
    """A limit that learns nothing."""

    def throttled(self, now: float) -> None:
        pass


def ten(_: float) -> float:
    return 10.0


def drop(now: float) -> float:
    return 2.0 if 30.0 <= now < 60.0 else 50.0


# a limit nobody documented


@pytest.mark.parametrize("workers", [8, 64])
@pytest.mark.parametrize("travel", [0.02, 0.1, 0.3])
@pytest.mark.parametrize(
    "server",
    [lambda: Bucket(ten), lambda: Bucket(ten, 5.0), lambda: Window(10)],
    ids=["burst of 10", "burst of 5", "window"],
)
def test_f042_an_undocumented_limit_is_found_and_used(
    server: Callable[[], Bucket | Window], travel: float, workers: int
) -> None:
    answers = simulated(RateLimit(), server(), until=70.0, workers=workers, travel=travel)
    assert throughput(answers, 10.0, 70.0) >= 8.0
    assert refused(answers, 10.0, 70.0) <= 0.05


def test_f042_who_does_not_adapt_is_refused_most_of_the_time() -> None:
    assert refused(simulated(Blind(), Bucket(ten), until=30.0), 10.0, 30.0) > 0.9


@pytest.mark.parametrize("travel", [0.02, 0.1, 0.3])
def test_f043_a_falling_limit_is_followed_and_so_is_its_return(travel: float) -> None:
    answers = simulated(RateLimit(), Bucket(drop), until=120.0, workers=64, travel=travel)
    assert throughput(answers, 20.0, 30.0) >= 40.0
    low = [answer for answer in answers if 35.0 <= answer.sent < 60.0]
    assert len(low) <= 1.25 * 2.0 * 25.0
    assert throughput(low, 35.0, 60.0) >= 1.6
    assert throughput(answers, 80.0, 120.0) >= 40.0


def test_the_way_back_from_next_to_nothing_is_short() -> None:
    limit = RateLimit()
    limit.succeeded(-2.0)
    limit.succeeded(-1.0)
    limit.throttled(0.0)
    assert 0.5 <= limit.rate < 0.7
    answers = simulated(limit, Bucket(lambda _: 1000.0), until=60.0, workers=64)
    assert throughput(answers, 10.0, 12.0) >= 10.0
    assert throughput(answers, 25.0, 27.0) >= 100.0


def test_a_throttle_before_anything_got_through_cuts_nothing() -> None:
    limit = RateLimit()
    for _ in range(100):
        limit.throttled(0.0)
    assert limit.rate == math.inf


# a limit that is documented


@pytest.mark.parametrize("late", [0.0, 0.005, 0.015])
@pytest.mark.parametrize("documented", [0.5, 2.0, 10.0, 33.0, 200.0])
def test_97_percent_of_a_known_limit_are_used_and_none_refused(documented: float, late: float) -> None:
    server = Bucket(lambda _: documented, max(2.0, documented / 2))
    answers = simulated(RateLimit(documented), server, until=60.0, workers=64, late=late)
    assert all(answer.ok for answer in answers)
    assert throughput(answers, 10.0, 60.0) >= 0.97 * documented


@pytest.mark.parametrize("documented", [1, 5, 10, 50])
def test_no_second_holds_more_than_is_documented(documented: int) -> None:
    answers = simulated(RateLimit(documented), Bucket(ten, 1e9), until=20.0, late=0.015)
    sent = [answer.sent for answer in answers]
    assert max(sum(begin <= at < begin + 1.0 for at in sent) for begin in sent) == documented


def test_a_documented_limit_that_is_too_high_is_found_out() -> None:
    answers = simulated(RateLimit(50.0), Bucket(ten), until=70.0)
    assert throughput(answers, 10.0, 70.0) >= 8.0
    assert refused(answers, 10.0, 70.0) <= 0.05


def test_the_rate_never_climbs_above_the_documented_one() -> None:
    limit = RateLimit(20.0)
    assert limit.rate == 19.6
    simulated(limit, Bucket(lambda _: 20.0), until=5.0)
    limit.throttled(5.0)
    assert limit.rate < 15.0
    simulated(limit, Bucket(lambda _: 1000.0), begin=5.0, until=60.0)
    assert limit.rate == 19.6


# what a throttle does


def at_ten_a_second() -> RateLimit:
    limit = RateLimit()
    for tenth in range(50):
        limit.take(tenth / 10)
        limit.succeeded(tenth / 10)
    return limit


def test_a_throttle_cuts_to_seven_tenths_of_the_measured_rate() -> None:
    limit = at_ten_a_second()
    assert limit.rate == math.inf
    limit.throttled(5.0)
    assert limit.rate == pytest.approx(7.0, rel=0.05)


def climbed(limit: RateLimit, since: float, seconds: int, per_second: int) -> list[float]:
    """Let so many requests through, more than the rate allows, and return the rate after each."""
    rates: list[float] = []
    for number in range(seconds * per_second + 1):
        limit.succeeded(since + number / per_second)
        rates.append(limit.rate)
    return rates


@pytest.mark.parametrize(("cuts", "growth"), [(1, 0.4), (2, 0.005)])
def test_the_climb_is_slow_around_what_was_too_fast_and_quick_beyond(cuts: int, growth: float) -> None:
    limit = at_ten_a_second()
    limit.throttled(5.0)
    if cuts > 1:
        climbed(limit, 5.0, 5, 20)
        limit.take(10.0)
        limit.throttled(10.0)
    rates = climbed(limit, 5.0 * cuts, 30, 40)
    too_fast = rates[0] / 0.7
    plateau = round(40 * math.cbrt(0.3 * too_fast / growth))
    assert rates == sorted(rates)
    assert rates[plateau // 2] / too_fast == pytest.approx(1 - 0.3 / 8, rel=0.01)
    assert rates[plateau] / too_fast == pytest.approx(1.0, rel=0.01)
    assert rates[2 * plateau] / too_fast == pytest.approx(1.3, rel=0.01)


@pytest.mark.parametrize(("through", "rate"), [(1, math.inf), (2, 1.4), (11, 14.0)])
def test_a_burst_is_measured_before_its_half_second_is_over(through: int, rate: float) -> None:
    limit = RateLimit()
    for _ in range(through):
        limit.take(0.0)
        limit.succeeded(0.1)
    limit.throttled(0.1)
    assert limit.rate == pytest.approx(rate)


def test_a_round_of_throttles_cuts_once() -> None:
    limit = at_ten_a_second()
    limit.throttled(5.0)
    cut = limit.rate
    for hundredth in range(49):  # while those that were on their way come back
        limit.throttled(5.0 + hundredth / 100)
        limit.take(5.0 + hundredth / 100)
    assert limit.rate == cut
    limit.throttled(5.6)
    assert 0.5 <= limit.rate < cut


def test_a_round_lasts_until_a_request_has_gone_at_the_new_rate() -> None:
    limit = at_ten_a_second()
    limit.throttled(5.0)
    limit.pause(9.0)
    cut = limit.rate
    for late in (5.6, 6.5, 8.9):
        limit.throttled(late)
    assert limit.rate == cut
    limit.take(9.0)
    limit.throttled(9.1)
    assert limit.rate < cut


@pytest.mark.parametrize("documented", [None, 10.0])
def test_the_rate_never_falls_below_one_request_in_two_seconds(documented: float | None) -> None:
    limit = RateLimit(documented)
    for second in range(100):
        limit.take(float(second))
        limit.succeeded(second + 0.25)
        limit.throttled(second + 0.5)
    assert limit.rate == 0.5
    limit.take(200.0)
    assert limit.wait(200.0) == pytest.approx(1.98)  # 2 s, less what a late request may make up for


def test_a_documented_limit_below_the_slowest_rate_stands() -> None:
    limit = RateLimit(0.1)
    limit.throttled(0.0)
    assert limit.rate == pytest.approx(0.098)


def test_who_asks_little_gets_back_to_the_rate_before_the_cut_and_no_further() -> None:
    limit = at_ten_a_second()
    limit.throttled(5.0)
    for second in range(10, 100):
        limit.take(float(second))
        limit.succeeded(float(second))
    assert limit.rate == pytest.approx(10.0, rel=0.05)


def test_an_open_limit_holds_nobody_up() -> None:
    limit = at_ten_a_second()
    for _ in range(1000):
        limit.take(5.0)
        assert limit.wait(5.0) == 0.0


# pauses

NOW = datetime(1994, 11, 6, 8, 49, 0, tzinfo=UTC)
DATE = "Sun, 06 Nov 1994 08:49:30 GMT"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"ratelimit": '"default";r=0;t=7'}, 7.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}, 7.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "784111777", "date": DATE}, 7.0),
        ({"ratelimit": '"default";r=0;t=7', "retry-after": "3"}, 3.0),
        ({"ratelimit": '"default";r=0;t=7', "retry-after": "30"}, 30.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7", "retry-after": "3"}, 3.0),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "784111777", "date": DATE, "retry-after": "3"}, 3.0),
        ({"ratelimit": '"default";r=1;t=7'}, 0.0),
        ({"ratelimit": '"default";r=-1;t=7'}, 0.0),
    ],
)
def test_f044_the_headers_pause_and_retry_after_wins(headers: Mapping[str, str], wait: float) -> None:
    limit = RateLimit()
    told, left = retry_after(headers, NOW), quota(headers, NOW)
    if told is not None:
        limit.pause(100.0 + told)
    if left is not None and left.remaining == 0:
        limit.pause(100.0 + left.resets_in)
    assert limit.wait(100.0) == wait
    assert limit.wait(100.0 + wait) == 0.0


def test_a_wait_is_over_when_slept_though_sums_are_rounded() -> None:
    limit = RateLimit()
    limit.pause(123.7)
    slept = 52.1 + limit.wait(52.1)
    assert slept < 123.7
    assert limit.wait(slept) == 0.0


def test_a_pause_holds_until_its_instant_and_a_shorter_one_changes_nothing() -> None:
    limit = RateLimit()
    limit.pause(12.0)
    limit.pause(11.0)
    limit.take(10.0)
    assert limit.wait(10.0) == 2.0
    assert limit.wait(11.75) == 0.25
    assert limit.wait(12.0) == 0.0
    limit.pause(13.0)
    assert limit.wait(12.0) == 1.0


def test_after_a_pause_requests_go_at_the_rate_and_not_in_a_burst() -> None:
    limit = RateLimit(10.0)
    limit.pause(60.0)
    sent: list[float] = []
    now = 0.0
    while now < 61.0:
        now += limit.wait(now)
        limit.take(now)
        sent.append(now)
    assert sent[0] == 60.0
    assert len(sent) == 11  # a second's 9.8, and the one that went first


# whatever happens

Act = tuple[str, float]
ACTS = st.lists(
    st.tuples(st.sampled_from(["take", "throttled", "succeeded", "pause", "sleep"]), st.floats(0.0, 100.0)),
    max_size=60,
)
RATES = st.none() | st.floats(0.01, 1e4)
BOOT = st.floats(0.0, 1e8)


def acted(limit: RateLimit, act: Act, now: float) -> float:
    """Do something to a limit, and return the time it then is."""
    name, seconds = act
    match name:
        case "take":
            limit.take(now)
        case "throttled":
            limit.throttled(now)
        case "succeeded":
            limit.succeeded(now)
        case "pause":
            limit.pause(now + seconds)
        case _:
            return now + seconds
    return now


@given(documented=RATES, acts=ACTS, now=BOOT)
def test_a_wait_is_never_negative_and_over_when_slept(documented: float | None, acts: list[Act], now: float) -> None:
    limit = RateLimit(documented)
    for act in acts:
        now = acted(limit, act, now)
        wait = limit.wait(now)
        assert wait >= 0.0
        assert limit.wait(now) == wait
        assert limit.wait(now + wait) == 0.0


@given(documented=RATES, acts=ACTS, now=BOOT)
def test_the_rate_keeps_its_bounds(documented: float | None, acts: list[Act], now: float) -> None:
    limit = RateLimit(documented)
    most = math.inf if documented is None else 0.98 * documented
    for act in acts:
        now = acted(limit, act, now)
        assert min(most, 0.5) <= limit.rate <= most


@given(documented=RATES, acts=ACTS, now=BOOT)
def test_a_throttle_never_raises_the_rate(documented: float | None, acts: list[Act], now: float) -> None:
    limit = RateLimit(documented)
    for act in acts:
        before = limit.rate
        now = acted(limit, act, now)
        assert limit.rate <= before or act[0] == "succeeded"


def test_a_throttle_never_raises_the_rate_when_old_answers_come_in_a_burst() -> None:
    limit = at_ten_a_second()
    limit.throttled(5.0)
    limit.take(5.1)
    for _ in range(20):
        limit.succeeded(5.6)
    before = limit.rate
    limit.throttled(5.6)
    assert limit.rate < before


@given(
    documented=st.floats(0.1, 1000.0),
    steps=st.lists(st.floats(0.0, 3.0) | st.just(0.0), min_size=1, max_size=60),
    now=st.floats(0.0, 1e6),
)
def test_no_window_holds_more_than_its_rate_and_the_burst(documented: float, steps: list[float], now: float) -> None:
    limit = RateLimit(documented)
    rate, burst = 0.98 * documented, 1.0 + 0.02 * documented
    sent: list[float] = []
    for step in steps:
        now += step
        now += limit.wait(now)
        limit.take(now)
        sent.append(now)
    for first, last in itertools.combinations(range(len(sent)), 2):
        held = last - first + 1
        assert held <= rate * (sent[last] - sent[first] + 1e-5) + burst
