"""Add up the columns of very many rows of small numbers, many numbers at once."""

from __future__ import annotations

import sys
from array import array
from itertools import chain
from typing import Any, Final

__all__ = ["LARGEST", "column_sums", "numbers_in"]

LARGEST: Final = 15
"""The largest number in half a byte."""
_AT_ONCE: Final = 16  # rows; the sum of so many numbers fits into twice the bits
_WIDEST: Final = 16  # bits, from which on few rows are left


def column_sums(rows: bytes, width: int, bits: int = LARGEST.bit_length()) -> list[int]:
    """Return the sum of each column; a number has half a byte, and the first of a byte is its lower half.

    Args:
        rows: The rows, one after the other.
        width: The bytes of a row, an even number.
        bits: The bits of a number: 4, 8 or 16.
    """
    if bits == _WIDEST:
        numbers, columns = numbers_in("H", rows), width // 2
        return [sum(numbers[column::columns]) for column in range(columns)]
    # A long integer is a row of numbers, and adding two of them adds all their numbers, if none outgrows its place.
    size = -(-max(len(rows), 1) // (_AT_ONCE * width)) * width
    parts = [int.from_bytes(rows[begin : begin + size], "little") for begin in range(0, len(rows), size)]
    every_other = int.from_bytes(((1 << bits) - 1).to_bytes(bits // 4, "little") * (4 * size // bits), "little")
    halves = (sum(part & every_other for part in parts), sum(part >> bits & every_other for part in parts))
    sums = (column_sums(half.to_bytes(size, "little"), width, 2 * bits) for half in halves)
    return [*chain.from_iterable(zip(*sums, strict=True))]


def numbers_in(kind: str, packed: bytes) -> array[Any]:
    """Return the numbers that are packed as little-endian; `kind` is the type code of their array."""
    numbers: array[Any] = array(kind, packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
