"""Where a store is: a path for SQLite, `jsonl:PATH`, or `parquet:FOLDER`; what names nothing of these is refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import click

if TYPE_CHECKING:  # `--help` needs none of it
    from ..stores.store import Store

__all__ = ["Place", "database", "place", "prefixed"]

_KINDS: Final = ("sqlite", "jsonl", "parquet")
_ENDINGS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_DATABASE: Final = "conversations.db"


class Place(NamedTuple):
    """A kind of store, and where it is."""

    kind: str
    path: Path

    def __str__(self) -> str:
        return str(self.path) if self.kind == "sqlite" else f"{self.kind}:{self.path}"

    @property
    def database(self) -> Path:
        """The SQLite file of a store that has one."""
        return self.path / _DATABASE if self.kind == "parquet" else self.path

    @property
    def is_there(self) -> bool:
        """Whether anything is there to go on with."""
        return self.database.exists() or self.path.with_name(f"{self.path.name}.partial").exists()

    def store(self) -> Store:
        """Return the store."""
        if self.kind == "jsonl":
            from ..stores.jsonl import JSONLStore  # noqa: PLC0415

            return JSONLStore(self.path, compress=self.path.suffix == ".gz")
        if self.kind == "parquet":
            from ..stores.parquet import ParquetStore  # noqa: PLC0415

            return ParquetStore(self.path)
        from ..stores.sqlite import SQLiteStore  # noqa: PLC0415

        return SQLiteStore(self.path)


def place(text: str) -> Place:
    """Read a place; what is typed by mistake would make a file of that name."""
    kind, name = prefixed(text, _KINDS)
    path = Path(name)
    if not name:
        raise click.BadParameter(f"{text!a} names no file: write a path, jsonl:PATH or parquet:FOLDER")
    if kind is None:
        kind = "sqlite"
        _check_ending(path)
    if kind == "parquet":
        if path.exists() and not path.is_dir():
            raise click.BadParameter(f"{name!a} is a file, and a Parquet store is a folder: write parquet:FOLDER")
    elif path.is_dir():
        file = path / ("conversations.jsonl" if kind == "jsonl" else _DATABASE)
        there = f", or parquet:{name}" if (path / _DATABASE).exists() else ""
        raise click.BadParameter(f"{name!a} is a folder: name a file in it, as {file}{there}")
    return Place(kind, path)


def database(text: str) -> Path:
    """Read the place of a store that is to be looked into: its SQLite file."""
    found = place(text)
    if found.kind == "jsonl":
        raise click.BadParameter(
            f"{text!a} holds JSON lines; list, get, search and export look into SQLite stores only"
        )
    return found.database


def prefixed(text: str, words: tuple[str, ...]) -> tuple[str | None, str]:
    """Part `word:rest`; a text without such a word is whole, and a word that is none of these is refused."""
    word, colon, rest = text.partition(":")
    if not colon or "/" in word:
        return None, text
    if word not in words:
        *first, last = (f"{known}:" for known in words)
        raise click.BadParameter(
            f"{word!a} in {text!a} is no kind: before a colon stands {', '.join(first)} or {last};"
            f" write ./{text} for a file of that name"
        )
    return word, rest


def _check_ending(path: Path) -> None:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    kind = _ENDINGS.get(plain.suffix.lower())
    if kind is not None:
        write = f"parquet:{plain.with_suffix('')}" if kind == "parquet" else f"{kind}:{path}"
        raise click.BadParameter(
            f"{str(path)!a} would be a SQLite file: write {write}, or sqlite:{path} if that is meant"
        )
    if plain.suffix.lower() in {".csv", ".json"}:
        raise click.BadParameter(
            f"{str(path)!a} would be a SQLite file: sync to one, and `conversations-hub export` writes CSV and JSON"
        )
