"""A sync fetches all the time, in seconds of a clock that costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from conversations_hub import Account, Hub
from conversations_hub.stores import Checkpoint, Entry, Written
from conversations_hub.sync import sync

from ..support.server import Answer, Asked, serving
from ..support.tavus_server import Tavus
from ..support.virtual_time import StoreAtOnce, WiredLoop

_LATENCY = 0.05  # seconds
_COMMIT = 0.5
_PLACES = 16


class _Slow(StoreAtOnce):
    """A store that takes a while for each commit, and knows whether one is under way."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.is_committing = False

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        assert not self.is_committing
        self.is_committing = True
        await asyncio.sleep(_COMMIT)
        self.is_committing = False
        return await super().commit(account, entries, progress)


async def test_details_are_fetched_while_a_commit_is_written(loop: WiredLoop, tmp_path: Path) -> None:
    provider, store, asked_meanwhile = Tavus(800), _Slow(tmp_path / "c.db"), 0

    async def distant(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        nonlocal asked_meanwhile
        asked_meanwhile += store.is_committing
        await asyncio.sleep(_LATENCY)
        return await provider(asked, writer)

    async with (
        serving(distant) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], profile="bulk", clock=loop.clock()) as hub,
    ):
        report = await sync(hub, store, clock=loop.clock())
    assert report.complete
    # Fetching takes three seconds, into which two commits fall.
    assert asked_meanwhile > 0.8 * 2 * _PLACES * _COMMIT / _LATENCY
