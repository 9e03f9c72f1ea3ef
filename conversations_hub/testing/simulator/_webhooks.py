"""What simulated providers deliver by themselves: signed, tried again, and on request twice, late and out of order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice

import aiohttp

from ._faults import Faults
from ._world import Delivery, Simulated, World

__all__ = ["Deliveries", "Sent", "sent_now"]

_WATCHED = 30
"""How many of a provider's newest conversations are watched for events."""
_EVERY = 0.25
_PATIENCE = 10.0
_TRIED_AGAIN_AFTER = (1.0, 2.0, 4.0)


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery as it goes over the wire."""

    kind: str
    """The provider's word for the event."""
    headers: Mapping[str, str]
    body: bytes


def sent_now(provider: Simulated, delivery: Delivery, present: float, url: str | None = None) -> Sent:
    """Return a delivery as it is sent at a moment, in Unix seconds, to a URL if it is not the delivery's own."""
    secret = provider.webhook_secret if provider.signing_secret is None else provider.signing_secret
    now = replace(delivery, moment=present, url=url or delivery.url)
    signature: Mapping[str, str] = provider.signed(now, secret) if provider.signed else {}
    return Sent(delivery.kind, {"content-type": "application/json", **signature}, delivery.body)


def _can_sign(provider: Simulated) -> bool:
    try:
        return provider.signs_with is None or bool(import_module(provider.signs_with))
    except ModuleNotFoundError:
        return False


class Deliveries:
    """The deliveries of all simulated providers to one address, a path below it for each."""

    def __init__(
        self,
        url: str,
        providers: Mapping[str, Simulated],
        worlds: Mapping[str, World],
        faults: Callable[[], Faults],
        rolls: Callable[[str, int], Callable[[int], float]],
    ) -> None:
        self.accepted: Counter[str] = Counter()
        """Deliveries answered with 2xx, by provider."""
        delivering = {name: provider for name, provider in providers.items() if provider.deliveries}
        self.unsigned: list[str] = [name for name, provider in delivering.items() if not _can_sign(provider)]
        """Providers that deliver nothing, because their signature needs an extra that is not installed."""
        self._url = url.rstrip("/")
        self._providers = {name: one for name, one in delivering.items() if name not in self.unsigned}
        self._worlds = worlds
        self._faults = faults
        self._rolls = rolls
        self._sent = 0
        self._begun: set[tuple[str, int, str, int]] = set()

    async def run(self) -> None:
        """Deliver what has happened, and then what happens, until cancelled."""
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_PATIENCE)) as session,
            asyncio.TaskGroup() as sending,
        ):
            while True:
                for name in self._providers:
                    for due in self._due(name):
                        sending.create_task(self._deliver_in_order(session, sending, name, due))
                await asyncio.sleep(_EVERY)

    def _due(self, name: str) -> Iterator[list[Delivery]]:
        """Yield what is new of each conversation."""
        world, deliveries = self._worlds[name], self._providers[name].deliveries
        if deliveries is None:
            return
        for truth in reversed(list(islice(world.newest(), _WATCHED))):
            due: list[Delivery] = []
            kinds: Counter[str] = Counter()
            for delivery in deliveries(world, truth):
                kinds[delivery.kind] += 1
                which = (name, truth.index, delivery.kind, kinds[delivery.kind])
                if delivery.moment <= world.present and which not in self._begun:
                    self._begun.add(which)
                    due.append(delivery)
            if due:
                yield due

    async def _deliver_in_order(
        self, session: aiohttp.ClientSession, sending: asyncio.TaskGroup, name: str, due: list[Delivery]
    ) -> None:
        for delivery in due:
            faults = self._faults()
            self._sent += 1
            roll = self._rolls(f"webhook {name}", self._sent)
            late = roll(1) * faults.late_seconds if roll(0) < faults.late else 0.0
            times = 2 if roll(2) < faults.duplicate else 1
            for _ in range(times):
                if late:
                    sending.create_task(self._deliver(session, name, delivery, late))
                else:
                    await self._deliver(session, name, delivery, 0.0)

    async def _deliver(self, session: aiohttp.ClientSession, name: str, delivery: Delivery, late: float) -> None:
        for wait in (late, *_TRIED_AGAIN_AFTER):
            await asyncio.sleep(wait)
            url = f"{self._url}/{name}"
            sent = sent_now(self._providers[name], delivery, self._worlds[name].present, url)
            try:
                async with session.post(url, data=sent.body, headers=sent.headers) as answer:
                    if answer.ok:
                        self.accepted[name] += 1
                        return
            except (aiohttp.ClientError, TimeoutError, OSError):
                continue
