"""Open a store to read, and check its targets: a mistyped one must not look like one without conversations."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from .._refs import Target
from ..errors import ConfigurationError
from ..stores._reader import StoreReader
from ..stores._url import StoreURL

__all__ = ["opened"]


@contextmanager
def opened(store: StoreURL, targets: Iterable[str]) -> Generator[StoreReader]:
    """Open a store to read; raise `ConfigurationError` for targets that it does not have."""
    with store.open().reader() as reader:
        there = reader.accounts()
        for target in map(Target.parse, targets):
            name = str(target._replace(resource=None))
            if not any(account == name or account.startswith(f"{name}/") for account in there):
                known = f"it has {', '.join(there)}" if there else "it is empty"
                raise ConfigurationError(f"{store} has no conversations of {name}: {known}")
        yield reader
