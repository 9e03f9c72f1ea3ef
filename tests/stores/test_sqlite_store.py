"""The SQLite store: nothing is lost on the way in and out, nothing is written twice, and bad files are refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import InvalidRefError, NotFoundError, StoreError
from conversations_hub.schema import (
    Agent,
    Analysis,
    Channel,
    Direction,
    Participant,
    Recording,
    RecordingAccess,
    Status,
)
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._store import Checkpoint, StoredVersion, Window, Written
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._connection import connect
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.clock import NOW
from ..support.entries import ACCOUNT, entry, said
from ..support.recorded import recorded
from ..support.sqlite import kept_in, opened


def contents(path: Path) -> bytes:
    return path.read_bytes()


@pytest.mark.parametrize("provider", BUILTIN)
async def test_a_conversation_comes_out_as_it_went_in(provider: str, tmp_path: Path) -> None:
    conversations = {one.id: one for one in recorded(provider)}
    assert conversations
    async with opened(tmp_path / "c.db") as store:
        written = await store.commit(
            f"{provider}/default", [entry(one) for one in conversations.values()], Checkpoint()
        )
    assert written == Written(new=len(conversations))
    with SQLiteReader(tmp_path / "c.db") as archive:
        found = {one.id: one for one in archive.conversations()}
        assert archive.get(f"{provider}:{next(iter(conversations))}") == next(iter(conversations.values()))
    assert found.keys() == conversations.keys()
    for id, one in conversations.items():
        assert found[id] == one


async def test_progress_and_what_is_remembered_survive_the_process(tmp_path: Path) -> None:
    window = Window(NOW - timedelta(days=7), NOW)
    progress = Checkpoint(covered=window, in_progress=Window(None, NOW), cursor="2:100", passes=1, new=3)
    later = NOW + timedelta(days=1)
    async with opened(tmp_path / "c.db") as store:
        await store.commit(ACCOUNT, [entry(said("Hello."), b"print", later), entry(said(id="c2"))], progress)
    async with opened(tmp_path / "c.db") as store:
        assert await store.progress(ACCOUNT) == progress
        assert await store.progress("acme/other") == Checkpoint()
        first, second = (
            StoredVersion(b"print", fingerprint(said("Hello.")), later),
            StoredVersion(b"row", fingerprint(said(id="c2")), None),
        )
        assert await store.kept(ACCOUNT, ["c1", "c2", "c3"]) == {"c1": first, "c2": second}
        assert await store.kept("acme/other", ["c1"]) == {}
        assert await store.unsettled(ACCOUNT) == {"c1": first}


async def test_many_ids_are_looked_up_at_once(tmp_path: Path) -> None:
    conversations = [said(id=f"c{number}") for number in range(1200)]
    async with opened(tmp_path / "c.db") as store:
        await store.commit(ACCOUNT, [entry(one) for one in conversations], Checkpoint())
        found = await store.kept(ACCOUNT, [one.id for one in conversations])
    assert found.keys() == {one.id for one in conversations}


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


async def test_an_archive_narrows_as_a_hub_does(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    other = msgspec.structs.replace(said(id="c4"), account="eu")
    await kept_in(
        path,
        said(id="c1", created_at=NOW - timedelta(days=2)),
        said(id="c2", created_at=None, started_at=NOW - timedelta(days=1), agent=Agent(id="a1")),
        said(id="c3", status=Status.FAILED),
        other,
    )
    with SQLiteReader(path) as archive:

        def ids(*targets: str, **filters: object) -> list[str]:
            return [one.id for one in archive.conversations(*targets, **filters)]  # type: ignore[arg-type]

        assert ids() == ["c4", "c3", "c2", "c1"]
        assert ids("acme") == ["c4", "c3", "c2", "c1"]
        assert ids("acme/eu") == ["c4"]
        assert ids("beta") == []
        assert ids("beta", "acme/eu") == ["c4"]
        assert ids(since=NOW - timedelta(days=1)) == ["c4", "c3", "c2"]
        assert ids(until=NOW) == ["c2", "c1"]
        assert ids(status="failed") == ["c3"]
        assert ids(agent="a1") == ["c2"]
        assert ids(limit=1) == ["c4"]
        assert archive.get("acme/eu:c4") == other
        with pytest.raises(NotFoundError, match="no such conversation"):
            archive.get("acme/default:c4")


async def test_an_id_that_several_accounts_have_must_say_which(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, said("Hello."))
    eu = msgspec.structs.replace(said("Hallo."), account="eu")
    async with opened(path) as store:
        await store.commit("acme/eu", [entry(eu)], Checkpoint())
    with SQLiteReader(path) as archive:
        assert archive.get("acme/eu:c1") == eu
        with pytest.raises(InvalidRefError, match="several acme accounts"):
            archive.get("acme:c1")


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


async def test_without_an_index_search_still_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_index(_connection: sqlite3.Connection) -> bool:
        return False

    monkeypatch.setattr("conversations_hub.stores.sqlite._writer.has_text_search", no_index)
    await kept_in(tmp_path / "c.db", said("I want 100 % of it.", "A refund."), said("Nothing.", id="c2"))
    with SQLiteReader(tmp_path / "c.db") as archive:
        assert [hit.position for hit in archive.search("REFUND").hits] == [1]
        assert [hit.position for hit in archive.search('"100 %"').hits] == [0]
        assert archive.search("_").hits == []


def test_a_signature_is_no_content() -> None:
    signed = Recording(location="https://example.com/a.mp3?Signature=1", access=RecordingAccess.SIGNED_URL)
    again = msgspec.structs.replace(signed, location="https://example.com/a.mp3?Signature=2", expires_at=NOW)
    other = msgspec.structs.replace(signed, location="https://example.com/b.mp3?Signature=1")
    prints = [fingerprint(said("Hello.", recordings=(one,), raw=b"{}")) for one in (signed, again, other)]
    assert prints[0] == prints[1] != prints[2]
    assert fingerprint(said("Hello.")) != fingerprint(said("Hello!"))


async def test_every_field_there_is_has_a_column(tmp_path: Path) -> None:
    full = said(
        "Hello.",
        channel=Channel.PHONE,
        direction=Direction.INBOUND,
        analysis=Analysis(success=False, scores={"a": 1.0}, collected={"b": [1, {"c": None}]}),
        metadata={"order": 17, "large": 10**30},
        raw=b'{"id": "c1"}',
        duration=1.5,
    )
    await kept_in(tmp_path / "c.db", full)
    with SQLiteReader(tmp_path / "c.db") as archive:
        assert archive.get("acme:c1") == full
