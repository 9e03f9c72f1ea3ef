"""A store of somebody else's: whatever it holds, it is read or refused in words, in bounded memory and work."""

from __future__ import annotations

import gzip
import json
import shutil
import sqlite3
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest

from conversations_hub.errors import HubError, StoreError
from conversations_hub.formats._csv import write_csv
from conversations_hub.formats._export import write_jsonl
from conversations_hub.metrics import Summary
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import (
    Agent,
    Analysis,
    Conversation,
    Cost,
    Participant,
    Recording,
    RecordingAccess,
    Role,
    ToolCall,
    ToolResult,
    TranscriptTurn,
    Word,
)
from conversations_hub.stores._erasure import Person
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._store import Checkpoint, Entry, Store, StoredVersion, Window
from conversations_hub.stores._untrusted import LARGEST, UNREADABLE, conversation_in, decompress, json_value
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.jsonl._data import Data
from conversations_hub.stores.jsonl._reader import JSONLReader
from conversations_hub.stores.sqlite import SQLiteStore, _bounded
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.clock import NOW
from ..support.entries import ACCOUNT

PERSON = Person(phone="+15550100123", email="jane@example.com", participant="p1")


def full() -> Conversation:
    """Return a conversation with something in every column."""
    turn = TranscriptTurn(
        index=0,
        role=Role.USER,
        text="Hello.",
        start=1.0,
        duration=2.0,
        timestamp=NOW.timestamp(),
        participant=0,
        language="en",
        interrupted=True,
        confidence=0.5,
        tool_calls=(ToolCall(id="t", name="look", arguments="{}"),),
        tool_result=ToolResult(call_id="t", content="found"),
        words=(Word(text="Hello.", start=1.0),),
        metrics={"latency": 1.0},
        provider_id="turn",
    )
    return Conversation(
        provider="acme",
        id="c1",
        title="title",
        agent=Agent(id="a", name="agent", version="1"),
        participants=(Participant(id="p1", name="Jane", phone="+15550100123"),),
        created_at=NOW,
        started_at=NOW,
        ended_at=NOW,
        updated_at=NOW,
        duration=3.0,
        transcript=(turn,),
        summary="summary",
        analysis=Analysis(success=True, sentiment="good", scores={"a": 1.0}, collected={"b": [1]}),
        recordings=(
            Recording(
                location="https://example.com/a.mp3",
                access=RecordingAccess.SIGNED_URL,
                media_type="audio/mpeg",
                duration=1.0,
                expires_at=NOW,
                ref="acme:c1",
            ),
        ),
        cost=Cost(amount=Decimal("0.5"), unit="USD"),
        language="en",
        tags=("a",),
        metadata={"a": 1},
        links={"b": "https://example.com"},
        related_ids={"c": "d"},
        estimated=("duration",),
        raw=b"{}",
    )


async def fill(store: Store) -> None:
    await store.open({"redacted": "no", "raw": "kept"})
    one = full()
    kept = StoredVersion(b"row", fingerprint(one), NOW + timedelta(days=1), msgspec.json.encode(one), NOW)
    progress = Checkpoint(
        covered=Window(NOW - timedelta(days=1), NOW), in_progress=Window(None, NOW), cursor="1", high_watermark=NOW
    )
    await store.commit(ACCOUNT, [Entry(one, kept)], progress)
    await store.close()


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    await fill(SQLiteStore(tmp_path / "c.db"))
    with SQLiteReader(tmp_path / "c.db") as archive:
        archive.stats()  # which are kept
    return tmp_path / "c.db"


def changed(path: Path, statement: str, *values: object) -> Path:
    """Return a copy of a store in which something was changed."""
    copy = path.with_name("changed.db")
    for end in ("", "-wal", "-shm", "-journal"):
        copy.with_name(f"changed.db{end}").unlink(missing_ok=True)
    shutil.copy(path, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        with suppress(sqlite3.IntegrityError):
            connection.execute(statement, values)
        connection.commit()
    return copy


def use(one: Conversation) -> object:
    """Do all that is done with a conversation of a store."""
    write_jsonl([one], lambda _: None)
    write_csv([one], lambda _: None)
    write_csv([one], lambda _: None, rows="conversations", changed=Counter())
    fingerprint(PersonalData()(one))
    return one.text, repr(one), one.talk_time, [turn.started_at for turn in one.transcript or ()]


def shown(summaries: list[Summary]) -> object:
    """Do all that is done with summaries."""
    figures = [figures for summary in summaries for figures in summary.metrics.values()]
    return msgspec.json.encode(summaries), [each.percentile(95) for each in figures]


def look(path: Path) -> None:
    """Do all that is done to read a store; nothing but a `HubError` may come out of it."""
    reads: list[Callable[[SQLiteReader], object]] = [
        lambda archive: archive.accounts(),
        lambda archive: str(archive.status()),
        lambda archive: use(archive.get("acme:c1")),
        lambda archive: [use(one) for one in archive.conversations()],
        lambda archive: [use(one) for one in archive.conversations("acme", since=NOW, until=NOW + timedelta(days=1))],
        lambda archive: list(archive.recordings()),
        lambda archive: msgspec.json.encode(archive.search("hello")),
        lambda archive: archive.search("hello OR nobody", anywhere=True, role="user"),
        lambda archive: shown(archive.stats(by=("agent", "day", "language"))),
        lambda archive: archive.erase(person=PERSON, dry_run=True),
        lambda archive: archive.prune(NOW + timedelta(days=1), dry_run=True),
    ]
    with suppress(HubError), SQLiteReader(path) as archive:
        for read in reads:
            with suppress(HubError):
                read(archive)


def erase(path: Path) -> None:
    with suppress(HubError), SQLiteReader(path) as archive:
        archive.erase("acme:c1", person=PERSON)


async def go_on(store: Store) -> None:
    """Do all that a sync does with a store; nothing but a `HubError` may come out of it."""
    one = full()
    try:
        with suppress(HubError):
            await store.open({"redacted": "no", "raw": "kept"})
            with suppress(HubError):
                progress = await store.progress(ACCOUNT)
                assert progress.confirmed is None or progress.confirmed.until <= NOW + timedelta(days=9999)
            for kept in (store.kept(ACCOUNT, ["c1", "c2"]), store.unsettled(ACCOUNT)):
                with suppress(HubError):
                    for before in (await kept).values():
                        assert isinstance(before.row_hash, bytes)
                        assert before.recheck_until is None or before.recheck_until.tzinfo is not None
            with suppress(HubError):
                await store.vanished(ACCOUNT, ["c2"], NOW)
            with suppress(HubError):
                new = msgspec.structs.replace(one, title="another")
                await store.commit(ACCOUNT, [Entry(new, StoredVersion(b"r", fingerprint(new), None))], Checkpoint())
            with suppress(HubError):
                await store.finish()
    finally:
        with suppress(HubError):
            await store.close()


_DEEP = "[" * 900 + "]" * 900
READ = (
    *(None, -1, 2**63 - 1, 0.5, float("inf"), "", "x", b"\xff", "2026-01-01T00:00:00", "9999-12-31T23:59:59.999999Z"),
    *("NaN", "1e999", "null", "[]", '{"a":1}', '{"a":', '[{"a":{}}]', f'{{"a":{_DEEP}}}'),
)
WRITTEN = (None, float("inf"), b"\xff", '{"a":1}')
"""What is tried on those that write, too, which takes longer."""
TABLES = ["conversations", "turns", "participants", "recordings", "accounts", "remembered", "store"]


@pytest.mark.no_cover
@pytest.mark.parametrize("table", TABLES)
async def test_whatever_stands_in_a_column_it_is_read_or_refused_in_words(table: str, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    for column in columns:
        for value in READ:
            path = changed(database, f"UPDATE {table} SET {column} = ?", value)  # noqa: S608  (of a list above)
            try:
                look(path)
                if value in WRITTEN:
                    await go_on(SQLiteStore(path))
                    erase(path)
            except Exception as error:
                error.add_note(f"{table}.{column} = {value!r:.100}")
                raise


async def test_text_that_is_no_utf_8_is_refused_and_not_quoted(database: Path) -> None:
    path = changed(database, "UPDATE turns SET text = CAST(? AS TEXT)", b"secret \xff")
    with SQLiteReader(path) as archive, pytest.raises(StoreError, match="an invalid value") as refused:
        archive.get("acme:c1")
    assert "secret" not in str(refused.value)


ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"


@pytest.mark.parametrize(
    ("name", "definition"),
    [
        ("conversations", f"CREATE VIEW conversations AS {ENDLESS} SELECT i AS key FROM n"),  # noqa: S608
        ("accounts", "CREATE VIEW accounts AS SELECT 'acme/default' AS account, '{}' AS progress"),
        ("turns", "CREATE VIRTUAL TABLE turns USING fts5 (text)"),
        ("turns_text", "CREATE TABLE turns_text (text)"),
    ],
)
async def test_what_is_in_the_place_of_a_table_is_refused(name: str, definition: str, database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "DROP TRIGGER turns_removed; DROP TRIGGER turns_changed; DROP TRIGGER conversations_removed;"
            f"DROP TABLE {name}; {definition};"
        )
    with pytest.raises(StoreError, match=f"{name} is not one of our tables"):
        SQLiteReader(database)
    with pytest.raises(StoreError, match=f"{name} is not one of our tables"):
        await SQLiteStore(database).open({})


async def test_what_would_never_end_is_ended(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    every = f"{ENDLESS} SELECT i FROM n"  # noqa: S608
    with closing(sqlite3.connect(database)) as connection:
        for statement in (
            f"CREATE TRIGGER t AFTER INSERT ON turns BEGIN DELETE FROM folded WHERE turn IN ({every}); END",  # noqa: S608
            "DROP VIEW turns_words",
            f"CREATE VIEW turns_words AS SELECT i AS key, '' AS text FROM ({every})",  # noqa: S608
        ):
            connection.execute(statement)
    monkeypatch.setattr(_bounded, "_LEAST", 100_000)
    monkeypatch.setattr(_bounded, "_STEP", 10_000)
    look(database)
    store = SQLiteStore(database)
    await store.open({})
    one = msgspec.structs.replace(full(), id="c9")
    with pytest.raises(StoreError, match="takes more work"):
        await store.commit(ACCOUNT, [Entry(one, StoredVersion(b"r", fingerprint(one), None))], Checkpoint())
    await store.close()


@pytest.mark.no_cover
async def test_a_payload_that_unpacks_without_end_is_refused(database: Path) -> None:
    packing = zlib.compressobj(9)
    piece = bytes(2**20)
    packed = b"".join(packing.compress(piece) for _ in range(LARGEST // 2**20 + 1)) + packing.flush()
    path = changed(database, "UPDATE conversations SET raw = ?", packed)
    tracemalloc.start()
    try:
        with SQLiteReader(path) as archive, pytest.raises(StoreError, match="an invalid value"):
            archive.get("acme:c1")
        assert tracemalloc.get_traced_memory()[1] < 2.5 * LARGEST
    finally:
        tracemalloc.stop()
    assert decompress(zlib.compress(piece)) == piece


def test_json_is_read_as_deep_as_it_can_be_written_again() -> None:
    for levels in (1, 300):
        value = json_value("[" * levels + "]" * levels)
        assert msgspec.json.encode(value) == b"[" * levels + b"]" * levels
    assert json_value(json.dumps([[]] * 1000)) == [[]] * 1000
    with pytest.raises(ValueError):  # noqa: PT011  (it says nothing, for it may not quote what it read)
        json_value("[" * 402 + "]" * 402)


# JSON lines


@pytest.fixture(params=["c.jsonl", "c.jsonl.gz"])
async def lines(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    store = JSONLStore(path, compress=path.suffix == ".gz")
    await fill(store)
    await store.open({"redacted": "no", "raw": "kept"})
    await store.finish()
    await store.close()
    return path


_OTHERS: list[Any] = [None, -1, 10**30, "x", [], {}, [[]], {"a": None}, "2026-01-01T00:00:00", True]


def mutants(document: Any) -> list[bytes]:
    """Return JSON in which each value in turn is another."""
    found: list[bytes] = []

    def visit(holder: Any, key: Any) -> None:
        before: Any = holder[key]
        for value in _OTHERS:
            holder[key] = value
            found.append(json.dumps(root[0]).encode())
        holder[key] = before
        if isinstance(before, dict):
            for name in [*cast("dict[str, object]", before)]:
                visit(holder[key], name)
        elif isinstance(before, list):
            for place in range(len(cast("list[object]", before))):
                visit(holder[key], place)

    root = [document]
    visit(root, 0)
    return [*found, b"", b"[" * 2000, b"\xff", _DEEP.encode()]


def look_at_lines(path: Path) -> None:
    archive = JSONLReader(path)
    for read in (
        lambda: str(archive.status()),
        lambda: archive.erase(person=PERSON, dry_run=True),
        lambda: archive.prune(NOW, dry_run=True),
        lambda: archive.erase("acme:c1", person=PERSON),
    ):
        with suppress(HubError):
            read()


async def test_whatever_a_manifest_says_it_is_read_or_refused_in_words(lines: Path) -> None:
    manifest, journal = (lines.with_name(f"{lines.name}{end}") for end in (".manifest.json", ".journal"))
    journal.unlink()
    for text in mutants(json.loads(manifest.read_bytes())):
        manifest.write_bytes(text)
        look_at_lines(lines)
        await go_on(JSONLStore(lines, compress=lines.suffix == ".gz"))


def checked(lines: list[bytes]) -> bytes:
    return b"".join(b"%08x %s\n" % (zlib.crc32(line), line) for line in lines)


@pytest.mark.no_cover
async def test_whatever_a_journal_says_it_is_read_or_refused_in_words(lines: Path, tmp_path: Path) -> None:
    journal = lines.with_name(f"{lines.name}.journal")
    said = [line.partition(b" ")[2] for line in journal.read_bytes().splitlines()]
    folder = tmp_path / "folder"
    for at, line in enumerate(said):
        for text in mutants(json.loads(line)):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for path in tmp_path.glob("c.jsonl*"):  # noqa: ASYNC240  (nobody else runs here)
                shutil.copy(path, folder)
            (folder / journal.name).write_bytes(checked([*said[:at], text, *said[at + 1 :]]))
            look_at_lines(folder / lines.name)
            await go_on(JSONLStore(folder / lines.name, compress=lines.suffix == ".gz"))


def is_there(_data: Data) -> bool:
    """Stand for whoever changes the sizes in the log along with the lines."""
    return True


def test_whatever_a_line_says_it_is_read_or_refused_in_words(lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = lines.suffix == ".gz"
    [line] = (gzip.decompress(lines.read_bytes()) if packed else lines.read_bytes()).splitlines()
    monkeypatch.setattr(Data, "complete", is_there)
    archive = JSONLReader(lines)
    for text in mutants(json.loads(line)):
        lines.write_bytes(gzip.compress(text) if packed else text)
        with suppress(HubError):
            archive.erase(person=PERSON, dry_run=True)
        with suppress(HubError):
            archive.prune(NOW, dry_run=True)


def test_a_line_without_end_is_refused_in_bounded_memory(lines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations_hub.stores._untrusted.LARGEST", 2**20)
    journal = lines.with_name(f"{lines.name}.journal")
    endless = b"x" * 2**25
    packed = lines.suffix == ".gz"
    lines.write_bytes(gzip.compress(endless) if packed else endless)
    del endless
    monkeypatch.setattr(Data, "complete", is_there)
    tracemalloc.start()
    try:
        with pytest.raises(StoreError, match="an invalid value"):
            JSONLReader(lines).prune(NOW, dry_run=True)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    journal.write_bytes(b"x" * 2**21)
    with pytest.raises(StoreError, match="an invalid value"):
        JSONLReader(lines).status()


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "members",
    [
        {"created_at": "2026-11-20T12:00:00"},
        {"ended_at": "9500-01-01T00:00:00Z"},
        {"recordings": [{"location": "/a", "access": "unknown", "expires_at": "2026-11-20T12:00:00"}]},
        {"cost": {"amount": "Infinity", "unit": "USD"}},
        {"id": "x" * 2000},
        {"metadata": {"a": deep(200)}},
        {"analysis": {"collected": {"a": deep(200)}}},
    ],
)
def test_a_document_that_is_none_of_ours_is_refused(members: dict[str, object]) -> None:
    told = {"provider": "acme", "id": "c1"}
    assert conversation_in(msgspec.json.encode(told)).id == "c1"
    with pytest.raises(UNREADABLE):
        conversation_in(msgspec.json.encode(told | members))
