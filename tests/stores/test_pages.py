"""Pages, walks, counts and searches of every kind of store: each conversation once, whatever is written meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Conversation, TranscriptTurn
from conversations_hub.errors import InvalidRefError, StoreError, UnsupportedError
from conversations_hub.schema import Agent, Channel, EndReason, Issue, Role, Status, TranscriptState
from conversations_hub.stores import Filters, ReadableStore, StoreReader, open_store, put
from conversations_hub.stores.sqlite import SQLiteReader

from ..support.full_conversation import FULL
from ..support.sqlite import kept_in

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KINDS = ["sqlite:c.db", "jsonl:c.jsonl"]


def one(number: int, **more: object) -> Conversation:
    turn = TranscriptTurn(index=0, role=Role.USER, text=f"I am number {number} [of many].")
    made = Conversation(
        provider="tavus" if number % 3 else "vapi",
        account="eu" if number % 5 == 0 else "default",
        id=f"c{number:03}",
        status=Status.ENDED if number % 2 else Status.FAILED,
        created_at=NOON + timedelta(hours=number // 4),  # several share an instant
        agent=Agent(id=f"a{number % 3}"),
        transcript=(turn,),
        transcript_state=TranscriptState.AVAILABLE,
        tags=("even", "any") if number % 2 == 0 else (),
        issues=(Issue("a.b", "no number"),) if number % 7 == 0 else (),
        end_reason=EndReason.SILENCE if number % 4 == 0 else None,
        channel=Channel.PHONE if number % 4 else Channel.WEB,
    )
    return msgspec.structs.replace(made, **more)


def agent_of(one: Conversation) -> str | None:
    return one.agent.id if one.agent else None


MANY = [*map(one, range(40)), one(90, created_at=None), one(91, created_at=None)]

CHOICES: list[tuple[Filters, Callable[[Conversation], bool]]] = [
    (Filters(), lambda _: True),
    (Filters.of(["tavus"]), lambda one: one.provider == "tavus"),
    (Filters.of(["tavus/eu", "vapi"]), lambda one: one.provider == "vapi" or one.account == "eu"),
    (
        Filters.of(since=NOON + timedelta(hours=5)),
        lambda one: not one.created_at or one.created_at >= NOON + timedelta(hours=5),
    ),
    (
        Filters.of(until=NOON + timedelta(hours=5)),
        lambda one: not one.created_at or one.created_at < NOON + timedelta(hours=5),
    ),
    (Filters.of(status="ended", agent="a1"), lambda one: one.status == "ended" and agent_of(one) == "a1"),
    (Filters.of(fields={"agent": ["a0", "a2"], "provider": ["tavus"]}), lambda one: agent_of(one) == "a2"),
    (Filters.of(fields={"end_reason": ["silence"]}), lambda one: one.end_reason == "silence"),
    (Filters.of(fields={"tag": ["even", "odd"]}), lambda one: "even" in one.tags),
    (Filters.of(fields={"channel": ["web"], "transcript_state": ["available"]}), lambda one: one.channel == "web"),
    (Filters.of(has_issues=True), lambda one: bool(one.issues)),
    (Filters.of(has_issues=False, fields={"status": ["ended", "failed"]}), lambda one: not one.issues),
]


@pytest.fixture
async def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadableStore:
    monkeypatch.chdir(tmp_path)
    found = open_store(request.param)
    await put(found, *MANY)
    return found


each_kind = pytest.mark.parametrize("store", KINDS, indirect=True)


def paged(reader: StoreReader, wanted: Filters, limit: int) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        page = reader.page(wanted, limit=limit, cursor=cursor)
        yield [row.conversation.ref for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return


@each_kind
async def test_pages_and_walks_bring_each_once_newest_first(store: ReadableStore) -> None:
    with store.reader() as reader:
        for wanted, is_among in CHOICES:
            expected = {each.ref for each in MANY if is_among(each)}
            walked = [each.ref for each in reader.walk(wanted)]
            assert len(walked) == len(expected)
            assert set(walked) == expected
            for limit in (3, 100):
                pages = [*paged(reader, wanted, limit)]
                found = [ref for page in pages for ref in page]
                assert len(found) == len(expected)
                assert set(found) == expected
                assert all(len(page) == limit for page in pages[:-1])
        ages = [row.conversation.created_at for row in reader.page(limit=100).rows]
        known = [age for age in ages if age is not None]
        assert ages == [*sorted(known, reverse=True), None, None]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_list_shows_neither_what_was_said_nor_who(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(kind)
    await put(store, FULL)
    with store.reader() as reader:
        [row] = reader.page(limit=1).rows
    assert row.turns == 1
    shown = row.conversation
    assert (shown.ref, shown.title, shown.tags, shown.cost) == (FULL.ref, FULL.title, FULL.tags, FULL.cost)
    assert shown.analysis is not None
    assert not any((shown.transcript, shown.participants, shown.recordings, shown.metadata, shown.links, shown.raw))
    assert not any((shown.related_ids, shown.analysis.collected))


@each_kind
async def test_a_walk_by_pages_sees_each_once_while_others_are_stored(store: ReadableStore) -> None:
    seen: list[str] = []
    with store.reader() as reader:
        cursor: str | None = None
        for number in range(100, 120):
            page = reader.page(limit=5, cursor=cursor)
            seen += [row.conversation.ref for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
            await put(store, one(number, created_at=NOON + timedelta(days=number)))
    assert len(set(seen)) == len(seen)
    assert {each.ref for each in MANY} <= set(seen)


@each_kind
async def test_a_cursor_that_is_none_is_refused(store: ReadableStore) -> None:
    with store.reader() as reader:
        cursor = reader.page(limit=5).cursor
        assert cursor is not None
        for wrong in ("", "x", cursor[:-1], cursor + "A", "A" * 5000):
            with pytest.raises(InvalidRefError, match="cursor"):
                reader.page(cursor=wrong)


@each_kind
async def test_values_are_counted(store: ReadableStore) -> None:
    with store.reader() as reader:
        assert reader.counts("status") == {"failed": 21, "ended": 21}
        assert reader.counts("account")["tavus/default"] == sum(
            (each.provider, each.account) == ("tavus", "default") for each in MANY
        )
        assert reader.counts("tag", Filters.of(["vapi"])) == dict.fromkeys(("any", "even"), 8)
        assert reader.counts("end_reason") == {"silence": 10}
        assert len(reader.counts("agent", most=2)) == 2
        with pytest.raises(InvalidRefError, match="choose from account, provider"):
            reader.counts("title")


def not_indexed(_connection: object) -> bool:
    return False


@pytest.mark.parametrize("is_indexed", [True, False])
async def test_what_is_found_comes_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_indexed: bool) -> None:  # noqa: FBT001
    await kept_in(tmp_path / "c.db", *MANY)
    if not is_indexed:
        monkeypatch.setattr("conversations_hub.stores.sqlite._reader.has_index", not_indexed)
    with SQLiteReader(tmp_path / "c.db") as reader:
        wanted, found, cursor = Filters.of(["tavus"], role="user", fields={"status": ["ended"]}), list[str](), ""
        while True:
            page = reader.find("number", wanted, limit=4, cursor=cursor or None, marks=("\x02", "\x03"))
            found += [hit.ref for hit in page.hits]
            assert all("\x02number\x03" in hit.snippet and "[of" in hit.snippet for hit in page.hits)
            if page.cursor is None:
                break
            cursor = page.cursor
        expected = [each.ref for each in MANY if each.provider == "tavus" and each.status == "ended"]
        assert found == expected[::-1]
        best = reader.find("number 7", order="best", limit=5)
        assert [hit.ref for hit in best.hits] == ["tavus:c007"]
        assert best.cursor is None
        assert not reader.find("number", Filters.of(role="assistant")).hits
        assert not reader.find("nothing like it", order="best").hits
        assert not reader.find("-number").hits


SAID = (
    "I am number",
    "number 7",
    "number -7",
    "num* OR nothing",
    '"of many" NOT 3',
    "-number",
    "nothing",
    "i",
    "twice",
)


@pytest.mark.parametrize("is_indexed", [True, False])
@pytest.mark.parametrize("many", [1, 5, 20_000])
async def test_a_list_of_what_contains_words_is_what_a_search_finds(
    many: int,
    is_indexed: bool,  # noqa: FBT001
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    twice = tuple(TranscriptTurn(index=at, role=Role.ASSISTANT, text=f"I said it twice, {at}.") for at in range(2))
    await kept_in(tmp_path / "c.db", *MANY, one(95, transcript=twice), one(96, transcript=None))
    monkeypatch.setattr("conversations_hub.stores.sqlite._finding._MANY", many)
    if not is_indexed:
        monkeypatch.setattr("conversations_hub.stores.sqlite._reader.has_index", not_indexed)
    filters: list[tuple[list[str], dict[str, Any]]] = [
        ([], {}),
        (["tavus/eu", "vapi"], {"since": NOON + timedelta(hours=3), "has_issues": False}),
        ([], {"role": "assistant"}),
    ]
    with SQLiteReader(tmp_path / "c.db") as reader:
        for targets, more in filters:
            for words in SAID:
                found = {hit.ref for hit in reader.find(words, Filters.of(targets, **more), limit=1000).hits}
                wanted = Filters.of(targets, words=words, **more)
                pages = [*paged(reader, wanted, 3)]
                listed = [ref for page in pages for ref in page]
                assert set(listed) == found, words
                assert len(listed) == len(found)
                assert all(len(page) == 3 for page in pages[:-1])
                assert [each.ref for each in reader.walk(wanted)] == listed
                assert reader.counts("account", wanted).keys() == {
                    f"{each.provider}/{each.account}" for each in reader.walk(wanted)
                }
        with pytest.raises(InvalidRefError, match="3 letters"):
            reader.page(Filters.of(words="nu*"))


async def test_a_mark_in_a_text_is_no_mark(tmp_path: Path) -> None:
    turn = TranscriptTurn(index=0, role=Role.USER, text="\x02a refund\x03 and <b>more</b>")
    await kept_in(tmp_path / "c.db", one(1, transcript=(turn,)))
    with SQLiteReader(tmp_path / "c.db") as reader:
        [hit] = reader.find("refund", marks=("\x02", "\x03")).hits
    assert hit.snippet == " a \x02refund\x03  and <b>more</b>"


async def test_a_star_needs_three_letters(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", *MANY)
    with SQLiteReader(tmp_path / "c.db") as reader:
        assert reader.find("num*").hits
        for words in ("nu*", '"am nu"*', "number -n*", "a OR b*"):
            with pytest.raises(InvalidRefError, match="3 letters"):
                reader.find(words)


async def test_json_lines_say_what_they_cannot(tmp_path: Path) -> None:
    store = open_store(f"jsonl:{tmp_path / 'c.jsonl'}")
    await put(store, one(1))
    with store.reader() as reader:
        said = Filters.of(words="number")
        for ask in (
            lambda: reader.find("number"),
            lambda: reader.page(said),
            lambda: reader.counts("status", said),
            lambda: next(reader.walk(said)),
        ):
            with pytest.raises(UnsupportedError, match="search a SQLite store"):
                ask()


@each_kind
async def test_every_change_has_another_revision(store: ReadableStore) -> None:
    with store.reader() as reader:
        before = reader.revision()
        assert reader.revision() == before
        await put(store, one(200))
        assert reader.revision() != before


@each_kind
async def test_what_a_reader_does_can_be_ended(store: ReadableStore) -> None:
    with store.reader() as reader:
        began, ended = threading.Event(), threading.Event()

        def count() -> None:
            try:
                while True:
                    began.set()
                    reader.counts("status")
            except StoreError:
                ended.set()

        thread = threading.Thread(target=count)
        thread.start()
        await asyncio.to_thread(began.wait)
        while not ended.is_set():  # between two questions nothing is ended
            reader.interrupt()
        thread.join()
        assert reader.counts("end_reason") == {"silence": 10}


def test_filters_are_checked() -> None:
    assert Filters.of(fields={"agent": ["a", "a"]}).fields == {"agent": ("a",)}
    assert Filters.of(["tavus"], fields={"agent": ["a"]}).without("agent") == Filters.of(["tavus"])
    assert Filters.of(["tavus"]).without("account") == Filters()
    for fields, words in (
        ({"title": ["x"]}, "unknown field"),
        ({"status": ["done"]}, "unknown status"),
        ({"agent": map(str, range(101))}, "more than 100"),
    ):
        with pytest.raises(InvalidRefError, match=words):
            Filters.of(fields=fields)
