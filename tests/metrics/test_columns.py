"""Sums of very many columns at once: those that one gets by adding one number after the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.metrics._columns import LARGEST, column_sums


def one_by_one(rows: bytes, width: int) -> list[int]:
    numbers = [half for byte in rows for half in (byte & LARGEST, byte >> 4)]
    return [sum(numbers[column :: 2 * width]) for column in range(2 * width)]


@given(st.integers(1, 3).map(lambda half: 2 * half).flatmap(lambda width: st.tuples(st.just(width), _rows(width))))
def test_any_rows(asked: tuple[int, bytes]) -> None:
    width, rows = asked
    assert column_sums(rows, width) == one_by_one(rows, width)


def _rows(width: int) -> st.SearchStrategy[bytes]:
    return st.lists(st.binary(min_size=width, max_size=width), min_size=1, max_size=50).map(b"".join)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 255, 256, 257, 4096, 70_000])
def test_the_largest_numbers_do_not_outgrow_their_places(count: int) -> None:
    assert column_sums(b"\xff\xff" * count, 2) == [LARGEST * count] * 4


def test_no_rows() -> None:
    assert column_sums(b"", 2) == [0] * 4
