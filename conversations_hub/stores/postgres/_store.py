"""The Postgres store: one database that many workers fill together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from datetime import datetime, timedelta
from functools import partial
from typing import Final, TypeVar

import asyncpg
import msgspec

from ..._background import Background
from ..._transport import Clock
from ...errors import StoreError
from ...schema import Conversation
from .._reconcile import beyond
from .._shared import Lease
from .._store import Checkpoint, Entry, StoredVersion, Written
from .._told import added_to, both, entry_of, told_of, told_text
from . import _rows as rows
from ._address import Address
from ._connection import Connection, connect, is_passing, using
from ._layout import has_tables, prepare
from ._leases import Leases
from ._reader import PostgresReader
from ._tables import STAGED

__all__ = ["PostgresStore"]

T = TypeVar("T")
Work = Callable[[Connection], Awaitable[T]]

_CONNECTIONS: Final = 4  # accounts are fetched side by side, and written side by side
_LEAST_TTL: Final = timedelta(seconds=1)
_LONGEST: Final = 60.0  # seconds that a server may take for an answer
_PAUSES: Final = (0.1, 0.4, 1.5, 4.0, 8.0, 8.0, 8.0)  # seconds between attempts while the server is away


class PostgresStore:
    """A store in a schema of a Postgres database (13 or newer), which any number of processes fill and read together.

    An account is written by one process at a time, which holds a lease for it: `progress` takes it, and `close` lets it
    go. A process that stops, or is cut off, loses it after `ttl`. A commit survives the death of the process, of the
    server and of its machine, as far as Postgres is told to (`synchronous_commit`).

    If the server is away, as when it is started again, work is tried again for half a minute before it fails.

    Args:
        url: Where it is: see `Address`. Its password is never shown.
        partitions: How many tables a new store is spread over: 16 for up to a hundred million conversations. It is
            fixed when the store is made.
        ttl: How long a lease lasts without a sign of life, a second at least.
        clock: The source of time, for tests.
    """

    def __init__(
        self,
        url: str | Address,
        *,
        partitions: int = 16,
        ttl: timedelta = timedelta(seconds=60),
        clock: Clock | None = None,
    ) -> None:
        self.address: Final = Address(url) if isinstance(url, str) else url
        self._partitions = partitions
        self._ttl = max(ttl, _LEAST_TTL)
        self._clock = clock or Clock()
        self._opened = 0
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None
        self._leases = Leases(self._ttl)
        self._salt = b""
        self._renewing: asyncio.Task[None] | None = None

    def __str__(self) -> str:
        return str(self.address)

    def __repr__(self) -> str:
        return f"PostgresStore({self.address})"

    def exists(self) -> bool:
        """See `ReadableStore.exists`. It waits for the server."""

        async def ask() -> bool:
            connection = await connect(self.address)
            try:
                return await has_tables(connection, self.address)
            finally:
                await connection.close()

        background = Background("conversations_hub postgres")  # a loop may run in this thread
        with using(self.address), closing(background):
            return background.run(ask())

    def reader(self) -> PostgresReader:
        """See `ReadableStore.reader`. Any number of readers may read while others write."""
        return PostgresReader(self.address)

    async def open(self, terms: Mapping[str, str]) -> None:
        """See `Store.open`. Any run may resume another one, if it redacts and keeps raw payloads alike."""
        self._opened += 1
        make = partial(prepare, address=self.address, partitions=self._partitions, terms=terms)
        if self._pool is not None:
            self._salt = await self._do(make)
            return
        with using(self.address):
            connection = await connect(self.address)
            try:
                self._salt = await make(connection)
            finally:
                await connection.close()
            self._pool = await self._connected()
        self._renewing = asyncio.create_task(self._renew())

    async def _connected(self) -> asyncpg.Pool[asyncpg.Record]:
        """Return connections, which are made when they are needed, and replaced when they are lost."""
        # A frozen process would hold up the next owner of its account, so the server ends its transaction.
        idle = f"{self._ttl.total_seconds():.0f}s"
        return await asyncpg.create_pool(
            **self.address.options(idle_in_transaction_session_timeout=idle),
            min_size=0,
            max_size=_CONNECTIONS,
            max_cached_statement_lifetime=0,
            init=self._begin,
            timeout=_LONGEST,
            command_timeout=_LONGEST,
        )

    @asynccontextmanager
    async def shared(self) -> AsyncGenerator[None]:
        """See `Shared.shared`."""
        try:
            await self.open({})
            yield
        finally:
            await self.close()

    async def close(self) -> None:
        """See `Store.close`. The accounts are let go."""
        self._opened = max(0, self._opened - 1)
        pool, renewing = self._pool, self._renewing
        if self._opened or pool is None or renewing is None:
            return
        renewing.cancel()
        self._pool = self._renewing = None
        with suppress(StoreError), using(self.address):  # the leases run out by themselves
            async with pool.acquire(timeout=_PAUSES[-1]) as connection:
                await self._leases.free_all(connection)
        with suppress(StoreError), using(self.address):
            await asyncio.wait_for(pool.close(), _PAUSES[-1])

    async def claim(self, accounts: Collection[str]) -> Lease | None:
        """See `Shared.claim`."""
        return await self._do(lambda one: self._leases.claim(one, accounts))

    async def free(self, account: str, wait: timedelta) -> None:
        """See `Shared.free`."""
        await self._do(lambda one: self._leases.free(one, account, wait))

    async def progress(self, account: str) -> Checkpoint:
        """See `Store.progress`."""
        text = await self._do(lambda one: self._leases.take(one, account))
        return Checkpoint() if text is None else msgspec.json.decode(text, type=Checkpoint)

    async def kept(self, account: str, ids: Sequence[str]) -> Mapping[str, StoredVersion]:
        """See `Store.kept`."""
        return await self._do(lambda one: rows.kept(one, self._salt, account, ids))

    async def unsettled(self, account: str) -> Mapping[str, StoredVersion]:
        """See `Store.unsettled`."""
        return await self._do(lambda one: rows.unsettled(one, account))

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        """See `Store.commit`. What webhooks told of a conversation is added to what was fetched."""
        if progress is not None and self._leases.is_new(account):
            await self.progress(account)
        text = None if progress is None else msgspec.json.encode(progress).decode()
        by_id = {entry.conversation.id: entry for entry in entries}

        async def work(one: Connection) -> Written:
            there = await rows.known(one, account, [*by_id])
            earlier = {id: known.earlier for id, known in there.items()}
            told = [id for id, known in earlier.items() if known.told and known.content != by_id[id].kept.content_hash]
            stored = await rows.whole(one, account, told)
            wanted = [
                added_to(entry, earlier[id], partial(stored.__getitem__, id)) if id in stored else entry
                for id, entry in by_id.items()
            ]
            if text is None:
                await rows.add(one, account)
            staged = await asyncio.to_thread(rows.staged, wanted, there)  # the loop serves other accounts meanwhile
            async with _together(one):
                await rows.stage(one, staged)
                await (rows.lock(one, account) if text is None else self._leases.hold(one, account, text))
                return await rows.write(one, self._salt, account, wanted, there)

        return await self._do(work)

    async def put_told(self, account: str, *, told: Conversation | None, fetched: Conversation | None) -> Written:
        """See `EventStore.put_told`. It needs no lease: a sync of the account goes on beside it."""
        given = fetched or told
        if given is None:
            return Written()
        id = given.id

        async def work(one: Connection) -> Written:
            there = await rows.known(one, account, [id])
            before = (await rows.kept(one, self._salt, account, [id])).get(id, StoredVersion(b"", b"", None))
            stored, all_told = None, told
            if id in there:
                stored = msgspec.structs.replace((await rows.whole(one, account, [id]))[id], issues=())
                all_told = both(told_of(there[id].earlier.told, given), told)
            entry = entry_of(stored, all_told, fetched, before)
            await rows.add(one, account)
            left = all_told if all_told is None or fetched is None else beyond(all_told, fetched)
            async with _together(one):
                await rows.stage(one, rows.staged([entry], there))
                await rows.lock(one, account)
                written = await rows.write(one, self._salt, account, [entry], there)
                await rows.note_told(one, account, id, told_text(left))
                return written

        return await self._do(work)

    async def told_since(self, account: str, since: datetime) -> tuple[int, int]:
        """See `EventStore.told_since`."""
        return await self._do(lambda one: rows.told_since(one, account, since))

    async def vanished(self, account: str, listed: Collection[str], now: datetime) -> Sequence[str]:
        """See `Store.vanished`."""
        if self._leases.is_new(account):
            await self.progress(account)
        names = frozenset(listed)

        async def work(one: Connection) -> Sequence[str]:
            gone, newly, back = await rows.gone(one, account, names)
            async with _together(one):
                await self._leases.hold(one, account)
                if newly or back:
                    await rows.note_gone(one, account, newly, back, now)
            return gone

        return await self._do(work)

    async def finish(self, unreadable: Mapping[str, int] | None = None) -> None:
        """See `Store.finish`. There is nothing to complete: every commit already is."""

    async def _begin(self, connection: Connection) -> None:
        """Make a new connection ready for commits."""
        await connection.execute(STAGED)
        rehearsal = connection.transaction()
        await rehearsal.start()
        await self._leases.rehearse(connection)
        await rows.rehearse(connection)
        await rehearsal.rollback()

    async def _renew(self) -> None:
        """Renew the leases, as a commit may not come for long; if that fails, a commit will say so."""
        while True:
            await self._clock.sleep(self._ttl.total_seconds() / 3)
            with suppress(StoreError):
                await self._do(self._leases.renew)

    async def _do(self, work: Work[T]) -> T:
        """Do some work; again if another process was in the way or the server away, as all work may be done twice."""
        with using(self.address):
            for pause in _PAUSES:
                try:
                    return await self._once(work)
                except rows.OvertakenError:
                    continue
                except Exception as error:
                    if not is_passing(error):
                        raise
                await self._clock.sleep(pause)
            return await self._once(work)

    async def _once(self, work: Work[T]) -> T:
        if self._pool is None:
            raise StoreError("the store is not open")
        async with self._pool.acquire() as connection:
            return await work(connection)


def _together(connection: Connection) -> AbstractAsyncContextManager[object]:
    """Write all or nothing; what is read after a row was locked is as it is then."""
    return connection.transaction(isolation="read_committed")
