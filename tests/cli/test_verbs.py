"""The verbs that act at a provider: what they write, what they ask first, and what they cannot do."""

from __future__ import annotations

import inspect
import json
from collections.abc import Generator
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub._cli.accounts import Accounts
from conversations_hub.testing import Simulator


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Generator[Simulator]:
    with Simulator(conversations=12) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        yield simulator


def run(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=typed)


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_what_is_run_takes_the_options_that_are_declared(name: str) -> None:
    declared = {parameter.name for parameter in cli.commands[name].params if parameter.expose_value}
    hidden = {parameter.name for parameter in cli.commands[name].params if getattr(parameter, "hidden", False)}
    of_accounts = {"config", *Accounts._fields}
    if "config" in declared:
        declared = declared - of_accounts | {"accounts"}
    taken = inspect.signature(import_module(f"conversations_hub._cli.{name}").run).parameters
    named = {name for name, one in taken.items() if one.kind is not inspect.Parameter.VAR_KEYWORD}
    assert named <= declared
    is_open = len(named) < len(taken)
    assert is_open or declared - hidden == named


def test_a_conversation_is_started_and_ended(simulator: Simulator) -> None:
    started = run("start", "tavus", "--agent", "p1", "--option", "conversation_name=Mine", "--yes", "--json")
    assert started.exit_code == 0, started.output
    told = json.loads(started.stdout)
    assert told["ref"].startswith("tavus:")
    assert told["join_url"].startswith("https://")
    assert "token" not in told
    assert json.loads(run("get", told["ref"], "--json").stdout)["title"] == "Mine"
    ended = run("end", told["ref"], "--yes")
    assert (ended.exit_code, ended.stderr) == (0, f"{told['ref']}: ended\n")
    shown = run("start", "tavus", "--agent", "p1", "--yes", "--token")
    assert shown.stdout.startswith("ref: tavus:")
    assert simulator.requests["tavus"] == 4


def test_what_is_deleted_is_gone(simulator: Simulator) -> None:
    ref = f"tavus:{simulator.worlds['tavus'].corpus.id(1)}"
    deleted = run("delete", ref, "--yes", "--json")
    assert (deleted.exit_code, json.loads(deleted.stdout)) == (0, {"ref": ref, "outcome": "deleted"})
    again = run("delete", ref, "--yes")
    assert again.exit_code == 1
    assert "not deleted: NotFoundError" in again.stderr
    assert run("get", ref).exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [("start", "tavus"), ("end", "tavus:c1"), ("delete", "tavus:c1"), ("send", "telnyx:c1", "Hello?")],
)
def test_nothing_is_done_where_nobody_confirms_it(simulator: Simulator, arguments: tuple[str, ...]) -> None:
    refused = run(*arguments)
    assert refused.exit_code == 2
    assert "give --yes" in refused.stderr
    assert not simulator.requests


@pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1), ("", 1)])
def test_a_person_is_asked(simulator: Simulator, monkeypatch: pytest.MonkeyPatch, typed: str, code: int) -> None:
    monkeypatch.setattr("conversations_hub._cli.confirming._can_ask", lambda: True)
    ref = f"tavus:{simulator.worlds['tavus'].corpus.id(1)}"
    answered = run("delete", ref, typed=typed)
    assert answered.exit_code == code
    assert f"Permanently delete {ref} at the provider?" in answered.stderr
    assert bool(simulator.requests["tavus"]) is not code


def test_what_a_provider_cannot_do_is_wrong_usage(simulator: Simulator) -> None:
    refused = run("send", f"tavus:{simulator.worlds['tavus'].corpus.id(1)}", "Hello?", "--yes")
    assert refused.exit_code == 2
    assert "tavus does not support `send`" in refused.stderr


@pytest.mark.parametrize("option", ["name", "=1", ""])
def test_an_option_is_a_name_with_a_value(option: str) -> None:
    assert run("start", "tavus", "--option", option, "--yes").exit_code == 2


def test_recordings_are_downloaded(simulator: Simulator, tmp_path: Path) -> None:
    corpus = simulator.worlds["voiceable"].corpus
    for position in range(12):
        done = run("download", f"voiceable:{corpus.id(position)}", "--to", str(tmp_path), "--json")
        assert done.exit_code == 0, done.output
        told = json.loads(done.stdout)
        assert [Path(file).stat().st_size > 0 for file in told["files"]] == [True] * told["recordings"]["downloaded"]
    assert any(path.is_file() for path in tmp_path.rglob("*"))
