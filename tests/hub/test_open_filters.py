"""A filter that a list row leaves open is answered by the details, where they are wanted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from conversations_hub import Hub
from conversations_hub.hub import AccountReport

from ..support.clock import NOW
from ..support.iterators import collected
from ..support.server import answer
from ..support.simulated import simulated
from ..support.tavus_server import START, Tavus, details, row, tavus


def undated(*numbers: int) -> Tavus:
    """Return a Tavus of ten conversations, some of which have no dates in the list."""
    provider = Tavus(10)
    for number in numbers:
        provider.rows[number] = row(number, created_at="")
    return provider


INSIDE: Mapping[str, Any] = {"since": START + timedelta(minutes=3), "until": START + timedelta(minutes=8)}


async def walked(hub: Hub, **options: Any) -> tuple[list[str], AccountReport]:
    walk = hub.list("tavus", **options)
    found = [one.id async for one in walk]
    return found, walk.report.accounts[0]


async def test_a_row_without_an_instant_lies_where_its_details_say() -> None:
    async with tavus(undated(1, 5, 9)) as (hub, server):
        found, report = await walked(hub, transcripts=True, **INSIDE)
    assert found == ["c3", "c4", "c5", "c6", "c7"]
    assert (report.delivered, report.filtered, report.outside) == (5, 3, 2)
    assert "2 not matching by their details" in str(report)
    assert report.complete
    assert len(server.asked) == 1 + 5 + 2, "each is asked for once"


async def test_where_no_details_are_wanted_it_lies_in_every_span() -> None:
    async with tavus(undated(1, 5, 9)) as (hub, server):
        found, report = await walked(hub, **INSIDE)
    assert found == ["c1", "c3", "c4", "c5", "c6", "c7", "c9"]
    assert (report.filtered, report.outside) == (3, 0)
    assert len(server.asked) == 1


async def test_what_even_its_details_leave_open_is_delivered() -> None:
    provider = undated(1, 9)
    provider.special["c1"] = answer(details(1, created_at=""))
    provider.special["c9"] = answer({"message": "bad gateway"}, 501)
    async with tavus(provider) as (hub, _):
        found, report = await walked(hub, transcripts=True, **INSIDE)
    assert found == ["c1", "c3", "c4", "c5", "c6", "c7", "c9"]
    assert (report.not_loaded, report.outside) == (1, 0)


@pytest.mark.parametrize("limit", [1, 2, 4])
async def test_a_limit_counts_what_lies_inside_and_its_cursor_goes_on_there(limit: int) -> None:
    async with tavus(undated(1, 2, 4)) as (hub, _):
        found: list[list[str]] = []
        cursor: str | None = None
        while True:
            pages = [
                page async for page in hub.list("tavus", transcripts=True, limit=limit, cursor=cursor, **INSIDE).pages()
            ]
            items = [one.id for page in pages for one in page.items]
            found.append(items)
            cursor = pages[-1].cursor
            if cursor is None:
                break
    assert [id for items in found for id in items] == ["c3", "c4", "c5", "c6", "c7"]
    assert all(len(items) == limit for items in found[:-1])


async def test_a_page_is_judged_no_further_than_the_limit_takes() -> None:
    provider = Tavus(90)
    provider.rows = [row(number, created_at="") for number in range(90)]
    async with tavus(provider) as (hub, server):
        found, report = await walked(hub, transcripts=True, limit=1, since=START)
    assert found == ["c0"]
    assert not report.reached_end
    assert len(server.asked) < 45


async def test_a_second_iteration_judges_anew() -> None:
    provider = undated(5)
    async with tavus(provider) as (hub, server):
        walk = hub.list("tavus", transcripts=True, **INSIDE)
        first = [(one.id, one.text) async for one in walk]
        provider.rows[5] = row(5)
        server.asked.clear()
        second = [(one.id, one.text) async for one in walk]
    assert first == second
    assert len(server.asked) == 1 + 5


@pytest.mark.no_cover
@pytest.mark.parametrize("options", [{}, {"limit": 1000}], ids=["all", "newest"])
async def test_every_span_holds_what_the_details_say(options: Mapping[str, Any]) -> None:
    since, until = NOW - timedelta(days=30), NOW - timedelta(days=2)
    async with simulated("tavus", "retell", "voiceable", conversations=200) as (hub, _):
        walk = hub.list(since=since, until=until, transcripts=True, **options)
        found = [one async for one in walk]
        outside = {report.where: report.outside for report in walk.report.accounts}
        listed = {one.ref async for one in hub.list(since=since, until=until)}
    instants = [one.created_at or one.started_at for one in found]
    assert all(since <= at < until for at in instants if at)
    assert len(found) == len(listed) - sum(outside.values())
    assert outside == {"tavus/default": 2, "retell/default": 0, "voiceable/default": 0}


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", ["chatwoot", "intercom"])
async def test_an_agent_that_only_the_details_name_is_found(provider: str) -> None:
    async with simulated(provider) as (hub, _):
        everything = await collected(hub, provider, transcripts=True)
        agents = {one.agent.id for one in everything if one.agent and one.agent.id}
        [agent, *others] = sorted(agents)
        walk = hub.list(provider, agent=agent, transcripts=True)
        found = [one async for one in walk]
    assert others
    assert {one.agent.id for one in found if one.agent} == {agent}
    assert [one.id for one in found] == [one.id for one in everything if one.agent is None or one.agent.id == agent]
    [report] = walk.report.accounts
    assert report.outside > 0
