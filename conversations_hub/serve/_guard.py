"""Who may ask, decided from the head of a request alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from ._refusal import Refusal

__all__ = ["HEADERS", "LOOPBACK", "Head", "bearer", "check_head", "check_host", "check_site", "host_of", "peer_of"]

_LARGEST: Final = 16 * 1024  # bytes

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
"""The names of this machine for itself."""

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:;"
        " media-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none';"
        " require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Server": "conversations-hub",
}
"""On every answer. There is none that lets pages of other origins read an answer."""


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What the guard looks at."""

    method: str
    target: str
    """As it was sent in the request line."""
    hosts: Sequence[str]
    """The values of all Host headers."""
    size: int = 0
    """Bytes of the request line and all headers."""
    fetch_site: str | None = None
    """What a browser says about where the request came from."""


def check_head(head: Head, hosts: Collection[str]) -> None:
    """Raise `Refusal` for what two readers could read in two ways (400), and for another host's requests (421).

    A head of more than 16 KiB is refused (431).
    """
    if head.size > _LARGEST:
        raise Refusal(431, "too_large")
    if not head.target.startswith("/"):
        raise Refusal(400, "bad_request", "the request line holds more than a path")
    if len(head.hosts) != 1:
        raise Refusal(400, "bad_request", "there must be exactly one Host header")
    check_host(head.hosts[0], hosts)


def check_host(host: str, hosts: Collection[str]) -> None:
    """Raise `Refusal` (421) unless the host is one of these, at any port.

    A page whose name was made to mean this machine still sends its own name.
    """
    if host_of(host) not in hosts:
        raise Refusal(421, "wrong_host", "start the gateway with --allow-host if it is reached by this name")


def host_of(value: str) -> str | None:
    """Return the name in a Host header, in lower case; None if it is malformed."""
    name, colon, port = value.rpartition(":")
    if not colon or value.endswith("]"):
        name, port = value, ""
    elif not (port.isascii() and port.isdigit()):
        return None
    return name.lower() or None


def check_site(head: Head) -> None:
    """Raise `Refusal` (403) for a request that a page of another site made."""
    if head.fetch_site is not None and head.fetch_site.lower() == "cross-site":
        raise Refusal(403, "cross_site")


def bearer(values: Sequence[str]) -> str | None:
    """Return the token of the Authorization headers; None if there is none, or not exactly one."""
    if len(values) != 1:
        return None
    scheme, _, token = values[0].partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def peer_of(remote: str | None, forwarded: Sequence[str], *, behind_proxy: bool) -> str:
    """Return the address that a request came from; behind a proxy, the one that the proxy added last."""
    if behind_proxy and forwarded:
        return forwarded[-1].rpartition(",")[2].strip()[:64]
    return remote or "?"
