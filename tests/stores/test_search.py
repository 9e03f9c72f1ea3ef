"""A search in a store: every script, all of the language, filters, totals, hints, and an index that stays true."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from conversations_hub._cli import cli
from conversations_hub.errors import StoreError
from conversations_hub.schema import Agent, Conversation, Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.stores._fingerprint import fingerprint
from conversations_hub.stores._query import parsed, snippet
from conversations_hub.stores._store import Checkpoint, Entry, StoredVersion
from conversations_hub.stores.sqlite import SQLiteStore, _bounded
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.growth import ratio, steps

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def said(*texts: str, id: str = "c1", status: Status = Status.ENDED, agent: str | None = None) -> Conversation:
    """Return a conversation in which the user and the agent take turns."""
    roles = (Role.USER, Role.ASSISTANT)
    return Conversation(
        provider="acme",
        id=id,
        status=status,
        agent=None if agent is None else Agent(id=agent),
        created_at=NOW - timedelta(days=int(id[1:])),
        transcript=tuple(TranscriptTurn(index=at, role=roles[at % 2], text=text) for at, text in enumerate(texts)),
        transcript_state=TranscriptState.AVAILABLE,
    )


async def keep(path: Path, *conversations: Conversation) -> None:
    """Write conversations into a store."""
    store = SQLiteStore(path)
    await store.open({})
    try:
        entries = [Entry(one, StoredVersion(b"row", fingerprint(one), None)) for one in conversations]
        await store.commit("acme/default", entries, Checkpoint())
    finally:
        await store.close()


async def test_the_index_stays_true_whoever_changes_the_store(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await keep(path, said("我要退款", "Hello, Łódź.", "Plain."), said("我要退货", id="c2"))
    await keep(path, said("我要谢谢", "Plain."))  # again, and otherwise

    def found(words: str) -> list[str]:
        with SQLiteReader(path) as archive:
            return [hit.ref for hit in archive.search(words).hits]

    def changed(statement: str) -> int:
        with closing(sqlite3.connect(path, isolation_level=None)) as database:
            database.execute("PRAGMA foreign_keys = ON")
            database.execute(statement)
            database.execute("INSERT INTO turns_text (turns_text, rank) VALUES ('integrity-check', 1)")
            return int(database.execute("SELECT count(*) FROM folded").fetchone()[0])

    assert (found("退款"), found("lodz"), found("谢谢"), found("plain")) == ([], [], ["acme:c1"], ["acme:c1"])
    assert changed("UPDATE turns SET text = 'Refunded.' WHERE text = '我要谢谢'") == 1
    assert (found("谢谢"), found("refunded"), found("退货")) == ([], ["acme:c1"], ["acme:c2"])
    assert changed("INSERT INTO turns_text (turns_text) VALUES ('rebuild')") == 1
    assert (found("refunded"), found("退货")) == (["acme:c1"], ["acme:c2"])
    assert changed("DELETE FROM conversations") == 0
    assert (found("refunded"), found("退货")) == ([], [])


async def test_the_command_says_how_many_there_are_and_why_none(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await keep(path, said("A card.", "Cancel?", "A card!", agent="a1"))

    def run(*arguments: str) -> tuple[int, str, str]:
        result = CliRunner().invoke(cli, ["search", *arguments, "--store", str(path)])
        return result.exit_code, result.stdout, result.stderr

    code, out, error = run("card", "--limit", "1", "--offset", "1", "--agent", "a1", "--status", "ended")
    assert (code, out.count("[card]") + out.count("card"), error) == (0, 1, "2 of 2 turns, best match first\n")
    assert run("card", "--offset", "5") == (1, "", "there are only 2 turns\n")
    assert run("card cancel", "--anywhere")[0] == 0
    code, _, error = run("card cancel")
    assert (code, error.partition(".")[0]) == (1, "no turn matches all of that")
    lines = run("card", "--json")[1].splitlines()
    assert [msgspec.json.decode(line)["position"] for line in lines] == [0, 2]


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("words", "piece"),
    [
        ("a", "a "),
        ("a b", "a b "),
        ('"a a a b"', "a "),
        ("a*", "ab "),
        (" ".join("a" * 50), "a "),
        (" OR ".join(f"w{number}" for number in range(50)), "".join(f"w{number} " for number in range(50))),
        ("退款", "退款"),
    ],
    ids=["one", "two", "in a row", "beginning", "the same again", "many", "without blanks"],
)
def test_a_snippet_costs_in_step_with_the_turn(words: str, piece: str) -> None:
    query = parsed(words)

    def cost(size: int) -> int:
        text = (piece * size)[: 4 * size]
        return steps(lambda: snippet(text, query))

    assert ratio(map(cost, (500, 1000, 2000))) < 3
    assert cost(1000) < 200 * 4000 + cost(1) * 10  # per character


async def test_a_search_that_goes_on_and_on_is_ended_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await keep(tmp_path / "c.db", *(said(*["a b c"] * 50, id=f"c{number}") for number in range(20)))
    monkeypatch.setattr(_bounded, "_STEP", 100)
    monkeypatch.setattr(_bounded, "_PER_BYTE", 0)
    with SQLiteReader(tmp_path / "c.db") as archive:
        monkeypatch.setattr(_bounded, "_LEAST", 5_000)
        with pytest.raises(StoreError, match="takes more work than a store of its size should"):
            archive.search("a OR b OR c", anywhere=True)
        assert len(list(archive.conversations(limit=1))) == 1


async def test_what_reads_all_of_a_store_takes_much_less_work_than_it_may(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await keep(path, *(said(*["Where is my order?", "It is on its way."] * 20, id=f"c{at}") for at in range(100)))
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with SQLiteReader(path) as archive:
        archive._connection.set_progress_handler(count, 1)  # pyright: ignore[reportPrivateUsage]
        for read in (
            lambda: list(archive.conversations()),
            lambda: archive.search("order way -nothing", anywhere=True),
            archive.status,
            archive.accounts,
        ):
            taken = 0
            read()
            assert taken < _bounded._PER_BYTE * path.stat().st_size / 20, taken  # pyright: ignore[reportPrivateUsage]
