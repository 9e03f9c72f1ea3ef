"""Adapters against Prism, a mock server that makes random bodies from the providers' own specifications."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Query
from conversations_hub.adapters import load
from conversations_hub.errors import HubError, PaginationError, PayloadError, RejectedError
from conversations_hub.policy import PROFILES
from conversations_hub.testing import account_of

from ..support.paths import FIXTURES
from .coverage import SPECIFIED
from .documents import FOLDER

PRISM = "@stoplight/prism-cli@5.14.2"
TIMES = 40

# Prism never gets ready with Vapi's, whose schemas hold each other in every direction.
MOCKED = [provider for provider in SPECIFIED if provider != "vapi"]
# Retell's specification is older than the list that is asked for, and Synthflow's leaves out the agents.
LISTED = [provider for provider in MOCKED if provider not in {"retell", "synthflow"}]

pytestmark = [
    pytest.mark.outside,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no specifications in {FOLDER}"),
    pytest.mark.skipif(shutil.which("npx") is None, reason="no Node.js"),
]


@asynccontextmanager
async def _mocking(provider: str) -> AsyncGenerator[Account]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    specification = FOLDER / SPECIFIED[provider][0]
    prism = await asyncio.create_subprocess_exec(
        *("npx", "--yes", PRISM, "mock", "--dynamic", "--multiprocess", "false", "--port", str(port), specification),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    assert prism.stdout is not None
    drained: asyncio.Task[bytes] | None = None
    try:
        async with asyncio.timeout(240):
            while b"listening" not in (line := await prism.stdout.readline()):
                assert line, "Prism ended"
        drained = asyncio.create_task(prism.stdout.read())
        settings = account_of(FIXTURES / provider, load(provider)).settings
        yield Account(provider, key="key-for-the-mock-server", base_url=f"http://127.0.0.1:{port}", settings=settings)
    finally:
        os.killpg(prism.pid, signal.SIGKILL)  # npx starts a process of its own
        await prism.communicate() if drained is None else await drained
        await prism.wait()


@asynccontextmanager
async def _lane(account: Account) -> AsyncGenerator[Lane]:
    lane = Lane(account, load(account.provider), PROFILES["bulk"], clock=Clock())
    try:
        yield lane
    finally:
        await lane.close()


def _why(error: HubError) -> str:
    """Return why an adapter may refuse a random body; any other error is a failure."""
    if isinstance(error, PaginationError):
        return "a cursor nobody can follow"
    if isinstance(error, RejectedError) or error.reason == "the answer has no data":
        return "an envelope without data"
    raise error


@pytest.mark.parametrize("provider", MOCKED)
async def test_random_bodies_become_conversations(provider: str) -> None:
    adapter = load(provider)
    assert adapter.list_page is not None
    assert adapter.get is not None
    became: Counter[str] = Counter()
    async with _mocking(provider) as account, _lane(account) as lane, Hub([account], profile="bulk") as hub:
        for number in range(TIMES):
            try:
                if provider in LISTED:
                    listing = await lane.run("list", adapter.list_page(account, Query(page_size=20), None))
                    for row in listing.rows:
                        assert isinstance(listing.normalize(row), Conversation)
                        became["list: a conversation"] += 1
            except HubError as error:
                became[f"list: {_why(error)}"] += 1
            id = str(UUID(int=number))
            try:
                got = await lane.run("get", adapter.get(account, id))
            except HubError as error:
                became[f"get: {_why(error)}"] += 1
            else:
                assert isinstance(got, Conversation)
                became["get: a conversation"] += 1
            try:
                await hub.get(f"{provider}:{id}")
            except PayloadError:
                became["hub.get: another's id refused"] += 1  # the mock server makes ids up
            except HubError as error:
                became[f"hub.get: {_why(error)}"] += 1
        try:
            became["hub.list: a conversation"] = len([one async for one in hub.list(provider, limit=60)])
        except HubError as error:
            became[f"hub.list: {type(error).__name__}"] += 1
    print(provider, dict(became))  # noqa: T201
    assert sum(count for outcome, count in became.items() if outcome.startswith("get: ")) == TIMES
    assert became["get: a conversation"] > TIMES / 4
    assert became["list: a conversation"] > 0 or provider not in LISTED
