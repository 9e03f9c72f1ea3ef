"""A sync that is cancelled at any step, once or again and again: whatever it took is given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from conversations_hub import Account, Hub
from conversations_hub.errors import StoreError
from conversations_hub.stores import Store
from conversations_hub.stores._thread import Thread
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync

from ..support.server import serving
from ..support.tavus_server import Tavus

STORES = pytest.mark.parametrize("make", [SQLiteStore, JSONLStore], ids=["SQLite", "JSON lines"])
Make = Callable[[Path], Store]


async def _cancelled(running: asyncio.Task[object], *, again: int) -> None:
    """Cancel a task as a cancel scope does that repeats itself until the task is done."""
    for _ in range(again):
        running.cancel()
        await asyncio.sleep(0)
        if running.done():
            break
    await asyncio.gather(running, return_exceptions=True)


@STORES
@pytest.mark.parametrize("again", [1, 1000])
async def test_cancelled_at_any_step_it_gives_its_store_back(tmp_path: Path, make: Make, again: int) -> None:
    async with serving(Tavus(3)) as server, Hub([Account("tavus", key="key", base_url=server.url)]) as hub:
        for steps in [*range(12), 20, 40, 80]:
            running: asyncio.Task[object] = asyncio.create_task(sync(hub, make(tmp_path / "kept")))
            for _ in range(steps):
                await asyncio.sleep(0)
            await _cancelled(running, again=again)
            store = make(tmp_path / "kept")
            await store.open({"accounts": "tavus/default"})
            await store.close()
        assert (await sync(hub, make(tmp_path / "kept"))).complete


@STORES
async def test_a_store_whose_lock_another_has_takes_nothing(tmp_path: Path, make: Make) -> None:
    holder = make(tmp_path / "kept")
    await holder.open({})
    other = make(tmp_path / "kept")
    with pytest.raises(StoreError, match="another sync is running"):
        await other.open({})
    await other.close()
    await holder.close()
    await other.open({})
    await other.close()


async def test_work_that_nobody_waits_for_any_more_is_done_in_its_turn() -> None:
    thread, done = Thread(), list[str]()
    first = asyncio.create_task(thread.do(lambda: done.append("first")))
    second = asyncio.create_task(thread.do(lambda: done.append("second")))
    await asyncio.sleep(0)
    first.cancel()
    second.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    await thread.end(lambda: done.append("last"))
    assert done == ["first", "second", "last"]
    await thread.end(lambda: done.append("never"))
    assert await thread.do(lambda: "anew") == "anew"
    await thread.end(lambda: None)
