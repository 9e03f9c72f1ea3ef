"""`mcp`: what it refuses before it serves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from conversations_hub._cli import cli
from conversations_hub._cli.mcp import tokens_in
from conversations_hub.errors import ConfigurationError


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
