"""Every kind of store does what a store does, and answers as every other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from conversations_hub.schema import Conversation
from conversations_hub.stores import ReadableStore, open_store, put
from conversations_hub.testing.stores import CHECKS, Check, answers

from ..support.assorted import WORDS, assorted

KINDS = ["sqlite:c.db", "sqlite without an index", "jsonl:c.jsonl", "jsonl:c.jsonl.gz", "parquet:c"]


def not_indexed(_connection: object) -> bool:
    return False


@pytest.fixture(params=KINDS)
def opening(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[], ReadableStore]:
    url: str = request.param
    if url.endswith("without an index"):
        monkeypatch.setattr("conversations_hub.stores.sqlite._writer.has_text_search", not_indexed)
        url = "c.db"
    if url.startswith("parquet"):
        pytest.importorskip("duckdb", reason="Parquet needs the extra duckdb")
    kind, _, name = url.rpartition(":")
    return lambda: open_store(f"{kind or 'sqlite'}:{tmp_path / name}")


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
async def test_it_is_a_store(check: Check, opening: Callable[[], ReadableStore]) -> None:
    await check(opening)


@pytest.fixture(scope="module")
def conversations(tmp_path_factory: pytest.TempPathFactory) -> list[Conversation]:
    return asyncio.run(assorted(tmp_path_factory.mktemp("assorted")))


@pytest.fixture(scope="module")
def expected(conversations: list[Conversation], tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """Return what a SQLite store answers."""
    store = open_store(f"{tmp_path_factory.mktemp('expected') / 'c.db'}")
    asyncio.run(put(store, *conversations))
    with store.reader() as reader:
        return answers(reader, *WORDS)


@pytest.mark.parametrize("opening", ["sqlite without an index", "jsonl:c.jsonl"], indirect=True)
async def test_it_answers_as_others_do(
    opening: Callable[[], ReadableStore], conversations: list[Conversation], expected: dict[str, object]
) -> None:
    await put(opening(), *conversations)
    with opening().reader() as reader:
        found = answers(reader, *WORDS)
    assert found.keys() == expected.keys()
    differing = [question for question, answer in found.items() if answer not in (expected[question], "unsupported")]
    assert differing == []
