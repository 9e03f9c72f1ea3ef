"""An ASGI application, run without a server: its lifespan, and one request at a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Any

import msgspec

__all__ = ["Answered", "Application", "answered", "running"]

Message = MutableMapping[str, Any]
Application = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


_USUAL = {"host": "localhost", "content-type": "application/json"}


class Answered(msgspec.Struct, frozen=True):
    """What an application answered."""

    status: int
    media_type: str
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@asynccontextmanager
async def running(app: Application) -> AsyncGenerator[None]:
    """Let an application begin, and at the end come to its end."""
    inbox, outbox = asyncio.Queue[Message](), asyncio.Queue[Message]()
    scope: Message = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
    task = asyncio.ensure_future(app(scope, inbox.get, outbox.put))
    try:
        await inbox.put({"type": "lifespan.startup"})
        assert (await outbox.get())["type"] == "lifespan.startup.complete"
        yield
        await inbox.put({"type": "lifespan.shutdown"})
        assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
        await task
    finally:
        task.cancel()


async def answered(
    app: Application,
    path: str,
    query: str = "",
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answered:
    """Send a request, a POST where it has a body, and return its answer."""
    sent: list[Message] = []
    scope: Message = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET" if body is None else "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in (_USUAL | dict(headers)).items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "state": {},
    }

    async def receive() -> Message:
        if not receiving:
            await asyncio.Event().wait()
        return receiving.pop()

    async def send(message: Message) -> None:
        sent.append(message)

    receiving: list[Message] = [{"type": "http.request", "body": body or b"", "more_body": False}]
    await app(scope, receive, send)
    begin = next(message for message in sent if message["type"] == "http.response.start")
    headers = {name.decode().lower(): value.decode() for name, value in begin["headers"]}
    content = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return Answered(begin["status"], headers.get("content-type", "").partition(";")[0], content)
