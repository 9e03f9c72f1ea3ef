"""The protocol of a store that webhooks can write to beside a sync."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Protocol, runtime_checkable

from ..schema import Conversation
from ._reader import ReadableStore
from ._store import Written

__all__ = ["EventStore"]


@runtime_checkable
class EventStore(ReadableStore, Protocol):
    """A store that keeps what webhooks told of a conversation beside what was fetched."""

    def shared(self) -> AbstractAsyncContextManager[None]:
        """Keep it open for several runs at once in this process, such as a sync and a drain, and lock out others.

        Their `open` and `close` then only check their options, and open it again after a failed commit.
        """
        ...

    async def put_told(self, account: str, *, told: Conversation | None, fetched: Conversation | None) -> Written:
        """Write what webhooks said about a conversation, and what was fetched then; both are redacted.

        What they said is kept beside the conversation and added to every later fetch, also by a sync, because no fetch
        may say it. Nothing that is stored gets thinner, and what was erased does not come back. The write survives a
        power loss.
        """
        ...

    async def told_since(self, account: str, since: datetime) -> tuple[int, int]:
        """Count finished conversations since an instant: those that webhooks reported, and those only in lists."""
        ...
