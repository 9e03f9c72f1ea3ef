"""Lists of many agents behind one cursor: each conversation once, whatever happens to the agents meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub.adapter import RawPage
from conversations_hub.errors import InvalidRefError, NotFoundError
from conversations_hub.reading.parents import list_each
from conversations_hub.schema import Conversation
from conversations_hub.testing import drive
from conversations_hub.wire import Flow

Agents = dict[str, list[int]]


def _read(row: msgspec.Raw) -> Conversation:
    return Conversation(provider="acme", id=bytes(row).decode())


def page_of(agents: Agents, cursor: str | None, size: int = 2) -> RawPage:
    """Return a page."""

    def parents() -> Flow[Sequence[str]]:
        return [*agents]
        yield

    def list_page(agent: str, at: str | None) -> Flow[RawPage]:
        if agent not in agents:
            raise NotFoundError("no such agent")
        begin = int(at or 0)
        rows = [msgspec.Raw(str(one).encode()) for one in agents[agent][begin : begin + size]]
        more = begin + size < len(agents[agent])
        return RawPage(rows=rows, normalize=_read, cursor=str(begin + size) if more else None)
        yield

    return drive(list_each(cursor, "acme", parents, list_page, RawPage(rows=(), normalize=_read))).result


def walked(agents: Agents, *meanwhile: Agents) -> list[str]:
    """Return the ids of a walk, in which the agents change after each page."""
    found: list[str] = []
    cursor = None
    left = iter(meanwhile)
    while True:
        page = page_of(agents, cursor)
        found += [page.normalize(row).id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return found
        agents = next(left, agents)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 5), max_size=6))
def test_every_agent_s_conversations_come_once(counts: dict[str, int]) -> None:
    agents: Agents = {}
    for name, count in counts.items():
        begin = sum(map(len, agents.values()))
        agents[name] = [*range(begin, begin + count)]
    assert walked(agents) == [str(one) for name in sorted(agents) for one in agents[name]]


def test_an_agent_that_comes_later_is_walked_and_one_that_went_has_no_rows() -> None:
    before: Agents = {"b": [1, 2, 3], "d": [4]}
    assert walked(before, {"a": [9], **before, "c": [5]}) == ["1", "2", "3", "5", "4"]
    assert walked(before, {"d": [4]}) == ["1", "2", "4"]
    assert walked({}) == []


def test_parents_without_rows_make_no_pages() -> None:
    quiet: Agents = {f"a{number:03}": [] for number in range(100)}

    page = page_of({**quiet, "b": [1]}, None)

    assert ([bytes(row) for row in page.rows], page.cursor) == ([b"1"], None)
    assert page_of(quiet, None).cursor is None


@pytest.mark.parametrize("cursor", ["", "7", "[]", '["a", 7]', '{"parent": "a"}', '["a", "2", 3]'])
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRefError, match="invalid acme cursor"):
        page_of({"a": [1]}, cursor)
