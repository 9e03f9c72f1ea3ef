"""Which URLs in responses are followed: those of the account's own origin, and https to known or public hosts.

The address of a name is checked when the socket is made, so neither a literal address, nor a name that changes its
address, nor a redirect gets past it. Through a proxy, it is the proxy that resolves names.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from yarl import URL

from ..errors import UnsafeURLError
from ..wire import is_below
from .pool import AddressInfo

__all__ = ["Guard", "Refused", "is_public", "public_socket"]

_IN_URLS = re.compile(r"[!-\[\]-~]+")  # printable ASCII without the backslash, which some read as a slash
_NAME = re.compile(r"(?:[a-z0-9_-]+\.)+[a-z][a-z0-9-]*")  # a numeric last part would make it an address


class Refused(OSError):  # noqa: N818  (the HTTP library takes an `OSError` only, and no caller sees it)
    """No socket is made: the address is not public."""


class Guard:
    """Decides which URLs of a recording, or of something else, are followed for one account; `hosts` are suffixes."""

    def __init__(
        self, base_url: str, hosts: Sequence[str], *, any_public_host: bool = False, what: str = "recording"
    ) -> None:
        self._base_url = base_url
        self._own = _origin(URL(base_url, encoded=True))
        self._hosts = hosts
        self._any_public_host = any_public_host
        self._what = what

    def is_own(self, url: URL) -> bool:
        """Whether a URL is at the account's own origin."""
        return _origin(url) == self._own

    def may_see_key(self, url: URL) -> bool:
        """Whether a URL is below the account's base URL, the only place that gets the key."""
        return is_below(str(url), self._base_url)

    def checked(self, text: str, *, after: URL | None = None) -> URL:
        """Return a URL that may be followed; raise `UnsafeURLError` for any other. `after` is the URL before it."""
        url = _parsed(text)
        if url is None:
            raise UnsafeURLError(f"the {self._what}'s URL is malformed; not followed")
        if "@" in url.raw_authority:
            raise UnsafeURLError(f"the {self._what}'s URL contains a user name; not followed")
        if after is not None and after.scheme == "https" != url.scheme:
            raise UnsafeURLError(f"the {self._what} is redirected from https to another scheme; not followed")
        if not self.is_own(url):
            self._check_stranger(url)
        return url

    def _check_stranger(self, url: URL) -> None:
        host = url.host or ""
        if url.scheme != "https" or url.port != 443:
            raise UnsafeURLError(f"the {self._what}'s URL is not https, or has another port than 443; not followed")
        address = None
        with suppress(ValueError):
            address = ip_address(host)
        if not (_NAME.fullmatch(host) if address is None else is_public(address)):
            raise UnsafeURLError(f"the {self._what}'s URL does not name a public host; not followed")
        if not self._any_public_host and not any(host == own or host.endswith(f".{own}") for own in self._hosts):
            advice = ": if you trust it, pass allow_any_public_host=True, or --any-host on the command line"
            raise UnsafeURLError(
                f"the {self._what} is at {host}, which is not a known host of this provider"
                f"{advice if self._what == 'recording' else '; not followed'}"
            )


def _parsed(text: str) -> URL | None:
    if not _IN_URLS.fullmatch(text):
        return None
    with suppress(ValueError):
        url = URL(text, encoded=True)
        if url.host and url.port:
            return url
    return None


def _origin(url: URL) -> tuple[str, str | None, int | None]:
    return url.scheme, url.host, url.port


_NOT_PUBLIC: Final = (
    # https://www.iana.org/assignments/iana-ipv4-special-registry
    IPv4Network("192.0.0.0/24"),
    IPv4Network("192.88.99.0/24"),
    # https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    IPv4Network("168.63.129.16/32"),
    # Everything outside 2000::/3, whatever it embeds.
    # https://www.iana.org/assignments/ipv6-address-space
    IPv6Network("::/3"),
    IPv6Network("4000::/2"),
    IPv6Network("8000::/1"),
    # https://www.iana.org/assignments/iana-ipv6-special-registry
    IPv6Network("2001::/23"),
    IPv6Network("3fff::/20"),
)
_NAT64: Final = IPv6Network("64:ff9b::/96")
_ISATAP: Final = frozenset({0x0000_5EFE, 0x0200_5EFE})


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is public: `is_global`, and not in a range that the standard library mistakes for public."""
    if isinstance(address, IPv6Address):
        carried = _embedded(address)
        if carried is not None:
            return is_public(carried)
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _NOT_PUBLIC)


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """Return the embedded IPv4 address, if any; Teredo and IPv4-compatible addresses are never in a public range."""
    low = int(address) & 0xFFFF_FFFF
    if address in _NAT64 or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return IPv4Address(low)
    return address.ipv4_mapped or address.sixtofour


def public_socket(where: AddressInfo) -> socket.socket:
    """Return a socket for an address; raise `Refused` if the address is not public."""
    family, kind, protocol, _, address = where
    if not is_public(ip_address(str(address[0]).partition("%")[0])):
        raise Refused("not a public address")
    return socket.socket(family, kind, protocol)
