"""`serve`: who can reach it, what it says, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientPayloadError, ClientSession

from ..support.command_line import run
from ..support.entries import said
from ..support.sqlite import kept_in


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    path = tmp_path / "tokens.toml"
    path.write_text(f'[[token]]\nname = "a"\nsha256 = "{"0" * 64}"\n')
    path.chmod(0o600)
    return str(path)


def test_other_machines_reach_it_only_if_that_is_meant(tmp_path: Path, tokens: str) -> None:
    for options, words in (
        (("--host", "0.0.0.0"), "--tokens, and --allow-host"),  # noqa: S104
        (("--host", "0.0.0.0", "--tokens", tokens), "--tokens, and --allow-host"),  # noqa: S104
        (("--host", "hub.example.com", "--allow-host", "hub.example.com"), "--tokens, and --allow-host"),
        (("--host", "::", "--tokens", tokens, "--allow-host", "hub.example.com"), "plain http shows them everything"),
        (("--tls-cert", "cert.pem"), "belong together"),
        (("--tls-cert", tokens, "--tls-key", tokens), "no certificate and key"),
        (("--tokens", str(tmp_path / "nothing.toml")), "cannot be read"),
    ):
        done = run("serve", "--store", str(tmp_path / "c.db"), *options)
        assert done.exit_code == 2, options
        assert words in " ".join(done.stderr.split())
        assert not done.stdout


def test_a_store_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    done = run("serve", "--store", str(tmp_path / "c.db"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no such file" in done.stderr


async def test_it_says_its_address_once_and_stops_when_it_is_told(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    command = (sys.executable, "-m", "conversations_hub", "serve", "--store", str(tmp_path / "c.db"), "--port", "0")
    process = await asyncio.create_subprocess_exec(
        *command, "--json", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    place = json.loads(await process.stdout.readline())
    async with ClientSession(headers={"Authorization": f"Bearer {place['token']}"}) as session:
        async with session.get(f"{place['url']}v1/conversations/acme:c1") as answer:
            assert (await answer.json())["ref"] == "acme:c1"
        events = await session.get(f"{place['url']}v1/changes", headers={"Accept": "text/event-stream"})
        await events.content.readline()
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(ClientPayloadError, ClientConnectionError):
            await events.read()
        out, err = await process.communicate()
    assert (process.returncode, out) == (0, b"")
    assert b"Traceback" not in err
    assert place["token"].encode() not in err


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has no SIGHUP")
async def test_tokens_are_read_anew_on_sighup_and_a_broken_file_is_said_once(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    path = tmp_path / "tokens.toml"

    def write(text: str) -> None:
        path.write_text(f'[[token]]\nname = "a"\nsha256 = "{hashlib.sha256(text.encode()).hexdigest()}"\n')
        path.chmod(0o600)

    write("old")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "conversations_hub", "serve", "--store", str(tmp_path / "c.db"), "--port", "0"),
        *("--tokens", str(path), "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    url = json.loads(await process.stdout.readline())["url"]
    async with ClientSession() as session:

        async def status(token: str) -> int:
            async with session.get(f"{url}v1/accounts", headers={"Authorization": f"Bearer {token}"}) as answer:
                return answer.status

        path.write_text("[[token")
        process.send_signal(signal.SIGHUP)
        told = [await process.stderr.readline()]
        assert await status("old") == 200
        write("new")
        process.send_signal(signal.SIGHUP)
        while await status("old") != 401:
            pass
        assert await status("new") == 200
        process.send_signal(signal.SIGTERM)
        told += (await process.communicate())[1].splitlines()
    assert process.returncode == 0
    assert [line.strip().decode() for line in told] == [f"the tokens stay as they were: {path}: it is not TOML"]
