"""What stands before every attempt, on real sockets: pauses, places, lines, the breaker and the budget."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from typing import Any

import pytest
from yarl import URL

from conversations_hub._transport import Clock, Lane, Limiter
from conversations_hub.account import Account
from conversations_hub.adapter import Adapter
from conversations_hub.errors import (
    CircuitOpenError,
    DeadlineError,
    HubError,
    NotFoundError,
    OutageError,
    RateLimitError,
)
from conversations_hub.policy import PROFILES, Profile
from conversations_hub.signals import AttemptEnded, BreakerChanged, RetryScheduled, Signal, Waited
from conversations_hub.signing import header
from conversations_hub.wire import Flow, Request, Response

from ..support.clock import FakeClock
from ..support.fake_lane import FakeLane
from ..support.server import Answer, Asked, Scripted, answer, serving
from ..support.virtual_time import VirtualLoop

OK = answer({"fine": True})
DOWN = answer({"message": "down"}, 500)


@asynccontextmanager
async def lane_to(
    server: Scripted,
    clock: Clock,
    *,
    profile: str = "interactive",
    documented: float | None = None,
    limiter: Limiter | None = None,
    on_signal: Callable[[Signal], object] | None = None,
    **numbers: Any,
) -> AsyncGenerator[Lane]:
    base = PROFILES[profile]
    numbers = {name: getattr(base, name) for name in base.__struct_fields__} | numbers
    adapter = Adapter(
        name="acme",
        base_url=server.url,
        docs="https://example.com",
        sign=header("x-api-key"),
        requests_per_second=documented,
    )
    lane = Lane(
        Account("acme", key="key", base_url=server.url),
        adapter,
        Profile(**numbers),
        clock=clock,
        limiter=limiter,
        on_signal=on_signal,
    )
    try:
        yield lane
    finally:
        await lane.close()


def asking(method: str = "GET") -> Flow[Response]:
    reply = yield Request(method, "/x/{id}", ids={"id": "c1"})
    return reply


async def ask(lane: Lane) -> Response:
    return await lane.run("get", asking())


async def outcome(lane: Lane) -> HubError | None:
    try:
        await ask(lane)
    except HubError as error:
        return error
    return None


# pauses and rates


async def test_f041_a_429_closes_the_whole_lane_for_as_long_as_it_says() -> None:
    time = FakeClock()
    sent: list[float] = []

    async def throttled_once(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        sent.append(time.time)
        return answer({}, 429, {"Retry-After": "2"}) if asked.number == 0 else OK

    async with serving(throttled_once) as server, lane_to(server, time.clock, in_flight=1) as lane:
        replies = await asyncio.gather(*(ask(lane) for _ in range(9)))
    assert all(reply.ok for reply in replies)
    assert len(sent) == 10
    assert min(sent[1:]) >= sent[0] + 2.0


async def test_who_waits_for_the_rate_hears_at_once_that_the_provider_is_down() -> None:
    time = FakeClock()
    async with serving(DOWN) as server, lane_to(server, time.clock, documented=1.0, attempts=1) as lane:
        began = time.time
        errors = await asyncio.gather(*(outcome(lane) for _ in range(40)))
        assert len(server.asked) <= 6
    told = [error for error in errors if isinstance(error, CircuitOpenError)]
    assert len(told) == 40 - len(server.asked)
    assert time.time - began <= 8.0


@pytest.mark.parametrize("name", ["X-RateLimit", "RateLimit"])
async def test_f044_nothing_left_pauses_until_the_reset(name: str) -> None:
    time = FakeClock()
    spent = answer({"fine": True}, headers={f"{name}-Remaining": "0", f"{name}-Reset": "7"})
    async with serving(spent, OK) as server, lane_to(server, time.clock) as lane:
        await ask(lane)
        await ask(lane)
    assert time.slept == [pytest.approx(7.0)]


async def test_a_429_without_a_time_uses_the_reset_it_names() -> None:
    time = FakeClock(roll=0.0)
    refused = answer({}, 429, {"RateLimit": '"default";r=0;t=3'})
    async with serving(refused, OK) as server, lane_to(server, time.clock) as lane:
        await ask(lane)
    assert sum(time.slept) == pytest.approx(3.0)


async def test_f030_a_pause_that_does_not_end_in_time_is_told_at_once() -> None:
    time = FakeClock()
    refusal = answer({}, 429, {"Retry-After": "3600"})
    async with serving(refusal) as server, lane_to(server, time.clock) as lane:
        first, second = await outcome(lane), await outcome(lane)
    assert isinstance(first, RateLimitError)
    assert isinstance(second, RateLimitError)
    assert second.retry_after == pytest.approx(3600.0)
    assert (second.attempts, len(server.asked), time.slept) == (0, 1, [])


async def test_a_documented_limit_is_kept_from_the_first_request_on() -> None:
    time = FakeClock()
    async with serving(OK) as server, lane_to(server, time.clock, documented=10.0, deadline=1e9) as lane:
        began = time.time
        await asyncio.gather(*(ask(lane) for _ in range(101)))
    assert 10.0 <= time.time - began <= 10.0 / 0.97


async def test_a_limiter_of_the_caller_s_takes_the_place_of_our_own() -> None:
    class Shared:
        def __init__(self) -> None:
            self.asked: list[str] = []
            self.paused: list[tuple[str, float]] = []

        async def reserve(self, account: str) -> float:
            self.asked.append(account)
            return 0.5 if len(self.asked) % 2 else 0.0

        async def pause(self, account: str, seconds: float) -> None:
            self.paused.append((account, seconds))

    shared = Shared()
    time = FakeClock(roll=0.0)
    async with (
        serving(answer({}, 429, {"Retry-After": "2"}), OK) as server,
        lane_to(server, time.clock, limiter=shared) as lane,
    ):
        await ask(lane)
    assert time.slept == [0.5, 2.0, 0.5]
    assert shared.asked == ["acme/default"] * 4
    assert shared.paused == [("acme/default", 2.0)]


async def test_a_limiter_of_the_caller_s_is_asked_one_at_a_time_and_told_of_each_429() -> None:
    class Shared:
        def __init__(self) -> None:
            self.asking = self.most = self.throttles = 0

        async def reserve(self, account: str) -> float:
            self.asking += 1
            self.most = max(self.most, self.asking)
            await asyncio.sleep(0)
            self.asking -= 1
            return 0.0

        async def pause(self, account: str, seconds: float) -> None:
            raise AssertionError

        async def throttled(self, account: str) -> None:
            assert account == "acme/default"
            self.throttles += 1

    shared = Shared()
    async with (
        serving(answer({}, 429), OK) as server,
        lane_to(server, FakeClock().clock, limiter=shared) as lane,
    ):
        await asyncio.gather(*(ask(lane) for _ in range(8)))
    assert (shared.most, shared.throttles) == (1, 1)


# lines


async def test_f046_f047_the_line_is_first_come_first_served_and_survives_cancels() -> None:
    served: list[int] = []
    gate = asyncio.Event()

    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        await gate.wait()
        return OK

    async with serving(slow) as server, lane_to(server, Clock(), in_flight=2) as lane:

        async def one(number: int) -> None:
            await ask(lane)
            served.append(number)

        running = [asyncio.create_task(one(number)) for number in range(40)]
        await server.has_been_asked(2)
        for number in range(2, 40, 3):
            running[number].cancel()
        gate.set()
        await asyncio.gather(*running, return_exceptions=True)
        assert server.at_once == 2
        kept = [number for number in range(40) if number < 2 or number % 3 != 2]
        assert sorted(served) == kept
        assert all(abs(place - kept.index(number)) <= 1 for place, number in enumerate(served))
        await asyncio.gather(*(ask(lane) for _ in range(10)))
        assert server.at_once == 2


# the breaker


async def test_f048_five_failures_in_a_row_open_the_breaker() -> None:
    time = FakeClock()
    async with serving(DOWN) as server, lane_to(server, time.clock, attempts=1) as lane:
        errors = [await outcome(lane) for _ in range(7)]
        assert [type(error) for error in errors] == [OutageError] * 5 + [CircuitOpenError] * 2
        assert len(server.asked) == 5
        assert errors[-1] is not None
        assert errors[-1].retry_after == pytest.approx(30.0, rel=0.2)
        assert time.slept == []


async def test_f049_of_a_hundred_callers_one_asks_whether_it_is_back() -> None:
    time = FakeClock()
    asked_again = asyncio.Event()
    gate = asyncio.Event()

    async def down_then_back(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if asked.number < 5:
            return DOWN
        asked_again.set()
        await gate.wait()
        return OK

    async with serving(down_then_back) as server, lane_to(server, time.clock, attempts=1) as lane:
        for _ in range(5):
            await outcome(lane)
        time.time += 37.0
        running = [asyncio.create_task(outcome(lane)) for _ in range(100)]
        await asked_again.wait()
        assert len(server.asked) == 6
        gate.set()
        errors = await asyncio.gather(*running)
        assert [type(error) for error in errors if error] == [CircuitOpenError] * 99
        assert await outcome(lane) is None


async def test_in_bulk_they_wait_until_it_is_back() -> None:
    time = FakeClock()
    async with (
        serving(*[DOWN] * 5, OK) as server,
        lane_to(server, time.clock, profile="bulk", attempts=1) as lane,
    ):
        errors = [await outcome(lane) for _ in range(6)]
    assert [type(error) for error in errors] == [OutageError] * 5 + [type(None)]
    assert time.slept == [pytest.approx(30.0, rel=0.2)]


@pytest.mark.parametrize("status", [404, 401, 429, 422])
async def test_f050_what_is_not_the_provider_s_trouble_opens_nothing(status: int) -> None:
    async with serving(answer({}, status)) as server, lane_to(server, FakeClock().clock, attempts=1) as lane:
        errors = [await outcome(lane) for _ in range(100)]
    assert len(server.asked) == 100
    assert CircuitOpenError not in {type(error) for error in errors}


async def test_the_last_real_failure_is_raised_when_the_breaker_opens_between_two_tries() -> None:
    async with serving(DOWN) as server, lane_to(server, FakeClock().clock) as lane:
        first, second, third = [await outcome(lane) for _ in range(3)]
    assert [type(error) for error in (first, second, third)] == [OutageError, OutageError, CircuitOpenError]
    assert [error.attempts for error in (first, second, third) if error] == [3, 2, 0]


async def test_f034_one_lane_s_trouble_is_not_another_s() -> None:
    time = FakeClock()
    async with (
        serving(DOWN) as down,
        serving(OK) as fine,
        lane_to(down, time.clock) as one,
        lane_to(fine, time.clock) as other,
    ):
        for _ in range(5):
            await outcome(one)
        assert isinstance(await outcome(one), CircuitOpenError)
        assert await outcome(other) is None


# the budget


@pytest.mark.parametrize("attempts", [3, 6])
async def test_f032_a_total_outage_costs_no_more_than_the_budget(attempts: int) -> None:
    async with (
        serving(DOWN) as server,
        lane_to(server, FakeClock().clock, attempts=attempts, breaks=False, deadline=1e9) as lane,
    ):
        for _ in range(300):
            await outcome(lane)
    assert len(server.asked) == 300 + 35


async def test_successes_fill_the_budget_again() -> None:
    async def seldom(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        return DOWN if asked.number % 50 == 0 else OK

    async with serving(seldom) as server, lane_to(server, FakeClock().clock, deadline=1e9) as lane:
        assert [await outcome(lane) for _ in range(300)] == [None] * 300
    assert len(server.asked) == 307


# what is told


async def test_what_happens_is_told_without_ids_or_content() -> None:
    told: list[Signal] = []
    time = FakeClock()
    async with (
        serving(DOWN, answer({"message": "no such id"}, 404), *[DOWN] * 5) as server,
        lane_to(server, time.clock, on_signal=told.append) as lane,
    ):
        assert isinstance(await outcome(lane), NotFoundError)
        while not isinstance(await outcome(lane), CircuitOpenError):
            continue
    attempts = [signal for signal in told if isinstance(signal, AttemptEnded)]
    assert [(signal.number, signal.status) for signal in attempts[:2]] == [(1, 500), (2, 404)]
    assert {signal.path for signal in attempts} == {"/x/{id}"}
    [retry, *_] = [signal for signal in told if isinstance(signal, RetryScheduled)]
    assert (retry.number, retry.delay, retry.cause, retry.budget) == (1, 0.125, "OutageError", 486)
    [opened] = [signal for signal in told if isinstance(signal, BreakerChanged)]
    assert opened.is_open
    assert "c1" not in str(told)
    assert "no such id" not in str(told)


async def test_waits_are_told() -> None:
    told: list[Signal] = []
    time = FakeClock()
    async with (
        serving(OK) as server,
        lane_to(server, time.clock, documented=1.0, in_flight=1, deadline=1e9, on_signal=told.append) as lane,
    ):
        await asyncio.gather(*(ask(lane) for _ in range(3)))
    assert {signal.reason for signal in told if isinstance(signal, Waited)} == {"rate", "place"}


def test_standing_in_line_ends_at_the_deadline() -> None:
    asked: list[URL] = []

    async def fine(url: URL) -> Response:
        asked.append(url)
        return Response(200, {}, b"{}")

    async def ended(loop: VirtualLoop) -> list[HubError | None]:
        adapter = Adapter(
            name="acme",
            base_url="https://example.com",
            docs="https://example.com",
            sign=header("x-api-key"),
            requests_per_second=0.5,
        )
        profile = PROFILES["interactive"].but(deadline=0.1)
        lane = FakeLane(adapter, profile, clock=Clock(monotonic=loop.time), provider=fine)
        errors = await asyncio.gather(*(outcome(lane) for _ in range(5)))
        await lane.close()
        return errors

    with closing(VirtualLoop()) as loop:
        began = loop.time()
        errors = loop.run(ended(loop))
        assert loop.time() - began < 0.1 + 1e-6
    assert {type(error) for error in errors} <= {type(None), RateLimitError, DeadlineError}
    assert len(asked) == 1
