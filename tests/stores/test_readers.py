"""Readers: every kind of store answers alike, refuses alike, and takes what came by another way."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from conversations_hub import Conversation, TranscriptTurn
from conversations_hub.errors import (
    ConfigurationError,
    InvalidRefError,
    NotFoundError,
    StoreError,
    UnsupportedError,
)
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import Agent, Recording, RecordingAccess, Role, Status, TranscriptState
from conversations_hub.stores import ReadableStore, open_store, put

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KINDS = ["sqlite:c.db", "c.db", "jsonl:c.jsonl", "jsonl:c.jsonl.gz", "parquet:c"]


def one(number: int, **more: object) -> Conversation:
    turn = TranscriptTurn(index=0, role=Role.USER, text=f"I am number {number}.")
    made = Conversation(
        provider="tavus",
        id=f"c{number}",
        status=Status.ENDED if number % 2 else Status.FAILED,
        created_at=NOON + timedelta(hours=number),
        agent=Agent(id=f"a{number % 3}"),
        transcript=(turn,),
        transcript_state=TranscriptState.AVAILABLE,
        recordings=(Recording(location=f"https://example.com/{number}.mp3", access=RecordingAccess.PROVIDER_KEY),),
    )
    found = msgspec.structs.replace(made, **more)
    recordings = tuple(msgspec.structs.replace(each, ref=found.ref) for each in found.recordings)
    return msgspec.structs.replace(found, recordings=recordings)


EVERYTHING = [
    *map(one, range(6)),
    one(6, account="eu"),
    one(7, provider="vapi"),
    one(8, created_at=None, started_at=NOON + timedelta(minutes=30)),
    one(9, created_at=None),
]


@pytest.fixture
async def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadableStore:
    monkeypatch.chdir(tmp_path)
    if request.param.startswith("parquet"):
        pytest.importorskip("duckdb")
    found = open_store(request.param)
    assert not found.exists()
    written = await put(found, *EVERYTHING)
    assert (written.new, written.updated, written.unchanged) == (10, 0, 0)
    assert found.exists()
    return found


Questions = dict[str, tuple[tuple[str, ...], dict[str, object], Callable[[Conversation], bool]]]
QUESTIONS: Questions = {
    "all": ((), {}, lambda _: True),
    "of a provider": (("tavus",), {}, lambda found: found.provider == "tavus"),
    "of an account": (("tavus/eu",), {}, lambda found: found.account == "eu"),
    "of two": (("tavus/eu", "vapi"), {}, lambda found: found.account == "eu" or found.provider == "vapi"),
    "ended": ((), {"status": "ended"}, lambda found: found.status == "ended"),
    "of an agent": ((), {"agent": "a1"}, lambda found: bool(found.agent and found.agent.id == "a1")),
    "since": ((), {"since": NOON + timedelta(hours=3)}, lambda found: found.id in {"c3", "c4", "c5", "c6", "c7", "c9"}),
    "until": ((), {"until": NOON + timedelta(hours=1)}, lambda found: found.id in {"c0", "c8", "c9"}),
    "of a resource": (("vapi:calls",), {}, lambda found: found.provider == "vapi"),
}


@pytest.mark.parametrize("store", KINDS, indirect=True)
@pytest.mark.parametrize("question", QUESTIONS)
def test_every_kind_finds_the_same(store: ReadableStore, question: str) -> None:
    targets, filters, is_wanted = QUESTIONS[question]
    with store.reader() as reader:
        found = list(reader.conversations(*targets, **filters))  # type: ignore[arg-type]
        first = list(reader.conversations(*targets, **filters, limit=2))  # type: ignore[arg-type]
    assert {each.ref for each in found} == {each.ref for each in EVERYTHING if is_wanted(each)}
    assert first == found[:2]
    assert all(each in EVERYTHING for each in found)
    instants = [each.created_at or each.started_at for each in found]
    dated = [instant for instant in instants if instant is not None]
    assert dated == sorted(dated, reverse=True)
    assert instants[len(dated) :] == [None] * (len(instants) - len(dated))


@pytest.mark.parametrize("store", KINDS, indirect=True)
def test_one_is_got_by_its_ref(store: ReadableStore) -> None:
    with store.reader() as reader:
        assert reader.get("tavus:c3") == one(3)
        assert reader.get("tavus/eu:c6") == one(6, account="eu")
        assert reader.accounts() == ["tavus/default", "tavus/eu", "vapi/default"]
        assert reader.status().total.conversations == 10
        with pytest.raises(NotFoundError, match="no such conversation in the store"):
            reader.get("tavus:nobody")
        recordings = list(reader.recordings("tavus/eu"))
    assert [(recording.ref, position, at) for recording, position, at in recordings] == [
        ("tavus/eu:c6", 0, NOON + timedelta(hours=6))
    ]


@pytest.mark.parametrize("store", KINDS, indirect=True)
@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"status": "weird"}, "unknown status 'weird'; choose from queued, ringing"),
        ({"since": datetime(2026, 11, 1)}, "since has no time zone"),  # noqa: DTZ001
        ({"until": datetime(2026, 11, 1)}, "until has no time zone"),  # noqa: DTZ001
        ({"since": NOON, "until": NOON - timedelta(days=1)}, "is after until"),
    ],
)
def test_every_kind_refuses_the_same(store: ReadableStore, filters: dict[str, object], told: str) -> None:
    with store.reader() as reader:
        with pytest.raises(InvalidRefError, match=told):
            list(reader.conversations(**filters))  # type: ignore[arg-type]
        with pytest.raises((InvalidRefError, UnsupportedError)):
            reader.search("number", **filters)  # type: ignore[arg-type]


@pytest.mark.parametrize("store", ["sqlite:c.db", "parquet:c"], indirect=True)
def test_words_are_found_and_a_role_that_is_none_is_refused(store: ReadableStore) -> None:
    with store.reader() as reader:
        assert [hit.ref for hit in reader.search("number 3").hits] == ["tavus:c3"]
        with pytest.raises(InvalidRefError, match="unknown role 'nobody'; choose from"):
            reader.search("number", role="nobody")


@pytest.mark.parametrize("store", ["jsonl:c.jsonl"], indirect=True)
def test_json_lines_have_no_index(store: ReadableStore) -> None:
    with store.reader() as reader, pytest.raises(UnsupportedError, match="search a SQLite store"):
        reader.search("number")


@pytest.mark.parametrize("store", KINDS, indirect=True)
async def test_what_was_erased_is_not_put_back_and_what_is_there_is_replaced(store: ReadableStore) -> None:
    with store.reader() as reader:
        reader.erase("tavus:c1")
    written = await put(store, one(1), one(2), one(3, title="changed"))
    assert (written.new, written.updated, written.unchanged) == (0, 1, 1)
    with store.reader() as reader:
        assert {each.id for each in reader.conversations()} == {each.id for each in EVERYTHING} - {"c1"}
        assert reader.get("tavus:c3").title == "changed"


@pytest.mark.parametrize("store", KINDS, indirect=True)
async def test_a_store_that_is_not_redacted_takes_nothing_redacted(store: ReadableStore) -> None:
    with pytest.raises(StoreError, match="was made with redaction: none"):
        await put(store, one(1), redact=PersonalData())
    with pytest.raises(StoreError, match="was made with raw payloads: none"):
        await put(store, one(1, raw=b"{}"))


@pytest.mark.parametrize("url", KINDS)
def test_a_store_that_is_not_there_is_none_to_read(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if url.startswith("parquet"):
        pytest.importorskip("duckdb")
    with pytest.raises(StoreError):
        open_store(url).reader().accounts()


@pytest.mark.parametrize("url", ["nosuch:c.db", "c.jsonl", "c.csv", "", "jsonl:", "postgresql:c"])
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(url)


async def test_a_sync_looks_again_at_what_came_by_another_way(tmp_path: Path) -> None:
    """The webhook may have brought less than the provider says by now."""
    store = open_store(f"sqlite:{tmp_path}/c.db")
    await put(store, one(1))
    await store.open({})
    kept = await store.kept("tavus/default", ["c1"])
    await store.close()
    assert kept["c1"].row_hash == b""


INSTANTS = [
    -1.5,
    0.0,
    5e-324,
    1e-07,
    1.5e-05,
    1e-06,
    0.1,
    0.30000000000000004,
    1_793_700_000.84,
    222_000_000_000.125,
    253_402_300_800.0,
    1e300,  # of the years 9004 and 10000, and of none
]


@pytest.mark.parametrize("url", KINDS)
async def test_a_turn_s_instant_is_read_back_however_small(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    if url.startswith("parquet"):
        pytest.importorskip("duckdb")
    store = open_store(url)
    turns = tuple(TranscriptTurn(index=index, role=Role.USER, timestamp=at) for index, at in enumerate(INSTANTS))
    await put(store, one(1, transcript=turns))
    with store.reader() as reader:
        assert [turn.timestamp for turn in reader.get("tavus:c1").transcript or ()] == INSTANTS
