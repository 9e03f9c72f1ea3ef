"""Erasures to be killed, in a process that has imported little."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

from conversations_hub._files.atomic import FileOps
from conversations_hub.stores._erasure import Person
from conversations_hub.stores.jsonl._reader import JSONLReader
from conversations_hub.stores.sqlite._connection import connect as connection_to
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.stores.sqlite._writer import Writer

from .crash import Steps

__all__ = ["erased_and_killed_before", "erased_in_steps"]

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
    with SQLiteReader(path) as archive:
        archive.erase("acme:c1")


def erased_in_steps(path: str, number: str, steps: Steps) -> None:
    """Erase all of a person, and bring an old store to this layout first."""

    def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = connection_to(*arguments, **options)
        connection.set_progress_handler(steps.take, 500)
        return connection

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any) -> Any:
            steps.take()
            return call(*arguments)

        return counting

    files = FileOps(**{name: counted(getattr(FileOps(), name)) for name in FileOps.__struct_fields__})
    person = Person(phone=number)
    with patch("conversations_hub.stores.sqlite._writer.connect", connected):
        if path.endswith(".jsonl"):
            JSONLReader(path, files=files).erase(person=person)
        else:
            Writer(Path(path), {}).close()
            with SQLiteReader(path) as archive:
                archive.erase(person=person)
