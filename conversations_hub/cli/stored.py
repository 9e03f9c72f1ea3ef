"""A store to read from, and whom it holds: a mistyped name must not look like one nobody said anything to."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager

from ..errors import ConfigurationError
from ..refs import Target
from ..stores.reader import StoreReader
from ..stores.url import StoreURL

__all__ = ["opened"]


@contextmanager
def opened(store: StoreURL, targets: Iterable[str]) -> Generator[StoreReader]:
    """Open a store to read; refuse targets that it holds nothing of."""
    with store.open().reader() as reader:
        there = reader.accounts()
        for target in map(Target.parse, targets):
            name = str(target._replace(resource=None))
            if not any(account == name or account.startswith(f"{name}/") for account in there):
                known = f"it has {', '.join(there)}" if there else "it is empty"
                raise ConfigurationError(f"{store} holds no conversations of {name}: {known}")
        yield reader
