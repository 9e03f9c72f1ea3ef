"""The accounts that environment variables name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..adapter import Account
from ..adapters import usable

__all__ = ["accounts_in"]


def accounts_in(environ: Mapping[str, str], providers: Iterable[str]) -> list[Account]:
    """Return an account for each provider that has a key here.

    Read are `<PROVIDER>_API_KEY`, `<PROVIDER>_BASE_URL` and the provider's own settings (`ANYREACH_ORG_ID`), and
    nothing else. Raises `ConfigurationError` for a provider nobody knows and for what cannot be right.
    """
    accounts: list[Account] = []
    for provider in providers:
        prefix = provider.upper()
        key = environ.get(f"{prefix}_API_KEY")
        if not key:
            continue
        settings = {name: environ.get(f"{prefix}_{name.upper()}", "") for name in usable(provider).settings}
        accounts.append(
            Account(
                provider,
                key=key,
                base_url=environ.get(f"{prefix}_BASE_URL") or None,
                settings={name: value for name, value in settings.items() if value},
            )
        )
    return accounts
