"""A network that is bad in the ways of https://github.com/Shopify/toxiproxy#toxics, as a proxy in front of a server."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from random import Random

__all__ = ["behind_toxics"]

Flow = AsyncIterator[bytes]
Toxic = Callable[[Flow, Random], AsyncGenerator[bytes]]
"""Takes what the server sends, and yields what of it the client gets, and when."""


class _Reset(Exception):  # noqa: N818  (no failure of the proxy's)
    """The connection is to be reset."""


async def _latency(flow: Flow, random: Random) -> AsyncGenerator[bytes]:
    async for part in flow:
        await asyncio.sleep(random.gauss(0.02, 0.01))
        yield part


async def _bandwidth(flow: Flow, random: Random) -> AsyncGenerator[bytes]:
    per_second = random.uniform(50_000, 1_000_000)
    async for part in flow:
        for piece in _pieces(part, 4096):
            await asyncio.sleep(len(piece) / per_second)
            yield piece


async def _slicer(flow: Flow, random: Random) -> AsyncGenerator[bytes]:
    async for part in flow:
        for piece in _pieces(part, random.randint(1, 200)):
            yield piece
            await asyncio.sleep(0.001 * random.random())


async def _limit_data(flow: Flow, random: Random) -> AsyncGenerator[bytes]:
    left = random.randint(1, 60_000)
    async for part in flow:
        yield part[:left]
        left -= len(part)
        if left <= 0:
            return


async def _timeout(flow: Flow, random: Random) -> AsyncGenerator[bytes]:
    passed = random.randint(0, 2)
    async for part in flow:
        if not passed:
            await asyncio.sleep(random.uniform(0.1, 3.0))
            return
        passed -= 1
        yield part


async def _slow_close(flow: Flow, random: Random) -> AsyncGenerator[bytes]:
    async for part in flow:
        yield part
        if random.random() < 0.2:
            break
    await asyncio.sleep(random.uniform(0.1, 1.0))


async def _reset_peer(flow: Flow, random: Random) -> AsyncGenerator[bytes]:
    async for part in flow:
        if random.random() < 0.3:
            yield part[: len(part) // 2]
            raise _Reset
        yield part


TOXICS: tuple[Toxic, ...] = (
    _latency,
    _latency,
    _latency,
    _bandwidth,
    _slicer,
    _limit_data,
    _timeout,
    _slow_close,
    _reset_peer,
)


def _pieces(part: bytes, size: int) -> list[bytes]:
    return [part[begin : begin + size] for begin in range(0, len(part), size)]


async def _parts(reader: asyncio.StreamReader, most: float = math.inf) -> AsyncGenerator[bytes]:
    while most > 0 and (part := await reader.read(16_384)):
        yield part
        most -= 1


class _Proxy:
    def __init__(self, port: int, random: Random) -> None:
        self._port = port
        self._random = random
        self._connections: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = asyncio.create_task(self._connect(reader, writer, self._random.choice(TOXICS)))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def close(self) -> None:
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toxic: Toxic) -> None:
        with suppress(ConnectionError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._port)
            asking = asyncio.create_task(_pass_on(_parts(reader), there_writer))
            try:
                # None lasts for ever, so that there are always new ones that are bad in another way.
                await _pass_on(toxic(_parts(there_reader, self._random.randint(1, 40)), self._random), writer)
            except _Reset:
                # Closed with a linger of zero, a socket sends a reset.
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                there_writer.close()
                writer.close()


async def _pass_on(flow: AsyncGenerator[bytes], writer: asyncio.StreamWriter) -> None:
    async with aclosing(flow):
        async for part in flow:
            writer.write(part)
            await writer.drain()


@asynccontextmanager
async def behind_toxics(port: int, random: Random) -> AsyncGenerator[int]:
    """Put such a network before a port of this machine, and hand out the port on its other side."""
    proxy = _Proxy(port, random)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await proxy.close()
        await server.wait_closed()
