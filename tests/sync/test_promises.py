"""What a sync promises where providers, clocks and records are at their worst: nothing lost, nothing stuck."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub.errors import InvalidRefError, StoreError
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import TranscriptState
from conversations_hub.stores import Store
from conversations_hub.stores._store import Checkpoint, Entry, Written
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore, _connection
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.stores.sqlite._tables import CONVERSATION
from conversations_hub.sync import SyncReport, plan, sync
from conversations_hub.testing import Simulator

from ..support.clock import NOW, FakeClock, at
from ..support.jsonl import in_lines
from ..support.server import Answer, Asked, answer, serving
from ..support.sqlite import stored
from ..support.tavus_server import AFTER, START, Tavus, details, row, scripted

FOREVER = timedelta(days=3650)
Make = Callable[[Path], Store]
Read = Callable[[Path], dict[str, Conversation]]

STORES = pytest.mark.parametrize(
    ("make", "read"), [(SQLiteStore, stored), (JSONLStore, in_lines)], ids=["SQLite", "JSON lines"]
)
GONE = answer({"message": "not found"}, 404)
BROKEN = answer({"message": "bad gateway"}, 501)


# a place in a list that is no longer known


class ElevenLabs:
    """A list of three pages whose cursors are forgotten on demand."""

    def __init__(self) -> None:
        self.forgotten: Answer = None
        self.down_from = 3

    async def __call__(self, asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        path, _, query = asked.target.partition("?")
        if not path.endswith("/conversations"):
            return answer(self._row(path.rpartition("/")[2], transcript=[]))
        cursor = dict(part.split("=") for part in query.split("&")).get("cursor")
        if cursor is not None and self.forgotten is not None:
            return self.forgotten
        page = 0 if cursor is None else int(cursor.removeprefix("p"))
        if page >= self.down_from:
            return BROKEN
        rows = [self._row(f"conv_{page * 20 + number}") for number in range(20)]
        following = {"next_cursor": f"p{page + 1}"} if page < 2 else {}
        return answer({"conversations": rows, "has_more": page < 2, **following})

    @staticmethod
    def _row(id: str, **more: Any) -> dict[str, Any]:
        started = int(START.timestamp())
        metadata = {"start_time_unix_secs": started, "call_duration_secs": 10} if more else {}
        return {
            "conversation_id": id,
            "agent_id": "a1",
            "status": "done",
            "start_time_unix_secs": started,
            "call_duration_secs": 10,
            "message_count": 0,
            **({"metadata": metadata} if more else {}),
            **more,
        }


@STORES
@pytest.mark.parametrize("status", [400, 403, 404, 410, 422, 500])
async def test_a_place_the_provider_refuses_begins_its_window_again(
    make: Make, read: Read, status: int, tmp_path: Path
) -> None:
    provider = ElevenLabs()
    provider.down_from = 2
    async with (
        serving(provider) as server,
        Hub([Account("elevenlabs", key="key", base_url=server.url)], profile="bulk", clock=FakeClock().clock) as hub,
    ):
        first = await sync(hub, make(tmp_path / "c"), clock=at(AFTER))
        assert not first.complete
        assert first.accounts[0].new == 40
        provider.down_from = 3
        provider.forgotten = answer({"detail": {"message": "unknown cursor"}}, status)
        server.asked.clear()
        second = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(hours=1)))
        resumed = next(one for one in server.asked if "cursor=" in one.target)
    # No page after the first can be had, but the first one shows that the place alone was at fault.
    assert second.accounts[0].listed == 20
    assert "before" not in resumed.target, "asked for with a filter that the place was not made with"
    async with (
        serving(provider) as server,
        Hub([Account("elevenlabs", key="key", base_url=server.url)], profile="bulk", clock=FakeClock().clock) as hub,
    ):
        provider.forgotten = None
        third = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(hours=2)))
    assert third.complete, str(third)
    assert len(read(tmp_path / "c")) == 60


@STORES
async def test_an_outage_at_the_place_loses_no_place(make: Make, read: Read, tmp_path: Path) -> None:
    provider = ElevenLabs()
    provider.down_from = 2
    async with (
        serving(provider) as server,
        Hub([Account("elevenlabs", key="key", base_url=server.url)], profile="bulk", clock=FakeClock().clock) as hub,
    ):
        await sync(hub, make(tmp_path / "c"), clock=at(AFTER))
        provider.down_from = 0
        await sync(hub, make(tmp_path / "c"), clock=at(AFTER))
        provider.down_from = 3
        server.asked.clear()
        assert (await sync(hub, make(tmp_path / "c"), clock=at(AFTER))).complete
        pages = [one.target.partition("cursor=")[2] for one in server.asked if "/conversations?" in one.target]
    assert pages == ["p2", "", "p1", "p2"]  # the rest, and the second look
    assert len(read(tmp_path / "c")) == 60


# what is there, and for a while is not


@STORES
async def test_what_the_list_shows_is_not_gone_because_get_says_so(make: Make, read: Read, tmp_path: Path) -> None:
    provider = Tavus(3)
    provider.special["c1"] = GONE
    reports: list[SyncReport] = []
    async with scripted(provider) as (hub, _):
        for minutes in (1, 30, 600):
            provider.special = {} if minutes == 600 else {"c1": GONE}
            reports.append(await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=minutes))))
    assert [(one.accounts[0].pending, one.accounts[0].missing) for one in reports] == [(1, 0), (1, 0), (0, 0)]
    assert read(tmp_path / "c")["tavus:c1"].text == "user: I am number 1."


@STORES
async def test_what_is_no_longer_listed_and_cannot_be_had_is_missing_for_good(
    make: Make, read: Read, tmp_path: Path
) -> None:
    provider = Tavus(3)
    provider.special["c1"] = GONE
    async with scripted(provider) as (hub, asked):
        await sync(hub, make(tmp_path / "c"), clock=at(AFTER))
        del provider.rows[1]
        second = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=1)))
        asked.clear()
        await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=2)))
    assert second.accounts[0].missing == 1
    assert not any("/c1" in one.target for one in asked)
    assert read(tmp_path / "c")["tavus:c1"].transcript_state is TranscriptState.NOT_LOADED


# how far back


@pytest.mark.parametrize("minutes", [60, 120, 23 * 60])
async def test_what_turns_up_late_comes_within_the_lookback(minutes: int, tmp_path: Path) -> None:
    provider = Tavus(1)
    late = row(1, created_at=(AFTER - timedelta(minutes=minutes)).isoformat())
    provider.special["c1"] = answer(details(1, created_at=late["created_at"]))
    async with scripted(provider) as (hub, _):
        provider.rows.append(row(2, created_at=(AFTER - timedelta(minutes=1)).isoformat()))
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
        provider.rows.append(late)
        await sync(hub, SQLiteStore(tmp_path / "c.db"), lookback=timedelta(0), clock=at(AFTER + timedelta(minutes=5)))
        assert "tavus:c1" not in stored(tmp_path / "c.db")
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER + timedelta(minutes=10)))
    assert report.accounts[0].new == 1
    assert "tavus:c1" in stored(tmp_path / "c.db")


async def test_again_walks_and_compares_whatever_is_covered(tmp_path: Path) -> None:
    provider = Tavus(30)
    async with scripted(provider) as (hub, _):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
        corrected = details(7)
        corrected["events"][0]["properties"]["transcript"][0]["content"] = "I am someone else."
        provider.special["c7"] = answer(corrected)
        later = AFTER + timedelta(days=30)
        plain = await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(later))
        again = await sync(hub, SQLiteStore(tmp_path / "c.db"), again=True, clock=at(later))
    assert plain.accounts[0].updated == 0
    assert (again.accounts[0].updated, again.accounts[0].fetched, again.complete) == (1, 30, True)
    assert stored(tmp_path / "c.db")["tavus:c7"].text == "user: I am someone else."


async def test_again_since_a_later_instant_leaves_no_gap_behind_it(tmp_path: Path) -> None:
    provider = Tavus(0)
    provider.rows = [row(number, created_at=(START + timedelta(days=number)).isoformat()) for number in range(30)]
    provider.special = {
        f"c{number}": answer(details(number, created_at=provider.rows[number]["created_at"])) for number in range(30)
    }
    async with scripted(provider) as (hub, _):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(START + timedelta(days=5, hours=1)))
        end = START + timedelta(days=40)
        await sync(hub, SQLiteStore(tmp_path / "c.db"), since=START + timedelta(days=20), again=True, clock=at(end))
    assert len(stored(tmp_path / "c.db")) == 30


@STORES
async def test_what_vanished_at_the_provider_is_told(make: Make, read: Read, tmp_path: Path) -> None:
    provider = Tavus(5)
    async with scripted(provider) as (hub, _):
        await sync(hub, make(tmp_path / "c"), clock=at(AFTER))
        kept, provider.rows = provider.rows, provider.rows[:2]
        some = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=1)))
        provider.rows = []
        all_of_them = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=2)))
        provider.rows = kept
        none = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(minutes=3)))
    assert sorted(some.accounts[0].vanished) == ["tavus/default:c2", "tavus/default:c3", "tavus/default:c4"]
    assert "3 vanished at the provider" in str(some)
    assert len(all_of_them.accounts[0].vanished) == 5
    assert none.accounts[0].vanished == []
    assert len(read(tmp_path / "c")) == 5


async def test_whatever_sees_a_conversation_again_takes_back_that_it_vanished(tmp_path: Path) -> None:
    async with (
        Simulator(conversations=20, providers=["anyreach"]) as simulator,
        Hub.from_env(environ=simulator.environment()) as hub,
    ):
        path = tmp_path / "c.db"
        await sync(hub, SQLiteStore(path))
        every = sorted(stored(path))
        store = SQLiteStore(path)
        await store.open({})
        assert len(await store.vanished("anyreach/default", [], datetime.now(UTC))) == 20
        await store.close()
        assert _vanished(path) == every
        # Its lists are narrowed by time, so that this walks a part.
        report = (await sync(hub, SQLiteStore(path), lookback=timedelta(hours=4))).accounts[0]
        assert 0 < report.listed < 20
        assert len(_vanished(path)) == 20 - report.listed
        assert report.unchanged + report.updated == report.listed
        assert report.fetched < report.listed  # seen is enough


def _vanished(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT ref FROM conversations WHERE vanished_at NOT NULL ORDER BY ref")
        return [ref for (ref,) in found]


async def test_nothing_vanishes_from_a_span_that_was_not_listed(tmp_path: Path) -> None:
    async with (
        Simulator(conversations=5, providers=["anyreach"]) as simulator,
        Hub.from_env(environ=simulator.environment()) as hub,
    ):
        month_ago = datetime.now(UTC) - timedelta(days=30)
        await sync(hub, SQLiteStore(tmp_path / "c.db"), since=month_ago)
        report = await sync(hub, SQLiteStore(tmp_path / "c.db"))
    assert report.accounts[0].vanished == []


# one bad record


@STORES
async def test_one_bad_record_holds_back_none_of_the_good_ones(make: Make, read: Read, tmp_path: Path) -> None:
    provider = Tavus(20)
    provider.special["c7"] = BROKEN
    provider.rows.append({"status": "ended"})  # without an id nobody can read it
    async with scripted(provider) as (hub, asked):
        first = await sync(hub, make(tmp_path / "c"), clock=at(AFTER))
        assert not first.complete
        assert len(read(tmp_path / "c")) == 20
        later = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(days=6)))
        over = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(days=8)))
        asked.clear()
        quiet = await sync(hub, make(tmp_path / "c"), clock=at(AFTER + timedelta(days=9)))
    counts = [(one.accounts[0].failed, one.accounts[0].given_up) for one in (first, later, over, quiet)]
    assert counts == [(1, 0), (1, 0), (0, 1), (0, 0)]
    assert first.accounts[0].not_loaded == ["tavus/default:c7"]
    assert not any("/c7" in one.target for one in asked)
    if make is JSONLStore:
        manifest = msgspec.json.decode((tmp_path / "c.manifest.json").read_bytes())
        assert manifest["missing"] == {"tavus/default": {"unreadable": 1, "not_loaded": 1, "ids": ["c7"]}}


# spans of time


async def test_a_filter_on_a_store_means_what_it_means_in_a_hub(tmp_path: Path) -> None:
    provider = Tavus(10)
    provider.rows[3].pop("created_at")
    bare = details(3)
    del bare["created_at"]
    provider.special["c3"] = answer(bare)
    since = START + timedelta(minutes=5)
    async with scripted(provider) as (hub, _):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
        listed = {one.id async for one in hub.list(since=since)}
    with SQLiteReader(tmp_path / "c.db") as archive:
        assert listed == {"c3", "c5", "c6", "c7", "c8", "c9"}
        assert {one.id for one in archive.conversations(since=since)} == listed
        assert [one.id for one in archive.conversations(since=since, limit=6)][-1] == "c3"
        assert len(list(archive.conversations(since=since, limit=2))) == 2
        assert archive.search("number", since=since).total == 6


async def test_what_turns_out_to_lie_behind_the_end_is_not_stored(tmp_path: Path) -> None:
    provider = Tavus(10)
    for each in provider.rows:
        each.pop("created_at")
    until = START + timedelta(minutes=5)
    async with scripted(provider) as (hub, _):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), until=until, clock=at(AFTER))
        assert stored(tmp_path / "c.db").keys() == {f"tavus:c{number}" for number in range(5)}
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
    assert len(stored(tmp_path / "c.db")) == 10


async def test_an_end_before_the_beginning_is_refused_everywhere(tmp_path: Path) -> None:
    span: dict[str, Any] = {"since": NOW, "until": NOW - timedelta(days=1)}
    async with scripted(Tavus(1)) as (hub, asked):
        await sync(hub, SQLiteStore(tmp_path / "c.db"), clock=at(AFTER))
        asked.clear()
        with pytest.raises(InvalidRefError, match="is after until"):
            await sync(hub, SQLiteStore(tmp_path / "other.db"), **span)
        with pytest.raises(InvalidRefError, match="is after until"):
            await plan(hub, None, **span)
        with pytest.raises(InvalidRefError, match="is after until"):
            hub.list(**span)
        assert asked == []
    with SQLiteReader(tmp_path / "c.db") as archive:
        for ask in (archive.conversations, archive.recordings):
            with pytest.raises(InvalidRefError, match="is after until"):
                list(ask(**span))
        with pytest.raises(InvalidRefError, match="is after until"):
            archive.search("x", **span)
    assert not (tmp_path / "other.db").exists()


# the same command


@pytest.mark.parametrize(
    ("since", "later", "is_same"),
    [
        pytest.param(timedelta(days=90), timedelta(seconds=40), True, id="the last 90 days, after midnight"),
        pytest.param(timedelta(days=90), timedelta(days=3), True, id="the last 90 days, three days later"),
        pytest.param(timedelta(days=30), timedelta(seconds=40), False, id="the last 30 days"),
    ],
)
async def test_a_run_that_was_stopped_goes_on_with_the_same_words(
    since: timedelta, later: timedelta, *, is_same: bool, tmp_path: Path
) -> None:
    midnight = datetime(2026, 11, 21, tzinfo=UTC)
    began, goes_on = midnight - timedelta(seconds=20), midnight - timedelta(seconds=20) + later
    provider = Tavus(250)
    provider.special["page 2"] = answer({"message": "Invalid access token"}, 401)
    async with scripted(provider) as (hub, _):
        first = began - timedelta(days=90)
        assert not (await sync(hub, JSONLStore(tmp_path / "c"), since=first, clock=at(began))).complete
        provider.special.clear()
        again = sync(hub, JSONLStore(tmp_path / "c"), since=goes_on - since, clock=at(goes_on))
        if is_same:
            assert (await again).complete
            return
        with pytest.raises(StoreError, match="started with different options: since was"):
            await again


async def test_a_fixed_beginning_stays_the_same(tmp_path: Path) -> None:
    provider = Tavus(250)
    provider.special["page 2"] = answer({"message": "Invalid access token"}, 401)
    async with scripted(provider) as (hub, _):
        for days, works in ((1, False), (2, True)):
            now = START + timedelta(days=days)
            assert (await sync(hub, JSONLStore(tmp_path / "c"), since=START, clock=at(now))).complete is works
            provider.special.clear()


async def test_a_run_that_brings_nothing_writes_nothing(tmp_path: Path) -> None:
    async with scripted(Tavus(50)) as (hub, _):
        await sync(hub, JSONLStore(tmp_path / "c"), clock=at(AFTER))
        before = (tmp_path / "c").stat()
        report = await sync(hub, JSONLStore(tmp_path / "c"), clock=at(AFTER + timedelta(hours=1)))
        after = (tmp_path / "c").stat()
        assert report.complete
        assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
        again = await sync(hub, JSONLStore(tmp_path / "c"), clock=at(AFTER + timedelta(hours=2)))
    assert (again.accounts[0].fetched, again.complete) == (0, True)
    assert len(in_lines(tmp_path / "c")) == 50


# others who write to the file


@pytest.mark.parametrize(
    "meddling",
    [
        "DELETE FROM conversations",
        "DELETE FROM conversations WHERE id = 'c3'",
        "DELETE FROM turns",
        "DELETE FROM participants",
        "DELETE FROM remembered",
        "DELETE FROM accounts",
        "DELETE FROM sqlite_sequence",
        "DROP TRIGGER conversations_removed; DELETE FROM conversations",
        (
            "CREATE TABLE copied AS SELECT * FROM conversations; DELETE FROM conversations;"  # noqa: S608  (our names)
            f" INSERT INTO conversations ({', '.join(CONVERSATION)}) SELECT {', '.join(CONVERSATION)} FROM copied;"
            " DROP TABLE copied"
        ),
        "UPDATE conversations SET id = id || 'x'",
        "VACUUM",
        "DROP VIEW pending; DROP INDEX conversations_by_time",
        "DROP TABLE turns_text; DROP TRIGGER turns_removed; DROP TRIGGER turns_changed",
    ],
)
async def test_what_others_do_with_plain_sql_neither_stops_a_sync_nor_mixes_people(
    meddling: str, tmp_path: Path
) -> None:
    path = tmp_path / "c.db"
    async with scripted(Tavus(5)) as (hub, _):
        await sync(hub, SQLiteStore(path), clock=at(AFTER))
        with closing(sqlite3.connect(path)) as plain:
            plain.executescript(meddling)
        other = Tavus(5)
        for number in range(5):
            bare = details(number, conversation_name="another", events=[])
            other.special[f"c{number}"] = answer(bare)
    async with serving(other) as server:
        accounts = [Account("tavus", key="key", base_url=server.url, name="other")]
        async with Hub(accounts, profile="bulk", clock=FakeClock().clock) as hub:
            await sync(hub, SQLiteStore(path), clock=at(AFTER))
            report = await sync(hub, SQLiteStore(path), clock=at(AFTER))
            await sync(hub, SQLiteStore(tmp_path / "fresh.db"), clock=at(AFTER))
    assert report.accounts[0].error is None
    with SQLiteReader(path) as archive:
        assert {one.ref: one for one in archive.conversations("tavus/other")} == stored(tmp_path / "fresh.db")
        assert archive.search("number", "tavus/other").total == 0
    if meddling == "DELETE FROM turns":
        return  # whoever wants them again deletes the conversations
    async with scripted(Tavus(5)) as (hub, _):
        assert (await sync(hub, SQLiteStore(path), again=True, clock=at(AFTER))).complete
    again = {one.id: one for one in stored(path).values() if one.account == "default" and not one.id.endswith("x")}
    assert {one.text for one in again.values()} >= {f"user: I am number {number}." for number in range(5)}


# how a store was made


@STORES
async def test_a_redacted_store_stays_redacted(make: Make, read: Read, tmp_path: Path) -> None:
    provider = Tavus(5)
    said = details(3)
    said["events"][0]["properties"]["transcript"][0]["content"] = "Call me at +1 555 010 2030."
    provider.special["c3"] = answer(said)
    async with scripted(provider) as (hub, _):
        await sync(hub, make(tmp_path / "c"), redact=PersonalData(), clock=at(AFTER))
        assert "[phone]" in read(tmp_path / "c")["tavus:c3"].text
        for other in ((), PersonalData(keep=["phone"]), [PersonalData(), str]):
            with pytest.raises(StoreError, match="was made with redaction: PersonalData 1, but this run has"):
                await sync(hub, make(tmp_path / "c"), redact=other, again=True, clock=at(AFTER))  # type: ignore[arg-type]
        async with Hub([Account("tavus", key="key")], keep_raw=True) as raw:
            with pytest.raises(StoreError, match="was made with raw payloads: none"):
                await sync(raw, make(tmp_path / "c"), redact=PersonalData(), clock=at(AFTER))
        assert (await sync(hub, make(tmp_path / "c"), redact=PersonalData(), clock=at(AFTER))).complete
        await plan(hub, make(tmp_path / "c"), clock=at(AFTER))
    assert "[phone]" in read(tmp_path / "c")["tavus:c3"].text


async def test_no_store_is_handed_what_was_not_redacted(tmp_path: Path) -> None:
    handed: list[Entry] = []

    class Watched(SQLiteStore):
        async def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
            handed.extend(entries)
            return await super().commit(account, entries, progress)

    provider = Tavus(1)
    provider.rows[0]["conversation_name"] = "Call +1 555 010 2030"
    async with scripted(provider) as (hub, _):
        await sync(hub, Watched(tmp_path / "c.db"), redact=PersonalData(), clock=at(AFTER))
        provider.rows[0]["status"] = "active"
        provider.special["c0"] = answer({"message": "bad gateway"}, 501)
        report = await sync(hub, Watched(tmp_path / "c.db"), redact=PersonalData(), lookback=FOREVER, clock=at(AFTER))
    assert report.accounts[0].failed == 1
    assert len(handed) == 2
    assert {entry.conversation.title for entry in handed} == {"Call [phone]"}


@STORES
async def test_no_fingerprint_tells_what_was_redacted(make: Make, read: Read, tmp_path: Path) -> None:
    prints: list[set[bytes]] = []
    for number in ("+1 555 010 2030", "+1 555 010 9999"):
        provider = Tavus(1)
        provider.rows[0]["conversation_name"] = f"Call {number}"
        provider.special["c0"] = answer(details(0, conversation_name=f"Call {number}"))
        folder = tmp_path / number
        folder.mkdir()
        async with scripted(provider) as (hub, _):
            await sync(hub, make(folder / "c"), redact=PersonalData(), clock=at(AFTER))
        assert read(folder / "c")["tavus:c0"].title == "Call [phone]"
        store = make(folder / "c")
        await store.open({"accounts": "tavus/default"})
        kept = (await store.kept("tavus/default", ["c0"]))["c0"]
        await store.close()
        prints.append({kept.row_hash, kept.content_hash})
    assert prints[0] == prints[1]


# one plain file


async def test_a_finished_store_is_one_plain_file_that_needs_no_place_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.db"
    async with scripted(Tavus(5)) as (hub, _):
        await sync(hub, SQLiteStore(path), clock=at(AFTER))
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c.db", "c.db.lock"]  # noqa: ASYNC240
    assert path.read_bytes()[18:20] == b"\x01\x01", "it is in write-ahead mode"
    with closing(sqlite3.connect(path)) as database:  # as a sync leaves it that was killed
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    opened = _connection._opened  # pyright: ignore[reportPrivateUsage]

    def where_nothing_can_be_written(path: Path, options: str) -> sqlite3.Connection:
        if "immutable" in options:
            return opened(path, options)
        raise sqlite3.OperationalError("unable to open database file")

    monkeypatch.setattr(_connection, "_opened", where_nothing_can_be_written)
    with SQLiteReader(path) as archive:
        assert len(list(archive.conversations())) == 5
        assert archive.search("number").total == 5


# questions that need no statistics


async def test_a_question_names_its_index_by_its_shape(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    async with scripted(Tavus(5)) as (hub, _):
        await sync(hub, SQLiteStore(path), clock=at(AFTER))
    with closing(sqlite3.connect(path)) as database:
        database.execute("DROP TABLE IF EXISTS sqlite_stat1")
        database.commit()
    asked: list[str] = []
    with SQLiteReader(path) as archive:
        database = archive._connection  # pyright: ignore[reportPrivateUsage]
        database.set_trace_callback(asked.append)
        archive.get("tavus:c1")
        archive.get("tavus/default:c1")
        filtered: list[dict[str, Any]] = [{}, {"since": START}, {"status": "ended"}, {"agent": "p1"}, {"until": AFTER}]
        for filters in filtered:
            list(archive.conversations("tavus", limit=2, **filters))
            list(archive.conversations(limit=2, **filters))
        database.set_trace_callback(None)
        plans = {question: [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {question}")] for question in asked}
    assert len(plans) > 10
    for question, steps in plans.items():
        assert not any(step.startswith("SCAN conversations") and "INDEX" not in step for step in steps), question
        if "FROM conversations" in question:
            assert not any("TEMP B-TREE FOR ORDER BY" in step for step in steps), f"{question}: {steps}"
