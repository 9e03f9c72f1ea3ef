"""Requests that a receiver gets, and how it answers each, whatever server it is in."""

from __future__ import annotations

import gzip
from collections.abc import AsyncGenerator
from hmac import digest
from typing import NamedTuple

from conversations_hub.events import Event
from conversations_hub.serve import Endpoint
from conversations_hub.signing.webhooks import shared_secret

from .deliveries import ACME, SECRET, TOLD, written

__all__ = ["BODY", "CASES", "ENDPOINTS", "TOKEN", "Case", "headers_of", "pieces", "signed"]

TOKEN = "t" * 31 + "-1"
LARGEST = 64 * 1024
BODY = written(Event(provider="acme", kind=TOLD, id="event-one", conversation_id="call-one"))
_DEEP = b"[" * 50_000

ENDPOINTS = {
    "acme": Endpoint(ACME, secrets=["another-secret-during-rotation", SECRET], largest=LARGEST),
    "open": Endpoint(ACME, account="eu", token=TOKEN, largest=LARGEST),
    "weak": Endpoint(ACME, secrets=[SECRET], scheme=shared_secret("x-secret")),
}


class Case(NamedTuple):
    """A request, and the status of its answer."""

    name: str
    status: int
    body: bytes = BODY
    headers: tuple[tuple[str, str], ...] = ()
    method: str = "POST"
    path: str = "/acme"
    is_chunked: bool = False


async def pieces(*some: bytes) -> AsyncGenerator[bytes]:
    """Yield a body in pieces."""
    for one in some:
        yield one


def signed(body: bytes, secret: str = SECRET) -> tuple[tuple[str, str], ...]:
    """Return the header that signs a body."""
    return (("X-Signature", digest(secret.encode(), body, "sha256").hex()),)


_GOOD = signed(BODY)
_GZIP = gzip.compress(BODY)
_LONG = written(Event(provider="acme", kind=TOLD, id="e2" * LARGEST, conversation_id="call-one"))
_SEVERAL = written(*(Event(provider="acme", kind=TOLD, conversation_id=f"c{number}") for number in range(3)))

CASES = [
    Case("signed", 200, headers=_GOOD),
    Case("signed with a slash at the end", 200, headers=_GOOD, path="/acme/"),
    Case("signed, in chunks", 200, headers=_GOOD, is_chunked=True),
    Case("several events", 200, _SEVERAL, signed(_SEVERAL)),
    Case("not compressed, and says so", 200, headers=(*_GOOD, ("Content-Encoding", "identity"))),
    Case("a secret in a header", 200, headers=(("X-Secret", SECRET),), path="/weak"),
    Case("a token", 200, path=f"/open/{TOKEN}"),
    Case("no token", 404, path="/open"),
    Case("another token", 404, path=f"/open/{TOKEN[:-1]}2"),
    Case("a token and more", 404, path=f"/open/{TOKEN}/{TOKEN}"),
    Case("a token where there is none", 404, headers=_GOOD, path=f"/acme/{TOKEN}"),
    Case("no endpoint", 404, headers=_GOOD, path="/other"),
    Case("a path that is no text", 404, headers=_GOOD, path="/%ff%00%c3"),
    Case("not signed", 401),
    Case("signed by another", 401, headers=signed(BODY, "the-secret-of-somebody-else")),
    Case("changed", 401, BODY + b" ", _GOOD),
    Case("two signatures", 401, headers=(*_GOOD, *_GOOD)),
    Case("a signature that is no text", 401, headers=(("X-Signature", "\xff\xfe"),)),
    Case("no JSON", 400, b"<html>", signed(b"<html>")),
    Case("nothing", 400, b"", signed(b"")),
    Case("nested without end", 400, _DEEP, signed(_DEEP)),
    Case("GET", 405, b"", method="GET"),
    Case("PUT", 405, headers=_GOOD, method="PUT"),
    Case("too large", 413, _LONG, signed(_LONG)),
    Case("too large, in chunks", 413, _LONG, signed(_LONG), is_chunked=True),
    Case("compressed", 415, _GZIP, (*signed(_GZIP), ("Content-Encoding", "gzip"))),
    Case("compressed, and broken", 415, b"\x1f\x8b no", (*_GOOD, ("Content-Encoding", "gzip"))),
]


def headers_of(case: Case) -> list[tuple[str, str]]:
    """Return all headers of a request, without those of its framing."""
    return [("Content-Type", "application/json"), *case.headers]
