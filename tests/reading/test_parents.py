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


def page_of(agents: Agents, cursor: str | None, size: int = 2, asked: list[str] | None = None) -> RawPage:
    """Return a page, and note in `asked` what was requested for it."""
    noted = [] if asked is None else asked

    def parents() -> Flow[Sequence[str]]:
        noted.append("agents")
        return [*agents]
        yield

    def list_page(agent: str, at: str | None) -> Flow[RawPage]:
        noted.append("rows")
        if agent not in agents:
            raise NotFoundError("no such agent")
        begin = int(at or 0)
        rows = [msgspec.Raw(str(one).encode()) for one in agents[agent][begin : begin + size]]
        more = begin + size < len(agents[agent])
        return RawPage(rows=rows, normalize=_read, cursor=str(begin + size) if more else None)
        yield

    return drive(list_each(cursor, "acme", parents, list_page, RawPage(rows=(), normalize=_read))).result


def walked(agents: Agents, *meanwhile: Agents, asked: list[str] | None = None) -> list[str]:
    """Return the ids of a walk, in which the agents change after each page."""
    found: list[str] = []
    cursor = None
    left = iter(meanwhile)
    while True:
        page = page_of(agents, cursor, asked=asked)
        found += [page.normalize(row).id for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return found
        assert len(cursor) < 2000
        agents = next(left, agents)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), st.integers(0, 5), max_size=6))
def test_every_agent_s_conversations_come_once(counts: dict[str, int]) -> None:
    agents: Agents = {}
    for name, count in counts.items():
        begin = sum(map(len, agents.values()))
        agents[name] = [*range(begin, begin + count)]
    assert walked(agents) == [str(one) for name in sorted(agents) for one in agents[name]]


def test_an_agent_that_came_meanwhile_waits_for_the_next_walk_and_one_that_went_has_no_rows() -> None:
    before: Agents = {"b": [1, 2, 3], "d": [4]}
    assert walked(before, {"a": [9], **before, "c": [5], "e": [6]}) == ["1", "2", "3", "4"]
    assert walked(before, {"d": [4]}) == ["1", "2", "4"]
    assert walked({}) == []


def test_the_agents_are_asked_for_once_for_many_of_them() -> None:
    few: Agents = {f"agent-{number:02}": [number] for number in range(20)}
    many: Agents = {f"{number:036}": [number] if number % 3 else [] for number in range(200)}
    for agents, most in ((few, 1), (many, 8)):
        asked: list[str] = []
        assert len(walked(agents, asked=asked)) == sum(map(len, agents.values()))
        assert asked.count("rows") == len(agents)
        assert asked.count("agents") <= most


def test_a_cursor_of_an_earlier_version_asks_for_the_agents_again() -> None:
    asked: list[str] = []
    page = page_of({"a": [1], "b": [2, 3]}, '["a",null]', asked=asked)
    assert [bytes(row) for row in page.rows] == [b"1"]
    assert asked == ["rows", "agents"]
    assert page.cursor is not None
    assert [bytes(row) for row in page_of({"b": [2, 3]}, page.cursor).rows] == [b"2", b"3"]


def test_parents_without_rows_make_no_pages() -> None:
    quiet: Agents = {f"a{number:03}": [] for number in range(100)}

    page = page_of({**quiet, "b": [1]}, None)

    assert ([bytes(row) for row in page.rows], page.cursor) == ([b"1"], None)
    assert page_of(quiet, None).cursor is None


@pytest.mark.parametrize("cursor", ["", "7", "[]", '["a", 7]', '{"parent": "a"}', '["a", "2", 3]'])
def test_a_cursor_of_somebody_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRefError, match="invalid acme cursor"):
        page_of({"a": [1]}, cursor)
