"""A store of the first layout, brought to this one: all that was there is there, or all is as it was."""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from conversations_hub.adapters import BUILTIN
from conversations_hub.errors import StoreError
from conversations_hub.schema import Conversation
from conversations_hub.stores.sqlite import SQLiteStore, _migration
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.sync import sync

from ..support.clock import at
from ..support.first_layout import first_layout
from ..support.migrating import killed_before
from ..support.recorded import recorded
from ..support.sqlite import stored
from ..support.tavus_server import AFTER, Tavus, row, scripted
from ..support.warm import Warm


def _everything() -> list[Conversation]:
    found = {(one.provider, one.id): one for provider in BUILTIN for one in recorded(provider)}
    return list(found.values())


async def _migrated(path: Path) -> None:
    store = SQLiteStore(path)
    await store.open({})
    await store.close()


async def test_all_that_was_there_is_there(tmp_path: Path) -> None:
    path, conversations = tmp_path / "c.db", _everything()
    first_layout(path, conversations)
    with pytest.raises(StoreError, match=r"older version.*run `conversations-hub sync"):
        SQLiteReader(path)
    await _migrated(path)
    assert stored(path) == {one.ref: one for one in conversations}
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        database.execute("INSERT INTO turns_text (turns_text) VALUES ('integrity-check')")
    assert [file.name for file in tmp_path.iterdir() if file.suffix != ".lock"] == ["c.db"]  # noqa: ASYNC240


async def test_it_is_the_layout_of_a_new_store(tmp_path: Path) -> None:
    first_layout(tmp_path / "old.db", [])
    await _migrated(tmp_path / "old.db")
    await _migrated(tmp_path / "new.db")

    def layout(path: Path) -> dict[str, object]:
        with closing(sqlite3.connect(path)) as database:
            names = database.execute("SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
            tables = [name for kind, name in names if kind in {"table", "view"}]
            columns = {name: database.execute(f"PRAGMA table_xinfo({name})").fetchall() for name in tables}
            return {"names": sorted(names), "columns": columns}

    assert layout(tmp_path / "old.db") == layout(tmp_path / "new.db")


async def test_what_was_settled_is_not_fetched_again(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    async with scripted(Tavus(20)) as (hub, _):
        listed = {one.id: one async for one in hub.list()}
        whole = [one async for one in hub.list(transcripts=True)]
        first_layout(path, whole, listed)
        report = await sync(hub, SQLiteStore(path), clock=at(AFTER + timedelta(days=30)))
        assert (report.accounts[0].fetched, report.complete) == (0, True)
    provider = Tavus(20)
    provider.rows[19] = row(19, conversation_name="renamed")
    async with scripted(provider) as (hub, _):
        report = await sync(hub, SQLiteStore(path), lookback=timedelta(days=90), clock=at(AFTER + timedelta(days=30)))
    assert report.accounts[0].fetched == 1


async def test_killed_before_any_statement_it_is_as_it_was(tmp_path: Path) -> None:
    conversations = _everything()[::7]
    first_layout(tmp_path / "c.db", conversations)
    steps = len(list(_migration.steps(with_index=True)))
    assert steps > 30
    for step in range(steps + 1):
        with Warm(killed_before, str(tmp_path / "c.db"), step) as migrating:
            assert migrating.wait() == -signal.SIGKILL
        with closing(sqlite3.connect(tmp_path / "c.db")) as database:
            assert database.execute("PRAGMA user_version").fetchone() == (1,)
            assert database.execute("SELECT count(*) FROM conversations").fetchone() == (len(conversations),)
    await _migrated(tmp_path / "c.db")
    assert stored(tmp_path / "c.db") == {one.ref: one for one in conversations}


async def test_parts_that_others_left_behind_belong_to_nobody(tmp_path: Path) -> None:
    first_layout(tmp_path / "c.db", _everything()[:10])
    with closing(sqlite3.connect(tmp_path / "c.db")) as database:
        database.execute("DELETE FROM conversations WHERE key > 5")
        database.commit()
    await _migrated(tmp_path / "c.db")
    with closing(sqlite3.connect(tmp_path / "c.db")) as database:
        for table in ("turns", "participants", "recordings"):
            left = f"SELECT count(*) FROM {table} WHERE conversation NOT IN (SELECT key FROM conversations)"  # noqa: S608
            assert database.execute(left).fetchone() == (0,), table
    assert len(stored(tmp_path / "c.db")) == 5
