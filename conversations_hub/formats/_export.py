"""Write conversations to files for other programs: one file, or one for each conversation.

Conversations are read one at a time, so memory does not grow with their number. A file gets its name once all of it is
on the disk, and only its owner may read it.
"""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from .._files.atomic import FileOps, atomic_replace
from .._files.opening import make_folder
from .._files.presence import check_folder
from ..errors import StoreError
from ..schema import Conversation
from ..schema._document import document
from ._csv import Rows, Write, write_csv
from ._format import Dumped
from ._run import dump_all, dump_each, find, options_of

__all__ = ["export_csv", "export_documents", "export_jsonl", "export_lines", "write_jsonl"]


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


def export_lines(
    conversations: Iterable[Conversation], path: Path, name: str, *, overwrite: bool, **options: Any
) -> Dumped:
    """Write a file of a format whose lines join in one, with gzip if the name ends in `.gz`.

    Raises:
        StoreError: the file cannot be written, or it exists and `overwrite` is False.
        InvalidRefError: there is no such format or option.
    """
    options_of(find(name), options)
    with _open(path, overwrite=overwrite) as write:
        return dump_all(conversations, name, write, **options)


def export_documents(
    conversations: Iterable[Conversation], folder: Path, name: str, *, overwrite: bool, **options: Any
) -> Dumped:
    """Write a folder with a file for each conversation, whose name is made of its ref.

    After an interruption, the files that are there are whole. With `overwrite`, other files stay.

    Raises:
        StoreError: a file cannot be written, or the folder is not empty and `overwrite` is False.
        InvalidRefError: there is no such format or option.
    """
    format = find(name)
    chosen = options_of(format, options)
    dumped = Dumped()
    files = FileOps()
    try:
        check_folder(folder)
        make_folder(folder)
        if not overwrite and any(folder.iterdir()):
            raise StoreError(f"{folder} already has files. Give another folder, or pass overwrite=True (--overwrite)")
        for conversation, written in dump_each(conversations, format, chosen, dumped):
            files.replace(folder / f"{_file_name(conversation)}{format.suffix}", [written])
    except OSError as error:
        reason = error.strerror or type(error).__name__
    else:
        return dumped
    raise StoreError(f"{folder}: {reason}")


_NOT_IN_NAMES = re.compile("[^A-Za-z0-9_-]+")
_LONGEST_NAME = 40


def _file_name(one: Conversation) -> str:
    """Return a name that no other conversation has, and that leads nowhere else."""
    digest = sha256(f"{one.provider}/{one.account}:{one.id}".encode()).hexdigest()[:16]
    return f"{digest}-{_NOT_IN_NAMES.sub('-', one.id)[:_LONGEST_NAME]}"


@contextmanager
def _open(path: Path, *, overwrite: bool) -> Generator[Write]:
    with atomic_replace(path, overwrite=overwrite) as folder, (folder / path.name).open("xb") as file:
        if path.suffix == ".gz":
            # No name and no timestamp, so that the same conversations make the same file.
            with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:
                yield packed.write
        else:
            yield file.write
