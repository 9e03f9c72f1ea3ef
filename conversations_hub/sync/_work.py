"""Work on the accounts of a store that many processes share: each takes what is due, and lets it go again.

    store = PostgresStore("postgresql://hub@db.example.com/calls")
    async with Hub.from_env(profile="bulk") as hub:
        report = await work(hub, store, run=partial(sync, since=datetime(2026, 1, 1, tzinfo=UTC)))

Any number of such processes share the accounts. One that is killed or frozen loses its accounts to the others.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, Protocol

from .._concurrency import run_all
from .._transport import Clock
from ..hub import Hub
from ..stores._shared import Lease, Shared
from ..stores._store import Store
from ._accounts import accounts_of
from ._report import SyncReport
from ._run import sync

__all__ = ["next_look", "work"]

_LOOK: Final = 5.0  # seconds until an idle worker asks again what is due
_WANTED: Final = 10  # new conversations in each run
_LEAST: Final = timedelta(minutes=1)
_MOST: Final = timedelta(minutes=60)


class Run(Protocol):
    """What brings one account of a store up to date, as `sync` does."""

    async def __call__(
        self,
        hub: Hub,
        store: Store,
        /,
        *targets: str,
        all_pending: bool,
        report: SyncReport | None,
        clock: Clock | None,
    ) -> SyncReport: ...


async def work(
    hub: Hub,
    store: Shared,
    *targets: str,
    follow: bool = False,
    run: Run = sync,
    on_report: Callable[[SyncReport], None] | None = None,
    clock: Clock | None = None,
) -> SyncReport:
    """Bring accounts of a shared store up to date, each when it is due, until none is; return one report of all.

    An account is due again when about ten new conversations are to be expected: after a minute at least and an hour at
    most, and after no more than twice the time that it was idle before. One with conversations that are not ready is
    due when the first of them settles.

    Args:
        hub: best made with `profile="bulk"`.
        store: the store to fill; it is opened here, and closed.
        *targets: "tavus" for every Tavus account, "tavus/eu" for one; none for all.
        follow: go on for ever, until cancelled.
        run: what brings an account up to date: `sync`, or `partial(sync, since=…)`. It is called with
            `all_pending=False`, because its runs follow each other closely.
        on_report: is called with the report of each run.
        clock: the source of time, for tests.

    Raises:
        StoreError: the store cannot be written.
        ConfigurationError: the hub does not have this provider or account.
        InvalidRefError: a malformed target, or one that names only part of an account.
    """
    clock = clock or Clock()
    accounts = set(accounts_of(hub, targets))
    done = SyncReport()

    async def one(lease: Lease) -> None:
        report = await run(hub, store, lease.account, all_pending=False, report=None, clock=clock)
        if not follow:
            done.add(report)
        if on_report is not None:
            on_report(report)
        await store.free(lease.account, next_look(sum(account.new for account in report.accounts), lease.idle))

    async def one_after_another() -> None:
        while True:
            lease = await store.claim(accounts)
            if lease is not None:
                if not follow:
                    accounts.discard(lease.account)  # it may be due again before the others are done
                await one(lease)
            elif follow:
                await clock.sleep(_LOOK)
            else:
                return

    async with store.shared():
        at_once = min(hub.accounts_at_once, len(accounts))
        await run_all((one_after_another() for _ in range(at_once)), at_once)
    return done


def next_look(new: int, idle: timedelta | None) -> timedelta:
    """Return after what time to look at an account again that had so many new conversations since it was idle."""
    if idle is None:
        return _LEAST
    wanted = idle * _WANTED / new if new else _MOST
    return max(_LEAST, min(wanted, 2 * idle, _MOST))
