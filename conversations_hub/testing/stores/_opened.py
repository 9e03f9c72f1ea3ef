"""A store while it is open, which ends also with a check that fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from ...stores import ReadableStore

__all__ = ["opened"]


@asynccontextmanager
async def opened(store: ReadableStore) -> AsyncGenerator[ReadableStore]:
    try:
        await store.open({})
        yield store
    finally:
        await store.close()
