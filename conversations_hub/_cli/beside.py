"""What runs beside the web service: webhooks in, from their inbox into the store, and changes out."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import click
import msgspec
from aiohttp import web

from ..errors import ConfigurationError
from ..redaction import Redact
from ..serve import Inbox, Outbox, Receiver, drain, endpoints_from_file, forward, hooks_app, targets_from_file
from ..stores import ReadableStore
from ..stores._url import StoreURL
from ..stores.sqlite import SQLiteStore
from .accounts import Accounts

__all__ = ["Beside"]


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
        self, application: web.Application, accounts: Accounts, store: StoreURL | None, redact: tuple[Redact, ...]
    ) -> AsyncGenerator[list[asyncio.Task[Any]]]:
        """Add the routes to an application, and yield what runs until the block ends; each may fail."""
        if not (self.hooks or self.drain or self.forward):
            yield []
            return
        if accounts.config is None:
            raise click.UsageError("--hooks, --drain and --forward need --config: the file names endpoints and targets")
        kept = None if store is None else store.open()
        async with AsyncExitStack() as held:
            tasks: list[asyncio.Task[Any]] = []
            if self.hooks or self.drain:
                inbox = await held.enter_async_context(Inbox(self.inbox or _near(store, ".inbox")))
                if self.hooks:
                    _receive(application, inbox, accounts.config)
                if self.drain:
                    hub = await held.enter_async_context(accounts.opened(profile="bulk"))
                    tasks.append(asyncio.create_task(drain(hub, _sqlite(kept), inbox, follow=True, redact=redact)))
            if self.forward:
                targets = targets_from_file(accounts.config)
                outbox = await held.enter_async_context(Outbox(self.outbox or _near(store, ".outbox")))
                tasks.append(asyncio.create_task(forward(_sqlite(kept), outbox, targets, follow=True, redact=redact)))
            try:
                yield tasks
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


def _receive(application: web.Application, inbox: Inbox, config: Path) -> None:
    endpoints = endpoints_from_file(config)
    if not endpoints:
        raise ConfigurationError(f"{config} has no endpoint for webhooks; each begins with [[webhook]]")
    receiver = Receiver(endpoints, inbox.keep)
    application.add_subapp("/hooks", hooks_app(receiver))

    def reload() -> None:
        try:
            receiver.reload(endpoints_from_file(config))
        except ConfigurationError as error:
            click.echo(f"the endpoints stay as they were: {error.reason}", err=True)

    with suppress(NotImplementedError, AttributeError):  # not on Windows
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)


def _sqlite(store: ReadableStore | None) -> SQLiteStore:
    if not isinstance(store, SQLiteStore):
        raise click.UsageError("--drain and --forward need a SQLite store")
    return store


def _near(store: StoreURL | None, ending: str) -> Path:
    """Return the file beside a store that has its name."""
    return Path("conversations.db" if store is None else os.fspath(store.path)).with_suffix(ending)
