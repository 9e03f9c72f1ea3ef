"""The nightly sync, run as cron runs it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from email import message_from_bytes
from email.message import Message
from pathlib import Path

from conversations_hub.stores import open_store
from conversations_hub.testing import Simulator

from ..support.example import EXAMPLES


async def _ran(simulator: Simulator, store: Path) -> tuple[int | None, Message, str]:
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        EXAMPLES / "nightly_sync.py",
        store,
        "ops@example.com",
        env=os.environ | simulator.environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await running.communicate()
    message = message_from_bytes(printed)
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    return running.returncode, message, body.decode()


async def test_it_tells_what_came_and_how_much_the_last_day_was(tmp_path: Path) -> None:
    store = tmp_path / "conversations.db"
    async with Simulator(conversations=30, providers=["vapi", "retell"]) as simulator:
        status, message, body = await _ran(simulator, store)
        assert (status, message["To"]) == (0, "ops@example.com")
        assert message["Subject"] == "60 new conversations, all there"
        assert "vapi/default: complete, 30 new" in body
        assert re.search(r"^vapi/default: \d+ conversations, \d+ minutes$", body, re.MULTILINE)
        status, message, _ = await _ran(simulator, store)
        assert (status, message["Subject"]) == (0, "0 new conversations, all there")
    with open_store(str(store)).reader() as reader:
        assert reader.status().total.conversations == 60


async def test_it_says_in_the_subject_that_some_are_missing(tmp_path: Path) -> None:
    async with Simulator(conversations=30, providers=["vapi", "retell"]) as simulator:
        simulator.script("vapi", [401] * 50)
        status, message, body = await _ran(simulator, tmp_path / "conversations.db")
    assert (status, message["Subject"]) == (1, "30 new conversations, SOME ARE MISSING")
    assert "vapi/default: incomplete" in body
    assert "AuthError" in body
