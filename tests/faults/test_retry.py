"""Retry, backoff and budget: F022 to F039."""

from __future__ import annotations

import asyncio
import random

import msgspec
import pytest

from conversations_hub.errors import (
    CircuitOpenError,
    HubError,
    OutageError,
    PayloadError,
    RateLimitError,
    RejectedError,
)
from conversations_hub.reading.refusals import provider_error
from conversations_hub.signals import AttemptEnded, BreakerChanged, RetryScheduled, Waited
from conversations_hub.wire import Request, Response

from ..support.clock import FakeClock
from ..support.server import Answer, Asked, answer, serving
from ..support.virtual_time import WiredLoop
from .conftest import Fault, ask

OK = answer({"fine": True})


@pytest.mark.parametrize(("profile", "attempts"), [("interactive", 3), ("bulk", 6)])
@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524, 529])
async def test_f024_what_may_pass_is_tried_as_often_as_the_profile_says(
    fault: Fault, status: int, profile: str, attempts: int
) -> None:
    async with serving(answer({}, status)) as server:
        error = await fault.failure(ask(await fault.lane(server.url, profile=profile)))
        assert len(server.asked) == error.attempts == fault.wire_requests == attempts
    assert error.status == status


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("roll", [0.0, 0.5, 1 - 2**-53])
async def test_f026_nothing_is_sent_before_the_provider_said_and_no_later_than_its_spread(
    fault: Fault, roll: float, status: int
) -> None:
    clock = FakeClock(roll)
    sent: list[float] = []

    async def refused_once(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        sent.append(clock.time)
        return answer({}, status, {"Retry-After": "2"}) if asked.number == 0 else OK

    async with serving(refused_once) as server:
        assert (await ask(await fault.lane(server.url, clock=clock.clock))).ok
    first, second = sent
    assert 2.0 <= second - first <= 2.2 + 1e-9


@pytest.mark.parametrize(("profile", "asked"), [("interactive", 3600), ("interactive", 11), ("bulk", 3600)])
async def test_f027_what_is_too_long_is_told_at_once(fault: Fault, profile: str, asked: int) -> None:
    async with serving(answer({}, 429, {"Retry-After": str(asked)})) as server:
        error = await fault.failure(ask(await fault.lane(server.url, profile=profile, deadline=1e6)))
        assert len(server.asked) == 1
    assert isinstance(error, RateLimitError)
    assert error.retry_after == asked
    assert (fault.time.slept, error.elapsed) == ([], 0.0)


async def test_f027_bulk_waits_ten_minutes_where_its_deadline_has_them(fault: Fault) -> None:
    async with serving(answer({}, 429, {"Retry-After": "600"}), OK) as server:
        lane = await fault.lane(server.url, profile="bulk", deadline=1000.0)
        assert (await ask(lane)).ok
    assert 600.0 <= sum(fault.time.slept) <= 601.0


@pytest.mark.parametrize("said", ["", "soon", "-5", "1.5", "1e3", "12, 13", "12abc"])
async def test_f029_a_wait_nobody_can_read_is_as_if_absent(fault: Fault, said: str) -> None:
    async with serving(answer({}, 503, {"Retry-After": said})) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
        assert len(server.asked) == 3
    assert error.retry_after is None
    assert fault.time.slept == [0.125, 0.25]


async def test_f034_one_account_s_outage_costs_another_nothing(fault: Fault) -> None:
    down, throttled = answer({}, 503), answer({}, 429, {"Retry-After": "9"})
    async with serving(throttled, down) as trouble, serving(OK, down, OK) as fine:
        one, other = await fault.lane(trouble.url), await fault.lane(fine.url)
        for _ in range(2):
            await fault.failure(ask(one))
        assert type(await fault.failure(ask(one))) is CircuitOpenError
        told, slept = len(fault.signals), len(fault.time.slept)
        assert (await ask(other)).ok
        assert fault.time.slept[slept:] == []
        assert (await ask(other)).ok
        assert fault.time.slept[slept:] == [0.125]
    [retry] = [signal for signal in fault.signals[told:] if isinstance(signal, RetryScheduled)]
    assert retry.budget == 500 - 14
    assert not [signal for signal in fault.signals[told:] if isinstance(signal, Waited | BreakerChanged)]


async def test_f036_an_idempotency_key_is_the_same_on_all_tries(fault: Fault) -> None:
    request = Request("POST", "/x", headers={"Idempotency-Key": "k-1"}, body=b'{"a": 1}', safe=True)
    async with serving(answer({}, 503)) as server:
        await fault.failure(ask(await fault.lane(server.url), request))
        told = [(asked.headers["idempotency-key"], asked.body) for asked in server.asked]
    assert told == [("k-1", b'{"a": 1}')] * 3


def _says_itself(response: Response) -> HubError:
    """Read a provider's own word on whether to try again."""
    return provider_error(response, None, retryable=response.headers["x-should-retry"] == "true")


@pytest.mark.parametrize(
    ("status", "word", "attempts", "kind"), [(503, "false", 1, OutageError), (409, "true", 3, RejectedError)]
)
async def test_f037_a_provider_s_own_word_on_trying_again_is_obeyed(
    fault: Fault, status: int, word: str, attempts: int, kind: type[HubError]
) -> None:
    async with serving(answer({}, status, {"X-Should-Retry": word})) as server:
        lane = await fault.lane(server.url)
        lane.adapter = msgspec.structs.replace(lane.adapter, refusal=_says_itself)
        error = await fault.failure(ask(lane))
        assert len(server.asked) == attempts
    assert type(error) is kind


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        pytest.param(answer({"error": "no such workspace"}), RejectedError, id="an error under 200"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 15\r\n\r\n<html>no</html>",
            PayloadError,
            id="HTML",
        ),
        pytest.param(answer(b""), PayloadError, id="empty"),
    ],
)
async def test_f038_a_200_that_is_no_answer_is_never_an_empty_list(
    fault: Fault, said: bytes, kind: type[HubError]
) -> None:
    async with serving(said) as server:
        hub = await fault.hub(server.url)

        async def walked() -> list[object]:
            return [conversation async for conversation in hub.list("tavus")]

        for call in (walked(), hub.get("tavus:c1")):
            error = await fault.failure(call)
            assert type(error) is kind
            assert error.status in {200, None}
        assert {signal.status for signal in fault.signals if isinstance(signal, AttemptEnded)} == {200}


async def test_f031_a_hundred_told_to_wait_a_second_come_back_spread_out(fault: Fault, loop: WiredLoop) -> None:
    refusals: list[float] = []
    answers: list[float] = []

    async def closed_for_a_second(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if asked.number >= 100:
            answers.append(loop.time())
            return OK
        await server.has_been_asked(100)  # so that all are told at once
        refusals.append(loop.time())
        return answer({}, 429, {"Retry-After": "1"})

    async with serving(closed_for_a_second) as server:
        clock = loop.clock(random.Random(31).random)  # noqa: S311  (dice are no secret)
        lane = await fault.lane(server.url, clock=clock, in_flight=100)
        replies = await asyncio.gather(*(ask(lane) for _ in range(100)))
        assert all(reply.ok for reply in replies)
        assert server.at_once == 100
    assert (len(refusals), len(answers)) == (100, 100)
    assert min(answers) >= refusals[0] + 1.0
    assert max(answers) <= refusals[0] + 1.1  # a lane that was slowed to a crawl would take much longer
    assert len(set(answers)) > 90
