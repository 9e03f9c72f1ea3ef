"""The recorded exchanges of each provider, read once: reading them costs more than what most tests do."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from conversations_hub.account import Account
from conversations_hub.adapters import load
from conversations_hub.testing import Case, account_of, cases_in

from .paths import FIXTURES

__all__ = ["account", "cases"]


@cache
def account(provider: str) -> Account:
    """Return the account of a provider's fixtures."""
    return account_of(FIXTURES / provider, load(provider))


@cache
def cases(provider: str) -> Mapping[str, Case]:
    """Return the cases of a provider's fixtures, by name."""
    return cases_in(FIXTURES / provider)
