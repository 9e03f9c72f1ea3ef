"""Erasing: gone from the tables, the index, the file's bytes and the folder of recordings, for good."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub._files.recordings import name_of
from conversations_hub.errors import InvalidRefError, StoreError
from conversations_hub.schema import (
    Recording,
    RecordingAccess,
    ToolCall,
    TranscriptTurn,
)
from conversations_hub.stores._erasure import Person, is_mentioned, takes_part
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import sync

from ..support.clock import NOW, at
from ..support.entries import said
from ..support.erasing import erased_and_killed_before
from ..support.persons import SECRET, bytes_in, called
from ..support.sqlite import kept_in, opened, stored
from ..support.tavus_server import AFTER, Tavus, scripted
from ..support.warm import Warm

FULL_WIDTH = {ord(sign): ord(sign) + 0xFEE0 for sign in "+0123456789"}


async def test_what_was_erased_stands_in_no_byte_and_the_rest_is_there(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    others = [called("+49 30 1234567", id=f"o{number}") for number in range(50)]
    others = [msgspec.structs.replace(one, transcript=said("Hello there.").transcript) for one in others]
    raw = msgspec.structs.replace(called("+1 555 010 2030", name="Rumpelstilz"), raw=os.urandom(5000).hex().encode())
    await kept_in(path, raw, *others[:25])
    # An earlier version of it is no less personal.
    await kept_in(path, msgspec.structs.replace(raw, title="Rapunzel"), *others[25:])
    await kept_in(path, msgspec.structs.replace(raw, title="another"))
    assert SECRET.encode() in bytes_in(tmp_path)
    with SQLiteReader(path) as archive:
        receipt = archive.erase("acme:c1", now=NOW)
        assert receipt.conversations == ("acme:c1",)
        assert receipt.complete
        assert archive.search(SECRET).total == 0
        assert archive.search("退款").total == 0
        assert archive.search("hello").total == 50
        assert {one.id for one in archive.conversations()} == {one.id for one in others}
    left = bytes_in(tmp_path).lower()
    for word in (SECRET, "Rumpelstilz", "Rapunzel", "555 010 2030", "退款", "退"):
        assert word.lower().encode() not in left, word
    assert msgspec.json.decode(msgspec.json.encode(receipt))["conversations"] == ["acme:c1"]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        database.execute("INSERT INTO turns_text (turns_text) VALUES ('integrity-check')")


async def test_no_sync_brings_it_back(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    async with scripted(Tavus(5)) as (hub, asked):
        await sync(hub, SQLiteStore(path), clock=at(AFTER))
        with SQLiteReader(path) as archive:
            archive.erase("tavus:c3")
        asked.clear()
        for again in (False, True):
            report = await sync(hub, SQLiteStore(path), again=again, clock=at(AFTER + timedelta(hours=1)))
            assert report.complete
            assert report.accounts[0].vanished == []
        assert not any("/c3" in one.target for one in asked)
    assert stored(path).keys() == {f"tavus:c{number}" for number in (0, 1, 2, 4)}
    with closing(sqlite3.connect(path)) as database:
        [(digest, *_)] = database.execute("SELECT * FROM erased").fetchall()
    assert b"c3" not in digest


@pytest.mark.parametrize(
    "about",
    [
        {"metadata": {"note": "Mail:\nada@example.com"}},
        {"metadata": {"caller": {"number": 15550102030}}},
        {"metadata": {"+1 555 010 2030": "blocked"}},
        {"metadata": {"body": '{"from":"\\nada@example.com"}'}},
        {"links": {"log": "https://example.com/?who=ada%40example.com"}},
        {"links": {"call": "tel:%2B1%20555%20010%202030"}},
        {"title": "+1 555 010 2030".translate(FULL_WIDTH)},
        {"title": "٠٠١٥٥٥٠١٠٢٠٣٠"},
        {"summary": "[Call with ada@example.com] She asked."},
    ],
)
async def test_no_escape_and_no_script_hides_a_person(about: dict[str, Any], tmp_path: Path) -> None:
    person = Person(phone="+1 555 010 2030", email="ada@example.com")
    one = msgspec.structs.replace(said(id="c1"), **about)
    await kept_in(tmp_path / "c.db", one, said(id="c2"))
    with SQLiteReader(tmp_path / "c.db") as archive:
        assert archive.erase(person=person, dry_run=True).conversations == ("acme:c1",)
    assert takes_part(person, one)
    turn = TranscriptTurn(index=0, tool_calls=(ToolCall(name="call", arguments=msgspec.json.encode(about).decode()),))
    heard = msgspec.structs.replace(said(id="c3"), transcript=(turn,))
    assert is_mentioned(person, heard)
    assert not takes_part(person, heard)


async def test_recordings_on_disk_go_with_it(tmp_path: Path) -> None:
    recording = Recording(location="https://example.com/a.mp3", access=RecordingAccess.SIGNED_URL, ref="acme:c1")
    path, folder = tmp_path / "c.db", tmp_path / "recordings"
    await kept_in(path, msgspec.structs.replace(called(), recordings=(recording,)), called(id="c11"))
    for one in (recording, msgspec.structs.replace(recording, ref="acme:c11")):
        file = folder / name_of(one, 0)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sound")
    half = folder / name_of(recording, 1)
    (half.parent / f".{half.name}.0123456789abcdef.part").write_bytes(b"half")
    with SQLiteReader(path) as archive:
        receipt = archive.erase("acme:c1", recordings=folder)
    assert len(receipt.recordings) == 2
    [left] = (folder / "acme").iterdir()
    assert left.name.startswith("c11-")


async def test_it_is_refused_in_words_and_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, called())
    with SQLiteReader(path) as archive:
        with pytest.raises(InvalidRefError):
            archive.erase("nonsense")
        assert archive.erase("acme:nobody").conversations == ()
        async with opened(path):
            with pytest.raises(StoreError, match="another sync is running"):
                archive.erase("acme:c1")
        assert [one.id for one in archive.conversations()] == ["c1"]
    for wrong in ({"phone": "12345"}, {"email": "nobody"}):
        with pytest.raises(InvalidRefError):
            Person(**wrong)


async def test_the_revision_grows_with_every_write_and_every_erasure(tmp_path: Path) -> None:
    path = tmp_path / "c.db"

    def revision() -> int:
        with closing(sqlite3.connect(path)) as database:
            [(number,)] = database.execute("SELECT value FROM store WHERE name = 'revision'").fetchall()
            return int(number)

    seen: list[int] = []
    for one in (called(), called("+1 555 010 2030"), called(id="c2")):
        await kept_in(path, one)
        seen.append(revision())
    with SQLiteReader(path) as archive:
        archive.erase("acme:c1")
    seen.append(revision())
    assert seen == sorted(set(seen))
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT revision FROM erased").fetchall()[0][0] > seen[2]
        assert database.execute("SELECT id FROM conversations WHERE revision > ?", (seen[1],)).fetchall() == [("c2",)]


@pytest.mark.parametrize("step", range(10))
async def test_killed_at_any_statement_it_is_never_half(step: int, tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, called("+1 555 010 2030"), called(id="c2", phone="+1 555 010 9999"))
    with Warm(erased_and_killed_before, str(path), step) as erasing:
        code = erasing.wait()
        assert code in {0, -signal.SIGKILL}
    with SQLiteReader(path) as archive:
        there = {one.id for one in archive.conversations()}
        assert there in ({"c1", "c2"}, {"c2"})
        if "c1" not in there:
            assert archive.search(SECRET).total == 1
            await kept_in(path, called(id="c2", phone="+1 555 010 9999"))  # the next one to write cleans up
            assert b"010 2030" not in bytes_in(tmp_path)
        archive.erase("acme:c1")
    assert b"010 2030" not in bytes_in(tmp_path)
