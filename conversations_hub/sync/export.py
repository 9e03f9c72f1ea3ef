"""Conversations as files for other programs: JSON, a document on each line, and CSV for spreadsheets.

They are read one at a time, so memory does not grow with their number. A file has its name once all of it is on the
disk, and only its owner may read it.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from ..errors import StoreError
from ..schema import Conversation
from .document import document
from .journal import Files

__all__ = ["COLUMNS", "check_free", "export_csv", "export_jsonl", "replacing", "write_csv", "write_jsonl"]

Write = Callable[[bytes], object]

COLUMNS: Final = (
    "ref",
    "provider",
    "account",
    "id",
    "title",
    "status",
    "channel",
    "direction",
    "agent",
    "created_at",
    "started_at",
    "duration",
    "end_reason",
    "transcript_state",
    "position",
    "role",
    "start",
    "timestamp",
    "text",
    "tools",
)
"""Of a CSV. `agent` is its name, else its id; `tools` are the names of those called; seconds and UTC throughout."""


def export_jsonl(conversations: Iterable[Conversation], path: str | Path, *, overwrite: bool = False) -> int:
    """Write a file as `write_jsonl` does, and return how many; gzip where the name ends in `.gz`.

    Raises `StoreError` where it cannot be written, or is there already and not to be overwritten.
    """
    with _written(Path(path), overwrite=overwrite) as write:
        return write_jsonl(conversations, write)


def export_csv(
    conversations: Iterable[Conversation], path: str | Path, *, overwrite: bool = False, neutralized: bool = True
) -> int:
    """Write a file as `write_csv` does, and return how many conversations; gzip where the name ends in `.gz`.

    Raises `StoreError` where it cannot be written, or is there already and not to be overwritten.
    """
    with _written(Path(path), overwrite=overwrite) as write:
        return write_csv(conversations, write, neutralized=neutralized)


def write_jsonl(conversations: Iterable[Conversation], write: Write) -> int:
    """Write each conversation as a line of JSON, its `ref` first, and return how many.

    `msgspec.json.decode(line, type=Conversation)` reads an equal one back.
    """
    count = 0
    for conversation in conversations:
        write(document(conversation) + b"\n")
        count += 1
    return count


def write_csv(conversations: Iterable[Conversation], write: Write, *, neutralized: bool = True) -> int:
    r"""Write a line with `COLUMNS` for each turn, and return how many conversations.

    A conversation without turns has one line, with an empty position. It is RFC 4180 in UTF-8, with a byte order mark,
    for without one Excel takes it for another encoding; Python reads it with `encoding="utf-8-sig", newline=""`.

    A text that a spreadsheet would take for a formula gets an apostrophe before it: one that begins with `=`, `+`, `-`,
    `@`, a tab, a line break, or the wide form of such a sign, after any number of apostrophes. To have every text back
    as it was, take one away where `'+[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]` matches at the beginning. Numbers stay
    numbers. With `neutralized=False` all texts are as they were said: for programs, never for spreadsheets.
    """
    write(BOM_UTF8 + _lines([COLUMNS]))
    count = 0
    for conversation in conversations:
        rows = _rows(conversation)
        write(_lines([_harmless(cell) for cell in row] for row in rows) if neutralized else _lines(rows))
        count += 1
    return count


@contextmanager
def replacing(*paths: Path, overwrite: bool) -> Generator[Path]:
    """Lend a folder for files with the names of `paths`, which then take their places together.

    Whatever goes wrong, nothing of them is left; only after a kill the folder, `.export-…`, which nobody else may read.
    What goes wrong with a file is a `StoreError`.
    """
    folder = paths[0].parent
    if not folder.is_dir():
        raise StoreError(f"{paths[0]}: there is no folder {folder}")
    files = Files()
    try:
        if not overwrite:
            check_free(*paths)
        with TemporaryDirectory(dir=folder, prefix=".export-") as lent:
            new = [Path(lent, path.name) for path in paths]
            yield Path(lent)
            for file in new:
                file.chmod(0o600)
                with file.open("rb") as data:
                    files.fsync(data.fileno())
            if not overwrite:  # it may have taken hours
                check_free(*paths)
            for file, path in zip(new, paths, strict=True):
                files.move(file, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return
    raise StoreError(f"{paths[0]}: {reason}")


def check_free(*paths: Path) -> None:
    """Raise `StoreError` where one of the files is there already."""
    for path in paths:
        if os.path.lexists(path):
            raise StoreError(f"{path} is there already. Give another path, or overwrite it")


@contextmanager
def _written(path: Path, *, overwrite: bool) -> Generator[Write]:
    with replacing(path, overwrite=overwrite) as folder, (folder / path.name).open("xb") as file:
        if path.suffix == ".gz":
            # Without a name and a time, so that the same conversations make the same file.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                yield packed.write
        else:
            yield file.write


def _rows(conversation: Conversation) -> Iterator[tuple[object, ...]]:
    agent = conversation.agent
    about = (
        conversation.ref,
        conversation.provider,
        conversation.account,
        conversation.id,
        conversation.title,
        conversation.status,
        conversation.channel,
        conversation.direction,
        agent and (agent.name or agent.id),
        _instant(conversation.created_at),
        _instant(conversation.started_at),
        conversation.duration,
        conversation.end_reason,
        conversation.transcript_state,
    )
    if not conversation.transcript:
        yield about + (None,) * (len(COLUMNS) - len(about))
    for turn in conversation.transcript or ():
        tools = ", ".join(call.name or "unknown" for call in turn.tool_calls)
        yield (*about, turn.index, turn.role, turn.start, _instant(turn.started_at), turn.text, tools)


def _instant(moment: datetime | None) -> object:
    return msgspec.to_builtins(moment)


def _lines(rows: Iterable[Iterable[object]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


# https://owasp.org/www-community/attacks/CSV_Injection; the apostrophes, so that none is taken for ours.
_FORMULA: Final = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def _harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
