"""The SQLite store: nothing is lost on the way in and out, nothing is written twice, and bad files are refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub.errors import StoreError
from conversations_hub.schema import (
    Participant,
    Recording,
    RecordingAccess,
)
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._store import Checkpoint, Written
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._connection import connect
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.clock import NOW
from ..support.entries import ACCOUNT, entry, said
from ..support.sqlite import kept_in, opened


def contents(path: Path) -> bytes:
    return path.read_bytes()


async def test_what_is_there_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, said("Hello."), said("Goodbye.", id="c2"))
    async with opened(path) as store:
        written = await store.commit(
            ACCOUNT, [entry(said("Hello."), b"other row"), entry(said("Farewell.", id="c2"))], Checkpoint()
        )
        assert written == Written(updated=1, unchanged=1)
        assert (await store.kept(ACCOUNT, ["c1"]))["c1"].row_hash == b"other row"
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT text FROM turns ORDER BY key").fetchall() == [("Hello.",), ("Farewell.",)]
        database.execute("INSERT INTO turns_text (turns_text) VALUES ('integrity-check')")
        found = database.execute("SELECT rowid FROM turns_text WHERE turns_text MATCH 'goodbye'").fetchall()
    assert found == []


async def test_a_commit_is_whole_or_not_at_all(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        twice = [entry(said("Hello.")), entry(said("Hello.", "Again."))]
        with pytest.raises(StoreError, match="UNIQUE"):
            await store.commit(ACCOUNT, twice, Checkpoint(passes=2))
        assert await store.kept(ACCOUNT, ["c1"]) == {}
        assert await store.progress(ACCOUNT) == Checkpoint()
        with pytest.raises(StoreError, match="Open the store again"):  # or its checkpoint would be wrong
            await store.commit(ACCOUNT, [], Checkpoint(cursor="2"))
    assert await kept_in(tmp_path / "c.db", said("Hello.")) == Written(new=1)


async def test_deleting_a_conversation_takes_everything_of_it(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    recording = Recording(location="/audio", access=RecordingAccess.PROVIDER_KEY)
    await kept_in(path, said("Hello.", participants=(Participant(name="Ann"),), recordings=(recording,)))
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("DELETE FROM conversations")
        for table in ("turns", "participants", "recordings"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)  # noqa: S608
        found = database.execute("SELECT count(*) FROM turns_text WHERE turns_text MATCH 'hello'").fetchone()
    assert found == (0,)


async def test_a_second_writer_is_told_that_another_is_at_work(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "c.db")
    async with opened(tmp_path / "c.db"):
        for path in (tmp_path / "c.db", tmp_path / "link.db"):
            with pytest.raises(StoreError, match="another sync is running"):
                await SQLiteStore(path).open({})
    async with opened(tmp_path / "c.db"):
        pass


async def test_readers_read_while_it_writes(tmp_path: Path) -> None:
    async with opened(tmp_path / "c.db") as store:
        await store.commit(ACCOUNT, [entry(said("Hello."))], Checkpoint())
        with SQLiteReader(tmp_path / "c.db") as archive:
            assert [one.text for one in archive.conversations()] == ["user: Hello."]
            await store.commit(ACCOUNT, [entry(said("Hello.", id="c2"))], Checkpoint())
            assert len(list(archive.conversations())) == 2


async def test_a_file_of_something_else_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE invoices (amount)")
    before = contents(path)
    with pytest.raises(StoreError, match="not a conversations-hub store"):
        await SQLiteStore(path).open({})
    assert contents(path) == before
    (tmp_path / "notes.txt").write_text("Not a database, but long enough to be taken for one. " * 20)
    with pytest.raises(StoreError, match="not a database"):
        await SQLiteStore(tmp_path / "notes.txt").open({})


@pytest.mark.parametrize(("version", "age"), [(0, "older"), (3, "newer")])
async def test_a_file_of_another_version_is_refused(version: int, age: str, tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, said("Hello."))
    with closing(sqlite3.connect(path)) as database:
        database.execute(f"PRAGMA user_version = {version}")
    with pytest.raises(StoreError, match=f"{age} version"):
        await SQLiteStore(path).open({})
    with pytest.raises(StoreError, match=f"{age} version"):
        SQLiteReader(path)


async def test_a_place_where_nothing_can_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        await SQLiteStore(tmp_path / "nowhere" / "c.db").open({})
    with pytest.raises(StoreError, match="no such file"):
        SQLiteReader(tmp_path / "c.db")


async def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    modes = [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()]  # noqa: ASYNC240  (nobody else runs here)
    assert set(modes) == {0o600}
    (tmp_path / "c.db").chmod(0o640)  # whoever wants others to read it may say so, and it stays
    await kept_in(tmp_path / "c.db", said("Hello.", id="c2"))
    assert (tmp_path / "c.db").stat().st_mode & 0o777 == 0o640


async def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, said("Hello."))

    def on_a_full_disk(path: Path, *, writes: bool) -> sqlite3.Connection:
        connection = connect(path, writes=writes)
        connection.execute("PRAGMA max_page_count = 1")  # no more than there are
        return connection

    monkeypatch.setattr("conversations_hub.stores.sqlite._writer.connect", on_a_full_disk)
    async with opened(path) as store:
        with pytest.raises(StoreError, match="full"):
            await store.commit(ACCOUNT, [entry(said("x" * 100_000, id="c2"))], Checkpoint(passes=1))
        assert await store.progress(ACCOUNT) == Checkpoint()
    monkeypatch.undo()
    with SQLiteReader(path) as archive:
        assert [one.id for one in archive.conversations()] == ["c1"]


async def test_search_finds_what_was_said(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(
        path,
        said("I want a refund, please.", "The café was closed.", title="Complaint"),
        said("Refunds take a week. A refund is a refund is a refund.", id="c2", created_at=NOW - timedelta(days=3)),
        said('The "blue" room; 100 % sure.', id="c3"),
    )
    with SQLiteReader(path) as archive:

        def found(words: str, *targets: str, **filters: object) -> list[tuple[str, int]]:
            return [(hit.ref, hit.position) for hit in archive.search(words, *targets, **filters).hits]  # type: ignore[arg-type]

        assert found("refund") == [("acme:c2", 0), ("acme:c1", 0)]
        assert found("REFUND want") == [("acme:c1", 0)]
        assert found("refund*") == [("acme:c2", 0), ("acme:c1", 0)]
        assert found("cafe") == [("acme:c1", 1)]
        assert found('"a refund" want') == [("acme:c1", 0)]
        assert found('"refund a"') == []
        assert found("refund", since=NOW - timedelta(days=1)) == [("acme:c1", 0)]
        assert found("refund", role="assistant") == []
        assert found("refund", "beta") == []
        assert found("refund", limit=1) == [("acme:c2", 0)]
        [hit] = archive.search("want").hits
        assert hit.title == "Complaint"
        assert hit.created_at == NOW
        assert hit.snippet == "I [want] a refund, please."


@pytest.mark.parametrize(
    "words",
    ["", " ", '"', '""', "*", "refund AND", "NOT", "NEAR(", "text:x", "-x", "a-b", "(", "'", "\x00", "^x", "é*"],
)
async def test_any_words_can_be_searched_for(words: str, tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", said("Hello."))
    with SQLiteReader(tmp_path / "c.db") as archive:
        assert archive.search(words).hits == []


def test_a_signature_is_no_content() -> None:
    signed = Recording(location="https://example.com/a.mp3?Signature=1", access=RecordingAccess.SIGNED_URL)
    again = msgspec.structs.replace(signed, location="https://example.com/a.mp3?Signature=2", expires_at=NOW)
    other = msgspec.structs.replace(signed, location="https://example.com/b.mp3?Signature=1")
    prints = [fingerprint(said("Hello.", recordings=(one,), raw=b"{}")) for one in (signed, again, other)]
    assert prints[0] == prints[1] != prints[2]
    assert fingerprint(said("Hello.")) != fingerprint(said("Hello!"))
