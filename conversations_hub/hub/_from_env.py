"""Reads environment variables: the accounts, and the proxies that they are reached through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from .._frames import bared
from .._proxy import Proxy
from ..account import Account
from ..adapter import Adapter
from ..adapters import usable
from ..errors import ConfigurationError
from ._unusable import Unusable, check_usable

__all__ = ["accounts_in", "proxies_in"]


@bared
def accounts_in(
    environ: Mapping[str, str], providers: Iterable[str], adapters: Mapping[str, Adapter] | None = None
) -> list[Account | Unusable]:
    """Return an account for each provider that has a key in the environment.

    It reads `<PROVIDER>_API_KEY`, `<PROVIDER>_BASE_URL` and the provider's own settings (`ANYREACH_ORG_ID`), and
    nothing else. `adapters` are the caller's own. An invalid value makes its account unusable. Raises
    `ConfigurationError` for an unknown provider, and if there are accounts but none is usable.
    """
    accounts: list[Account | Unusable] = []
    for provider in providers:
        prefix = provider.upper()
        key = environ.get(f"{prefix}_API_KEY")
        if not key:
            continue
        adapter = (adapters or {}).get(provider) or usable(provider)
        settings = {name: environ.get(f"{prefix}_{name.upper()}", "") for name in adapter.settings}
        try:
            account: Account | Unusable = Account(
                provider,
                key=key,
                base_url=environ.get(f"{prefix}_BASE_URL") or None,
                settings={name: value for name, value in settings.items() if value},
            )
        except ConfigurationError as error:
            account = Unusable(provider, "default", ConfigurationError(error.reason, provider=provider))
        accounts.append(account)
    check_usable(accounts)
    return accounts


@bared
def proxies_in(environ: Mapping[str, str]) -> Callable[[str], Proxy | None]:
    """Return a function from a URL to its proxy, for `Hub(proxy=…)`.

    It reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`; as elsewhere, lower-case names take precedence.
    Raises `ConfigurationError` for an invalid proxy.
    """
    proxies = {scheme: _proxy(environ, scheme) or _proxy(environ, "all") for scheme in _PORTS}
    exempt = [f".{name.lstrip('.')}" for name in _variable(environ, "no")[1].lower().replace(",", " ").split()]

    def through(url: str) -> Proxy | None:
        parts = urlsplit(url)
        name = f".{parts.hostname or ''}"
        names = (name, f"{name}:{parts.port or _PORTS.get(parts.scheme)}")
        is_exempt = ".*" in exempt or any(name.endswith(end) for name in names for end in exempt)
        return None if is_exempt else proxies.get(parts.scheme)

    return through


_PORTS: Final = {"http": 80, "https": 443}


def _proxy(environ: Mapping[str, str], what: str) -> Proxy | None:
    name, url = _variable(environ, what)
    try:
        return Proxy(url) if url else None
    except ConfigurationError as error:
        reason = error.reason
    raise ConfigurationError(f"{name}: {reason}")


def _variable(environ: Mapping[str, str], what: str) -> tuple[str, str]:
    """Return the name of a variable, and its value."""
    name = f"{what}_proxy"
    # In a CGI script, HTTP_PROXY holds the request's header `Proxy`, which the caller controls.
    # https://httpoxy.org
    if name not in environ and not (what == "http" and "REQUEST_METHOD" in environ):
        name = name.upper()
    return name, environ.get(name, "")
