"""Exports: nothing is lost or half done, a spreadsheet runs nothing, and the tables are always the same."""

from __future__ import annotations

import asyncio
import csv
import errno
import gzip
import os
import re
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any

import click
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub._cli import export
from conversations_hub._files import atomic
from conversations_hub._files.atomic import FileOps
from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import ConfigurationError, StoreError
from conversations_hub.formats import _csv as sheets
from conversations_hub.formats._csv import COLUMNS, Rows, write_csv
from conversations_hub.formats._export import export_csv, export_jsonl
from conversations_hub.schema import (
    Agent,
    Analysis,
    Conversation,
    Cost,
    Participant,
    ParticipantKind,
    Role,
    ToolCall,
    TranscriptTurn,
)
from conversations_hub.stores._store import Checkpoint
from conversations_hub.stores._url import StoreURL
from conversations_hub.stores.parquet import ParquetStore, export_parquet
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.clock import NOW
from ..support.entries import ACCOUNT, entry, said
from ..support.growth import ratio
from ..support.recorded import recorded
from ..support.sqlite import kept_in

Export = Callable[..., int]

# Where one of our apostrophes stands, as the docstring of `write_csv` tells.
_BEFORE = "(?:[^\\S\t\r\n]|[\0-\x08\x0e-\x1f'\"\u200b-\u200f\u2060\ufeff])*"
_SIGN = "[=+\\-@\uff1d\uff0b\uff0d\uff20]"
_OURS = re.compile(f"(\\A|[;\t\r\n])'(?={_BEFORE}{_SIGN})|\\A'(?={_BEFORE}[\t\r\n]|'*(?:0[0-9]+|[0-9]{{16,}})\\Z)")


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def left(path: Path) -> list[Path]:
    return sorted(one for one in path.parent.rglob("*") if one.is_file())


def sheet(data: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(data.decode("utf-8-sig"), newline="")))


def as_csv(*conversations: Conversation, neutralized: bool = True, rows: Rows = "turns") -> list[dict[str, str]]:
    pieces: list[bytes] = []
    assert write_csv(conversations, pieces.append, neutralized=neutralized, rows=rows) == len(conversations)
    return sheet(b"".join(pieces))


@pytest.fixture
def duckdb() -> Any:
    return pytest.importorskip("duckdb", reason="Parquet needs the extra duckdb")


@pytest.fixture(params=[(export_jsonl, "c.jsonl"), (export_csv, "c.csv"), (export_parquet, "c")])
def way(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Export, Path, list[Path]]:
    """Return each way to export, its argument, and the files it makes."""
    run, name = request.param
    path = tmp_path / name
    if run is not export_parquet:
        return run, path, [path]
    request.getfixturevalue("duckdb")
    return run, path, [path / "conversations.parquet", path / "turns.parquet"]


# JSON, a document on each line


@pytest.mark.parametrize("provider", BUILTIN)
@pytest.mark.parametrize("name", ["c.jsonl", "c.jsonl.gz"])
def test_a_line_of_json_is_read_back_as_an_equal_conversation(provider: str, name: str, tmp_path: Path) -> None:
    conversations = list(recorded(provider))
    assert export_jsonl(conversations, tmp_path / name) == len(conversations) > 0
    data = (tmp_path / name).read_bytes()
    lines = (gzip.decompress(data) if name.endswith(".gz") else data).splitlines()
    assert [msgspec.json.decode(line, type=Conversation) for line in lines] == conversations


def test_a_compressed_file_does_not_tell_when_it_was_made(tmp_path: Path) -> None:
    export_csv([said("Hello.")], tmp_path / "c.csv.gz")
    data = (tmp_path / "c.csv.gz").read_bytes()
    assert data[3:8] == bytes(5)  # neither a name nor a time: https://www.rfc-editor.org/rfc/rfc1952#section-2.3
    assert [row["text"] for row in sheet(gzip.decompress(data))] == ["Hello."]


# CSV


def test_a_sheet_has_a_line_for_each_turn_and_one_for_a_conversation_without(tmp_path: Path) -> None:
    turns = (
        TranscriptTurn(index=0, role=Role.USER, text='She said "no, thanks",\nand left. Ä', start=-2.5),
        TranscriptTurn(
            index=1, role=Role.ASSISTANT, timestamp=NOW.timestamp(), tool_calls=(ToolCall(name="book"), ToolCall())
        ),
    )
    spoken = said(transcript=turns, agent=Agent(id="a1", name="Ann"), title="A call", duration=61.5)
    silent = Conversation(provider="acme", account="eu", id="c2", agent=Agent(id="a1"))
    assert export_csv([spoken, silent], tmp_path / "c.csv") == 2
    data = (tmp_path / "c.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfref,provider,")
    assert data.endswith(b"\r\n")
    first, second, third = sheet(data)
    about = {
        "ref": "acme:c1",
        "provider": "acme",
        "account": "default",
        "id": "c1",
        "title": "A call",
        "status": "ended",
        "channel": "unknown",
        "direction": "unknown",
        "agent": "Ann",
        "created_at": "2026-11-20T12:00:00Z",
        "started_at": "",
        "duration": "61.5",
        "end_reason": "",
        "transcript_state": "available",
    }
    said_first = {"position": "0", "role": "user", "start": "-2.5", "timestamp": "", "text": turns[0].text, "tools": ""}
    assert first == about | said_first
    called = {"position": "1", "role": "assistant", "start": "", "text": "", "tools": "book, unknown"}
    assert second == about | called | {"timestamp": "2026-11-20T12:00:00Z"}
    assert tuple(third) == COLUMNS["turns"]
    assert {name: cell for name, cell in third.items() if cell} == {
        "ref": "acme/eu:c2",
        "provider": "acme",
        "account": "eu",
        "id": "c2",
        "status": "unknown",
        "channel": "unknown",
        "direction": "unknown",
        "agent": "a1",
        "transcript_state": "not_loaded",
    }


@pytest.mark.parametrize(
    "cell", ["=1+1", "@x", "\tx", "-2+3", "+1", "\rx", "\nx", "\uff1d1+1", "=cmd|' /C calc'!A0", '=HYPERLINK("x")']
)
def test_f109_a_spreadsheet_takes_no_cell_for_a_formula(cell: str) -> None:
    call = TranscriptTurn(index=0, text=cell, start=-2.5, tool_calls=(ToolCall(name=cell),))
    hostile = Conversation(provider="acme", id=cell, title=cell, agent=Agent(name=cell), transcript=(call,))
    texts = ("id", "title", "agent", "text", "tools")
    [row] = as_csv(hostile)
    assert [row[name] for name in texts] == [f"'{cell}"] * len(texts)
    assert row["start"] == "-2.5"
    [row] = as_csv(hostile, neutralized=False)
    assert [row[name] for name in texts] == [cell] * len(texts)


@given(st.text("'=+-@\t\r\n\uff1d\uff20 a,;\"\ufeff0", max_size=8))
def test_f109_every_cell_can_be_had_back_as_it_was(text: str) -> None:
    [row] = as_csv(said(text))
    cell = row["text"]
    for part in re.split("[;\t\r\n]", cell):
        assert not part.strip('\ufeff "').startswith(tuple("=+-@\uff1d\uff20"))
    assert cell[:1] not in {"\t", "\r", "\n"}
    assert _OURS.sub(r"\1", cell) == text


@pytest.mark.parametrize(
    ("cell", "harmless"),
    [
        (" =1+1", "' =1+1"),
        ("\u00a0\u3000@x", "'\u00a0\u3000@x"),
        ("\ufeff=1", "'\ufeff=1"),
        ("x;=1+1", "x;'=1+1"),
        ('x; "=1+1"', 'x;\' "=1+1"'),
        ("x\t-1", "x\t'-1"),
        ("x\n\uff0b1", "x\n'\uff0b1"),
        ("\uff201", "'\uff201"),
        ("00491", "'00491"),
        ("1234567890123456", "'1234567890123456"),
    ],
)
def test_a_formula_is_found_wherever_a_cell_may_begin(cell: str, harmless: str) -> None:
    changed: Counter[str] = Counter()
    pieces: list[bytes] = []
    write_csv([said(cell)], pieces.append, changed=changed)
    assert [row["text"] for row in sheet(b"".join(pieces))] == [harmless]
    assert +changed == {"number" if cell.isdigit() else "formula": 1}


def test_ordinary_words_stay_as_they_are() -> None:
    texts = ["'tis", "a=1", "a -", "", "1-2", "Ärger", "0", "0.5", "123456789012345", "x; y", "one\ntwo"]
    assert [row["text"] for row in as_csv(said(*texts))] == texts


def test_a_cell_is_cut_where_a_spreadsheet_would_cut_it_and_says_so() -> None:
    changed: Counter[str] = Counter()
    pieces: list[bytes] = []
    fits, long, wide = "x" * 32_767, "x" * 32_768, "👍" * 16_384
    write_csv([said(fits, long, wide)], pieces.append, changed=changed)
    cells = [row["text"] for row in sheet(b"".join(pieces))]
    assert cells == [fits, "x" * 32_761 + " [cut]", "👍" * 16_380 + " [cut]"]
    assert changed["cut"] == 2
    assert [row["text"] for row in as_csv(said(long), neutralized=False)] == [long]


@pytest.mark.parametrize("neutralized", [True, False])
def test_what_stands_beside_every_turn_does_not_grow_with_their_number(*, neutralized: bool) -> None:
    def size(number: int) -> int:
        pieces: list[bytes] = []
        one = msgspec.structs.replace(said(*["Hello."] * number), title="=" * 20 * number)
        changed: Counter[str] = Counter()
        write_csv([one], pieces.append, neutralized=neutralized, changed=changed)
        assert changed["repeated"] == number
        assert max(map(len, pieces)) < 100_000
        [*_, last] = sheet(b"".join(pieces))
        assert last["title"].endswith("= [cut]")
        assert len(last["title"]) <= 1_001
        return sum(map(len, pieces))

    assert ratio(map(size, (100, 200, 400))) < 3
    [whole] = as_csv(msgspec.structs.replace(said("Hello."), title="a" * 30_000), rows="conversations")
    assert whole["title"] == "a" * 30_000


def test_lines_that_no_spreadsheet_shows_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "_MOST_LINES", 3)
    changed: Counter[str] = Counter()
    write_csv([said("a", "b", "c")], lambda _: None, changed=changed)
    assert +changed == {"beyond": 1}  # the heading is a line too


def test_a_sheet_may_have_a_line_for_each_conversation() -> None:
    one = said(
        "Hello.",
        "Bye.",
        analysis=Analysis(success=False, sentiment="calm"),
        cost=Cost(amount=Decimal("-0.125"), unit="USD"),
        tags=("vip", "eu"),
        summary="=They met.",
    )
    first, second = as_csv(one, Conversation(provider="acme", id="c2"), rows="conversations")
    assert tuple(first) == COLUMNS["conversations"]
    told = {name: first[name] for name in ("ref", "turns", "success", "sentiment", "cost", "cost_unit", "tags")}
    assert told == {
        "ref": "acme:c1",
        "turns": "2",
        "success": "False",
        "sentiment": "calm",
        "cost": "-0.125",
        "cost_unit": "USD",
        "tags": "vip, eu",
    }
    assert first["transcript"] == one.text
    assert first["summary"] == "'=They met."
    assert (second["ref"], second["turns"], second["transcript"]) == ("acme:c2", "", "")


# files


def test_only_the_owner_reads_it_and_nothing_else_is_left(way: tuple[Export, Path, list[Path]]) -> None:
    run, path, files = way
    assert run([said("Hello.")], path) == 1
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert left(path) == files


def test_what_is_there_is_replaced_only_when_told_to(way: tuple[Export, Path, list[Path]]) -> None:
    run, path, files = way
    run([said("Hello.")], path)
    before = [file.read_bytes() for file in files]
    with pytest.raises(StoreError, match=re.escape(f"{files[0]} already exists")):
        run(_never(), path)
    assert [file.read_bytes() for file in files] == before
    run([said("Goodbye.", "Bye.", id="c22")], path, overwrite=True)
    assert all(file.read_bytes() != old for file, old in zip(files, before, strict=True))


def _never() -> Iterator[Conversation]:
    pytest.fail("it refuses before it reads anything")
    yield


def test_what_appears_meanwhile_is_not_replaced(way: tuple[Export, Path, list[Path]]) -> None:
    run, path, files = way

    def slowly() -> Iterator[Conversation]:
        yield said("Hello.")
        files[-1].symlink_to("/nowhere")

    with pytest.raises(StoreError, match="already exists"):
        run(slowly(), path)
    assert files[-1].is_symlink()
    assert not any(file.exists() for file in files)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), StoreError("damaged")])
def test_what_is_interrupted_leaves_nothing(failure: BaseException, way: tuple[Export, Path, list[Path]]) -> None:
    run, path, files = way

    def interrupted() -> Iterator[Conversation]:
        yield said("Hello.")
        raise failure

    with pytest.raises(type(failure)):
        run(interrupted(), path)
    assert not left(path)
    run([said("Hello.")], path)
    before = [file.read_bytes() for file in files]
    with pytest.raises(type(failure)):
        run(interrupted(), path, overwrite=True)
    assert [file.read_bytes() for file in files] == before
    assert left(path) == files


def test_a_disk_that_does_not_keep_it_is_said(
    way: tuple[Export, Path, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, path, _ = way

    def broken(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(atomic, "FileOps", partial(FileOps, fsync=broken))
    with pytest.raises(StoreError, match=os.strerror(errno.EIO)):
        run([said("Hello.")], path)
    assert not left(path)


@pytest.mark.parametrize("run", [export_jsonl, export_csv])
def test_a_place_where_nothing_can_be_is_said(run: Export, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        run([], tmp_path / "nowhere" / "c")


@pytest.mark.parametrize("run", [export_jsonl, export_csv])
def test_memory_does_not_grow_with_the_number(run: Export, tmp_path: Path) -> None:
    many = (said("x" * 10_000, id=f"c{number}") for number in range(1_000))
    tracemalloc.start()
    try:
        assert run(many, tmp_path / "c") == 1_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000 < (tmp_path / "c").stat().st_size


# Parquet

_INSTANT, _SPAN, _TEXT, _NUMBER, _LIST, _TRUTH = (
    "TIMESTAMP WITH TIME ZONE",
    "DOUBLE",
    "VARCHAR",
    "INTEGER",
    "VARCHAR[]",
    "BOOLEAN",
)


def rows(duckdb: Any, path: Path, columns: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.execute(f"SELECT {columns} FROM read_parquet($1, hive_partitioning = false)", [str(path)])  # noqa: S608
        found: list[tuple[Any, ...]] = connection.fetchall()
        return found


def types(duckdb: Any, path: Path) -> dict[str, str]:
    with duckdb.connect() as connection:
        connection.execute("DESCRIBE SELECT * FROM read_parquet($1, hive_partitioning = false)", [str(path)])
        return {name: kind for name, kind, *_ in connection.fetchall()}


@pytest.mark.parametrize("conversations", [[], [Conversation(provider="acme", id="c1")], [said("Hello.", tags=("a",))]])
def test_the_columns_are_always_the_same(duckdb: Any, conversations: Iterable[Conversation], tmp_path: Path) -> None:
    export_parquet(conversations, tmp_path)
    found = types(duckdb, tmp_path / "conversations.parquet")
    assert {name: kind for name, kind in found.items() if kind != _TEXT} == {
        "created_at": _INSTANT,
        "started_at": _INSTANT,
        "ended_at": _INSTANT,
        "updated_at": _INSTANT,
        "duration": _SPAN,
        "turns": _NUMBER,
        "success": _TRUTH,
        "cost": _SPAN,
        "tags": _LIST,
        "estimated": _LIST,
    }
    assert found.keys() >= {"ref", "provider", "account", "id", "status", "metadata", "participants", "recordings"}
    found = types(duckdb, tmp_path / "turns.parquet")
    assert {name: kind for name, kind in found.items() if kind != _TEXT} == {
        "position": _NUMBER,
        "start": _SPAN,
        "duration": _SPAN,
        "timestamp": _INSTANT,
        "participant": _NUMBER,
        "interrupted": _TRUTH,
        "confidence": _SPAN,
    }
    assert found.keys() >= {"ref", "provider", "account", "id", "role", "text", "tool_calls", "visibility"}


def test_the_tables_hold_what_was_said(duckdb: Any, tmp_path: Path) -> None:
    moment = datetime(2026, 11, 20, 12, 0, 0, 250_000, tzinfo=UTC)
    turns = (
        TranscriptTurn(index=0, role=Role.USER, text='"Hä?"\n\0 [1]', start=-2.5, timestamp=moment.timestamp()),
        TranscriptTurn(index=1, role=Role.ASSISTANT, interrupted=True, tool_calls=(ToolCall(id="t1", name="book"),)),
    )
    one = said(
        id="c1",
        transcript=turns,
        started_at=moment,
        duration=61.5,
        tags=("vip", "2026-01-01"),
        metadata={"order": 7},
        analysis=Analysis(success=False, scores={"csat": 4.0}),
        cost=Cost(amount=Decimal("0.125"), unit="USD"),
        participants=(Participant(kind=ParticipantKind.CUSTOMER, phone="+15550100"),),
        raw=b"{}",
    )
    # What DuckDB could take for a pattern, a partition or the end of a text.
    folder = tmp_path / "year=2026 it's [1] *"
    assert export_parquet([one, Conversation(provider="acme", account="eu", id="c2")], folder) == 2
    assert "year" not in types(duckdb, folder / "turns.parquet")
    (folder / "conversations.parquet").rename(tmp_path / "c.parquet")
    (folder / "turns.parquet").rename(tmp_path / "t.parquet")
    columns = "ref, epoch_us(started_at), duration, turns, success, scores, cost, cost_unit, tags, metadata"
    assert rows(duckdb, tmp_path / "c.parquet", columns) == [
        (
            "acme:c1",
            int(moment.timestamp() * 1_000_000),
            61.5,
            2,
            False,
            '{"csat":4.0}',
            0.125,
            "USD",
            ["vip", "2026-01-01"],
            '{"order":7}',
        ),
        ("acme/eu:c2", None, None, None, None, None, None, None, [], None),
    ]
    [(participants,), (none,)] = rows(duckdb, tmp_path / "c.parquet", "participants")
    assert msgspec.json.decode(participants, type=tuple[Participant, ...]) == one.participants
    assert none == "[]"
    columns = "ref, account, id, position, role, text, start, epoch_us(timestamp), interrupted"
    assert rows(duckdb, tmp_path / "t.parquet", columns) == [
        ("acme:c1", "default", "c1", 0, "user", turns[0].text, -2.5, int(moment.timestamp() * 1_000_000), None),
        ("acme:c1", "default", "c1", 1, "assistant", "", None, None, True),
    ]
    [_, (calls,)] = rows(duckdb, tmp_path / "t.parquet", "tool_calls")
    assert msgspec.json.decode(calls, type=tuple[ToolCall, ...]) == turns[1].tool_calls


@pytest.mark.parametrize("provider", BUILTIN)
def test_every_provider_s_conversations_become_tables(duckdb: Any, provider: str, tmp_path: Path) -> None:
    conversations = list(recorded(provider))
    assert export_parquet(conversations, tmp_path) == len(conversations)
    found = rows(duckdb, tmp_path / "conversations.parquet", "ref, status, epoch_us(created_at)")
    assert found == [(one.ref, one.status.value, _microseconds(one.created_at)) for one in conversations]
    turns = [(one.ref, turn.text, turn.start) for one in conversations for turn in one.transcript or ()]
    assert rows(duckdb, tmp_path / "turns.parquet", "ref, text, start") == turns


def _microseconds(moment: datetime | None) -> int | None:
    return None if moment is None else round(moment.timestamp() * 1_000_000)


def test_a_turn_may_be_longer_than_duckdb_reads_by_itself(duckdb: Any, tmp_path: Path) -> None:
    length = 40_000_000
    export_parquet([said("x" * length, "Hello.")], tmp_path)
    assert rows(duckdb, tmp_path / "turns.parquet", "length(text)") == [(length,), (6,)]


def test_parquet_is_written_in_groups_of_bounded_size_and_in_order(duckdb: Any, tmp_path: Path) -> None:
    many = [said(*[f"{number} {turn} " + "x" * 500_000 for turn in range(4)], id=f"c{number}") for number in range(40)]
    export_parquet(many, tmp_path / "o")
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        file = str(tmp_path / "o" / "turns.parquet")
        [(groups,)] = connection.execute(
            "SELECT count(DISTINCT row_group_id) FROM parquet_metadata($1)", [file]
        ).fetchall()
    assert groups > 1
    found = rows(duckdb, tmp_path / "o" / "turns.parquet", "ref, position")
    assert found == [(one.ref, position) for one in many for position in range(4)]


def test_parquet_keeps_the_order_of_very_many_turns(duckdb: Any, tmp_path: Path) -> None:
    export_parquet((said(*["Hello."] * 500, id=f"c{number}") for number in range(200)), tmp_path / "o")
    found = rows(duckdb, tmp_path / "o" / "turns.parquet", "ref, position")
    assert found == [(f"acme:c{number}", position) for number in range(200) for position in range(500)]


def test_a_folder_for_tables_is_made_where_its_own_folder_is(duckdb: Any, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"nowhere/c: "):
        export_parquet([], tmp_path / "nowhere" / "c")


def test_a_failure_of_duckdb_does_not_quote_what_was_said(
    duckdb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub.stores.parquet._TYPES", {"text": "INTEGER"})
    with pytest.raises(StoreError) as told:
        export_parquet([said("My secret.")], tmp_path)
    assert told.value.reason == f"{tmp_path}: InvalidInputException"
    assert names(tmp_path) == []


async def test_without_the_extra_parquet_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    told = re.escape("pip install 'conversations-hub[duckdb]'")
    with pytest.raises(ConfigurationError, match=told):
        export_parquet(_never(), tmp_path / "c")
    with pytest.raises(ConfigurationError, match=told):
        await ParquetStore(tmp_path / "c").open({})
    assert names(tmp_path) == []


async def test_a_parquet_store_writes_both_tables_anew(duckdb: Any, tmp_path: Path) -> None:
    folder = tmp_path / "c"
    for number in range(2):
        store = ParquetStore(folder)
        await store.open({})
        await store.commit(ACCOUNT, [entry(said("Hello.", id=f"c{number}", created_at=NOW))], Checkpoint())
        await store.finish()
        await store.close()
        assert len(rows(duckdb, folder / "turns.parquet", "ref")) == number + 1
    assert names(folder) == ["conversations.db", "conversations.db.lock", "conversations.parquet", "turns.parquet"]
    assert rows(duckdb, folder / "conversations.parquet", "ref") == [("acme:c1",), ("acme:c0",)]


async def test_a_parquet_store_does_not_take_the_place_of_other_tables(duckdb: Any, tmp_path: Path) -> None:
    (tmp_path / "turns.parquet").write_bytes(b"theirs")
    with pytest.raises(StoreError, match=r"already exists, and no sync made it\..* move it away"):
        await ParquetStore(tmp_path).open({})
    assert names(tmp_path) == ["turns.parquet"]


async def test_a_parquet_store_that_is_closed_gives_its_tables_up(
    duckdb: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_go_on = threading.Event(), threading.Event()

    def slowly(archive: SQLiteReader) -> Iterator[Conversation]:
        began.set()
        assert may_go_on.wait(10)
        yield said("Hello.")

    monkeypatch.setattr(SQLiteReader, "conversations", slowly)
    store = ParquetStore(tmp_path)
    await store.open({})
    finish = asyncio.ensure_future(store.finish())
    await asyncio.to_thread(began.wait, 10)
    finish.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finish
    asyncio.get_running_loop().call_soon(may_go_on.set)  # once `close` waits for the disk
    await store.close()
    assert names(tmp_path) == ["conversations.db", "conversations.db.lock"]


# the command


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    await kept_in(
        tmp_path / "c.db",
        said("=1+1", id="c1"),
        msgspec.structs.replace(said("Hello.\x1b[2J", id="c2"), account="eu"),
    )
    return tmp_path / "c.db"


def run(store: Path, to: str, *targets: str, overwrite: bool = False, formulas: bool = False) -> None:
    export.run(
        to,
        targets,
        store=StoreURL("sqlite", store),
        since=None,
        until=None,
        overwrite=overwrite,
        formulas=formulas,
        rows=None,
        options=(),
        as_json=False,
    )


@pytest.mark.parametrize(
    ("name", "form"),
    [("x.jsonl", ""), ("x.jsonl.gz", ""), ("x.csv", ""), ("x.csv.gz", ""), ("x.txt", "csv:"), ("a:b.txt", "jsonl:")],
)
def test_the_ending_or_a_word_tells_the_form(
    store: Path, name: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    run(store, f"{form}{path}")
    harmless = (
        "cells with an apostrophe before what a spreadsheet takes for a formula: 1\n" if "csv" in name + form else ""
    )
    assert capsys.readouterr() == ("", f"2 conversations written to {path}\n{harmless}")
    data = path.read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    if "csv" in name + form:
        assert [row["text"] for row in sheet(data)] == ["Hello.\x1b[2J", "'=1+1"]
    else:
        assert [msgspec.json.decode(line, type=Conversation).id for line in data.splitlines()] == ["c2", "c1"]
    with pytest.raises(StoreError, match=r"already exists.*\(--overwrite\)"):
        run(store, f"{form}{path}")
    run(store, f"{form}{path}", "acme/eu", overwrite=True)
    assert capsys.readouterr().err == f"1 conversation written to {path}\n"


@pytest.mark.parametrize(
    ("to", "folder"),
    [("out.parquet", "out.parquet"), ("parquet:out", "out"), ("parquet:out.parquet", "out.parquet")],
)
def test_parquet_is_a_folder_where_it_was_said(
    duckdb: Any,
    store: Path,
    to: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    folder: str,
) -> None:
    monkeypatch.chdir(store.parent)
    before = {*Path().iterdir()}
    run(store, to)
    written = f"{folder}/conversations.parquet and {folder}/turns.parquet"
    assert capsys.readouterr().err == f"2 conversations written to {written}\n"
    assert {*Path().iterdir()} - before == {Path(folder)}
    assert names(Path(folder)) == ["conversations.parquet", "turns.parquet"]


def test_standard_output_gets_it_byte_for_byte(store: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    run(store, "csv:-", formulas=True)
    out, err = capsysbinary.readouterr()
    assert [row["text"] for row in sheet(out)] == ["Hello.\x1b[2J", "=1+1"]
    assert err == b"2 conversations written to standard output\n"
    run(store, "jsonl:-")
    assert len(capsysbinary.readouterr().out.splitlines()) == 2


def test_a_terminal_is_not_steered(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    run(store, "csv:-")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "Hello.\\x1b[2J" in out


@pytest.mark.parametrize("to", ["", "-", "jsonl:", "x.xlsx", "csv", "x.gz", "parquet:-"])
def test_what_tells_no_form_is_refused(store: Path, to: str) -> None:
    with pytest.raises(click.BadParameter, match="has no known format"):
        run(store, to)
