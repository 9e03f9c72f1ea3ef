"""A person who waits is told why, whatever was asked for; and whoever wants to know more is told of each request."""

from __future__ import annotations

import asyncio
import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text

from conversations_hub._cli import doctor, get
from conversations_hub._cli import list as list_command
from conversations_hub._cli import plan as plan_command
from conversations_hub._cli.accounts import Accounts
from conversations_hub._cli.asking import asking
from conversations_hub._cli.delete import delete_at_providers
from conversations_hub._cli.progress import Progress
from conversations_hub._transport import Clock
from conversations_hub.errors import OutageError
from conversations_hub.signals import (
    AttemptEnded,
    BreakerChanged,
    PageRead,
    RetryScheduled,
    Signal,
    Waited,
    in_words,
)
from conversations_hub.stores._url import StoreURL
from conversations_hub.testing import Simulator

from ..support.clock import FakeClock
from ..support.command_line import NO_ACCOUNTS, NO_TERMINAL, run

DOWN = "tavus/default: the provider has problems (HTTP 503), "


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def simulator(monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    for name in (*NO_ACCOUNTS, *NO_TERMINAL):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with Simulator(conversations=4, providers=["tavus"]) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        yield simulator


def ask_for_one(simulator: Simulator) -> None:
    ref = f"tavus:{simulator.worlds['tavus'].corpus.id(1)}"
    get.run(ref, wait=timedelta(), store=None, accounts=Accounts(), form="json", format=None, options=())


def ask_for_all(_: Simulator) -> None:
    nothing = {"since": None, "until": None, "status": None, "agent": None, "updated_since": None}
    list_command.run((), **nothing, limit=None, transcripts=False, store=None, accounts=Accounts(), as_json=True)


def plan(_: Simulator) -> None:
    plan_command.run(
        (),
        store=StoreURL("sqlite", Path("none.db")),
        since=None,
        until=None,
        lookback=None,
        again=False,
        redact=False,
        no_verify=False,
        keep=None,
        accounts=Accounts(),
        as_json=True,
    )


def examine_all(_: Simulator) -> None:
    doctor.run((), accounts=Accounts(), as_json=True)


def delete(simulator: Simulator) -> None:
    asyncio.run(delete_at_providers((f"tavus:{simulator.worlds['tavus'].corpus.id(1)}",), Accounts()))


PATIENT = [ask_for_one, ask_for_all, plan, examine_all]
DOING: list[tuple[Callable[[Simulator], None], str]] = [
    (ask_for_one, "asking"),
    (plan, "reading the lists"),
    (delete, "0 of 1 done"),
]


def wait_until_it_shows(words: str, monkeypatch: pytest.MonkeyPatch, stderr: io.StringIO) -> list[float]:
    """Have each wait of a hub last until the words stand on standard error; return how long they ought to last."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        while seconds and words not in stderr.getvalue():  # noqa: ASYNC110  (another task writes them)
            await asyncio.sleep(0)

    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr("conversations_hub.hub._hub.Clock", lambda: Clock(sleep=sleep))
    return waits


@pytest.mark.parametrize("command", PATIENT, ids=lambda command: command.__name__)
def test_on_a_terminal_it_says_what_is_waited_for(
    command: Callable[[Simulator], None], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub._cli.progress._SHOW_EVERY", 0.0)
    stderr = Terminal()
    waits = wait_until_it_shows(DOWN, monkeypatch, stderr)
    simulator.script("tavus", [503])
    command(simulator)
    assert [seconds for seconds in waits if seconds]
    assert DOWN in stderr.getvalue()
    assert stderr.getvalue().count("\x1b[?25l") == stderr.getvalue().count("\x1b[?25h")  # the cursor is back


@pytest.mark.parametrize("command", PATIENT, ids=lambda command: command.__name__)
def test_elsewhere_it_says_so_in_lines(
    command: Callable[[Simulator], None], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub._cli.progress._WRITE_EVERY", 0.0)
    stderr = io.StringIO()
    wait_until_it_shows(DOWN, monkeypatch, stderr)
    simulator.script("tavus", [503])
    command(simulator)
    assert any(line.startswith(DOWN) for line in stderr.getvalue().splitlines())
    assert "\x1b" not in stderr.getvalue()


@pytest.mark.parametrize(("command", "doing"), DOING)
def test_on_a_terminal_it_says_what_it_is_at(
    command: Callable[[Simulator], None], doing: str, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub._cli.progress._SHOW_EVERY", 0.0)
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    command(simulator)
    assert doing in stderr.getvalue()


@pytest.mark.parametrize("command", PATIENT, ids=lambda command: command.__name__)
def test_what_is_over_at_once_needs_no_word(
    command: Callable[[Simulator], None], simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub._cli.progress._SHOW_EVERY", 1e9)
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    command(simulator)
    assert "\x1b" not in stderr.getvalue()


class Watched:
    def table(self) -> Text:
        return Text("asking")

    def lines(self) -> list[str]:
        return []


async def test_lines_of_output_are_not_written_into_what_is_shown_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = Terminal()
    monkeypatch.setattr(sys, "stderr", stderr)
    monkeypatch.setattr("conversations_hub._cli.progress._SHOW_EVERY", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    progress = Progress()
    with progress.watching(Watched()):
        for _ in range(2):
            while not stderr.getvalue().endswith("asking"):  # noqa: ASYNC110  (another task writes it)
                await asyncio.sleep(0)
            progress.clear()
            assert re.search(r"\x1b\[2K[^a-z]*\x1b\[\?25h\Z|\x1b\[\?25h[^a-z]*\x1b\[2K\Z", stderr.getvalue())
    assert stderr.getvalue().count("\x1b[?25l") == stderr.getvalue().count("\x1b[?25h")


async def test_who_is_done_is_not_said_to_wait(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations_hub.hub._hub.Clock", lambda: FakeClock().clock)
    simulator.script("tavus", [503] * 9)
    async with asking(Accounts()) as asked:
        with pytest.raises(OutageError):
            await asked.hub.get("tavus:c1")
        assert [line.startswith(DOWN) for line in asked.lines()] == [True]
        asked.is_over = lambda where: where == "tavus/default"
        assert list(asked.lines()) == []


# everything


def logged(stderr: str) -> list[str]:
    return [line.partition(" ")[2] for line in stderr.splitlines() if re.match(r"\d\d:\d\d:\d\d\.\d{6} ", line)]


@pytest.mark.parametrize(
    ("before", "behind", "environ"),
    [
        ((), ("-v",), {}),
        (("--verbose",), (), {}),
        (("-v",), ("--verbose",), {"CONVERSATIONS_HUB_LOG": "DEBUG"}),
        ((), (), {"CONVERSATIONS_HUB_LOG": "debug"}),
    ],
)
def test_each_request_wait_and_page_is_told_without_ids(
    simulator: Simulator, before: tuple[str, ...], behind: tuple[str, ...], environ: dict[str, str]
) -> None:
    environ = {**simulator.environment(), **environ}
    simulator.script("tavus", [503])
    listed = run(*before, "list", "tavus", "--transcripts", "--json", *behind, environ=environ)
    assert listed.exit_code == 0
    lines = [re.sub(r"\d+ bytes, \d\.\d{3} s", "…", line) for line in logged(listed.stderr)]
    lines = [re.sub(r"in \d+\.\d s, \d+ tokens", "in … s, … tokens", line) for line in lines]
    assert lines[:4] == [
        "tavus/default GET /v2/conversations -> 503, …, request 1",
        "tavus/default list: OutageError, next try in … s, … tokens left",
        "tavus/default GET /v2/conversations -> 200, …, request 2",
        "tavus/default: a page of 4 rows, 4 new, 0 unreadable",
    ]
    assert lines[4:] == ["tavus/default GET /v2/conversations/{id} -> 200, …, request 1"] * 4
    corpus = simulator.worlds["tavus"].corpus
    for index in range(4):
        assert corpus.id(index) not in listed.stderr
        assert all(turn.text not in listed.stderr for turn in corpus.turns(corpus.truth(index)) if turn.text)
    assert not [handler for handler in logging.getLogger("conversations_hub").handlers if "_Lines" in repr(handler)]
    assert logged(run("list", "tavus", "--json", environ=simulator.environment()).stderr) == []


def test_a_level_that_is_none_is_wrong_usage() -> None:
    result = run("providers", environ={"CONVERSATIONS_HUB_LOG": "loud"})
    assert result.exit_code == 2
    assert "CONVERSATIONS_HUB_LOG is 'loud'; choose from debug, info, warning and error" in result.stderr
    assert run("providers", environ={"CONVERSATIONS_HUB_LOG": "warning"}).exit_code == 0


WHO: dict[str, Any] = {"provider": "tavus", "account": "eu"}


@pytest.mark.parametrize(
    ("signal", "words"),
    [
        (
            AttemptEnded(**WHO, method="GET", path="/a/{id}", number=2, error="TransportError", reason="no connection"),
            "tavus/eu GET /a/{id} -> no connection, 0 bytes, 0.000 s, request 2",
        ),
        (
            RetryScheduled(**WHO, operation="get", number=1, delay=1.25, cause="OutageError", budget=9),
            "tavus/eu get: OutageError, next try in 1.2 s, 9 tokens left",
        ),
        (Waited(**WHO, seconds=2.5, reason="rate"), "tavus/eu: waited 2.5 s for the rate limit"),
        (Waited(**WHO, seconds=2.5, reason="connection"), "tavus/eu: waited 2.5 s for a connection"),
        (
            Waited(**WHO, operation="get", seconds=2.5, reason="transcript"),
            "tavus/eu: waited 2.5 s for a transcript that was not ready",
        ),
        (BreakerChanged(**WHO, is_open=True, seconds=30), "tavus/eu: down, so requests are paused for 30.0 s"),
        (BreakerChanged(**WHO, is_open=False), "tavus/eu: up again"),
        (
            PageRead(**WHO, listed=9, new=7, duplicates=1, rejected=1),
            "tavus/eu: a page of 9 rows, 7 new, 1 unreadable",
        ),
    ],
)
def test_a_signal_is_a_line(signal: Signal, words: str) -> None:
    assert in_words(signal) == words
