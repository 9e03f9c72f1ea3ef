"""The retry budget: what a retry costs, what a success gives back, and what it makes of an outage."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from conversations_hub.errors import HubError, OutageError, PayloadError, RateLimitError, TransportError
from conversations_hub.policy._budget import RetryBudget

TRANSIENT = OutageError("down", status=503)
THROTTLE = RateLimitError("slow", status=429)
UNBOUNDED = 10**9

# the prices


@pytest.mark.parametrize(
    ("error", "cost", "left"),
    [
        (TransportError("no complete response within 10 s"), 14, 486),
        (OutageError("down", status=503), 14, 486),
        (PayloadError("cut", retryable=True), 14, 486),
        (RateLimitError("slow", status=429), 5, 495),
    ],
    ids=str,
)
def test_a_retry_has_its_price(error: HubError, cost: int, left: int) -> None:
    budget = RetryBudget()
    assert budget.level == 500
    assert budget.take(error) == cost
    assert budget.level == left


@pytest.mark.parametrize(("last_cost", "level"), [(None, 73), (5, 77), (14, 86)])
def test_a_success_gives_back_a_little_or_its_last_price(last_cost: int | None, level: int) -> None:
    budget = RetryBudget(capacity=100)
    budget.take(TRANSIENT)
    budget.take(TRANSIENT)
    budget.give_back(last_cost)
    assert budget.level == level


def test_it_never_holds_more_than_its_capacity() -> None:
    budget = RetryBudget()
    budget.give_back(None)
    assert budget.level == 500
    budget.take(THROTTLE)
    budget.give_back(14)
    assert budget.level == 500


@pytest.mark.parametrize(
    ("capacity", "error", "cost", "left"),
    [
        (14, TRANSIENT, 14, 0),
        (13, TRANSIENT, None, 13),
        (13, THROTTLE, 5, 8),
        (5, THROTTLE, 5, 0),
        (4, THROTTLE, None, 4),
        (0, THROTTLE, None, 0),
    ],
)
def test_what_cannot_be_paid_is_not_retried_and_costs_nothing(
    capacity: int, error: HubError, cost: int | None, left: int
) -> None:
    budget = RetryBudget(capacity)
    assert budget.take(error) == cost
    assert budget.level == left


# what it makes of failure


def requests_sent(budget: RetryBudget, operations: int, attempts: int, rate: float, error: HubError = TRANSIENT) -> int:
    """Count the requests of operations one after another, each of whose attempts fails independently."""
    roll = random.Random(1).random  # noqa: S311  (chance, not secrets)
    sent = 0
    for _ in range(operations):
        last_cost = None
        for attempt in range(1, attempts + 1):
            sent += 1
            if roll() >= rate:
                budget.give_back(last_cost)
                break
            if attempt == attempts:
                break
            last_cost = budget.take(error)
            if last_cost is None:
                break
    return sent


@pytest.mark.parametrize("attempts", [3, 6])
@pytest.mark.parametrize(("error", "retries", "left"), [(TRANSIENT, 35, 10), (THROTTLE, 100, 0)])
def test_f032_a_total_outage_gets_few_retries_and_then_none(
    error: HubError, retries: int, left: int, attempts: int
) -> None:
    budget = RetryBudget()
    assert requests_sent(budget, 10_000, attempts, 1.0, error) == 10_000 + retries
    assert budget.level == left
    assert requests_sent(budget, 10_000, attempts, 1.0, error) == 10_000


@pytest.mark.parametrize(
    ("rate", "attempts", "without", "amplification"),
    [
        (0.01, 3, 1.011, 1.011),
        (0.10, 3, 1.113, 1.113),
        (0.30, 3, 1.388, 1.171),
        (0.50, 3, 1.750, 1.076),
        (1.00, 3, 3.000, 1.002),
        (0.01, 6, 1.011, 1.011),
        (0.10, 6, 1.114, 1.114),
        (0.30, 6, 1.426, 1.172),
        (0.50, 6, 1.972, 1.076),
        (1.00, 6, 6.000, 1.002),
    ],
)
def test_f033_retries_amplify_an_outage_by_no_more_than_the_reference(
    rate: float, attempts: int, without: float, amplification: float
) -> None:
    for capacity, expected in ((UNBOUNDED, without), (500, amplification)):
        sent = requests_sent(RetryBudget(capacity), 20_000, attempts, rate)
        assert sent / 20_000 == pytest.approx(expected, abs=0.03)


def test_after_an_outage_it_recovers() -> None:
    budget = RetryBudget()
    requests_sent(budget, 100, 3, 1.0)
    assert budget.level == 10
    requests_sent(budget, 489, 3, 0.0)
    assert budget.level == 499
    requests_sent(budget, 489, 3, 0.0)
    assert budget.level == 500


# whatever happens


class _Spending(RuleBasedStateMachine):
    """Operations that overlap, against tokens counted by hand; small capacities are soon at either end."""

    @initialize(capacity=st.integers(0, 60) | st.just(500))
    def begin(self, capacity: int) -> None:
        self.capacity = self.tokens = capacity
        self.budget = RetryBudget(capacity)
        self.owed: list[int] = []

    @rule(price=st.sampled_from([(TRANSIENT, 14), (THROTTLE, 5)]))
    def retry(self, price: tuple[HubError, int]) -> None:
        error, cost = price
        paid = self.budget.take(error)
        assert paid == (cost if self.tokens >= cost else None)
        if paid is not None:
            self.tokens -= paid
            self.owed.append(paid)

    @rule()
    def succeed_at_once(self) -> None:
        self.budget.give_back(None)
        self.tokens = min(self.tokens + 1, self.capacity)

    @precondition(lambda self: self.owed)
    @rule()
    def succeed_after_a_retry(self) -> None:
        cost = self.owed.pop()
        self.budget.give_back(cost)
        self.tokens = min(self.tokens + cost, self.capacity)

    @invariant()
    def the_tokens_are_right_and_within_bounds(self) -> None:
        assert 0 <= self.budget.level <= self.capacity
        assert self.budget.level == self.tokens


_Spending.TestCase.settings = settings(max_examples=60, stateful_step_count=40, derandomize=True)
TestSpending = _Spending.TestCase
