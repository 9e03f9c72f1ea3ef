"""`mcp`: what it refuses before it serves."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from conversations_hub._cli import cli
from conversations_hub._cli.mcp import tokens_in
from conversations_hub.agents._guard import Guarded
from conversations_hub.errors import ConfigurationError
from conversations_hub.stores import open_store, put

from ..support.asgi import answered


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(cli, ["mcp", *arguments])
    assert done.exit_code == 2, done.output
    return done.output


def test_beyond_this_machine_tokens_and_names_are_needed(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{'t' * 40}\n")
    tokens.chmod(0o600)
    for arguments in ((), ("--token-file", str(tokens)), ("--allow-host", "mcp.example.com")):
        told = refused("--http", "--host", "0.0.0.0", *arguments)  # noqa: S104
        assert "beyond this machine, give --token-file, and --allow-host" in told


def test_a_file_of_tokens_is_its_owner_s_alone(tmp_path: Path) -> None:
    tokens = tmp_path / "tokens"
    tokens.write_text(f"{'t' * 40}\n\n{'u' * 40}\n")
    tokens.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"others may read the tokens in .*: chmod 600"):
        tokens_in(tokens)
    tokens.chmod(0o666)
    with pytest.raises(ConfigurationError, match="may be written by others"):
        tokens_in(tokens)
    tokens.chmod(0o600)
    assert tokens_in(tokens) == ["t" * 40, "u" * 40]
    assert len(tokens_in(None)[0]) >= 43


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
def test_tokens_are_read_anew_on_sighup_and_a_broken_file_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, read = tmp_path / "tokens", asyncio.Event()

    def write(text: str) -> None:
        tokens.write_text(text)
        tokens.chmod(0o600)

    async def status(application: Guarded, token: str) -> int:
        return (await answered(application, "/mcp", headers={"authorization": f"Bearer {token}"})).status

    async def listen(application: Guarded, _host: str, _port: int) -> None:
        assert await status(application, "t" * 40) == 200
        for text, codes in (("short", (200, 401)), ("u" * 40, (401, 200))):
            write(text)
            read.clear()
            signal.raise_signal(signal.SIGHUP)
            await read.wait()
            assert (await status(application, "t" * 40), await status(application, "u" * 40)) == codes

    class Watched(Guarded):
        def reload(self, tokens: Collection[str]) -> None:
            read.set()
            super().reload(tokens)

    def guarded(_served: object, given: Collection[str], **_names: object) -> Guarded:
        return Watched(anyone, given)

    monkeypatch.setattr("conversations_hub._cli.mcp.server", serves_nothing)
    monkeypatch.setattr("conversations_hub._cli.mcp.app", guarded)
    monkeypatch.setattr("conversations_hub._cli.mcp._listen", listen)
    write("t" * 40)
    asyncio.run(put(open_store(str(tmp_path / "c.db"))))
    done = CliRunner().invoke(
        cli, ["mcp", "--store", str(tmp_path / "c.db"), "--http", "--token-file", str(tokens)], catch_exceptions=False
    )
    assert done.exit_code == 0
    reason = "MCP over HTTP needs tokens, of at least 32 characters each"
    assert done.stderr == f"the tokens stay as they were: {reason}\n"


def serves_nothing(_functions: object) -> None: ...


async def anyone(_scope: object, _receive: object, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def test_what_a_host_needs_starts_the_same_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["mcp", "--provider", "tavus", "--provider", "vapi/eu", "--redact", "--since", "90d", "--json"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0
    [entry] = json.loads(done.output)["mcpServers"].values()
    assert entry == {
        "command": sys.executable,
        "args": [
            *("-m", "conversations_hub", "mcp", "--store", str(tmp_path / "conversations.db")),
            *("--provider", "tavus", "--provider", "vapi/eu", "--since", "90d", "--redact"),
        ],
    }


def test_acts_need_a_hub_and_reading_only_wins() -> None:
    assert "--allow and --no-store only work with --live" in refused("--allow", "start")
    assert "--allow and --no-store only work with --live" in refused("--no-store")
    assert "no tool 'get'" in refused("--only", "get") or "needs an extra" in refused("--only", "get")
    assert "only work with --live" not in refused("--allow", "start", "--read-only", "--only", "get")
