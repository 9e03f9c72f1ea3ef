"""What changed in a store, as targets hear of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Final

import msgspec

from ..errors import NotFoundError
from ..redaction._redactors import Redact
from ..schema import Conversation
from ..stores._thread import Thread
from ..stores.sqlite import SQLiteReader, SQLiteStore
from ._outbox import News
from ._target import ForwardTarget

__all__ = ["Source", "reading"]

_BATCH: Final = 200  # changes


@asynccontextmanager
async def reading(store: SQLiteStore, redact: Sequence[Redact]) -> AsyncGenerator[Source]:
    """Open a store for reading, in a thread of its own."""
    thread = Thread()
    reader = await thread.do(store.reader)
    try:
        yield Source(reader, thread, redact)
    finally:
        await thread.end(reader.close)


class Source:
    """An open store."""

    def __init__(self, reader: SQLiteReader, thread: Thread, redact: Sequence[Redact]) -> None:
        self._reader = reader
        self._thread = thread
        self._redact = redact

    async def news(self, target: ForwardTarget, cursor: str | None) -> tuple[list[News], str | None]:
        """Return what a target is to hear of after a cursor, some of it, and where that ends; None: nothing changed."""
        return await self._thread.do(partial(self._news, target, cursor))

    def _news(self, target: ForwardTarget, cursor: str | None) -> tuple[list[News], str | None]:
        found: list[News] = []
        end = None
        for change in islice(self._reader.changes(cursor), _BATCH):
            end = change.cursor
            event = f"evt_{sha256(f'{target.name} {end}'.encode()).hexdigest()[:32]}"
            if change.conversation is None:
                found.append(News(event=event, digest=change.erased or "", ref=None))
            elif target.wants(change.conversation):
                ref = change.conversation.ref
                found.append(News(event=event, digest=self._reader.digest(ref), ref=ref))
        return found, end

    async def end(self) -> str:
        """Return the cursor after everything that is there."""
        return await self._thread.do(self._reader.end_of_changes)

    async def get(self, ref: str) -> Conversation | None:
        """Return a conversation as targets may see it; None: it is not there any more."""
        return await self._thread.do(partial(self._get, ref))

    def _get(self, ref: str) -> Conversation | None:
        try:
            found = self._reader.get(ref)
        except NotFoundError:
            return None
        for redact in self._redact:
            found = redact(found)
        return msgspec.structs.replace(found, raw=None)
