"""Webhooks that come twice and late, to a receiver that goes down, while a secret is rotated; and then a poll."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from conversations_hub import Conversation, Hub
from conversations_hub.events import Event, EventKind
from conversations_hub.serve import Delivery, Endpoint, Receiver
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import AccountDrainReport, Inbox, count_webhooks, drain, sync
from conversations_hub.testing import Faults, Simulator

from .clock import NOW
from .deliveries import delivery
from .receiving import TOKEN
from .virtual_time import WiredLoop

__all__ = ["Outcome", "leads_to_a_record", "weathered"]

DOWN = 10.0  # seconds
_ALL_SENT = 45.0  # seconds after which nothing is on its way any more


class Outcome(msgspec.Struct, kw_only=True):
    """What became of it."""

    sent: int
    """How many events the provider had to tell of."""
    told: dict[str, list[Conversation]]
    """What events said that were answered with 200, by the ids of their conversations."""
    refused: int
    """Deliveries answered with 401."""
    before_poll: dict[str, Conversation]
    stored: dict[str, Conversation]
    """After one poll, by their refs."""
    listed: dict[str, Conversation]
    fetched: dict[str, Conversation]
    """What `hub.get` returns then."""
    counted: AccountDrainReport


class _Hooks:
    """Where the provider delivers; it can be down."""

    def __init__(self, provider: str, loop: WiredLoop) -> None:
        self.receiver: Receiver | None = None
        self.path = provider
        self.down_until = 0.0
        self._asked = asyncio.Semaphore(0)
        self._loop = loop

    async def has_been_asked(self, times: int) -> None:
        for _ in range(times):
            await self._asked.acquire()

    async def receive(self, request: web.BaseRequest) -> web.StreamResponse:
        self._asked.release()
        assert self.receiver is not None
        assert request.transport is not None
        if self._loop.time() < self.down_until:
            request.transport.abort()
            raise ConnectionResetError
        chunks = request.content.iter_any()
        answer = await self.receiver.answer(request.method, self.path, request.raw_headers, chunks)
        return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


@asynccontextmanager
async def _listening(hooks: _Hooks) -> AsyncGenerator[str]:
    runner = web.ServerRunner(web.Server(hooks.receive, access_log=None))
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def weathered(
    provider: str,
    folder: Path,
    loop: WiredLoop,
    *,
    faults: Faults = Faults(),  # noqa: B008  (a frozen value)
    goes_down: bool = False,
    rotates: bool = False,
    is_told: bool = True,
    conversations: int = 12,
) -> Outcome:
    """Receive and drain what a provider delivers by itself, poll once, and return what became of it.

    If the receiver goes down, it is for ten seconds in the middle of it all. If the secret is rotated, then in the
    middle as well, and the old one is forgotten at the end; the receiver is told of the new one in time, or never.
    """
    hooks, store = _Hooks(provider, loop), SQLiteStore(folder / "c.db")
    told = dict[str, list[Conversation]]()
    began = loop.time()
    async with _listening(hooks) as url, Inbox(folder / "inbox") as inbox:
        simulator = Simulator(
            conversations=conversations,
            chats=4,
            seed=7,
            providers=[provider],
            now=NOW,
            clock=lambda: loop.time() - began,
            faults=faults,
            webhooks_to=url,
        )
        secret = simulator.secret(provider)

        async def keep(one: Delivery) -> None:
            await inbox.keep(one)
            for event in filter(leads_to_a_record, one.events):
                said = told.setdefault(str(event.conversation_id), [])
                said += [event.conversation] if event.conversation else []

        def endpoint(*secrets: str) -> dict[str, Endpoint]:
            proof: dict[str, Any] = {"secrets": secrets, "url": f"{url}/{provider}"} if secret else {"token": TOKEN}
            return {provider: Endpoint(provider, **proof)}

        if not secret:
            hooks.path = f"{provider}/{TOKEN}"
        receiver = hooks.receiver = Receiver(endpoint(secret), keep, clock=loop.clock())
        # It has been there for a while, so that what it misses counts as lost.
        greeting = delivery(None, None, kind=EventKind.OTHER, at=NOW - timedelta(days=8))
        await inbox.keep(msgspec.structs.replace(greeting, endpoint=provider, provider=provider))
        async with (
            simulator,
            Hub.from_env(environ=simulator.environment(), profile="bulk", clock=loop.clock()) as hub,
            store.shared(),
        ):
            sent = sum([len(simulator.delivered(provider, each.id)) async for each in hub.list(provider)])
            draining = asyncio.create_task(drain(hub, store, inbox, follow=True, clock=loop.clock()))
            await hooks.has_been_asked(sent // 2)
            if goes_down:
                hooks.down_until = loop.time() + DOWN
            new = _another(secret)
            if rotates:
                receiver.reload(endpoint(*([new] if is_told else []), secret))
                _sign_with(simulator, provider, new)
            await asyncio.sleep(_ALL_SENT)
            if rotates and is_told:
                receiver.reload(endpoint(new))
            draining.cancel()
            await asyncio.gather(draining, return_exceptions=True)
            report = await drain(hub, store, inbox, clock=loop.clock())
            before_poll = _in(store)
            await sync(hub, store, provider, clock=loop.clock())
            await count_webhooks(store, inbox, report, loop.clock().now())
            stored = _in(store)
            listed = {one.ref: one async for one in hub.list(provider)}
            fetched = {ref: await hub.get(ref) for ref in stored}
    return Outcome(
        sent=sent,
        told=told,
        refused=receiver.counts[provider, 401],
        before_poll=before_poll,
        stored=stored,
        listed=listed,
        fetched=fetched,
        counted=report.of(f"{provider}/default"),
    )


def leads_to_a_record(event: Event) -> bool:
    """Whether an event is stored, or has its conversation fetched; that one began is not worth it."""
    if event.kind is EventKind.STARTED:
        return event.protected and event.conversation is not None
    return event.conversation_id is not None and event.kind is not EventKind.OTHER


def _in(store: SQLiteStore) -> dict[str, Conversation]:
    with store.reader() as reader:
        return {one.ref: one for one in reader.conversations()}


def _another(secret: str) -> str:
    """Return another secret in the same form."""
    digest = hashlib.sha256(secret.encode()).digest()
    return f"whsec_{base64.b64encode(digest).decode()}" if secret.startswith("whsec_") else digest.hex()


def _sign_with(simulator: Simulator, provider: str, secret: str) -> None:
    deliveries = simulator.deliveries
    assert deliveries is not None
    providers: dict[str, Any] = vars(deliveries)["_providers"]  # as if its console had made a new one
    providers[provider] = dataclasses.replace(providers[provider], webhook_secret=secret)
