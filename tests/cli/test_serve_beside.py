"""A webhook comes in, its conversation is stored and shown, and another system hears of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession

from conversations_hub.errors import ConfigurationError
from conversations_hub.serve import targets_from_file
from conversations_hub.testing import Simulator

from ..support.accounts_file import accounts_file
from ..support.command_line import run
from ..support.entries import said
from ..support.receiving import TOKEN
from ..support.server import answer, serving
from ..support.sqlite import kept_in

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FILE = """
[[account]]
provider = "tavus"
key_env = "TAVUS_API_KEY"
base_url = "{tavus}"

[[webhook]]
provider = "tavus"
token_env = "TAVUS_TOKEN"

[[forward]]
url = "{target}/hook"
secret_env = "CRM_SECRET"
name = "crm"
allow_private = true
"""


async def test_what_comes_in_is_stored_shown_and_told(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    with Simulator(conversations=6, providers=["tavus"]) as simulator:
        async with serving(answer({})) as target:
            environ = simulator.environment()
            config = accounts_file(tmp_path, FILE.format(tavus=environ["TAVUS_BASE_URL"], target=target.url))
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "conversations_hub", "serve", "--store", str(tmp_path / "c.db"), "--port", "0"),
                *("--hooks", "--drain", "--forward", "--config", str(config), "--json"),
                env={**os.environ, **environ, "TAVUS_TOKEN": TOKEN, "CRM_SECRET": SECRET},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            assert process.stdout is not None
            place = json.loads(await process.stdout.readline())
            world = simulator.worlds["tavus"]
            id = world.id(list(world.newest())[-1])
            async with ClientSession() as session:
                for sent in simulator.delivered("tavus", id):
                    address = f"{place['url']}hooks/tavus/{TOKEN}"
                    async with session.post(address, data=sent.body, headers=dict(sent.headers)) as taken:
                        assert taken.status == 200
                await target.has_been_asked(1)
                event = json.loads(target.asked[-1].body)
                assert (event["type"], event["data"]["ref"]) == ("conversation.created", f"tavus:{id}")
                bearer = {"Authorization": f"Bearer {place['token']}"}
                async with session.get(f"{place['url']}v1/conversations/tavus:{id}", headers=bearer) as shown:
                    assert (await shown.json())["id"] == id
            process.send_signal(signal.SIGTERM)
            _, err = await process.communicate()
    assert process.returncode == 0
    assert TOKEN.encode() not in err
    assert b"Traceback" not in err


def test_what_it_needs_is_said(tmp_path: Path) -> None:
    asyncio.run(kept_in(tmp_path / "c.db", said("Hello.")))
    for text, options, words in (
        (None, ("--hooks",), "need --config"),
        ("", ("--hooks",), "no endpoint for webhooks"),
        ("", ("--forward",), "no target of changes"),
        ('[[forward]]\nurl = "http://crm.example"\nsecret_env = "CRM_SECRET"', ("--forward",), "forward 1"),
    ):
        config = () if text is None else ("--config", str(accounts_file(tmp_path, text)))
        environ = {"CRM_SECRET": SECRET}
        done = run("serve", "--store", str(tmp_path / "c.db"), "--port", "0", *options, *config, environ=environ)
        assert done.exit_code == 2, done.stderr
        assert words in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('url = "https://crm.example"\nsecret_env = "NOT_THERE"', "forward 1: the variable NOT_THERE is not set"),
        ('url = "https://crm.example"\nsecret_env = "SHORT"', "forward 1: the secret of a target must be whsec_"),
        ('url = "https://crm.example"\nsecret = "x"', "unknown field secret"),
        ('url = "https://crm.example"\nsecret_env = "CRM"\nkinds = ["gone"]', "forward 1"),
    ],
)
def test_a_mistake_in_a_target_is_named_and_shows_no_secret(text: str, words: str, tmp_path: Path) -> None:
    path = accounts_file(tmp_path, f"[[forward]]\n{text}\n")
    with pytest.raises(ConfigurationError, match=words) as caught:
        targets_from_file(path, environ={"SHORT": "canary", "CRM": SECRET})
    assert "canary" not in str(caught.value)


def test_targets_are_read(tmp_path: Path) -> None:
    path = accounts_file(
        tmp_path,
        '[[forward]]\nurl = "https://crm.example/x"\nsecret_env = "CRM"\nproviders = ["vapi"]\nkinds = ["erased"]\n',
    )
    [target] = targets_from_file(path, environ={"CRM": SECRET})
    assert (target.name, target.providers, target.kinds, target.allow_private) == (
        *("crm.example", ["vapi"], ["erased"], False),
    )
