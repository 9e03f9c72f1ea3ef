"""Large JSON is worked on in segments, and nobody can tell by what comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import _nesting, _segments
from conversations_hub._segments import decoded_rows, holds_deep_segment, is_large
from conversations_hub.adapter import RawPage
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import PayloadError
from conversations_hub.reading.json import Json, decode, well_formed
from conversations_hub.schema import Issue
from conversations_hub.testing import Case, walk

from .support import exchanges

T = TypeVar("T")


@contextmanager
def segments_of(size: int, piece: int = 16) -> Generator[None]:
    """Have segments of some bytes, which are read in pieces."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_segments, "_SEGMENT", size)
        patch.setattr(_nesting, "_PIECE", piece)
        yield


def outcome(work: Callable[[], T]) -> T | tuple[str, bool]:
    """Return what comes of work, or why it failed."""
    try:
        return work()
    except PayloadError as error:
        return error.reason, error.retryable


def whole_and_in_segments(work: Callable[[], T], size: int = 16, piece: int = 4) -> tuple[Any, Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conversations_hub.reading.json._MENDABLE", 0)  # what is large is not mended
        whole = outcome(work)
        with segments_of(size, piece):
            return whole, outcome(work)


class Found(msgspec.Struct):
    rows: list[msgspec.Raw]


class Page(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    found: Found | None = None
    total: float | None = None


class Row(msgspec.Struct):
    id: int | None = None


class TypedPage(msgspec.Struct):
    data: list[Row | None] | None = None


DECODERS: list[msgspec.json.Decoder[Any]] = [
    msgspec.json.Decoder(kind)
    for kind in (Page, list[msgspec.Raw], Page | list[msgspec.Raw], TypedPage, Any, dict[str, msgspec.Raw])
]

ROWS = b", ".join(b'{"id": %d, "said": ["]}\\"[{", {"\\\\": [{}, []]}]}' % number for number in range(9))
PAGES = {
    "list": b"[%s]" % ROWS,
    "in an object": b'{"total": 9, "data": [%s]}' % ROWS,
    "in two objects": b'{"found": {"rows": [%s], "n": {"data": []}}, "total": 9}' % ROWS,
    "of lists": b"[%s]" % b",".join(b'[[%d], "[", {"a": {}}]' % number for number in range(30)),
    "two lists": b'{"data": [%s], "more": [%s], "total": 9}' % (ROWS, ROWS),
    "twice": b'{"data": [%s], "data": [%s]}' % (ROWS, ROWS),
    "something else": b'{"data": [%s], "total": "nine"}' % ROWS,
    "of texts": b'{"data": [%s]}' % b",".join([b'"[{"'] * 50),
    "no list": b'{"data": {%s}}' % b",".join(b'"%d": {"a": "]"}' % number for number in range(30)),
    "no rows": b"[%s]" % (b" " * 200),
    "with the mark": b'[%s, "the other rows", %s]' % (ROWS, ROWS),
}


@pytest.mark.parametrize("size", [1, 16, 100])
@pytest.mark.parametrize("body", PAGES.values(), ids=PAGES)
def test_a_page_is_read_as_it_is_whole(body: bytes, size: int) -> None:
    whole, in_segments = whole_and_in_segments(lambda: well_formed(body, is_list=True), size)
    assert whole == in_segments == (body, False)
    for decoder in DECODERS:
        for is_strict in (False, True):

            def read(decoder: msgspec.json.Decoder[Any] = decoder, is_strict: bool = is_strict) -> Any:  # noqa: FBT001
                issues: list[Issue] = []
                return decode(body, decoder, None if is_strict else issues), issues

            whole, in_segments = whole_and_in_segments(read, size)
            assert whole == in_segments


@pytest.mark.parametrize("name", ["list", "in an object", "in two objects", "of lists"])
def test_no_more_than_a_segment_is_worked_on_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []

    class Watched:
        def __init__(self, decoder: msgspec.json.Decoder[Any]) -> None:
            self._decoder = decoder

        def decode(self, body: bytes) -> Any:
            sizes.append(len(body))
            return self._decoder.decode(body)

    body = PAGES[name].replace(ROWS, b",".join([ROWS] * 20)).replace(b'"[", {"a": {}}', b'"%s", 1' % (b"x" * 200))
    monkeypatch.setattr(_nesting, "_any", Watched(msgspec.json.Decoder(msgspec.Raw)))
    monkeypatch.setattr(_segments, "_rows", Watched(msgspec.json.Decoder(list[msgspec.Raw])))
    with segments_of(500):
        assert is_large(body)
        assert not holds_deep_segment(body)
        decoder: Any = Watched(msgspec.json.Decoder(list[msgspec.Raw] if body[:1] == b"[" else Page))
        assert decoded_rows(body, decoder)
    assert sum(sizes) > 2 * len(body)
    assert max(sizes) < 2000


# Every way to break a short page at any place, around each place where it may be cut.
SHORT = b'{"a":[{"b":[1]}, {"b":["]"]},[{}],{} ],"c":[{},{}]}'


@pytest.mark.parametrize("size", [1, 8])
def test_what_is_no_json_whole_is_none_in_segments(size: int) -> None:
    junk = [b".5", b"e5", *(bytes([one]) for one in b'[]{},:"\\0.-e \xff')]
    broken = {
        SHORT[:at] + one + SHORT[at + skipped :] for at in range(len(SHORT)) for one in junk for skipped in (0, 1)
    }
    broken |= {SHORT[:at] for at in range(len(SHORT))} | {SHORT[:at] + SHORT[at + 1 :] for at in range(len(SHORT))}
    for body in broken:
        whole, in_segments = whole_and_in_segments(lambda body=body: well_formed(body), size)  # type: ignore[misc]
        assert whole == in_segments, body


SAID = st.text(alphabet='[]{}"\\\n a', max_size=12)
DOCUMENTS = st.recursive(
    SAID | st.none(), lambda inner: st.lists(inner, max_size=6) | st.dictionaries(SAID, inner, max_size=4)
)
BLANKS = st.sampled_from([None, 0, 1])
SIZES = st.integers(1, 60)


@given(st.lists(DOCUMENTS, max_size=12) | DOCUMENTS, BLANKS, SIZES, st.integers(1, 20), st.data())
def test_whatever_a_body_is_it_is_the_same_in_segments(
    document: Json, blanks: int | None, size: int, piece: int, data: st.DataObject
) -> None:
    body = json.dumps(document, indent=blanks).encode()
    if data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.binary(max_size=2)) + body[data.draw(st.integers(at, len(body))) :]
    whole, in_segments = whole_and_in_segments(lambda: well_formed(body, is_list=True), size, piece)
    assert whole == in_segments
    if isinstance(whole[0], bytes):
        for decoder in DECODERS:
            whole, in_segments = whole_and_in_segments(lambda: decode(body, decoder, []), size, piece)  # noqa: B023
            assert whole == in_segments


@pytest.mark.parametrize("is_list", [False, True])
@pytest.mark.parametrize("end", ["", "]", " 1"])
@pytest.mark.parametrize("around", [b'{"data": [%s]}', b'{"a": {"b": {"c": {"data": [%s]}}}, "d": [[]], "e": 1}'])
@pytest.mark.parametrize("levels", [*range(94, 103), 200, 1200])
def test_levels_are_the_same_in_segments(levels: int, around: bytes, end: str, is_list: bool) -> None:  # noqa: FBT001
    deep = b'{"a":[' * (levels // 2) + b"[]" * (levels % 2) + b"]}" * (levels // 2)
    rows = [b'{"a": [1, "[[["]}'] * 8
    most = 100 - around.partition(b"%s")[0].count(b"{") - 1
    for at in (0, 8):
        body = around % b",".join([*rows[:at], deep, *rows[at:]]) + end.encode()
        for size in (8, 100, 400):
            whole, in_segments = whole_and_in_segments(lambda: well_formed(body, is_list=is_list), size)  # noqa: B023
            assert whole == in_segments
            assert (whole == (body, False)) == (levels <= most and not end)


@pytest.mark.parametrize("levels", [*range(194, 214)])
@pytest.mark.parametrize("rows", [40, 60, 80])
def test_after_a_row_that_is_far_too_deep_nothing_is_cut(levels: int, rows: int) -> None:
    deep = b'{"a":[' * (levels // 2) + b"[]" * (levels % 2) + b"]}" * (levels // 2)
    within = b",".join([deep, *[b'{"a": [1, "[[["]}'] * rows])
    body = b'{"a": {"b": {"c": {"data": [%s]}}}, "d": [%s0]}' % (within, b"[], " * 2500)
    whole, in_segments = whole_and_in_segments(lambda: well_formed(body), 2000)
    assert whole == in_segments == ("the response is nested too deeply", False)


LISTS = [
    pytest.param(provider, case, id=f"{provider}-{name}")
    for provider in BUILTIN
    for name, case in exchanges.cases(provider).items()
    if case.operation == "list"
]


@pytest.mark.parametrize(("provider", "case"), LISTS)
def test_every_provider_s_pages_are_the_same_in_segments(
    provider: str, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def listed() -> tuple[list[bytes], object]:
        found: RawPage = next(walk(load(provider), exchanges.account(provider), case)).result
        return [bytes(row) for row in found.rows], found.cursor

    def undecoded(_body: bytes, _decoder: object) -> None:
        pass

    monkeypatch.setattr("conversations_hub.testing._flows.decoded_body", undecoded)
    whole, in_segments = whole_and_in_segments(listed, 64, 16)
    assert whole == in_segments
