"""Store URLs: `sqlite:PATH` or a plain path, `jsonl:PATH`, `parquet:FOLDER`, `postgresql://…`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from .._frames import bared
from ..errors import ConfigurationError

if TYPE_CHECKING:
    from ._reader import ReadableStore
    from .postgres._address import Address

__all__ = ["StoreURL", "open_store", "parted"]

_SERVERS: Final = ("postgresql://", "postgres://")
_KINDS: Final = ("sqlite", "jsonl", "parquet")
_ENDINGS: Final = {".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
_DATABASE: Final = "conversations.db"


class StoreURL(NamedTuple):
    """The kind of a store, and its path, or the address of its server. It never shows a password."""

    kind: str
    place: Path | Address

    @property
    def path(self) -> Path | None:
        """The path of its file or folder; None: it is on a server."""
        return self.place if isinstance(self.place, Path) else None

    @classmethod
    @bared
    def parse(cls, text: str) -> StoreURL:
        """Parse `sqlite:PATH`, `jsonl:PATH`, `parquet:FOLDER`, `postgresql://…`, or a plain path, which means SQLite.

        Raises:
            ConfigurationError: an unknown kind, or a probable mistake: a folder instead of a file, or a plain path with
                the ending of another kind; or the extra `postgres` is not installed.
        """
        if text.startswith(_SERVERS):
            return cls("postgres", _address(text))
        kind, name = parted(text, _KINDS)
        path = Path(name)
        if not name:
            raise ConfigurationError(f"{text!a} names no file: write a path, jsonl:PATH or parquet:FOLDER")
        if kind is None:
            kind = "sqlite"
            _check_ending(path)
        if kind == "parquet":
            if path.exists() and not path.is_dir():
                raise ConfigurationError(f"{name!a} is a file, but a Parquet store is a folder: write parquet:FOLDER")
        elif path.is_dir():
            file = path / ("conversations.jsonl" if kind == "jsonl" else _DATABASE)
            there = f", or parquet:{name}" if (path / _DATABASE).exists() else ""
            raise ConfigurationError(f"{name!a} is a folder: name a file in it, such as {file}{there}")
        return cls(kind, path)

    @property
    def has_password(self) -> bool:
        """Whether it names a password."""
        return not isinstance(self.place, Path) and self.place.has_password

    def __str__(self) -> str:
        return str(self.place) if self.kind in {"sqlite", "postgres"} else f"{self.kind}:{self.place}"

    def beside(self, ending: str) -> Path:
        """Return the file beside the store that has its name and another ending, such as ".inbox".

        Beside a server there is no file: then it is one in the working folder.
        """
        return (self.path or Path(_DATABASE)).with_suffix(ending)

    def open(self) -> ReadableStore:
        """Return the store; nothing is created or read until it is used."""
        if not isinstance(self.place, Path):
            from .postgres import PostgresStore  # noqa: PLC0415

            return PostgresStore(self.place)
        if self.kind == "jsonl":
            from .jsonl import JSONLStore  # noqa: PLC0415

            return JSONLStore(self.place, compress=self.place.suffix == ".gz")
        if self.kind == "parquet":
            from .parquet import ParquetStore  # noqa: PLC0415

            return ParquetStore(self.place)
        from .sqlite import SQLiteStore  # noqa: PLC0415

        return SQLiteStore(self.place)


@bared
def open_store(url: str) -> ReadableStore:
    """Return the store at `sqlite:PATH`, `jsonl:PATH`, `parquet:FOLDER` or `postgresql://…`; a plain path means SQLite.

    Nothing is created or read until it is used: `sync(hub, store)` fills it, `store.reader()` reads it.

    Raises:
        ConfigurationError: an unknown kind, or a probable mistake, such as a folder instead of a file.
    """
    return StoreURL.parse(url).open()


def _address(text: str) -> Address:
    try:
        from .postgres._address import Address  # noqa: PLC0415
    except ModuleNotFoundError:
        raise ConfigurationError("Postgres needs an extra: pip install 'conversations-hub[postgres]'") from None
    return Address(text)


def parted(text: str, words: tuple[str, ...]) -> tuple[str | None, str]:
    """Split `word:rest`; a text without a word is returned whole, with None.

    Raises:
        ConfigurationError: the word before the colon is not one of `words`.
    """
    word, colon, rest = text.partition(":")
    if not colon or "/" in word:
        return None, text
    if word not in words:
        *first, last = (f"{known}:" for known in words)
        raise ConfigurationError(
            f"unknown kind {word!a} in {text!a}: use {', '.join(first)} or {last}, or write ./{text} for a file of"
            " that name"
        )
    return word, rest


def _check_ending(path: Path) -> None:
    plain = path.with_suffix("") if path.suffix == ".gz" else path
    kind = _ENDINGS.get(plain.suffix.lower())
    if kind is not None:
        write = f"parquet:{plain.with_suffix('')}" if kind == "parquet" else f"{kind}:{path}"
        raise ConfigurationError(
            f"{str(path)!a} would be a SQLite file: write {write}, or sqlite:{path} if you mean that"
        )
    if plain.suffix.lower() in {".csv", ".json"}:
        raise ConfigurationError(
            f"{str(path)!a} would be a SQLite file: sync to another file, then write CSV or JSON with"
            " `conversations-hub export`"
        )
