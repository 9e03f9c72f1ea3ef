"""What simulated providers deliver: received, verified, and in agreement with what `get` says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from aiohttp import web

from conversations_hub import Hub
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.events import Event, EventKind
from conversations_hub.testing import Faults, Simulator
from conversations_hub.webhooks import verify

DELIVERING = [provider for provider in BUILTIN if load(provider).webhook is not None]


class Receiver:
    """Whoever is told of events: it verifies each, and answers as it is told to."""

    def __init__(self, secrets: Callable[[str], str | None]) -> None:
        self.events: list[Event] = []
        self.requests = 0
        self.refuses_first = 0
        self._secrets = secrets
        self._news = asyncio.Event()

    async def receive(self, request: web.BaseRequest) -> web.Response:
        self.requests += 1
        provider = request.path.rpartition("/")[2]
        if self.requests <= self.refuses_first:
            return web.Response(status=503)
        secret = self._secrets(provider)
        self.events += verify(
            provider,
            await request.read(),
            request.headers,
            secret,
            datetime.now(UTC),
            insecure_accept_unsigned=secret is None,
            url=str(request.url),
        )
        self._news.set()
        return web.Response(status=200)

    async def has(self, enough: Callable[[], bool]) -> None:
        while not enough():
            self._news.clear()
            await self._news.wait()


@asynccontextmanager
async def _delivering(
    *providers: str, faults: Faults | None = None, refusing: int = 0
) -> AsyncGenerator[tuple[Simulator, Receiver]]:
    simulators: list[Simulator] = []
    receiver = Receiver(lambda provider: simulators[0].environment().get(f"{provider.upper()}_WEBHOOK_SECRET"))
    receiver.refuses_first = refusing
    runner = web.ServerRunner(web.Server(receiver.receive))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    try:
        simulator = Simulator(
            conversations=24, chats=24, faults=faults or Faults(), webhooks_to=url, providers=providers
        )
        simulators.append(simulator)
        async with simulator:
            yield simulator, receiver
    finally:
        await runner.cleanup()


@pytest.mark.parametrize("provider", DELIVERING)
async def test_every_event_is_delivered_verified_and_true(provider: str) -> None:
    async with _delivering(provider) as (simulator, receiver), Hub.from_env(environ=simulator.environment()) as hub:
        ids = [conversation.id async for conversation in hub.list(provider)]
        due = sum(len(simulator.delivered(provider, id)) for id in ids)
        await receiver.has(lambda: len(receiver.events) >= due)
        assert due > 4
        is_signed = simulator.environment().get(f"{provider.upper()}_WEBHOOK_SECRET") is not None
        assert {event.verified for event in receiver.events} == {is_signed}
        about = {event.conversation_id for event in receiver.events if event.conversation_id}
        assert about <= set(ids)
        assert len(about) > 4
        transcribed = [event for event in receiver.events if event.conversation and event.conversation.transcript]
        for event in transcribed[-3:]:
            assert event.conversation is not None
            got = await hub.get(f"{provider}:{event.conversation_id}")
            assert [turn.text for turn in event.conversation.transcript or ()] == [
                turn.text for turn in got.transcript or ()
            ]
        named = [event.id for event in receiver.events if event.id is not None]
        assert len(set(named)) == len(named)


async def test_a_receiver_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations_hub.testing.simulator._webhooks._TRIED_AGAIN_AFTER", (0.0,))
    async with _delivering("tavus", refusing=1) as (simulator, receiver):
        assert simulator.deliveries is not None
        accepted = simulator.deliveries.accepted
        await receiver.has(lambda: len(receiver.events) >= 12 and accepted["tavus"] > 0)
    assert receiver.requests > len(receiver.events)


async def test_deliveries_come_twice_late_and_out_of_order_on_request() -> None:
    faults = Faults(duplicate=0.5, late=0.5, late_seconds=0.3)
    async with (
        _delivering("tavus", faults=faults) as (simulator, receiver),
        Hub.from_env(environ=simulator.environment()) as hub,
    ):
        ids = [conversation.id async for conversation in hub.list("tavus")]
        due = {event for id in ids for event in [f"{id}:{sent.kind}" for sent in simulator.delivered("tavus", id)]}
        await receiver.has(lambda: {event.id for event in receiver.events} >= due)
    assert len(receiver.events) > len(due)
    ended = [event for event in receiver.events if event.kind is EventKind.ENDED]
    started = {
        event.conversation_id: place for place, event in enumerate(receiver.events) if event.kind is EventKind.STARTED
    }
    assert any(receiver.events.index(event) < started.get(event.conversation_id, 0) for event in ended)


async def test_a_signature_that_needs_a_missing_extra_holds_back_no_other_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    async with _delivering("telnyx", "tavus") as (simulator, receiver):
        assert simulator.deliveries is not None
        accepted = simulator.deliveries.accepted
        await receiver.has(lambda: len(receiver.events) >= 12 and accepted["tavus"] > 0)
        assert accepted["telnyx"] == 0
        assert simulator.deliveries.unsigned == ["telnyx"]


def test_with_the_extra_no_provider_is_left_out() -> None:
    deliveries = Simulator(webhooks_to="http://127.0.0.1:9").deliveries
    assert deliveries is not None
    assert deliveries.unsigned == []


def test_shares_of_deliveries_are_fractions() -> None:
    with pytest.raises(ValueError, match="fractions"):
        Faults(duplicate=1.5)
