"""A gateway over a store, and somebody who asks it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from yarl import URL

from conversations_hub.serve import Scope, Token, Tokens, gateway

from .clock import NOW

__all__ = ["TEXTS", "TOKENS", "Answered", "Asking", "asking", "asking_of", "token"]


def token(name: str, text: str, *scopes: Scope, **more: Any) -> Token:
    return Token(name=name, sha256=hashlib.sha256(text.encode()).hexdigest(), scopes=frozenset(scopes), **more)


TEXTS: dict[str, str] = {name: f"canary-{name}-0123456789" for name in ("all", "reader", "counter")}
TOKENS = Tokens(
    [
        token("all", TEXTS["all"], "read", "raw", "recordings", "metrics"),
        token("reader", TEXTS["reader"], "read"),
        token("counter", TEXTS["counter"], "metrics"),
    ]
)


class Answered(msgspec.Struct, frozen=True):
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]

    @property
    def kind(self) -> str:
        """What kind of problem it is."""
        assert self.headers["Content-Type"] == "application/problem+json"
        found = self.json()
        assert found["status"] == self.status
        return str(found["kind"])


class Asking:
    """Asks a gateway, with a token unless another or none is wanted."""

    def __init__(self, server: TestServer, session: ClientSession) -> None:
        self.server = server
        self.session = session

    async def __call__(self, path: str, *, who: str | None = "all", method: str = "GET", **headers: str) -> Answered:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if who is not None:
            sent["Authorization"] = f"Bearer {TEXTS.get(who, who)}"
        url = str(self.server.make_url("/")).rstrip("/") + path
        async with self.session.request(method, URL(url, encoded=True), headers=sent) as answer:
            return Answered(answer.status, answer.headers, await answer.read())


@asynccontextmanager
async def asking_of(application: web.Application) -> AsyncGenerator[Asking]:
    server = TestServer(application)
    await server.start_server(access_log=None)  # aiohttp's own would log whole addresses
    async with server, ClientSession() as session:
        yield Asking(server, session)


@asynccontextmanager
async def asking(store: Any = None, **options: Any) -> AsyncGenerator[Asking]:
    options = dict[str, Any]({"tokens": TOKENS, "now": lambda: NOW} | options)
    async with asking_of(gateway(store, **options)) as ask:
        yield ask
