"""Adapters against Prism, a mock server that makes random bodies from the providers' own specifications."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Adapter, Query, Resource
from conversations_hub.adapters import load
from conversations_hub.errors import HubError, PaginationError, PayloadError
from conversations_hub.policy import PROFILES
from conversations_hub.testing import account_of

from ..support.paths import FIXTURES
from ..support.sense import check_sense
from .documents import FOLDER
from .mended import MOCKED, specification
from .prism import Prism, prism

TIMES = 40
WALKS = 10  # the first page of one may be the last, and empty

# Cartesia's specification is of an older version.
SETTINGS = {"cartesia": {"version": "2025-11-04"}}
# Of some conversations, it says what their ids look like.
IDS = {"conversations of intercom": "{}", "conversations of chatwoot": "{}", "transcripts of twilio": "GT{:032x}"}
# What was said is kept elsewhere, at a URL that a mock server cannot serve.
WITHOUT_TURNS = {"conversations of assemblyai"}
ANY_ID = "00000000-0000-4000-8000-{:012x}"

pytestmark = [
    pytest.mark.outside,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not FOLDER.is_dir(), reason=f"no specifications in {FOLDER}"),
    pytest.mark.skipif(shutil.which("npx") is None, reason="no Node.js"),
]


def _kinds(adapter: Adapter) -> dict[str, Resource]:
    return {adapter.main: adapter, **adapter.resources}


def _id(adapter: Adapter, kind: str, number: int) -> str:
    return IDS.get(f"{kind} of {adapter.name}", ANY_ID).format(number)


@asynccontextmanager
async def _mocked(provider: str, folder: Path, *, usable: bool) -> AsyncGenerator[tuple[Prism, Account]]:
    settings = account_of(FIXTURES / provider, load(provider)).settings
    async with prism(specification(provider, usable=usable), folder) as mock:
        yield (
            mock,
            Account(
                provider,
                key="key-for-the-mock-server",
                base_url=mock.url,
                settings={**settings, **SETTINGS.get(provider, {})},
            ),
        )


@asynccontextmanager
async def _lane(account: Account) -> AsyncGenerator[Lane]:
    lane = Lane(account, load(account.provider), PROFILES["bulk"].but(attempts=1), clock=Clock())
    try:
        yield lane
    finally:
        await lane.close()


def _check(conversation: Conversation) -> None:
    assert conversation.id
    assert conversation.raw is not None
    check_sense(conversation, conversation.raw)


@pytest.mark.parametrize("provider", MOCKED)
async def test_every_usable_body_becomes_a_conversation(provider: str, tmp_path: Path) -> None:
    adapter = load(provider)
    became: Counter[str] = Counter()
    async with (
        _mocked(provider, tmp_path, usable=True) as (mock, account),
        _lane(account) as lane,
        Hub([account], profile=PROFILES["bulk"].but(attempts=1)) as hub,
    ):
        for name, kind in _kinds(adapter).items():
            assert kind.list_page is not None
            assert kind.get is not None
            for number in range(TIMES):
                page = await lane.run("list", kind.list_page(account, Query(page_size=20), None))
                for row in page.rows:
                    _check(page.normalize(row))
                    became[f"rows of {name}"] += 1
                id = _id(adapter, name, number)
                conversation = await lane.run("get", kind.get(account, id))
                _check(conversation)
                became[f"{name} with turns"] += bool(conversation.transcript)
                with pytest.raises(PayloadError, match="about another conversation"):
                    await hub.get(f"{provider}:{adapter.id_for_all(name, id)}")  # the mock server makes ids up
        for _ in range(WALKS):
            walk = hub.list(provider, limit=20)
            with suppress(PaginationError):  # at random, a page leads back to where it came from
                async for _one in walk:
                    pass
            became["walked"] += walk.report.accounts[0].delivered
            assert walk.report.accounts[0].unreadable == 0
    print(provider, dict(became))  # noqa: T201
    assert mock.complaints == set()
    assert all(became[f"rows of {name}"] > TIMES / 2 for name in _kinds(adapter))
    silent = [name for name in _kinds(adapter) if became[f"{name} with turns"] <= TIMES / 10]
    assert {f"{name} of {provider}" for name in silent} == WITHOUT_TURNS & {f"{adapter.main} of {provider}"}
    assert became["walked"] > 0


NOT_WHERE = "PaginationError: the provider says that there are more rows, but not where"
UNUSABLE = {
    **dict.fromkeys(("ultravox", "twilio", "elevenlabs", "fish_audio", "assemblyai"), (NOT_WHERE,)),
    # Without data, any message is a reason.
    "liveavatar": ("RejectedError: ", "PayloadError: the answer has no data"),
    "chatwoot": ("PayloadError: the response does not fit: Expected int | str, got float at $.id",),
    "vapi": ("PaginationError: a page of 0 leads no further",),
    "synthflow": ("NotFoundError: Synthflow has no call of this id",),
}
"""By provider: how errors begin whose bodies are not usable as the specification describes them."""


@pytest.mark.parametrize("provider", UNUSABLE)
async def test_a_body_that_is_not_usable_is_a_bad_row_or_an_error_that_says_why(provider: str, tmp_path: Path) -> None:
    adapter = load(provider)
    read: list[Conversation] = []
    refused: list[HubError] = []
    async with _mocked(provider, tmp_path, usable=False) as (mock, account), _lane(account) as lane:
        for name, kind in _kinds(adapter).items():
            assert kind.list_page is not None
            assert kind.get is not None
            for number in range(2 * TIMES):  # few bodies are so bad
                try:
                    page = await lane.run("list", kind.list_page(account, Query(page_size=20), None))
                except HubError as error:
                    refused.append(error)
                else:
                    for row in page.rows:
                        try:
                            read.append(page.normalize(row))
                        except PayloadError as error:
                            refused.append(error)
                try:
                    read.append(await lane.run("get", kind.get(account, _id(adapter, name, number))))
                except HubError as error:
                    refused.append(error)
    reasons = Counter(f"{type(error).__name__}: {error.reason}" for error in refused)
    print(provider, len(read), dict(reasons.most_common(3)))  # noqa: T201
    assert mock.complaints == set()
    for conversation in read:
        _check(conversation)
    assert reasons
    assert [reason for reason in reasons if not reason.startswith(UNUSABLE[provider])] == []
