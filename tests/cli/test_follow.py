"""`sync` on the command line: a watcher outlives what passes, and whatever ends a run, it says how that went."""

from __future__ import annotations

import asyncio
import errno
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from conversations_hub import Hub
from conversations_hub._cli import cli, sync
from conversations_hub._files.lock import Lock
from conversations_hub.errors import ConfigurationError, InvalidRefError, OutageError, StoreError
from conversations_hub.stores import Store
from conversations_hub.sync import AccountSyncReport, SyncReport

Run = Callable[..., Awaitable[SyncReport]]

ENVIRON = {"TAVUS_API_KEY": "invented"}


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["sync", "tavus", *arguments], env=ENVIRON)


def brought(report: SyncReport, *, ended: bool = True) -> SyncReport:
    account = AccountSyncReport("tavus/default")
    account.listed = account.new = 7
    account.ended, account.elapsed = ended, 1.5
    report.accounts.append(account)
    return report


class Runs:
    """Stands for `sync`: each run ends as it is told, the last one's way for ever."""

    def __init__(self, *ends: BaseException | None) -> None:
        self.ends = list(ends)
        self.asked: list[dict[str, Any]] = []

    async def __call__(self, hub: Hub, store: Store, *targets: str, **asked: Any) -> SyncReport:
        end = self.ends[min(len(self.asked), len(self.ends) - 1)]
        self.asked.append(asked)
        if isinstance(end, BaseException):
            raise end
        return brought(asked["report"])


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let no time pass between runs, and have the watcher stopped after the third."""
    found: list[float] = []

    async def pause(seconds: float) -> None:
        found.append(seconds)
        if len(found) == 3:
            raise asyncio.CancelledError

    monkeypatch.setattr(sync, "pause", pause)
    return found


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (StoreError("c.db: another sync is running on it"), "another sync is running on it"),
        (StoreError("c.db: database or disk is full"), "database or disk is full"),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (OutageError("down", provider="tavus"), "tavus: down"),
        (KeyError("secret"), "internal error (KeyError)"),
    ],
)
def test_a_watcher_outlives_what_passes(
    failure: Exception, said: str, pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs = Runs(failure, None, failure)
    monkeypatch.setattr(sync, "sync", runs)
    result = run("--store", str(tmp_path / "c.db"), "--follow", "--every", "5")
    assert result.exit_code == 130
    assert pauses == [5.0, 5.0, 5.0]
    lines = [line for line in result.stderr.splitlines() if said in line]
    assert len(lines) == 2
    assert all(line.endswith("; next run in 5 s") for line in lines)
    assert "secret" not in result.output
    assert "up to date after 0:00; next run in 5 s" in result.stdout


def test_a_watcher_waits_for_the_lock_of_another(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], tmp_path: Path
) -> None:
    path = tmp_path / "c.db"
    lock = Lock(path)
    opened: list[bool] = []

    async def open_only(hub: Hub, store: Store, *targets: str, **asked: Any) -> SyncReport:
        try:
            await store.open({})
        finally:
            opened.append(not pauses)
            if len(opened) == 1:
                lock.release()
        await store.close()
        return brought(asked["report"])

    monkeypatch.setattr(sync, "sync", open_only)
    result = run("--store", str(path), "--follow")
    assert pauses == [60.0, 60.0, 60.0]
    assert len([line for line in result.stderr.splitlines() if "is locked" in line]) == 1
    assert result.stdout.count("up to date") == 2


@pytest.mark.parametrize("failure", [ConfigurationError("no such account"), InvalidRefError("since is after until")])
def test_wrong_usage_ends_the_first_run_and_no_later_one(
    failure: Exception, pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sync, "sync", Runs(failure))
    result = run("--store", str(tmp_path / "c.db"), "--follow")
    assert (result.exit_code, pauses) == (2, [])
    assert f"Error: {failure}" in result.stderr
    monkeypatch.setattr(sync, "sync", Runs(None, failure))
    assert run("--store", str(tmp_path / "c.db"), "--follow").exit_code == 130
    assert len(pauses) == 3


def test_a_watcher_without_a_reader_ends(pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sync, "sync", Runs(BrokenPipeError(errno.EPIPE, "Broken pipe")))
    result = run("--store", str(tmp_path / "c.db"), "--follow")
    assert (result.exit_code, pauses) == (141, [])


def test_only_the_first_run_of_a_watcher_fetches_everything_again(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs = Runs(None)
    monkeypatch.setattr(sync, "sync", runs)
    run("--store", str(tmp_path / "c.db"), "--follow", "--again", "--lookback", "90m")
    assert [asked["again"] for asked in runs.asked] == [True, False, False]
    assert {asked["lookback"].total_seconds() for asked in runs.asked} == {5400.0}


@pytest.mark.parametrize("as_json", [False, True])
def test_a_sync_that_is_stopped_says_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, as_json: bool
) -> None:
    async def stopped(hub: Hub, store: Store, *targets: str, **asked: Any) -> SyncReport:
        brought(asked["report"], ended=False)
        raise asyncio.CancelledError

    monkeypatch.setattr(sync, "sync", stopped)
    path = tmp_path / "c.db"
    result = run("--store", str(path), *(["--json"] if as_json else []))
    closing = f"{path}: stopped after 0:00; run the same command again to resume"
    assert result.exit_code == 130
    if as_json:
        told = json.loads(result.stdout)
        assert (told["end"], told["complete"], told["accounts"][0]["new"]) == ("stopped", False, 7)
        assert result.stderr.splitlines()[-1] == closing
    else:
        row = next(line.split() for line in result.stdout.splitlines() if line.startswith("tavus/default"))
        assert (row[1], row[-1]) == ("7", "stopped")
        assert result.stdout.splitlines()[-1] == closing


def test_a_sync_that_fails_says_how_far_it_came(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def failed(hub: Hub, store: Store, *targets: str, **asked: Any) -> SyncReport:
        brought(asked["report"], ended=False)
        raise StoreError("c.db: database or disk is full")

    monkeypatch.setattr(sync, "sync", failed)
    result = run("--store", str(tmp_path / "c.db"))
    assert result.exit_code == 1
    assert "failed after 0:00; what is committed stays" in result.stdout
    assert result.stderr == "Error: c.db: database or disk is full\n"


def test_what_could_not_be_begun_has_no_report(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sync, "sync", Runs(StoreError("c.db: another sync is running on it")))
    result = run("--store", str(tmp_path / "c.db"))
    assert (result.exit_code, result.stdout) == (1, "")


def test_the_report_names_what_is_not_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def lacking(hub: Hub, store: Store, *targets: str, **asked: Any) -> SyncReport:
        report = brought(asked["report"])
        [account] = report.accounts
        account.given_up, account.failed = 2, 1
        account.failures["OutageError"] = 1
        account.not_loaded = [f"tavus:c{number}" for number in range(3)]
        account.vanished = [f"tavus:v{number}" for number in range(5)]
        return report

    monkeypatch.setattr(sync, "sync", lacking)
    result = run("--store", str(tmp_path / "c.db"))
    heading = next(line for line in result.stdout.splitlines() if line.startswith("account"))
    assert "given up  vanished" in heading
    assert "tavus/default: 1 not fetched: OutageError" in result.stdout
    assert "tavus/default: not loaded: tavus:c0, tavus:c1, tavus:c2\n" in result.stdout
    assert "tavus/default: vanished: tavus:v0, tavus:v1, tavus:v2 … (--json shows more)" in result.stdout
    assert "2 given up: " in result.stdout
    assert "5 vanished: in the store, but no longer in the provider's list" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--every", "5"), "--every needs --follow"),
        (("--follow", "--every", "nan"), "--every"),
        (("--follow", "--every", "inf"), "--every"),
        (("--follow", "--every", "0"), "--every"),
        (("--any-host",), "--any-host needs --recordings"),
        (("--lookback", "-2d"), "invalid span"),
        (("--lookback", "2026-11-01"), "invalid span"),
        (("--lookback", "999999999w"), "invalid span"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
