"""The filters of a query, the URLs of stores, and what a kind of store says it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversations_hub.errors import ConfigurationError, InvalidRefError, UnsupportedError
from conversations_hub.stores import Filters, open_store, put

from ..support.entries import said


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


@pytest.mark.parametrize("url", ["nosuch:c.db", "c.jsonl", "c.csv", "", "jsonl:", "postgresql:c"])
def test_what_is_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_store(url)


async def test_json_lines_say_what_they_cannot(tmp_path: Path) -> None:
    store = open_store(f"jsonl:{tmp_path / 'c.jsonl'}")
    await put(store, said("Hello."))
    with store.reader() as reader:
        for ask in (reader.search, reader.find):
            with pytest.raises(UnsupportedError, match="search a SQLite or Postgres store"):
                ask("hello")
