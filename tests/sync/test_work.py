"""Workers share the accounts of a store: each takes what is due, and says when it is due again."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest

from conversations_hub._transport import Clock
from conversations_hub.errors import AuthError, LeaseLostError
from conversations_hub.stores import Checkpoint, Lease
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import AccountSyncReport, SyncReport, sync, work
from conversations_hub.sync._work import next_look

from ..support.clock import NOW, at
from ..support.simulated import simulated

MINUTE = timedelta(minutes=1)


class _Shared(SQLiteStore):
    """A store whose accounts are due once, and again when they were let go so often."""

    def __init__(self, path: Path, *due: str, idle: timedelta | None = None, lost: str = "") -> None:
        super().__init__(path)
        self.due = [*due]
        self.freed: list[tuple[str, timedelta]] = []
        self.asked: set[str] = set()
        self._idle = idle
        self._lost = lost

    async def claim(self, accounts: Collection[str]) -> Lease | None:
        self.asked |= {*accounts}
        account = next((one for one in self.due if one in accounts), None)
        if account is None:
            return None
        self.due.remove(account)
        return Lease(account=account, idle=self._idle)

    async def progress(self, account: str) -> Checkpoint:
        if account == self._lost:
            raise LeaseLostError("another process has it")
        return await super().progress(account)

    async def free(self, account: str, wait: timedelta) -> None:
        self.freed.append((account, wait))


@pytest.mark.parametrize(
    ("new", "idle", "wait"),
    [
        (0, None, 1),
        (500, None, 1),
        (0, 1, 2),
        (0, 20, 40),
        (0, 40, 60),
        (0, 6000, 60),
        (10, 20, 20),
        (5, 20, 40),
        (1, 20, 40),
        (20, 20, 10),
        (600, 10, 1),
    ],
)
def test_about_ten_new_ones_are_waited_for(new: int, idle: float | None, wait: float) -> None:
    assert next_look(new, None if idle is None else idle * MINUTE) == wait * MINUTE


async def test_what_is_due_is_brought_up_to_date_once(tmp_path: Path) -> None:
    async with simulated("vapi", "retell", "tavus", conversations=20) as (hub, _):
        # One comes again before the others are done; it is left for the next run, or for others.
        store = _Shared(tmp_path / "c.db", "vapi/default", "tavus/default", "vapi/default", idle=MINUTE)
        told: list[SyncReport] = []
        report = await work(hub, store, "vapi", "retell", "tavus", on_report=told.append, clock=at(NOW))
        assert store.due == ["vapi/default"]
        alone = await sync(hub, SQLiteStore(tmp_path / "alone.db"), "vapi", "tavus", clock=at(NOW))
    assert store.asked == {"vapi/default", "retell/default", "tavus/default"}
    assert sorted(account.where for account in report.accounts) == ["tavus/default", "vapi/default"]
    assert report.complete
    assert {each.where: each.new for each in report.accounts} == {each.where: each.new for each in alone.accounts}
    accounts = [account for one in told for account in one.accounts]
    assert store.freed == [(account.where, next_look(account.new, MINUTE)) for account in accounts]


async def test_an_account_that_is_lost_or_fails_is_let_go_and_does_not_stop_the_others(tmp_path: Path) -> None:
    bad = {"RETELL_API_KEY": "bad"}
    async with simulated("vapi", "retell", "tavus", conversations=5, environ=bad) as (hub, _):
        due = ("vapi/default", "retell/default", "tavus/default")
        store = _Shared(tmp_path / "c.db", *due, idle=3 * MINUTE, lost="vapi/default")
        report = await work(hub, store, clock=at(NOW))
    ends = {account.where: (account.ended, account.lost, type(account.error)) for account in report.accounts}
    assert ends == {
        "vapi/default": (False, True, type(None)),
        "retell/default": (False, False, AuthError),
        "tavus/default": (True, False, type(None)),
    }
    assert {account for account, _ in store.freed} == set(due)
    assert dict(store.freed)["retell/default"] == 6 * MINUTE


async def test_with_follow_it_asks_again_and_again(tmp_path: Path) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            store.due += ["tavus/default"]
        if len(slept) == 9:
            working.cancel()
        await asyncio.sleep(0)

    async with simulated("tavus", conversations=5) as (hub, _):
        store = _Shared(tmp_path / "c.db", "tavus/default", "tavus/default")
        told: list[SyncReport] = []
        clock = Clock(now=lambda: NOW, monotonic=lambda: 0.0, sleep=sleep)
        working = asyncio.create_task(work(hub, store, follow=True, on_report=told.append, clock=clock))
        with pytest.raises(asyncio.CancelledError):
            await working
    assert [report.accounts[0].new for report in told] == [5, 0, 0]


async def test_each_run_is_as_the_caller_says(tmp_path: Path) -> None:
    async def run(_hub: object, _store: object, /, *targets: str, all_pending: bool, **_more: object) -> SyncReport:
        assert not all_pending
        report = SyncReport()
        report.accounts.append(AccountSyncReport(targets[0], new=7, ended=True))
        return report

    async with simulated("tavus", conversations=5) as (hub, _):
        store = _Shared(tmp_path / "c.db", "tavus/default", idle=7 * MINUTE)
        report = await work(hub, store, run=run, clock=at(NOW))
    assert [account.new for account in report.accounts] == [7]
    assert store.freed == [("tavus/default", 10 * MINUTE)]
