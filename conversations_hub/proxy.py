"""HTTP proxies: where they are, and which URL is reached through which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from .errors import ConfigurationError
from .frames import bared
from .secret import Secret

__all__ = ["Proxy", "ProxyChoice", "Route", "route"]


class Proxy:
    """An HTTP proxy; what it wants to know of who asks shows nowhere.

    `http://name:password@host:3128`, of which scheme and port may be missing. Raises `ConfigurationError` for what
    cannot be right, and does not repeat it.
    """

    __slots__ = ("_url", "name")

    @bared
    def __init__(self, url: str) -> None:
        whole = url if "://" in url else f"http://{url}"
        self.name: Final = _name(whole)
        """Where it is, `host:3128`."""
        self._url: Final = Secret(whole, "proxy's URL")

    def reveal(self) -> str:
        """Return its URL, with a name and password where there are some."""
        return self._url.reveal()

    def __repr__(self) -> str:
        return f"Proxy({self.name})"


def _name(url: str) -> str:
    """Return host and port of a proxy's URL; raise `ConfigurationError` for one that cannot be right."""
    wrong = "must be written as http://host:port"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"the proxy {wrong}") from None
    if parts.scheme not in {"http", "https"}:
        # What stands before "://" may be anything, so it is not repeated.
        raise ConfigurationError(f"the proxy {wrong}; no other kind, such as SOCKS, can be used")
    if not host or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigurationError(f"the proxy {wrong}")
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port or (443 if parts.scheme == 'https' else 80)}"


Route = Callable[[str], Proxy | None]
"""Returns the proxy through which a URL is reached; None: directly."""

ProxyChoice = str | Callable[[str], str | Proxy | None]
"""The URL of one proxy for all, empty for none; or what returns it for a URL."""


@bared
def route(choice: ProxyChoice | None) -> Route:
    """Return which proxy a URL is reached through; None: no URL through any."""
    if callable(choice):
        return lambda url: _proxy(choice(url))
    one = _proxy(choice)
    return lambda _url: one


def _proxy(url: str | Proxy | None) -> Proxy | None:
    if not url:
        return None
    return Proxy(url) if isinstance(url, str) else url
