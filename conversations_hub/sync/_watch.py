"""Follow everything that changes, at the providers and in the store, as one stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from .._transport import Clock
from ..errors import ConfigurationError, UnsupportedError
from ..hub import Hub
from ..redaction._redactors import Redact
from ..stores import Change, ChangeReader, EventStore, ReadableStore
from ..stores._asking import asking
from ._drain import drain
from ._drain_report import DrainReport
from ._inbox import Inbox
from ._report import SyncReport
from ._run import sync

__all__ = ["watch"]

_BATCH: Final = 100  # changes in memory
_LOOK: Final = 1.0  # seconds between two looks at the store


async def watch(
    hub: Hub,
    store: ReadableStore,
    *targets: str,
    cursor: str | None = None,
    since: datetime | None = None,
    redact: Redact | Sequence[Redact] = (),
    inbox: Inbox | None = None,
    drained: DrainReport | None = None,
    at_most_every: timedelta = timedelta(seconds=15),
    at_least_every: timedelta = timedelta(minutes=10),
    on_report: Callable[[SyncReport], None] | None = None,
    clock: Clock | None = None,
) -> AsyncGenerator[Change]:
    """Keep a store up to date, and yield what is written or erased in it, for ever; close it with `aclosing`.

    Each change comes once, in the order of commits, by whatever way it came into the store. Remember the `cursor` of
    the last one that you dealt with, and pass it in the next run: nothing is missed or repeated in between.

    The providers are asked in runs of `sync`: twice as often after a run that found something, and half as often after
    one that did not, within the two bounds. An account that fails does not end it; see `on_report`.

    Args:
        hub: best made with `profile="bulk"`.
        store: the store to keep up to date.
        *targets: "tavus" for every Tavus account, "tavus/eu" for one; none for all.
        cursor: of the last change that you dealt with; None: the whole store comes first.
        since: see `sync`.
        redact: see `sync`.
        inbox: an open inbox, which is drained into the store meanwhile.
        drained: is updated with what the inbox brings.
        at_most_every: the shortest time between the end of a run and the next.
        at_least_every: the longest.
        on_report: is called with the report of every run.
        clock: the source of time, for tests.

    Raises:
        ConfigurationError: the bounds are no bounds; or see `sync`.
        InvalidRefError: the cursor is damaged, of another store, or of a later state than the store has.
        StoreError: see `sync` and `drain`.
        UnsupportedError: this kind of store does not remember changes, or cannot take what webhooks said.
    """
    if not timedelta(0) < at_most_every <= at_least_every:
        raise ConfigurationError("at_most_every must be more than 0, and no more than at_least_every")
    clock = clock or Clock()
    report = SyncReport()

    async def keep_up_to_date() -> None:
        nonlocal report
        pause = at_most_every
        while True:
            await sync(hub, store, *targets, since=since, all_pending=False, redact=redact, report=report, clock=clock)
            if on_report is not None:
                on_report(report)
            has_news = any(account.new or account.updated for account in report.accounts)
            pause = max(pause / 2, at_most_every) if has_news else min(pause * 2, at_least_every)
            await clock.sleep(pause.total_seconds())
            report = SyncReport()

    if inbox is not None and not isinstance(store, EventStore):
        raise UnsupportedError("this kind of store does not keep what webhooks said: watch it without an inbox")
    async with AsyncExitStack() as held:
        running: list[asyncio.Task[Any]] = []
        if inbox is not None and isinstance(store, EventStore):
            await held.enter_async_context(store.shared())
            work = drain(hub, store, inbox, follow=True, redact=redact, report=drained, clock=clock)
            running.append(asyncio.create_task(work))
        running.append(asyncio.create_task(keep_up_to_date()))
        held.push_async_callback(_end, running)
        while all(account.stage == "asking" for account in report.accounts):
            await _wait(running, clock)  # until the first run has made the store
        changes = await held.enter_async_context(aclosing(_changes(store, cursor, running, clock)))
        async for change in changes:
            yield change


async def _changes(
    store: ReadableStore, cursor: str | None, running: Sequence[asyncio.Task[Any]], clock: Clock
) -> AsyncGenerator[Change]:
    """Yield what changes, as long as these tasks run."""
    async with asking(store) as ask:
        while True:
            changes = await ask(partial(_some_after, cursor))
            for change in changes:
                yield change
                cursor = change.cursor
            if not changes:
                await _wait(running, clock)


async def _end(running: Sequence[asyncio.Task[Any]]) -> None:
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


async def _wait(running: Sequence[asyncio.Task[Any]], clock: Clock) -> None:
    """Wait until it is time to look at the store again; raise what ended one of the tasks."""
    waiting = asyncio.ensure_future(clock.sleep(_LOOK))
    try:
        await asyncio.wait([*running, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for task in running:
        if task.done():
            task.result()


def _some_after(cursor: str | None, reader: ChangeReader) -> list[Change]:
    return [*islice(reader.changes(cursor), _BATCH)]
