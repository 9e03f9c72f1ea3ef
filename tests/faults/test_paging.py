"""Paging: F084 to F100."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub._concurrency import TaskPool
from conversations_hub.adapter import Query, RawPage
from conversations_hub.adapters.tavus import normalize
from conversations_hub.errors import HubError, PaginationError
from conversations_hub.hub._list_options import ListOptions
from conversations_hub.hub._reader import Lists, ResourceReader
from conversations_hub.hub._walk import Walk
from conversations_hub.reading.json import decode
from conversations_hub.wire import Flow, Request

from ..support.iterators import ids, until_it_fails
from ..support.server import Answer, Asked, Handler, Scripted, answer, serving
from ..support.tavus_server import START, Tavus, row
from .conftest import CANARY, Fault


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    next: str | None = None


_page = msgspec.json.Decoder(_Page)


def _linked(_account: Account, _query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page that says under which path or URL the next one is found."""
    reply = yield Request("GET", cursor or "/things")
    page = decode(reply.body, _page)
    return RawPage(rows=page.data, normalize=normalize, cursor=page.next)


async def _walk(fault: Fault, server: Scripted) -> Walk:
    lane = await fault.lane(server.url)
    lane.adapter = msgspec.structs.replace(lane.adapter, list_page=_linked)
    return Walk(
        [Lists("anyreach/default", (ResourceReader(lane, lane.adapter, "conversations", keep_raw=False),))],
        ListOptions(query=Query()),
        TaskPool(),
    )


async def _ended(fault: Fault, found: AsyncIterable[Conversation]) -> tuple[list[str], HubError]:
    """Return the ids of what came before a walk failed, and the error, which must be one of ours."""
    brought, error = await until_it_fails(found)
    assert isinstance(error, HubError)
    fault.errors.append(error)
    return ids(brought), error


def _leading(*places: str | None) -> Handler:
    """Answer each request with a new row, and with the next of these places; the last one for ever."""

    async def lead(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        place = places[min(asked.number, len(places) - 1)]
        return answer({"data": [row(asked.number)], "next": place})

    return lead


@pytest.mark.parametrize(
    ("places", "requests"),
    [
        pytest.param(["/things?c=a"], 2, id="f084 the same for ever"),
        pytest.param(["/things?c=a", "/things?c=b", "/things?c=a"], 3, id="f085 a, b, a"),
    ],
)
async def test_f084_f085_a_circle_is_left_where_it_closes(fault: Fault, places: list[str], requests: int) -> None:
    async with serving(_leading(*places)) as server:
        walk = await _walk(fault, server)
        found, error = await _ended(fault, walk)
        assert len(server.asked) == requests
    assert isinstance(error, PaginationError)
    assert found == [f"c{number}" for number in range(requests)]
    assert not walk.report.complete


async def test_f086_an_empty_page_with_a_cursor_is_followed(fault: Fault) -> None:
    empty = answer({"data": [], "next": "/things?c=a"})
    async with serving(empty, answer({"data": [row(1)]})) as server:
        walk = await _walk(fault, server)
        assert ids([c async for c in walk]) == ["c1"]
        assert [asked.target for asked in server.asked] == ["/things", "/things?c=a"]
    assert walk.report.complete


def _voiceable(id: str, **told: Any) -> dict[str, Any]:
    return {"data": {"items": [{"id": id}], **told}}


@pytest.mark.parametrize(
    ("told", "follows"),
    [
        ({"next_cursor": ""}, None),
        ({"next_cursor": None}, None),
        ({}, None),
        ({"next_cursor": 0}, "0"),
        ({"next_cursor": "0"}, "0"),
        ({"next_cursor": 0, "has_more": True}, "0"),
        ({"next_cursor": "", "has_more": False}, None),
    ],
)
async def test_f087_only_a_cursor_that_is_there_is_followed(
    fault: Fault, told: dict[str, Any], follows: str | None
) -> None:
    first, last = answer(_voiceable("v0", **told)), answer(_voiceable("v1"))
    async with (
        serving(first, last) as server,
        Hub([Account("voiceable", key=CANARY, base_url=server.url)], clock=fault.time.clock) as hub,
    ):
        walk = hub.list("voiceable")
        assert ids([c async for c in walk]) == (["v0", "v1"] if follows else ["v0"])
        assert len(server.asked) == (2 if follows else 1)
        assert all(f"cursor={follows}" in asked.target for asked in server.asked[1:])
    assert walk.report.complete


@pytest.mark.parametrize("told", [{}, {"next_cursor": ""}, {"next_cursor": None}])
async def test_f087_more_without_a_cursor_is_no_silent_end(fault: Fault, told: dict[str, Any]) -> None:
    async with (
        serving(answer(_voiceable("v0", has_more=True, **told))) as server,
        Hub([Account("voiceable", key=CANARY, base_url=server.url)], clock=fault.time.clock) as hub,
    ):
        walk = hub.list("voiceable")
        _, error = await _ended(fault, walk)
        assert len(server.asked) == 1
    assert isinstance(error, PaginationError)
    assert not walk.report.complete


async def test_f088_empty_pages_without_end_are_given_up_at_the_twentieth(fault: Fault) -> None:
    async def hollow(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        return answer({"data": [], "next": f"/things?c={asked.number}"})

    async with serving(hollow) as server:
        found, error = await _ended(fault, await _walk(fault, server))
        assert len(server.asked) == 20
    assert isinstance(error, PaginationError)
    assert found == []


SIGNED = "/things?after=a%2Fb%7Ec+d%20e%2fF~g&sig=AbC%2B%2f%3D%3D&empty=&b=2&a=1"


@pytest.mark.parametrize("is_whole", [False, True], ids=["a path", "a URL"])
async def test_f092_a_signed_link_is_sent_byte_for_byte(fault: Fault, *, is_whole: bool) -> None:
    async def lead(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        origin = f"http://{asked.headers['host']}" if is_whole else ""
        return answer({"data": [row(asked.number)], "next": None if asked.number else origin + SIGNED})

    async with serving(lead) as server:
        assert ids([c async for c in await _walk(fault, server)]) == ["c0", "c1"]
        assert [asked.target for asked in server.asked] == ["/things", SIGNED]
        assert server.asked[1].headers["x-api-key"] == CANARY


@pytest.mark.parametrize(
    "place",
    [
        "http://{other}/things?c=a",
        "http://localhost:{port}/things?c=a",
        "https://127.0.0.1:{port}/things?c=a",
        "http://127.0.0.1/things?c=a",
        "http://user:word@127.0.0.1:{port}/things?c=a",
        "http://127.0.0.1:{port}@{other}/things?c=a",
        "http://{other}\\@127.0.0.1:{port}/things?c=a",
        "file:///etc/hostname",
        "things?c=a",
    ],
)
async def test_f093_a_link_that_leads_elsewhere_is_not_followed(fault: Fault, place: str) -> None:
    async with serving(answer({"data": []})) as elsewhere:
        other = elsewhere.url.removeprefix("http://")

        async def lead(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
            port = asked.headers["host"].rpartition(":")[2]
            return answer({"data": [row(asked.number)], "next": place.format(other=other, port=port)})

        async with serving(lead) as server:
            found, error = await _ended(fault, await _walk(fault, server))
            assert len(server.asked) == 1
        assert (elsewhere.asked, elsewhere.connections) == ([], 0)
    assert isinstance(error, PaginationError)
    assert found == ["c0"]


async def test_f096_an_id_is_one_account_s_own(fault: Fault) -> None:
    async with (
        serving(answer({"data": [row(1)], "total_count": 1})) as tavus,
        serving(answer(_voiceable("c1"))) as voiceable,
        Hub(
            [
                Account("tavus", key=CANARY, base_url=tavus.url, name="eu"),
                Account("tavus", key=CANARY, base_url=tavus.url, name="us"),
                Account("voiceable", key=CANARY, base_url=voiceable.url),
            ],
            clock=fault.time.clock,
        ) as hub,
    ):
        walk = hub.list()
        found = sorted([c.ref async for c in walk])
    assert found == ["tavus/eu:c1", "tavus/us:c1", "voiceable:c1"]
    assert [account.duplicates for account in walk.report.accounts] == [0, 0, 0]


async def test_f098_a_limit_costs_no_page_more_than_it_needs(fault: Fault) -> None:
    async with serving(Tavus(100)) as server:
        hub = await fault.hub(server.url)
        found = ids([c async for c in hub.list("tavus", page_size=10, limit=25)])
        assert len(server.asked) == fault.wire_requests == 3
    assert found == [f"c{number}" for number in range(25)]


async def test_f099_a_list_newest_first_ends_by_its_order_though_the_filter_is_ignored(fault: Fault) -> None:
    rows = [{"id": f"a{age}", "created_at": (START - timedelta(minutes=age)).isoformat()} for age in range(100)]

    async def ignoring(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        return answer(rows[asked.number * 10 : asked.number * 10 + 10])

    async with serving(ignoring) as server:
        account = Account("anyreach", key=CANARY, base_url=server.url, settings={"org_id": "org_1"})
        async with Hub([account], clock=fault.time.clock) as hub:
            walk = hub.list("anyreach", page_size=10, since=START - timedelta(minutes=14))
            assert [c.id async for c in walk] == [f"a{age}" for age in range(15)]
        assert len(server.asked) == 2
    [report] = walk.report.accounts
    assert (report.filtered, report.complete) == (5, True)


async def test_f063_a_slow_reader_of_several_accounts_is_at_most_a_page_behind_each(fault: Fault) -> None:
    async with serving(Tavus(500)) as one, serving(Tavus(500)) as other:
        hub = await fault.hub(one.url, other.url)
        walk = hub.list("tavus", page_size=10)
        for found in (walk.pages(), aiter(walk)):
            one.asked.clear()
            other.asked.clear()
            await anext(found)
            for _turn in range(500):
                await asyncio.sleep(0)
            assert max(len(one.asked), len(other.asked)) <= 2
            await found.aclose()
