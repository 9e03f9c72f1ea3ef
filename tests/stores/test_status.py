"""How a store stands: what the questions find, that indexes answer them, and what is shown of it."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from conversations_hub._cli import cli
from conversations_hub.schema import Conversation, TranscriptState
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._status import AccountStatus, StoreStatus
from conversations_hub.stores._store import Checkpoint, Entry, Store, StoredVersion, Window
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.jsonl._reader import JSONLReader
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.stores.sqlite._status import QUESTIONS

from ..support.clock import NOW
from ..support.entries import said

DAY = timedelta(days=1)
COVERED = Window(NOW - 7 * DAY, NOW)


def entry(one: Conversation, *, is_settled: bool = True, failed_days_ago: int | None = None) -> Entry:
    since = None if failed_days_ago is None else NOW - failed_days_ago * DAY
    return Entry(one, StoredVersion(b"row", fingerprint(one), None if is_settled else NOW + DAY, b"{}", since))


async def fill(store: Store, *, finish: bool = True) -> None:
    """Have two accounts in a store, one of them in the middle of its list."""
    await store.open({})
    restricted = said(id="c6", created_at=NOW - 2 * DAY, transcript_state=TranscriptState.RESTRICTED)
    undated = msgspec.structs.replace(said(id="c7"), created_at=None)
    entries = [
        entry(said("One.", id="c1", created_at=NOW - 5 * DAY)),
        entry(said("Two.", id="c2"), is_settled=False),
        entry(said("Three.", id="c3"), is_settled=False, failed_days_ago=2),
        entry(said("Four.", id="c4"), is_settled=False, failed_days_ago=3),
        entry(said("Five.", id="c5"), failed_days_ago=9),
        entry(restricted),
        entry(undated),
    ]
    await store.commit("acme/default", entries, Checkpoint(covered=COVERED, high_watermark=NOW))
    await store.vanished("acme/default", [f"c{number}" for number in range(2, 8)], NOW)
    other = msgspec.structs.replace(said("Eight.", id="c8", created_at=NOW - 9 * DAY), account="eu")
    await store.commit("acme/eu", [entry(other)], Checkpoint(in_progress=COVERED, cursor="2"))
    await store.commit("acme/us", [], Checkpoint(covered=Window(None, NOW - DAY)))
    if finish:
        await store.finish({})
    await store.close()


FIRST = AccountStatus(
    where="acme/default",
    conversations=7,
    oldest=NOW - 5 * DAY,
    newest=NOW,
    covered=COVERED,
    pending=1,
    restricted=1,
    failing=2,
    failing_since=NOW - 3 * DAY,
    given_up=1,
    vanished=1,
)
SECOND = AccountStatus(
    where="acme/eu",
    conversations=1,
    oldest=NOW - 9 * DAY,
    newest=NOW - 9 * DAY,
    is_under_way=True,
    restricted=0,
    vanished=0,
)
THIRD = AccountStatus(where="acme/us", covered=Window(None, NOW - DAY), restricted=0, vanished=0)


async def test_a_store_tells_how_it_stands(tmp_path: Path) -> None:
    await fill(SQLiteStore(tmp_path / "c.db"))
    with SQLiteReader(tmp_path / "c.db") as archive:
        found = archive.status()
        assert archive.accounts() == ["acme/default", "acme/eu", "acme/us"]
    assert found.accounts == (FIRST, SECOND, THIRD)
    assert found.total == msgspec.structs.replace(
        FIRST,
        where="total",
        conversations=8,
        oldest=NOW - 9 * DAY,
        covered=None,  # for one was not walked to its end yet
        is_under_way=True,
    )
    assert StoreStatus.of([FIRST, THIRD]).total.covered == Window(NOW - 7 * DAY, NOW - DAY)
    assert StoreStatus.of([]).total == AccountStatus(where="total")


async def test_the_questions_are_answered_from_indexes(tmp_path: Path) -> None:
    await fill(SQLiteStore(tmp_path / "c.db"))
    with closing(sqlite3.connect(tmp_path / "c.db")) as database:
        plans = {
            name: [row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {question}", [""] * question.count("?"))]
            for name, question in QUESTIONS.items()
        }
    first = {name: plan[0] for name, plan in plans.items()}
    assert first["there"] == "SCAN conversations USING COVERING INDEX conversations_by_day"
    assert first["oldest"] == first["newest"]
    assert first["oldest"].startswith("SEARCH conversations USING INDEX conversations_by_account")
    assert first["pending"] == "SCAN remembered USING INDEX remembered_unsettled"
    assert first["failing"] == first["given_up"] == "SCAN remembered USING INDEX remembered_failing"
    assert first["vanished"] == "SCAN conversations USING INDEX conversations_vanished"


@pytest.mark.parametrize("finish", [True, False])
async def test_json_lines_tell_what_their_journal_says(tmp_path: Path, *, finish: bool) -> None:
    await fill(JSONLStore(tmp_path / "c.jsonl"), finish=finish)
    unknown = {"oldest": None, "restricted": None, "vanished": None}
    found = JSONLReader(tmp_path / "c.jsonl").status()
    assert found.accounts == (
        msgspec.structs.replace(FIRST, **unknown),
        msgspec.structs.replace(SECOND, **unknown, newest=None),
        msgspec.structs.replace(THIRD, **unknown),
    )
    assert found.total.vanished is None


async def test_where_the_journal_is_gone_the_manifest_says_something(tmp_path: Path) -> None:
    await fill(JSONLStore(tmp_path / "c.jsonl"))
    (tmp_path / "c.jsonl.journal").unlink()
    first, *_ = JSONLReader(tmp_path / "c.jsonl").status().accounts
    assert (first.where, first.conversations, first.covered, first.failing) == ("acme/default", 7, COVERED, 3)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["status", *arguments])


async def test_it_is_shown_as_a_table(tmp_path: Path) -> None:
    await fill(SQLiteStore(tmp_path / "c.db"))
    result = run("--store", str(tmp_path / "c.db"))
    assert result.exit_code == 0
    heading, _, *lines = result.stdout.splitlines()
    columns = "account conversations oldest newest lists read to pending restricted failing given up vanished"
    assert " ".join(heading.split()) == columns
    rows = {line.split("  ")[0].strip(): line.split() for line in lines}
    assert rows["acme/default"][-5:] == ["1", "1", "2", "1", "1"]
    assert rows["total"][1] == "8"
    assert f"acme/default: failing since {NOW - 3 * DAY:%b %d %H:%M}" in lines
    assert "a sync is in the middle of a list, or was stopped there and resumes next time: acme/eu" in lines
    assert "2 failing: written without what could not be fetched; the next sync tries again" in lines
    assert lines[-1] == f"{tmp_path / 'c.db'}: 8 conversations; instants are UTC"


async def test_it_is_json_where_that_is_asked_for(tmp_path: Path) -> None:
    for place, store in (("", SQLiteStore(tmp_path / "c.db")), ("jsonl:", JSONLStore(tmp_path / "c.jsonl"))):
        await fill(store)
        told = json.loads(run("--store", f"{place}{store.path}", "--json").stdout)
        assert [account["where"] for account in told["accounts"]] == ["acme/default", "acme/eu", "acme/us"]
        assert (told["total"]["conversations"], told["total"]["failing"]) == (8, 2)
