"""Cursors as adapters write them: read, refused, and made where a list is walked by the instant of creation."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import Account
from conversations_hub.adapter import Query
from conversations_hub.adapters import tavus
from conversations_hub.errors import InvalidRefError, PaginationError
from conversations_hub.reading.paging import Position, Stamp, advance, read_numbers, read_position, stamps_of
from conversations_hub.testing import drive
from conversations_hub.wire import Response

_stamp = msgspec.json.Decoder(Stamp)


def page(
    *rows: tuple[str | None, str | None], position: Position | None = None, full: int = 10, has_more: bool | None = None
) -> tuple[list[str | None], Position | None]:
    raw = [msgspec.Raw(json.dumps({"id": id, "created_at": at}).encode()) for id, at in rows]
    fresh, found = advance(raw, stamps_of(raw, _stamp), position or Position("", ()), full, has_more=has_more)
    return [json.loads(bytes(row))["id"] for row in fresh], found


def test_a_page_leaves_out_what_was_seen_and_says_what_will_be_seen_again() -> None:
    rows = (("a", "5"), ("b", "5"), ("c", "4"), ("d", "4"))
    assert page(*rows, position=Position("5", ("a",))) == (["b", "c", "d"], Position("4", ("c", "d")))


def test_what_was_seen_at_an_instant_adds_up_while_the_pages_stay_there() -> None:
    assert page(("b", "5"), ("a", "5"), position=Position("5", ("a",))) == (["b"], Position("5", ("a", "b")))


def test_a_row_that_does_not_say_when_is_seen() -> None:
    assert page(("a", "5"), ("b", None)) == (["a", "b"], Position("5", ("a", "b")))


def test_rows_without_an_id_are_known_again_by_their_number() -> None:
    assert page(("a", "5"), (None, "4"), (None, None)) == (["a", None, None], Position("4", ("",)))
    assert page((None, "4"), position=Position("4", ("",))) == ([], None)
    assert page((None, "4"), (None, "4"), position=Position("4", ("",))) == ([None], Position("4", ("", "")))
    assert page((None, "3"), position=Position("4", ("",))) == ([None], Position("3", ("",)))


def test_a_row_that_does_not_say_where_it_is_is_never_taken_for_another() -> None:
    assert page((None, None), position=Position("4", ("",))) == ([None], None)


def test_the_end_is_what_the_provider_says_or_a_page_that_brings_nothing_new() -> None:
    assert page(("a", "5"), has_more=False) == (["a"], None)
    assert page(("a", "5"), position=Position("5", ("a",))) == ([], None)
    assert page() == ([], None)


@pytest.mark.parametrize(("full", "has_more"), [(1, None), (10, True)])
def test_more_that_no_instant_leads_to_is_an_error(full: int, has_more: bool | None) -> None:  # noqa: FBT001
    with pytest.raises(PaginationError, match="a page of 1 leads no further"):
        page(("a", "5"), position=Position("5", ("a",)), full=full, has_more=has_more)
    with pytest.raises(PaginationError, match="do not say when"):
        page(("a", None), full=full, has_more=has_more)


def test_a_row_that_cannot_be_read_has_an_empty_stamp() -> None:
    assert stamps_of([msgspec.Raw(b"7"), msgspec.Raw(b'{"id": "a"}')], _stamp) == [Stamp(), Stamp("a")]


@given(st.text(st.characters(codec="utf-8"), min_size=1), st.lists(st.text(st.characters(codec="utf-8"))))
def test_a_place_is_read_as_it_was_written(at: str, seen: list[str]) -> None:
    position = Position(at, tuple(seen))
    assert read_position(str(position), "Acme") == position
    old = json.dumps([100, at, seen], ensure_ascii=False)
    assert read_position(old, "Acme") == position
    assert read_position(None, "Acme") == Position("", ())


@pytest.mark.parametrize(
    "cursor", ["x", "7", "[]", '["",[]]', '["a"]', '["a",[1]]', '["a",[],1]', "[" * 5000, "\ud800"]
)
def test_what_is_no_place_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRefError, match=re.escape("invalid Acme cursor: expected [instant, [id, …]] as JSON")):
        read_position(cursor, "Acme")


def test_numbers_are_read_or_refused() -> None:
    pattern = re.compile(r"([0-9]+):([0-9]+)")
    assert read_numbers("3:20", pattern, "Acme", "page:seen") == (3, 20)
    for cursor in ("", "3", "3:20:1", "٣:2", "-3:2"):
        with pytest.raises(InvalidRefError, match=re.escape("invalid Acme cursor: expected page:seen")):
            read_numbers(cursor, pattern, "Acme", "page:seen")


@pytest.mark.parametrize("cursor", ["3:200", "3:100:200"])
def test_a_cursor_of_tavus_is_a_page_and_what_was_seen_and_may_still_hold_a_page_size(cursor: str) -> None:
    rows: list[Any] = [{"conversation_id": "c1"}]
    reply = Response(200, {}, msgspec.json.encode({"data": rows, "total_count": 999}))
    driven = drive(tavus.list_page(Account("tavus", key="key"), Query(page_size=7), cursor), reply)
    assert driven.requests[0].query == {"limit": 7, "page": 3}
    assert driven.result.cursor == "4:201"


@pytest.mark.parametrize("cursor", ["3", "0:1", "-1:5", "1:x", "1:2:3:4", "٣:1", " 1:2"])
def test_another_cursor_than_tavus_s_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRefError, match="invalid Tavus cursor: expected page:rows seen"):
        drive(tavus.list_page(Account("tavus", key="key"), Query(), cursor))
