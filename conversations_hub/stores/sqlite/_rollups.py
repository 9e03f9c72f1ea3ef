"""Partial summaries of blocks of conversations, kept in the store, so that summaries of very many read few rows.

A block is a range of keys. It has a row for each group of its conversations.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from struct import calcsize, pack
from typing import Annotated, Final

import msgspec

from ...errors import StoreError
from ...metrics._columns import numbers_in
from ...metrics._histogram import MOST_EXACT
from ...metrics._tally import CODES, Values
from ._measures import writing
from ._parts import Labels, Part, is_spread
from ._tables import BLOCK, ROLLUPS

__all__ = ["Rollups", "span_of"]

_Group = tuple[str | None, ...]
_Number = Annotated[int, msgspec.Meta(ge=1)]

_LAYOUT: Final = 1
"""The layout of rows, which `MOST_EXACT` is part of: rows of another are made again."""
_MOST_KEPT: Final = 8
"""Combinations of keys of groups; those that were made last stay."""
_REVISION: Final = "SELECT value FROM store WHERE name = 'revision'"
_COUNTS: Final = "I"


class _Column(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The values of one metric: their figures, and how many are in each bucket of a histogram, by its code."""

    n: _Number
    sum: float
    min: float
    max: float
    codes: bytes
    counts: bytes


class _Columns(msgspec.Struct, array_like=True, frozen=True):
    labels: list[tuple[Labels, _Number]]
    lacking: dict[str, int]
    costs: list[tuple[tuple[str | None, str | None], _Number]]
    values: dict[str, _Column]


class _Values(msgspec.Struct, frozen=True, gc=False):
    """The values of a column; very many of these are in memory at once."""

    column: _Column
    packed: bytes

    @property
    def figures(self) -> tuple[int, float, float, float]:
        column = self.column
        return column.n, column.sum, column.min, column.max

    def numbers(self) -> array[float]:
        return numbers_in("d", self.packed)

    def counted(self) -> Mapping[int, int]:
        codes, counts = numbers_in(CODES, self.column.codes), numbers_in(_COUNTS, self.column.counts)
        if sum(counts) != self.column.n:
            raise ValueError
        return dict(zip(codes, counts, strict=True))


_columns: Final = msgspec.msgpack.Decoder(_Columns)
_group: Final = msgspec.json.Decoder(_Group)


class Rollups:
    """The partial summaries of blocks.

    Args:
        connection: A connection to the store.
        by: The keys of the groups.
        version_of: Returns the version of what a provider's conversations measure.
    """

    def __init__(self, connection: sqlite3.Connection, by: Sequence[str], version_of: Callable[[str], int]) -> None:
        self._connection = connection
        self._by = msgspec.json.encode(by).decode()
        self._version_of = version_of
        self._is_fresh = lru_cache(self._are_present)
        question = "SELECT count(*) FROM sqlite_master WHERE name = 'rollups'"
        self._are_any_kept = connection.execute(question).fetchone() == (1,)

    def block_after(self, block: int | None) -> int | None:
        """Return the next block with conversations, or the first; None if there is none."""
        where, values = ("", ()) if block is None else ("WHERE key > ?", (span_of(block)[1],))
        (key,) = self._connection.execute(f"SELECT min(key) FROM conversations {where}", values).fetchone()
        return None if key is None else key >> BLOCK

    def revision(self) -> int:
        """Return the revision of the store."""
        (revision,) = self._connection.execute(_REVISION).fetchone()
        return msgspec.convert(revision, int)

    def parts(self, block: int) -> dict[_Group, Part] | None:
        """Return the partial summaries of a block, by group; None if they are not kept, or of what was before.

        Raises one of `UNREADABLE` if what is kept is not ours.
        """
        if not self._are_any_kept:
            return None
        rows = self._connection.execute(_KEPT, (block, self._by, *span_of(block))).fetchall()
        if not rows or not all(self._is_fresh(versions) for versions, *_ in rows):
            return None
        return {_group.decode(group): _part(columns, numbers) for _, group, columns, numbers in rows}

    def keep(
        self, path: Path, block: int, parts: Mapping[_Group, Part], providers: Iterable[str], revision: int
    ) -> bool:
        """Write the partial summaries of a block, if the store still has that revision.

        Return whether the store can be written now.
        """
        versions = msgspec.json.encode((_LAYOUT, {name: self._version_of(name) for name in sorted(providers)})).decode()
        rows = [
            (self._by, msgspec.json.encode(group).decode(), versions, *_packed(part), block, *span_of(block))
            for group, part in parts.items()
        ]
        try:
            with writing(path) as connection:
                for statement in ROLLUPS:
                    connection.execute(statement)
                if connection.execute(_REVISION).fetchone() == (revision,):
                    connection.execute("DELETE FROM rollups WHERE block = ? AND grouped_by = ?", (block, self._by))
                    connection.executemany(_KEEP, rows)
                    connection.execute(_FORGET, (_MOST_KEPT,))
        except StoreError:
            return False
        return True

    def _are_present(self, versions: str) -> bool:
        layout, of_providers = msgspec.json.decode(versions, type=tuple[int, dict[str, int]])
        return layout == _LAYOUT and all(self._version_of(name) == version for name, version in of_providers.items())


_KEPT: Final = (
    "SELECT versions, in_common, columns, numbers FROM rollups"
    " WHERE block = ? AND grouped_by = ? AND last = (SELECT max(key) FROM conversations WHERE key BETWEEN ? AND ?)"
)
_KEEP: Final = (
    "INSERT INTO rollups (grouped_by, in_common, versions, columns, numbers, block, last)"
    " SELECT ?, ?, ?, ?, ?, ?, max(key) FROM conversations WHERE key BETWEEN ? AND ?"
)
_FORGET: Final = (
    "DELETE FROM rollups WHERE grouped_by NOT IN"
    " (SELECT grouped_by FROM rollups GROUP BY grouped_by ORDER BY max(key) DESC LIMIT ?)"
)


def span_of(block: int) -> tuple[int, int]:
    """Return the first and the last key of a block."""
    return block << BLOCK, (block + 1 << BLOCK) - 1


def _packed(part: Part) -> tuple[bytes, bytes]:
    """Return the columns of a part, and all values of those with so few that a histogram has each."""
    columns: dict[str, _Column] = {}
    numbers: list[bytes] = []
    for title, values in part.values.items():
        if not values.figures[0]:
            continue
        counts: Mapping[int, int] = values.counted() if is_spread(title) else {}
        columns[title] = _Column(
            *values.figures, pack(f"<{len(counts)}{CODES}", *counts), pack(f"<{len(counts)}{_COUNTS}", *counts.values())
        )
        if _has_numbers(title, columns[title]):
            numbers.append(pack(f"<{values.figures[0]}d", *values.numbers()))
    kept = _Columns([*part.labels.items()], dict(part.lacking), [*part.costs.items()], columns)
    return msgspec.msgpack.encode(kept), b"".join(numbers)


def _part(packed: bytes, numbers: bytes) -> Part:
    columns = _columns.decode(packed)
    values: dict[str, Values] = {}
    end = 0
    for title, column in columns.values.items():
        begin = end
        if _has_numbers(title, column):
            end += calcsize(f"<{column.n}d")
        values[title] = _Values(column, numbers[begin:end])
    if end != len(numbers):
        raise ValueError  # they are not ours
    return Part(Counter(dict(columns.labels)), Counter(columns.lacking), Counter(dict(columns.costs)), values)


def _has_numbers(title: str, column: _Column) -> bool:
    return is_spread(title) and column.n <= MOST_EXACT
