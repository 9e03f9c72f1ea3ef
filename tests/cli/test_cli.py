"""The command line: what it prints, how it ends, and what it costs to ask for help."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import json
import os
import pty
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.client import HTTPConnection
from types import SimpleNamespace
from urllib.parse import urlsplit

import click
import msgspec
import pytest
from click.testing import CliRunner
from rich.cells import cell_len
from rich.console import Console

from conversations_hub._cli import cli, simulate
from conversations_hub._cli.parameters import instant
from conversations_hub._cli.render import ConversationTable, render
from conversations_hub._cli.terminal import escaped, escaped_lines, write_json
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import OutageError
from conversations_hub.hub import Hub
from conversations_hub.schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Cost,
    Direction,
    EndReason,
    Issue,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from conversations_hub.schema._document import document
from conversations_hub.testing import Faults, Simulator

from ..support.command_line import NO_ACCOUNTS, NO_TERMINAL, run
from ..support.warm import Warm, command_line

EACH = 40

# A shell may have started us with interrupts ignored, and a child would inherit that.
MAIN = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " from conversations_hub.__main__ import main; sys.exit(main())"
)
COMMAND = (sys.executable, "-c", MAIN)


@pytest.fixture(scope="module")
def accounts() -> Iterator[dict[str, str]]:
    """Return the environment that names the accounts of a simulator in another process."""
    arguments = ("simulate", "--conversations", str(EACH), "--chats", "0", "--json")
    with Warm(command_line, *arguments) as simulator:
        yield json.loads(simulator.stdout.readline())


def environment(accounts: dict[str, str]) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in NO_ACCOUNTS | NO_TERMINAL}
    return inherited | accounts


def ran(*arguments: str, code: str = MAIN, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        (sys.executable, "-c", code, *arguments),
        capture_output=True,
        text=True,
        check=False,
        env=environment(environ or {}),
    )


def conversations_in(output: str) -> list[Conversation]:
    return [msgspec.json.decode(line, type=Conversation) for line in output.splitlines()]


# list


def test_list_writes_a_json_document_per_line(accounts: dict[str, str]) -> None:
    result = run("list", "--transcripts", "--json", environ=accounts)
    assert result.exit_code == 0
    lines = result.stdout_bytes.splitlines()
    found = conversations_in(result.stdout)
    assert lines == [document(conversation) for conversation in found]
    assert [json.loads(line)["ref"] for line in lines] == [conversation.ref for conversation in found]
    assert len({conversation.ref for conversation in found}) == EACH * len(BUILTIN)
    assert any(conversation.transcript for conversation in found)
    reports = result.stderr.splitlines()
    assert [report.partition(" ")[0] for report in reports] == [f"{provider}/default:" for provider in BUILTIN]
    assert all("complete, 40 delivered" in report for report in reports)


def test_list_sets_a_line_for_each(accounts: dict[str, str]) -> None:
    result = run("list", "anyreach", environ=accounts | {"COLUMNS": "160"})
    heading, *lines = result.stdout.splitlines()
    listed = conversations_in(run("list", "anyreach", "--json", environ=accounts).stdout)
    assert result.exit_code == 0
    assert heading.split()[:3] == ["ref", "status", "channel"]
    assert [line.split()[0] for line in lines] == [conversation.ref for conversation in listed]
    assert [line.split()[1] for line in lines] == [conversation.status for conversation in listed]


def test_list_does_not_cut_what_goes_into_a_pipe(accounts: dict[str, str]) -> None:
    with Warm(command_line, "list", "voiceable", environ=environment(accounts)) as listing:
        shown = listing.stdout.read()
    listed = conversations_in(run("list", "voiceable", "--json", environ=accounts).stdout)
    summaries = [conversation.summary for conversation in listed if conversation.summary]
    assert len(shown.splitlines()) == 1 + EACH
    assert max(map(len, summaries)) > 60
    assert all(summary in shown for summary in summaries)


def test_list_passes_on_what_is_asked_for(accounts: dict[str, str]) -> None:
    since = datetime.now(UTC) - timedelta(hours=12)
    arguments = ("list", "anyreach", "--status", "ended", "--json")
    found = conversations_in(run(*arguments, "--since", "12h", "--until", "2h", environ=accounts).stdout)
    assert 0 < len(found) < EACH
    assert {conversation.status for conversation in found} == {Status.ENDED}
    assert all(conversation.created_at and since <= conversation.created_at for conversation in found)
    agent = found[0].agent
    assert agent is not None
    assert agent.id is not None
    by_agent = conversations_in(run(*arguments, "--agent", agent.id, environ=accounts).stdout)
    assert {conversation.agent.id for conversation in by_agent if conversation.agent} == {agent.id}


def test_a_limit_that_was_reached_is_no_failure(accounts: dict[str, str]) -> None:
    result = run("list", "--limit", "5", "--json", environ=accounts)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 5
    assert run("list", "--limit", "0", "--json", environ=accounts).exit_code == 0


def test_a_limited_list_says_once_that_there_may_be_more(accounts: dict[str, str]) -> None:
    [cut, *unordered] = run("list", "--limit", "5", environ=accounts).stderr.splitlines()
    everybody = ", ".join(f"{provider}/default" for provider in BUILTIN)
    assert cut == f"5 delivered, as --limit asks; there may be more from {everybody}"
    without = {f"{provider}/default" for provider in BUILTIN if not load(provider).newest_first}
    named = [line.partition(": ") for line in unordered]
    assert all("does not say how it is ordered" in why for _, _, why in named)
    assert {where for accounts, _, _ in named for where in accounts.split(", ")} >= without - {"synthflow/default"}
    [one] = run("list", "anyreach", "--limit", "5", environ=accounts).stderr.splitlines()
    assert one == "5 delivered, as --limit asks; there may be more from anyreach/default"
    [render] = run("list", "anyreach", "--limit", "500", environ=accounts).stderr.splitlines()
    assert render.startswith("anyreach/default: complete, 40 delivered of 40 listed")


def test_a_limited_list_still_says_who_failed(accounts: dict[str, str]) -> None:
    result = run("list", "--limit", "5", environ=accounts | {"VAPI_API_KEY": "bad"})
    assert result.exit_code == 1
    [failed, cut, *_, error] = result.stderr.splitlines()
    assert failed.startswith("vapi/default: incomplete, 0 delivered")
    assert "vapi/default" not in cut
    assert error.startswith("Error: vapi/default list: ")


def test_list_says_who_failed_and_delivers_the_others(accounts: dict[str, str]) -> None:
    result = run("list", "--json", environ=accounts | {"TAVUS_API_KEY": "bad", "ANYREACH_API_KEY": "ak_bad"})
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == EACH * (len(BUILTIN) - 2)
    assert "voiceable/default: complete" in result.stderr
    sentences = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert [sentence.split()[1] for sentence in sentences] == ["tavus/default", "anyreach/default"]
    assert "TAVUS_API_KEY" in sentences[0]


def test_an_incomplete_list_is_a_failure(accounts: dict[str, str]) -> None:
    result = run("list", "tavus", "--status", "failed", environ=accounts)
    assert result.exit_code == 1
    assert "never failed" in result.stderr
    assert "Error" not in result.stderr


def test_a_closed_pipe_ends_list_quietly(accounts: dict[str, str]) -> None:
    with Warm(command_line, "list", "--transcripts", "--json", environ=environment(accounts)) as listing:
        assert msgspec.json.decode(listing.stdout.readline(), type=Conversation).id
        listing.stdout.close()
        assert listing.stderr.read() == ""
        assert listing.wait() == 141


def test_an_interrupt_ends_list_quietly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        base_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = environment({"TAVUS_API_KEY": "key", "TAVUS_BASE_URL": base_url})
        with Warm(command_line, "list", "--json", environ=environ) as listing:
            connection, _ = silent.accept()
            with connection:
                assert connection.recv(16)
                listing.send_signal(signal.SIGINT)
                assert listing.stdout.read() + listing.stderr.read() == ""
                assert listing.wait() == 130


# instants


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("2026-11-20", datetime(2026, 11, 20, tzinfo=UTC)),
        ("2026-11-20T09:30", datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
        ("2026-11-20T09:30+01:00", datetime(2026, 11, 20, 8, 30, tzinfo=UTC)),
        ("2026-11-20T09:30Z", datetime(2026, 11, 20, 9, 30, tzinfo=UTC)),
    ],
)
def test_an_instant_is_iso_8601(text: str, read: datetime) -> None:
    assert instant(text) == read


@pytest.mark.parametrize(
    ("text", "back"),
    [
        ("90d", timedelta(days=90)),
        ("12h", timedelta(hours=12)),
        ("30m", timedelta(minutes=30)),
        ("45s", timedelta(seconds=45)),
        ("2w", timedelta(weeks=2)),
    ],
)
def test_an_instant_is_a_span_back_from_now(text: str, back: timedelta) -> None:
    before = datetime.now(UTC)
    assert before <= instant(text) + back <= datetime.now(UTC)


@pytest.mark.parametrize("text", ["", "yesterday", "12", "5y", "-3d", "999999999d", "999999999w", "٣d", "2026-13-01"])
def test_what_is_no_instant_is_wrong_usage(text: str) -> None:
    with pytest.raises(click.BadParameter, match="use 2026-11-20"):
        instant(text)


# get


def test_get_shows_one_as_text_as_json_and_as_sent(accounts: dict[str, str]) -> None:
    listed = conversations_in(
        run("list", "tavus", "--transcripts", "--status", "ended", "--json", environ=accounts).stdout
    )
    expected = next(
        one for one in listed if any(turn.tool_calls for turn in one.transcript or ()) and len(one.user_turns) > 2
    )
    as_text = run("get", expected.ref, environ=accounts)
    assert as_text.exit_code == 0
    assert as_text.stderr == ""
    assert as_text.stdout.startswith(f"{expected.ref}  ended")
    for turn in expected.transcript or ():
        shown = turn.role is not Role.SYSTEM
        assert (turn.text in as_text.stdout) == (shown or not turn.text)
        for call in turn.tool_calls:
            assert f"→ {call.name} {call.arguments}" in as_text.stdout
        if turn.tool_result:
            assert f"← {turn.tool_result.content}" in as_text.stdout

    as_json = run("get", expected.ref, "--json", environ=accounts)
    (found,) = conversations_in(as_json.stdout)
    assert found == expected
    assert as_text.stdout == found.render() + "\n"
    assert as_json.stdout_bytes == document(found) + b"\n"

    as_sent = json.loads(run("get", expected.ref, "--raw", environ=accounts).stdout)
    assert as_sent["conversation_id"] == expected.id


def test_get_waits_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def get(_hub: Hub, _ref: str, *, wait: float) -> Conversation:
        waits.append(wait)
        return Conversation(provider="tavus", id="c1", transcript_state=TranscriptState.PENDING)

    monkeypatch.setattr(Hub, "get", get)
    for arguments in ((), ("--wait", "90s"), ("--wait", "5m", "--json")):
        assert run("get", "tavus:c1", *arguments, environ={"TAVUS_API_KEY": "key"}).exit_code == 0
    assert waits == [0, 90, 300]
    refused = run("get", "tavus:c1", "--wait", "90s", "--store", "conversations.db")
    assert (refused.exit_code, "leave out --wait or --store" in refused.stderr) == (2, True)


def test_what_changed_since_is_for_providers() -> None:
    refused = run("list", "--updated-since", "2d", "--store", "conversations.db")
    assert refused.exit_code == 2
    assert "--updated-since is for providers" in refused.stderr


# providers


def test_providers_are_what_the_adapters_hold() -> None:
    result = run("providers", "--json")
    assert result.exit_code == 0
    for line, provider in zip(result.stdout.splitlines(), BUILTIN, strict=True):
        adapter = load(provider)
        assert json.loads(line) == {
            "provider": provider,
            "operations": list(adapter.all_operations),
            "lists": [adapter.main, *adapter.resources],
            "unlisted": list(adapter.unlisted),
            "transcripts_in_list": adapter.complete_lists,
            "filters": list(adapter.filters),
            "shows": list(adapter.shows),
            "webhooks": (adapter.webhook.scheme.name if adapter.webhook.scheme else "unsigned")
            if adapter.webhook
            else None,
            "requests_per_second": adapter.requests_per_second,
            "settings": list(adapter.settings),
            "support": adapter.support,
            "coverage": msgspec.to_builtins(adapter.coverage),
            "docs": adapter.docs,
        }


@pytest.mark.parametrize("width", [80, 120])
def test_providers_fit_a_terminal(width: int) -> None:
    result = run("providers", environ={"COLUMNS": str(width)})
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert max(cell_len(line) for line in lines if "https://" not in line) <= width
    assert [line for line in lines if line and not line.startswith(" ")] == [
        f"{provider} {load(provider).docs}" for provider in BUILTIN
    ]
    assert sum("checked against" in line for line in lines) == len(BUILTIN)


def test_some_providers_can_be_named() -> None:
    shown = run("providers", "vapi", "tavus").stdout
    assert [line.split()[0] for line in shown.splitlines() if line and not line.startswith(" ")] == ["vapi", "tavus"]
    wrong = run("providers", "vappi")
    assert wrong.exit_code == 2
    assert "there is no provider 'vappi': choose from tavus, anyreach" in wrong.stderr


# demo


@pytest.mark.parametrize("width", [80, 120])
def test_the_demo_shows_everything_and_fits(width: int) -> None:
    result = run("demo", "--conversations", "12", "--chats", "0", "--seed", "5", environ={"COLUMNS": str(width)})
    assert result.exit_code == 0
    assert result.stderr == ""
    assert max(map(cell_len, result.stdout.splitlines())) <= width
    for provider in BUILTIN:
        assert f"{provider}/default: 12 conversations" in result.stdout
        assert re.search(rf"^{provider} +12 ", result.stdout, re.MULTILINE)
    shown = re.findall(r"^(\w+):[\w-]+ +(?:ended|in_pro\w*|queued) ", result.stdout, re.MULTILINE)
    assert {*shown} == {*BUILTIN}
    assert re.search(rf"^total +{12 * len(BUILTIN)} ", result.stdout, re.MULTILINE)
    assert "→ " in result.stdout
    code = result.stdout.partition("from conversations_hub import Hub\n")[2].partition("What next")[0]
    compile(f"async def demo():\n{re.sub('^', '    ', code, flags=re.MULTILINE)}", "demo", "exec")


def test_the_demo_of_nothing_is_a_demo_too() -> None:
    result = run("demo", "--conversations", "0")
    assert result.exit_code == 0
    assert "0 conversations" in result.stdout


def test_the_demo_writes_its_numbers_as_json() -> None:
    result = run("demo", "--conversations", "3", "--chats", "0", "--json")
    assert result.exit_code == 0
    numbers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["provider"], one["conversations"]) for one in numbers] == [(provider, 3) for provider in BUILTIN]
    assert all(one["per_second"] > 0 for one in numbers)


def test_the_demo_shows_bars_on_a_terminal() -> None:
    ours, theirs = pty.openpty()
    command = (*COMMAND, "demo", "--conversations", "6", "--chats", "0")
    with subprocess.Popen(  # noqa: S603
        command, stdout=theirs, stderr=theirs, env=environment({"TERM": "xterm"})
    ) as demo:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert demo.returncode == 0
    for provider in BUILTIN:
        assert re.search(rf"{provider}.*━.*6/6.* conversations".encode(), shown)
    assert b"\x1b[?25h" in shown  # the cursor is back


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody writes any more
        return b""


# simulate


def test_every_fault_has_its_option() -> None:
    options = {parameter.name for parameter in cli.commands["simulate"].params}
    faults = {field.name for field in dataclasses.fields(Faults)}
    assert options - faults == {"host", "port", "conversations", "chats", "seed", "webhooks_to", "as_json"}
    assert faults <= options


def test_simulate_prints_what_to_paste_and_ends_on_sigterm() -> None:
    arguments = ("simulate", "--latency", "0.001", "--burst", "50", "--provider", "tavus")
    with _simulating(*arguments) as (simulator, exports):
        environ = dict(export.removeprefix("export ").split("=", 1) for export in exports)
        base_url = environ["TAVUS_BASE_URL"]
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+/tavus", base_url)
        assert run("list", "tavus", "--limit", "1", environ=environ).exit_code == 0
        simulator.send_signal(signal.SIGTERM)
        assert _said_last(simulator) == ""
        assert simulator.wait() == 0


async def _at_once(_event: asyncio.Event) -> bool:
    return True


def test_simulate_aligns_its_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio.Event.wait", _at_once)
    result = CliRunner().invoke(cli, ["simulate", "--conversations", "0"])
    places = {line.index("http") for line in result.stdout.splitlines() if line.startswith("  ")}
    assert (result.exit_code, len(places)) == (0, 1)
    assert result.stderr == ""


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_simulate_says_which_webhooks_it_leaves_out(form: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncio.Event.wait", _at_once)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)
    result = CliRunner().invoke(cli, ["simulate", *form, "--conversations", "0", "--webhooks-to", "http://127.0.0.1:9"])
    extra = "pip install 'conversations-hub[ed25519]'"
    assert result.stderr == f"telnyx delivers no webhooks: signing them needs an extra, {extra}\n"
    assert CliRunner().invoke(cli, ["simulate", *form, "--conversations", "0"]).stderr == ""


def test_an_interrupt_ends_simulate_quietly() -> None:
    with _simulating("simulate") as (simulator, _):
        simulator.send_signal(signal.SIGINT)
        assert _said_last(simulator) == ""
        assert simulator.wait() == 130


@pytest.mark.parametrize(("arguments", "chats"), [((), 2), (("--chats", "5"), 5)])
def test_simulate_serves_chats_beside_calls(arguments: tuple[str, ...], chats: int) -> None:
    withheld = ("--withheld", "vapi:sessions", "--withheld", "bland:texts")
    with _simulating("simulate", "--conversations", "8", *arguments, *withheld) as (_, exports):
        base_url = dict(export.removeprefix("export ").split("=", 1) for export in exports)["VAPI_BASE_URL"]
        with closing(HTTPConnection(urlsplit(base_url).netloc)) as connection:
            connection.request("GET", "/vapi/session", headers={"authorization": "Bearer any"})
            with connection.getresponse() as refused:
                assert refused.status == 403
                refused.read()
            connection.request("GET", "/vapi/chat", headers={"authorization": "Bearer any"})
            with connection.getresponse() as answer:
                assert json.load(answer)["metadata"]["totalItems"] == chats


@contextmanager
def _simulating(*arguments: str) -> Generator[tuple[Warm, list[str]]]:
    with Warm(command_line, *arguments, environ=environment({})) as simulator:
        exports: list[str] = []
        while len(exports) < len(NO_ACCOUNTS):
            line = simulator.stdout.readline()
            assert line, "the simulator ended"
            if line.startswith("export "):
                exports.append(line.rstrip())
        yield simulator, exports


def _said_last(simulator: Warm) -> str:
    """Return what it says besides further variables."""
    lines = simulator.stdout.read().splitlines()
    return "".join(line for line in lines if not line.startswith("export ")) + simulator.stderr.read()


def test_simulate_answers_with_the_clock_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 3, 2, 12, 34, 56, tzinfo=UTC)
    seconds = [now.timestamp()]
    told: list[float] = []

    async def serve(simulator: Simulator, *_counts: int, as_json: bool) -> None:
        for _ in range(2):
            told.append(simulator.worlds["telnyx"].present - seconds[0])
            seconds[0] += 3600.0

    monkeypatch.setattr(simulate, "time", SimpleNamespace(time=lambda: seconds[0]))

    def now_in(_zone: object) -> datetime:
        return now

    monkeypatch.setattr(simulate, "datetime", SimpleNamespace(now=now_in))
    monkeypatch.setattr(simulate, "_serve", serve)
    assert run("simulate").exit_code == 0
    assert told == [0.0, 0.0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--outage", "0.7", "--reset", "0.7"),
        ("--requests-per-second", "0"),
        ("--throttle", "2"),
        ("--withheld", "bland:sms"),
        ("--chats", "-1"),
    ],
)
def test_impossible_faults_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    result = run("simulate", *arguments)
    assert result.exit_code == 2
    assert "Error: " in result.stderr


def test_a_port_that_is_taken_is_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = run("simulate", "--port", str(other.getsockname()[1]))
    assert result.exit_code == 1
    assert "address already in use" in result.stderr


# help


def examples() -> Iterator[tuple[str, str]]:
    for name, command in sorted(cli.commands.items()):
        context = click.Context(command, info_name=name, terminal_width=80)
        shown = command.get_help(context).splitlines()
        yield from ((name, line) for line in shown if line.startswith("    conversations-hub "))


def test_every_command_shows_an_example() -> None:
    assert {name for name, _ in examples()} == {*cli.commands}


@pytest.mark.parametrize(("name", "line"), [*examples()])
def test_an_example_can_be_pasted(name: str, line: str) -> None:
    assert len(line) <= 80
    words = shlex.split(line)
    ends = [words.index(mark) for mark in ("|", ">") if mark in words]
    command, given, *arguments = words[: min(ends, default=None)]
    assert (command, given) == ("conversations-hub", name)
    cli.commands[name].make_context(name, arguments).close()


# what goes wrong


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("list",), "TAVUS_API_KEY"),
        (("list", "voiceable"), "VOICEABLE_API_KEY"),
        (("get", "tavus:c1"), "TAVUS_API_KEY"),
        (("list", "acme"), "unknown provider 'acme'"),
        (("list", "tavus/eu:1"), "does not name a provider"),
        (("get", "tavus"), "is not a ref"),
        (("get", "tavus:../c1"), "id"),
        (("list", "--status", "weird"), "TAVUS_API_KEY"),
        (("list", "--since", "soon"), "--since"),
        (("list", "--limit", "-1"), "--limit"),
        (("list", "--colour"), "--colour"),
        (("get",), "REF"),
        (("fetch",), "fetch"),
    ],
)
def test_wrong_usage_and_configuration_end_with_2(arguments: tuple[str, ...], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert said in result.stderr.splitlines()[-1]


def test_an_unknown_status_is_wrong_usage(accounts: dict[str, str]) -> None:
    result = run("list", "--status", "weird", environ=accounts)
    assert result.exit_code == 2
    assert "in_progress" in result.stderr


def test_a_failed_get_is_one_sentence(accounts: dict[str, str]) -> None:
    result = run("get", "tavus:c0", environ=accounts)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Error: tavus/default get: Invalid conversation_id (HTTP 400)\n"


@pytest.mark.parametrize("defect", [KeyError("secret"), ModuleNotFoundError("secret", name="acme")])
def test_a_defect_is_a_sentence_too(monkeypatch: pytest.MonkeyPatch, defect: Exception) -> None:
    async def get(_hub: Hub, _ref: str, *, wait: float) -> Conversation:
        raise defect

    monkeypatch.setattr(Hub, "get", get)
    result = run("get", "tavus:c1")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: internal error ({type(defect).__name__})")
    assert "secret" not in result.stderr


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_it_says_what_to_install(missing: str) -> None:
    done = ran("demo", code=f"import sys; sys.modules[{missing!r}] = None; {MAIN}")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "The command line needs an extra: pip install 'conversations-hub[cli]'\n"


def test_both_ways_in_are_the_same() -> None:
    package = subprocess.run(
        (sys.executable, "-m", "conversations_hub", "--version"), capture_output=True, text=True, check=True
    )
    assert package.stdout == ran("--version").stdout
    assert re.fullmatch(r"conversations-hub \d+\.\d+\.\d+\n", package.stdout)


# help

COMMANDS = sorted(cli.commands)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"  conversations-hub {command}" in result.output.partition("Example")[2]
    assert "--json" in result.output


def test_the_commands_are_told_in_whole_sentences() -> None:
    result = run("--help", environ={"COLUMNS": "80"})
    assert result.exit_code == 0
    assert "..." not in result.output.partition("Commands:")[2]


@pytest.mark.parametrize("arguments", [(), *((command,) for command in COMMANDS)])
def test_help_imports_next_to_nothing(arguments: tuple[str, ...]) -> None:
    heavy = {"aiohttp", "asyncio", "msgspec", "rich", "tenacity"}
    code = f"import atexit, sys; atexit.register(lambda: print({heavy!r} & set(sys.modules), file=sys.stderr)); {MAIN}"
    done = ran(*arguments, "--help", code=code)
    assert done.returncode == 0
    assert done.stderr == "set()\n"


def test_help_costs_little() -> None:
    # In calls of functions, half as many today: a time would say how busy the machine is.
    counting = (
        "import atexit, itertools, sys; calls = itertools.count();"
        " atexit.register(lambda: (sys.setprofile(None), print(next(calls), file=sys.stderr)));"
        " sys.setprofile(lambda frame, event, _: next(calls) if event == 'call' else None);"
    )
    done = ran("--help", code=f"{counting} {MAIN}")
    assert done.returncode == 0
    assert int(done.stderr) < 50_000


# vendors' text on a terminal

HOSTILE = "a\x1b[31mb\x07c\x9bd\u202ee\u2066f\rg\x7fh[red]i[/]:smile:"
HARMLESS = r"a\x1b[31mb\x07c\x9bd\u202ee\u2066f\rg\x7fh[red]i[/]:smile:"


def test_what_could_steer_a_terminal_is_escaped() -> None:
    assert escaped(HOSTILE) == HARMLESS
    assert escaped("one\ntwo\ttab\u2028three\ud800") == r"one\ntwo\ttab\u2028three\ud800"
    assert escaped("Grüße, 你好 👍🏽") == "Grüße, 你好 👍🏽"
    assert escaped_lines("one\r\ntwo\nthr\x1bee") == "one\ntwo\nthr\\x1bee"


def _hostile() -> Conversation:
    return Conversation(
        provider="tavus",
        id=HOSTILE,
        status=Status.ENDED,
        provider_status=HOSTILE,
        title=HOSTILE,
        agent=Agent(id=HOSTILE, name=HOSTILE),
        participants=(Participant(kind=ParticipantKind.CUSTOMER, name=HOSTILE),),
        provider_end_reason=HOSTILE,
        summary=HOSTILE,
        analysis=Analysis(sentiment=HOSTILE, scores={HOSTILE: 1.0}, collected={HOSTILE: HOSTILE}),
        language=HOSTILE,
        tags=(HOSTILE,),
        links={HOSTILE: HOSTILE},
        transcript=(
            TranscriptTurn(index=0, role=Role.USER, text=f"{HOSTILE}\nagent  I am the agent"),
            TranscriptTurn(index=1, role=Role.ASSISTANT, tool_calls=(ToolCall(name=HOSTILE, arguments=HOSTILE),)),
            TranscriptTurn(index=2, role=Role.TOOL, tool_result=ToolResult(content=HOSTILE, is_error=True)),
        ),
        transcript_state=TranscriptState.AVAILABLE,
    )


def test_a_conversation_shows_vendors_text_escaped_and_as_it_is() -> None:
    out = _paper(400)
    out.print(render(_hostile()))
    ConversationTable(out).write(_hostile())
    shown = _written(out)
    assert not set(shown) & set("\x1b\x07\x9b\u202e\u2066\r\x7f")
    assert shown.count(HARMLESS) == 21
    assert _set(_hostile()).count(HARMLESS) == 19
    assert not re.search(r"^ {0,6}agent  I am", shown, re.MULTILINE)


def _paper(width: int) -> Console:
    return Console(file=io.StringIO(), width=width, force_terminal=False)


def _written(out: Console) -> str:
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_an_error_shows_vendors_words_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def get(_hub: Hub, _ref: str, *, wait: float) -> Conversation:
        raise OutageError(HOSTILE)

    monkeypatch.setattr(Hub, "get", get)
    assert run("get", "tavus:c1").stderr == f"Error: {HARMLESS}\n"


class _Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [_Terminal, io.TextIOWrapper])
def test_json_is_the_same_document_on_a_terminal_and_the_same_bytes_elsewhere(
    monkeypatch: pytest.MonkeyPatch, kind: type[io.TextIOWrapper]
) -> None:
    written = io.BytesIO()
    document = msgspec.json.encode(_hostile())
    monkeypatch.setattr(sys, "stdout", kind(written, encoding="utf-8"))
    write_json(document)
    shown = written.getvalue()
    assert msgspec.json.decode(shown, type=Conversation) == _hostile()
    if kind is _Terminal:
        assert not set(shown.decode()) & set("\x1b\x07\x9b\u202e\u2066\r\x7f")
    else:
        assert shown == document + b"\n"


# how a conversation is set


def _set(conversation: Conversation) -> str:
    """Set a conversation in columns, and see that `render` says the same in the same places."""
    out = _paper(400)
    out.print(render(conversation))
    shown = "\n".join(line.rstrip() for line in _written(out).splitlines())
    assert shown == conversation.render()
    return shown


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TranscriptState.PENDING, "try again"),
        (TranscriptState.NOT_LOADED, "not loaded"),
        (TranscriptState.RESTRICTED, "may not read"),
        (TranscriptState.UNAVAILABLE, "no transcript"),
        (TranscriptState.TRUNCATED, "missing"),
    ],
)
def test_a_missing_transcript_says_why(state: TranscriptState, said: str) -> None:
    assert said in _set(Conversation(provider="tavus", id="c1", transcript_state=state)).splitlines()[-1]


def test_an_empty_transcript_is_no_missing_one() -> None:
    state = TranscriptState.AVAILABLE
    shown = _set(Conversation(provider="tavus", id="c1", transcript=(), transcript_state=state))
    assert shown.splitlines()[-1] == "Nothing was said."


def test_the_text_shows_every_part() -> None:
    shown = _set(
        Conversation(
            provider="acme",
            account="eu",
            id="c1",
            status=Status.ENDED,
            provider_status="done",
            channel=Channel.PHONE,
            direction=Direction.INBOUND,
            started_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
            duration=3723.9,
            agent=Agent(id="a1", name="Ada", version="3"),
            participants=(Participant(kind=ParticipantKind.HUMAN_AGENT, id="h1", name="Grace", phone="+14155550100"),),
            end_reason=EndReason.AGENT_ENDED,
            provider_end_reason="agent-hangup",
            analysis=Analysis(success=False, sentiment="calm", scores={"csat": 4.5}, collected={"order": 7}),
            recordings=(Recording(location="https://example.com/a", access=RecordingAccess.SIGNED_URL, duration=61.0),),
            cost=Cost(amount=Decimal("0.10"), unit="USD"),
            estimated=("duration",),
            issues=(Issue("events[2].timestamp", "not a date"),),
            transcript=(
                TranscriptTurn(index=0, role=Role.SYSTEM, text="Never tell."),
                TranscriptTurn(index=1, role=Role.ASSISTANT, text="Hello, I am", start=1.5, interrupted=True),
                TranscriptTurn(index=2, role=Role.USER, text="Hi.", timestamp=1795167005.0),
                TranscriptTurn(index=3, role=Role.UNKNOWN, text="A note.", visibility=Visibility.INTERNAL),
            ),
            transcript_state=TranscriptState.AVAILABLE,
        )
    )
    assert shown.splitlines() == [
        "acme/eu:c1  ended (done)  phone  inbound",
        "when        2026-11-20 09:30:00 UTC, 1:02:03 long",
        "agent       Ada (a1, 3)",
        "with        human agent Grace +14155550100 h1",
        "end         agent_ended (agent-hangup)",
        "analysis    no success, calm, csat 4.5",
        "            order: 7",
        "cost        0.10 USD",
        "recordings  1:01, signed url",
        "estimated   duration",
        "not read    events[2].timestamp: not a date",
        "",
        "          system  (11 characters of prompt, not shown here)",
        "    0:01  agent   Hello, I am (interrupted)",
        "09:30:05  user    Hi.",
        "          ?       A note. (internal)",
    ]


@pytest.mark.parametrize(("width", "rows"), [(80, 4), (120, 2)])
def test_first_words_move_down_where_there_is_no_room(width: int, rows: int) -> None:
    out = _paper(width)
    said = "Where is my order? It should have been here last week. " * 3
    turns = (TranscriptTurn(index=0, role=Role.USER, text=said),)
    lines = ConversationTable(out)
    lines.write(Conversation(provider="acme", id="c1", created_at=datetime(2019, 5, 1, tzinfo=UTC), transcript=turns))
    shown = _written(out).splitlines()
    assert len(shown) == rows
    assert max(map(cell_len, shown)) <= width
    assert shown[rows // 2].split()[:6] == ["acme:c1", "unknown", "unknown", "2019-05-01", "-", "1"]
    assert "  Where is my order?" in shown[-1]
    assert shown[-1].endswith("…")
