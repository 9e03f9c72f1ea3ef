"""An exception that nobody foresaw costs one account its run, loudly, and no other account anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest

from conversations_hub import Conversation, Hub
from conversations_hub._instants import earlier, later
from conversations_hub._transport.download import Download
from conversations_hub.adapters import tavus as tavus_adapter
from conversations_hub.errors import HubError, InvalidRefError, PartialError
from conversations_hub.hub._list_options import ListOptions
from conversations_hub.schema import Recording, RecordingAccess
from conversations_hub.stores._store import Checkpoint, Entry, Window, Written
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import _windows as windows_module
from conversations_hub.sync import download_recordings, plan, sync
from conversations_hub.sync._windows import STEP, windows

from .support.clock import at
from .support.iterators import ids, until_it_fails
from .support.sqlite import stored
from .support.tavus_server import AFTER, Tavus, tavus


def overflowing(*_: object) -> Iterator[Window]:
    raise OverflowError("what somebody said")


def check_loud(error: HubError | None) -> None:
    assert type(error) is HubError
    assert error.account == "eu"
    assert "OverflowError at overflowing" in error.reason
    assert ", line " in error.reason
    assert "test_bugs.py" in error.reason
    assert "what somebody said" not in str(error)
    assert error.__cause__ is error.__context__ is None


@pytest.fixture
def eu_overflows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the rows of one account come upon a bug."""
    wants = ListOptions.wants

    def overflowing(self: ListOptions, row: Conversation) -> bool:
        if row.account == "eu":
            raise OverflowError("what somebody said")
        return wants(self, row)

    monkeypatch.setattr(ListOptions, "wants", overflowing)


@pytest.mark.usefixtures("eu_overflows")
@pytest.mark.parametrize("limit", [None, 50])
async def test_a_bug_ends_the_walk_of_its_account_alone(limit: int | None) -> None:
    async with tavus(Tavus(25), ("default", "eu", "us")) as (hub, _):
        brought, error = await until_it_fails(hub.list("tavus", limit=limit))
    assert len(brought) == 50
    assert {one.account for one in brought} == {"default", "us"}
    assert isinstance(error, PartialError)
    assert list(error.errors) == ["tavus/eu"]
    check_loud(error.errors["tavus/eu"])


@pytest.mark.usefixtures("eu_overflows")
async def test_a_bug_is_raised_where_its_account_is_the_only_one() -> None:
    async with tavus(Tavus(25), ("eu",)) as (hub, _):
        brought, error = await until_it_fails(hub.list("tavus"))
    assert brought == []
    assert isinstance(error, HubError)
    check_loud(error)


async def test_what_the_caller_raises_stays_the_callers() -> None:
    def raising(_error: HubError) -> None:
        raise ZeroDivisionError

    provider = Tavus(3)
    provider.special["page 1"] = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
    async with tavus(provider) as (hub, _):
        _, error = await until_it_fails(hub.list("tavus", on_error=raising))
    assert isinstance(error, ZeroDivisionError)


async def test_a_bug_ends_the_sync_of_its_account_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    called: list[object] = []

    def first_overflows(*arguments: object) -> Iterator[Window]:
        called.append(arguments)
        return overflowing() if len(called) == 1 else windows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(windows_module, "windows", first_overflows)
    async with tavus(Tavus(25), ("eu", "default")) as (hub, _):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
    eu, default = report.accounts
    check_loud(eu.error)
    assert not eu.complete
    assert not report.complete
    assert default.complete
    assert len(stored(tmp_path / "c.db")) == 25


class Overflowing(SQLiteStore):
    """A store that comes upon a bug in one conversation."""

    async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        if account == "tavus/eu" and entries:
            overflowing()
        return await super().commit(account, entries, progress)


async def test_a_bug_in_a_commit_loses_nothing(tmp_path: Path) -> None:
    async with tavus(Tavus(25), ("eu", "default")) as (hub, _):
        report = await sync(hub, Overflowing(tmp_path / "c.db"), clock=at(AFTER))
        check_loud(report.accounts[0].error)
        again = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER + timedelta(hours=1)))
    assert again.complete
    assert len(stored(tmp_path / "c.db")) == 50


async def test_a_bug_ends_the_plan_of_its_account_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[object] = []

    def first_overflows(*arguments: object) -> Iterator[Window]:
        called.append(arguments)
        return overflowing() if len(called) == 1 else windows(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(windows_module, "windows", first_overflows)
    async with tavus(Tavus(25), ("eu", "default")) as (hub, _):
        eu, default = await plan(hub, None, clock=at(AFTER))
    assert eu.error is not None
    assert "OverflowError" in eu.error.reason
    assert default.error is None
    assert default.listed == 25


@pytest.mark.parametrize("created_at", [datetime(2026, 1, 1), datetime.max.replace(tzinfo=UTC), datetime.min])  # noqa: DTZ001, DTZ901
async def test_an_adapter_that_gives_no_instant_costs_the_row(
    created_at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = tavus_adapter.normalize

    def careless(body: bytes | msgspec.Raw) -> Conversation:
        one = read(body)
        return msgspec.structs.replace(one, created_at=created_at) if one.id == "c1" else one

    monkeypatch.setattr(tavus_adapter, "normalize", careless)
    async with tavus(Tavus(3)) as (hub, _):
        [page] = [page async for page in hub.list("tavus", since=datetime(2020, 1, 1, tzinfo=UTC)).pages()]
    assert ids(list(page.items)) == ["c0", "c2"]
    assert page.rejected[0].reason.startswith("the adapter has a bug: an instant")


async def test_a_span_that_is_none_in_utc_is_refused() -> None:
    east, west = timezone(timedelta(hours=14)), timezone(-timedelta(hours=12))
    async with tavus() as (hub, _):
        for since, until in ((datetime.min.replace(tzinfo=east), None), (None, datetime.max.replace(tzinfo=west))):
            with pytest.raises(InvalidRefError, match="is out of range in UTC"):
                hub.list("tavus", since=since, until=until)


MOMENTS = [datetime(1, 1, 1, tzinfo=UTC), AFTER, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)]


@pytest.mark.parametrize("lookback", [timedelta(0), timedelta(days=1), timedelta.max])
@pytest.mark.parametrize("covered_until", MOMENTS)
@pytest.mark.parametrize("since", [None, *MOMENTS])
def test_windows_overflow_nowhere_whatever_a_store_claims(
    since: datetime | None, covered_until: datetime, lookback: timedelta
) -> None:
    for covered in (Window(None, covered_until), Window(min(MOMENTS[0], covered_until), covered_until)):
        for step in (None, STEP, timedelta.max):
            for window in windows(covered, Window(since, AFTER), step, lookback):
                assert window.since is None or window.since < window.until


def test_what_is_later_or_earlier_stays_in_the_calendar() -> None:
    for moment in MOMENTS:
        for span in (timedelta(0), timedelta(days=400_000), timedelta.max):
            assert 1970 <= earlier(moment, span).year <= later(moment, span).year < 9000


@pytest.mark.parametrize("until", MOMENTS)
async def test_a_store_that_claims_odd_years_is_brought_up_to_date(until: datetime, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    await store.open({})
    await store.commit("tavus/default", [], Checkpoint(covered=Window(None, until), high_watermark=until))
    await store.close()
    async with tavus(Tavus(3)) as (hub, _):
        report = await sync(
            hub,
            SQLiteStore(tmp_path / "c.db"),
            clock=at(AFTER),
            lookback=timedelta(days=999_999),
            patience=timedelta.max,
        )
    assert report.complete, str(report)
    assert len(stored(tmp_path / "c.db")) == (3 if until <= AFTER else 0)  # what is covered is not walked again


async def test_a_span_without_length_goes_on_with_what_was_walked(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    await store.open({})
    await store.commit("tavus/default", [], Checkpoint(in_progress=Window(AFTER - timedelta(days=9), AFTER)))
    await store.close()
    async with tavus(Tavus(3)) as (hub, _):
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), since=AFTER, until=AFTER, clock=at(AFTER))
    assert report.complete, str(report)
    assert len(stored(tmp_path / "c.db")) == 3


async def test_a_bug_in_a_download_stops_no_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    async def overflowing(_hub: Hub, recording: Recording, path: Path, **_: object) -> Download:
        if recording.ref == "tavus/eu:c1":
            raise OverflowError("what somebody said")
        return Download(path=path, size=5, sha256="", media_type="audio/mpeg")

    monkeypatch.setattr(Hub, "download", overflowing)
    refs = ("tavus/eu:c1", "tavus/eu:c2", "tavus:c3")
    wanted = [[(Recording(location="/a", access=RecordingAccess.PROVIDER_KEY, ref=ref), 0, None)] for ref in refs]
    async with tavus(Tavus(3), ("eu", "default")) as (hub, _):
        report = await download_recordings(hub, wanted, tmp_path)
    assert report.downloaded == 2
    [reason] = report.failures
    assert "OverflowError at overflowing" in reason
    assert "what somebody said" not in reason
