"""Workers on one Postgres store, as processes that are killed and frozen."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sys
import time
from datetime import datetime, timedelta
from functools import partial

import asyncpg
import msgspec

from conversations_hub import Account, Hub
from conversations_hub._transport import Clock
from conversations_hub.stores.postgres import PostgresStore
from conversations_hub.stores.postgres._address import Address
from conversations_hub.stores.postgres._connection import connect
from conversations_hub.sync import SyncReport, sync, work

from .crash import PROVIDERS

__all__ = ["TTL", "asked", "brought", "is_done", "rows_in", "toil"]

TTL = 1.0  # seconds
_HASTE = 20  # so that a second of work is committed in many pieces


def _hub(accounts: int) -> Hub:
    """Return a hub with so many accounts of the simulator that the environment names."""
    each = [
        Account(name, name=f"a{number}", key=_told(name, "API_KEY"), base_url=_told(name, "BASE_URL"))
        for number in range(accounts)
        for name in PROVIDERS
    ]
    return Hub(each[:accounts], profile="bulk", accounts_at_once=4)


def _told(provider: str, what: str) -> str:
    return os.environ[f"{provider.upper()}_{what}"]


def toil(url: str, accounts: int, until: datetime, last: int = sys.maxsize) -> None:
    """Work on what is due, and write the report and how many turns of the loop it took; the `last` turn is fatal."""
    turns = 0

    class Counting(selectors.DefaultSelector):
        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            nonlocal turns
            turns += 1
            if turns == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return super().select(timeout)

    async def working() -> SyncReport:
        store = PostgresStore(url, partitions=2, ttl=timedelta(seconds=TTL))
        clock = Clock(monotonic=lambda: time.monotonic() * _HASTE)
        async with _hub(accounts) as hub:
            return await work(hub, store, run=partial(sync, until=until), clock=clock)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Counting())) as runner:
        report = runner.run(working())
    sys.stdout.write(msgspec.json.encode(report.to_dict() | {"turns": turns}).decode())
    sys.stdout.flush()


def brought(url: str, accounts: int, until: datetime) -> None:
    """Bring all accounts into a store, undisturbed and alone."""

    async def bringing() -> None:
        async with _hub(accounts) as hub:
            report = await sync(hub, PostgresStore(url, partitions=2), until=until)
            assert report.complete, str(report)

    asyncio.run(bringing())


async def asked(url: str, question: str, *values: object) -> list[asyncpg.Record]:
    """Return the answer of a store's database to a question."""
    connection = await connect(Address(url))
    try:
        return await connection.fetch(question, *values)
    finally:
        await connection.close()


def is_done(url: str, accounts: int, until: datetime) -> bool:
    """Whether each account was brought to its end; one that failed in the middle is made due at once."""
    try:
        asyncio.run(asked(url, _AGAIN, until))
        return len(asyncio.run(asked(url, _DONE, until))) == accounts
    except asyncpg.UndefinedTableError:
        return False


_WHOLE = """
owner IS NULL AND freed_at < due AND coalesce((progress #>> '{covered,until}')::timestamptz = $1, false)
"""
_DONE = f"SELECT FROM accounts WHERE {_WHOLE}"
_AGAIN = f"UPDATE accounts SET due = now() WHERE owner IS NULL AND freed_at < due AND NOT ({_WHOLE})"  # noqa: S608


def rows_in(url: str) -> dict[tuple[str, str], tuple[object, ...] | None]:
    """Return all that a store holds, by account and id; None: the provider has not said all of it yet."""
    question = (
        "SELECT account, id, settles_at, status, at, turns, duration, row_print, content_print, said::text"
        " FROM conversations"
    )
    rows = asyncio.run(asked(url, question))
    return {(account, id): None if settles_at else tuple(facts) for account, id, settles_at, *facts in rows}
