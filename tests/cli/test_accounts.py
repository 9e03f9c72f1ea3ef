"""Which accounts a command is about, and how they are reached: by file, by environment, through a proxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from conversations_hub.adapters import BUILTIN
from conversations_hub.testing import Simulator

from ..support.accounts_file import accounts_file
from ..support.command_line import run
from ..support.proxy import CERTIFICATES, NAME, PASSWORD, proxying, seen
from ..support.server import answer
from ..support.tavus_server import details

GET = ("get", "tavus:c1", "--json")


def inside(folder: Path, scheme: str, *more: str) -> str:
    """Write a file whose account has a name that only a proxy knows."""
    account = ("[[account]]", "provider = 'tavus'", "key = 'k'", f"base_url = '{scheme}://{NAME}'")
    return str(accounts_file(folder, "\n".join((*more, *account, "allow_insecure = true"))))


# through a proxy


@pytest.mark.parametrize("way", ["option", "file", "environment", "file and environment"])
async def test_a_name_that_only_the_proxy_knows_is_reached(tmp_path: Path, way: str) -> None:
    async with proxying(answer(details(1))) as server:
        url = server.url.replace("http://", f"http://ada:{PASSWORD}@")
        arguments, said, environ = {
            "option": (("--proxy", server.url), (), {}),
            "file": ((), (f"proxy = '{url}'",), {}),
            "environment": (("--proxy-from-env",), (), {"HTTP_PROXY": url}),
            "file and environment": ((), ("proxy_from_env = true",), {"HTTP_PROXY": url}),
        }[way]
        config = inside(tmp_path, "http", *said)
        result = await asyncio.to_thread(run, *GET, "--config", config, *arguments, "-v", environ=environ)
    assert result.exit_code == 0
    assert json.loads(result.stdout)["ref"] == "tavus:c1"
    assert PASSWORD not in result.output
    [asked] = server.asked
    assert ("proxy-authorization" in asked.headers) is (way != "option")


async def test_what_is_typed_counts_more_than_the_file(tmp_path: Path) -> None:
    async with proxying(answer(details(1))) as server:
        config = inside(tmp_path, "http", "proxy = 'http://127.0.0.1:1'")
        result = await asyncio.to_thread(run, *GET, "--config", config, "--proxy", server.url)
    assert result.exit_code == 0


async def test_certificates_of_ones_own_are_trusted(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    ca_file.write_bytes(CERTIFICATES.cert_pem.bytes())
    async with proxying(answer(details(1))) as server:
        config = inside(tmp_path, "https")
        arguments = (*GET, "--config", config, "--proxy", server.url)
        refused = await asyncio.to_thread(run, *arguments)
        taken = await asyncio.to_thread(run, *arguments, "--ca-file", str(ca_file))
    assert (refused.exit_code, taken.exit_code) == (1, 0)
    assert f"no trusted connection to {NAME}" in refused.stderr
    assert seen(server)[-1] == ("GET", "/v2/conversations/c1")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--proxy", f"http://ada:{PASSWORD}@proxy.example"), "other users of this machine could read the password"),
        (("--proxy", f"ada:{PASSWORD}@proxy.example"), "other users of this machine could read the password"),
        (("--proxy", f"socks5://{PASSWORD}"), "must be written as http://host:port"),
        (("--proxy", "http://a.example", "--proxy-from-env"), "not both"),
        (("--proxy-from-env",), "HTTPS_PROXY: the proxy must be written as http://host:port"),
        (("--ca-file", "nowhere.pem"), "nowhere.pem cannot be read"),
    ],
)
@pytest.mark.parametrize("command", ["list", "plan", "doctor"])
def test_a_way_that_leads_nowhere_is_wrong_usage(command: str, arguments: tuple[str, ...], said: str) -> None:
    result = run(command, *arguments, environ={"TAVUS_API_KEY": "k", "HTTPS_PROXY": f"ftp://{PASSWORD}"})
    assert result.exit_code == 2
    assert said in result.stderr.splitlines()[-1]
    assert PASSWORD not in result.output


# who is there


@pytest.mark.parametrize("command", [("list",), ("sync",), ("plan",), ("doctor",)])
def test_where_nobody_is_there_it_says_how_to_have_somebody(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*command)
    assert result.exit_code == 2
    keys = ", ".join(f"{provider.upper()}_API_KEY" for provider in BUILTIN)
    assert result.stderr == (
        f"Error: no accounts: set {keys}, or give a file of accounts with --config; to try it with simulated ones, run"
        " `conversations-hub simulate`\n"
    )


@pytest.mark.parametrize("command", [("list", "vapi"), ("get", "vapi:c1"), ("plan", "vapi"), ("doctor", "vapi/eu")])
def test_where_somebody_is_missing_it_says_how_to_have_them(command: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*command, environ={"TAVUS_API_KEY": "k"})
    assert (result.exit_code, result.stderr.split(",")[0]) == (2, "Error: no account of vapi: set VAPI_API_KEY")
    config = inside(tmp_path, "http")
    result = run(*command, "--config", config)
    assert (result.exit_code, result.stderr) == (2, f"Error: no account of vapi: {config} has none\n")


# one that cannot be used


@pytest.fixture
def accounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Serve one provider, and return a file that names two accounts there, of which one lacks its key."""
    monkeypatch.chdir(tmp_path)
    with Simulator(conversations=12, providers=["tavus"]) as simulator:
        us = f"name = 'us'\nkey = 'k'\nbase_url = '{simulator.base_url('tavus')}'"
        path = accounts_file(
            tmp_path, f"[[account]]\nprovider = 'tavus'\n{us}\n[[account]]\nprovider = 'tavus'\nkey_env = 'NO_SUCH'"
        )
        yield str(path)


def asked(accounts: str, *arguments: str) -> Result:
    return run(*arguments, "--config", accounts)


WRONG = "account 2 (tavus): the variable NO_SUCH is not set"


@pytest.mark.parametrize("command", [("list", "--json"), ("sync", "--no-verify"), ("plan",), ("doctor",)])
def test_one_that_cannot_be_used_is_named_and_the_others_work(accounts: str, command: tuple[str, ...]) -> None:
    result = asked(accounts, *command)
    assert result.exit_code == 1
    assert WRONG in result.output
    if command[0] == "list":
        assert len(result.stdout.splitlines()) == 12
        assert "tavus/us: complete, 12 delivered" in result.stderr
    if command[0] == "sync":
        assert len(run("list", "--store", "conversations.db", "--json").stdout.splitlines()) == 12


@pytest.mark.parametrize(
    "command", [("list", "tavus/us"), ("sync", "tavus/us", "--no-verify"), ("plan", "tavus/us"), ("doctor", "tavus/us")]
)
def test_who_asks_for_another_hears_nothing_of_it(accounts: str, command: tuple[str, ...]) -> None:
    result = asked(accounts, *command)
    assert result.exit_code == 0
    assert "NO_SUCH" not in result.output


def test_who_asks_for_it_alone_has_a_wrong_configuration(accounts: str) -> None:
    for command in (("list", "tavus/default"), ("get", "tavus/default:c1")):
        result = asked(accounts, *command)
        assert result.exit_code == 2
        assert WRONG in result.stderr.splitlines()[-1]
