"""Accounts that a mistake makes unusable: only they fail, and every call to them says why."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import msgspec

from .._published import broken
from ..account import Account
from ..adapter import Adapter
from ..errors import ConfigurationError

__all__ = ["Unusable", "check_usable"]


class Unusable(msgspec.Struct, frozen=True):
    """An account with a mistake in its configuration."""

    provider: str
    name: str
    error: ConfigurationError

    def stand_in(self) -> tuple[Account, Adapter]:
        """Return an account and an adapter that send nothing and raise the mistake on every call."""
        return Account(self.provider, key="unusable", name=self.name), broken(self.provider, self.error.reason)


def check_usable(accounts: Sequence[Account | Unusable]) -> None:
    """Raise `ConfigurationError` if there are accounts but none is usable."""
    mistakes = [account.error for account in accounts if isinstance(account, Unusable)]
    if not mistakes or len(mistakes) < len(accounts):
        return
    if len(mistakes) == 1:
        raise copy(mistakes[0])
    raise ConfigurationError("; ".join(map(str, mistakes)))
