"""The hub against a provider of our own making: walks, their ends and their reports, fan-out, and the end of it all."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub, errors
from conversations_hub._merging import merge
from conversations_hub.adapter import Query
from conversations_hub.adapters import tavus as tavus_adapter
from conversations_hub.hub._cursor import Place, digests
from conversations_hub.policy import PROFILES
from conversations_hub.schema import Agent, Analysis, Recording, RecordingAccess, Status, TranscriptState

from ..support.clock import FakeClock
from ..support.iterators import ids, until_it_fails
from ..support.server import Answer, Asked, Scripted, answer, serving
from ..support.tavus_server import START, Tavus, details, row, tavus


def tasks() -> set[asyncio.Task[Any]]:
    return {task for task in asyncio.all_tasks() if "Scripted" not in repr(task.get_coro())}


# one conversation


@pytest.mark.parametrize(
    ("status", "ago", "state"),
    [
        ("active", timedelta(days=30), TranscriptState.PENDING),
        ("never heard of", timedelta(days=30), TranscriptState.PENDING),
        ("ended", timedelta(minutes=10), TranscriptState.PENDING),
        ("ended", timedelta(days=30), TranscriptState.UNAVAILABLE),
        ("ended", None, TranscriptState.PENDING),
    ],
)
async def test_get_never_says_that_a_transcript_is_not_loaded(
    status: str, ago: timedelta | None, state: TranscriptState
) -> None:
    provider = Tavus()
    created = None if ago is None else (datetime.now(UTC) - ago).isoformat()
    provider.special["c1"] = answer(row(1, status=status, created_at=created, updated_at=created))
    async with tavus(provider) as (hub, _):
        found = await hub.get("tavus:c1")
        [listed] = [one async for one in hub.list("tavus", limit=1)]
    assert (found.transcript, found.transcript_state) == (None, state)
    assert listed.transcript_state is TranscriptState.NOT_LOADED


# walks


async def test_a_walk_brings_every_conversation_once_and_says_so() -> None:
    async with tavus() as (hub, _):
        walk = hub.list("tavus", page_size=10)
        assert ids([c async for c in walk]) == [f"c{number}" for number in range(25)]
    [report] = walk.report.accounts
    assert (report.delivered, report.listed, report.pages, report.requests) == (25, 25, 3, 3)
    assert walk.report.complete
    assert str(report).startswith("tavus/default: complete, 25 delivered of 25 listed, 3 pages, 3 requests")


@pytest.mark.parametrize(("limit", "requests"), [(0, 0), (1, 1), (10, 1), (11, 2), (25, 3), (99, 3)])
async def test_limit_counts_conversations_and_spares_requests(limit: int, requests: int) -> None:
    async with tavus() as (hub, server):
        found = [c async for c in hub.list("tavus", page_size=10, limit=limit)]
    assert len(found) == min(limit, 25)
    assert len(server.asked) == requests


async def test_a_walk_goes_on_from_any_page_in_another_hub() -> None:
    async with tavus() as (hub, _):
        pages = [page async for page in hub.list("tavus", page_size=10).pages()]
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert pages[-1].cursor is None
    for number, page in enumerate(pages[:-1], start=1):
        async with tavus() as (hub, _):
            rest = [c async for c in hub.list("tavus", cursor=page.cursor)]
        assert ids(rest) == [f"c{count}" for count in range(number * 10, 25)]


async def test_a_page_that_limit_cut_short_is_gone_on_with_behind_its_last_row() -> None:
    async with tavus() as (hub, _):
        walk = hub.list("tavus", page_size=10, limit=13)
        cut = [page async for page in walk.pages()][-1]
        assert ids(list(cut.items)) == ["c10", "c11", "c12"]
        assert not walk.report.complete
        rest = hub.list("tavus", cursor=cut.cursor)
        assert ids([c async for c in rest]) == [f"c{number}" for number in range(13, 25)]
    assert rest.report.accounts[0].duplicates == 3
    assert rest.report.complete


async def test_the_window_is_kept_though_the_provider_knows_none() -> None:
    provider = Tavus()
    provider.rows[3]["created_at"] = ""
    async with tavus(provider) as (hub, _):
        walk = hub.list("tavus", since=START + timedelta(minutes=5), until=START + timedelta(minutes=8))
        assert ids([c async for c in walk]) == ["c3", "c5", "c6", "c7"]
    assert walk.report.accounts[0].filtered == 21


async def test_status_and_agent_are_checked_on_our_side_too() -> None:
    provider = Tavus(4)
    provider.rows[1] |= {"status": "active"}
    provider.rows[2] |= {"persona_id": "p2"}
    del provider.rows[3]["status"]
    async with tavus(provider) as (hub, _):
        assert ids([c async for c in hub.list(status="ended", agent="p1")]) == ["c0", "c3"]
        assert ids([c async for c in hub.list(status=Status.IN_PROGRESS)]) == ["c1", "c3"]
        walk = hub.list(status="failed")
        assert ids([c async for c in walk]) == ["c3"]
        assert not walk.report.complete  # the lists of Tavus never say that one failed
        assert "active or ended" in str(walk.report)


async def test_a_bad_row_never_sinks_its_page() -> None:
    provider = Tavus(4)
    provider.rows[1] = {"conversation_name": "without an id"}
    provider.rows[2] = "no object"  # type: ignore[call-overload]
    async with tavus(provider) as (hub, _):
        walk = hub.list("tavus")
        [page] = [page async for page in walk.pages()]
    assert ids(list(page.items)) == ["c0", "c3"]
    assert [issue.place for issue in page.rejected] == ["page 1, row 1", "page 1, row 2"]
    assert "without an id" not in str(page.rejected)
    assert not walk.report.complete
    assert "2 unreadable" in str(walk.report)


async def test_a_row_the_adapter_stumbles_over_costs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    read = tavus_adapter.normalize

    def stumbling(body: bytes | msgspec.Raw) -> Conversation:
        if b"c1" in bytes(body):
            raise KeyError("personal data")
        return read(body)

    monkeypatch.setattr(tavus_adapter, "normalize", stumbling)
    async with tavus(Tavus(3)) as (hub, _):
        [page] = [page async for page in hub.list("tavus").pages()]
    assert ids(list(page.items)) == ["c0", "c2"]
    assert "KeyError at stumbling, line" in page.rejected[0].reason
    assert "personal data" not in page.rejected[0].reason


async def test_overlapping_pages_bring_each_conversation_once() -> None:
    provider = Tavus(30)
    shifted = [row(number) for number in range(7, 17)]
    provider.special["page 2"] = answer({"data": shifted, "total_count": 30})
    async with tavus(provider) as (hub, _):
        walk = hub.list("tavus", page_size=10)
        found = ids([c async for c in walk])
    assert sorted(set(found)) == sorted(found)
    assert walk.report.accounts[0].duplicates == 3


async def test_a_walk_that_stands_still_ends_in_an_error_after_what_it_brought() -> None:
    async with (
        serving(answer({"data": [row(1)], "total_count": 99})) as server,
        Hub([Account("tavus", key="key", base_url=server.url)]) as hub,
    ):
        walk = hub.list("tavus")
        found, error = await until_it_fails(walk)
    assert isinstance(error, errors.PaginationError)
    assert "does not advance" in str(error)
    assert ids(found) == ["c1"]
    assert len(server.asked) == 4
    assert walk.report.errors == {"tavus/default": error}


async def test_an_empty_page_in_the_middle_is_not_the_end_but_twenty_are() -> None:
    class Hollow(Tavus):
        async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
            rows: list[dict[str, Any]] = [row(asked.number)] if asked.number in {0, 19, 40} else [{}]
            return answer({"data": rows, "total_count": 999})

    async with tavus(Hollow()) as (hub, server):
        found, error = await until_it_fails(hub.list("tavus"))
    assert isinstance(error, errors.PaginationError)
    assert "does not end" in str(error)
    assert ids(found) == ["c0", "c19"]
    assert len(server.asked) == 40


class Shifting(Tavus):
    """A list, newest first, that changes before each page is read."""

    def __init__(self, *, inserts: bool) -> None:
        super().__init__(100)
        self._inserts = inserts

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        said = await super().__call__(asked, writer)
        if asked.number < 9:
            if self._inserts:
                self.rows.insert(0, row(1000 + asked.number))
            else:
                del self.rows[0]
        return said


async def test_f089_rows_inserted_while_walking_double_none() -> None:
    async with tavus(Shifting(inserts=True)) as (hub, _):
        walk = hub.list("tavus", page_size=10)
        found = ids([c async for c in walk])
    assert len(found) == len(set(found))
    assert {f"c{number}" for number in range(100)} <= set(found)
    assert walk.report.accounts[0].duplicates == 9


async def test_f090_rows_deleted_while_walking_are_missed_only_where_nobody_looks_again() -> None:
    for verify, consistency in ((False, "best_effort"), (True, "verified")):
        provider = Shifting(inserts=False)
        async with tavus(provider) as (hub, _):
            walk = hub.list("tavus", page_size=10, verify=verify)
            found = ids([c async for c in walk])
        survivors = {str(row["conversation_id"]) for row in provider.rows}
        assert len(survivors) == 91
        assert (survivors <= set(found)) is verify
        assert len(found) == len(set(found))
        assert walk.report.accounts[0].consistency == consistency


async def test_a_second_look_yields_no_empty_pages_and_counts_nothing_twice() -> None:
    async with tavus() as (hub, server):
        walk = hub.list("tavus", page_size=10, verify=True)
        pages = [page async for page in walk.pages()]
    [report] = walk.report.accounts
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert (report.delivered, report.duplicates, report.consistency) == (25, 0, "verified")
    assert len(server.asked) == 6
    assert "verified" in str(report)


@pytest.mark.parametrize("times", [1, 3, 4])
async def test_f091_an_expired_cursor_begins_again_and_brings_each_once(times: int) -> None:
    class Expiring(Tavus):
        left = times

        async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
            if "page=7" in asked.target and self.left:
                self.left -= 1
                return answer({"error": "gone"}, 410)
            return await super().__call__(asked, writer)

    async with tavus(Expiring(95)) as (hub, _):
        walk = hub.list("tavus", page_size=10)
        if times > 3:
            found, error = await until_it_fails(walk)
            assert isinstance(error, errors.PaginationError)
            assert len(found) == 60
        else:
            assert ids([c async for c in walk]) == [f"c{number}" for number in range(95)]
            assert walk.report.complete
            assert walk.report.accounts[0].restarts == times


async def test_an_expired_cursor_of_the_caller_s_is_said_to_be_one() -> None:
    place = Place(where="tavus/default", page_size=10, filters=digests(Query()), page="7:60")
    async with (
        serving(answer({"error": "gone"}, 410)) as server,
        Hub([Account("tavus", key="key", base_url=server.url)]) as hub,
    ):
        with pytest.raises(errors.PaginationError, match="start without one"):
            _ = [c async for c in hub.list("tavus", cursor=str(place))]
        with pytest.raises(errors.NotFoundError):
            _ = [c async for c in hub.list("tavus")]


# details


async def test_transcripts_come_in_order_whatever_answers_first() -> None:
    class Shuffled(Tavus):
        gate = asyncio.Event()

        async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
            if "/c0" in asked.target:
                await self.gate.wait()
            if "/c9" in asked.target:
                self.gate.set()
            return await super().__call__(asked, writer)

    async with tavus(Shuffled(40)) as (hub, server):
        walk = hub.list("tavus", transcripts=True)
        found = [c async for c in walk]
    assert ids(found) == [f"c{number}" for number in range(40)]
    assert found[7].text == "user: I am number 7."
    assert 2 <= server.at_once <= 16
    assert walk.report.accounts[0].transcripts == {TranscriptState.AVAILABLE: 40}
    assert walk.report.complete


async def test_details_keep_what_only_the_row_had() -> None:
    provider = Tavus(1)
    provider.rows[0]["conversation_name"] = "Only the row knows"
    async with tavus(provider, keep_raw=True) as (hub, _):
        [found] = [c async for c in hub.list("tavus", transcripts=True)]
    assert found.title == "Only the row knows"
    assert found.text == "user: I am number 0."
    both = msgspec.json.decode(found.raw or b"")
    assert both["list"]["conversation_name"] == "Only the row knows"
    assert both["get"]["events"]


def test_details_keep_what_only_the_row_s_analysis_and_agent_had() -> None:
    row = Conversation(
        provider="acme",
        id="c1",
        agent=Agent(id="a1", name="Desk"),
        analysis=Analysis(sentiment="positive", success=False, scores={"mood": 0.4, "success": 0.1}),
        estimated=("title",),
    )
    details = Conversation(
        provider="acme",
        id="c1",
        agent=Agent(id="a1", version="3"),
        analysis=Analysis(success=True, scores={"success": 0.9}),
    )
    found = merge(row, details)
    assert found.agent == Agent(id="a1", name="Desk", version="3")
    assert found.analysis == Analysis(sentiment="positive", success=True, scores={"mood": 0.4, "success": 0.9})
    assert found.estimated == ()


async def test_details_that_fail_for_good_leave_the_row_and_are_counted() -> None:
    provider = Tavus(3)
    provider.special["c1"] = answer({"error": "Invalid conversation_id"}, 400)
    async with tavus(provider) as (hub, _):
        walk = hub.list("tavus", transcripts=True)
        found = [c async for c in walk]
    assert [c.transcript_state for c in found] == ["available", "not_loaded", "available"]
    assert "NotFoundError" in found[1].issues[-1].reason
    assert walk.report.accounts[0].not_loaded == 1
    assert walk.report.accounts[0].failures == {"NotFoundError": 1}
    assert not walk.report.complete


async def test_a_refused_key_ends_the_walk() -> None:
    provider = Tavus(30)
    provider.special["c3"] = answer({"message": "Invalid access token"}, 401)
    async with tavus(provider) as (hub, _):
        found, error = await until_it_fails(hub.list("tavus", transcripts=True))
    assert isinstance(error, errors.AuthError)
    assert "Check the key" in str(error)
    assert ids(found) == ["c0", "c1", "c2"]


async def test_only_as_many_details_are_asked_for_as_limit_allows() -> None:
    async with tavus() as (hub, server):
        assert len([c async for c in hub.list("tavus", transcripts=True, limit=3)]) == 3
    assert len(server.asked) == 4


async def test_no_details_are_asked_for_behind_a_limit_that_cuts_a_page() -> None:
    for page_size in (None, 10):
        async with tavus() as (hub, server):
            walk = hub.list("tavus", transcripts=True, limit=3, page_size=page_size, status="ended")
            assert len([c async for c in walk]) == 3
            assert len(server.asked) == 4
            [page] = [page async for page in walk.pages()]
            assert len(page.items) == 3
            assert len(server.asked) == 8
            assert ids([c async for c in hub.list("tavus", cursor=page.cursor, status="ended", limit=1)]) == ["c3"]


async def test_pages_can_have_their_details_too() -> None:
    async with tavus() as (hub, _):
        pages = [page async for page in hub.list("tavus", transcripts=True, page_size=10).pages()]
    assert [len(page.items) for page in pages] == [10, 10, 5]
    assert all(c.transcript for page in pages for c in page.items)


# several accounts


async def test_all_accounts_are_walked_at_once() -> None:
    async with tavus(accounts=("eu", "us", "asia")) as (hub, _):
        walk = hub.list()
        found = [c async for c in walk]
        assert len(found) == 75
        assert {c.account for c in found} == {"eu", "us", "asia"}
        for account in ("eu", "us", "asia"):
            assert [c.id for c in found if c.account == account] == [f"c{number}" for number in range(25)]
        assert [r.where for r in walk.report.accounts] == ["tavus/eu", "tavus/us", "tavus/asia"]
        assert len([c async for c in hub.list("tavus/eu", "tavus/us", limit=30)]) == 30
        assert {(page.account, len(page.items)) async for page in hub.list("tavus").pages()} == {
            ("eu", 25),
            ("us", 25),
            ("asia", 25),
        }


@asynccontextmanager
async def two_of_three_fail(**options: Any) -> AsyncGenerator[tuple[Hub, list[Scripted]]]:
    async with (
        serving(Tavus()) as fine,
        serving(answer({"message": "Invalid access token"}, 401)) as refused,
        serving(answer({"message": "down"}, 501)) as down,
    ):
        servers = [fine, refused, down]
        accounts = [
            Account("tavus", key="key", base_url=server.url, name=name)
            for server, name in zip(servers, ("fine", "refused", "down"), strict=True)
        ]
        async with Hub(accounts, **options) as hub:
            yield hub, servers


async def test_one_account_s_failure_stops_no_other_and_is_raised_at_the_end() -> None:
    async with two_of_three_fail() as (hub, _):
        walk = hub.list("tavus", page_size=10)
        found, error = await until_it_fails(walk)
    assert len(found) == 25
    assert isinstance(error, errors.PartialError)
    assert error.errors.keys() == {"tavus/refused", "tavus/down"}
    assert isinstance(error.errors["tavus/refused"], errors.AuthError)
    assert "tavus/down" in str(error)
    assert [r.complete for r in walk.report.accounts] == [True, False, False]


async def test_failures_can_be_taken_instead() -> None:
    async with two_of_three_fail() as (hub, _):
        taken: list[errors.HubError] = []
        walk = hub.list("tavus", on_error=taken.append)
        assert len([c async for c in walk]) == 25
    assert {type(error) for error in taken} == {errors.AuthError, errors.OutageError}
    assert not walk.report.complete


async def test_a_walk_of_one_account_raises_its_own_error() -> None:
    async with two_of_three_fail() as (hub, _):
        with pytest.raises(errors.AuthError, match="tavus/refused list: Invalid access token"):
            _ = [c async for c in hub.list("tavus/refused")]


async def test_what_the_hub_does_not_have_is_told_from_a_mistake_in_its_set_up() -> None:
    async with Hub([Account("tavus", key="key")]) as hub:
        for ref in ("vapi:c1", "nobody:c1", "tavus/eu:c1"):
            with pytest.raises(errors.UnknownAccountError) as caught:
                await hub.get(ref)
            assert caught.value.http_status == 404
    async with Hub() as hub:
        with pytest.raises(errors.ConfigurationError) as lacking:
            hub.list()
        assert lacking.value.http_status == 500


# many


async def test_get_many_gives_one_outcome_per_input() -> None:
    provider = Tavus()
    provider.special["c404"] = answer({"error": "Invalid conversation_id"}, 400)
    refs = ["tavus:c1", "tavus:c2", "tavus:c1", "nonsense", "tavus:c404", "tavus:", "vapi:c1", "anyreach:c1"]
    async with tavus(provider) as (hub, _):
        outcomes = [outcome async for outcome in hub.get_many(refs)]
    assert sorted(outcome.ref for outcome in outcomes) == sorted(refs)
    found = {outcome.ref: outcome for outcome in outcomes}
    assert found["tavus:c1"].conversation is not None
    assert found["tavus:c1"].error is None
    kinds = {ref: type(outcome.error) for ref, outcome in found.items() if outcome.error}
    assert kinds == {
        "nonsense": errors.InvalidRefError,
        "tavus:c404": errors.NotFoundError,
        "tavus:": errors.InvalidRefError,
        "vapi:c1": errors.UnknownAccountError,
        "anyreach:c1": errors.UnknownAccountError,
    }


async def test_get_many_is_bounded_and_takes_its_input_no_faster_than_it_is_read() -> None:
    taken: list[int] = []

    def refs() -> Iterator[str]:
        for number in range(10_000):
            taken.append(number)
            yield f"tavus:c{number}"

    async with tavus() as (hub, server), aclosing(hub.get_many(refs(), concurrency=8)) as outcomes:
        _ = [await anext(outcomes) for _ in range(10)]
    assert server.at_once <= 8
    assert len(taken) <= 10 + 8 + 8 + 1


async def test_get_many_takes_an_async_input_and_passes_its_failure_on() -> None:
    async def refs() -> AsyncIterator[str]:
        for number in range(30):
            yield f"tavus:c{number}"
        raise RuntimeError("the input broke")

    async with tavus() as (hub, _):
        found, error = await until_it_fails(hub.get_many(refs(), concurrency=4))
        assert str(error) == "the input broke"
        assert len(found) >= 26
        assert len([o async for o in hub.get_many([])]) == 0
    assert tasks() == {asyncio.current_task()}


# one


async def test_f082_an_answer_about_another_conversation_is_refused() -> None:
    provider = Tavus()
    provider.special["c1"] = answer(details(2))
    async with tavus(provider) as (hub, _):
        with pytest.raises(errors.PayloadError, match="another conversation"):
            await hub.get("tavus:c1")


@pytest.mark.parametrize(
    "ref",
    [
        "",
        "tavus",
        ":c1",
        "tavus:",
        "tavus:.",
        "tavus:..",
        "tavus:a/b",
        "tavus:a\\b",
        "tavus:%2e%2e",
        "tavus:a\nb",
        "tavus:\ud83d",
        "tavus:" + "c" * 5000,
        "Tavus:c1",
        "tavus/:c1",
        "tavus/a b:c1",
        "../tavus:c1",
    ],
)
async def test_a_malformed_ref_is_refused_before_any_request(ref: str) -> None:
    async with tavus() as (hub, server):
        for call in (hub.get, hub.end, hub.delete):
            with pytest.raises(errors.InvalidRefError):
                await call(ref)
    assert server.asked == []


async def test_start_end_and_delete() -> None:
    created = row(7, conversation_url="https://tavus.daily.co/c7", meeting_token="secret-token", status="active")
    async with (
        serving(answer(created), answer(b""), answer(b"", 204)) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], keep_raw=True) as hub,
    ):
        started = await hub.start("tavus", agent="p1", provider_options={"require_auth": True})
        await hub.end("tavus:c7")
        await hub.delete("tavus:c7", provider_options={"hard": True})
        with pytest.raises(errors.UnsupportedError, match="supported: list, get, start, end, delete"):
            await hub.send("tavus:c7", "hello")
        with pytest.raises(errors.UnsupportedError, match="places no calls"):
            await hub.start("tavus", to="+14155550100")
    assert started.join_url == "https://tavus.daily.co/c7"
    assert started.token is not None
    assert started.token.reveal() == "secret-token"
    assert "secret-token" not in repr(started) + str(started.conversation.raw)
    assert [(asked.method, asked.target) for asked in server.asked] == [
        ("POST", "/v2/conversations"),
        ("POST", "/v2/conversations/c7/end"),
        ("DELETE", "/v2/conversations/c7?hard=true"),
    ]


async def test_raw_is_kept_only_where_it_was_asked_for() -> None:
    async with tavus() as (hub, _):
        assert (await hub.get("tavus:c1")).raw is None
    async with tavus(keep_raw=True) as (hub, _):
        raw = (await hub.get("tavus:c1")).raw
    assert msgspec.json.decode(raw or b"") == details(1)


async def test_a_call_can_have_numbers_of_its_own() -> None:
    impatient = PROFILES["interactive"].but(attempts=1)
    async with (
        serving(answer({"message": "down"}, 503)) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], clock=FakeClock().clock) as hub,
    ):
        with pytest.raises(errors.OutageError) as caught:
            await hub.get("tavus:c1", profile=impatient)
        assert caught.value.attempts == 1
        [outcome] = [outcome async for outcome in hub.get_many(["tavus:c1"], profile=impatient)]
        assert outcome.error is not None
        assert outcome.error.attempts == 1
        with pytest.raises(errors.OutageError) as caught:
            _ = [c async for c in hub.list("tavus", profile=impatient)]
        assert caught.value.attempts == 1
        with pytest.raises(errors.ConfigurationError, match="unknown profile"):
            await hub.get("tavus:c1", profile="fast")  # type: ignore[arg-type]


# accounts


def test_the_environment_names_the_accounts() -> None:
    environ = {
        "TAVUS_API_KEY": "t",
        "TAVUS_BASE_URL": "http://127.0.0.1:1/tavus",
        "ANYREACH_API_KEY": "pat_x",
        "ANYREACH_ORG_ID": "org_1",
        "VOICEABLE_API_KEY": "",
        "HUME_API_KEY": "nobody asked",
    }
    assert repr(Hub.from_env(environ=environ)) == "<Hub: tavus/default, anyreach/default>"
    assert repr(Hub.from_env(["tavus"], environ=environ)) == "<Hub: tavus/default>"


async def test_a_hub_without_accounts_names_the_variables() -> None:
    async with Hub.from_env(environ={}) as hub:
        with pytest.raises(errors.ConfigurationError, match="TAVUS_API_KEY, ANYREACH_API_KEY"):
            hub.list()
        with pytest.raises(errors.ConfigurationError, match="set TAVUS_API_KEY"):
            hub.list("tavus")
        with pytest.raises(errors.ConfigurationError, match="set VOICEABLE_API_KEY"):
            await hub.get("voiceable:c1")
        with pytest.raises(errors.ConfigurationError, match="unknown provider 'nosuch'"):
            await hub.get("nosuch:c1")


async def test_which_account_a_name_means() -> None:
    async with tavus(accounts=("eu", "us")) as (hub, _):
        with pytest.raises(errors.InvalidRefError, match="tavus/eu, tavus/us"):
            await hub.get("tavus:c1")
        assert (await hub.get("tavus/us:c1")).ref == "tavus/us:c1"
        with pytest.raises(errors.ConfigurationError, match="tavus/eu, tavus/us"):
            await hub.get("tavus/asia:c1")
    async with tavus(accounts=("eu", "default")) as (hub, _):
        assert (await hub.get("tavus:c1")).ref == "tavus:c1"
    async with tavus(accounts=("eu",)) as (hub, _):
        assert (await hub.get("tavus:c1")).ref == "tavus/eu:c1"


def test_two_accounts_of_one_name_are_refused() -> None:
    with pytest.raises(errors.ConfigurationError, match="two accounts have the same name"):
        Hub([Account("tavus", key="a"), Account("tavus", key="b")])
    with pytest.raises(errors.ConfigurationError, match="unknown profile"):
        Hub(profile="fast")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001  (naive on purpose)
        {"until": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"limit": -1},
        {"page_size": 0},
        {"status": "finished"},
        {"cursor": "2:10:10"},
        {"provider_options": {"vapi": {}}},
    ],
)
async def test_arguments_that_cannot_be_right_are_refused_at_once(arguments: dict[str, Any]) -> None:
    async with tavus(accounts=("eu", "us")) as (hub, server):
        with pytest.raises(errors.InvalidRefError):
            hub.list(**arguments)
    assert server.asked == []


# the end


async def test_leaving_an_iterator_early_frees_everything() -> None:
    async with tavus(accounts=("eu", "us")) as (hub, _):
        for iterator in (
            aiter(hub.list("tavus", transcripts=True)),
            hub.list("tavus", transcripts=True).pages(),
            hub.get_many(f"tavus/eu:c{number}" for number in range(100)),
        ):
            async with aclosing(iterator):
                await anext(iterator)
            assert tasks() == {asyncio.current_task()}
        assert (await hub.get("tavus/eu:c1")).id == "c1"


async def test_a_broken_off_loop_frees_everything_too() -> None:
    async with tavus(accounts=("eu", "us")) as (hub, _):
        async for _conversation in hub.list("tavus", transcripts=True):
            break
        gc.collect()
        # The loop itself closes what was dropped, in its own turns.
        while tasks() != {asyncio.current_task()}:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_fifty_iterators_left_open_hold_no_connection() -> None:
    async with tavus(Tavus(200), profile="bulk") as (hub, _):
        held = [aiter(hub.list("tavus", page_size=10)) for _ in range(50)]
        for iterator in held:
            await anext(iterator)
        assert (await hub.get("tavus:c1")).id == "c1"
        for iterator in held:
            await iterator.aclose()


async def test_closing_ends_the_walks_that_are_waited_for_and_those_that_are_not() -> None:
    async def stuck(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        await asyncio.Event().wait()
        return None

    async with serving(stuck) as server:
        hub = Hub([Account("tavus", key="key", base_url=server.url, name=name) for name in ("eu", "us")])
        waiting: list[asyncio.Task[Any]] = [
            asyncio.create_task(anext(aiter(hub.list("tavus", transcripts=True)))),
            asyncio.create_task(anext(hub.get_many(["tavus/eu:c1", "tavus/us:c1"]))),
            asyncio.create_task(hub.get("tavus/eu:c1")),
        ]
        await server.has_been_asked(5)
        await hub.close()
        await asyncio.wait(waiting)
        assert {type(task.exception()) for task in waiting} == {errors.HubClosedError}
        await hub.close()
        with pytest.raises(errors.HubClosedError):
            await hub.get("tavus/eu:c1")
        with pytest.raises(errors.HubClosedError):
            async with hub:
                pass


async def test_a_walk_left_open_is_told_that_its_hub_was_closed() -> None:
    async with tavus(Tavus(500)) as (hub, _):
        left_open = hub.get_many(f"tavus:c{number}" for number in range(500))
        await anext(left_open)
    with pytest.raises(errors.HubClosedError):
        async for _ in left_open:
            pass
    assert tasks() == {asyncio.current_task()}


async def _listed(hub: Hub, *targets: str) -> list[str]:
    return [conversation.id async for conversation in hub.list(*targets)]


async def _gotten(hub: Hub) -> list[str]:
    return [outcome.ref async for outcome in hub.get_many(["tavus/eu:c1"])]


_RECORDING = Recording(location="/audio/c1", access=RecordingAccess.PROVIDER_KEY, ref="tavus/us:c1")
_CALLS: dict[str, Callable[[Hub, Path], Coroutine[Any, Any, object]]] = {
    "get": lambda hub, _: hub.get("tavus/eu:c1"),
    "get of an account that was never asked": lambda hub, _: hub.get("tavus/us:c1"),
    "list": lambda hub, _: _listed(hub, "tavus/us"),
    "list of all": lambda hub, _: _listed(hub),
    "get_many": lambda hub, _: _gotten(hub),
    "start": lambda hub, _: hub.start("tavus/us", agent="p1"),
    "end": lambda hub, _: hub.end("tavus/us:c1"),
    "delete": lambda hub, _: hub.delete("tavus/us:c1"),
    "download": lambda hub, folder: hub.download(_RECORDING, folder / "a.wav"),
    "close": lambda hub, _: hub.close(),
}


@pytest.mark.parametrize("call", _CALLS.values(), ids=_CALLS)
@pytest.mark.parametrize("is_at_rest", [False, True], ids=["while its loop runs", "while it rests"])
def test_a_hub_is_used_and_closed_in_one_loop_and_says_so_in_any_other(
    call: Callable[[Hub, Path], Coroutine[Any, Any, object]], tmp_path: Path, *, is_at_rest: bool
) -> None:
    async def elsewhere(hub: Hub) -> None:
        with pytest.raises(errors.HubClosedError, match="belongs to the event loop that first used it"):
            await call(hub, tmp_path)

    async def at_home() -> Hub:
        async with serving(Tavus()) as server:
            hub = Hub([Account("tavus", key="key", base_url=server.url, name=name) for name in ("eu", "us")])
            assert (await hub.get("tavus/eu:c1")).id == "c1"
            if not is_at_rest:
                await asyncio.to_thread(lambda: asyncio.run(elsewhere(hub)))
                assert (await hub.get("tavus/eu:c1")).id == "c1"
                assert (await hub.get("tavus/us:c1")).id == "c1"
                assert len(server.asked) == 3
                await hub.close()
            return hub

    with asyncio.Runner() as home:
        hub = home.run(at_home())
        if is_at_rest:
            asyncio.run(elsewhere(hub))
            home.run(hub.close())
    assert list(tmp_path.iterdir()) == []
    asyncio.run(hub.close())  # what is closed already can be closed anywhere


async def test_many_tasks_share_a_hub() -> None:
    async with tavus(Tavus(100)) as (hub, server):
        found = await asyncio.gather(*(hub.get(f"tavus:c{number}") for number in range(100)))
    assert ids(list(found)) == [f"c{number}" for number in range(100)]
    assert server.at_once <= 64
