"""Everything a simulated provider delivers, in an order that chance chooses, received and drained between syncs."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from conversations_hub import Conversation
from conversations_hub.serve import Endpoint, Receiver
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import Inbox, drain, sync

from .clock import ManualClock
from .receiving import TOKEN, pieces
from .simulated import simulated

__all__ = ["brought_in_any_order"]

_URL = "https://hooks.example.com"  # which the simulator signs for


async def brought_in_any_order(provider: str, folder: Path, chance: Random, *, conversations: int) -> int:
    """Bring what a provider delivers in a random order, each twice, between drains and syncs; return how many came.

    Raises `AssertionError` if a conversation gets thinner on the way, or does not end as the provider has it.
    """
    present, store = ManualClock(), SQLiteStore(folder / "c.db")
    async with (
        simulated(provider, conversations=conversations, present=present) as (hub, simulator),
        Inbox(folder / "inbox") as inbox,
    ):
        present.seconds = timedelta(days=1).total_seconds()
        secret = simulator.secret(provider)
        proof: dict[str, Any] = {"secrets": [secret], "url": f"{_URL}/{provider}"} if secret else {"token": TOKEN}
        receiver = Receiver({provider: Endpoint(provider, **proof)}, inbox.keep, clock=present.clock)
        world = simulator.worlds[provider]
        sent = [one for truth in world.newest() for one in simulator.delivered(provider, world.id(truth))] * 2
        chance.shuffle(sent)
        breaks = sorted(chance.sample(range(len(sent)), min(3, len(sent))))
        before: dict[str, Conversation] = {}
        for place, one in enumerate(sent):
            path = provider if secret else f"{provider}/{TOKEN}"
            answer = await receiver.answer("POST", path, one.headers, pieces(one.body))
            assert answer.status == 200, answer
            if place in breaks:
                if place == breaks[-1]:
                    await sync(hub, store, provider, clock=present.clock)
                else:
                    await drain(hub, store, inbox, clock=present.clock)
                before = _compared(before, store)
        await drain(hub, store, inbox, clock=present.clock)
        found = _compared(before, store)
        assert (await inbox.status()).new == 0
        for ref, kept in found.items():
            due = await hub.get(ref)
            assert (kept.transcript, kept.transcript_state) == (due.transcript, due.transcript_state), ref
            assert kept.status is due.status or kept.is_finished, ref
            assert kept.analysis is not None or due.analysis is None, ref
        assert found
        return len(sent)


def _compared(before: dict[str, Conversation], store: SQLiteStore) -> dict[str, Conversation]:
    with store.reader() as reader:
        now = {one.ref: one for one in reader.conversations()}
    for ref, earlier in before.items():
        assert now[ref].is_finished or not earlier.is_finished, ref
        assert bool(now[ref].transcript) or not earlier.transcript, ref
        assert now[ref].recordings or not earlier.recordings, ref
        assert now[ref].metadata.keys() >= earlier.metadata.keys(), ref
    return now
