"""SQLite stores: open, fill and read them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from conversations_hub.schema import Conversation
from conversations_hub.stores._store import Checkpoint, Written
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader

from .entries import ACCOUNT, entry

__all__ = ["kept_in", "opened", "stored"]


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[SQLiteStore]:
    store = SQLiteStore(path)
    await store.open({})
    try:
        yield store
    finally:
        await store.close()


async def kept_in(path: Path, *conversations: Conversation) -> Written:
    async with opened(path) as store:
        return await store.commit(ACCOUNT, [entry(one) for one in conversations], Checkpoint())


def stored(path: Path) -> dict[str, Conversation]:
    with SQLiteReader(path) as archive:
        return {one.ref: one for one in archive.conversations()}
