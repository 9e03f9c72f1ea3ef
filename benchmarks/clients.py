"""The clients that fetch conversations, each as somebody who knows it would use it, 50 requests at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import aiohttp
import msgspec
from by_hand import READERS
from by_json import TURNS

from conversations_hub import Account, Hub
from conversations_hub.schema import Role, TranscriptTurn

__all__ = ["CLIENTS", "SETTINGS", "Client", "Served", "clients_of", "spoken"]

_KEY = "invented-key"
_HEADERS = {"Authorization": f"Bearer {_KEY}"}
SETTINGS = {"org_id": "org_simulated"}
"""What the account of one of the providers needs besides a key."""
CONCURRENCY = 50

Take = Callable[[str, Any], None]
"""Is given the id of each conversation, and what the client brings of it."""


class Served(msgspec.Struct, frozen=True):
    """Where a provider is, and what it is asked for each conversation, below that."""

    url: str
    targets: dict[str, list[str]]


class Client(msgspec.Struct, frozen=True):
    """How to fetch conversations by their ids, and how to read what was said in what it brings."""

    fetch: Callable[[Iterable[str], Take], Awaitable[None]]
    texts: Callable[[Any], Iterable[str | None]]


def spoken(turns: Iterable[TranscriptTurn]) -> list[str]:
    """Return what the user and the agent said."""
    return [turn.text for turn in turns if turn.role in _SPEAKERS and turn.text]


_SPEAKERS = {Role.USER, Role.ASSISTANT}


def _by_one(get: Callable[[str], Awaitable[Any]], texts: Callable[[Any], Iterable[str | None]]) -> Client:
    """Return a client of what gets one conversation, and of what reads its words."""

    async def fetch(ids: Iterable[str], take: Take) -> None:
        left = iter(ids)

        async def work() -> None:
            for id in left:
                take(id, await get(id))

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(work())

    return Client(fetch, texts)


@asynccontextmanager
async def _hub(provider: str, served: Served) -> AsyncGenerator[Client]:
    async with Hub([Account(provider, key=_KEY, base_url=served.url, settings=SETTINGS)]) as hub:

        async def fetch(ids: Iterable[str], take: Take) -> None:
            async for outcome in hub.get_many((f"{provider}:{id}" for id in ids), concurrency=CONCURRENCY):
                assert outcome.conversation is not None, outcome.error
                take(outcome.conversation.id, outcome.conversation)

        yield Client(fetch, lambda conversation: spoken(conversation.transcript or ()))


@asynccontextmanager
async def _bodies(served: Served) -> AsyncGenerator[Callable[[str], Awaitable[list[bytes]]]]:
    """Hand out what gets a conversation as it was sent, with nothing but aiohttp."""
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with aiohttp.ClientSession(connector=connector, headers=_HEADERS) as session:

        async def get(id: str) -> list[bytes]:
            answers: list[bytes] = []
            for target in served.targets[id]:
                async with session.get(served.url + target) as answer:
                    answers.append(await answer.read())
            return answers

        yield get


@asynccontextmanager
async def _by_hand(provider: str, served: Served) -> AsyncGenerator[Client]:
    reader = READERS[provider]
    async with _bodies(served) as bodies:

        async def get(id: str) -> list[TranscriptTurn]:
            return reader.turns(reader.decode(await bodies(id)))

        yield _by_one(get, spoken)


@asynccontextmanager
async def _floor(provider: str, served: Served) -> AsyncGenerator[Client]:
    reader = READERS[provider]
    async with _bodies(served) as bodies:

        async def get(id: str) -> Any:
            return reader.decode(await bodies(id))

        yield _by_one(get, lambda sent: spoken(reader.turns(sent)))


@asynccontextmanager
async def _aiohttp_json(provider: str, served: Served) -> AsyncGenerator[Client]:
    async with _bodies(served) as bodies:

        async def get(id: str) -> list[Any]:
            return [json.loads(body) for body in await bodies(id)]

        yield _by_one(get, lambda sent: spoken(TURNS[provider](sent)))


def _httpx_client() -> Any:
    httpx: Any = import_module("httpx")
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    # Fifty at a time, some SDKs keep the loop busy for longer than httpx waits for a connection.
    return httpx.AsyncClient(limits=limits, trust_env=False, timeout=None)


@asynccontextmanager
async def _httpx_json(provider: str, served: Served) -> AsyncGenerator[Client]:
    async with _httpx_client() as session:

        async def get(id: str) -> list[Any]:
            return [(await session.get(served.url + target, headers=_HEADERS)).json() for target in served.targets[id]]

        yield _by_one(get, lambda sent: spoken(TURNS[provider](sent)))


@asynccontextmanager
async def _elevenlabs_sdk(_provider: str, served: Served) -> AsyncGenerator[Client]:
    sdk: Any = import_module("elevenlabs.client")
    async with _httpx_client() as session:
        elevenlabs = sdk.AsyncElevenLabs(api_key=_KEY, base_url=served.url, httpx_client=session)
        get = elevenlabs.conversational_ai.conversations.get
        yield _by_one(get, lambda sent: [turn.message for turn in sent.transcript])


@asynccontextmanager
async def _retell_sdk(_provider: str, served: Served) -> AsyncGenerator[Client]:
    sdk: Any = import_module("retell")

    def texts(sent: Any) -> list[str]:
        turns = sent.transcript_with_tool_calls or sent.scrubbed_transcript_with_tool_calls or ()
        return [turn.content for turn in turns if turn.role in {"agent", "user"}]

    async with sdk.AsyncRetell(api_key=_KEY, base_url=served.url, http_client=_httpx_client()) as retell:
        yield _by_one(retell.call.retrieve, texts)


@asynccontextmanager
async def _vapi_sdk(_provider: str, served: Served) -> AsyncGenerator[Client]:
    sdk: Any = import_module("vapi")

    def texts(sent: Any) -> list[str]:
        turns = (sent.artifact and sent.artifact.messages) or sent.messages
        return [turn.message for turn in turns if turn.role in {"bot", "user"}]

    async with _httpx_client() as session:
        vapi = sdk.AsyncVapi(token=_KEY, base_url=served.url, httpx_client=session)
        yield _by_one(vapi.calls.get, texts)


CLIENTS: Mapping[str, Callable[[str, Served], AbstractAsyncContextManager[Client]]] = {
    "hub": _hub,
    "by hand": _by_hand,
    "floor": _floor,
    "aiohttp + json": _aiohttp_json,
    "httpx + json": _httpx_json,
    "elevenlabs SDK": _elevenlabs_sdk,
    "retell SDK": _retell_sdk,
    "vapi SDK": _vapi_sdk,
}
"""By name; each takes a provider and where it is."""

_NEEDS = {"httpx + json": "httpx", "elevenlabs SDK": "elevenlabs", "retell SDK": "retell", "vapi SDK": "vapi"}


def clients_of(provider: str) -> list[str]:
    """Return the names of the clients that are installed and can ask this provider."""
    fitting = [name for name in CLIENTS if not name.endswith("SDK") or name == f"{provider} SDK"]
    return [name for name in fitting if name not in _NEEDS or find_spec(_NEEDS[name])]
