"""The command line's sync, search and stores: what they write, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub.schema import Conversation
from conversations_hub.testing.simulator import Fault, Faults, Simulator

from ..support.command_line import run as run_apart
from ..support.crash import PROVIDERS, served
from ..support.warm import Warm, command_line
from .conftest import EACH


@pytest.fixture(scope="module")
def store(environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "c.db"
    assert run(environ, "sync", "--store", str(path)).exit_code == 0
    return path


def run(environ: dict[str, str], *arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments, env=environ)


def test_a_sync_says_how_each_account_went(environ: dict[str, str], tmp_path: Path) -> None:
    place = str(tmp_path / "c.db")
    first, second = (run(environ, "sync", "--store", place) for _ in range(2))
    assert first.exit_code == second.exit_code == 0, first.output
    heading, *rows = (line.split() for line in first.stdout.splitlines())
    assert heading[:6] == ["account", "listed", "fetched", "new", "updated", "unchanged"]
    assert [(row[0], row[3], row[-1]) for row in rows if row[1:2] == [f"{EACH}"]] == [
        (f"{provider}/default", f"{EACH}", "complete") for provider in ("tavus", "vapi", "elevenlabs")
    ]
    [total] = [row for row in rows if row[:1] == ["total"]]
    assert (total[1], total[3], total[-1]) == (f"{3 * EACH}", f"{3 * EACH}", "complete")
    assert first.stdout.splitlines()[-1].startswith(f"{place}: up to date after 0:")
    assert first.stdout.endswith(f"; conversations-hub search WORDS --store {place}\n")
    again = dict(zip(*(line.split() for line in second.stdout.splitlines()[::2][:2]), strict=False))
    assert (again["account"], again["new"]) == ("tavus/default", "0")


def test_as_json_it_is_one_document(environ: dict[str, str], tmp_path: Path) -> None:
    told = json.loads(run(environ, "sync", "tavus", "--store", str(tmp_path / "c.db"), "--json").stdout)
    assert told["complete"] is True
    [account] = told["accounts"]
    assert (account["where"], account["new"], account["is_verified"]) == ("tavus/default", EACH, True)


def test_an_incomplete_sync_says_so_in_its_exit_code(environ: dict[str, str], tmp_path: Path) -> None:
    result = run(environ | {"VAPI_API_KEY": "bad-key", "COLUMNS": "200"}, "sync", "--store", str(tmp_path / "c.db"))
    assert result.exit_code == 1
    ends = {line.split()[0]: line.split()[-1] for line in result.stdout.splitlines() if line.strip()}
    assert ends["tavus/default"] == "complete"
    assert re.search("^vapi/default .* failed *$", result.stdout, re.MULTILINE)
    assert "run the same command again" in result.stdout.splitlines()[-1]
    assert "vapi/default: AuthError: " in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["sync", "nobody"], 2, "unknown provider"),
        (["sync", "--store", "/nowhere/at/all.db"], 1, "there is no folder"),
        (["search", "x", "--store", "/nowhere.db"], 1, "no such file"),
        (["list", "--store", "/nowhere.db"], 1, "no such file"),
        (["search", "x", "--role", "nobody"], 2, "'nobody' is not one of"),
        (["sync", "--config", "/nowhere.toml"], 2, "nowhere.toml"),
    ],
)
def test_what_is_wrong_is_one_sentence(environ: dict[str, str], arguments: list[str], code: int, said: str) -> None:
    result = run(environ, *arguments)
    assert result.exit_code == code, result.output
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_store_is_listed_and_read_without_any_account(store: Path) -> None:
    listed = run({}, "list", "--store", str(store), "--json")
    found = [msgspec.json.decode(line, type=Conversation) for line in listed.stdout.splitlines()]
    assert len(found) == 3 * EACH
    times = [one.created_at or one.started_at for one in found]
    known = [at for at in times if at is not None]
    assert known == sorted(known, reverse=True)
    few = run({"COLUMNS": "200"}, "list", "tavus", "--limit", "5", "--store", str(store))
    assert len(few.stdout.splitlines()) == 6
    one = next(one for one in found if one.transcript)
    got = run({}, "get", one.ref, "--store", str(store), "--json")
    assert msgspec.json.decode(got.stdout, type=Conversation) == one
    assert "Error: tavus: no such conversation" in run({}, "get", "tavus:none", "--store", str(store)).output


def test_accounts_of_a_file_take_the_place_of_the_environment(environ: dict[str, str], tmp_path: Path) -> None:
    config = tmp_path / "accounts.toml"
    config.write_text(
        f"""
        [[account]]
        provider = "tavus"
        name = "eu"
        key_env = "TAVUS_API_KEY"
        base_url = "{environ["TAVUS_BASE_URL"]}"
        """
    )
    given = ("--config", str(config))
    listed = run(environ, "list", "--json", *given)
    assert {msgspec.json.decode(line, type=Conversation).account for line in listed.stdout.splitlines()} == {"eu"}
    assert "tavus/eu" in run(environ, "sync", "--store", str(tmp_path / "c.db"), *given).stdout
    assert "tavus/eu: 60 conversations listed" in run(environ, "plan", *given).stdout
    assert run(environ, "doctor", *given).stdout.startswith("tavus/eu\n")
    assert run(environ, "doctor", "vapi", *given).exit_code == 2
    one = run({}, "get", "tavus/eu:none", "--store", str(tmp_path / "c.db"))
    assert "no such conversation" in one.output


def test_search_shows_where_it_was_said(store: Path) -> None:
    result = run({}, "search", "order", "--store", str(store), "--limit", "3")
    assert result.exit_code == 0
    headings, snippets = result.stdout.splitlines()[::2], result.stdout.splitlines()[1::2]
    assert len(headings) == 3
    assert all("order" in snippet.lower() for snippet in snippets)
    hits = [
        json.loads(line) for line in run({}, "search", "order", "--store", str(store), "--json").stdout.splitlines()
    ]
    assert [hit["ref"] for hit in hits[:3]] == [heading.split()[0] for heading in headings]
    only = run({}, "search", "order", "--store", str(store), "--provider", "vapi", "--role", "user", "--json")
    assert {json.loads(line)["ref"].partition(":")[0] for line in only.stdout.splitlines()} == {"vapi"}
    nothing = run({}, "search", "xylophone", "--store", str(store))
    assert (nothing.exit_code, nothing.stdout) == (1, "")


def test_a_search_says_how_many_turns_there_are_and_in_which_order(store: Path) -> None:
    def told(*more: str) -> str:
        return run_apart("search", "order", "--store", str(store), *more).stderr

    total = int(told("--limit", "3").split()[4])
    assert total > 5
    assert told("--limit", "3") == f"1 to 3 of {total} turns, best match first\n"
    assert told("--limit", "3", "--offset", "2") == f"3 to 5 of {total} turns, best match first\n"
    assert told("--limit", str(total), "--json") == f"{total} turns, best match first\n"
    assert told("--offset", "9999") == f"there are only {total} turns\n"


def test_other_tools_open_the_file(store: Path) -> None:
    with closing(sqlite3.connect(store)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        # What Datasette looks for to offer a search: https://docs.datasette.io/en/stable/full_text_search.html
        index = "SELECT sql FROM sqlite_master WHERE name = 'turns_text'"
        assert 'content="turns"' in database.execute(index).fetchone()[0]
        database.execute("INSERT INTO turns_text (turns_text, rank) VALUES ('integrity-check', 1)")


def count(path: Path) -> int:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        try:
            found: int = database.execute("SELECT count(*) FROM conversations").fetchone()[0]
        except sqlite3.OperationalError:  # not yet made
            return 0
    return found


@asynccontextmanager
async def endless(size: int) -> AsyncGenerator[Simulator]:
    """Serve providers of which one soon has answers that never end, so that no sync of them does."""
    async with Simulator(conversations=size, faults=Faults(slow_seconds=1e9), providers=PROVIDERS) as simulator:
        simulator.script("tavus", [*[200] * 30, *[Fault.SLOW] * 10_000])
        yield simulator


def syncing(simulator: Simulator, path: Path) -> Warm:
    return Warm(command_line, "sync", "--store", str(path), environ=os.environ | simulator.environment())


async def until(holds: Callable[[], object]) -> None:
    while not holds():  # noqa: ASYNC110  (another process makes it so)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
async def test_f106_a_signal_ends_a_sync_whatever_is_under_way_and_the_next_run_goes_on(
    kind: signal.Signals, tmp_path: Path
) -> None:
    path = tmp_path / "c.db"
    async with endless(120) as simulator:
        with syncing(simulator, path) as running:
            await until(lambda: simulator.requests["tavus"] > 30 and path.exists() and count(path))
            running.send_signal(kind)
            assert await asyncio.to_thread(running.wait) == 130
            said = running.stderr.read()
        assert "stopping after committing finished conversations" in said
        assert "Traceback" not in said
        assert 0 < count(path) < 360
    with served(120) as environ, Warm(command_line, "sync", "--store", str(path), environ=environ) as again:
        assert again.wait() == 0
    assert count(path) == 360


async def test_f106_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    async with endless(400) as simulator:
        with syncing(simulator, path) as running:
            await until(lambda: path.exists() and count(path))
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")  # nothing can be committed for as long as it is patient
                running.send_signal(signal.SIGTERM)
                assert "stopping" in await asyncio.to_thread(running.stderr.readline)
                running.send_signal(signal.SIGINT)
                assert await asyncio.to_thread(running.wait) == 130
    assert count(path) < 1200


def test_following_goes_on_until_it_is_stopped(environ: dict[str, str], tmp_path: Path) -> None:
    arguments = ("sync", "tavus", "--store", str(tmp_path / "c.db"), "--follow", "--every", "1")
    with Warm(command_line, *arguments, environ=environ) as running:
        lines = [running.stdout.readline().split() for _ in range(15)]
        running.send_signal(signal.SIGTERM)
        assert running.wait() == 130
    new = [int(line[3]) for line in lines if line and line[0] == "tavus/default" and line[-1] == "complete"]
    assert new[0] == EACH
    assert len(new) >= 2


def test_who_is_refused_a_recording_is_told_the_option_that_takes_it(tmp_path: Path) -> None:
    with Simulator(conversations=20, providers=["anyreach"]) as simulator:
        arguments = ("sync", "anyreach", "--store", str(tmp_path / "c.db"), "--recordings", str(tmp_path / "r"))
        result = run(simulator.environment(), *arguments)
    assert result.exit_code == 1
    assert "media.example.com, which is not a known host of this provider: if you trust it" in result.stdout
    assert "--any-host" in result.stdout
