"""A row of the table of measures: what `measure` returns, for one content of a conversation.

Each metric has a column, for whoever asks the table, and `reasons` is a JSON object of why others have no value.
Summaries of very many rows read `basis` instead, which has a letter for each metric, and `latencies`, which has all
numbers.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from functools import lru_cache
from math import nan
from pathlib import Path
from string import ascii_uppercase, digits
from struct import calcsize, pack
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from ..._files.lock import Lock
from ..._files.opening import own_path
from ...errors import StoreError
from ...metrics import METRICS, VERSION, Basis, Measures
from ...metrics._definitions import PERCENTILES
from ...metrics._histogram import bucket_of
from ...metrics._summary import SUMMARIZED_REASONS, without_numbers
from ...metrics._tally import ABSENT
from ._connection import connect, using

__all__ = ["FRESH", "LETTERS", "Packed", "Told", "keep", "measures_row", "told_of", "unpacked"]

_Number = TypeVar("_Number", int, float)

FRESH: Final = f"measures.version = {VERSION} AND measures.content_print = remembered.content_print"
"""The condition that a row is of the content that is stored, and of today's definitions."""

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

# A cell of `latencies` has, of each metric but percentiles, the value in 8 bytes; not a number if there is none. Then
# in 4 bytes the bucket of each value in a histogram, how many latencies of each kind there are, and how many lacked
# what is needed. Then all latencies in seconds, each with its bucket, in 8 bytes. They are little-endian, so that the
# cells of very many conversations become arrays at once.
_VALUES: Final = tuple(name for name, metric in METRICS.items() if metric.kind != "percentile")
_LACKING: Final = (*PERCENTILES, "tool_failures")
_FLOATS: Final = len(_VALUES)
_INTEGERS: Final = len(_VALUES) + len(PERCENTILES) + len(_LACKING)
_PADDING: Final = _INTEGERS % 2
_FIXED: Final = calcsize(f"<{_FLOATS}d{_INTEGERS + _PADDING}i")  # bytes
_LATENCY: Final = calcsize("<dq")


class Told(msgspec.Struct, frozen=True):
    """Of each metric, where its value comes from, or why it has none."""

    bases: dict[str, Basis]
    missing: dict[str, str]


class Packed(NamedTuple):
    """What the cells of many conversations say."""

    values: dict[str, tuple[Sequence[float], Sequence[int]]]
    """Values and their buckets: of a metric one for each conversation, of a latency all that there are."""
    lacking: dict[str, int]
    """How many latencies, or outcomes of tools, lacked what is needed."""


def measures_row(key: int, content: object, measures: Measures) -> tuple[Any, ...]:
    """Return the columns of a row, in the order in which `keep` takes them; `content` is a fingerprint."""
    values = {name: None if one.value is None else float(one.value) for name, one in measures.items()}
    reasons = {name: without_numbers(one.reason) for name, one in measures.items() if one.reason is not None}
    basis = "".join([LETTERS[one.basis or reasons[name]] for name, one in measures.items()])
    cell = _packed(values, measures)
    return (key, VERSION, content, *values.values(), basis, msgspec.json.encode(reasons).decode(), cell)


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


def unpacked(cells: Sequence[bytes], wanted: Collection[str]) -> Packed:
    """Return what is in the cells of some metrics and latencies; raise one of `UNREADABLE` if it is not ours."""
    fixed = b"".join([cell[:_FIXED] for cell in cells])
    if len(fixed) != _FIXED * len(cells):
        raise ValueError
    floats, integers = _native(array("d", fixed)), _native(array("i", fixed))
    every = _FIXED // 4
    columns = [integers[place::every] for place in range(2 * _FLOATS, every - _PADDING)]
    values: dict[str, tuple[Sequence[float], Sequence[int]]] = {
        name: (floats[place :: every // 2].tolist(), columns[place])
        for place, name in enumerate(_VALUES)
        if name in wanted
    }
    counts = dict(zip(PERCENTILES, columns[_FLOATS:], strict=False))
    if sum(map(len, cells)) != len(fixed) + _LATENCY * sum(map(sum, counts.values())):
        raise ValueError
    begin = [_FIXED] * len(cells)
    left = {*wanted} & counts.keys()
    for name, count in counts.items():
        if not left:
            break
        end = [start + _LATENCY * number for start, number in zip(begin, count, strict=True)]
        if name in left:
            left.remove(name)
            pairs = b"".join([cell[start:stop] for cell, start, stop in zip(cells, begin, end, strict=True)])
            values[name] = _native(array("d", pairs))[0::2].tolist(), _native(array("q", pairs))[1::2]
        begin = end
    lacking = zip(_LACKING, map(sum, columns[-len(_LACKING) :]), strict=True)
    return Packed(values, dict(lacking))


def _packed(values: Mapping[str, float | None], measures: Measures) -> bytes:
    known = [values[name] for name in _VALUES]
    samples = [measures.samples.get(name, ()) for name in PERCENTILES]
    lacking = [measures[next(iter(PERCENTILES.get(name, (name,))))].missing for name in _LACKING]
    buckets = [ABSENT if value is None else bucket_of(value) for value in known]
    pairs = [number for each in samples for second in each for number in (second, bucket_of(second))]
    return pack(
        f"<{_FLOATS}d{_INTEGERS}i{4 * _PADDING}x{'dq' * (len(pairs) // 2)}",
        *(nan if value is None else value for value in known),
        *buckets,
        *map(len, samples),
        *lacking,
        *pairs,
    )


def _native(found: array[_Number]) -> array[_Number]:
    """Return little-endian numbers in the order of this machine."""
    if sys.byteorder == "big":
        found.byteswap()
    return found
