"""Lists of conversations that contain words: what a search finds, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Conversation, TranscriptTurn
from conversations_hub.errors import InvalidRefError, UnsupportedError
from conversations_hub.schema import Issue, Role, TranscriptState
from conversations_hub.stores import Filters, StoreReader, open_store, put
from conversations_hub.stores.sqlite import SQLiteReader

from ..support.sqlite import kept_in

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def one(number: int, **more: object) -> Conversation:
    turn = TranscriptTurn(index=0, role=Role.USER, text=f"I am number {number} [of many].")
    made = Conversation(
        provider="tavus" if number % 3 else "vapi",
        account="eu" if number % 5 == 0 else "default",
        id=f"c{number:03}",
        created_at=NOON + timedelta(hours=number // 4),  # several share an instant
        transcript=(turn,),
        transcript_state=TranscriptState.AVAILABLE,
        issues=(Issue("a.b", "no number"),) if number % 7 == 0 else (),
    )
    return msgspec.structs.replace(made, **more)


MANY = [*map(one, range(40)), one(90, created_at=None), one(91, created_at=None)]


def paged(reader: StoreReader, wanted: Filters, limit: int) -> Iterator[list[str]]:
    cursor: str | None = None
    while True:
        page = reader.page(wanted, limit=limit, cursor=cursor)
        yield [row.conversation.ref for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return


def not_indexed(_connection: object) -> bool:
    return False


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
