"""A row of the table of measures: what `measure` returns, for one content of a conversation.

Each metric has a column, for whoever asks the table, and `reasons` is a JSON object of why others have no value.
Summaries of very many rows read `basis` instead, which has a letter for each metric, and `latencies`, which has all
numbers.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from itertools import chain
from math import inf, nan
from operator import add
from pathlib import Path
from string import ascii_uppercase, digits
from struct import calcsize, pack
from typing import Any, Final, Literal, NamedTuple, TypeVar

import msgspec

from ..._files.lock import Lock
from ..._files.opening import own_path
from ...errors import StoreError
from ...metrics import METRICS, Basis, Measures
from ...metrics._columns import LARGEST, column_sums, numbers_in
from ...metrics._definitions import PERCENTILES
from ...metrics._histogram import bucket_of
from ...metrics._measure import version_of
from ...metrics._summary import SUMMARIZED_REASONS, without_numbers
from ...metrics._tally import CODES, code_of
from ._connection import connect, using

__all__ = ["LETTERS", "Cells", "Told", "keep", "measures_row", "row_version", "told_of", "writing"]

_Number = TypeVar("_Number", int, float)

_LAYOUT: Final = 3
"""The layout of cells: rows with cells of another are measured again."""

_COLUMNS: Final = ("conversation", "version", "content_print", *METRICS, "basis", "reasons", "latencies")
# A sync may have written another content meanwhile, or somebody may have erased the conversation.
_KEEP: Final = (
    f"INSERT OR REPLACE INTO measures ({', '.join(_COLUMNS)}) SELECT {', '.join('?' * len(_COLUMNS))}"
    " WHERE EXISTS (SELECT 1 FROM remembered WHERE conversation = ? AND content_print = ?)"
)
_LONGEST_WAIT: Final = 1000  # milliseconds

_BASES: Final[Mapping[str, Basis]] = {"c": "counted", "r": "reported", "m": "measured", "e": "estimated"}
_REASONS: Final = dict(zip(ascii_uppercase + digits, SUMMARIZED_REASONS, strict=False))
LETTERS: Final[Mapping[str, str]] = {word: letter for letter, word in (*_BASES.items(), *_REASONS.items())}
"""The letters in `basis`."""

# A cell of `latencies` has in 8 bytes each the value of every metric but percentiles, and of each kind of latency the
# sum, the minimum and the maximum; in 4 bytes each, how many latencies of each kind there are, how many of these are in
# its row, and how many lacked what is needed; in 2 bytes each, the code of the bucket of each value in a histogram.
# Then come the rows, the codes of the latencies that are in none, and all latencies in seconds, those in no row first.
# A kind has a row if it has so many latencies that this counts them sooner: it has half a byte for each bucket of usual
# latencies. All are little-endian, so that the cells of very many conversations become arrays at once.
_VALUES: Final = tuple(name for name, metric in METRICS.items() if metric.kind != "percentile")
_LACKING: Final = (*PERCENTILES, "tool_failures")
_FLOATS: Final = len(_VALUES) + 3 * len(PERCENTILES)
_NUMBERS: Final = 2 * len(PERCENTILES) + len(_LACKING)
_CODED: Final = len(_VALUES)
_FORMAT: Final = f"<{_FLOATS}d{_NUMBERS}I{_CODED}{CODES}"
_FIXED: Final = -(-calcsize(_FORMAT) // 8) * 8  # bytes
_AT_ONCE: Final = 500  # cells that a processor's cache has room for
_NO_LATENCIES: Final = (0.0, inf, -inf)
_CODE: Final = calcsize(CODES)  # bytes
_LEAST_IN_ROW: Final = 10
_WIDTH: Final = 152  # bytes of a row
_FIRST_IN_ROW: Final = code_of(-_WIDTH)  # so that it ends as far above a second as it begins below: at 20 s and 1/20 s
_USUAL: Final = range(_FIRST_IN_ROW, _FIRST_IN_ROW + 2 * _WIDTH)

_Part = Literal["row", "codes", "seconds"]


class Told(msgspec.Struct, frozen=True):
    """Of each metric, where its value comes from, or why it has none."""

    bases: dict[str, Basis]
    missing: dict[str, str]


def row_version(provider: str) -> int:
    """Return the version of the rows of a provider's conversations: of the definitions, and of the layout of cells."""
    return _LAYOUT << 32 | version_of(provider)


def measures_row(key: int, version: int, content: object, measures: Measures) -> tuple[Any, ...]:
    """Return the columns of a row, in the order in which `keep` takes them; `content` is a fingerprint."""
    values = {name: None if one.value is None else float(one.value) for name, one in measures.items()}
    reasons = {name: without_numbers(one.reason) for name, one in measures.items() if one.reason is not None}
    basis = "".join([LETTERS[one.basis or reasons[name]] for name, one in measures.items()])
    cell = _packed(values, measures)
    return (key, version, content, *values.values(), basis, msgspec.json.encode(reasons).decode(), cell)


def keep(path: Path, rows: Sequence[tuple[Any, ...]]) -> bool:
    """Write rows, of conversations whose content is still the same; return whether the store can be written now."""
    try:
        with writing(path) as connection:
            connection.executemany(_KEEP, [(*row, row[0], row[2]) for row in rows])
    except StoreError:
        return False
    return True


@contextmanager
def writing(path: Path) -> Generator[sqlite3.Connection]:
    """Write into a store what was found out about it, in one transaction.

    Raises `StoreError` if it cannot be written now.
    """
    with using(path), ExitStack() as held:
        path = own_path(path)
        held.callback(Lock(path).release)
        connection = connect(path, writes=True)
        held.callback(connection.close)
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute(f"PRAGMA busy_timeout = {_LONGEST_WAIT}")
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")


@lru_cache(maxsize=4096)
def told_of(basis: str) -> Told:
    """Return what the letters say; raise one of `UNREADABLE` if they are not ours."""
    letters = dict(zip(METRICS, basis, strict=True))
    return Told(
        bases={name: _BASES[letter] for name, letter in letters.items() if letter in _BASES},
        missing={name: _REASONS[letter] for name, letter in letters.items() if letter not in _BASES},
    )


class Cells:
    """What the cells of many conversations say.

    Raises one of `UNREADABLE` if they are not ours.
    """

    def __init__(self, cells: Sequence[bytes]) -> None:
        self._cells = cells
        self._floats = [array("d") for _ in range(_FLOATS)]
        self._codes = [array(CODES) for _ in range(_CODED)]
        columns = [array("I") for _ in range(_NUMBERS)]
        for begin in range(0, len(cells), _AT_ONCE):
            some = cells[begin : begin + _AT_ONCE]
            fixed = b"".join([cell[:_FIXED] for cell in some])
            if len(fixed) != _FIXED * len(some):
                raise ValueError
            _transpose(fixed, 0, self._floats)
            _transpose(fixed, 8 * _FLOATS, columns)
            _transpose(fixed, 8 * _FLOATS + 4 * _NUMBERS, self._codes)
        kinds = len(PERCENTILES)
        self._totals = dict(zip(PERCENTILES, map(sum, columns), strict=False))
        self._sizes = _sizes(dict(zip(PERCENTILES, zip(columns, columns[kinds:], strict=False), strict=False)))
        if sum(map(len, cells)) != _FIXED * len(cells) + sum(map(sum, self._sizes.values())):
            raise ValueError
        self.lacking: dict[str, int] = dict(zip(_LACKING, map(sum, columns[2 * kinds :]), strict=True))
        """How many latencies, or outcomes of tools, lacked what is needed."""

    def values(self, name: str) -> tuple[array[float], array[int]]:
        """Return the value of a metric for each conversation, not a number if there is none; and their codes."""
        place = _VALUES.index(name)
        return self._floats[place], self._codes[place]

    def figures(self, latency: str) -> tuple[int, float, float, float]:
        """Return how many latencies of a kind there are, their sum, minimum and maximum."""
        if not self._totals[latency]:
            return (0, *_NO_LATENCIES)
        place = len(_VALUES) + 3 * [*PERCENTILES].index(latency)
        total, least, most = self._floats[place : place + 3]
        return self._totals[latency], sum(total), min(least), max(most)

    def counted(self, latency: str) -> Counter[int]:
        """Return how many latencies of a kind are in each bucket, by its code."""
        counted = Counter(numbers_in(CODES, self._part("codes", latency)))
        if rows := self._part("row", latency):
            sums = zip(_USUAL, column_sums(rows, _WIDTH), strict=True)
            counted.update({code: number for code, number in sums if number})
        return counted

    def latencies(self, latency: str) -> array[float]:
        """Return all latencies of a kind, in seconds."""
        return numbers_in("d", self._part("seconds", latency))

    def _part(self, part: _Part, latency: str) -> bytes:
        """Return what all cells have of a part."""
        begin = [_FIXED] * len(self._cells)
        for which, sizes in self._sizes.items():
            end = [*map(add, begin, sizes)]
            if which == (part, latency):
                return b"".join([cell[start:stop] for cell, start, stop in zip(self._cells, begin, end, strict=True)])
            begin = end
        return b""


def _transpose(fixed: bytes, begin: int, columns: Sequence[array[_Number]]) -> None:
    """Add to columns what the fixed parts of some cells have from a byte on."""
    numbers = numbers_in(columns[0].typecode, fixed)
    size = numbers.itemsize
    for place, column in enumerate(columns, begin // size):
        column.extend(numbers[place :: _FIXED // size])


def _sizes(numbers: Mapping[str, tuple[array[int], array[int]]]) -> dict[tuple[_Part, str], list[int]]:
    """Return how many bytes each cell has of each part, in order.

    `numbers` are, of each kind of latency, how many each cell has, and how many of these are in its row.
    """
    there = {name: pair for name, pair in numbers.items() if any(pair[0]) or any(pair[1])}
    rows: dict[tuple[_Part, str], list[int]] = {}
    codes: dict[tuple[_Part, str], list[int]] = {}
    seconds: dict[tuple[_Part, str], list[int]] = {}
    for name, (number, in_row) in there.items():
        rows["row", name] = [_WIDTH if each else 0 for each in in_row]
        codes["codes", name] = [_CODE * (each - less) for each, less in zip(number, in_row, strict=True)]
        seconds["seconds", name] = [8 * each for each in number]
    return rows | {which: sizes for which, sizes in codes.items() if any(sizes)} | seconds


def _packed(values: Mapping[str, float | None], measures: Measures) -> bytes:
    known = [values[name] for name in _VALUES]
    samples = [measures.samples.get(name, ()) for name in PERCENTILES]
    figures = [(sum(each), min(each), max(each)) if each else _NO_LATENCIES for each in samples]
    lacking = [measures[next(iter(PERCENTILES.get(name, (name,))))].missing for name in _LACKING]
    spread = [*map(_spread, samples)]
    fixed = pack(
        _FORMAT,
        *(nan if value is None else value for value in known),
        *chain.from_iterable(figures),
        *map(len, samples),
        *(len(one.seconds) - len(one.codes) for one in spread),
        *lacking,
        *(0 if value is None else code_of(bucket_of(value)) for value in known),
    )
    rows = b"".join(one.row for one in spread)
    codes = [*chain.from_iterable(one.codes for one in spread)]
    seconds = [*chain.from_iterable(one.seconds for one in spread)]
    return fixed.ljust(_FIXED, b"\0") + rows + pack(f"<{len(codes)}{CODES}{len(seconds)}d", *codes, *seconds)


class _Spread(NamedTuple):
    """The latencies of one kind: a row, or none; the codes of those that are not in it; all of them, these first."""

    row: bytes
    codes: list[int]
    seconds: Sequence[float]


def _spread(seconds: Sequence[float]) -> _Spread:
    codes = [code_of(bucket_of(each)) for each in seconds]
    if len(seconds) < _LEAST_IN_ROW:
        return _Spread(b"", codes, seconds)
    row = bytearray(_WIDTH)
    beyond: list[tuple[int, float]] = []
    usual: list[float] = []
    for code, each in zip(codes, seconds, strict=True):
        place, is_upper = divmod(code - _FIRST_IN_ROW, 2)
        if code in _USUAL and row[place] >> 4 * is_upper & LARGEST < LARGEST:
            row[place] += 1 << 4 * is_upper
            usual.append(each)
        else:
            beyond.append((code, each))
    if not usual:
        return _Spread(b"", codes, seconds)
    return _Spread(bytes(row), [code for code, _ in beyond], [*(each for _, each in beyond), *usual])
