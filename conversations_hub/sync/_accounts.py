"""The accounts that a sync covers."""

from __future__ import annotations

from .._refs import Target
from ..errors import InvalidRefError
from ..hub import Hub

__all__ = ["accounts_of"]


def accounts_of(hub: Hub, targets: tuple[str, ...]) -> tuple[str, ...]:
    """Return the accounts that targets name, as "provider/account".

    Raises:
        InvalidRefError: a malformed target, or one that names one kind of conversation: a store keeps one checkpoint
            for the whole account.
        ConfigurationError: the hub does not have this provider or account.
    """
    for target in map(Target.parse, targets):
        if target.resource is not None:
            whole = target._replace(resource=None)
            raise InvalidRefError(f"{target} is only part of an account, and a sync copies all of it: use {whole}")
    return hub.accounts(*targets)
