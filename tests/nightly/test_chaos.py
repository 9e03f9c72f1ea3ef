"""Providers that fail, behind networks that fail, walked by a job that is killed again and again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from random import Random

import pytest

from conversations_hub import Conversation, Hub
from conversations_hub._transport import Clock
from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import HubError
from conversations_hub.policy import PROFILES
from conversations_hub.schema import TranscriptState
from conversations_hub.testing import Faults, Simulator

from ..faults.conftest import CANARY, Fault
from ..support.clock import NOW, ManualClock
from .conftest import Tell
from .toxics import behind_toxics

pytestmark = [pytest.mark.nightly, pytest.mark.timeout(3600)]

CONVERSATIONS = 40
FAULTS = Faults(throttle=0.04, throttle_bare=0.03, outage=0.15, reset=0.02, truncate=0.03)
PACE = 50  # so much faster passes the time that is waited, for a provider that was down is left alone for half a minute

PATIENT = PROFILES["bulk"].but(deadline=60.0 * PACE, attempt_timeout=0.6, connect_timeout=0.3)
HURRIED = Clock(monotonic=lambda: PACE * time.monotonic(), sleep=lambda seconds: asyncio.sleep(seconds / PACE))

Found = dict[str, Conversation]


@asynccontextmanager
async def _behind_bad_networks(simulator: Simulator, random: Random) -> AsyncGenerator[dict[str, str]]:
    """Hand out the environment that leads to the simulator's providers, to each through a network of its own."""
    port = simulator.url.rpartition(":")[2]
    environ = simulator.environment()
    async with AsyncExitStack() as stack:
        for provider in BUILTIN:
            other = await stack.enter_async_context(behind_toxics(int(port), random))
            environ[f"{provider.upper()}_BASE_URL"] = simulator.base_url(provider).replace(f":{port}/", f":{other}/")
            environ[f"{provider.upper()}_API_KEY"] = CANARY
        yield environ


async def _walked(hub: Hub, provider: str, random: Random, fault: Fault) -> Found:
    """Walk to the end, killed at random instants, and each time on from the last page that was whole."""
    found: Found = {}
    cursor: str | None = None
    while True:
        try:
            async with (
                asyncio.timeout(random.uniform(0.05, 3.0)),
                aclosing(hub.list(provider, cursor=cursor, page_size=10, transcripts=True).pages()) as pages,
            ):
                async for page in pages:
                    if any(conversation.transcript_state is TranscriptState.NOT_LOADED for conversation in page.items):
                        break
                    found |= {conversation.id: conversation for conversation in page.items}
                    cursor = page.cursor
                    if cursor is None:
                        return found
        except TimeoutError:
            continue
        except HubError as error:
            fault.errors.append(error)


@asynccontextmanager
async def _bad_weather(simulator: Simulator, random: Random) -> AsyncGenerator[None]:
    """Let every provider fail now and then, and now and then one of them altogether."""

    async def change() -> None:
        while True:
            simulator.faults = FAULTS
            await asyncio.sleep(random.uniform(0.3, 1.0))
            simulator.faults = Faults(outage=1.0, providers=(random.choice(BUILTIN),))
            await asyncio.sleep(random.uniform(0.1, 0.7))

    changing = asyncio.create_task(change())
    try:
        yield
    finally:
        changing.cancel()
        await asyncio.gather(changing, return_exceptions=True)


async def _truth(simulator: Simulator) -> dict[str, Found]:
    """Return what there is, by the same adapters and through no network at all."""
    truth: dict[str, Found] = {provider: {} for provider in BUILTIN}
    async with Hub.from_env(environ=simulator.environment()) as hub:
        async for conversation in hub.list(transcripts=True):
            truth[conversation.provider][conversation.id] = conversation
    for provider, found in truth.items():
        corpus = simulator.worlds[provider].corpus
        assert found.keys() == {corpus.id(number) for number in range(CONVERSATIONS)}
    return truth


async def test_f116_out_of_any_chaos_comes_what_the_providers_have(
    fault: Fault, chaos_seconds: float, tell: Tell
) -> None:
    end = time.monotonic() + chaos_seconds
    seed = 0
    async with Simulator(conversations=CONVERSATIONS, now=NOW, clock=ManualClock()) as simulator:
        truth = await _truth(simulator)
        while time.monotonic() < end:
            seed += 1
            random = Random(seed)  # noqa: S311  (chaos is no secret)
            async with (
                _bad_weather(simulator, random),
                _behind_bad_networks(simulator, random) as environ,
                Hub.from_env(environ=environ, profile=PATIENT, clock=HURRIED, on_signal=fault.signals.append) as hub,
                asyncio.TaskGroup() as group,
            ):
                walks = {provider: group.create_task(_walked(hub, provider, random, fault)) for provider in BUILTIN}
            wrong = [
                f"{provider}:{id}"
                for provider, walk in walks.items()
                for id in truth[provider].keys() | walk.result().keys()
                if truth[provider].get(id) != walk.result().get(id)
            ]
            assert wrong == [], f"in round {seed}"
    counted = Counter(type(signal).__name__ for signal in fault.signals)
    tell(f"chaos: {seed} rounds, {dict(counted)}, {len(fault.errors)} walks failed")
