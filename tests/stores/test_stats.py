"""Summaries from a store: those of `summarize`, whatever is kept of them, and none of what is not there any more."""

from __future__ import annotations

import hashlib
import math
import sqlite3
import struct
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import StoreError
from conversations_hub.metrics import METRICS, Histogram, _tally, measure, summarize
from conversations_hub.metrics._definitions import PERCENTILES
from conversations_hub.metrics._groups import KEYS
from conversations_hub.metrics._histogram import bucket_of
from conversations_hub.metrics._measure import version_of
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import Agent, Conversation, Role, TranscriptTurn
from conversations_hub.stores import Filters, StoreReader, open_store, put
from conversations_hub.stores.sqlite import _measures, _rollups, _stats
from conversations_hub.stores.sqlite._reader import SQLiteReader
from conversations_hub.stores.sqlite._tables import MEASURES

from ..support.any_conversation import conversations
from ..support.entries import entry
from ..support.measured import BOOKING, RESERVATION, conversation, spoken
from ..support.sqlite import kept_in, opened
from ..support.summaries import told, varied

replace = msgspec.structs.replace

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

# Latencies as most are, at both ends of what is usual, beyond, none at all, and more alike than half a byte can count.
_LATENCIES = [
    0.0,
    0.001,
    0.049,
    0.05,
    0.051,
    19.9,
    20.0,
    20.1,
    300.0,
    *[0.8] * 40,
    *(0.3 + 0.07 * n for n in range(40)),
]


def answered(latencies: Sequence[float]) -> Conversation:
    """Return a conversation in which the agent takes so many seconds for each answer, and the user none."""
    turns: list[TranscriptTurn] = []
    now = 0.5
    for latency in latencies:
        turns.append(spoken(len(turns), Role.USER, now, now + 1, "And then?"))
        now += 1 + latency
        turns.append(spoken(len(turns), Role.ASSISTANT, now, now + 1, "Then this."))
        now += 1
    return conversation(*turns)


def _everything() -> list[Conversation]:
    chance = Random(3)  # noqa: S311  (conversations, not secrets)
    found = [
        replace(
            one,
            id=f"c{number}",
            account=chance.choice(["default", "eu"]),
            agent=chance.choice([None, Agent(id="a1", version="1"), Agent(id="a2")]),
            created_at=chance.choice([None, NOON + timedelta(hours=7 * number)]),
            recordings=(),
            raw=None,
        )
        for number, one in enumerate(varied(60, chance))
    ]
    long = [replace(answered(_LATENCIES[begin:]), id=f"long{begin}", created_at=NOON) for begin in (0, 5, 9, 60, 80)]
    undated = replace(BOOKING, id="undated")
    return [*found, *long, undated, replace(RESERVATION, provider="gone", id="of an unknown provider")]


EVERYTHING = _everything()


def expect(reader: StoreReader, by: Sequence[str]) -> None:
    """Compare the summaries with those of the same conversations."""
    assert list(map(told, reader.stats(by=by))) == list(map(told, summarize(reader.conversations(), by)))


def measured(path: Path) -> set[str]:
    """Return the ids of the conversations whose measures are kept."""
    question = "SELECT id FROM measures JOIN conversations ON key = conversation"
    with closing(sqlite3.connect(path)) as database:
        return {id for (id,) in database.execute(question)}


def execute(path: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement, values)
        database.commit()


def _storable(one: Conversation, provider: str, id: str) -> Conversation:
    """Return a conversation without instants that no store reads back."""
    instants = {name: getattr(one, name) for name in ("created_at", "started_at", "ended_at", "updated_at")}
    beyond = {name: None for name, instant in instants.items() if instant and instant.year > 8999}
    return replace(one, provider=provider, account="default", id=id, recordings=(), **beyond)


_ANY = st.lists(conversations(), min_size=1, max_size=5)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ANY, st.sampled_from(["retell", "vapi", "telnyx", "acme"]), st.sampled_from([*KEYS]))
async def test_what_is_kept_of_any_conversation_says_the_same(
    tmp_path: Path, found: list[Conversation], provider: str, by: str
) -> None:
    path = tmp_path / "any.db"
    path.unlink(missing_ok=True)
    ids = enumerate(found)
    await kept_in(path, *(_storable(one, "acme" if number else provider, f"c{number}") for number, one in ids))
    with SQLiteReader(path) as reader:
        for _ in ("measured", "kept"):
            expect(reader, [by])
    assert len(measured(path)) == len(found)


def test_the_table_has_a_column_for_each_metric() -> None:
    assert tuple(METRICS) == MEASURES


@pytest.mark.parametrize("by", [("provider",), ("agent", "day")])
async def test_parts_of_very_many_add_up(by: Sequence[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it matter from how many values on they are counted."""
    for module in ("_histogram", "_tally"):
        monkeypatch.setattr(f"conversations_hub.metrics.{module}.MOST_EXACT", 9)
    monkeypatch.setattr(_stats, "_AT_ONCE", 11)
    monkeypatch.setattr(_stats, "_MEASURED_AT_ONCE", 7)
    store = open_store(str(tmp_path / "c.db"))
    await put(store, *EVERYTHING)
    with store.reader() as reader:
        for _ in ("measured", "kept"):
            expect(reader, by)


def test_latencies_are_counted_alike_in_a_row_and_one_by_one() -> None:
    """Whether a conversation has few or many, and whether they are usual ones or not."""
    parts = [_LATENCIES, _LATENCIES[:9], _LATENCIES[9:18], _LATENCIES[9:19], [300.0] * 20, _LATENCIES[::-1], []]
    measures = [measure(answered(latencies)) for latencies in parts]
    rows = [_measures.measures_row(1, 0, b"", each)[-1] for each in measures]
    cells = _measures.Cells(rows)
    for name in ("response_latency", "user_latency", "tool_latency"):
        found = [one for each in measures for one in each.samples.get(name, ())]
        assert sorted(cells.latencies(name)) == sorted(found)
        assert cells.counted(name) == Counter(_tally.code_of(bucket_of(one)) for one in found)


def test_a_row_is_shorter_than_what_it_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that nobody has to look at each of very many latencies."""
    usual = [0.5 + n / 100 for n in range(60)]
    [*_, cell] = _measures.measures_row(1, 0, b"", measure(answered(usual)))
    monkeypatch.setattr(_measures, "_LEAST_IN_ROW", 1000)
    [*_, coded] = _measures.measures_row(1, 0, b"", measure(answered(usual)))
    assert len(cell) == len(coded) - 2 * len(usual) + 152


# the newest alone


def expect_newest(reader: StoreReader, wanted: Filters, by: Sequence[str], count: int) -> int:
    """Compare with the newest, of which as many as `count` may be measured; return how many conversations there are."""
    looks = iter(range(count))
    found = reader.newest_stats(wanted, by, goes_on=lambda: next(looks, None) is not None)
    everything = [*reader.walk(wanted)]
    newest = everything[: sum(summary.conversations for summary in found.summaries)]
    assert list(map(told, found.summaries)) == list(map(told, summarize(newest, by)))
    assert found.oldest == min((at for one in newest if (at := one.created_at or one.started_at)), default=None)
    assert found.is_all == (len(newest) == len(everything))
    return len(newest)


@pytest.mark.parametrize("pieces", [4, 100])
async def test_of_the_newest_only_those_are_measured_that_are_not_kept(
    pieces: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conversations_hub.stores._newest_first._PIECE", pieces)
    monkeypatch.setattr(_stats, "_AT_ONCE", 6)
    path = tmp_path / "c.db"
    await kept_in(path, *(replace(one, account="default") for one in EVERYTHING))
    with SQLiteReader(path) as reader:
        assert expect_newest(reader, Filters.of(), ("agent",), 5) == 5
        assert measured(path) == set()
        reader.stats()
        monkeypatch.setattr(_stats, "measure", None)  # which is not needed any more
        assert expect_newest(reader, Filters.of(), ("agent",), 1000) == len(EVERYTHING)
        monkeypatch.undo()
        execute(path, "DELETE FROM measures WHERE conversation % 3 = 0")
        for count in range(0, 30, 5):
            assert expect_newest(reader, Filters.of(), ("week",), count) >= count


# what is kept


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Return a store of three conversations, all of them measured."""
    path = tmp_path / "c.db"
    await kept_in(path, *(replace(BOOKING, provider="acme", id=f"c{number}") for number in range(3)))
    with SQLiteReader(path) as reader:
        reader.stats()
    return path


def stats(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Compare all of a store's summaries, and return the ids of the conversations that were measured for them."""
    ids: list[str] = []

    def noted(one: Conversation) -> Any:
        ids.append(one.id)
        return measure(one)

    with SQLiteReader(path) as reader:
        expected = list(map(told, summarize(reader.conversations(), ())))
        monkeypatch.setattr(_stats, "measure", noted)
        assert list(map(told, reader.stats(by=()))) == expected
    return ids


def test_each_content_is_measured_once(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert measured(path) == {"c0", "c1", "c2"}
    assert stats(path, monkeypatch) == []


async def test_what_changed_or_is_new_is_measured(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    more = spoken(10, Role.USER, 25, 27, "One more thing.")
    changed = replace(BOOKING, provider="acme", id="c1", transcript=(*(BOOKING.transcript or ()), more))
    await kept_in(path, changed, replace(BOOKING, provider="acme", id="c3"))
    assert measured(path) == {"c0", "c2"}
    assert stats(path, monkeypatch) == ["c1", "c3"]
    assert stats(path, monkeypatch) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE measures SET version = version - 1 WHERE conversation = 2",
        "UPDATE measures SET content_print = x'00' WHERE conversation = 2",
        "DELETE FROM measures WHERE conversation = 2",
    ],
)
def test_what_is_of_other_definitions_or_contents_is_measured(
    path: Path, statement: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(path, statement)
    assert stats(path, monkeypatch) == ["c1"]
    assert stats(path, monkeypatch) == []


class Declared(NamedTuple):
    response_metric: str | None = None
    tool_metric: str | None = None
    tells_transfers: bool = False


@pytest.mark.parametrize(
    "declared", [{"response_metric": "latency"}, {"tool_metric": "took"}, {"tells_transfers": True}], ids=str
)
def test_what_an_adapter_declared_otherwise_is_measured(
    path: Path, declared: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = version_of("acme")
    monkeypatch.setattr("conversations_hub.metrics._measure._told_by", {"acme": Declared(**declared)}.__getitem__)
    assert version_of("acme") != before
    assert stats(path, monkeypatch) == ["c0", "c1", "c2"]
    assert stats(path, monkeypatch) == []


def test_other_definitions_or_another_layout_make_another_version(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {_measures.row_version("retell")}
    monkeypatch.setattr("conversations_hub.metrics._measure.VERSION", 0)
    versions.add(_measures.row_version("retell"))
    monkeypatch.setattr(_measures, "_LAYOUT", 0)
    versions.add(_measures.row_version("retell"))
    assert len(versions) == 3
    assert all(version < 2**63 for version in versions)


@pytest.mark.parametrize("provider", BUILTIN)
def test_a_version_is_of_all_that_an_adapter_declares_for_metrics(provider: str) -> None:
    adapter = load(provider)
    declared = (adapter.response_metric, adapter.tool_metric, adapter.tells_transfers)
    assert (version_of(provider) == version_of("unknown")) == (declared == (None, None, False))


def test_what_nobody_remembers_is_measured_each_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(path, "DELETE FROM remembered WHERE conversation = 2")
    assert stats(path, monkeypatch) == stats(path, monkeypatch) == ["c1"]


def test_only_what_is_asked_for_is_measured(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(path, "DELETE FROM measures")
    with SQLiteReader(path) as reader:
        assert reader.stats("acme", until=NOON) == reader.stats("acme")  # none of them has an instant
        reader.stats("nobody")
    assert stats(path, monkeypatch) == []


@pytest.mark.parametrize("how", ["erase", "prune", "delete"])
async def test_nothing_stays_of_what_is_gone(how: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await kept_in(path, replace(BOOKING, provider="acme", id="c1", created_at=NOON))
    assert stats(path, monkeypatch) == ["c1"]
    with SQLiteReader(path) as reader:
        if how == "erase":
            reader.erase("acme:c1")
        elif how == "prune":
            reader.prune(NOON + timedelta(days=1))
        else:
            execute(path, "DELETE FROM conversations WHERE id = 'c1'")
    assert measured(path) == {"c0", "c2"}
    assert stats(path, monkeypatch) == []


async def test_a_redacted_store_measures_what_it_holds(tmp_path: Path) -> None:
    said = conversation(
        spoken(0, Role.USER, 0, 3, "Call me at +1 555 010 0123 today."), spoken(1, Role.ASSISTANT, 4, 5, "Sure.")
    )
    store = open_store(str(tmp_path / "c.db"))
    await put(store, said, redact=PersonalData())
    with store.reader() as reader:
        [summary], [again] = reader.stats(), reader.stats()
    assert summary.metrics["user_words"].sum == again.metrics["user_words"].sum == 5  # Call me at [phone] today.
    assert measure(said)["user_words"].value == 8
    assert summary.metrics["user_talk"].sum == measure(said)["user_talk"].value


# where nothing can be kept


async def test_nothing_is_kept_while_a_sync_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.db"
    async with opened(path) as store:
        await store.commit(
            "acme/default", [entry(replace(BOOKING, provider="acme"))], await store.progress("acme/default")
        )
        assert stats(path, monkeypatch) == ["c1"]
        assert measured(path) == set()
    assert stats(path, monkeypatch) == ["c1"]
    assert measured(path) == {"c1"}


def test_nothing_is_kept_in_a_file_that_others_may_write(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(path, "DELETE FROM measures")
    path.chmod(0o666)
    before = path.read_bytes()
    assert stats(path, monkeypatch) == ["c0", "c1", "c2"]
    assert path.read_bytes() == before


def test_nothing_is_kept_while_somebody_reads(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_measures, "_LONGEST_WAIT", 0)
    execute(path, "DELETE FROM measures")
    with closing(sqlite3.connect(path)) as other:
        rows = other.execute("SELECT * FROM turns")
        rows.fetchone()
        assert stats(path, monkeypatch) == ["c0", "c1", "c2"]
        assert measured(path) == set()
        rows.close()
    assert stats(path, monkeypatch) == ["c0", "c1", "c2"]
    assert measured(path) == {"c0", "c1", "c2"}


def test_what_changed_or_went_while_it_was_measured_is_not_kept(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT conversation, content_print FROM remembered").fetchall()
        execute(path, "DELETE FROM measures")
        execute(path, "UPDATE remembered SET content_print = x'00' WHERE conversation = 1")
        execute(path, "DELETE FROM conversations WHERE key = 2")
        assert _measures.keep(
            path, [_measures.measures_row(key, 1, content, measure(BOOKING)) for key, content in rows]
        )
        assert [key for (key,) in database.execute("SELECT conversation FROM measures")] == [3]


# blocks


@pytest.fixture
def all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep what blocks come to, however little it is."""
    monkeypatch.setattr(_stats, "_LEAST_PER_GROUP", 0)


async def in_blocks(path: Path) -> None:
    """Store conversations in three blocks, of which one lies far from the others."""
    third = len(EVERYTHING) // 3
    for first, some in ((0, EVERYTHING[:third]), (2**14, EVERYTHING[third:-third]), (2**40, EVERYTHING[-third:])):
        if first:
            execute(path, "UPDATE sqlite_sequence SET seq = ?", first)
        await kept_in(path, *(replace(one, account="default") for one in some))


def read_in(reader: StoreReader, by: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Compare the summaries, and return in how many blocks conversations were read for them."""
    reads: list[int] = []
    revision = _rollups.Rollups.revision

    def noted(self: _rollups.Rollups) -> int:
        reads.append(revision(self))
        return reads[-1]

    with monkeypatch.context() as patched:
        patched.setattr(_rollups.Rollups, "revision", noted)
        expect(reader, by)
    return len(reads)


@pytest.mark.usefixtures("all_kept")
@pytest.mark.parametrize("most_exact", [10_000, 9])
@pytest.mark.parametrize("by", [(), ("provider",), ("agent", "week"), ("day",), ("agent_version", "status", "month")])
async def test_what_a_block_comes_to_is_kept(
    by: Sequence[str], most_exact: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("metrics._histogram", "metrics._tally", "stores.sqlite._rollups"):
        monkeypatch.setattr(f"conversations_hub.{module}.MOST_EXACT", most_exact)
    path = tmp_path / "c.db"
    await in_blocks(path)
    with SQLiteReader(path) as reader:
        assert read_in(reader, by, monkeypatch) == 3
        assert read_in(reader, by, monkeypatch) == 0
        [some, whole] = [reader.stats(by=by, metrics=metrics) for metrics in (["user_latency_p50", "duration"], [])]
    for one, each in zip(some, whole, strict=True):
        assert {*one.metrics} <= {"user_latency", "duration"}
        assert all(each.metrics[name] == one.metrics[name] for name in one.metrics)


_COPY = (
    "INSERT INTO conversations (provider, account, id, status, channel, direction, transcript_state)"
    " SELECT provider, account, 'copy', status, channel, direction, transcript_state FROM conversations LIMIT 1"
)


@pytest.mark.usefixtures("all_kept")
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE conversations SET agent_id = 'other' WHERE key = 16390",
        "UPDATE conversations SET key = 16500 WHERE key = 16390",
        _COPY,
        "UPDATE conversations SET cost = '17', cost_unit = 'USD' WHERE key = 16390",
        "DELETE FROM conversations WHERE key = 16390",
        "UPDATE measures SET version = version - 1 WHERE conversation = 16390",
        "DELETE FROM measures WHERE conversation = 16390",
    ],
)
async def test_a_block_in_which_something_changed_is_read_anew(
    statement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.db"
    await in_blocks(path)
    with SQLiteReader(path) as reader:
        for by in ((), ("agent",)):
            expect(reader, by)
        execute(path, statement)
        for by in ((), ("agent",)):
            assert read_in(reader, by, monkeypatch) == 1
            assert read_in(reader, by, monkeypatch) == 0


@pytest.mark.usefixtures("all_kept")
async def test_a_sync_and_an_erasure_leave_other_blocks_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.db"
    await in_blocks(path)
    one = replace(BOOKING, provider="acme", id="c1")
    await kept_in(path, one)
    with SQLiteReader(path) as reader:
        expect(reader, ("agent",))
        await kept_in(path, replace(one, agent=Agent(id="another-agent")), replace(one, id="c2"))
        assert read_in(reader, ("agent",), monkeypatch) == 1
        reader.erase(one.ref)
        assert read_in(reader, ("agent",), monkeypatch) == 1
        assert read_in(reader, ("agent",), monkeypatch) == 0
    assert b"another-agent" not in path.read_bytes()


@pytest.mark.usefixtures("all_kept")
async def test_a_block_by_other_definitions_is_read_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.db"
    await in_blocks(path)
    with SQLiteReader(path) as reader:
        expect(reader, ())
        monkeypatch.setattr(_rollups, "_LAYOUT", 0)
        assert read_in(reader, (), monkeypatch) == 3
        told_by = defaultdict(Declared, retell=Declared(tells_transfers=True))
        monkeypatch.setattr("conversations_hub.metrics._measure._told_by", told_by.__getitem__)
        assert read_in(reader, (), monkeypatch) == 3
        assert read_in(reader, (), monkeypatch) == 0


@pytest.mark.usefixtures("all_kept")
async def test_a_block_that_changed_while_it_was_read_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "c.db"
    await in_blocks(path)
    keep = _rollups.Rollups.keep

    def late(self: _rollups.Rollups, *arguments: Any) -> bool:
        execute(path, "DELETE FROM conversations WHERE key = (SELECT max(key) FROM conversations)")
        return keep(self, *arguments)

    with SQLiteReader(path) as reader:
        with monkeypatch.context() as patched:
            patched.setattr(_rollups.Rollups, "keep", late)
            reader.stats()
        assert read_in(reader, ("provider",), monkeypatch) == 3
        assert read_in(reader, ("provider",), monkeypatch) == 0


@pytest.mark.usefixtures("all_kept")
async def test_days_elsewhere_and_choices_are_read(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await in_blocks(path)
    zone = timezone(timedelta(hours=14))
    with SQLiteReader(path) as reader:
        expect(reader, ("day",))
        expected = list(map(told, summarize(reader.conversations(), ("day",), timezone=zone)))
        assert list(map(told, reader.stats(by=("day",), timezone=zone))) == expected
        chosen = list(map(told, summarize(reader.conversations(until=NOON), ("day",))))
        assert list(map(told, reader.stats(by=("day",), until=NOON))) == chosen


@pytest.mark.usefixtures("all_kept")
async def test_only_some_ways_to_group_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, *(replace(one, account="default") for one in EVERYTHING))
    with SQLiteReader(path) as reader:
        for by in KEYS:
            reader.stats(by=(by,))
    with closing(sqlite3.connect(path)) as database:
        found = [by for (by,) in database.execute("SELECT DISTINCT grouped_by FROM rollups ORDER BY key")]
    assert found == [f'["{by}"]' for by in [*KEYS][-8:]]


async def test_what_a_block_comes_to_is_kept_if_that_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.db"
    await kept_in(path, *(replace(BOOKING, provider="acme", id=f"c{number}") for number in range(70)))
    with SQLiteReader(path) as reader:
        for by, again in (((), 0), (("language",), 0), (("status", "day"), 0)):
            assert [read_in(reader, by, monkeypatch) for _ in range(2)] == [1, again]
        execute(path, "UPDATE conversations SET agent_id = 'a' WHERE key < 9")
        assert [read_in(reader, ("agent",), monkeypatch) for _ in range(2)] == [1, 1]


# stores of others


def _cell(*changes: tuple[int, str, float]) -> bytes:
    """Return a packed cell, with numbers at some places in it."""
    *_, cell = _measures.measures_row(1, 0, b"", measure(BOOKING))
    changed = bytearray(cell)
    for place, kind, number in changes:
        struct.pack_into(f"<{kind}", changed, place, number)
    return bytes(changed)


_COUNTS = 8 * (sum(metric.kind != "percentile" for metric in METRICS.values()) + 3 * len(PERCENTILES))
"""Where the numbers of latencies of each kind begin in a cell."""
_CODES = _COUNTS + 4 * (3 * len(PERCENTILES) + 1)
"""Where the codes of the values begin in a cell."""


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("basis", ["{}", "secret", b"\0", "", 9e999, -1.0, "?" * len(METRICS)]),
        ("latencies", ["{}", "secret", b"", b"\0", 9e999, -1.0, _cell()[:-1], _cell() + b"\0", bytes(1000)]),
        # Not a number that a metric can be, a bucket that there is not, and another number of latencies.
        ("latencies", [_cell((0, "d", -1.0)), _cell((0, "d", math.inf)), _cell((0, "d", math.nan))]),
        ("latencies", [_cell((_CODES, "H", 2**16 - 2))]),
        ("latencies", [_cell((_COUNTS + 4 * place, "i", number)) for place in range(8) for number in (-1, 9)]),
    ],
)
def test_a_row_that_we_did_not_write_is_refused_in_words(
    column: str, values: Sequence[object], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tally, "MOST_EXACT", 2)
    for value in values:
        execute(path, f"UPDATE measures SET {column} = ? WHERE conversation = 2", value)  # noqa: S608  (no stranger's)
        with SQLiteReader(path) as reader, pytest.raises(StoreError) as caught:
            reader.stats()
        assert "invalid value" in str(caught.value)
        assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("all_kept")
@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("versions", ["{}", "secret", b"\0", 9e999, "[1, {}", '["1", {}]']),
        ("in_common", ["{}", "secret", b"\0", 9e999, "[1]", "[null"]),
        ("columns", ["{}", "secret", b"", b"\0", 9e999, -1.0, bytes(1000)]),
        ("numbers", ["{}", "secret", b"", b"\0", 9e999, -1.0, bytes(8)]),
    ],
)
def test_what_a_block_comes_to_is_refused_in_words_if_it_is_not_ours(
    column: str, values: Sequence[object], path: Path
) -> None:
    with SQLiteReader(path) as reader:
        reader.stats()
        for value in values:
            execute(path, f"UPDATE rollups SET {column} = ?", value)  # noqa: S608  (no stranger's)
            with pytest.raises(StoreError) as caught:
                reader.stats()
            assert "invalid value" in str(caught.value)
            assert "secret" not in str(caught.value)


@pytest.mark.usefixtures("all_kept")
@pytest.mark.parametrize("change", [(0, 4), (1, math.inf), (2, -1.0), (4, b"\0"), (5, bytes(4))])
@pytest.mark.parametrize("most_exact", [10_000, 2])
def test_numbers_that_do_not_agree_are_refused(
    change: tuple[int, object], most_exact: int, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (_tally, _rollups):
        monkeypatch.setattr(module, "MOST_EXACT", most_exact)
    execute(path, "DELETE FROM rollups")
    with SQLiteReader(path) as reader:
        reader.stats()
        with closing(sqlite3.connect(path)) as database:
            [[packed]] = database.execute("SELECT columns FROM rollups")
        place, value = change
        for title in ("duration", "response_latency"):
            *others, values = msgspec.msgpack.decode(packed)
            values[title][place] = value
            execute(path, "UPDATE rollups SET columns = ?", msgspec.msgpack.encode([*others, values]))
            if most_exact == 2 or place < 4:  # how many are in each bucket is only looked at if there are many
                with pytest.raises(StoreError):
                    reader.stats()


def test_the_letters_of_what_is_kept_stay_the_same() -> None:
    """Another order would read what is kept as something else: add at the end, or raise `VERSION`."""
    letters = "".join(_measures.LETTERS.values())
    assert letters == "crmeABCDEFGHIJKLMNOPQRSTUVWXYZ0"
    told = " ".join(_measures.LETTERS).encode()
    assert hashlib.sha256(told).hexdigest()[:8] == "c691bc58"


def test_values_of_a_histogram_are_counted_alike_one_by_one_and_together() -> None:
    chance = Random(7)  # noqa: S311  (values, not secrets)
    values = [0.0, *(chance.lognormvariate(0, 3) for _ in range(20_000))]
    one_by_one = Histogram()
    for value in values:
        one_by_one.add(value)
    assert one_by_one == Histogram() + Histogram(exact=values)
