"""Cursors: exact wherever a walk was cut, good in any process, and refused where they do not belong."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import Account, Hub, errors
from conversations_hub.adapter import Query
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.hub import Page
from conversations_hub.hub._cursor import Place, digests
from conversations_hub.signals import AttemptEnded, PageRead, Signal
from conversations_hub.testing import Simulator

from ..support.provider_facts import FIXED_PAGES
from ..support.server import Answer, Asked, answer, serving

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WHERE = "tavus/default"


def place(query: Query | None = None, *, where: str = WHERE, page: str | None = None) -> Place:
    return Place(where=where, page_size=None, filters=digests(query or Query()), page=page)


async def in_pieces(hub: Hub, where: str, limit: int, **filters: Any) -> list[str]:
    """Read a list by so many at a time, each time as another process would."""
    found: list[str] = []
    cursor: str | None = None
    while True:
        pages = [page async for page in hub.list(where, limit=limit, cursor=cursor, **filters).pages()]
        found += [conversation.id for page in pages for conversation in page.items]
        cursor = pages[-1].cursor if pages else None
        if cursor is None:
            return found


# exact


@asynccontextmanager
async def simulated(conversations: int, **options: Any) -> AsyncGenerator[Hub]:
    async with (
        Simulator(conversations=conversations) as simulator,
        Hub.from_env(environ=simulator.environment(), **options) as hub,
    ):
        yield hub


@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_list_in_pieces_is_the_list(provider: str) -> None:
    async with simulated(130) as hub:
        whole = [conversation.id async for conversation in hub.list(provider)]
        assert len(whole) == len(set(whole)) >= 130
        for limit in (30, 101):
            assert sorted(await in_pieces(hub, provider, limit)) == sorted(whole)


@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_filtered_list_in_pieces_is_the_filtered_list(provider: str) -> None:
    async with simulated(60) as hub:
        instants = sorted([c.created_at or c.started_at or NOON async for c in hub.list(provider)])
        filters: dict[str, Any] = {"since": instants[10], "until": instants[-10], "page_size": 9}
        whole = [conversation.id async for conversation in hub.list(provider, **filters)]
        assert 0 < len(whole) < 60
        assert sorted(await in_pieces(hub, provider, 7, **filters)) == sorted(whole)


@pytest.mark.parametrize("provider", sorted(set(BUILTIN) - FIXED_PAGES))
async def test_no_more_rows_are_asked_for_than_limit_needs(provider: str) -> None:
    told: list[Signal] = []
    async with simulated(130, on_signal=told.append) as hub:
        for limit, page_size, listed in ((1, None, 1), (3, None, 3), (2, 5, 5)):
            told.clear()
            _ = [c async for c in hub.list(f"{provider}:{load(provider).main}", limit=limit, page_size=page_size)]
            [read] = [signal.listed for signal in told if isinstance(signal, PageRead)]
            assert limit <= read <= listed  # fewer where the first of several lists is short


async def test_where_rows_have_to_be_looked_through_a_whole_page_is_asked_for() -> None:
    told: list[Signal] = []
    async with simulated(130, on_signal=told.append) as hub:
        _ = [c async for c in hub.list("vapi:calls", limit=1, status="ended")]
    assert [signal.listed for signal in told if isinstance(signal, PageRead)] == [100]


async def test_where_nobody_knows_how_a_list_goes_on_it_is_asked_for_whole_pages() -> None:
    told: list[Signal] = []
    async with simulated(130, on_signal=told.append) as hub:
        _ = [c async for c in hub.list("voiceable", limit=1)]
    assert [signal.listed for signal in told if isinstance(signal, PageRead)] == [100]


# a list that changes between two walks


def row(number: int) -> dict[str, Any]:
    return {
        "conversation_id": f"c{number}",
        "status": "ended",
        "created_at": (NOON + timedelta(hours=number)).isoformat(),
    }


class Counted:
    """A Tavus that lists the newest first, as far as its documentation allows to guess."""

    def __init__(self, conversations: int) -> None:
        self.rows = [row(number) for number in reversed(range(conversations))]

    def add(self, conversations: int) -> None:
        self.rows = [row(1000 + number) for number in reversed(range(conversations))] + self.rows

    def drop(self, *numbers: int) -> None:
        self.rows = [row for row in self.rows if int(str(row["conversation_id"])[1:]) not in numbers]

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        query = {name: int(value) for name, [value] in parse_qs(urlsplit(asked.target).query).items()}
        begin = (query["page"] - 1) * query["limit"]
        return answer({"data": self.rows[begin : begin + query["limit"]], "total_count": len(self.rows)})


@asynccontextmanager
async def counted(conversations: int) -> AsyncGenerator[tuple[Counted, Hub]]:
    provider = Counted(conversations)
    async with serving(provider) as server, Hub([Account("tavus", key="key", base_url=server.url)]) as hub:
        yield provider, hub


async def begun(hub: Hub, limit: int) -> str:
    """Read so many in pages of ten, and return where to go on."""
    pages = [page async for page in hub.list("tavus", limit=limit, page_size=10).pages()]
    assert sum(len(page.items) for page in pages) == limit
    assert pages[-1].cursor is not None
    return pages[-1].cursor


def numbered(*numbers: int) -> list[str]:
    return [f"c{number}" for number in numbers]


@pytest.mark.parametrize("limit", [3, 10, 13, 20, 25])
@pytest.mark.parametrize("added", [1, 5, 10, 37])
async def test_what_came_in_meanwhile_moves_nothing(limit: int, added: int) -> None:
    async with counted(40) as (provider, hub):
        cursor = await begun(hub, limit)
        provider.add(added)
        rest = [c.id async for c in hub.list("tavus", cursor=cursor)]
    assert rest == numbered(*reversed(range(40 - limit)))


@pytest.mark.parametrize("limit", [13, 20, 25, 30])
@pytest.mark.parametrize("dropped", [[39], [38, 37, 36, 35, 34], [*range(28, 40)]])
async def test_what_was_deleted_meanwhile_loses_nothing(limit: int, dropped: list[int]) -> None:
    async with counted(40) as (provider, hub):
        cursor = await begun(hub, limit)
        provider.drop(*dropped)
        rest = [c.id async for c in hub.list("tavus", cursor=cursor)]
    assert rest == numbered(*reversed(range(40 - limit)))


async def test_a_walk_goes_on_where_the_last_row_it_brought_is_gone() -> None:
    async with counted(40) as (provider, hub):
        cursor = await begun(hub, 13)
        provider.drop(27, 28)
        assert [c.id async for c in hub.list("tavus", cursor=cursor)] == numbered(*reversed(range(27)))
        provider.drop(29)  # and now all that was brought of that page
        assert [c.id async for c in hub.list("tavus", cursor=cursor)] == numbered(*reversed(range(27)))


async def test_a_row_that_was_moved_to_the_front_is_not_brought_again() -> None:
    async with counted(20) as (provider, hub):
        cursor = await begun(hub, 3)
        provider.rows.insert(0, provider.rows.pop(2))
        assert [c.id async for c in hub.list("tavus", cursor=cursor)] == numbered(*reversed(range(17)))


# a list that goes wrong


@pytest.mark.parametrize("circle", ["ab", "abc", "abcdefgh"])
async def test_a_circle_is_noticed_by_whoever_goes_on(circle: str) -> None:
    async def circling(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        number = circle.find(parse_qs(urlsplit(asked.target).query).get("cursor", ["none"])[0]) + 1
        rows = [{"conversation_id": f"c{number}", "status": "done"}]
        return answer({"conversations": rows, "next_cursor": circle[number % len(circle)], "has_more": True})

    async with serving(circling) as server, Hub([Account("elevenlabs", key="key", base_url=server.url)]) as hub:
        with pytest.raises(errors.PaginationError, match="list loops"):
            await in_pieces(hub, "elevenlabs", 1)
    assert len(server.asked) == len(circle) + 1


async def test_a_list_that_stands_still_is_noticed_by_whoever_goes_on() -> None:
    async def still(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        rows = [{"conversation_id": "c1", "status": "done"}]
        return answer({"conversations": rows, "next_cursor": f"n{asked.number}", "has_more": True})

    async with serving(still) as server, Hub([Account("elevenlabs", key="key", base_url=server.url)]) as hub:
        with pytest.raises(errors.PaginationError, match="does not advance"):
            await in_pieces(hub, "elevenlabs", 1)


async def test_rows_nobody_can_read_are_told_once() -> None:
    async with counted(10) as (provider, hub):
        provider.rows[1] = {"no": "id"}
        told: list[Page] = []
        cursor: str | None = None
        for _ in range(5):
            walk = hub.list("tavus", limit=2, page_size=5, cursor=cursor)
            told += [page async for page in walk.pages()]
            cursor = told[-1].cursor
    assert [len(page.rejected) for page in told] == [1, *[0] * (len(told) - 1)]
    assert cursor is None


# refused


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        " ",
        "2:100:100",
        "\ud800",
        "🙂",
        "\0",
        "=",
        "a" * 10_000_000,
        base64.urlsafe_b64encode(b"\x91" * 100_000).decode(),
        base64.urlsafe_b64encode(msgspec.msgpack.encode([1, WHERE])).decode(),
        str(place())[:-1],
        str(place()) + "A",
        f" {place()}",
        str(place(page="2:10")).swapcase(),
    ],
    ids=lambda cursor: ascii(cursor)[:20],
)
async def test_what_is_no_cursor_is_refused_in_words(cursor: str) -> None:
    async with Hub([Account("tavus", key="key")]) as hub:
        with pytest.raises(errors.InvalidRefError, match="the cursor is invalid or damaged: pass a page's `cursor`"):
            hub.list("tavus", cursor=cursor)


@given(st.text(st.characters(codec=None)) | st.text("ABCxyz019-_", min_size=20))
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with pytest.raises(errors.InvalidRefError):
        Place.read(text, WHERE, Query())


@pytest.mark.parametrize("changed", [{"layout": 2}, {"resource": "chats"}, {"filters": b""}, {"passed": "x"}])
def test_a_cursor_of_another_layout_is_refused(changed: Mapping[str, Any]) -> None:
    other = msgspec.structs.replace(place(), **changed)
    with pytest.raises(errors.InvalidRefError):
        Place.read(str(other), WHERE, Query())


async def test_a_cursor_of_another_account_is_refused() -> None:
    async with Hub([Account("tavus", key="key", name="eu"), Account("vapi", key="key")]) as hub:
        with pytest.raises(errors.InvalidRefError, match="does not belong to tavus/eu"):
            hub.list("tavus", cursor=str(place(where="tavus/us")))
        with pytest.raises(errors.InvalidRefError, match="does not belong to vapi/default"):
            hub.list("vapi", cursor=str(place(where="tavus/eu")))
        with pytest.raises(errors.InvalidRefError, match="name only that account"):
            hub.list(cursor=str(place(where="tavus/eu")))


@pytest.mark.parametrize(
    ("filters", "named"),
    [
        ({"since": NOON}, "since"),
        ({"until": NOON}, "until"),
        ({"status": "ended", "agent": "p1"}, "status and another agent"),
        ({"agent": "\ud800"}, "agent"),
        ({"provider_options": {"tavus": {"x": {"b", "a"}}}}, "provider_options"),
    ],
)
async def test_a_cursor_of_other_filters_is_refused_and_says_which(filters: dict[str, Any], named: str) -> None:
    async with Hub([Account("tavus", key="key")]) as hub:
        with pytest.raises(errors.InvalidRefError, match=f"with another {named}: continue with"):
            hub.list("tavus", cursor=str(place()), **filters)


def test_the_same_filters_in_other_words_are_the_same() -> None:
    here = NOON.astimezone(timezone(timedelta(hours=-8)))
    then = Query(since=NOON, options={"a": 1, "b": {"y": [2], "x": None}})
    now = Query(since=here, options={"b": {"x": None, "y": [2]}, "a": 1}, page_size=7)
    assert Place.read(str(place(then)), WHERE, now) == place(then)


async def test_a_cursor_shows_neither_filters_nor_ids_and_keeps_its_page_size() -> None:
    told: list[Signal] = []
    async with counted(30) as (_, hub):
        first = [page async for page in hub.list("tavus", page_size=10, limit=4, agent="secret-agent").pages()]
    [page] = first
    assert page.cursor is not None
    inside = base64.urlsafe_b64decode(page.cursor + "==")
    assert b"secret-agent" not in inside
    assert b"c29" not in inside
    assert len(page.cursor) < 150
    async with serving(Counted(30)) as server:
        account = Account("tavus", key="key", base_url=server.url)
        async with Hub([account], on_signal=told.append) as hub:
            rest = hub.list("tavus", cursor=page.cursor, page_size=25, limit=3, agent="secret-agent")
            assert [c.id async for c in rest] == numbered(25, 24, 23)
        assert [asked.target.partition("limit=")[2] for asked in server.asked] == ["10&page=1"]
    assert sum(isinstance(signal, AttemptEnded) for signal in told) == 1
