"""Drain an inbox beside a sync, if the command has one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..hub import Hub
from ..redaction import Redact
from ..stores import EventStore, ReadableStore
from ..sync import DrainReport, Inbox, count_webhooks, drain

__all__ = ["draining"]

_BODIES = timedelta(hours=24)


@asynccontextmanager
async def draining(
    path: Path | None,
    hub: Hub,
    store: ReadableStore,
    report: DrainReport,
    *,
    redact: tuple[Redact, ...],
    recordings: Path | None,
    any_host: bool,
    follow: bool,
) -> AsyncGenerator[None]:
    """Drain an inbox into a store while the block runs, or once before it; without a path, only run the block.

    Raises `StoreError` at the end if the drain could not go on.
    """
    if path is None or not isinstance(store, EventStore):
        yield
        return
    async with Inbox(path, keep_bodies=timedelta(0) if redact else _BODIES) as inbox, store.shared():
        work = drain(
            hub,
            store,
            inbox,
            follow=follow,
            redact=redact,
            recordings=recordings,
            allow_any_public_host=any_host,
            report=report,
        )
        if not follow:
            await work
            yield
        else:
            following = asyncio.create_task(work)
            try:
                yield
            finally:
                following.cancel()
                [end] = await asyncio.gather(following, return_exceptions=True)
            if isinstance(end, Exception):
                raise end
        await count_webhooks(store, inbox, report, datetime.now(UTC))
