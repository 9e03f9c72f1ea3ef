"""The receiver of webhooks: what is delivered is in the store, whole."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer

from conversations_hub import Hub
from conversations_hub.errors import HubError
from conversations_hub.schema import Conversation
from conversations_hub.stores import open_store
from conversations_hub.testing import Simulator

from ..support.accounts_file import accounts_file
from ..support.example import example


async def _stored(path: Path, ref: str) -> Conversation:
    while True:
        try:
            with open_store(str(path)).reader() as reader:
                return reader.get(ref)
        except HubError:
            await asyncio.sleep(0.01)  # a task of the application fetches it


async def test_what_is_delivered_is_fetched_and_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "conversations.db"
    async with Simulator(conversations=20, providers=["elevenlabs"]) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)
        accounts = accounts_file(
            tmp_path,
            f"""
            [[account]]
            provider = "elevenlabs"
            key_env = "ELEVENLABS_API_KEY"
            base_url = "{simulator.base_url("elevenlabs")}"

            [[webhook]]
            provider = "elevenlabs"
            secrets_env = ["ELEVENLABS_WEBHOOK_SECRET"]
            """,
        )
        world = simulator.worlds["elevenlabs"]
        id, sent = next(
            (world.id(truth), sent)
            for truth in world.newest()
            for sent in simulator.delivered("elevenlabs", world.id(truth))
        )
        application = example("webhook_receiver").application(accounts, store)
        async with TestClient(TestServer(application)) as client:
            forged = await client.post("/hooks/elevenlabs", data=sent.body.replace(b"a", b"b"), headers=sent.headers)
            assert forged.status == 401
            for _ in range(2):
                answer = await client.post("/hooks/elevenlabs", data=sent.body, headers=sent.headers)
                assert answer.status == 200
            found = await _stored(store, f"elevenlabs:{id}")
        async with Hub.from_file(accounts) as hub:
            assert found.text == (await hub.get(f"elevenlabs:{id}")).text != ""
    with open_store(str(store)).reader() as reader:
        assert [one.id for one in reader.conversations()] == [id]
