"""Late transcripts are waited for politely, and callers say how long anything may take."""

from __future__ import annotations

import asyncio
import math
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import PROFILES, Account, Conversation, Hub, errors
from conversations_hub.policy import _polling
from conversations_hub.schema import TranscriptState
from conversations_hub.signals import Signal, Waited

from ..support.iterators import ids, until_it_fails
from ..support.server import Answer, Asked, Scripted, answer, serving
from ..support.tavus_server import Tavus, details
from ..support.virtual_time import WiredLoop

PENDING, READY = answer(details(1, events=[])), answer(details(1))
DOWN = answer({"message": "down"}, 503)

Script = Callable[[float], Answer]
"""What the provider answers, by the seconds that have passed."""


@asynccontextmanager
async def hub_of(script: Script, loop: WiredLoop, **options: Any) -> AsyncGenerator[tuple[Hub, list[float]]]:
    """Give a hub, and the seconds at which its provider is asked."""
    began, asked_at = loop.time(), list[float]()

    async def provider(_asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        asked_at.append(round(loop.time() - began, 6))
        return script(asked_at[-1])

    async with (
        serving(provider) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], clock=loop.clock(), **options) as hub,
    ):
        yield hub, asked_at


def ready_after(seconds: float) -> Script:
    return lambda now: READY if now >= seconds else PENDING


# how often


def test_asking_again_takes_ever_longer_up_to_fifteen_seconds() -> None:
    assert [_polling.pause(asked, 0.5) for asked in range(1, 8)] == [1, 2, 4, 8, 15, 15, 15]


@given(st.integers(min_value=1, max_value=10**6), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_roll_spreads_it_by_a_fifth(asked: int, roll: float) -> None:
    middle = _polling.pause(asked, 0.5)
    assert 0.8 * middle <= _polling.pause(asked, roll) <= 1.2 * middle


# waiting


async def test_a_late_transcript_is_waited_for(loop: WiredLoop) -> None:
    told: list[Signal] = []
    async with hub_of(ready_after(20), loop, on_signal=told.append) as (hub, asked_at):
        found = await hub.get("tavus:c1", wait=60)
    assert found.transcript_state is TranscriptState.AVAILABLE
    assert asked_at == [0, 1, 3, 7, 15, 30]
    waits = [signal for signal in told if isinstance(signal, Waited)]
    assert [(wait.operation, wait.reason, wait.seconds) for wait in waits] == [
        ("get", "transcript", seconds) for seconds in (1, 2, 4, 8, 15)
    ]


async def test_what_is_never_ready_is_returned_as_it_is_when_the_wait_is_over(loop: WiredLoop) -> None:
    async with hub_of(ready_after(math.inf), loop) as (hub, asked_at):
        found = await hub.get("tavus:c1", wait=60)
    assert found.transcript_state is TranscriptState.PENDING
    assert asked_at == [0, 1, 3, 7, 15, 30, 45, 60]


@pytest.mark.parametrize("wait", [0.0, 60.0])
@pytest.mark.parametrize(
    ("said", "state"),
    [
        (details(1), TranscriptState.AVAILABLE),
        (details(1, shutdown_reason="exception_x", events=[]), TranscriptState.UNAVAILABLE),
    ],
)
async def test_what_is_not_pending_is_asked_for_once(
    loop: WiredLoop, wait: float, said: dict[str, Any], state: TranscriptState
) -> None:
    async with hub_of(lambda _: answer(said), loop) as (hub, asked_at):
        assert (await hub.get("tavus:c1", wait=wait)).transcript_state is state
    assert asked_at == [0]


async def test_without_a_wait_what_is_pending_is_asked_for_once(loop: WiredLoop) -> None:
    async with hub_of(ready_after(5), loop) as (hub, asked_at):
        assert (await hub.get("tavus:c1")).transcript_state is TranscriptState.PENDING
    assert asked_at == [0]


async def test_no_wait_is_begun_that_would_not_end_before_the_timeout(loop: WiredLoop) -> None:
    async with hub_of(ready_after(20), loop) as (hub, asked_at):
        began = loop.time()
        found = await hub.get("tavus:c1", wait=60, timeout=20)
        assert loop.time() - began == 15
    assert found.transcript_state is TranscriptState.PENDING
    assert asked_at == [0, 1, 3, 7, 15]


async def test_the_last_answer_is_waited_for_until_the_timeout_and_no_longer(loop: WiredLoop) -> None:
    async def provider(asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        if asked.number == 2:
            await asyncio.Event().wait()
        return PENDING

    async with (
        serving(provider) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], clock=loop.clock()) as hub,
    ):
        began = loop.time()
        found = await hub.get("tavus:c1", wait=60, timeout=5)
        assert loop.time() - began == pytest.approx(5)
        assert len(server.asked) == 3
    assert found.transcript_state is TranscriptState.PENDING


async def test_an_outage_while_it_waits_costs_nothing_that_was_read(loop: WiredLoop) -> None:
    async with hub_of(lambda now: DOWN if 1 <= now < 8 else ready_after(10)(now), loop) as (hub, _):
        found = await hub.get("tavus:c1", wait=60)
        assert found.transcript_state is TranscriptState.AVAILABLE
    async with hub_of(lambda now: DOWN if now >= 1 else PENDING, loop) as (hub, _):
        assert (await hub.get("tavus:c1", wait=60)).transcript_state is TranscriptState.PENDING


async def test_a_provider_that_is_left_alone_is_left_alone(loop: WiredLoop) -> None:
    async with hub_of(lambda now: DOWN if now >= 1 else PENDING, loop) as (hub, asked_at):
        await hub.get("tavus:c1", wait=25)
    trials = [at for at in asked_at if at >= 1]
    assert len(trials) == 5  # then its breaker opens for more than is left
    assert trials[-1] < 10


async def test_what_the_provider_asks_for_is_waited_for(loop: WiredLoop) -> None:
    busy = answer({"message": "slow down"}, 429, {"Retry-After": "20"})
    async with hub_of(lambda now: PENDING if now < 1 else busy if now < 21 else READY, loop) as (hub, asked_at):
        found = await hub.get("tavus:c1", wait=60)
    assert found.transcript_state is TranscriptState.AVAILABLE
    assert asked_at[:2] == [0, 1]
    assert len(asked_at) == 3
    assert asked_at[2] >= 21
    async with hub_of(lambda now: PENDING if now < 1 else busy, loop) as (hub, asked_at):
        found = await hub.get("tavus:c1", wait=15)
    assert found.transcript_state is TranscriptState.PENDING
    assert asked_at == [0, 1]


async def test_what_will_not_pass_ends_the_wait(loop: WiredLoop) -> None:
    gone = answer({"message": "gone"}, 404)
    async with hub_of(lambda now: PENDING if now < 1 else gone, loop) as (hub, asked_at):
        with pytest.raises(errors.NotFoundError) as caught:
            await hub.get("tavus:c1", wait=60)
    assert asked_at == [0, 1]
    frames = [frame.f_locals for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    assert not any(isinstance(value, Conversation) for held in frames for value in held.values())


async def test_a_hub_that_is_closed_ends_the_wait(loop: WiredLoop) -> None:
    async with hub_of(ready_after(math.inf), loop) as (hub, _):
        waiting = asyncio.ensure_future(hub.get("tavus:c1", wait=3600))
        await asyncio.sleep(100)
        began = loop.time()
        await hub.close()
        with pytest.raises(errors.HubClosedError):
            await waiting
        assert loop.time() == began


async def test_a_span_that_cannot_be_right_is_refused(loop: WiredLoop) -> None:
    async with hub_of(ready_after(0), loop) as (hub, asked_at):
        for wait in (-1, math.nan):
            with pytest.raises(errors.InvalidRefError, match="wait must be 0 or more"):
                await hub.get("tavus:c1", wait=wait)
        for timeout in (0, -1, math.nan):
            with pytest.raises(errors.InvalidRefError, match="timeout must be more than 0"):
                await hub.get("tavus:c1", timeout=timeout)
            with pytest.raises(errors.InvalidRefError, match="timeout must be more than 0"):
                hub.list(timeout=timeout)
    assert asked_at == []


# how long


async def _silent(_asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
    await asyncio.Event().wait()
    return None


@pytest.mark.parametrize(("profile", "timeout"), [("interactive", 0.5), ("bulk", 0.5), ("interactive", 45.0)])
async def test_a_get_takes_no_longer_than_its_timeout(
    loop: WiredLoop,
    profile: Any,
    timeout: float,  # noqa: ASYNC109  (what is tested)
) -> None:
    numbers = PROFILES[profile].but(attempt_timeout=60.0)
    async with (
        serving(_silent) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], clock=loop.clock(), profile=numbers) as hub,
    ):
        for wait in (0.0, 60.0):
            began = loop.time()
            with pytest.raises(errors.DeadlineError, match=f"within {timeout:g} s"):
                await hub.get("tavus:c1", wait=wait, timeout=timeout)
            assert loop.time() - began == pytest.approx(timeout)


class Slow(Tavus):
    """A Tavus that takes so many seconds for a page, and for a conversation."""

    def __init__(self, page: float = 0.0, conversation: float = 0.0) -> None:
        super().__init__(25)
        self._page = page
        self._conversation = conversation

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        is_page = asked.target.partition("?")[0].endswith("/conversations")
        await asyncio.sleep(self._page if is_page else self._conversation)
        return await super().__call__(asked, writer)


@asynccontextmanager
async def hub_over(loop: WiredLoop, **providers: Slow) -> AsyncGenerator[tuple[Hub, list[Scripted]]]:
    """Give a hub with an account at each provider, by name."""
    servers = [serving(provider) for provider in providers.values()]
    opened = [await server.__aenter__() for server in servers]
    accounts = [
        Account("tavus", key="key", base_url=server.url, name=name)
        for name, server in zip(providers, opened, strict=True)
    ]
    try:
        async with Hub(accounts, clock=loop.clock()) as hub:
            yield hub, opened
    finally:
        for server in servers:
            await server.__aexit__(None, None, None)


async def test_a_walk_ends_when_its_time_is_up_with_what_it_brought(loop: WiredLoop) -> None:
    async with hub_over(loop, slow=Slow(page=2.0)) as (hub, [server]):
        walk, began = hub.list(page_size=5, timeout=5.0), loop.time()
        found, error = await until_it_fails(walk)
        assert loop.time() - began == pytest.approx(5.0)
        assert ids(found) == [f"c{number}" for number in range(10)]
        assert len(server.asked) == 3
        assert isinstance(error, errors.DeadlineError)
        assert (error.account, error.operation) == ("slow", "list")
        assert not walk.report.complete
        assert len([c async for c in hub.list(page_size=5, timeout=60.0)]) == 25


async def test_what_is_quick_enough_is_whole_though_others_are_late(loop: WiredLoop) -> None:
    async with hub_over(loop, slow=Slow(page=4.0), quick=Slow()) as (hub, _):
        for walked in (hub.list(page_size=10, timeout=5.0), hub.list(page_size=10, timeout=5.0).pages()):
            began = loop.time()
            found, error = await until_it_fails(walked)
            assert loop.time() - began == pytest.approx(5.0)
            assert isinstance(error, errors.PartialError)
            assert {where: type(one) for where, one in error.errors.items()} == {"tavus/slow": errors.DeadlineError}
            assert len(found) in {25 + 10, 3 + 1}


async def test_details_count_for_a_walk_s_time_too(loop: WiredLoop) -> None:
    async with hub_over(loop, slow=Slow(conversation=2.0)) as (hub, [server]):
        walk, began = hub.list(transcripts=True, timeout=3.0), loop.time()
        found, error = await until_it_fails(walk)
        assert loop.time() - began == pytest.approx(3.0)
        assert isinstance(error, errors.DeadlineError)
        assert [c.transcript_state for c in found[:16]] == [TranscriptState.AVAILABLE] * 16
        assert all(c.transcript_state is TranscriptState.NOT_LOADED for c in found[16:])
        assert len(server.asked) == 26


async def test_the_newest_of_all_are_those_that_come_in_time(loop: WiredLoop) -> None:
    async with hub_over(loop, slow=Slow(page=9.0), quick=Slow()) as (hub, _):
        walk, began = hub.list(limit=10, timeout=5.0), loop.time()
        found, error = await until_it_fails(walk)
        assert loop.time() - began == pytest.approx(5.0)
    assert {c.account for c in found} == {"quick"}
    assert len(found) == 10
    assert isinstance(error, errors.PartialError)
    assert error.errors.keys() == {"tavus/slow"}


async def test_the_caller_s_own_time_counts_for_a_walk(loop: WiredLoop) -> None:
    async with hub_over(loop, slow=Slow()) as (hub, [server]):

        async def slowly() -> AsyncGenerator[str]:
            async for conversation in walk:
                yield conversation.id
                await asyncio.sleep(0.75)

        walk = hub.list(page_size=5, timeout=5.0)
        found, error = await until_it_fails(slowly())
        assert isinstance(error, errors.DeadlineError)
        assert error.reason == "the timeout of 5 s for the whole walk has passed"
        assert len(found) == 10
        assert len(server.asked) == 2
        assert len([c async for c in walk]) == 25  # each iteration has the time anew
