"""An account: the credentials that requests to one provider carry, and where they may go."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from copy import copy
from urllib.parse import urlsplit

from ._frames import bared
from ._proxy import ProxyChoice, Route, route
from .errors import (
    ConfigurationError,
)
from .secret import Secret

__all__ = ["Account", "wrong_with_base_url"]


_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.IGNORECASE)


class Account:
    """One set of credentials at one provider.

    `base_url` replaces the provider's own and may have a path. It must be `https:`, except for loopback addresses or
    with `allow_insecure`. `settings` holds what this provider needs besides the key; any of it may be a second key, so
    each value is kept as a `Secret`. `proxy` replaces the hub's own: the URL of an HTTP proxy, or an empty string for
    none. `ca_file` names a PEM file of certificates to trust besides the system's. Raises `ConfigurationError` for an
    invalid argument.
    """

    __slots__ = ("base_url", "ca_file", "key", "name", "provider", "route", "settings")

    @bared
    def __init__(
        self,
        provider: str,
        *,
        key: str | Secret,
        base_url: str | None = None,
        name: str = "default",
        settings: Mapping[str, str | Secret] | None = None,
        allow_insecure: bool = False,
        proxy: ProxyChoice | None = None,
        ca_file: str | os.PathLike[str] | None = None,
    ) -> None:
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                "an account's name must be 1 to 64 letters, digits, '_', '.' or '-'", provider=provider
            )
        if not key:
            raise ConfigurationError(
                f"no key: pass it as key=…, or set {provider.upper()}_API_KEY and use Hub.from_env()", provider=provider
            )
        self.provider: str = provider
        self.name: str = name
        self.key: Secret = key if isinstance(key, Secret) else Secret(key, f"key of {provider}/{name}")
        self.base_url: str | None = (
            None if base_url is None else _check_base_url(base_url, provider, allow_insecure=allow_insecure)
        )
        self.settings: Mapping[str, Secret] = {
            setting: value if isinstance(value, Secret) else Secret(value, f"{setting} of {provider}/{name}")
            for setting, value in (settings or {}).items()
        }
        self.route: Route | None = None if proxy is None else route(proxy)
        self.ca_file: str | None = None if ca_file is None else os.fspath(ca_file)

    def with_key(self, key: Secret) -> Account:
        """Return the same account with another key."""
        changed = copy(self)
        changed.key = key
        return changed

    def __repr__(self) -> str:
        return f"Account({self.provider}/{self.name})"


def _check_base_url(base_url: str, provider: str, *, allow_insecure: bool) -> str:
    wrong = wrong_with_base_url(base_url, allow_insecure=allow_insecure)
    if wrong:
        raise ConfigurationError(f"the base URL {wrong}", provider=provider)
    return base_url.rstrip("/")


def wrong_with_base_url(base_url: object, *, allow_insecure: bool = False) -> str | None:
    """Return why a key must not be sent to a base URL, as in "is malformed"; None if it may."""
    if not isinstance(base_url, str):
        return "must be text"
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is malformed"
    if not host or parts.scheme not in {"http", "https"}:
        return "must start with https:// and name a host"
    if "@" in parts.netloc:
        return "must not contain a user name or password"
    if any(not "!" <= character <= "~" or character in "?#\\" for character in base_url):
        return "may have a path, but no query, fragment, backslash or space"
    if parts.scheme == "http" and not (allow_insecure or _is_loopback(host)):
        return "is plain http, which exposes the key: use https, or pass allow_insecure=True"
    return None


def _is_loopback(host: str) -> bool:
    from ipaddress import ip_address  # noqa: PLC0415  (5 ms, and only plain http needs it)

    with suppress(ValueError):
        return ip_address(host).is_loopback
    return host == "localhost"
