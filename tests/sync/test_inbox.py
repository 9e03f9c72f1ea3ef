"""An inbox keeps each event once, durably, and until it is done."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import ExitStack, closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conversations_hub._files.database import Layout, open_database
from conversations_hub.errors import ConfigurationError, InvalidRefError, StoreError
from conversations_hub.events import EventKind
from conversations_hub.sync import Delivery, Due, Inbox
from conversations_hub.sync._inbox_file import InboxFile

from ..support.clock import NOW
from ..support.deliveries import delivery
from ..support.warm import Warm

SECOND = timedelta(seconds=1)
LATER = NOW + timedelta(minutes=1)
ACCOUNT = "acme/default"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.inbox"


async def about(inbox: Inbox) -> list[str | None]:
    return [due.conversation for due in await inbox.due(ACCOUNT, LATER)]


def column(path: Path, name: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as database:
        return [value for (value,) in database.execute(f"SELECT {name} FROM deliveries ORDER BY key")]  # noqa: S608


def files(path: Path) -> list[Path]:
    return sorted(file for file in path.parent.iterdir() if file.name.startswith(path.name))


async def counts(inbox: Inbox) -> tuple[int, int, int]:
    status = await inbox.status()
    return status.new, status.done, status.dead


class Disk:
    """A connection to the file whose commits can be made to fail."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.code: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)

    def execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        if statement == "COMMIT" and self.code is not None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = self.code
            raise error
        return self.connection.execute(statement, values)


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch) -> list[Disk]:
    """Return the connections of the inboxes that are opened."""
    found: list[Disk] = []

    def opened(path: Path, layout: Layout) -> Disk:
        found.append(Disk(open_database(path, layout)))
        return found[-1]

    monkeypatch.setattr("conversations_hub.sync._inbox_file.open_database", opened)
    return found


# each once


async def test_what_comes_again_is_kept_once(path: Path) -> None:
    async with Inbox(path) as inbox:
        for one in (delivery("e1"), delivery("e1"), delivery("e2"), delivery(None), delivery(None)):
            await inbox.keep(one)
        assert await counts(inbox) == (3, 0, 0)
        [due] = await inbox.due(ACCOUNT, LATER)
        assert due == Due(provider="acme", account="default", conversation="c1")
        assert [len(one.body) > 0 for one in await inbox.kept(due)] == [True] * 3
    assert column(path, "times") == [2, 1, 2]


async def test_other_content_makes_it_new_again_and_the_same_does_not(path: Path) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1"))
        [due] = await inbox.due(ACCOUNT, LATER)
        first = await inbox.kept(due)
        await inbox.keep(delivery("e1", body=b"enriched"))
        await inbox.settle(first, LATER)
        assert [one.body for one in await inbox.kept(due)] == [b"enriched"]  # it came while the first was worked on
        await inbox.settle(await inbox.kept(due), LATER)
        await inbox.keep(delivery("e1", body=b"enriched"))
        assert await counts(inbox) == (0, 1, 0)
        await inbox.keep(delivery("e1", body=b"enriched again"))
        assert await counts(inbox) == (1, 0, 0)
    assert column(path, "times") == [4]


async def test_of_another_endpoint_it_is_another(path: Path) -> None:
    async with Inbox(path) as inbox, Inbox(path) as other:
        await inbox.keep(delivery("e1"))
        await other.keep(delivery("e1", account="eu"))
        await other.keep(delivery("x" * 5000))
        await other.keep(delivery("\ud800 no text", body=b"{}"))
        assert await counts(inbox) == (4, 0, 0)
    assert max(map(len, column(path, "event"))) < 100


async def test_an_event_that_asks_for_nothing_is_done(path: Path) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1", about=None))
        await inbox.keep(delivery("e2", kind=EventKind.OTHER))
        assert await counts(inbox) == (0, 2, 0)


# durable


async def test_deliveries_that_come_together_are_committed_together(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    add = InboxFile.add

    def counting(file: InboxFile, entries: Sequence[tuple[Any, ...]]) -> None:
        commits.append(len(entries))
        add(file, entries)

    monkeypatch.setattr(InboxFile, "add", counting)
    async with Inbox(path) as inbox:
        await asyncio.gather(*(inbox.keep(delivery(f"e{number}")) for number in range(64)))
        assert commits == [64]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT count(*) FROM deliveries").fetchone() == (64,)


async def test_every_commit_waits_for_the_disk(path: Path, disks: list[Disk]) -> None:
    async with Inbox(path):
        [disk] = disks
        assert disk.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL
        assert disk.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert files(path) == [path, path.with_name(f"{path.name}.lock")]


async def test_a_sender_that_goes_away_does_not_take_its_delivery_along(path: Path) -> None:
    async with Inbox(path) as inbox:
        keeping = asyncio.ensure_future(inbox.keep(delivery("e1")))
        await asyncio.sleep(0)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
    assert column(path, "event") == ["e1"]


async def test_a_full_disk_refuses_until_there_is_room(path: Path, disks: list[Disk]) -> None:
    async with Inbox(path) as inbox:
        [disk] = disks
        (pages,) = disk.execute("PRAGMA page_count").fetchone()
        disk.execute(f"PRAGMA max_page_count = {pages}")
        large = [delivery(f"e{number}", body=os.urandom(2**16)) for number in range(3)]
        outcomes = await asyncio.gather(*map(inbox.keep, large), return_exceptions=True)
        assert ["full" in str(outcome) for outcome in outcomes] == [True] * 3
        with pytest.raises(StoreError, match="full"):
            await inbox.keep(large[0])
        disk.execute(f"PRAGMA max_page_count = {pages + 1000}")
        await inbox.keep(large[0])
        assert await counts(inbox) == (1, 0, 0)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_CORRUPT])
async def test_after_a_failure_of_the_disk_nothing_is_kept_until_it_is_opened_again(
    path: Path, code: int, disks: list[Disk]
) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1"))
        disks[0].code = code
        with pytest.raises(StoreError, match="disk I/O error"):
            await inbox.keep(delivery("e2"))
        disks[0].code = None
        with pytest.raises(StoreError, match="the disk failed"):
            await inbox.keep(delivery("e3"))
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e3"))
    assert column(path, "event") == ["e1", "e3"]


def _keep_some(path: str, first: int) -> None:
    async def keep() -> None:
        async with Inbox(path) as inbox:
            for number in range(first, first + 4):
                await inbox.keep(delivery(f"e{number}"))

    asyncio.run(keep())


async def test_many_processes_keep_deliveries_in_one_file(path: Path) -> None:
    with ExitStack() as running:  # they create it at the same time
        works = [running.enter_context(Warm(_keep_some, str(path), first)) for first in range(4)]
        assert [work.wait() for work in works] == [0] * 4, [work.stderr.read() for work in works]
    assert sorted(column(path, "event")) == sorted(f"e{number}" for number in range(7))


# when it is due


async def test_the_events_of_a_conversation_are_gathered(path: Path) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1", at=NOW))
        assert await inbox.due(ACCOUNT, NOW + SECOND) == []
        assert len(await inbox.due(ACCOUNT, NOW + SECOND, at_once=True)) == 1
        assert len(await inbox.due(ACCOUNT, NOW + 2 * SECOND)) == 1
        for number in range(2, 16):
            await inbox.keep(delivery(f"e{number}", at=NOW + number * SECOND))
        assert await inbox.due(ACCOUNT, NOW + 14 * SECOND) == []
        assert len(await inbox.due(ACCOUNT, NOW + 15 * SECOND)) == 1


async def test_mere_updates_are_due_every_thirty_seconds(path: Path) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1", at=NOW, kind=EventKind.UPDATED))
        await inbox.keep(delivery("e2", about="c2", at=NOW, kind=EventKind.UPDATED))
        await inbox.keep(delivery("e3", about="c2", at=NOW))
        assert [due.conversation for due in await inbox.due(ACCOUNT, NOW + 29 * SECOND)] == ["c2"]
        assert [due.conversation for due in await inbox.due(ACCOUNT, NOW + 30 * SECOND)] == ["c1", "c2"]


async def test_what_is_postponed_is_due_later(path: Path) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1"))
        [due] = await inbox.due(ACCOUNT, LATER)
        await inbox.postpone(await inbox.kept(due), LATER + SECOND, attempts=3, error="NotFoundError")
        assert await inbox.due(ACCOUNT, LATER, at_once=True) == []
        assert await inbox.due(ACCOUNT, LATER + SECOND) == [due]
        assert [one.attempts for one in await inbox.kept(due)] == [3]


# how long it is kept, and what for


async def test_bodies_and_ids_are_kept_for_a_while_and_what_is_dead_longer(path: Path) -> None:
    async with Inbox(path) as inbox:
        for name in ("e1", "e2", "e3"):
            await inbox.keep(delivery(name, about=name))
        for due, state in zip(await inbox.due(ACCOUNT, LATER), ("done", "dead", "new"), strict=True):
            if state != "new":
                await inbox.settle(await inbox.kept(due), NOW, state=state, error="NotFoundError")
        assert (await inbox.status()).reasons == {"NotFoundError": 1}
        assert (await inbox.status()).oldest == NOW
        await inbox.sweep(NOW + timedelta(hours=23))
        assert await inbox.replay(state="done") == 1
        for due in await inbox.due(ACCOUNT, LATER):
            if due.conversation == "e1":
                await inbox.settle(await inbox.kept(due), NOW)
        await inbox.sweep(NOW + timedelta(hours=25))
        assert await inbox.replay(state="done") == 0
        await inbox.keep(delivery("e1", about="e1"))  # it is still known
        assert await counts(inbox) == (1, 1, 1)
        await inbox.sweep(NOW + timedelta(days=8))
        assert await counts(inbox) == (1, 0, 1)


async def test_deliveries_are_replayed_by_endpoint_time_and_state(path: Path) -> None:
    async with Inbox(path) as inbox:
        for number in range(4):
            await inbox.keep(delivery(f"e{number}", about=f"c{number}", at=NOW + number * SECOND))
        for due in await inbox.due(ACCOUNT, LATER):
            await inbox.settle(await inbox.kept(due), LATER)
        assert await inbox.replay(endpoint="other") == 0
        assert await inbox.replay(state="dead") == 0
        assert await inbox.replay(since=NOW + 2 * SECOND) == 2
        assert await about(inbox) == ["c2", "c3"]
        assert await inbox.replay() == 2
        with pytest.raises(InvalidRefError):
            await inbox.replay(since=NOW.replace(tzinfo=None))


async def test_without_keeping_bodies_nothing_of_what_is_done_stays_in_the_file(path: Path) -> None:
    async with Inbox(path, keep_bodies=timedelta(0)) as inbox:
        await inbox.keep(delivery("e1", body=b"Rumpelstilz"))
        [due] = await inbox.due(ACCOUNT, LATER)
        await inbox.settle(await inbox.kept(due), LATER)
    assert column(path, "body") == [None]


async def test_no_byte_of_what_was_erased_remains(path: Path) -> None:
    async with Inbox(path) as inbox:
        for about in ("chats:c1", "c2"):
            one = delivery(None, about, body=f"{about} Rumpelstilz".encode())
            await inbox.keep(one)
        assert await inbox.erase("acme:chats:c1", "acme/eu:c2") == 1
        assert [due.conversation for due in await inbox.due(ACCOUNT, LATER)] == ["c2"]
        assert not any(b"chats:c1" in file.read_bytes() for file in files(path))


async def test_since_when_an_account_has_webhooks_is_remembered(path: Path) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1", at=NOW))
        await inbox.keep(delivery("e2", at=LATER))
        await inbox.keep(delivery("e3", at=LATER, account="eu"))
        assert await inbox.since() == {"acme/default": NOW, "acme/eu": LATER}
        assert sorted(await inbox.accounts()) == ["acme/default", "acme/eu"]


async def test_what_could_not_be_read_is_kept_to_be_read_later(path: Path) -> None:
    unreadable = Delivery(
        endpoint="acme",
        provider="acme",
        account="default",
        events=(),
        body=b"{",
        digest=b"d" * 32,
        received_at=NOW,
        verified=True,
        unreadable="it is not JSON",
    )
    assert "{" not in repr(unreadable)
    async with Inbox(path) as inbox:
        await inbox.keep(unreadable)
        assert (await inbox.status()).reasons == {"it is not JSON": 1}
        assert await inbox.replay() == 1
        [due] = await inbox.due(ACCOUNT, LATER)
        assert due.conversation is None
        assert [(one.body, one.protected) for one in await inbox.kept(due)] == [(b"{", True)]


# which file


async def test_a_file_that_is_something_else_is_left_alone(tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE mine (a)")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere" / "else")
    newer = tmp_path / "newer"
    async with Inbox(newer):
        pass
    with closing(sqlite3.connect(newer)) as database:
        database.execute("PRAGMA user_version = 2")
    named_twice = tmp_path / "twice"
    named_twice.touch(0o600)
    (tmp_path / "second").hardlink_to(named_twice)
    for path, said in (
        (other, "not an inbox"),
        (newer, "newer version"),
        (named_twice, "second name"),
        (tmp_path / "none" / "inbox", "there is no folder"),
    ):
        with pytest.raises(StoreError, match=said):
            async with Inbox(path):
                pass
    assert not (tmp_path / "nowhere").exists()


async def test_others_cannot_read_it(path: Path) -> None:
    async with Inbox(path) as inbox:
        await inbox.keep(delivery("e1"))
        assert {file.stat().st_mode & 0o077 for file in files(path)} == {0}


async def test_it_is_opened_before_it_is_used(path: Path) -> None:
    with pytest.raises(StoreError, match="not open"):
        await Inbox(path).keep(delivery("e1"))
    with pytest.raises(ConfigurationError):
        Inbox(path, keep_bodies=timedelta(days=8))
    assert files(path) == []
