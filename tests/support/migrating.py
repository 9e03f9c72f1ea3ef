"""A migration that is killed before one of its statements, in a process that has imported little."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from unittest.mock import patch

from conversations_hub.stores.sqlite import _migration

__all__ = ["killed_before"]


def killed_before(path: str, step: int) -> None:
    """Migrate a store, and kill this process before that statement."""
    steps = _migration.steps

    def until(*, with_index: bool) -> Iterator[str]:
        yield from islice(steps(with_index=with_index), step)
        os.kill(os.getpid(), signal.SIGKILL)

    with patch.object(_migration, "steps", until), closing(sqlite3.connect(path, isolation_level=None)) as database:
        _migration.migrate(database, with_index=True)
