"""A process that receives deliveries and drains them, and can be killed at any turn of its event loop."""

from __future__ import annotations

import asyncio
import os
import selectors
from pathlib import Path

from conversations_hub import Account, Conversation, Hub
from conversations_hub.schema import Status
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import Inbox, drain
from conversations_hub.wire import Flow

from .crash import Steps
from .deliveries import acme, delivery

__all__ = ["ACKNOWLEDGED", "CONVERSATIONS", "DELIVERIES", "INBOX", "STORE", "received_in_steps"]

INBOX, STORE, ACKNOWLEDGED = "inbox", "c.db", "acknowledged"
DELIVERIES = 24
CONVERSATIONS = 8
_AT_ONCE = 6


def received_in_steps(folder: str, steps: Steps) -> None:
    """Receive all deliveries and drain them; those that were acknowledged stand in a file."""

    class Counting(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            steps.take()
            return super().select(timeout)

    selectors.DefaultSelector = Counting  # type: ignore[misc]
    asyncio.run(_receive(Path(folder)))


def _get(_account: Account, id: str) -> Flow[Conversation]:
    return Conversation(provider="acme", id=id, status=Status.ENDED)
    yield


async def _receive(folder: Path) -> None:
    told = os.open(folder / ACKNOWLEDGED, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    store = SQLiteStore(folder / STORE)
    async with (
        Inbox(folder / INBOX) as inbox,
        Hub([Account("acme", key="sk-invented")], adapters={"acme": acme(_get)}) as hub,
    ):

        async def receive(number: int) -> None:
            about = f"c{number % CONVERSATIONS}"
            said = Conversation(provider="acme", id=about, title=f"as told in {about}")
            await inbox.keep(delivery(f"e{number}", about, conversation=said))
            os.write(told, f"e{number}\n".encode())

        for begin in range(0, DELIVERIES, _AT_ONCE):
            await asyncio.gather(*map(receive, range(begin, begin + _AT_ONCE)))
            await drain(hub, store, inbox)
    os.close(told)
