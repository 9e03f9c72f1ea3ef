"""An erasure that is killed before one of its statements, in a process that has imported little."""

from __future__ import annotations

import os
import signal

from conversations_hub.sync.sqlite.archive import Archive
from conversations_hub.sync.sqlite.writer import Writer

__all__ = ["erased_and_killed_before"]

_OURS = (
    "INSERT OR IGNORE INTO erased",
    "DELETE FROM",
    "INSERT OR REPLACE INTO store",
    "COMMIT",
    "VACUUM",
    "INSERT INTO",
)


def erased_and_killed_before(path: str, step: int) -> None:
    """Erase a conversation, and kill this process before that statement."""
    init = Writer.__init__
    seen = 0

    def count(statement: str) -> None:
        nonlocal seen
        if statement.startswith(_OURS):
            seen += 1
            if seen > step:
                os.kill(os.getpid(), signal.SIGKILL)

    def watched(writer: Writer, *arguments: object) -> None:
        init(writer, *arguments)  # type: ignore[arg-type]
        writer._connection.set_trace_callback(count)  # pyright: ignore[reportPrivateUsage]

    Writer.__init__ = watched  # type: ignore[method-assign, assignment]
    with Archive(path) as archive:
        archive.erase("acme:c1")
