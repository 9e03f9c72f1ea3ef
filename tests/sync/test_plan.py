"""Plan: what a sync would take is said before, and is what it takes; nothing is written by looking."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub._cli import plan as plan_command
from conversations_hub._cli.accounts import Accounts
from conversations_hub._transport import Clock
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import ConfigurationError, HubClosedError, InvalidRefError, StoreError
from conversations_hub.redaction import PersonalData, Redact
from conversations_hub.schema import TranscriptState
from conversations_hub.stores._store import Checkpoint, Entry, Window, Written, when
from conversations_hub.stores._url import StoreURL
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import AccountPlan, plan, sync
from conversations_hub.sync._plan import Failure, Sample
from conversations_hub.sync._sample import Sampler
from conversations_hub.testing import Faults, Simulator

from ..support.clock import NOW, FakeClock, ManualClock, at
from ..support.server import Answer, Asked, answer, serving
from ..support.simulated import simulated
from ..support.sqlite import stored
from ..support.tavus_server import AFTER, START, Tavus, details, row, scripted


def every(seconds: float, now: datetime) -> Clock:
    """Return a clock by which every look takes so long, so that much is committed."""
    looks = itertools.count()
    return Clock(monotonic=lambda: next(looks) * seconds, now=lambda: now)


ONE_FOR_EACH = ("tavus", "anyreach", "voiceable", "vapi", "elevenlabs", "retell")
"""Whose details take one request, always."""


# what it says is what it takes


@pytest.mark.no_cover
@pytest.mark.parametrize(("providers", "conversations"), [(ONE_FOR_EACH, 110), (BUILTIN, 30)])
async def test_a_plan_is_what_a_sync_takes(tmp_path: Path, providers: Sequence[str], conversations: int) -> None:
    async with simulated(*providers, conversations=conversations) as (hub, simulator):
        planned = {one.where.partition("/")[0]: one for one in await plan(hub, None, clock=at(NOW))}
        simulator.requests.clear()
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(NOW))
        taken = dict(simulator.requests)
    assert list(planned) == list(providers)
    for one in planned.values():
        assert (one.listed, one.new, one.again, one.there, one.bad) == (conversations, conversations, 0, 0, 0)
    assert {name: one.requests for name, one in planned.items() if name in ONE_FOR_EACH} == {
        name: taken[name] for name in ONE_FOR_EACH
    }
    assert all(one.requests <= taken[name] for name, one in planned.items())
    assert [one.detail_requests for one in planned.values()] == [account.fetched for account in report.accounts]
    whole = {"anyreach", "cartesia", "vapi"}.intersection(providers)
    assert {name for name, one in planned.items() if not one.detail_requests} == whole


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", BUILTIN)
async def test_looking_takes_a_request_for_each_page_and_few_for_samples(provider: str) -> None:
    async with simulated(provider, conversations=230) as (hub, simulator):
        [planned] = await plan(hub, None, clock=at(NOW))
        looked = simulator.requests[provider]
    assert planned.error is None
    assert planned.new == 230
    most = 3 if provider in ONE_FOR_EACH else 12
    assert planned.list_requests // 2 + 3 <= looked <= planned.list_requests // 2 + most
    assert [sample.age for sample in planned.samples] == ["newest", "middle", "oldest"]
    instants = [sample.at for sample in planned.samples if sample.at]
    assert len(instants) == 3
    assert instants == sorted(instants, reverse=True)


@pytest.mark.no_cover
async def test_windows_are_walked_as_a_sync_walks_them(tmp_path: Path) -> None:
    since, until = NOW - timedelta(days=30), NOW - timedelta(days=2)
    async with simulated(*ONE_FOR_EACH, conversations=300) as (hub, simulator):
        planned = await plan(hub, None, since=since, until=until, clock=at(NOW))
        simulator.requests.clear()
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), since=since, until=until, clock=at(NOW))
        taken = dict(simulator.requests)
    assert [one.new for one in planned] == [account.new for account in report.accounts]
    assert {one.where.partition("/")[0]: one.requests for one in planned} == taken
    assert all(0 < one.new < 300 for one in planned)
    assert all(one.new == one.listed for one in planned)


@pytest.mark.no_cover
@pytest.mark.parametrize("provider", ["tavus", "voiceable", "retell", "synthflow", "beyond_presence", "cartesia"])
async def test_rows_of_unknown_date_are_planned_for_and_those_outside_reported(tmp_path: Path, provider: str) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    since, until = NOW - timedelta(days=30), NOW - timedelta(days=2)
    span: Any = {"since": since, "until": until, "clock": at(NOW)}
    async with simulated(provider, conversations=200) as (hub, _):
        undated = {row.id async for row in hub.list(provider) if when(row) is None}
        [first] = await plan(hub, None, **span)
        [account] = (await sync(hub, store, **span)).accounts
        [second] = await plan(hub, store, **span)
        [again] = (await sync(hub, store, **span)).accounts
    fetches = not load(provider).complete_lists
    assert undated
    assert first.undated == (len(undated) if fetches else 0)
    assert first.new == account.new + account.outside
    assert first.detail_requests == account.fetched
    assert (second.new, again.new) == (account.outside, 0)
    assert again.outside == account.outside == (2 if provider == "tavus" else 0)


async def test_a_row_of_unknown_date_is_counted_once_though_every_window_lists_it(tmp_path: Path) -> None:
    provider = Tavus(30)
    provider.rows[3] |= {"created_at": ""}
    provider.rows[29] |= {"created_at": ""}
    narrowing = msgspec.structs.replace(load("tavus"), filters=("since", "until"))
    span: Any = {"since": START - timedelta(days=20), "until": START + timedelta(minutes=20), "clock": at(AFTER)}
    async with serving(provider) as server:
        account = Account("tavus", key="key", base_url=server.url)
        async with Hub([account], adapters={"tavus": narrowing}, clock=FakeClock().clock) as hub:
            [planned] = await plan(hub, None, **span)
            report = await sync(hub, SQLiteStore(tmp_path / "c.db"), **span)
    [synced] = report.accounts
    assert len(synced.windows) == 3
    assert sum(window.outside for window in synced.windows) == 1
    assert (planned.listed, planned.new, planned.undated, planned.there) == (synced.listed, 21, 2, 0)
    assert (synced.new, synced.outside) == (20, 1)
    assert "21 new (2 of unknown date)" in str(planned)
    assert "20 new, 0 updated" in str(synced)
    assert "1 outside the span" in str(synced)


async def test_a_second_run_is_planned_by_what_is_there(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    async with simulated(*ONE_FOR_EACH) as (hub, simulator):
        first = await sync(hub, store, clock=at(NOW))
        before = stored(store.path)
        later = at(NOW + timedelta(minutes=1))
        planned = await plan(hub, store, clock=later)
        assert stored(store.path) == before
        simulator.requests.clear()
        second = await sync(hub, store, clock=later)
        taken = dict(simulator.requests)
    assert sum(account.pending for account in first.accounts) > 0
    assert [one.new for one in planned] == [0] * 6
    assert {one.where: one.detail_requests for one in planned} == {
        account.where: account.fetched for account in second.accounts
    }
    assert {one.where.partition("/")[0]: one.requests for one in planned} == taken


async def test_what_came_changed_and_stayed_is_told_apart(tmp_path: Path) -> None:
    provider = Tavus(30)
    provider.special["c7"] = answer({"message": "bad gateway"}, 501)
    store = SQLiteStore(tmp_path / "c.db")
    long_after = START + timedelta(days=300)
    async with scripted(provider) as (hub, asked):
        await sync(hub, store, until=START + timedelta(minutes=29), clock=at(long_after))
        provider.special.clear()
        provider.rows[20] |= {"conversation_name": "renamed"}
        provider.rows.append({"status": "ended"})
        asked.clear()
        [planned] = await plan(hub, store, lookback=timedelta(minutes=15), clock=at(long_after))
    # Looked back at are fifteen minutes before the newest, 13 to 28; the one that failed is no less looked at again.
    assert (planned.listed, planned.new, planned.again, planned.there, planned.bad) == (18, 1, 2, 15, 1)
    assert (planned.list_requests, planned.detail_requests) == (2, 3)
    said = "tavus/default: 18 conversations listed, 1 new, 2 to fetch again, 15 already stored, 1 bad\n"
    assert str(planned).startswith(said + "  at least 5 requests: 2 for the list and 3 for details")
    assert [sample.ref for sample in planned.samples] == ["tavus/default:c29", "tavus/default:c20"]
    assert len(asked) == 3


def erase_two(path: Path) -> None:
    with SQLiteReader(path) as archive:
        first, *_, last = archive.conversations()
        archive.erase(first.ref, last.ref)


def renamed(conversation: Conversation) -> Conversation:
    """Redact, as it were."""
    return msgspec.structs.replace(conversation, title="somebody's")


OPTIONS: Sequence[dict[str, Any]] = [{}, {"again": True}, {"verify": False}, {"lookback": timedelta(days=20)}]
REDACT: Sequence[Redact | tuple[Redact, ...]] = [(), (renamed,), PersonalData()]
# Half of all combinations, in which each two of their parts meet.
EACH_TWO = [
    (OPTIONS[asked], REDACT[changes], is_first)
    for asked, changes, is_first in itertools.product(range(4), range(3), (False, True))
    if (asked + changes + is_first) % 2
]


@pytest.mark.no_cover
@pytest.mark.parametrize(("options", "redact", "is_first"), EACH_TWO)
async def test_a_sync_does_what_its_plan_says(
    tmp_path: Path, redact: Redact | tuple[Redact, ...], options: dict[str, Any], *, is_first: bool
) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    then = NOW - timedelta(hours=3)
    since = NOW - timedelta(days=30)
    async with simulated(*ONE_FOR_EACH, conversations=16) as (hub, simulator):
        if not is_first:
            first = await sync(hub, store, since=since, until=then, redact=redact, clock=at(then))
            assert all(account.new for account in first.accounts)
            erase_two(store.path)
        there = None if is_first else store
        planned = await plan(hub, there, since=since, until=NOW, redact=redact, clock=at(NOW), **options)
        simulator.requests.clear()
        report = await sync(hub, store, since=since, until=NOW, redact=redact, clock=at(NOW), **options)
    assert [one.new for one in planned] == [account.new for account in report.accounts]
    assert [one.detail_requests for one in planned] == [account.fetched for account in report.accounts]
    assert {one.where.partition("/")[0]: one.requests for one in planned} == simulator.requests


async def test_a_run_that_was_stopped_is_counted_once(tmp_path: Path) -> None:
    class Stopping(SQLiteStore):
        async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
            if progress is not None and progress.passes:
                raise StoreError("struck by lightning")
            return await super().commit(account, entries, progress)

    async with scripted(Tavus(100)) as (hub, _):
        with pytest.raises(StoreError):
            await sync(hub, Stopping(tmp_path / "c.db"), clock=every(2.0, START + timedelta(minutes=100)))
    async with scripted(Tavus(110)) as (hub, asked):
        [planned] = await plan(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START + timedelta(days=20)))
        asked.clear()
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START + timedelta(days=20)))
    assert (planned.listed, planned.new, planned.again + planned.there) == (110, 10, 100)
    lists = sum(one.target.startswith("/v2/conversations?") for one in asked)
    assert planned.list_requests <= lists <= planned.list_requests + 2  # a third pass, for what the second found
    assert (report.accounts[0].new, report.accounts[0].fetched) == (10, planned.detail_requests)


@pytest.mark.parametrize("since", [None, NOW - timedelta(days=90)])
async def test_a_finished_file_can_be_gone_on_with_after_a_plan(tmp_path: Path, since: datetime | None) -> None:
    path = tmp_path / "c.jsonl"
    async with simulated("vapi", "tavus") as (hub, _):
        await sync(hub, JSONLStore(path), since=since, until=NOW, clock=at(NOW))
        finished = path.read_bytes()
        await plan(hub, JSONLStore(path), since=since, until=NOW, clock=at(NOW))
        assert path.read_bytes() == finished
        report = await sync(hub, JSONLStore(path), since=since, until=NOW, clock=at(NOW))
    assert report.complete


@pytest.mark.parametrize("walking", [None, Window(NOW - timedelta(days=3650), NOW - timedelta(days=1))])
async def test_a_list_that_cannot_be_narrowed_safely_is_planned_whole(tmp_path: Path, walking: Window | None) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    await store.open({})
    await store.commit("retell/default", [], Checkpoint(in_progress=walking))
    await store.close()
    async with simulated("retell") as (hub, simulator):
        since = NOW - timedelta(days=3650)
        [planned] = await plan(hub, store, since=since, clock=at(NOW))
        simulator.requests.clear()
        await sync(hub, store, since=since, clock=at(NOW))
    assert planned.warnings == ()
    assert (planned.listed, planned.new) == (60, 60)
    assert planned.requests == simulator.requests["retell"]


async def test_a_window_that_was_begun_comes_first_and_counts_once(tmp_path: Path) -> None:
    store, since = SQLiteStore(tmp_path / "c.db"), NOW - timedelta(days=30)
    await store.open({})
    await store.commit("vapi/default", [], Checkpoint(in_progress=Window(since, since + timedelta(days=7))))
    await store.close()
    async with simulated("vapi", conversations=200) as (hub, simulator):
        [planned] = await plan(hub, store, since=since, clock=at(NOW))
        simulator.requests.clear()
        report = await sync(hub, store, since=since, clock=at(NOW))
    assert planned.new == report.accounts[0].new
    assert planned.requests == simulator.requests["vapi"]


async def test_windows_that_turn_out_too_narrow_are_forgotten() -> None:
    since = NOW - timedelta(days=14)
    # The second week's thirty are as many as a page has where nobody says how many: there may be more.
    moments = [since + timedelta(hours=1), since + timedelta(hours=2)]
    moments += [NOW - timedelta(hours=hours) for hours in range(1, 31)]

    async def voiceable(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if not asked.target.startswith("/conversations?"):
            return answer({"message": "not found"}, 404)
        bounds = {name: int(value) for name, value in parse_qsl(asked.target.partition("?")[2]) if "unix" in name}
        first, end = bounds.get("call_start_after_unix", 0), bounds.get("call_start_before_unix", 2**40)
        shown = [at.timestamp() for at in moments if first <= at.timestamp() < end]
        rows = [{"id": f"c{at:.0f}", "created_at": datetime.fromtimestamp(at, UTC).isoformat()} for at in shown]
        return answer({"success": True, "data": rows})

    async with (
        serving(voiceable) as server,
        Hub([Account("voiceable", key="key", base_url=server.url)], clock=FakeClock().clock) as hub,
    ):
        [planned] = await plan(hub, None, since=since, clock=at(NOW))
    assert (planned.listed, planned.new) == (32, 32)
    assert planned.list_requests == 2 + 1 + 2


async def test_requests_that_had_to_be_repeated_are_not_planned_for() -> None:
    provider = Tavus(3)
    once = [answer({"message": "down"}, 503)]

    class Stumbling(Tavus):
        async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
            return once.pop() if once else await provider(asked, writer)

    async with scripted(Stumbling()) as (hub, asked):
        [planned] = await plan(hub, None, clock=at(AFTER))
    assert len(asked) == 2 + 3
    assert (planned.list_requests, planned.detail_requests) == (2, 3)


# how long


class Ticking:
    """A clock by which each page takes so long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.time = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(monotonic=lambda: self.time, now=lambda: AFTER)

    def __call__(self, provider: Tavus) -> Tavus:
        ticking = self

        class Slow(Tavus):
            async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
                ticking.time += ticking._seconds
                return await provider(asked, writer)

        return Slow()


async def test_without_a_documented_limit_the_list_tells_how_long() -> None:
    time = Ticking(0.5)
    async with scripted(time(Tavus(250))) as (hub, _):
        [planned] = await plan(hub, None, clock=time.clock)
    assert load("tavus").requests_per_second is None
    assert (planned.requests_per_second, planned.seconds) == (None, None)
    assert (planned.list_requests, planned.detail_requests) == (6, 250)
    assert planned.estimated_seconds == pytest.approx(256 * 0.5)
    assert "about 0:02:08 at the rate the list was read; no limit is documented" in str(planned)


async def test_where_nothing_tells_nobody_knows() -> None:
    async with scripted(Tavus(5)) as (hub, _):
        [planned] = await plan(hub, None, clock=at(AFTER))
    assert planned.estimated_seconds is None
    assert "duration unknown" in str(planned)


async def test_a_documented_limit_is_reckoned_with() -> None:
    async with simulated("ultravox") as (hub, _):
        [planned] = await plan(hub, None, clock=at(NOW))
    limit = load("ultravox").requests_per_second
    assert limit
    assert planned.seconds == planned.requests / limit
    assert planned.estimated_seconds is None
    assert "at the documented 200 requests per second" in str(planned)


# what cannot be fetched


async def test_samples_say_what_is_not_to_be_had() -> None:
    provider = Tavus(101)
    provider.special |= {
        "c0": answer({"message": "not found"}, 404),
        "c50": answer(details(50, events=[], shutdown_reason="participant_absent_timeout")),
    }
    async with scripted(provider) as (hub, asked):
        [planned] = await plan(hub, None, clock=at(START + timedelta(days=30)))
    assert len(asked) == 2 + 3
    newest, middle, oldest = planned.samples
    assert str(newest) == "newest of 2026-03-02: transcript available"
    assert str(middle) == "middle of 2026-03-02: transcript unavailable"
    assert middle.ref == "tavus/default:c50"
    assert str(oldest) == "oldest of 2026-03-02: listed, but no longer there, NotFoundError: not found"
    assert (newest.is_lacking, middle.is_lacking, oldest.is_lacking) == (False, True, True)
    assert not planned.has_recordings
    assert "no recordings seen" in str(planned)


@pytest.mark.parametrize(
    ("sample", "said", "is_lacking"),
    [
        (
            Sample(ref="tavus:c", age="oldest", at=datetime(2026, 1, 3, tzinfo=UTC), transcript_state=None),
            "oldest of 2026-01-03: transcript unknown",
            False,
        ),
        (
            Sample(ref="tavus:c", age="oldest", at=NOW, transcript_state=TranscriptState.UNAVAILABLE, recordings=2),
            "oldest of 2026-11-20: transcript unavailable, 2 recordings",
            True,
        ),
        (
            Sample(ref="tavus:c", age="undated", at=None, transcript_state=TranscriptState.RESTRICTED, recordings=1),
            "undated: transcript restricted, 1 recording",
            True,
        ),
        (
            Sample(ref="tavus:c", age="middle", at=NOW, error=Failure("ForbiddenError", "no right")),
            "middle of 2026-11-20: cannot be fetched, ForbiddenError: no right",
            True,
        ),
    ],
)
def test_a_sample_says_in_words_what_there_is(sample: Sample, said: str, *, is_lacking: bool) -> None:
    assert str(sample) == said
    assert sample.is_lacking is is_lacking


async def test_recordings_are_seen() -> None:
    async with simulated("retell", "bland", conversations=120) as (hub, _):
        planned = await plan(hub, None, clock=at(NOW))
    assert all(one.has_recordings for one in planned)


def test_the_middle_one_is_in_the_middle_however_many_there_are() -> None:
    for count in (1, 2, 3, 64, 65, 66, 1000, 100_000):
        candidates = Sampler()
        for number in range(count):
            candidates.take(f"c{number}", START + timedelta(minutes=count - number))
        chosen = {age: int(id[1:]) for id, (age, _) in candidates.chosen().items()}
        assert (chosen["newest"], chosen.get("oldest", 0)) == (0, count - 1)
        assert len(chosen) == min(3, count)
        if count > 2:
            assert abs(chosen["middle"] - count / 2) <= max(1, count / 32)


async def test_rows_without_an_instant_are_samples_where_there_are_no_others() -> None:
    provider = Tavus(0)
    provider.rows = [row(number, created_at=None) for number in range(3)]
    async with scripted(provider) as (hub, _):
        [planned] = await plan(hub, None, clock=at(AFTER))
    assert (planned.new, [sample.age for sample in planned.samples]) == (3, ["undated"])


# what goes wrong


async def test_an_account_that_fails_stops_no_other_and_is_named() -> None:
    async with simulated("tavus", "vapi", faults=Faults(outage=1.0, providers=("tavus",))) as (hub, _):
        failed, planned = await plan(hub, None, clock=at(NOW))
    assert failed.error is not None
    assert failed.error.kind == "OutageError"
    assert str(failed).startswith("tavus/default: 0 conversations listed, 0 new\n  ended early: OutageError: ")
    assert (planned.error, planned.new) == (None, 60)


async def test_what_was_found_before_a_failure_stands() -> None:
    provider = Tavus(250)
    provider.special["page 3"] = answer({"message": "down"}, 501)
    async with scripted(provider) as (hub, _):
        [planned] = await plan(hub, None, clock=at(AFTER))
    assert planned.error == Failure("OutageError", "down")
    assert (planned.new, planned.list_requests, planned.samples) == (200, 3, ())


async def test_a_key_that_may_list_and_not_get_is_an_error() -> None:
    provider = Tavus(3)
    provider.special["c1"] = answer({"message": "Invalid access token"}, 401)
    async with scripted(provider) as (hub, _):
        [planned] = await plan(hub, None, clock=at(AFTER))
        assert planned.error == Failure("AuthError", "Invalid access token")
        provider.special["c1"] = answer({"message": "Not yours"}, 403)
        [planned] = await plan(hub, None, clock=at(AFTER))
    assert planned.error is None
    assert "cannot be fetched, ForbiddenError: Not yours" in str(planned.samples[1])


async def test_what_cannot_be_meant_is_refused_before_anything_happens(tmp_path: Path) -> None:
    async with Hub([Account("tavus", key="key")]) as hub:
        with pytest.raises(InvalidRefError, match="no time zone"):
            await plan(hub, SQLiteStore(tmp_path / "c.db"), until=datetime(2026, 1, 1))  # noqa: DTZ001
        with pytest.raises(ConfigurationError, match="no account"):
            await plan(hub, SQLiteStore(tmp_path / "c.db"), "vapi")
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_a_store_that_is_in_use_or_fails_is_told_and_let_go(tmp_path: Path) -> None:
    class Failing(SQLiteStore):
        async def progress(self, account: str) -> Checkpoint:
            raise StoreError(f"{account} cannot be read")

    store = SQLiteStore(tmp_path / "c.db")
    async with scripted(Tavus(3)) as (hub, _):
        await store.open({})
        with pytest.raises(StoreError, match="another sync is running"):
            await plan(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
        await store.close()
        with pytest.raises(StoreError, match="tavus/default cannot be read"):
            await plan(hub, Failing(tmp_path / "c.db"), clock=at(AFTER))
        [planned] = await plan(hub, store, clock=at(AFTER))
        assert planned.new == 3
        await hub.close()
        with pytest.raises(HubClosedError):
            await plan(hub, store, clock=at(AFTER))


# how it is shown


@pytest.mark.parametrize("as_json", [False, True])
async def test_it_is_shown_to_people_and_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, as_json: bool
) -> None:
    async with Simulator(
        conversations=60, seed=7, providers=("tavus", "vapi"), now=NOW, clock=ManualClock()
    ) as simulator:
        for name, value in simulator.environment().items():
            monkeypatch.setenv(name, value)

        async def is_good(*targets: str) -> bool:
            return await asyncio.to_thread(
                plan_command.run,
                targets,
                store=StoreURL("sqlite", tmp_path / "c.db"),
                since=None,
                until=None,
                lookback=None,
                again=False,
                redact=False,
                no_verify=False,
                keep=None,
                accounts=Accounts(),
                as_json=as_json,
            )

        assert await is_good()
        simulator.script("vapi", [400])
        assert not await is_good("vapi")
    out = capsys.readouterr().out
    if as_json:
        tavus, vapi, failed = map(json.loads, out.splitlines())
        assert (tavus["where"], tavus["new"], tavus["detail_requests"]) == ("tavus/default", 60, 60)
        assert (vapi["where"], vapi["detail_requests"], failed["error"]["kind"]) == ("vapi/default", 0, "RejectedError")
        assert msgspec.json.decode(out.splitlines()[0], type=AccountPlan).samples[0].age == "newest"
    else:
        assert out.startswith(
            "tavus/default: 60 conversations listed, 60 new (1 of unknown date)\n  at least 62 requests: 2 for the list"
        )
        assert "ended early: RejectedError" in out
