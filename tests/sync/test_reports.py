"""Reports of several runs add up, and go from process to process as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import msgspec
import pytest

from conversations_hub._transport import Clock
from conversations_hub.errors import AuthError, HubError, LeaseLostError, PartialError, ProviderError
from conversations_hub.schema import Issue
from conversations_hub.stores import Checkpoint, Entry, Window, Written
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import AccountSyncReport, SyncReport, sync

from ..support.clock import NOW, at
from ..support.simulated import simulated

WHERE = "vapi/default"


def filled() -> AccountSyncReport:
    """Return a report with something in each field."""
    report = AccountSyncReport(WHERE, share=0.5, elapsed=1.5, is_verified=False, lost=True)
    report.listed = report.fetched = report.new = report.bad = report.failed = 2
    report.walked(Window(None, datetime(2026, 11, 1, tzinfo=UTC)), dict.fromkeys(report.counts, 1))
    report.rejected.append(Issue("list", "a row without an id"))
    report.not_loaded.append(f"{WHERE}:c1")
    report.vanished.append(f"{WHERE}:c2")
    report.failures["OutageError"] += 3
    report.warnings["calls that never connected"] = None
    report.unlisted["web calls"] = None
    report.error = AuthError("the key was refused")
    return report


def test_a_report_is_the_same_after_json() -> None:
    report = SyncReport()
    report.accounts.append(filled())
    report.redacted["phone"] = 4
    text = json.dumps(report.to_dict())
    read = SyncReport.from_dict(json.loads(text))
    assert json.dumps(read.to_dict()) == text
    assert str(read) == str(report)
    assert type(read.accounts[0].error) is AuthError


@pytest.mark.parametrize("kind", [PartialError.__name__, "ClassVar", "AuthError2", "__doc__"])
def test_an_error_of_an_unknown_kind_is_an_error(kind: str) -> None:
    values = filled().to_dict() | {"error": {"kind": kind, "reason": "no"}}
    read = AccountSyncReport.from_dict(values)
    assert (type(read.error), str(read.error)) == (HubError, "no")


@pytest.mark.parametrize("wrong", [{"new": "2"}, {"warnings": None}, {"error": {"kind": 1}}, {"failures": {"a": "b"}}])
def test_what_is_no_report_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(msgspec.ValidationError):
        AccountSyncReport.from_dict(filled().to_dict() | wrong)


def test_numbers_add_up_and_the_last_run_says_how_it_ended() -> None:
    first, second = SyncReport(), SyncReport()
    first.accounts += [filled(), AccountSyncReport("retell/default", ended=True)]
    second.accounts += [AccountSyncReport(WHERE, new=5, elapsed=1.0, ended=True)]
    first.redacted["phone"], second.redacted["phone"] = 1, 2
    both = SyncReport.merged([first, second])
    assert [account.where for account in both.accounts] == [WHERE, "retell/default"]
    one = both.accounts[0]
    assert (one.new, one.failed, one.elapsed, len(one.windows)) == (7, 2, 2.5, 1)
    assert (one.ended, one.lost, one.error, one.vanished) == (True, False, None, [])
    assert [*one.warnings] == ["calls that never connected"]
    assert both.redacted == {"phone": 3}
    assert first.to_dict()["accounts"][0] == filled().to_dict()


def test_a_run_that_lost_the_account_does_not_say_how_it_ended() -> None:
    ended, failed, lost = (SyncReport() for _ in range(3))
    ended.accounts.append(AccountSyncReport(WHERE, new=1, ended=True))
    failed.accounts.append(AccountSyncReport(WHERE, new=1, error=ProviderError("no")))
    lost.accounts.append(AccountSyncReport(WHERE, new=1, lost=True))
    for earlier, state in ((ended, (True, False)), (failed, (False, False)), (lost, (False, True))):
        [one] = SyncReport.merged([earlier, lost]).accounts
        assert (one.ended, one.lost, one.error) == (*state, earlier.accounts[0].error)
        assert one.new == 2


class _Taken(SQLiteStore):
    """A store that another process takes an account of, at its nth commit."""

    def __init__(self, path: Path, commits: int) -> None:
        super().__init__(path)
        self._left = commits

    async def progress(self, account: str) -> Checkpoint:
        if not self._left and account == WHERE:
            raise LeaseLostError("another worker has it now")
        return await super().progress(account)

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        if account == WHERE:
            self._left -= 1
            if self._left < 0:
                raise LeaseLostError("another worker has it now")
        return await super().commit(account, entries, progress)


@pytest.mark.parametrize("commits", [0, 1, 2])
async def test_an_account_that_was_lost_ends_alone(commits: int, tmp_path: Path) -> None:
    async with simulated("vapi", "retell", conversations=20) as (hub, _):
        often = Clock(monotonic=count(step=0.5).__next__, now=lambda: NOW)  # so that there are many commits
        report = await sync(hub, _Taken(tmp_path / "c.db", commits), clock=often)
        lost, other = sorted(report.accounts, key=lambda one: not one.lost)
        assert (lost.where, lost.lost, lost.ended, lost.error) == (WHERE, True, False, None)
        assert "another process has the account now" in str(lost)
        assert other.ended
        assert not other.lost
        again = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(NOW))
    assert all(account.ended for account in again.accounts)
