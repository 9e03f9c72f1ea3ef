"""One lane's gate, breaker, rate and budget together, whatever happens in whatever order (F040)."""

from __future__ import annotations

import asyncio
import itertools
import math
import random
from contextlib import suppress
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from yarl import URL

from conversations_hub._transport import Clock
from conversations_hub.adapter import Adapter
from conversations_hub.errors import HubError, RateLimitError
from conversations_hub.policy import PROFILES
from conversations_hub.policy._budget import RetryBudget
from conversations_hub.signals import BreakerChanged, RetryScheduled, Signal
from conversations_hub.signing import header
from conversations_hub.wire import Flow, Request, Response

from .clock import NOW
from .fake_lane import FakeLane
from .virtual_time import VirtualLoop

__all__ = ["GateModel"]

DEADLINE = 30.0
SLOWEST = 0.5  # requests per second, however the provider objects
MOMENT = 1e-6  # seconds; sums of floats are rounded


def said(status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(status, headers or {}, b"{}")


FINE = said(200)
DOWN = said(503)
OUTCOMES: dict[str, Response | None] = {
    "fine": FINE,
    "nothing left": said(200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7"}),
    "too fast": said(429),
    "too fast, wait": said(429, {"retry-after": "5"}),
    "too fast, wait long": said(429, {"retry-after": "45"}),
    "down": DOWN,
    "down, wait": said(503, {"retry-after": "2"}),
    "not there": said(404),
    "no JSON": Response(200, {}, b"<html>"),
    "lost": None,
}
PAUSES = {"nothing left": 7.0, "too fast, wait": 5.0, "too fast, wait long": 45.0}

ANSWERS = st.lists(st.sampled_from(["fine", "fine", "down", *OUTCOMES]), min_size=1, max_size=3)


class _Watched(FakeLane):
    """A lane that tells the model when a request begins and ceases to wait for its turn."""

    def __init__(self, model: GateModel, tokens: int, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._model = model
        self._budget = RetryBudget(tokens)

    async def _attempt(self, request: Request, exchange: Any) -> Response:
        number = int(request.ids["id"])
        self._model.arrives(number)
        try:
            return await super()._attempt(request, exchange)
        finally:
            self._model.leaves(number)


def _asking(number: int) -> Flow[Response]:
    reply = yield Request("GET", "/x/{id}", ids={"id": str(number)})
    return reply


class GateModel(RuleBasedStateMachine):
    """Operations that overlap, are answered in any way and order, time out and are cancelled, while time passes."""

    @initialize(
        in_flight=st.sampled_from([1, 2, 3, 8]),
        documented=st.sampled_from([None, 1.0, 2.0]),
        attempts=st.integers(1, 6),
        parks=st.booleans(),
        breaks=st.booleans(),
        tokens=st.sampled_from([30, 500]),
        seed=st.integers(0, 2**16),
    )
    def begin(
        self,
        *,
        in_flight: int,
        documented: float | None,
        attempts: int,
        parks: bool,
        breaks: bool,
        tokens: int,
        seed: int,
    ) -> None:
        self.loop = VirtualLoop()
        self.in_flight = in_flight
        self.documented = documented
        self.parks = parks
        self.running: dict[asyncio.Task[Response], float] = {}  # and when each began
        self.operations = 0
        self.under_way: dict[int, asyncio.Future[str]] = {}
        self.line: dict[int, None] = {}  # who waits for a turn, in the order of arrival
        self.out_of_line: set[int] = set()  # who waits, and may be overtaken, since the breaker was open meanwhile
        self.sent: list[float] = []
        self.moved = self.paused_until = -math.inf
        self.has_throttled = self.has_broken = False
        self.closed_until: float | None = None  # while the breaker is open: when a probe may go
        self.probes: set[int] = set()
        self.is_probe = False  # whose answer is being dealt with
        self.tokens = self.capacity = tokens
        self.owed: dict[asyncio.Task[Response], int] = {}
        adapter = Adapter(
            name="acme",
            base_url="https://example.com",
            docs="https://example.com",
            sign=header("x-api-key"),
            requests_per_second=documented,
        )
        clock = Clock(
            monotonic=self.loop.time,
            now=lambda: NOW + timedelta(seconds=self.loop.time()),
            roll=random.Random(seed).random,  # noqa: S311  (chance, not secrets)
        )
        profile = PROFILES["interactive"].but(
            in_flight=in_flight, attempts=attempts, deadline=DEADLINE, attempt_timeout=20.0, parks=parks, breaks=breaks
        )
        self.lane = _Watched(self, tokens, adapter, profile, clock=clock, provider=self.provider, on_signal=self.hears)

    # what the lane does

    def arrives(self, number: int) -> None:
        if self.closed_until is None:
            self.line[number] = None
        else:
            self.out_of_line.add(number)

    def leaves(self, number: int) -> None:
        self.moved = self.loop.time()
        self.line.pop(number, None)
        self.out_of_line.discard(number)

    async def provider(self, url: URL) -> Response | None:
        """Take a request, check that it was due, and answer as soon and as a rule says."""
        number, now = int(url.name), self.loop.time()
        assert number in self.out_of_line or next(iter(self.line)) == number, "it has overtaken another"
        self.leaves(number)
        assert now >= self.paused_until - MOMENT, "it goes during a pause"
        if self.closed_until is not None:
            assert now >= self.closed_until - MOMENT, "it goes while nobody may"
            assert not self.probes, "it goes beside a probe"
            self.probes.add(number)
        self.sent = [*self.sent[-20:], now]
        self.under_way[number] = self.loop.create_future()
        try:
            outcome = await self.under_way[number]
        finally:
            del self.under_way[number]
            self.is_probe = number in self.probes
            self.probes.discard(number)
        if outcome in PAUSES:
            self.paused_until = max(self.paused_until, self.loop.time() + PAUSES[outcome])
        answer = OUTCOMES[outcome]
        self.has_throttled |= answer is not None and answer.status == 429
        return answer

    def hears(self, signal: Signal) -> None:
        match signal:
            case BreakerChanged(is_open=True, seconds=seconds):
                assert 24.0 - MOMENT <= seconds <= 360.0 + MOMENT
                assert self.closed_until is None or self.is_probe, "who was sent before it opened has opened it again"
                self.closed_until = self.loop.time() + seconds
                self.has_broken = True
                self.out_of_line |= self.line.keys()
                self.line.clear()
            case BreakerChanged():
                assert self.is_probe, "who was sent before it opened has closed it"
                self.closed_until = None
            case RetryScheduled(cause=cause, budget=budget):
                cost = 5 if cause == RateLimitError.__name__ else 14
                assert cost <= self.tokens, "a retry nobody paid for"
                self.tokens -= cost
                self.owed[self.current()] = cost
                assert budget == self.tokens
            case _:
                pass

    def current(self) -> asyncio.Task[Response]:
        task: asyncio.Task[Any] | None = asyncio.current_task(self.loop)
        assert task is not None
        return task

    async def operate(self) -> Response:
        self.operations += 1
        reply = await self.lane.run("get", _asking(self.operations))
        self.tokens = min(self.capacity, self.tokens + self.owed.get(self.current(), 1))
        return reply

    # what happens to it

    @rule(callers=st.integers(1, 6), lag=st.sampled_from([0.0, 0.3, 1.0, 2.5]))
    def ask(self, callers: int, lag: float) -> None:
        """Begin operations; where the loop was busy before, they stand before it at once with whoever is due."""
        self.loop.lag(lag)
        now = self.loop.time()
        is_open = self.closed_until is not None and now < self.closed_until
        is_half_open = self.closed_until is not None and not (is_open or self.probes or now < self.paused_until)
        tasks = [self.loop.create_task(self.operate()) for _ in range(callers)]
        self.running |= dict.fromkeys(tasks, now)
        self.wait(0.0)
        let_in = self.running.keys() & set(tasks)
        assert self.parks or not (is_open and let_in), "nobody tells them that it is down"
        assert not is_half_open or self.probes or let_in, "nobody looks whether it is back"

    @precondition(lambda self: self.under_way)
    @rule(outcomes=ANSWERS, seconds=st.sampled_from([0.0, 0.3, 2.5, 7.0]))
    def answer_some(self, outcomes: list[str], seconds: float) -> None:
        for answer, outcome in zip(self.under_way.values(), outcomes, strict=False):
            answer.set_result(outcome)
        self.wait(seconds)

    @precondition(lambda self: self.under_way)
    @rule(outcomes=ANSWERS, seconds=st.sampled_from([0.0, 0.3, 2.5, 7.0]))
    def answer_all(self, outcomes: list[str], seconds: float) -> None:
        for answer, outcome in zip(self.under_way.values(), itertools.cycle(outcomes), strict=False):
            answer.set_result(outcome)
        self.wait(seconds)

    @precondition(lambda self: self.closed_until is not None)
    @rule(callers=st.integers(1, 3), are_cancelled=st.booleans())
    def ask_whether_it_is_back(self, callers: int, *, are_cancelled: bool) -> None:
        assert self.closed_until is not None
        self.wait(max(0.0, self.closed_until - self.loop.time()))
        self.ask(callers, 0.0)
        if are_cancelled and self.running:
            self.cancel(0, len(self.running))

    @rule(outcome=st.sampled_from(["down", "lost", "too fast"]), callers=st.integers(1, 3), rounds=st.integers(2, 5))
    def trouble(self, outcome: str, callers: int, rounds: int) -> None:
        for _round in range(rounds):
            self.ask(callers, 0.0)
            self.answer_all([outcome], 0.3)

    @rule(seconds=st.sampled_from([0.01, 0.3, 1.0, 2.5, 7.0, 21.0, 61.0, 400.0]) | st.floats(0.0, 30.0))
    def wait(self, seconds: float) -> None:
        self.loop.advance(seconds)
        for task in [task for task in self.running if task.done()]:
            del self.running[task]
            self.owed.pop(task, None)
            with suppress(HubError):
                assert not task.cancelled() or task.cancelling(), "it was cancelled by nobody"
                assert task.cancelled() or task.result().ok

    @precondition(lambda self: self.running)
    @rule()
    def wait_for_a_deadline(self) -> None:
        self.wait(max(0.0, min(self.running.values()) + DEADLINE + 2 * MOMENT - self.loop.time()))

    @precondition(lambda self: self.running)
    @rule(which=st.integers(0, 100), others=st.integers(0, 3))
    def cancel(self, which: int, others: int) -> None:
        tasks = list(self.running)
        chosen = {tasks[(which + step) % len(tasks)] for step in range(others + 1)}
        for task in chosen:
            task.cancel()
        self.wait(0.0)
        assert chosen.isdisjoint(self.running), "a cancelled one does not end"

    @precondition(lambda self: self.running and self.under_way)
    @rule(outcome=st.sampled_from(sorted(OUTCOMES)), which=st.integers(0, 100))
    def answer_and_cancel_at_once(self, outcome: str, which: int) -> None:
        for answer in self.under_way.values():
            answer.set_result(outcome)
        self.cancel(which, 0)

    @rule()
    def come_to_an_end(self) -> None:
        """Answer all that was asked: then there is as much room as there was."""
        self.answer_the_rest()
        self.wait(4000.0)  # no pause and no opening lasts longer
        for callers in (1, self.in_flight + 2):  # the first may be a probe
            self.ask(callers, 0.0)
            self.wait(19.0)  # enough at the slowest rate, and less than an attempt's time
            assert len(self.under_way) == min(callers, self.in_flight), "not every place was given back"
            self.answer_the_rest()

    def answer_the_rest(self) -> None:
        for _round in range(20):
            if self.running:
                self.answer_all(["fine"], 20.0)
        assert not self.running, "there is no end"

    # what always holds

    @invariant()
    def no_more_are_under_way_than_the_profile_says(self) -> None:
        assert len(self.under_way) <= self.in_flight

    @invariant()
    def no_second_holds_more_than_is_documented(self) -> None:
        rate = 0.98 * (self.documented or math.inf)
        for first, at in enumerate(self.sent):
            assert len(self.sent) - first <= rate * (self.sent[-1] - at + MOMENT) + 1.02 + 0.02 * rate

    @invariant()
    def an_open_breaker_lets_one_probe_through(self) -> None:
        assert len(self.probes) <= 1

    @invariant()
    def the_tokens_are_within_bounds(self) -> None:
        assert 0 <= self.tokens <= self.capacity

    @invariant()
    def none_runs_beyond_its_deadline(self) -> None:
        assert all(self.loop.time() <= began + DEADLINE + MOMENT for began in self.running.values())

    @invariant()
    def none_waits_for_nothing(self) -> None:
        """Who waits while a place is free waits for the rate or for a pause (after an outage also for a moment)."""
        if self.line and len(self.under_way) < self.in_flight and not self.has_broken:
            rate = SLOWEST if self.has_throttled else 0.98 * (self.documented or math.inf)
            since = max(self.paused_until, self.moved)
            assert self.loop.time() <= since + 1.0 / rate + MOMENT, "nobody lets it go"

    def teardown(self) -> None:
        for task in self.running:
            task.cancel()
        self.wait(0.0)
        self.loop.run(self.lane.close())
        self.loop.close()
