"""The clients that fetch conversations, each as somebody who knows it would use it, 50 requests at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

import aiohttp
from floor import READERS
from loopback import PATHS

from conversations_hub import Account, Hub

__all__ = ["CLIENTS", "Client", "clients_of"]

CONCURRENCY = 50

Take = Callable[[str, Sequence[Any]], None]
"""Is given the id of each conversation, and its turns as the client brings them."""


class Client(NamedTuple):
    """How to fetch conversations by their ids, and how to read the text of a turn."""

    fetch: Callable[[Iterable[str], Take], Awaitable[None]]
    text: Callable[[Any], str | None]


_TEXTS = {"tavus": "content", "elevenlabs": "message", "retell": "content", "vapi": "message"}
_TURNS: Mapping[str, Callable[[Any], Sequence[Any]]] = {
    "tavus": lambda sent: sent["events"][1]["properties"]["transcript"],
    "elevenlabs": lambda sent: sent["transcript"],
    "retell": lambda sent: sent["transcript_with_tool_calls"],
    "vapi": lambda sent: sent["artifact"]["messages"],
}


def _by_one(
    get: Callable[[str], Awaitable[Any]], read: Callable[[Any], Sequence[Any]], text: Callable[[Any], str | None]
) -> Client:
    """Return a client of what gets one conversation, and of what reads its turns."""

    async def fetch(ids: Iterable[str], take: Take) -> None:
        left = iter(ids)

        async def work() -> None:
            for id in left:
                take(id, read(await get(id)))

        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(work())

    return Client(fetch, text)


def _url(provider: str, base_url: str) -> str:
    # Without the question Tavus brings no transcript.
    return f"{base_url}/{PATHS[provider]}/{{}}{'?verbose=true' if provider == 'tavus' else ''}"


@asynccontextmanager
async def _hub(provider: str, base_url: str) -> AsyncGenerator[Client]:
    async with Hub([Account(provider, key="invented", base_url=base_url)]) as hub:

        async def fetch(ids: Iterable[str], take: Take) -> None:
            async for outcome in hub.get_many((f"{provider}:{id}" for id in ids), concurrency=CONCURRENCY):
                conversation = outcome.conversation
                assert conversation is not None, outcome.error
                take(conversation.id, conversation.transcript or ())

        yield Client(fetch, attrgetter("text"))


@asynccontextmanager
async def _floor(provider: str, base_url: str) -> AsyncGenerator[Client]:
    url = _url(provider, base_url)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY)) as session:

        async def get(id: str) -> bytes:
            async with session.get(url.format(id)) as answer:
                return await answer.read()

        yield _by_one(get, READERS[provider], attrgetter(_TEXTS[provider]))


@asynccontextmanager
async def _aiohttp_json(provider: str, base_url: str) -> AsyncGenerator[Client]:
    url = _url(provider, base_url)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONCURRENCY)) as session:

        async def get(id: str) -> Any:
            async with session.get(url.format(id)) as answer:
                return await answer.json()

        yield _by_one(get, _TURNS[provider], itemgetter(_TEXTS[provider]))


def _httpx_client() -> Any:
    httpx: Any = import_module("httpx")
    limits = httpx.Limits(max_connections=CONCURRENCY, max_keepalive_connections=CONCURRENCY)
    return httpx.AsyncClient(limits=limits, trust_env=False)


@asynccontextmanager
async def _httpx_json(provider: str, base_url: str) -> AsyncGenerator[Client]:
    url = _url(provider, base_url)
    async with _httpx_client() as session:

        async def get(id: str) -> Any:
            return (await session.get(url.format(id))).json()

        yield _by_one(get, _TURNS[provider], itemgetter(_TEXTS[provider]))


@asynccontextmanager
async def _elevenlabs_sdk(_provider: str, base_url: str) -> AsyncGenerator[Client]:
    sdk: Any = import_module("elevenlabs.client")
    async with _httpx_client() as session:
        elevenlabs = sdk.AsyncElevenLabs(api_key="invented", base_url=base_url, httpx_client=session)
        get = elevenlabs.conversational_ai.conversations.get
        yield _by_one(get, attrgetter("transcript"), attrgetter("message"))


@asynccontextmanager
async def _retell_sdk(_provider: str, base_url: str) -> AsyncGenerator[Client]:
    sdk: Any = import_module("retell")
    async with sdk.AsyncRetell(api_key="invented", base_url=base_url, http_client=_httpx_client()) as retell:
        yield _by_one(retell.call.retrieve, attrgetter("transcript_with_tool_calls"), attrgetter("content"))


@asynccontextmanager
async def _vapi_sdk(_provider: str, base_url: str) -> AsyncGenerator[Client]:
    sdk: Any = import_module("vapi")
    async with _httpx_client() as session:
        vapi = sdk.AsyncVapi(token="invented", base_url=base_url, httpx_client=session)  # noqa: S106
        yield _by_one(vapi.calls.get, attrgetter("artifact.messages"), attrgetter("message"))


CLIENTS: Mapping[str, Callable[[str, str], AbstractAsyncContextManager[Client]]] = {
    "hub": _hub,
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
