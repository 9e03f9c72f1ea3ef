"""What runs beside the web service: webhooks in, from their inbox into the store, and changes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from ..errors import ConfigurationError
from ..redaction import Redact
from ..serve import (
    ForwardReport,
    Inbox,
    Outbox,
    Pipeline,
    Receiver,
    drain,
    endpoints_from_file,
    forward,
    targets_from_file,
)
from ..stores import EventStore, ReadableStore
from ..stores._url import StoreURL
from ..sync import DrainReport
from .accounts import Accounts

__all__ = ["Beside"]

_DEFAULT: Final = StoreURL.parse("conversations.db")


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """Which of it runs."""

    hooks: bool
    """Receive webhooks at `/hooks`."""
    drain: bool
    """Bring what they said into the store."""
    forward: bool
    """Tell the targets of the file of accounts of every change."""
    inbox: Path | None
    outbox: Path | None

    @asynccontextmanager
    async def running(
        self, accounts: Accounts, store: StoreURL | None, redact: tuple[Redact, ...], recordings: Path | None
    ) -> AsyncGenerator[tuple[Pipeline, list[asyncio.Task[Any]]]]:
        """Yield what there is of it, and what runs until the block ends; each task may fail."""
        config = accounts.config
        if (self.hooks or self.drain or self.forward) and config is None:
            raise click.UsageError("--hooks, --drain and --forward need --config: the file names endpoints and targets")
        kept = None if store is None else store.open()
        receiver = inbox = drained = outbox = None
        forwarded: dict[str, ForwardReport] = {}
        tasks: list[asyncio.Task[Any]] = []
        async with AsyncExitStack() as held:
            if self.hooks or self.drain or self.inbox is not None:
                inbox = await held.enter_async_context(Inbox(self.inbox or (store or _DEFAULT).beside(".inbox")))
            if self.hooks and inbox is not None and config is not None:
                receiver = _receiver(inbox, config)
            if self.drain and inbox is not None:
                drained = DrainReport()
                hub = await held.enter_async_context(accounts.opened(profile="bulk"))
                folder = None if redact else recordings  # nobody can redact sound
                work = drain(hub, _told(kept), inbox, follow=True, redact=redact, recordings=folder, report=drained)
                tasks.append(asyncio.create_task(work))
                held.push_async_callback(_ended, tasks[-1])
            if self.forward and config is not None:
                targets = targets_from_file(config)
                outbox = await held.enter_async_context(Outbox(self.outbox or (store or _DEFAULT).beside(".outbox")))
                sending = forward(_there(kept), outbox, targets, follow=True, redact=redact, reports=forwarded)
                tasks.append(asyncio.create_task(sending))
                held.push_async_callback(_ended, tasks[-1])
            yield Pipeline(receiver=receiver, inbox=inbox, drained=drained, outbox=outbox, forwarded=forwarded), tasks


async def _ended(task: asyncio.Task[Any]) -> None:
    """End a task; what it failed with is told by whoever waits for it."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _receiver(inbox: Inbox, config: Path) -> Receiver:
    endpoints = endpoints_from_file(config)
    if not endpoints:
        raise ConfigurationError(f"{config} has no endpoint for webhooks; each begins with [[webhook]]")
    return Receiver(endpoints, inbox.keep)


def _told(store: ReadableStore | None) -> EventStore:
    if not isinstance(store, EventStore):
        raise click.UsageError("--drain needs a SQLite or Postgres store")
    return store


def _there(store: ReadableStore | None) -> ReadableStore:
    if store is None:
        raise click.UsageError("--forward needs a store")
    return store
