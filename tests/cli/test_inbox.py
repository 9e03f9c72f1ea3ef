"""`sync --inbox` stores what webhooks brought, and `erase --inbox` removes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli, sync
from conversations_hub.serve import Endpoint, Receiver
from conversations_hub.stores.sqlite import SQLiteReader
from conversations_hub.sync import Inbox
from conversations_hub.testing import Simulator

from ..support.receiving import TOKEN, pieces


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator(conversations=6, providers=["tavus"]) as simulator:
        yield simulator


@pytest.fixture
def inbox(simulator: Simulator, tmp_path: Path) -> Path:
    """Return an inbox with all deliveries about one conversation."""
    path = tmp_path / "inbox"
    world = simulator.worlds["tavus"]

    async def receive() -> None:
        async with Inbox(path) as inbox:
            receiver = Receiver({"tavus": Endpoint("tavus", token=TOKEN)}, inbox.keep)
            id = world.id(list(world.newest())[-1])
            for sent in simulator.delivered("tavus", id):
                answer = await receiver.answer("POST", f"tavus/{TOKEN}", sent.headers, pieces(sent.body))
                assert answer.status == 200

    asyncio.run(receive())
    return path


def run(simulator: Simulator, folder: Path, *arguments: str) -> Result:
    command, *others = arguments
    return CliRunner().invoke(cli, [command, *others, "--store", str(folder / "c.db")], env=simulator.environment())


async def _new(path: Path) -> int:
    async with Inbox(path) as inbox:
        return (await inbox.status()).new


def test_one_run_stores_what_is_there_and_says_how_much_came_only_by_list(
    simulator: Simulator, inbox: Path, tmp_path: Path
) -> None:
    result = run(simulator, tmp_path, "sync", "tavus", "--inbox", str(inbox), "--json")
    [told] = json.loads(result.stdout)["webhooks"]["accounts"]
    assert (told["where"], told["new"], told["fetched"]) == ("tavus/default", 1, 1)
    assert asyncio.run(_new(inbox)) == 0
    result = run(simulator, tmp_path, "sync", "tavus", "--inbox", str(inbox), "--redact")
    assert result.exit_code == 1
    assert "redaction" in result.stderr


def test_a_watcher_stores_what_comes_between_its_runs(
    simulator: Simulator, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    later = tmp_path / "later"

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if not later.exists():
            later.touch()
            while await _new(inbox):  # noqa: ASYNC110  (another task works on it)
                await asyncio.sleep(0)
        raise asyncio.CancelledError

    monkeypatch.setattr(sync, "pause", pause)
    result = run(simulator, tmp_path, "sync", "tavus", "--inbox", str(inbox), "--follow")
    assert (result.exit_code, pauses) == (130, [60.0])
    assert "webhooks of tavus/default" in result.stdout
    assert asyncio.run(_new(inbox)) == 0


async def _all(path: Path) -> int:
    async with Inbox(path) as inbox:
        status = await inbox.status()
        return status.new + status.done + status.dead


def test_what_is_erased_is_erased_from_the_inbox_too(simulator: Simulator, inbox: Path, tmp_path: Path) -> None:
    run(simulator, tmp_path, "sync", "tavus", "--inbox", str(inbox))
    with SQLiteReader(tmp_path / "c.db") as reader:
        refs = [one.ref for one in reader.conversations()]
    result = run(simulator, tmp_path, "erase", *refs, "--yes", "--inbox", str(inbox))
    assert result.exit_code == 0, result.output
    assert asyncio.run(_all(inbox)) == 0


@pytest.mark.parametrize("keep", ["36500d", "1s"])
def test_what_a_sync_no_longer_keeps_is_erased_from_the_inbox_too(
    simulator: Simulator, inbox: Path, tmp_path: Path, keep: str
) -> None:
    result = run(simulator, tmp_path, "sync", "tavus", "--inbox", str(inbox), "--keep", keep)
    assert result.exit_code == 0, result.output
    is_kept = keep == "36500d"
    assert (asyncio.run(_all(inbox)) > 0) is is_kept
    with SQLiteReader(tmp_path / "c.db") as reader:
        assert bool([*reader.conversations()]) is is_kept


def test_an_inbox_needs_a_store_that_keeps_what_was_told(simulator: Simulator, tmp_path: Path) -> None:
    arguments = ["sync", "--inbox", str(tmp_path / "inbox"), "--store", f"jsonl:{tmp_path}/c.jsonl"]
    result = CliRunner().invoke(cli, arguments, env=simulator.environment())
    assert (result.exit_code, "--inbox needs a SQLite or Postgres store" in result.stderr) == (2, True)
