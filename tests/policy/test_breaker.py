"""The breaker: which failures count, how long it stays open, and that one probe at a time is all it lets through."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conversations_hub.errors import (
    AuthError,
    CircuitOpenError,
    ConfigurationError,
    DeadlineError,
    ForbiddenError,
    HubClosedError,
    HubError,
    InvalidRefError,
    NotFoundError,
    OutageError,
    PaginationError,
    PayloadError,
    RateLimitError,
    RejectedError,
    TransportError,
    UnsupportedError,
)
from conversations_hub.policy._breaker import Breaker, Ticket, is_impatience

DOWN = OutageError("down", status=500)
MIDDLE = 0.5  # the roll that neither shortens nor lengthens

COUNTED = [
    TransportError("no connection"),
    TransportError("certificate", retryable=False),
    DeadlineError("no complete response within 30 s", attempts=1),
    *(OutageError("down", status=status) for status in (500, 502, 503, 504, 505, 520, 529)),
    PayloadError("cut", retryable=True),
]
ANSWERS = [
    *(RejectedError("no", status=status) for status in (400, 408, 409, 422, 425)),
    AuthError("no", status=401),
    ForbiddenError("no", status=403),
    NotFoundError("gone", status=404),
    NotFoundError("gone, in this provider's words", status=500),
    RateLimitError("slow", status=429),
    RateLimitError("slow, in this provider's words", status=503),
    OutageError("never", status=501),
    OutageError("the key of a third party", status=401),
    PayloadError("no id"),
    PayloadError("redirect", status=302),
]
LOCAL = [
    DeadlineError("no place came free"),
    CircuitOpenError("down"),
    CircuitOpenError("down", status=503),
    ConfigurationError("no key"),
    InvalidRefError("no id"),
    UnsupportedError("cannot"),
    HubClosedError("closed"),
    PaginationError("loop"),
    HubError("other"),
]


def let_in(breaker: Breaker, now: float) -> Ticket:
    ticket = breaker.enter(now)
    assert ticket
    return ticket


def fail(breaker: Breaker, times: int = 1, *, now: float = 0.0, roll: float = MIDDLE, error: HubError = DOWN) -> None:
    for _ in range(times):
        breaker.failed(let_in(breaker, now), error, now, roll)


def opened() -> Breaker:
    """Return one that opened at 0, to be half-open at 30."""
    breaker = Breaker()
    fail(breaker, 5)
    return breaker


# what counts


@pytest.mark.parametrize("error", COUNTED, ids=str)
def test_f048_five_failures_in_a_row_open_it(error: HubError) -> None:
    assert Breaker.counts(error)
    breaker = Breaker()
    fail(breaker, 4, error=error)
    assert breaker.retry_at(0.0) is None
    fail(breaker, 1, error=error)
    for now in (0.0, 29.9):
        assert breaker.retry_at(now) == 30.0
        assert breaker.enter(now) is None


@pytest.mark.parametrize("error", ANSWERS + LOCAL, ids=str)
def test_f050_what_the_provider_is_not_to_blame_for_leaves_it_closed(error: HubError) -> None:
    assert not Breaker.counts(error)
    breaker = Breaker()
    fail(breaker, 100, error=error)
    assert breaker.retry_at(0.0) is None
    fail(breaker, 5)
    assert breaker.retry_at(0.0) == 30.0


@pytest.mark.parametrize(
    ("given", "expected"), [(10.0, False), (60.0, False), (5.0, False), (4.9, True), (0.1, True), (0.0, True)]
)
def test_who_gives_little_time_learns_nothing(given: float, expected: bool) -> None:  # noqa: FBT001
    assert is_impatience(given, 10.0) is expected


def test_f050_cancelled_calls_leave_it_closed() -> None:
    breaker = Breaker()
    for _ in range(100):
        breaker.abandoned(let_in(breaker, 0.0))
    assert breaker.retry_at(0.0) is None


@pytest.mark.parametrize("error", [None, *ANSWERS], ids=str)
def test_an_answer_ends_the_row(error: HubError | None) -> None:
    breaker = Breaker()
    fail(breaker, 4)
    if error is None:
        breaker.succeeded(let_in(breaker, 0.0))
    else:
        fail(breaker, error=error)
    fail(breaker, 4)
    assert breaker.retry_at(0.0) is None
    fail(breaker)
    assert breaker.retry_at(0.0) == 30.0


@pytest.mark.parametrize("error", [None, *LOCAL], ids=str)
def test_what_was_never_asked_does_not_end_the_row(error: HubError | None) -> None:
    breaker = Breaker()
    fail(breaker, 4)
    if error is None:
        breaker.abandoned(let_in(breaker, 0.0))
    else:
        fail(breaker, error=error)
    fail(breaker)
    assert breaker.retry_at(0.0) == 30.0


# how long


def test_f052_it_stays_open_longer_each_time_up_to_five_minutes() -> None:
    breaker = Breaker()
    fail(breaker, 4)
    now = 0.0
    for span in (30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0, 240.0, 270.0, 300.0, 300.0, 300.0):
        fail(breaker, now=now)
        assert breaker.retry_at(now) == now + span
        now += span
    breaker.succeeded(let_in(breaker, now))
    fail(breaker, 5, now=now)
    assert breaker.retry_at(now) == now + 30.0


@pytest.mark.parametrize(("roll", "first", "longest"), [(0.0, 24.0, 240.0), (0.25, 27.0, 270.0), (1.0, 36.0, 360.0)])
def test_f052_the_roll_spreads_it_by_a_fifth(roll: float, first: float, longest: float) -> None:
    breaker = Breaker()
    fail(breaker, 5, roll=roll)
    assert breaker.retry_at(0.0) == pytest.approx(first)
    now = 0.0
    for _ in range(11):
        now = breaker.retry_at(now) or now
        fail(breaker, now=now, roll=roll)
    assert breaker.retry_at(now) == pytest.approx(now + longest)


def test_a_provider_that_stays_down_is_seldom_asked() -> None:
    breaker = Breaker()
    asked: list[int] = []
    for now in range(3600):
        ticket = breaker.enter(now)
        if ticket:
            asked.append(now)
            breaker.failed(ticket, DOWN, now, 0.0)
    pauses = [after - before for before, after in itertools.pairwise(asked)]
    assert pauses[:14] == [1, 1, 1, 1, 24, 48, 72, 96, 120, 144, 168, 192, 216, 240]
    assert set(pauses[14:]) == {240}


# the probe


def test_f049_of_a_hundred_callers_one_is_the_probe() -> None:
    breaker = opened()
    assert breaker.retry_at(30.0) is None
    tickets = [breaker.enter(30.0) for _ in range(100)]
    probe = tickets[0]
    assert probe
    assert tickets[1:] == [None] * 99
    assert breaker.retry_at(30.0) == 31.0
    assert breaker.enter(1000.0) is None
    breaker.succeeded(probe)
    assert breaker.retry_at(1000.0) is None
    assert all(breaker.enter(1000.0) for _ in range(100))


def test_a_probe_that_fails_opens_it_again() -> None:
    breaker = opened()
    probe = let_in(breaker, 30.0)
    breaker.failed(probe, DOWN, 40.0, MIDDLE)
    assert breaker.retry_at(40.0) == 100.0
    assert breaker.enter(99.9) is None
    let_in(breaker, 100.0)
    assert breaker.enter(100.0) is None


@pytest.mark.parametrize("error", ANSWERS, ids=str)
def test_a_probe_that_is_refused_closes_it(error: HubError) -> None:
    breaker = opened()
    fail(breaker, now=30.0, error=error)
    assert breaker.retry_at(30.0) is None
    fail(breaker, 4, now=30.0)
    assert breaker.retry_at(30.0) is None
    fail(breaker, now=30.0)
    assert breaker.retry_at(30.0) == 60.0


@pytest.mark.parametrize("error", [None, *LOCAL], ids=str)
def test_a_probe_that_never_asked_gives_its_place_back(error: HubError | None) -> None:
    breaker = opened()
    first = let_in(breaker, 30.0)
    if error is None:
        breaker.abandoned(first)
    else:
        breaker.failed(first, error, 30.0, MIDDLE)
    assert breaker.retry_at(30.0) is None
    let_in(breaker, 30.0)
    assert breaker.enter(30.0) is None


def test_what_was_under_way_when_it_opened_says_nothing_any_more() -> None:
    breaker = Breaker()
    late = [let_in(breaker, 0.0) for _ in range(64)]
    fail(breaker, 5)

    def report() -> None:
        breaker.succeeded(late.pop())
        breaker.abandoned(late.pop())
        for _ in range(5):
            breaker.failed(late.pop(), DOWN, 20.0, MIDDLE)

    report()
    assert breaker.retry_at(20.0) == 30.0  # still open, and no longer than it was
    probe = let_in(breaker, 30.0)
    report()
    assert breaker.retry_at(30.0) == 31.0  # still the probe's word that is waited for
    breaker.succeeded(probe)
    report()
    assert breaker.retry_at(30.0) is None


# whatever happens


class _Outage(RuleBasedStateMachine):
    """Overlapping requests that end in any way and order, while time passes; only what the breaker lets in is sent."""

    @initialize()
    def begin(self) -> None:
        self.breaker = Breaker()
        self.now = 1000.0
        self.is_open = False
        self.until = 0.0
        self.failures = 0
        self.early: list[Ticket] = []  # let in while closed, before it last opened
        self.current: list[Ticket] = []  # let in while closed, since
        self.probes: list[Ticket] = []  # let in while open

    @rule(seconds=st.sampled_from([0.0, 1.0, 23.9, 36.0, 360.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(callers=st.integers(1, 8))
    def ask(self, callers: int) -> None:
        for _ in range(callers):
            at = self.breaker.retry_at(self.now)
            ticket = self.breaker.enter(self.now)
            assert (ticket is None) == (at is not None)
            if ticket:
                (self.probes if self.is_open else self.current).append(ticket)

    @precondition(lambda self: self.early)
    @rule(how=st.sampled_from(["succeeded", "failed", "gave up"]))
    def a_late_one_ends(self, how: str) -> None:
        before = self.breaker.retry_at(self.now)
        self.report(self.early.pop(), how)
        assert self.breaker.retry_at(self.now) == before

    @precondition(lambda self: self.current)
    @rule(how=st.sampled_from(["failed", "failed", "failed", "succeeded", "gave up"]), times=st.integers(1, 6))
    def some_end(self, how: str, times: int) -> None:
        for _ in range(min(times, len(self.current))):
            self.report(self.current.pop(), how)
            self.failures = {"failed": self.failures + 1, "succeeded": 0}.get(how, self.failures)
            if self.failures == 5:
                self.opens()
                return

    @precondition(lambda self: self.probes)
    @rule(how=st.sampled_from(["succeeded", "failed", "gave up"]))
    def the_probe_ends(self, how: str) -> None:
        self.report(self.probes.pop(), how)
        if how == "failed":
            self.opens()
        elif how == "succeeded":
            self.is_open = False
            self.failures = 0

    def report(self, ticket: Ticket, how: str) -> None:
        if how == "failed":
            self.breaker.failed(ticket, DOWN, self.now, MIDDLE)
        elif how == "succeeded":
            self.breaker.succeeded(ticket)
        else:
            self.breaker.abandoned(ticket)

    def opens(self) -> None:
        self.is_open = True
        self.early += self.current
        self.current = []
        self.until = self.breaker.retry_at(self.now) or 0.0
        assert 30.0 <= self.until - self.now <= 300.0

    @invariant()
    def an_open_one_lets_in_one_probe_at_most(self) -> None:
        assert len(self.probes) <= 1

    @invariant()
    def an_open_one_without_a_probe_waits_for_its_instant_and_then_for_nothing(self) -> None:
        if self.is_open and not self.probes:
            assert self.breaker.retry_at(self.now) == (self.until if self.now < self.until else None)

    @invariant()
    def a_closed_one_lets_in_all(self) -> None:
        assert self.breaker.is_closed is not self.is_open
        assert self.is_open or self.breaker.retry_at(self.now) is None


_Outage.TestCase.settings = settings(max_examples=100, stateful_step_count=50, derandomize=True)
TestOutage = _Outage.TestCase
