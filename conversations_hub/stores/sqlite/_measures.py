"""A row of the table of measures: what `measure` returns, for one content of a conversation.

Each metric has a column, for whoever asks the table, and `reasons` is a JSON object of why others have no value.
Summaries of very many rows read `basis` instead, which has a letter for each metric, and `latencies`, which has all
numbers.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from itertools import chain
from math import inf, nan
from pathlib import Path
from string import ascii_uppercase, digits
from struct import calcsize, pack
from typing import Any, Final, TypeVar

import msgspec

from ..._files.lock import Lock
from ..._files.opening import own_path
from ...errors import StoreError
from ...metrics import METRICS, Basis, Measures
from ...metrics._definitions import PERCENTILES
from ...metrics._histogram import bucket_of
from ...metrics._measure import version_of
from ...metrics._summary import SUMMARIZED_REASONS, without_numbers
from ...metrics._tally import CODES, code_of
from ._connection import connect, using

__all__ = ["LETTERS", "Cells", "Told", "keep", "measures_row", "row_version", "told_of"]

_Number = TypeVar("_Number", int, float)

_LAYOUT: Final = 2
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
# sum, the minimum and the maximum; in 4 bytes, how many latencies of each kind there are, and how many lacked what is
# needed; in 2 bytes, the code of the bucket of each value in a histogram. Then come the codes of all latencies, and
# these in seconds. All are little-endian, so that the cells of very many conversations become arrays at once.
_VALUES: Final = tuple(name for name, metric in METRICS.items() if metric.kind != "percentile")
_LACKING: Final = (*PERCENTILES, "tool_failures")
_FLOATS: Final = len(_VALUES) + 3 * len(PERCENTILES)
_NUMBERS: Final = len(PERCENTILES) + len(_LACKING)
_CODED: Final = len(_VALUES)
_FORMAT: Final = f"<{_FLOATS}d{_NUMBERS}I{_CODED}{CODES}"
_FIXED: Final = -(-calcsize(_FORMAT) // 8) * 8  # bytes
_LATENCY: Final = calcsize(f"<{CODES}d")
_NO_LATENCIES: Final = (0.0, inf, -inf)


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
        with using(path), ExitStack() as held:
            path = own_path(path)
            held.callback(Lock(path).release)
            connection = connect(path, writes=True)
            held.callback(connection.close)
            connection.execute("PRAGMA trusted_schema = OFF")
            connection.execute(f"PRAGMA busy_timeout = {_LONGEST_WAIT}")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(_KEEP, [(*row, row[0], row[2]) for row in rows])
            connection.execute("COMMIT")
    except StoreError:
        return False
    return True


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
        fixed = b"".join([cell[:_FIXED] for cell in cells])
        if len(fixed) != _FIXED * len(cells):
            raise ValueError
        self._floats = _native(array("d", fixed))
        self._numbers = _native(array("I", fixed))
        self._codes = _native(array(CODES, fixed))
        begin = 2 * _FLOATS
        columns = [self._numbers[place :: _FIXED // 4] for place in range(begin, begin + _NUMBERS)]
        self._counts = dict(zip(PERCENTILES, columns, strict=False))
        self._totals = {name: sum(count) for name, count in self._counts.items()}
        if sum(map(len, cells)) != len(fixed) + _LATENCY * sum(self._totals.values()):
            raise ValueError
        self.lacking: dict[str, int] = dict(zip(_LACKING, map(sum, columns[len(PERCENTILES) :]), strict=True))
        """How many latencies, or outcomes of tools, lacked what is needed."""

    def values(self, name: str) -> tuple[array[float], array[int]]:
        """Return the value of a metric for each conversation, not a number if there is none; and their codes."""
        place = _VALUES.index(name)
        codes = 4 * _FLOATS + 2 * _NUMBERS + place
        return self._floats[place :: _FIXED // 8], self._codes[codes :: _FIXED // 2]

    def figures(self, latency: str) -> tuple[int, float, float, float]:
        """Return how many latencies of a kind there are, their sum, minimum and maximum."""
        place = len(_VALUES) + 3 * [*PERCENTILES].index(latency)
        total, least, most = (self._floats[column :: _FIXED // 8] for column in range(place, place + 3))
        return self._totals[latency], sum(total), min(least), max(most)

    def codes(self, latency: str) -> array[int]:
        """Return the codes of all latencies of a kind."""
        return _native(array(CODES, self._part(latency, 2, [_FIXED] * len(self._cells))))

    def latencies(self, latency: str) -> array[float]:
        """Return all latencies of a kind, in seconds."""
        codes = map(sum, zip(*self._counts.values(), strict=True))
        return _native(array("d", self._part(latency, 8, [_FIXED + 2 * number for number in codes])))

    def _part(self, latency: str, size: int, begin: Sequence[int]) -> bytes:
        """Return what all cells have of a kind, where that of the first kind begins, and an item has so many bytes."""
        for name, count in self._counts.items():
            if not self._totals[name]:
                continue
            end = [start + size * number for start, number in zip(begin, count, strict=True)]
            if name == latency:
                return b"".join([cell[start:stop] for cell, start, stop in zip(self._cells, begin, end, strict=True)])
            begin = end
        return b""


def _packed(values: Mapping[str, float | None], measures: Measures) -> bytes:
    known = [values[name] for name in _VALUES]
    samples = [measures.samples.get(name, ()) for name in PERCENTILES]
    figures = [(sum(each), min(each), max(each)) if each else _NO_LATENCIES for each in samples]
    lacking = [measures[next(iter(PERCENTILES.get(name, (name,))))].missing for name in _LACKING]
    fixed = pack(
        _FORMAT,
        *(nan if value is None else value for value in known),
        *chain.from_iterable(figures),
        *map(len, samples),
        *lacking,
        *(0 if value is None else code_of(bucket_of(value)) for value in known),
    )
    seconds = [*chain.from_iterable(samples)]
    codes = map(code_of, map(bucket_of, seconds))
    return fixed.ljust(_FIXED, b"\0") + pack(f"<{len(seconds)}{CODES}{len(seconds)}d", *codes, *seconds)


def _native(found: array[_Number]) -> array[_Number]:
    """Return little-endian numbers in the order of this machine."""
    if sys.byteorder == "big":
        found.byteswap()
    return found
