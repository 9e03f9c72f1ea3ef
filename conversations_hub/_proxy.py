"""HTTP proxies, and which URL is reached through which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from ._frames import bared
from .errors import ConfigurationError
from .secret import Secret

__all__ = ["Proxy", "ProxyChoice", "Route", "route"]


class Proxy:
    """An HTTP proxy; its user name and password are never shown.

    Its URL is like `http://name:password@host:3128`; scheme and port are optional. Raises `ConfigurationError` for an
    invalid URL, without repeating it.
    """

    __slots__ = ("_url", "name")

    @bared
    def __init__(self, url: str) -> None:
        whole = url if "://" in url else f"http://{url}"
        self.name: Final = _name(whole)
        """Its host and port, `host:3128`."""
        self._url: Final = Secret(whole, "proxy's URL")

    def reveal(self) -> str:
        """Return its URL, with its user name and password if it has them."""
        return self._url.reveal()

    def __repr__(self) -> str:
        return f"Proxy({self.name})"


def _name(url: str) -> str:
    """Return host and port of a proxy's URL; raise `ConfigurationError` for an invalid URL."""
    wrong = "must be written as http://host:port"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise ConfigurationError(f"the proxy {wrong}") from None
    if parts.scheme not in {"http", "https"}:
        # The text before "://" may be anything, so it is not repeated.
        raise ConfigurationError(f"the proxy {wrong}; other kinds, such as SOCKS, are not supported")
    if not host or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ConfigurationError(f"the proxy {wrong}")
    shown = f"[{host}]" if ":" in host else host
    return f"{shown}:{port or (443 if parts.scheme == 'https' else 80)}"


Route = Callable[[str], Proxy | None]
"""Returns the proxy for a URL; None: connect directly."""

ProxyChoice = str | Callable[[str], str | Proxy | None]
"""The URL of one proxy for all URLs, empty for none; or a function that returns the proxy for a URL."""


@bared
def route(choice: ProxyChoice | None) -> Route:
    """Return a function from a URL to its proxy; for None, no URL has a proxy."""
    if callable(choice):
        return lambda url: _proxy(choice(url))
    one = _proxy(choice)
    return lambda _url: one


def _proxy(url: str | Proxy | None) -> Proxy | None:
    if not url:
        return None
    return Proxy(url) if isinstance(url, str) else url
