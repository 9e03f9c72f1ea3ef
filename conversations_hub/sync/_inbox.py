"""An inbox: webhook deliveries on disk, each once, from their acknowledgement until they are in a store."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from .._instants import check_instant, earlier
from .._refs import Ref
from ..errors import ConfigurationError, HubError, StoreError
from ..stores._thread import Thread, retrieve_error
from ..stores.sqlite._connection import using
from ._delivery import Delivery
from ._inbox_file import DeliveryState, Due, Entry, InboxFile, KeptEvent, entries_of
from ._inbox_listing import DeadPage, InboxStatus

__all__ = ["Inbox"]

T = TypeVar("T")

_QUIET: Final = 2.0  # seconds; the events of a call's end come together
_LONGEST: Final = 15.0
_UPDATES: Final = 30.0


class Inbox:
    """Keeps webhook deliveries in a SQLite file, each event once; open it with `async with`.

    Any number of processes may keep deliveries in one file. Use each inbox in one event loop; it works in its own
    thread. Until a delivery is in the store, the file holds its body as it was sent; it is readable by its owner only.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        keep_bodies: timedelta = timedelta(hours=24),
        keep_ids: timedelta = timedelta(days=7),
    ) -> None:
        """Name the file; nothing is opened yet.

        `keep_bodies` is how long the body of what is done is kept, to be replayed; `keep_ids` is how long the ids are,
        so that a delivery that comes again is known. What is dead is kept until it is replayed or erased.

        Raises `ConfigurationError` for a negative span, and if bodies are kept longer than ids.
        """
        if not timedelta(0) <= keep_bodies <= keep_ids:
            raise ConfigurationError("keep_bodies must be 0 or more, and no more than keep_ids")
        self.path: Path = Path(path)
        self._keep_bodies = keep_bodies
        self._keep_ids = keep_ids
        self._thread = Thread()
        self._file: InboxFile | None = None
        self._waiting: list[tuple[list[Entry], asyncio.Future[None]]] = []
        self._committing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Open the file; raises `StoreError` if it cannot be opened, or is something else."""
        try:
            self._file = await self._do(partial(InboxFile, self.path))
        except BaseException:
            await self._thread.end(lambda: None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Commit what is waiting, and release the file."""
        if self._committing is not None:
            await asyncio.wait([self._committing])
        file, self._file = self._file, None
        if file is not None:
            await self._thread.end(file.close)

    async def keep(self, delivery: Delivery) -> None:
        """Keep a delivery; when this returns, it is on the disk.

        Deliveries that come at the same time are committed together. Once begun, a delivery is kept even if the caller
        is cancelled.

        Raises:
            StoreError: it could not be kept. If the disk is full, the next one may be; if the disk failed, none is
                until the inbox is opened again.
        """
        self._open()
        entries = entries_of(delivery)
        if not entries:
            return
        kept = asyncio.get_running_loop().create_future()
        kept.add_done_callback(retrieve_error)
        self._waiting.append((entries, kept))
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        await asyncio.shield(kept)

    async def _commit(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                reason: str | None = None
                try:
                    await self._do(partial(self._open().add, [row for entries, _ in batch for row in entries]))
                except HubError as error:
                    reason = error.reason
                except Exception as bug:  # noqa: BLE001  (nobody may wait for ever)
                    reason = f"{self.path}: internal error ({type(bug).__name__})"
                for _, kept in batch:
                    if kept.done():
                        continue
                    if reason is None:
                        kept.set_result(None)
                    else:
                        kept.set_exception(StoreError(reason))
        finally:
            self._committing = None

    async def status(self) -> InboxStatus:
        """Return how much is new, done and dead."""
        return await self._do(self._open().status)

    async def dead(self, *, limit: int = 50, cursor: str | None = None) -> DeadPage:
        """Return a page of the events that are dead, what came last first; `cursor` is that of a page before.

        Raises:
            InvalidRefError: the cursor is damaged.
        """
        return await self._do(partial(self._open().dead, limit, cursor))

    @property
    def is_lost(self) -> bool:
        """Whether the disk failed, so that nothing is kept until the inbox is opened again."""
        return self._file is not None and self._file.is_lost

    async def replay(
        self, *, endpoint: str | None = None, since: datetime | None = None, state: DeliveryState | None = None
    ) -> int:
        """Make deliveries new again, and return how many events they hold; those whose body was dropped stay.

        Args:
            endpoint: only those of this endpoint.
            since: only those received at this instant or later, aware.
            state: only `done` or `dead` ones.
        """
        check_instant("since", since)
        return await self._do(partial(self._open().replay, endpoint, since, state))

    async def erase(self, *refs: str) -> int:
        """Delete what came about conversations, and return how many events that were.

        Raises:
            InvalidRefError: a malformed ref.
            StoreError: it cannot be written.
        """
        parsed = [(ref.target.provider, ref.target.account or "default", ref.id) for ref in map(Ref.parse, refs)]
        return await self._do(partial(self._open().erase, parsed))

    async def accounts(self) -> Sequence[str]:
        """Return the accounts that have new deliveries, as "provider/account"."""
        return await self._do(self._open().accounts)

    async def due(self, account: str, now: datetime, *, at_once: bool = False, most: int = 64) -> Sequence[Due]:
        """Return the conversations of an account that events came about, the longest waiting first.

        The events of a conversation are gathered until none came for two seconds, for fifteen seconds at most, and
        mere updates for thirty seconds; with `at_once` they are not.
        """
        spans = dict.fromkeys(("quiet", "longest", "updates"), 0.0)
        if not at_once:
            spans = {"quiet": _QUIET, "longest": _LONGEST, "updates": _UPDATES}
        return await self._do(partial(self._open().due, account, now, most=most, **spans))

    async def kept(self, due: Due) -> Sequence[KeptEvent]:
        """Return the new deliveries about a conversation, in the order in which they came."""
        return await self._do(partial(self._open().kept, due))

    async def settle(
        self, kept: Sequence[KeptEvent], now: datetime, *, state: DeliveryState = "done", error: str | None = None
    ) -> None:
        """Note that deliveries are done or dead; one whose content has been replaced meanwhile stays new."""
        await self._do(partial(self._open().settle, kept, state, now, error))
        if not self._keep_bodies:
            await self.sweep(now)

    async def postpone(self, kept: Sequence[KeptEvent], until: datetime, *, attempts: int, error: str) -> None:
        """Note that deliveries are due again at an instant, and how often they were tried."""
        await self._do(partial(self._open().postpone, kept, until, attempts, error))

    async def sweep(self, now: datetime) -> None:
        """Drop what has been kept for long enough."""
        bodies, ids = earlier(now, self._keep_bodies), earlier(now, self._keep_ids)
        await self._do(partial(self._open().sweep, bodies, ids))

    async def since(self) -> dict[str, datetime]:
        """Return since when deliveries are kept here, UTC, by "provider/account"."""
        return await self._do(self._open().since)

    def _open(self) -> InboxFile:
        if self._file is None:
            raise StoreError(f"{self.path}: the inbox is not open; use `async with`")
        return self._file

    async def _do(self, work: Callable[[], T]) -> T:
        return await self._thread.do(partial(_run, self.path, work))


def _run(path: Path, work: Callable[[], T]) -> T:
    with using(path):
        return work()
