"""What comes over the wire as bytes: requests that two readers could read in two ways, and ones that never end."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ..support.entries import said
from ..support.gateway import TEXTS, Asking, asking
from ..support.sqlite import kept_in

TOKEN = f"Authorization: Bearer {TEXTS['all']}\r\n"


async def sent(ask: Asking, text: str | bytes) -> tuple[int, bytes]:
    """Send bytes, and return the status and all that came back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", ask.server.make_url("/").port)
    writer.write(text if isinstance(text, bytes) else text.encode())
    answer = await reader.read()
    writer.close()
    return int(answer.split(b" ", 2)[1]), answer


REQUESTS = [
    ("GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\n", 200),
    ("GET /v1/accounts HTTP/1.0\r\n", 400),
    ("GET /v1/accounts HTTP/1.1\r\n", 400),
    ("GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n", 400),
    ("GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n", 400),
    ("GET http://evil.example/v1/accounts HTTP/1.1\r\nHost: localhost\r\n", 400),
    ("GET http://localhost/v1/accounts HTTP/1.1\r\nHost: localhost\r\n", 400),
    ("GET /v1/accounts HTTP/1.1\r\nHost: evil.example\r\n", 421),
    ("GET /v1/accounts HTTP/1.1\r\nHost: localhost@evil.example\r\n", 421),
    (f"GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\n{TOKEN}", 401),
    ("GET //v1/accounts HTTP/1.1\r\nHost: localhost\r\n", 404),
    ("GET /v1/../v1/accounts HTTP/1.1\r\nHost: localhost\r\n", 404),
    ("GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\nSec-Fetch-Site: cross-site\r\n", 403),
    ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n", 400),
    ("CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n", 400),
    ("TRACE /v1/accounts HTTP/1.1\r\nHost: localhost\r\n", 405),
    ("GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n", 400),
    (f"GET /{'a' * 9000} HTTP/1.1\r\nHost: localhost\r\n", 400),
    (f"GET / HTTP/1.1\r\nHost: localhost\r\nX: {'a' * 9000}\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: localhost\r\n" + "".join(f"X{n}: {'a' * 400}\r\n" for n in range(45)), 431),
    ("GET /v1/accounts HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.example\r\n", 200),
]


async def test_whoever_asks_strangely_is_refused(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello canary."))
    async with asking(tmp_path / "c.db") as ask:
        for text, status in REQUESTS:
            found, answer = await sent(ask, f"{text}{TOKEN}Connection: close\r\n\r\n")
            assert found == status, (text, answer)
            assert b"canary" not in answer
            assert not any(line.lower().startswith(b"access-control") for line in answer.splitlines())
            assert b"text/html" not in answer


async def test_what_is_sent_with_a_request_is_not_looked_at(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    async with asking(tmp_path / "c.db") as ask:
        body = "POST /v1/accounts HTTP/1.1\r\nHost: evil.example\r\n\r\n"
        found, answer = await sent(
            ask,
            f"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n"
            f"Connection: close\r\n\r\n{body}",
        )
    assert found in {200, 400}
    assert answer.count(b"HTTP/1.1") == 1
