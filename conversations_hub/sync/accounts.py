"""Which accounts are to be brought up to date."""

from __future__ import annotations

from ..errors import InvalidRefError
from ..hub import Hub
from ..refs import Target

__all__ = ["accounts_of"]


def accounts_of(hub: Hub, targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the accounts that targets name, as "provider/account".

    Raises:
        InvalidRefError: a target names one kind of conversations, and a store notes how far all of an account has come.
        ConfigurationError: a provider or account this hub does not have.
    """
    for target in map(Target.parse, targets):
        if target.resource is not None:
            whole = target._replace(resource=None)
            raise InvalidRefError(f"{target} is a part of an account, and a sync brings all of it: name {whole}")
    return hub.accounts(*targets)
