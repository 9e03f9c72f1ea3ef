"""A server that does exactly what a test says, byte by byte: the other end of the transport's tests."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from ssl import SSLContext

import msgspec

from conversations_hub.testing.simulator._listening import stop_listening

__all__ = ["Answer", "Asked", "Handler", "Scripted", "answer", "black_hole", "serving"]


class Asked(msgspec.Struct, frozen=True):
    """One request as it came over the wire."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    number: int
    """How many came before it, on all connections."""
    number_on_connection: int


Answer = bytes | None
"""What to send; None closes the connection without a word."""

Handler = Callable[[Asked, asyncio.StreamWriter], Awaitable[Answer]]


def answer(
    body: object = b"", status: int = 200, headers: dict[str, str] | None = None, *, length: int | None = None
) -> bytes:
    """Return an HTTP answer as bytes; a body that is not bytes is sent as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} {'OK' if status < 300 else 'No'}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    lines.append(f"Content-Length: {len(content) if length is None else length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


class Scripted:
    """A running server, and what it saw."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self.asked: list[Asked] = []
        self.connections = 0
        self.at_once = 0
        """The most requests that were under way together."""
        self._under_way = 0
        self._news = asyncio.Event()
        self.url = ""

    async def open(self, ssl: SSLContext | None) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=ssl)
        scheme = "http" if ssl is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        if self._server is not None:
            await stop_listening(self._server)
            for connection in tuple(self._connections):
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)
            await self._server.wait_closed()

    async def has_been_asked(self, times: int) -> None:
        """Wait until that many requests have come."""
        while len(self.asked) < times:
            self._news.clear()
            await self._news.wait()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = asyncio.create_task(self._converse(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)
        connection.add_done_callback(lambda _: writer.close())  # also of what was cancelled before it began

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            number = 0
            while (asked := await self._read(reader, number)) is not None:
                number += 1
                self._under_way += 1
                self.at_once = max(self.at_once, self._under_way)
                try:
                    said = await self._handler(asked, writer)
                finally:
                    self._under_way -= 1
                if said is None:
                    return
                writer.write(said)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            return

    async def _read(self, reader: asyncio.StreamReader, number: int) -> Asked | None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = Asked(method, target, headers, body, len(self.asked), number)
        self.asked.append(asked)
        self._news.set()
        return asked


@asynccontextmanager
async def serving(*answers: Answer | Handler, ssl: SSLContext | None = None) -> AsyncGenerator[Scripted]:
    """Serve answers in order, the last one for ever; or let one function answer each request."""

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        said = answers[min(asked.number, len(answers) - 1)]
        return await said(asked, writer) if callable(said) else said

    server = Scripted(handle)
    await server.open(ssl)
    try:
        yield server
    finally:
        await server.close()


@contextmanager
def black_hole() -> Generator[str]:
    """Listen with a line so short that the next connection is neither taken nor refused."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)  # noqa: FBT003
            waiting.connect_ex(listening.getsockname())
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
