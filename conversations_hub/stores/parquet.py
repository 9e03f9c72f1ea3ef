"""Conversations as Parquet: a folder with two tables, written by DuckDB, which needs the extra `duckdb`.

`conversations.parquet` has a row for each conversation, `turns.parquet` one for each turn; `ref` joins them. Columns
and their types never vary: instants are TIMESTAMPTZ in UTC, durations DOUBLE seconds, costs the nearest DOUBLE, tags
lists, and nested values JSON in a VARCHAR. `raw` is left out: use JSONL for it.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import msgspec

from .._files.atomic import atomic_replace
from ..errors import ConfigurationError, StoreError
from ..schema import Conversation
from ._erasure import Receipt
from .sqlite import SQLiteStore
from .sqlite._erasure import Plan
from .sqlite._reader import SQLiteReader
from .sqlite._tables import CONVERSATION, TURN, conversation_row, turn_columns

__all__ = ["ParquetReader", "ParquetStore", "export_parquet"]

_TABLES: Final = {
    "conversations": ("ref", *(name for name in CONVERSATION if name != "raw"), "participants", "recordings"),
    "turns": ("ref", "provider", "account", "id", "position", *TURN),
}
_NAMES: Final = {
    "TIMESTAMPTZ": ("created_at", "started_at", "ended_at", "updated_at", "timestamp"),
    "DOUBLE": ("duration", "cost", "start", "confidence"),
    "INTEGER": ("turns", "position", "participant"),
    "BOOLEAN": ("success", "interrupted"),
    "VARCHAR[]": ("tags", "estimated"),
}
_TYPES: Final = {name: kind for kind, names in _NAMES.items() for name in names}
_ROWS: Final = 20_480  # in a row group, all of which is in memory
_GROUP: Final = "32MB"  # at most in a row group, if rows are long
_MICROSECONDS: Final = len("2026-11-30T12:00:00.000000")
_LARGEST: Final = 2**24  # bytes of a document that DuckDB reads by default


def export_parquet(conversations: Iterable[Conversation], folder: str | Path, *, overwrite: bool = False) -> int:
    """Write both tables into a folder, which is created if missing, and return how many conversations they hold.

    Raises:
        StoreError: they cannot be written, or they exist and `overwrite` is False.
        ConfigurationError: the extra `duckdb` is not installed.
    """
    duckdb = _duckdb()
    targets = _targets(Path(folder))
    try:
        Path(folder).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror}") from None
    with atomic_replace(*targets, overwrite=overwrite) as lent:
        count, largest = _write_json(conversations, lent)
        # DuckDB must neither look for extensions nor spill memory to any other folder.
        limits = {
            "autoinstall_known_extensions": False,
            "threads": 1,
            "temp_directory": str(lent),
            # A single thread keeps the order anyway, and DuckDB limits groups in bytes only without this option.
            "preserve_insertion_order": False,
        }
        try:
            with duckdb.connect(config=limits) as connection:
                for table, columns in _TABLES.items():
                    connection.execute(_copy(lent, table, columns, largest))
        except duckdb.Error as error:
            # Other errors may quote conversations.
            is_plain = isinstance(error, duckdb.IOException | duckdb.OutOfMemoryException)
            raise StoreError(f"{folder}: {error if is_plain else type(error).__name__}") from None
    return count


class ParquetReader(SQLiteReader):
    """Reads a Parquet store's SQLite file; what it erases is gone from both tables, too."""

    def _erase(
        self,
        choose: Callable[[sqlite3.Connection], Plan],
        recordings: str | Path | None,
        *,
        dry_run: bool,
        now: datetime | None,
    ) -> Receipt:
        receipt = super()._erase(choose, recordings, dry_run=dry_run, now=now)
        if receipt.erased_at is not None and receipt.conversations:
            export_parquet(self.conversations(), self.path.parent, overwrite=True)
        return receipt


class ParquetStore(SQLiteStore):
    """A store in a folder: `conversations.db`, a SQLite store, and both Parquet tables, rewritten by every sync."""

    def __init__(self, folder: str | Path) -> None:
        self.folder: Path = Path(folder)
        super().__init__(self.folder / "conversations.db")
        self._is_closed = False

    def reader(self) -> ParquetReader:
        """See `ReadableStore.reader`."""
        return ParquetReader(self.path)

    async def open(self, terms: Mapping[str, str]) -> None:
        """See `Store.open`."""
        self._is_closed = False
        await self._do(self._prepare)
        await super().open(terms)

    async def finish(self, unreadable: Mapping[str, int] | None = None) -> None:
        """Write the tables from everything in the store."""
        await super().finish(unreadable)
        await self._do(self._export)

    async def close(self) -> None:
        """See `Store.close`. Tables that are still being written are abandoned."""
        self._is_closed = True
        await super().close()

    def _prepare(self) -> None:
        _duckdb()  # fails now rather than after everything is fetched
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for table in () if self.path.exists() else _targets(self.folder):
            if os.path.lexists(table):
                raise StoreError(f"{table} already exists, and no sync made it. Give another folder, or move it away")

    def _export(self) -> None:
        with SQLiteReader(self.path) as archive:
            export_parquet(self._until_closed(archive.conversations()), self.folder, overwrite=True)

    def _until_closed(self, conversations: Iterable[Conversation]) -> Iterator[Conversation]:
        for conversation in conversations:
            if self._is_closed:
                raise StoreError(f"{self.folder}: closed before its tables were written")
            yield conversation


def _duckdb() -> Any:
    try:
        return import_module("duckdb")
    except ModuleNotFoundError:
        raise ConfigurationError("Parquet needs an extra: pip install 'conversations-hub[duckdb]'") from None


def _targets(folder: Path) -> list[Path]:
    return [folder / f"{table}.parquet" for table in _TABLES]


def _write_json(conversations: Iterable[Conversation], folder: Path) -> tuple[int, int]:
    """Write both tables as JSON for DuckDB; return the number of conversations and the longest line in bytes."""
    encoder = msgspec.json.Encoder()
    count = largest = 0
    with (folder / "conversations.json").open("xb") as rows, (folder / "turns.json").open("xb") as turns:
        for conversation in conversations:
            count += 1
            rows.write(line := encoder.encode(_row(conversation)) + b"\n")
            largest = max(largest, len(line))
            for turn in _turns(conversation):
                turns.write(line := encoder.encode(turn) + b"\n")
                largest = max(largest, len(line))
    return count, largest


def _row(conversation: Conversation) -> dict[str, Any]:
    columns = conversation_row(msgspec.structs.replace(conversation, raw=None))
    row = {"ref": conversation.ref, **dict(zip(CONVERSATION, columns, strict=True))}
    return row | {
        "cost": conversation.cost and float(conversation.cost.amount),
        "tags": conversation.tags,
        "estimated": conversation.estimated,
        "participants": msgspec.json.encode(conversation.participants).decode(),
        "recordings": msgspec.json.encode(conversation.recordings).decode(),
    }


def _turns(conversation: Conversation) -> Iterator[dict[str, Any]]:
    one = {name: getattr(conversation, name) for name in ("ref", "provider", "account", "id")}
    turns = conversation.transcript or ()
    columns = turn_columns(turns)
    for position in range(len(turns)):
        row = {name: values[position] for name, values in columns.items()}
        if (timestamp := row.get("timestamp")) is not None:
            row["timestamp"] = _microseconds(timestamp)
        yield one | {"position": position} | row


def _microseconds(timestamp: str) -> str | None:
    """Return an instant in the precision of Parquet; None for a number that is not an instant of the calendar."""
    return None if "T" not in timestamp else f"{timestamp.rstrip('Z')[:_MICROSECONDS]}Z"


def _copy(folder: Path, table: str, columns: Sequence[str], largest: int) -> str:
    """Return the statement that converts JSON to Parquet."""
    source, target = (_quoted(str(folder / f"{table}.{ending}")) for ending in ("json", "parquet"))
    types = {name: _TYPES.get(name, "VARCHAR") for name in columns}
    options = f"format = 'newline_delimited', maximum_object_size = {max(largest, _LARGEST)}, hive_partitioning = false"
    rows = f"SELECT * FROM read_json({source}, columns = {types}, {options})"
    groups = f"ROW_GROUP_SIZE {_ROWS}, ROW_GROUP_SIZE_BYTES '{_GROUP}'"
    return f"COPY ({rows}) TO {target} (FORMAT parquet, COMPRESSION zstd, {groups})"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
