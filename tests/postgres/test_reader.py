"""A Postgres store does what every store does, and answers as the others."""

from __future__ import annotations

from pathlib import Path

import pytest

from conversations_hub.stores import open_store, put
from conversations_hub.stores.postgres import PostgresStore
from conversations_hub.testing.stores import CHECKS, Check, answers

from ..support.assorted import WORDS, assorted

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
async def test_it_is_a_store(check: Check, url: str) -> None:
    await check(lambda: PostgresStore(url, partitions=2))


async def test_it_answers_as_sqlite_does(url: str, tmp_path: Path) -> None:
    conversations = await assorted(tmp_path)
    found: list[dict[str, object]] = []
    for store in (open_store(f"{tmp_path / 'c.db'}"), PostgresStore(url, partitions=2)):
        await put(store, *conversations)
        with store.reader() as reader:
            found.append(answers(reader, *WORDS))
    expected, ours = found
    assert ours.keys() == expected.keys()
    differing = [question for question, answer in ours.items() if answer != expected[question]]
    assert differing == []
