"""A proxy that is every host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import trustme

from .server import Answer, Asked, Scripted, serving

__all__ = ["CERTIFICATES", "NAME", "PASSWORD", "proxying", "seen"]

NAME = "api.inside.example"
PASSWORD = "a-word-nobody-sees"
CERTIFICATES = trustme.CA()


@asynccontextmanager
async def proxying(*answers: Answer, tunnels: Answer = None) -> AsyncGenerator[Scripted]:
    """Serve answers as a proxy that is every host; `tunnels` is what it says to CONNECT in place of making one."""
    context = SSLContext(PROTOCOL_TLS_SERVER)
    with CERTIFICATES.issue_cert(NAME, "media.example.com").private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    left = list(answers)

    async def handle(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if asked.method != "CONNECT":
            return left.pop(0) if len(left) > 1 else left[0]
        if tunnels is not None:
            return tunnels
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await writer.start_tls(context)
        return b""

    async with serving(handle) as server:
        yield server


def seen(server: Scripted) -> list[tuple[str, str]]:
    return [(asked.method, asked.target.partition("?")[0]) for asked in server.asked]
