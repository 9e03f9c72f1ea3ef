"""What docs/guides/webhooks.md says is what happens."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import indent
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conversations_hub.adapters import BUILTIN, load
from conversations_hub.serve import endpoints_from_file
from conversations_hub.signing._delivery import Received
from conversations_hub.stores.sqlite import SQLiteReader
from conversations_hub.testing import Simulator
from conversations_hub.testing.simulator._webhooks import Sent

from ..support.paths import DOCS

PAGE = (DOCS / "guides" / "webhooks.md").read_text()
EXAMPLE, RECEIVER, DRAIN = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def _delivered(provider: str) -> tuple[str, Sent]:
    simulator = Simulator(conversations=20, providers=[provider])
    world = simulator.worlds[provider]
    sent = next(one for truth in world.newest() for one in simulator.delivered(provider, world.id(truth)))
    return simulator.secret(provider), sent


async def test_the_example_receives_what_was_signed_and_nothing_else() -> None:
    told: list[tuple[object, ...]] = []

    def tell(*words: object) -> None:
        told.append(words)

    secret, sent = _delivered("elevenlabs")
    names: dict[str, Any] = {"secrets": ["another-secret-of-this-endpoint", secret], "print": tell}
    exec(compile(EXAMPLE, "webhooks.md", "exec"), names)  # noqa: S102  (our own page)
    application = web.Application()
    application.router.add_post("/", names["receive"])
    async with TestServer(application) as server, aiohttp.ClientSession() as session:
        for body, status in ((sent.body, 200), (sent.body + b" ", 401)):
            async with session.post(server.make_url("/"), data=body, headers=sent.headers) as answer:
                assert answer.status == status
    [(id, _, _)] = told
    assert id


async def test_what_the_receiver_keeps_is_drained_into_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with Simulator(conversations=20, providers=["elevenlabs"]) as simulator:
        world = simulator.worlds["elevenlabs"]
        id = next(world.id(truth) for truth in world.newest() if simulator.delivered("elevenlabs", world.id(truth)))
        names: dict[str, Any] = {"secrets": [simulator.secret("elevenlabs")], "token": "t" * 32}
        exec(compile(RECEIVER, "webhooks.md", "exec"), names)  # noqa: S102  (our own page)
        async with TestServer(names["app"]) as server, aiohttp.ClientSession() as session:
            for sent in simulator.delivered("elevenlabs", id):
                url = server.make_url("/hooks/elevenlabs")
                async with session.post(url, data=sent.body, headers=sent.headers) as answer:
                    assert (answer.status, await answer.text()) == (200, "{}")
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        told: list[object] = []
        names = {"print": told.append}
        drain = "async def drained():\n" + indent(DRAIN, "    ")
        exec(compile(drain, "webhooks.md", "exec"), names)  # noqa: S102
        await names["drained"]()
    assert "elevenlabs/default: 1 new" in str(told[0])
    with SQLiteReader(tmp_path / "conversations.db") as reader:
        assert [one.id for one in reader.conversations()] == [id]


def test_the_file_of_accounts_on_the_page_is_read(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "accounts.toml"
    path.write_text(example)
    path.chmod(0o600)
    environ = {"ELEVENLABS_WEBHOOK_SECRET": "wsec_an-invented-secret", "TAVUS_EU_TOKEN": "t" * 32}
    assert endpoints_from_file(path, environ=environ).keys() == {"elevenlabs", "tavus-eu"}


def test_the_table_of_those_who_sign_is_what_the_adapters_hold() -> None:
    lines: list[str] = []
    for provider in sorted(BUILTIN):
        webhook = load(provider).webhook
        if webhook is None or webhook.scheme is None:
            continue
        _, sent = _delivered(provider)
        headers = {name.lower(): value for name, value in sent.headers.items()}
        claim = webhook.scheme.claim(Received(headers=headers, body=sent.body, told_url="https://hooks.example.com/"))
        seconds = "no time sent" if claim.sent_at is None else f"{webhook.scheme.tolerance:g}"
        lines.append(f"| {provider} | {webhook.scheme.name} | {seconds} |")
    assert lines == re.findall(r"^\| [a-z_]+ \| (?:HMAC|Ed25519|shared).*$", PAGE, re.MULTILINE)
