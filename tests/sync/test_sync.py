"""Sync: everything is there once, what was interrupted goes on, what was late comes, and the report is true."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import Account, Conversation, Hub
from conversations_hub._scrub.signatures import without_signatures
from conversations_hub._transport import Clock
from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import AuthError, ConfigurationError, InvalidRefError, StoreError
from conversations_hub.schema import TranscriptState
from conversations_hub.stores import Store
from conversations_hub.stores._store import Checkpoint, Entry, Window, Written
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import SyncReport, sync
from conversations_hub.sync._windows import STEP, join, windows
from conversations_hub.testing import Faults

from ..support.clock import NOW, FakeClock, ManualClock, at
from ..support.jsonl import in_lines
from ..support.server import Answer, Asked, answer, serving
from ..support.simulated import simulated
from ..support.sqlite import stored
from ..support.tavus_server import AFTER, START, Tavus, details, row, scripted

# what comes


@pytest.mark.no_cover
async def test_everything_there_is_comes_once_and_as_the_hub_reads_it(tmp_path: Path) -> None:
    async with simulated(conversations=32) as (hub, _):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(NOW))
        walked = {one.ref: without_signatures(one) async for one in hub.list(transcripts=True)}
    found = stored(tmp_path / "c.db")
    assert found == walked
    assert report.complete, str(report)
    assert sum(account.new for account in report.accounts) == len(found) == 32 * len(BUILTIN)
    assert all(account.is_verified for account in report.accounts)
    assert all(
        (account.updated, account.bad, account.failed, account.missing) == (0,) * 4 for account in report.accounts
    )


@pytest.mark.no_cover
async def test_a_second_run_fetches_only_what_may_have_changed(tmp_path: Path) -> None:
    async with simulated(conversations=32) as (hub, simulator):
        first = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(NOW))
        before, asked = stored(tmp_path / "c.db"), simulator.requests.total()
        second = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(NOW + timedelta(minutes=1)))
        asked = simulator.requests.total() - asked
    assert stored(tmp_path / "c.db") == before
    assert second.complete
    assert sum(account.new + account.updated for account in second.accounts) == 0
    pending = sum(account.pending for account in first.accounts)
    assert sum(account.fetched for account in second.accounts) <= pending
    assert asked < pending * 3 + 100


async def test_what_the_report_says_is_what_happened(tmp_path: Path) -> None:
    provider = Tavus(5)
    provider.rows.append({"status": "ended"})  # without an id nobody can read it
    provider.special |= {
        "c1": answer({"message": "not found"}, 404),
        "c2": answer({"message": "bad gateway"}, 501),
        "c3": answer(details(3, status="active", events=[])),
    }
    async with scripted(provider) as (hub, _):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
    [account] = report.accounts
    assert (account.listed, account.fetched, account.new, account.bad) == (6, 5, 5, 1)
    assert (account.missing, account.failed, account.pending) == (0, 1, 2)
    assert account.failures == Counter({"OutageError": 1})
    assert [issue.place for issue in account.rejected] == ["page 1, row 5"]
    assert not report.complete
    found = stored(tmp_path / "c.db")
    assert found["tavus:c0"].text == "user: I am number 0."
    assert found["tavus:c1"].transcript_state is TranscriptState.NOT_LOADED
    assert str(report).startswith("tavus/default: incomplete, 5 new, 0 updated, 0 unchanged, 2 pending, 1 bad")
    told = report.to_dict()
    assert msgspec.json.decode(msgspec.json.encode(told)) == told
    assert told["accounts"][0]["failures"] == {"OutageError": 1}


async def test_what_failed_is_tried_again_by_the_next_run_however_old(tmp_path: Path) -> None:
    provider = Tavus(30)
    provider.special["c7"] = answer({"message": "bad gateway"}, 501)
    late = START + timedelta(days=300)
    async with scripted(provider) as (hub, asked):
        first = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(late))
        provider.special.clear()
        asked.clear()
        second = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(late + timedelta(days=1)))
    assert (first.accounts[0].failed, first.complete, second.complete) == (1, False, True)
    assert (second.accounts[0].updated, second.accounts[0].fetched) == (1, 1)
    assert stored(tmp_path / "c.db")["tavus:c7"].text == "user: I am number 7."


@pytest.mark.parametrize("status", [404, 501])
@pytest.mark.parametrize("make", [SQLiteStore, JSONLStore], ids=["SQLite", "JSON lines"])
async def test_what_is_stored_stays_though_it_cannot_be_had_again(
    make: Callable[[Path], Store], status: int, tmp_path: Path
) -> None:
    provider = Tavus(3)
    async with scripted(provider) as (hub, asked):
        await sync(hub, make(tmp_path / "c"), clock=at(AFTER))
        provider.special |= {f"c{number}": answer({"message": "no"}, status) for number in range(3)}
        provider.rows[2] |= {"conversation_name": "renamed"}
        report = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=1)))
        asked.clear()
        await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=2)))
        assert sum("/c2?" in one.target for one in asked) == 1
    [account] = report.accounts
    assert (account.new, account.updated, account.pending + account.failed) == (0, 0, 1)
    found = stored(tmp_path / "c") if make is SQLiteStore else in_lines(tmp_path / "c")
    assert found["tavus:c2"].text == "user: I am number 2."


async def test_an_account_that_fails_stops_no_other(tmp_path: Path) -> None:
    async with simulated("tavus", "vapi", faults=Faults(outage=1.0, providers=("tavus",))) as (hub, simulator):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(NOW))
        assert not report.complete
        assert {ref.partition(":")[0] for ref in stored(tmp_path / "c.db")} == {"vapi"}
        simulator.faults = Faults()
    [failed] = [account for account in report.accounts if account.error]
    assert failed.where == "tavus/default"
    assert "OutageError" in str(failed)


async def test_a_key_that_is_refused_ends_the_account_and_says_so(tmp_path: Path) -> None:
    provider = Tavus(3)
    provider.special["c1"] = answer({"message": "Invalid access token"}, 401)
    async with scripted(provider) as (hub, _):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
    assert isinstance(report.accounts[0].error, AuthError)
    assert not report.complete


async def test_what_cannot_be_meant_is_refused_before_anything_happens(tmp_path: Path) -> None:
    async with Hub([Account("tavus", key="key")]) as hub:
        with pytest.raises(InvalidRefError, match="no time zone"):
            await sync(hub, SQLiteStore(tmp_path / "c.db"), since=datetime(2026, 1, 1))  # noqa: DTZ001
        with pytest.raises(ConfigurationError, match="no account"):
            await sync(hub, SQLiteStore(tmp_path / "c.db"), "vapi")
    assert list(tmp_path.iterdir()) == []  # noqa: ASYNC240


async def test_nothing_is_stored_that_was_not_redacted(tmp_path: Path) -> None:
    class Shout:
        counts = Counter[str]()

        def __call__(self, conversation: Conversation) -> Conversation:
            self.counts["shouted"] += 1
            turns = tuple(
                msgspec.structs.replace(turn, text=turn.text.upper()) for turn in conversation.transcript or ()
            )
            return msgspec.structs.replace(conversation, transcript=turns)

    async with scripted(Tavus(3)) as (hub, _):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), redact=[Shout()], clock=at(AFTER))
        assert {one.text for one in stored(tmp_path / "c.db").values()} == {f"user: I AM NUMBER {n}." for n in range(3)}
        again = await sync(hub, SQLiteStore(tmp_path / "c.db"), redact=Shout(), clock=at(AFTER))
    assert report.redacted["shouted"] == 3
    assert "redacted: 3 shouted" in str(report)
    assert again.accounts[0].updated == 0


# what comes late


@pytest.mark.parametrize(
    ("make", "read"), [(SQLiteStore, stored), (JSONLStore, in_lines)], ids=["SQLite", "JSON lines"]
)
async def test_late_transcripts_are_pending_until_they_are_there(
    make: Callable[[Path], Store], read: Callable[[Path], dict[str, Conversation]], tmp_path: Path
) -> None:
    present = ManualClock()
    async with simulated("tavus", present=present) as (hub, _):
        first = await sync(hub, make(tmp_path / "c"), clock=present.clock)
        waiting = {ref for ref, one in read(tmp_path / "c").items() if one.transcript_state is TranscriptState.PENDING}
        present.seconds += 7200
        second = await sync(hub, make(tmp_path / "c"), clock=present.clock)
        found = read(tmp_path / "c")
    assert len(waiting) >= 3
    assert first.accounts[0].pending >= len(waiting)
    assert all(found[ref].transcript_state is not TranscriptState.PENDING for ref in waiting)
    assert second.accounts[0].updated >= len(waiting)


async def test_nobody_waits_for_ever(tmp_path: Path) -> None:
    provider = Tavus(3)
    provider.special["c1"] = answer(details(1, events=[]))
    async with scripted(provider) as (hub, asked):
        for days, pending, fetched in ((1, 1, 3), (3, 1, 1), (8, 0, 1), (9, 0, 0)):
            now = START + timedelta(days=days)
            report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(now))
            assert (report.accounts[0].pending, report.accounts[0].fetched) == (pending, fetched), days
        assert asked


async def test_f094_many_at_one_instant_on_the_edge_of_a_window_come_once(tmp_path: Path) -> None:
    provider = Tavus(0)
    provider.rows = [row(number, created_at=START.isoformat()) for number in range(500)]
    provider.special = {f"c{number}": answer(details(number, created_at=START.isoformat())) for number in range(500)}
    async with scripted(provider) as (hub, _):
        first = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START))
        assert stored(tmp_path / "c.db") == {}
        second = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START + timedelta(seconds=1)))
        third = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START + timedelta(seconds=2)))
    assert [report.accounts[0].new for report in (first, second, third)] == [0, 500, 0]
    assert len(stored(tmp_path / "c.db")) == 500


async def test_f095_what_appears_ten_minutes_late_comes_with_the_next_run(tmp_path: Path) -> None:
    provider = Tavus(10)
    now = START + timedelta(minutes=20)
    async with scripted(provider) as (hub, _):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(now))
        provider.rows.append(row(10, created_at=(now - timedelta(minutes=10)).isoformat()))
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(now + timedelta(minutes=1)))
    assert report.accounts[0].new == 1
    assert len(stored(tmp_path / "c.db")) == 11


async def test_a_clock_that_was_a_year_ahead_costs_no_conversation(tmp_path: Path) -> None:
    provider = Tavus(10)
    async with scripted(provider) as (hub, _):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER + timedelta(days=365)))
        provider.rows += [row(number) for number in range(10, 5000, 100)]
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START + timedelta(days=10)))
    assert report.accounts[0].new == 50
    assert len(stored(tmp_path / "c.db")) == 60


async def test_a_clock_that_was_a_year_behind_costs_no_conversation(tmp_path: Path) -> None:
    async with scripted(Tavus(10)) as (hub, _):
        first = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START - timedelta(days=365)))
        second = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
    assert (first.accounts[0].new, second.accounts[0].new) == (0, 10)


# what moves


async def test_what_was_there_throughout_is_there_though_others_come_and_go(tmp_path: Path) -> None:
    provider = Tavus(600)
    gone: list[str] = []

    async def drifting(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if "page=" in asked.target and len(gone) < 70:
            gone.extend(one["conversation_id"] for one in provider.rows[:7])
            del provider.rows[:7]  # shifts everything behind it, so that the next page leaves seven out
            provider.rows.append(row(1000 + asked.number))
        return await provider(asked, writer)

    async with (
        serving(drifting) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], profile="bulk", clock=FakeClock().clock) as hub,
    ):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START + timedelta(days=30)))
    found = stored(tmp_path / "c.db")
    throughout = {f"tavus:c{number}" for number in range(600)} - {f"tavus:{id}" for id in gone}
    assert len(gone) > 40
    assert throughout <= found.keys()
    assert report.complete, str(report)


async def test_without_looking_twice_drift_loses_some_which_is_why_it_does(tmp_path: Path) -> None:
    provider = Tavus(600)

    async def drifting(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if "page=2" in asked.target:
            del provider.rows[:50]
        return await provider(asked, writer)

    async with (
        serving(drifting) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], profile="bulk", clock=FakeClock().clock) as hub,
    ):
        store = SQLiteStore(tmp_path / "c.db")
        report = await sync(hub, store, verify=False, clock=at(START + timedelta(days=30)))
    assert not report.accounts[0].is_verified
    assert len(stored(tmp_path / "c.db")) == 550


async def test_a_list_that_cannot_be_narrowed_safely_is_walked_whole(tmp_path: Path) -> None:
    # Retell finds calls by their start only, and those that nobody answered have none.
    async with simulated("retell") as (hub, _):
        since = NOW - timedelta(days=3650)
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), since=since, clock=at(NOW))
    assert report.complete, str(report)
    assert len(stored(tmp_path / "c.db")) == 60


# what is interrupted


class Stopping(SQLiteStore):
    """A store that is struck by lightning at its nth commit, before or after it was done."""

    def __init__(self, path: Path, commits: int, *, is_done: bool) -> None:
        super().__init__(path)
        self._left = commits
        self._is_done = is_done

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        self._left -= 1
        if self._left > 0 or (self._left == 0 and self._is_done):
            written = await super().commit(account, entries, progress)
            if self._left > 0:
                return written
        raise StoreError("struck by lightning")


def every(seconds: float) -> Clock:
    """Return a clock by which every look takes so long, so that much is committed."""
    time = 0.0

    def monotonic() -> float:
        nonlocal time
        time += seconds
        return time

    return Clock(monotonic=monotonic, now=lambda: NOW)


@pytest.mark.no_cover
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("commits", [1, 3, 8, 14])
async def test_a_run_goes_on_where_the_last_one_was_struck(commits: int, tmp_path: Path, *, is_done: bool) -> None:
    async with simulated("tavus", "elevenlabs", "vapi", conversations=12) as (hub, _):
        undisturbed = await sync(hub, SQLiteStore(tmp_path / "undisturbed.db"), clock=every(0.3))
        path, struck, report = tmp_path / "c.db", 0, SyncReport()
        while not report.complete:
            try:
                report = await sync(hub, Stopping(path, commits + struck, is_done=is_done), clock=every(0.3))
            except StoreError:
                struck += 1
    assert struck
    assert undisturbed.complete
    assert stored(path) == stored(tmp_path / "undisturbed.db")


async def test_what_is_whole_is_kept_when_a_run_is_cancelled(tmp_path: Path) -> None:
    provider = Tavus(30)
    reached = asyncio.Event()

    async def hanging(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if asked.number == 20:
            reached.set()
            await asyncio.Event().wait()
        return await provider(asked, writer)

    async with (
        serving(hanging) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], clock=FakeClock().clock) as hub,
    ):
        run = asyncio.create_task(sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER)))
        await reached.wait()
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
    assert 0 < len(stored(tmp_path / "c.db")) < 30


async def test_a_commit_that_was_cancelled_before_it_began_loses_nothing(tmp_path: Path) -> None:
    class Crowded(SQLiteStore):
        is_crowded = True

        async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
            if entries and self.is_crowded:
                self.is_crowded = False
                running = asyncio.current_task()
                assert running is not None
                running.cancel()  # as it waits for its turn in the store's thread
                await asyncio.sleep(0)
            return await super().commit(account, entries, progress)

    async with scripted(Tavus(30)) as (hub, _):
        report = await sync(hub, Crowded(tmp_path / "c.db"), clock=at(AFTER))
    assert not report.complete
    assert report.accounts[0].fetched == len(stored(tmp_path / "c.db")) == 30


async def test_a_place_the_provider_no_longer_knows_is_no_end(tmp_path: Path) -> None:
    provider = Tavus(450)
    provider.special["page 3"] = answer({"message": "down"}, 501)
    async with scripted(provider) as (hub, asked):
        first = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(NOW))
        assert first.accounts[0].error
        provider.special["page 3"] = answer({"message": "gone"}, 410)
        asked.clear()

        def known_again() -> None:
            provider.special.pop("page 3", None)

        once = Counter[str]()

        async def forgetting(one: Asked, writer: asyncio.StreamWriter) -> Answer:
            once[one.target] += 1
            if once["/v2/conversations?limit=100&page=1"]:
                known_again()
            return await provider(one, writer)

        async with (
            serving(forgetting) as server,
            Hub([Account("tavus", key="key", base_url=server.url)], clock=FakeClock().clock) as other,
        ):
            second = await sync(other, SQLiteStore(tmp_path / "c.db"), clock=at(NOW))
    assert second.complete, str(second)
    assert len(stored(tmp_path / "c.db")) == 450
    assert second.accounts[0].new == 250


async def test_a_second_sync_on_the_same_store_is_told(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    await store.open({})
    async with simulated("tavus") as (hub, _):
        with pytest.raises(StoreError, match="another sync is running"):
            await sync(hub, SQLiteStore(tmp_path / "c.db"))
    await store.close()


async def test_somebody_can_watch(tmp_path: Path) -> None:
    report = SyncReport()
    async with scripted(Tavus(3)) as (hub, _):
        assert await sync(hub, SQLiteStore(tmp_path / "c.db"), report=report, clock=at(AFTER)) is report
    assert report.accounts[0].new == 3


# windows


moments = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 6, 1), timezones=st.just(UTC))  # noqa: DTZ001
maybe = st.none() | moments


@given(maybe, st.none() | st.tuples(maybe, moments), moments, st.sampled_from([None, STEP]))
def test_windows_leave_nothing_out_and_stay_one_span(
    since: datetime | None,
    before: tuple[datetime | None, datetime] | None,
    until: datetime,
    step: timedelta | None,
) -> None:
    covered = None if before is None or (before[0] and before[0] >= before[1]) else Window(*before)
    start = covered
    for window in windows(covered, Window(since, until), step, timedelta(hours=1)):
        assert window.since is None or window.since < window.until
        assert step is None or window.since is None or window.until - window.since <= step
        if covered is not None:  # they touch
            assert window.since is None or window.since <= covered.until
            assert covered.since is None or window.until >= covered.since
        covered = join(covered, window)
    if covered is not None:
        assert covered.until >= until or (start is not None and covered == start) or (since and since >= until)
        if start is None or (start.since is not None and (since is None or since < start.since)):
            assert covered.since == since


def test_an_incremental_run_looks_back() -> None:
    covered = Window(None, NOW)
    [window] = windows(covered, Window(NOW - timedelta(days=90), NOW + timedelta(hours=1)), STEP, timedelta(minutes=15))
    assert window == Window(NOW - timedelta(minutes=15), NOW + timedelta(hours=1))


def test_what_lies_before_is_walked_from_the_later_to_the_earlier() -> None:
    covered = Window(NOW - timedelta(days=1), NOW)
    found = list(windows(covered, Window(NOW - timedelta(days=16), NOW), timedelta(days=7), timedelta(minutes=15)))
    assert [(window.until - NOW).days for window in found] == [-1, -8, -15, 0]
