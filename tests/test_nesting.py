"""A row that is nested too deeply costs neither the rows beside it nor its account; nor do brackets that are said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub._nesting import TOO_DEEP, is_too_deep
from conversations_hub._stamp import stamp
from conversations_hub.adapter import RawPage
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.adapters.tavus import ADAPTER as TAVUS
from conversations_hub.errors import PayloadError
from conversations_hub.reading.json import Json, well_formed
from conversations_hub.schema import Analysis, Conversation
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import sync
from conversations_hub.testing import Case, walk
from conversations_hub.wire import Response

from .support import exchanges
from .support.clock import at
from .support.growth import ratio, steps
from .support.iterators import ids
from .support.server import answer
from .support.sqlite import stored
from .support.tavus_server import AFTER, Tavus, row, tavus

LISTS = [
    pytest.param(provider, case, id=f"{provider}-{name}")
    for provider in BUILTIN
    for name, case in exchanges.cases(provider).items()
    if case.operation == "list"
]
DEPTHS = [101, 975, 100_000]


def deep(depth: int) -> bytes:
    return b'{"one":[' * (depth // 2) + b'"]"' + b"]}" * (depth // 2)


def page(provider: str, case: Case, row: bytes = b"", found: bytes = b"") -> RawPage:
    """Read the first page, with what was found instead of the answer that has a row."""
    adapter = load(provider)
    answers = tuple(
        Response(one.status, one.headers, found) if row and row in one.body else one for one in case.answers
    )
    return next(walk(adapter, exchanges.account(provider), Case(case.name, answers, case.facts))).result


def is_read(listing: RawPage, row: Any) -> bool:
    try:
        return bool(listing.normalize(row).id)
    except PayloadError:
        return False


@pytest.mark.no_cover
@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("provider", "case"), LISTS)
def test_a_deep_row_costs_no_other(provider: str, case: Case, depth: int) -> None:
    rows = page(provider, case).rows
    for number, one in enumerate(rows):
        sent = bytes(one)
        body = next(answer.body for answer in case.answers if sent in answer.body)
        assert body.count(sent) == 1
        deeper = sent[:-1] + b', "unheard_of": ' + deep(depth) + b"}"
        found, was_mended = well_formed(body.replace(sent, deeper), is_list=True)
        assert was_mended
        assert found == body.replace(sent, TOO_DEEP)
        listing = page(provider, case, sent, found)
        assert len(listing.rows) == len(rows)
        assert [is_read(listing, row) for row in listing.rows] == [at != number for at in range(len(rows))]


@pytest.mark.parametrize("depth", DEPTHS)
async def test_a_deep_row_is_told_as_one_that_nobody_could_read(depth: int) -> None:
    provider = Tavus(0)
    rows = [json.dumps(row(number)).encode() for number in range(3)]
    rows[1] = rows[1][:-1] + b', "metadata": ' + deep(depth) + b"}"
    provider.special["page 1"] = answer(b'{"data": [%s], "total_count": 3}' % b", ".join(rows))
    async with tavus(provider) as (hub, _):
        walk = hub.list("tavus")
        [found] = [page async for page in walk.pages()]
    assert ids(list(found.items)) == ["c0", "c2"]
    assert [issue.place for issue in found.rejected] == ["page 1, row 1"]
    assert found.rejected[0].reason == "it is nested too deeply"
    assert not walk.report.complete


@pytest.mark.parametrize("keep_raw", [False, True])
async def test_what_is_not_kept_may_be_deep(keep_raw: bool) -> None:  # noqa: FBT001
    provider = Tavus(0)
    sent = json.dumps(row(0)).encode()[:-1] + b', "unheard_of": ' + deep(120) + b"}"
    provider.special["page 1"] = answer(b'{"data": [%s], "total_count": 1}' % sent)
    provider.special["c0"] = answer(sent)
    async with tavus(provider, keep_raw=keep_raw) as (hub, _):
        if not keep_raw:
            assert (await hub.get("tavus:c0")).raw is None
            assert [row.id async for row in hub.list("tavus")] == ["c0"]
            return
        with pytest.raises(PayloadError, match="nested too deeply"):
            await hub.get("tavus:c0")


@pytest.mark.parametrize("levels", [99, 100])
def test_a_hundred_levels_are_kept_and_no_more(levels: int) -> None:
    deep: Any = {}
    for _ in range(levels - 1):
        deep = [deep]
    bare = Conversation(provider="tavus", id="c1")
    in_metadata = msgspec.structs.replace(bare, metadata={"a": deep})
    for one in (in_metadata, msgspec.structs.replace(bare, analysis=Analysis(collected={"a": deep}))):
        if levels == 100:
            with pytest.raises(PayloadError, match="nested too deeply"):
                stamp(one, TAVUS, TAVUS.main)
        else:
            assert stamp(one, TAVUS, TAVUS.main).id == "c1"


async def test_a_deep_row_stops_no_sync(tmp_path: Path) -> None:
    provider = Tavus(0)
    rows = [json.dumps(row(number)).encode() for number in range(3)]
    rows[1] = rows[1][:-1] + b', "metadata": ' + deep(975) + b"}"
    provider.special["page 1"] = answer(b'{"data": [%s], "total_count": 3}' % b", ".join(rows))
    async with tavus(provider, ("default", "eu")) as (hub, _):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
    assert [one.error for one in report.accounts] == [None, None]
    assert [one.bad for one in report.accounts] == [1, 1]
    assert len(stored(tmp_path / "c.db")) == 4


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("is_list", [False, True])
def test_what_is_deep_and_no_row_is_refused(depth: int, is_list: bool) -> None:  # noqa: FBT001
    body = b'{"one":' * depth + b"1" + b"}" * depth
    with pytest.raises(PayloadError, match="nested too deeply"):
        well_formed(body, is_list=is_list)


def test_a_cut_list_with_a_deep_row_is_refused() -> None:
    with pytest.raises(PayloadError):
        well_formed(b'{"data": [{"a": ' + deep(5000)[:-1], is_list=True)


def test_several_deep_rows_in_several_lists_are_each_replaced() -> None:
    body = b'{"a": [[%s], {"b": %s}, 1], "c": {"d": [2, %s]}}' % ((deep(300),) * 3)
    found, _ = well_formed(body, is_list=True)
    assert found == b'{"a": [%s, %s, 1], "c": {"d": [2, %s]}}' % ((TOO_DEEP,) * 3)


def depth_of(value: Json) -> int:
    if not isinstance(value, dict | list):
        return 0
    inner = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth_of, inner), default=0)


SAID = st.text(alphabet='[]{}"\\\n a', max_size=40)
DOCUMENTS = st.recursive(
    SAID | st.none(), lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SAID, inner, max_size=4)
)


@given(DOCUMENTS, st.integers(90, 110), SAID, st.sampled_from([0, 50, 300, 70_000]))
def test_levels_are_counted_and_what_is_said_is_not(document: Json, levels: int, said: str, beside: int) -> None:
    value: Json = document
    for number in range(levels):
        value = [said, value] if number % 2 else {said: value}
    rows: list[Json] = [{} for _ in range(min(beside, 300))]
    value = [rows, "{" * beside, value]
    body = json.dumps(value).encode()
    if depth_of(value) <= 100:
        assert well_formed(body) == (body, False)
    else:
        with pytest.raises(PayloadError, match="nested too deeply"):
            well_formed(body)


def test_what_is_escaped_at_the_edge_of_a_piece_is_no_end_of_a_text() -> None:
    for before in range(16 * 1024 - 8, 16 * 1024 + 8):
        text = "x" * before + '\\\\"' + "[" * 200
        body = json.dumps([text, text, [[text]]]).encode()
        assert well_formed(body) == (body, False)


def test_very_many_brackets_that_are_said_are_no_levels() -> None:
    body = json.dumps(["[" * 5000, {"]": "{" * 5000}]).encode()
    assert well_formed(body) == (body, False)


def test_rows_are_looked_for_in_step_with_the_size() -> None:
    def work(rows: int) -> int:
        body = b"[%s]" % b",".join([deep(300)] * rows)
        return steps(lambda: well_formed(body, is_list=True))

    assert ratio(work(rows) for rows in (50, 100, 200)) < 2.5


@pytest.mark.parametrize("row", [b'{"a":1},', b"[[[[]]]],", b'"[[[[",', b'"\\\\[",', b'{"a":{"b":[1,{"c":2}]}},'])
def test_levels_are_counted_in_step_with_the_size(row: bytes) -> None:
    def counted(number: int) -> int:
        body = b"[" + (row * number)[:-1] + b"]"
        assert not is_too_deep(body)
        return steps(lambda: is_too_deep(body))

    assert ratio(map(counted, (40_000, 80_000, 160_000))) < 2.2
    assert max(map(counted, (10, 100, 500))) < 200


def test_a_text_without_end_behind_a_deep_row_is_looked_through_once() -> None:
    body = b"[" + deep(5000) + b', "' + b'\\"[' * 2**19  # once for each quote, nobody would wait for it
    with pytest.raises(PayloadError):
        well_formed(body[: 2**20], is_list=True)
