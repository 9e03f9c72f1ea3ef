"""Conversations as files for other programs: JSON, a document on each line, and CSV for spreadsheets (`sheet`).

They are read one at a time, so memory does not grow with their number. A file has its name once all of it is on the
disk, and only its owner may read it.
"""

from __future__ import annotations

import gzip
import os
from collections import Counter
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import StoreError
from ..schema import Conversation
from ..schema.document import document
from .files import Files
from .sheet import Rows, Write, write_csv

__all__ = ["check_free", "export_csv", "export_jsonl", "replacing", "write_jsonl"]


def export_jsonl(conversations: Iterable[Conversation], path: str | Path, *, overwrite: bool = False) -> int:
    """Write a file as `write_jsonl` does, and return how many; gzip where the name ends in `.gz`.

    Raises `StoreError` where it cannot be written, or is there already and not to be overwritten.
    """
    with _written(Path(path), overwrite=overwrite) as write:
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
    """Write a file as `write_csv` does, and return how many conversations; gzip where the name ends in `.gz`.

    Raises `StoreError` where it cannot be written, or is there already and not to be overwritten.
    """
    with _written(Path(path), overwrite=overwrite) as write:
        return write_csv(conversations, write, neutralized=neutralized, rows=rows, changed=changed)


def write_jsonl(conversations: Iterable[Conversation], write: Write) -> int:
    """Write each conversation as a line of JSON, its `ref` first, and return how many.

    `msgspec.json.decode(line, type=Conversation)` reads an equal one back.
    """
    count = 0
    for conversation in conversations:
        write(document(conversation) + b"\n")
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
