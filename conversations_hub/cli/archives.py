"""A store to look into, and whom it knows: a name that is mistyped must not look like one nobody said anything to."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from ..errors import ConfigurationError
from ..refs import Target
from ..stores.sqlite.reader import SQLiteReader

__all__ = ["opened"]


@contextmanager
def opened(store: Path, targets: Iterable[str]) -> Generator[SQLiteReader]:
    """Open a store; refuse targets that name nobody in it."""
    with SQLiteReader(store) as archive:
        there = archive.accounts()
        for target in map(Target.parse, targets):
            name = str(target._replace(resource=None))
            if not any(account == name or account.startswith(f"{name}/") for account in there):
                known = f"there is {', '.join(there)}" if there else "it holds nobody's yet"
                raise ConfigurationError(f"{store} holds no conversations of {name}: {known}")
        yield archive
