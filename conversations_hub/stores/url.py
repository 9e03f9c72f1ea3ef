"""Where a store is, in one text: `sqlite:PATH` or a path alone, `jsonl:PATH`, `parquet:FOLDER`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .reader import ReadableStore

__all__ = ["StoreURL", "open_store", "parted"]

_KINDS: Final = ("sqlite", "jsonl", "parquet")
_ENDINGS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_DATABASE: Final = "conversations.db"


class StoreURL(NamedTuple):
    """A kind of store, and where it is."""

    kind: str
    path: Path

    @classmethod
    def parse(cls, text: str) -> StoreURL:
        """Read `sqlite:PATH`, `jsonl:PATH`, `parquet:FOLDER`, or a path for SQLite.

        Raises `ConfigurationError` for another kind, and for what is probably a mistake: a folder in the place of a
        file, and a path without a kind whose ending is another kind's.
        """
        kind, name = parted(text, _KINDS)
        path = Path(name)
        if not name:
            raise ConfigurationError(f"{text!a} names no file: write a path, jsonl:PATH or parquet:FOLDER")
        if kind is None:
            kind = "sqlite"
            _check_ending(path)
        if kind == "parquet":
            if path.exists() and not path.is_dir():
                raise ConfigurationError(f"{name!a} is a file, and a Parquet store is a folder: write parquet:FOLDER")
        elif path.is_dir():
            file = path / ("conversations.jsonl" if kind == "jsonl" else _DATABASE)
            there = f", or parquet:{name}" if (path / _DATABASE).exists() else ""
            raise ConfigurationError(f"{name!a} is a folder: name a file in it, as {file}{there}")
        return cls(kind, path)

    def __str__(self) -> str:
        return str(self.path) if self.kind == "sqlite" else f"{self.kind}:{self.path}"

    def open(self) -> ReadableStore:
        """Return the store; nothing is made or read until it is used."""
        if self.kind == "jsonl":
            from .jsonl import JSONLStore  # noqa: PLC0415

            return JSONLStore(self.path, compress=self.path.suffix == ".gz")
        if self.kind == "parquet":
            from .parquet import ParquetStore  # noqa: PLC0415

            return ParquetStore(self.path)
        from .sqlite import SQLiteStore  # noqa: PLC0415

        return SQLiteStore(self.path)


def open_store(url: str) -> ReadableStore:
    """Return the store at `sqlite:PATH`, `jsonl:PATH` or `parquet:FOLDER`; a path without a kind is SQLite's.

    Nothing is made or read until it is used: `sync(hub, store)` fills it, `store.reader()` looks into it.

    Raises:
        ConfigurationError: another kind, or what is probably a mistake, such as a folder in the place of a file.
    """
    return StoreURL.parse(url).open()


def parted(text: str, words: tuple[str, ...]) -> tuple[str | None, str]:
    """Part `word:rest`; a text without such a word is whole.

    Raises:
        ConfigurationError: a word before the colon that is none of these.
    """
    word, colon, rest = text.partition(":")
    if not colon or "/" in word:
        return None, text
    if word not in words:
        *first, last = (f"{known}:" for known in words)
        raise ConfigurationError(
            f"{word!a} in {text!a} is no kind: before a colon stands {', '.join(first)} or {last};"
            f" write ./{text} for a file of that name"
        )
    return word, rest


def _check_ending(path: Path) -> None:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    kind = _ENDINGS.get(plain.suffix.lower())
    if kind is not None:
        write = f"parquet:{plain.with_suffix('')}" if kind == "parquet" else f"{kind}:{path}"
        raise ConfigurationError(
            f"{str(path)!a} would be a SQLite file: write {write}, or sqlite:{path} if that is meant"
        )
    if plain.suffix.lower() in {".csv", ".json"}:
        raise ConfigurationError(
            f"{str(path)!a} would be a SQLite file: sync to one, and `conversations-hub export` writes CSV and JSON"
        )
