"""A service that receives and drains, killed at thirty of its system calls: what it acknowledged is stored, once."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest
from aiohttp import ClientError, ClientSession

from conversations_hub import Hub
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import Inbox, drain
from conversations_hub.testing import Simulator
from conversations_hub.webhooks import read_verified

from ..support.accounts_file import accounts_file
from ..support.bad_weather import leads_to_a_record
from ..support.entries import said
from ..support.receiving import TOKEN
from ..support.sqlite import kept_in
from ..support.traced import calls_in, needs_strace, served_traced
from .conftest import Tell

pytestmark = [needs_strace, pytest.mark.nightly, pytest.mark.timeout(3600)]

KILLS = 30
DRAINED_AFTER = 8.0  # seconds; by then what came has been stored
CONVERSATIONS = 8
FILE = """
[[account]]
provider = "tavus"
key_env = "TAVUS_API_KEY"
base_url = "{url}"

[[webhook]]
provider = "tavus"
token_env = "TAVUS_TOKEN"
"""


class _Run(NamedTuple):
    acknowledged: set[str]
    """The conversations of what was answered with 200, but for what only says that one began."""
    was_killed: bool
    calls: Counter[str]


async def _run(simulator: Simulator, folder: Path, *strace: str) -> _Run:
    """Deliver all that a provider has to tell, until the service dies or has been left alone for a while."""
    environ = simulator.environment() | {"TAVUS_TOKEN": TOKEN}
    config = accounts_file(folder, FILE.format(url=environ["TAVUS_BASE_URL"]))
    options = ["--hooks", "--drain", "--config", str(config), "--store", str(folder / "c.db")]
    world, taken = simulator.worlds["tavus"], set[str]()
    async with served_traced(options, environ, folder / "log", *strace) as served, ClientSession() as session:
        with suppress(ClientError, TimeoutError):
            for truth in world.newest() if served.url is not None else ():
                for sent in simulator.delivered("tavus", world.id(truth)):
                    url = f"{served.url}hooks/tavus/{TOKEN}"
                    async with session.post(url, data=sent.body, headers=dict(sent.headers)) as answer:
                        assert answer.status == 200
                    if any(map(leads_to_a_record, read_verified("tavus", sent.body, verified=False))):
                        taken.add(world.id(truth))
            async with asyncio.timeout(DRAINED_AFTER):
                await served.process.wait()
        was_killed = served.process.returncode == -signal.SIGKILL
    return _Run(taken, was_killed, Counter(call.name for call in calls_in(folder / "log")))


async def _drained(simulator: Simulator, folder: Path) -> set[str]:
    """Drain what is left, and return the ids of what is stored."""
    store = SQLiteStore(folder / "c.db")
    async with Hub.from_env(environ=simulator.environment()) as hub, Inbox(folder / "c.inbox") as inbox:
        report = await drain(hub, store, inbox)
        assert report.complete, report
        assert (await inbox.status()).new == 0
    for name in ("c.db", "c.inbox"):
        with closing(sqlite3.connect(folder / name)) as database:
            assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    with store.reader() as reader:
        found = Counter(one.id for one in reader.conversations("tavus"))
    assert not found or max(found.values()) == 1
    return set(found)


async def test_a_receiver_that_is_killed_at_any_call_has_stored_once_what_it_acknowledged(
    tmp_path: Path, tell: Tell
) -> None:
    chance, killed, taken = Random(1), 0, 0  # noqa: S311  (instants)
    with Simulator(conversations=CONVERSATIONS, providers=["tavus"]) as simulator:

        async def run(name: str, *strace: str) -> _Run:
            folder = tmp_path / name
            folder.mkdir()
            await kept_in(folder / "c.db", said("Hello."))
            done = await _run(simulator, folder, *strace)
            assert done.acknowledged <= await _drained(simulator, folder)
            return done

        undisturbed = await run("undisturbed")
        assert undisturbed.acknowledged
        for number in range(3 * KILLS):
            name = chance.choice(sorted(undisturbed.calls))
            instant = chance.randrange(1, undisturbed.calls[name] + 1)
            done = await run(str(number), "-e", f"inject={name}:signal=SIGKILL:when={instant}")
            killed += done.was_killed
            taken += len(done.acknowledged) if done.was_killed else 0
            if killed == KILLS:
                break
    assert killed == KILLS
    tell(f"receiver: killed {killed} times, {taken} conversations acknowledged, all stored once")
