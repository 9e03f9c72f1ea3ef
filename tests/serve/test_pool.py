"""Threads that read a store: bounded in number and in time, and no reader is left open."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any, cast

import pytest

from conversations_hub.errors import NotFoundError, StoreError
from conversations_hub.serve._pool import Pool
from conversations_hub.serve._refusal import Refusal
from conversations_hub.stores import StoreReader
from conversations_hub.stores.sqlite import SQLiteReader

from ..support.entries import said
from ..support.sqlite import kept_in
from ..support.virtual_time import WiredLoop


class Reader:
    """A reader that answers when it is told to."""

    made: list[Reader]

    def __init__(self) -> None:
        self.interrupted = threading.Event()
        self.closed = threading.Event()
        self.made.append(self)

    def interrupt(self) -> None:
        self.interrupted.set()

    def close(self) -> None:
        self.closed.set()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Reader]:
    found: list[Reader] = []
    monkeypatch.setattr(Reader, "made", found, raising=False)
    return found


def pool(**options: Any) -> Pool:
    return Pool(cast("Any", Reader), **options)


def until_interrupted(reader: StoreReader) -> None:
    cast("Reader", reader).interrupted.wait()
    raise StoreError("interrupted")


async def test_what_takes_too_long_is_ended_and_said(made: list[Reader]) -> None:
    ours = pool(seconds=0.0)
    with pytest.raises(Refusal) as refused:
        await ours.ask(until_interrupted)
    assert (refused.value.status, refused.value.kind) == (503, "time_limit")
    assert await ours.ask(lambda _: 7, seconds=60) == 7
    ours.close()
    assert [reader.closed.is_set() for reader in made] == [True]


async def test_errors_of_the_store_come_through(made: list[Reader]) -> None:
    ours = pool()

    def missing(_: StoreReader) -> None:
        raise NotFoundError("no such conversation")

    with pytest.raises(NotFoundError):
        await ours.ask(missing)
    ours.close()


async def test_what_takes_long_leaves_threads_to_what_does_not(made: list[Reader]) -> None:
    ours = pool(threads=4, seconds=60)
    slow = [asyncio.ensure_future(ours.ask(until_interrupted, takes_long=True)) for _ in range(10)]
    assert await asyncio.gather(*(ours.ask(lambda _: 1) for _ in range(20))) == [1] * 20
    assert len(made) <= 4
    for task in slow:
        task.cancel()
    assert all(isinstance(each, BaseException) for each in await asyncio.gather(*slow, return_exceptions=True))
    assert await ours.ask(lambda _: 2, takes_long=True) == 2
    ours.close()
    assert all(reader.closed.is_set() for reader in made)


async def test_readers_that_nobody_uses_are_closed(made: list[Reader], loop: WiredLoop) -> None:
    ours = pool()
    await ours.ask(lambda _: 1)
    await asyncio.sleep(4)
    assert not made[0].closed.is_set()
    await asyncio.sleep(2)
    assert made[0].closed.is_set()
    await ours.ask(lambda _: 1)
    assert len(made) == 2
    ours.close()


async def test_a_stream_has_a_thread_of_its_own_and_leaves_nothing(made: list[Reader]) -> None:
    ours = pool(threads=1, seconds=60)
    threads: list[str] = []
    async with ours.lease() as lease, ours.lease() as other:
        await lease.do(lambda _: threads.append(threading.current_thread().name))
        await other.do(lambda _: threads.append(threading.current_thread().name))
        assert await ours.ask(lambda _: 1) == 1
    for reader in made[:2]:
        assert await asyncio.to_thread(reader.closed.wait, 30)
    assert all(name.startswith("conversations-stream") for name in threads)
    ours.close()


async def test_a_search_that_goes_on_and_on_is_ended(tmp_path: Path) -> None:
    await kept_in(tmp_path / "c.db", *(said(*["word"] * 50, id=f"c{number}") for number in range(20)))
    ours = Pool(lambda: SQLiteReader(tmp_path / "c.db"), seconds=0.0)

    def endless(reader: StoreReader) -> None:
        while True:
            reader.find("word", limit=100)

    with pytest.raises(Refusal, match="time_limit"):
        await ours.ask(endless)
    assert len((await ours.ask(lambda reader: reader.find("word"), seconds=60)).hits) == 20
    ours.close()
