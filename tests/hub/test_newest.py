"""A limit over several accounts: the newest of all, read no further than that takes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations_hub import Account, Hub, errors
from conversations_hub.hub import Page
from conversations_hub.testing import Simulator

from ..support.iterators import until_it_fails
from ..support.server import Answer, Asked, Scripted, answer, serving

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def instant(minute: int) -> str:
    return (NOON + timedelta(minutes=minute)).isoformat()


class Vapi:
    """A Vapi with a call at each of some minutes, or one that does not say when; it answers `after` something."""

    def __init__(self, name: str, *minutes: int | None, after: asyncio.Event | None = None) -> None:
        self.rows: list[dict[str, Any]] = [
            {"id": f"{name}{number}" if minute is None else f"{name}{minute}", "createdAt": minute and instant(minute)}
            for number, minute in enumerate(minutes)
        ]
        self._after = after

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if self._after:
            await self._after.wait()
        query = {name: value for name, [value] in parse_qs(urlsplit(asked.target).query).items()}
        until = datetime.fromisoformat(query["createdAtLe"]) if "createdAtLe" in query else None
        rows = [row for row in self.rows if not (until and row["createdAt"]) or _at(row) <= until]
        return answer(rows[: int(query["limit"])])


def _at(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["createdAt"])


@asynccontextmanager
async def hub_of(
    *providers: Callable[..., Any], provider: str = "vapi", **options: Any
) -> AsyncGenerator[tuple[Hub, list[Scripted]]]:
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(serving(each)) for each in providers]
        accounts = [
            Account(provider, key="key", name=name, base_url=server.url)
            for name, server in zip("abcdefgh", servers, strict=False)
        ]
        yield await stack.enter_async_context(Hub(accounts, **options)), servers


async def ids(walk: Any) -> list[str]:
    return [conversation.id async for conversation in walk]


async def test_the_newest_of_all_come_whoever_answers_first() -> None:
    others = asyncio.Event()

    async def last(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        others.set()
        return answer([])

    async with hub_of(Vapi("a", 90, 60, 30, after=others), Vapi("b", 80, 70, 20), last) as (hub, servers):
        walk = hub.list("vapi:calls", limit=5)
        assert await ids(walk) == ["a90", "b80", "b70", "a60", "a30"]
        assert [len(server.asked) for server in servers] == [1, 1, 1]
    assert [account.complete for account in walk.report.accounts] == [False, False, True]


async def test_no_list_is_read_further_than_it_takes() -> None:
    async with hub_of(Vapi("a", *range(200, 100, -1)), Vapi("b", *range(50, 0, -1))) as (hub, servers):
        assert await ids(hub.list("vapi:calls", limit=35, page_size=10)) == [
            f"a{minute}" for minute in range(200, 165, -1)
        ]
        assert [len(server.asked) for server in servers] == [4, 1]


async def test_rows_without_an_instant_come_last() -> None:
    async with hub_of(Vapi("a", 90, None, 60), Vapi("b", 80, None, 50), Vapi("c", None, None)) as (hub, _):
        assert await ids(hub.list("vapi:calls", limit=4)) == ["a90", "b80", "a60", "b50"]
        assert await ids(hub.list("vapi:calls", limit=9)) == ["a90", "b80", "a60", "b50", "a1", "b1", "c0", "c1"]


async def test_without_a_limit_nothing_waits_for_the_slowest() -> None:
    others = asyncio.Event()
    async with hub_of(Vapi("a", 90, after=others), Vapi("b", 80)) as (hub, _):
        found: list[str] = []
        async for conversation in hub.list("vapi:calls"):
            found.append(conversation.id)
            others.set()
        assert found == ["b80", "a90"]


@settings(max_examples=30, deadline=None)
@given(
    lists=st.lists(st.lists(st.integers(1, 300), max_size=25, unique=True), min_size=2, max_size=4),
    limit=st.integers(1, 60),
    page_size=st.none() | st.integers(1, 12),
)
async def test_what_comes_is_what_sorting_all_would_bring(
    lists: list[list[int]], limit: int, page_size: int | None
) -> None:
    lists = [sorted(each, reverse=True) for each in lists]
    wanted = [
        f"{name}{minute}"
        for minute, name in sorted(
            ((minute, name) for name, each in zip("abcd", lists, strict=False) for minute in each),
            key=lambda pair: (-pair[0], pair[1]),
        )
    ]
    async with hub_of(*(Vapi(name, *each) for name, each in zip("abcd", lists, strict=False))) as (hub, _):
        assert await ids(hub.list("vapi:calls", limit=limit, page_size=page_size)) == wanted[:limit]
        pages = [page async for page in hub.list("vapi:calls", limit=limit, page_size=page_size).pages()]
        found = [conversation.id for page in pages for conversation in page.items]
        assert sorted(found) == sorted(wanted[:limit])
        last = {page.account: page for page in pages}
        rest = [await the_rest(hub, last.get(name), name) for name, _ in zip("abcd", lists, strict=False)]
        assert sorted([*found, *itertools.chain(*rest)]) == sorted(wanted)


async def the_rest(hub: Hub, page: Page | None, name: str) -> list[str]:
    """Go on in one account behind its last page."""
    if page is not None and page.cursor is None:
        return []
    return await ids(hub.list(f"vapi/{name}:calls", cursor=page.cursor if page else None))


async def test_pages_of_the_newest_are_cut_and_gone_on_with_though_rows_have_no_instant() -> None:
    async with hub_of(Vapi("a", 90, None, 60, 50), Vapi("b", 80, 70)) as (hub, _):
        pages = [page async for page in hub.list("vapi:calls", limit=4).pages()]
        assert [[c.id for c in page.items] for page in pages] == [["a90", "a1", "a60"], ["b80"]]
        assert await the_rest(hub, pages[0], "a") == ["a50"]
        assert await the_rest(hub, pages[1], "b") == ["b70"]


# failures


async def refused(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
    return answer({"message": "Invalid Key"}, 401)


async def test_one_failure_stops_no_other_and_is_raised_after_the_last() -> None:
    for limit in (2, 9):
        async with hub_of(Vapi("a", 90, 60), refused, Vapi("b", 80)) as (hub, _):
            found, error = await until_it_fails(hub.list("vapi:calls", limit=limit))
            assert [c.id for c in found] == ["a90", "b80", "a60"][:limit]
            assert isinstance(error, errors.PartialError)
            assert list(error.errors) == ["vapi/b:calls"]
            with pytest.raises(errors.PartialError):
                _ = [page async for page in hub.list("vapi:calls", limit=limit).pages()]
            taken: list[errors.HubError] = []
            assert len(await ids(hub.list("vapi:calls", limit=limit, on_error=taken.append))) == min(limit, 3)
            assert len(taken) == 1


class Tavus:
    """A Tavus whose details may be refused."""

    def __init__(self, name: str, *minutes: int, refuses: bool = False) -> None:
        self.rows = [
            {"conversation_id": f"{name}{minute}", "status": "ended", "created_at": instant(minute)}
            for minute in minutes
        ]
        self._refuses = refuses

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        path = urlsplit(asked.target).path
        if path.endswith("conversations"):
            return answer({"data": self.rows, "total_count": len(self.rows)})
        if self._refuses:
            return answer({"message": "Invalid access token"}, 401)
        return answer(next(row for row in self.rows if path.endswith(str(row["conversation_id"]))))


async def test_details_are_asked_for_only_of_what_is_delivered() -> None:
    both = (Tavus("a", *range(90, 60, -1)), Tavus("b", *range(89, 59, -1)))
    async with hub_of(*both, provider="tavus") as (hub, servers):
        assert len(await ids(hub.list(limit=6, transcripts=True))) == 6
        assert [len(server.asked) for server in servers] == [5, 3]
        pages = [page async for page in hub.list(limit=6, transcripts=True).pages()]
        assert [len(page.items) for page in pages] == [4, 2]
        assert [len(server.asked) for server in servers] == [10, 6]


async def test_others_take_the_places_of_an_account_whose_details_are_refused() -> None:
    both = (Tavus("a", *range(90, 60, -1)), Tavus("b", *range(80, 60, -1), refuses=True))
    async with hub_of(*both, provider="tavus") as (hub, _):
        found, error = await until_it_fails(hub.list(limit=20, transcripts=True))
        assert isinstance(error, errors.PartialError)
        assert isinstance(error.errors["tavus/b"], errors.AuthError)
        assert [c.id for c in found] == [f"a{minute}" for minute in range(90, 70, -1)]
        pages = hub.list(limit=20, transcripts=True, on_error=lambda _: None).pages()
        assert {page.account async for page in pages} == {"a"}


# orders


async def test_a_list_without_an_order_takes_part_and_the_report_names_it() -> None:
    async with hub_of(Tavus("a", 10, 90), Tavus("b", 50, 40), provider="tavus") as (hub, _):
        walk = hub.list(limit=4)
        assert await ids(walk) == ["b50", "b40", "a10", "a90"]
        assert walk.report.complete
        assert not walk.report.has_gaps
        assert [account.notes for account in walk.report.accounts] == [[NOTE], [NOTE]]
        assert str(walk.report).count(NOTE) == 2
        alone = hub.list("tavus/a", limit=1)
        assert await ids(alone) == ["a10"]
        assert NOTE not in str(alone.report)


NOTE = "its list does not say how it is ordered, so these may not be its newest"


@pytest.mark.parametrize(("limit", "ascending"), [(None, "true"), (5, "false")])
async def test_a_list_that_is_read_from_its_oldest_is_read_from_its_newest_for_a_limit(
    limit: int | None, ascending: str
) -> None:
    async def bland(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        query = parse_qs(urlsplit(asked.target).query)
        assert query["ascending"] == [ascending]
        rows = [{"call_id": f"c{number}", "created_at": instant(number)} for number in range(20)]
        page = (rows if ascending == "true" else rows[::-1])[int(query["from"][0]) :][: int(query["limit"][0])]
        return answer({"total_count": 20, "count": len(page), "calls": page})

    async with hub_of(bland, provider="bland") as (hub, _):
        pages = [page async for page in hub.list("bland:calls", limit=limit).pages()]
        assert pages[0].items[0].id == ("c19" if limit else "c0")
        if limit:  # whoever goes on does so in the same direction
            assert await ids(hub.list("bland:calls", cursor=pages[-1].cursor)) == [
                f"c{number}" for number in range(14, -1, -1)
            ]


async def test_the_first_example_brings_some_of_every_provider_that_has_the_newest() -> None:
    async with (
        Simulator(conversations=40) as simulator,
        Hub.from_env(environ=simulator.environment()) as hub,
    ):
        walk = hub.list(status="ended", limit=20, transcripts=True)
        found = [conversation async for conversation in walk]
        everything = [c async for c in hub.list(status="ended")]
    assert len(found) == 20
    instants = sorted([c.created_at or c.started_at or NOON for c in everything], reverse=True)
    ordered = [c for c in found if c.provider not in {"tavus", "voiceable"}]
    assert all((c.created_at or c.started_at or NOON) >= instants[60] for c in ordered)
    assert len({c.provider for c in found}) > 3


# the end


async def test_breaking_off_and_closing_leave_nothing_running() -> None:
    async with hub_of(Vapi("a", *range(99, 0, -1)), Vapi("b", *range(99, 0, -1))) as (hub, _):
        for make in (
            lambda: aiter(hub.list("vapi:calls", limit=50, page_size=5)),
            lambda: hub.list("vapi:calls", limit=50, page_size=5).pages(),
        ):
            async with aclosing(make()) as found:
                await anext(found)
        assert not [task for task in asyncio.all_tasks() if "supervise" in repr(task)]
        left_open = aiter(hub.list("vapi:calls", limit=50, page_size=5))
        await anext(left_open)
        await hub.close()
        with pytest.raises(errors.HubClosedError):
            _ = [c async for c in left_open]


async def test_no_more_accounts_are_walked_at_once_than_the_hub_is_told() -> None:
    under_way: set[str] = set()
    most = 0

    def watched(provider: Vapi, name: str) -> Callable[..., Any]:
        async def handle(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
            nonlocal most
            under_way.add(name)
            most = max(most, len(under_way))
            await asyncio.sleep(0.01)
            under_way.discard(name)
            return await provider(asked, writer)

        return handle

    providers = [watched(Vapi(name, 90, 80), name) for name in "abcdefgh"]
    async with hub_of(*providers, accounts_at_once=3) as (hub, _):
        assert len(await ids(hub.list("vapi:calls"))) == 16
        assert len(await ids(hub.list("vapi:calls", limit=10))) == 10
        assert len([page async for page in hub.list("vapi:calls", limit=10).pages()]) == 8
    assert most == 3
