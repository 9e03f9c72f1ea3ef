"""Public names whose addresses lead to servers on loopback: the code under test sees public addresses, and real TLS."""

from __future__ import annotations

import asyncio
import socket
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context
from typing import Any
from unittest.mock import patch

import msgspec
import trustme

from conversations_hub.adapters import load

from .server import Asked, Scripted, serving

__all__ = ["PUBLIC", "Hosts", "hosts", "keeping", "kept", "media"]

PUBLIC = "93.184.216.34"


def media(
    body: bytes = b"sound", status: int = 200, headers: dict[str, str] | None = None, *, length: int | None = None
) -> bytes:
    """Return an answer that is a recording; `length` is what it says its size is."""
    told = {"Content-Type": "audio/wav", "Content-Length": str(len(body) if length is None else length)}
    lines = [f"{name}: {value}" for name, value in (told | (headers or {})).items()]
    return "\r\n".join([f"HTTP/1.1 {status} X", *lines]).encode() + b"\r\n\r\n" + body


class Hosts:
    """What the names mean, and who was connected to."""

    def __init__(self, certificates: trustme.CA, server: Scripted) -> None:
        self.server = server
        self.meanings: defaultdict[str, deque[str]] = defaultdict(deque)
        """Addresses of a name, one for each time it is resolved, the last for ever."""
        self.connected: list[str] = []
        """Addresses that were connected to, those of loopback servers aside."""
        self.ssl = create_default_context(cadata=certificates.cert_pem.bytes().decode())

    @property
    def asked(self) -> list[Asked]:
        return self.server.asked

    def resolve(self, host: str) -> str | None:
        meanings = self.meanings.get(host)
        if not meanings:
            return None
        return meanings.popleft() if len(meanings) > 1 else meanings[0]


@contextmanager
def keeping(provider: str, *known: str) -> Generator[None]:
    """Let hubs that are made meanwhile know where this provider keeps its recordings."""
    adapter = msgspec.structs.replace(load(provider), recording_hosts=known)
    with patch("conversations_hub.hub._hub.usable", return_value=adapter):
        yield


def kept(folder: Path) -> list[str]:
    """Return the names of what is in a folder."""
    return sorted(each.name for each in folder.iterdir())


@asynccontextmanager
async def hosts(*answers: Any, names: tuple[str, ...]) -> AsyncGenerator[Hosts]:
    """Serve answers as all of these names, on the port of https."""
    certificates = trustme.CA()
    context = SSLContext(PROTOCOL_TLS_SERVER)
    with certificates.issue_cert(*names).private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    loop = asyncio.get_running_loop()
    resolve, connect = socket.getaddrinfo, loop.sock_connect
    async with serving(*answers, ssl=context) as server:
        found = Hosts(certificates, server)
        for name in names:
            found.meanings[name].append(PUBLIC)
        port = int(server.url.rpartition(":")[2])

        def getaddrinfo(host: str, service: int, *more: Any, **options: Any) -> list[Any]:
            address = found.resolve(host)
            if address is None:
                return resolve(host, service, *more, **options)
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            where = (address, service, 0, 0) if ":" in address else (address, service)
            return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", where)]

        async def sock_connect(sock: socket.socket, address: Any) -> None:
            if address[1] == 443:
                found.connected.append(address[0])
                address = ("127.0.0.1", port)
            await connect(sock, address)

        with patch.object(socket, "getaddrinfo", getaddrinfo), patch.object(loop, "sock_connect", sock_connect):
            yield found
