"""Write conversations to files for other programs: JSON Lines, and CSV for spreadsheets (see `csv`).

Conversations are read one at a time, so memory does not grow with their number. A file gets its name once all of it is
on the disk, and only its owner may read it.
"""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path

from .._files.atomic import atomic_replace
from ..schema import Conversation
from ..schema._document import document
from ._csv import Rows, Write, write_csv

__all__ = ["export_csv", "export_jsonl", "write_jsonl"]


def export_jsonl(conversations: Iterable[Conversation], path: str | Path, *, overwrite: bool = False) -> int:
    """Write a file as `write_jsonl` does, with gzip if the name ends in `.gz`; return the number of conversations.

    Raises:
        StoreError: the file cannot be written, or it exists and `overwrite` is False.
    """
    with _open(Path(path), overwrite=overwrite) as write:
        return write_jsonl(conversations, write)


def export_csv(
    conversations: Iterable[Conversation],
    path: str | Path,
    *,
    overwrite: bool = False,
    neutralized: bool = True,
    rows: Rows = "turns",
    changed: Counter[str] | None = None,
) -> int:
    """Write a file as `write_csv` does, with gzip if the name ends in `.gz`; return the number of conversations.

    Raises:
        StoreError: the file cannot be written, or it exists and `overwrite` is False.
    """
    with _open(Path(path), overwrite=overwrite) as write:
        return write_csv(conversations, write, neutralized=neutralized, rows=rows, changed=changed)


def write_jsonl(conversations: Iterable[Conversation], write: Write) -> int:
    """Write each conversation as a line of JSON, its `ref` first; return the number of conversations.

    `msgspec.json.decode(line, type=Conversation)` reads an equal conversation back.
    """
    count = 0
    for conversation in conversations:
        write(document(conversation) + b"\n")
        count += 1
    return count


@contextmanager
def _open(path: Path, *, overwrite: bool) -> Generator[Write]:
    with atomic_replace(path, overwrite=overwrite) as folder, (folder / path.name).open("xb") as file:
        if path.suffix == ".gz":
            # No name and no timestamp, so that the same conversations make the same file.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                yield packed.write
        else:
            yield file.write
