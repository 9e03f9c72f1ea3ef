"""A lane's pool of connections: it tracks how far each request got, and is closed with its lane."""

from __future__ import annotations

import asyncio
import select
import socket
import warnings
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from ssl import SSLContext
from typing import Any, Final, cast

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from .._proxy import Proxy
from ..version import __version__
from .connections import Connections
from .threads import Threads

__all__ = [
    "KEEP_ALIVE",
    "WAITING",
    "AddressInfo",
    "RequestPhase",
    "SocketFactory",
    "drop",
    "session",
    "under_way",
    "url_of",
]

AddressInfo = tuple[int, int, int, str, tuple[Any, ...]]
"""Family, kind, protocol, name and address, as a resolver gives them."""

SocketFactory = Callable[[AddressInfo], socket.socket]
"""Makes the socket for an address, or raises an `OSError` to prevent the connection."""

KEEP_ALIVE: Final = 10.0
"""Seconds that an idle connection is kept: less than servers commonly allow, so that they seldom close as we send."""


WAITING: Final = "waiting for the response to begin"


class RequestPhase:
    """How far a request got, in words for the error if it gets no further."""

    __slots__ = ("stage",)

    def __init__(self) -> None:
        self.stage = "connecting"


under_way: ContextVar[RequestPhase] = ContextVar("under_way")
"""The request that this task, or one started for it, is sending."""


class _Lookups:
    """The part of an event loop that the library's resolver uses, in an account's own threads."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads

    async def getaddrinfo(self, host: str, port: int, **wanted: Any) -> Any:
        return await self._threads.run(socket.getaddrinfo, host, port, **wanted)

    async def getnameinfo(self, address: tuple[Any, ...], flags: int) -> tuple[str, str]:
        return await self._threads.run(socket.getnameinfo, address, flags)


class _Resolver(aiohttp.ThreadedResolver):
    def __init__(self, threads: Threads) -> None:
        super().__init__(cast("asyncio.AbstractEventLoop", _Lookups(threads)))

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        progress = under_way.get()
        progress.stage = "resolving the name"
        found = await super().resolve(host, port, family)
        progress.stage = "connecting"
        return found


class _Connector(aiohttp.TCPConnector):
    shared: Connections

    async def connect(self, *arguments: Any, **named: Any) -> Any:
        while True:
            connection = await super().connect(*arguments, **named)
            protocol = connection.protocol
            if protocol is None or not self.shared.is_used(protocol) or not _has_spoken(protocol):
                break
            connection.close()
        under_way.get().stage = WAITING
        return connection

    async def _create_connection(self, *arguments: Any, **named: Any) -> ResponseHandler:
        try:
            await self.shared.begin()
            connection = await super()._create_connection(*arguments, **named)
        except BaseException:
            self.shared.failed()
            raise
        self.shared.opened(connection)
        return connection

    def _release(self, key: Any, protocol: ResponseHandler, **named: Any) -> None:
        super()._release(key, protocol, **named)
        self.shared.rests(protocol)


def _has_spoken(protocol: ResponseHandler) -> bool:
    """Whether anything came on a connection since its last response ended: its end, or data that is not read yet.

    Such data would be taken for the next response, or for its beginning.
    """
    if protocol.should_close:
        return True
    parser = protocol._parser  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  (only it knows of half a header)
    try:
        if parser is not None and parser.feed_eof() is not None:
            return True
    except HttpProcessingError:
        return True
    return protocol.transport is None or _is_readable(protocol.transport.get_extra_info("socket").fileno())


def _is_readable(descriptor: int) -> bool:
    if hasattr(select, "poll"):
        waiting = select.poll()
        waiting.register(descriptor, select.POLLIN)
        return bool(waiting.poll(0))
    return bool(select.select((descriptor,), (), (), 0)[0])


def session(
    most: int,
    connections: Connections,
    ssl: SSLContext | None,
    headers: Mapping[str, str],
    lookups: Threads,
    *,
    socket_factory: SocketFactory | None = None,
) -> aiohttp.ClientSession:
    """Return a session of at most `most` of a hub's connections; it belongs to the running loop.

    Names are resolved in the threads of `lookups`.
    """
    connector = _Connector(
        limit=most,
        keepalive_timeout=KEEP_ALIVE,
        ssl=True if ssl is None else ssl,
        resolver=_Resolver(lookups),
        socket_factory=socket_factory,
    )
    connector.shared = connections
    made = aiohttp.ClientSession(
        connector=connector,
        # The default jar would send one tenant's cookies with another's key.
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={**headers, "User-Agent": f"conversations-hub/{__version__}"},
        # The library's own decompression has no bound and does not notice a truncated stream.
        auto_decompress=False,
        trust_env=False,
    )
    # It would resend an idempotent request by itself, without our counters.
    made._retry_connection = False  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
    return made


def url_of(proxy: Proxy | None) -> URL | None:
    """Return a proxy's URL as a session takes it, with its user name and password."""
    return None if proxy is None else URL(proxy.reveal(), encoded=True)


def drop(session: aiohttp.ClientSession, whose: str) -> None:
    """Close what was left open, at once and without the loop: for a lane that is not reachable any more."""
    warnings.warn(f"the hub of {whose} was not closed: use `async with Hub(…)`", ResourceWarning, stacklevel=1)
    connector = session.connector
    session.detach()
    if connector is not None:
        connector.__exit__(None, None, None)  # the only way to close it without waiting
