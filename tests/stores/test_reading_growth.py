"""What shows a few of many takes no longer where there are ten times as many, whatever SQLite knows of the file."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import timedelta
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from conversations_hub.schema import Conversation, Status
from conversations_hub.stores._store import Checkpoint
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.stores.sqlite._reader import SQLiteReader

from ..support.clock import NOW
from ..support.entries import entry, said

OTHERS = 5
"""The oldest of a store are so many of another provider, and as many of another account."""


class Stores(NamedTuple):
    """Two stores, the second with ten times as many conversations."""

    few: Path
    many: Path


def numbered(number: int) -> Conversation:
    one = said("Hello.", id=f"c{number}", created_at=NOW + timedelta(minutes=number))
    if number < OTHERS:
        return msgspec.structs.replace(one, provider="beta", status=Status.FAILED)
    if number < 2 * OTHERS:
        others = said("Goodbye.", id=one.id, created_at=one.created_at)
        return msgspec.structs.replace(others, account="eu", status=Status.FAILED)
    return one


async def fill(path: Path, count: int) -> None:
    store = SQLiteStore(path)
    await store.open({})
    for account, ones in groupby(map(numbered, range(count)), lambda one: f"{one.provider}/{one.account}"):
        await store.commit(account, [entry(one) for one in ones], Checkpoint())
    await store.close()


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute(statement)
        database.commit()


@pytest.fixture(scope="module", params=["nothing", "what was", "what is"])
def stores(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    """Fill them, and have SQLite know that much of what is in them."""
    folder = tmp_path_factory.mktemp("stores")
    found = Stores(folder / "few", folder / "many")
    for path, count in zip(found, (50, 500), strict=True):
        if request.param == "what was":
            asyncio.run(fill(path, 2 * OTHERS))
            execute(path, "ANALYZE")
        asyncio.run(fill(path, count))
        if request.param == "nothing":
            execute(path, "DROP TABLE IF EXISTS sqlite_stat1")
        elif request.param == "what is":
            execute(path, "ANALYZE")
    return found


def steps(path: Path, read: Callable[[SQLiteReader], Any]) -> int:
    """Return how many instructions SQLite works off for it."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    with SQLiteReader(path) as archive:
        archive._connection.set_progress_handler(count, 1)  # pyright: ignore[reportPrivateUsage]
        assert read(archive)
    return taken


READS: Mapping[str, Callable[[SQLiteReader], Any]] = {
    "accounts": lambda archive: archive.accounts(),
    "get": lambda archive: archive.get(f"acme:c{2 * OTHERS}"),
    "get of an account": lambda archive: archive.get(f"acme/eu:c{OTHERS}"),
    "the newest": lambda archive: list(archive.conversations(limit=3)),
    "of a provider": lambda archive: list(archive.conversations("acme", limit=3)),
    "of a small provider": lambda archive: list(archive.conversations("beta", limit=3)),
    "of an account": lambda archive: list(archive.conversations("acme/eu", limit=3)),
    "of several": lambda archive: list(archive.conversations("beta", "acme/default", "acme/eu", limit=3)),
    "of a status": lambda archive: list(archive.conversations(status="failed", limit=3)),
    "since": lambda archive: list(archive.conversations("acme", "beta", since=NOW, limit=3)),
    "until": lambda archive: list(archive.conversations("beta", "acme", until=NOW + timedelta(minutes=8), limit=3)),
    "the first of all": lambda archive: list(islice(archive.conversations(), 3)),
    "the first of several": lambda archive: list(islice(archive.conversations("beta", "acme"), 3)),
    "a word": lambda archive: archive.search("goodbye", "acme/eu", status="failed").hits,
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_a_few_of_many_take_no_longer_than_a_few_of_few(read: Callable[[SQLiteReader], Any], stores: Stores) -> None:
    assert steps(stores.many, read) < 1.5 * steps(stores.few, read)


async def test_conversations_of_several_come_the_newest_first_and_once_each(stores: Stores) -> None:
    with SQLiteReader(stores.few) as archive:
        found = [one.id for one in archive.conversations("acme/eu", "beta", "acme/eu")]
        assert found == [f"c{number}" for number in reversed(range(2 * OTHERS))]
        everything = list(archive.conversations())
        assert list(archive.conversations("acme/eu", "beta", "acme")) == everything
        assert list(archive.conversations("acme/eu", "beta", "acme", since=NOW, limit=7)) == everything[:7]
