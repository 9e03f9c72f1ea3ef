"""What a reader sees and erases while several processes write."""

from __future__ import annotations

import asyncio
from itertools import islice

import pytest

from conversations_hub.schema import Conversation
from conversations_hub.stores import Checkpoint
from conversations_hub.stores.postgres import PostgresReader, PostgresStore
from conversations_hub.testing.stores._conversations import said

from ..support.entries import entry

pytestmark = pytest.mark.engine


async def written(url: str, account: str, commits: int) -> None:
    """Write a few conversations of an account again and again, in commits of their own."""
    store = PostgresStore(url, partitions=2)
    await store.open({})
    try:
        for number in range(commits):
            some = [said(f"{number}", id=f"c{(number + at) % 7}", account=account) for at in range(3)]
            await store.commit(f"acme/{account}", [*map(entry, some)], Checkpoint(passes=number))
    finally:
        await store.close()


def taken(reader: PostgresReader, cursor: str | None, copy: dict[str, Conversation]) -> str | None:
    """Take some changes into a copy, and return the cursor after them."""
    for change in islice(reader.changes(cursor), 5):
        cursor = change.cursor
        if change.conversation is not None:
            copy[change.conversation.ref] = change.conversation
    return cursor


async def test_who_follows_the_changes_misses_none_of_several_writers(url: str) -> None:
    await written(url, "first", 1)
    copy: dict[str, Conversation] = {}
    cursor: str | None = None
    with PostgresReader(url) as reader:
        writing = asyncio.gather(*(written(url, f"w{number}", 20) for number in range(4)))
        while not writing.done():
            cursor = await asyncio.to_thread(taken, reader, cursor, copy)
        await writing
        for change in reader.changes(cursor):
            if change.conversation is not None:
                copy[change.conversation.ref] = change.conversation
        assert copy == {one.ref: one for one in reader.conversations()}
    assert len(copy) == 3 + 4 * 7


async def test_what_is_erased_while_it_is_written_does_not_come_back(url: str) -> None:
    await written(url, "default", 7)  # each of them is there
    with PostgresReader(url) as reader:
        writing = asyncio.gather(written(url, "default", 30))
        for number in range(7):
            await asyncio.to_thread(reader.erase, f"acme:c{number}")
        await writing
        assert {one.id for one in reader.conversations()} == set[str]()
