"""A reader of Postgres only reads, can be interrupted, outlives its server, and believes no row of others."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from typing import Any
from zlib import compress

import msgspec
import pytest

from conversations_hub.errors import HubError, StoreError
from conversations_hub.schema import Recording, RecordingAccess
from conversations_hub.stores import put
from conversations_hub.stores.postgres import PostgresReader, PostgresStore
from conversations_hub.stores.postgres._address import Address
from conversations_hub.stores.postgres._connection import Connection, connect
from conversations_hub.stores.postgres._door import Door
from conversations_hub.testing.stores._conversations import said

from ..support.postgres import Server

pytestmark = pytest.mark.engine

SECRET = "Zwetschgenkuchen"


@pytest.fixture
async def store(url: str) -> PostgresStore:
    store = PostgresStore(url, partitions=2)
    await put(store, said(f"I like {SECRET}.", id="c1"), said("Two.", id="c2"))
    return store


async def changed(url: str, statement: str, *values: object) -> None:
    connection = await connect(Address(url))
    try:
        await connection.execute(statement, *values)
    finally:
        await connection.close()


def test_a_reader_cannot_write(store: PostgresStore) -> None:
    with store.reader() as reader, pytest.raises(StoreError, match="read-only transaction"):
        reader._door.ask(lambda connection: connection.execute("DELETE FROM conversations"))  # pyright: ignore[reportPrivateUsage]
    with store.reader() as reader:
        assert len([*reader.conversations()]) == 2


SLEEP = "SELECT pg_sleep(600)"


async def _sleeps(connection: Connection) -> bool:
    question = "SELECT count(*) FROM pg_stat_activity WHERE query = $1 AND state = 'active'"
    return bool(await connection.fetchval(question, SLEEP))


async def _until(url: str, *, sleeps: bool) -> None:
    """Wait until the server sleeps, or does not."""
    connection = await connect(Address(url))
    try:
        while await _sleeps(connection) is not sleeps:
            pass
    finally:
        await connection.close()


def _sleep(door: Door) -> None:
    door.ask(lambda connection: connection.execute(SLEEP))


async def test_what_is_interrupted_ends_at_the_server(store: PostgresStore, url: str) -> None:
    door = Door(store.address)
    try:
        sleeping = asyncio.create_task(asyncio.to_thread(_sleep, door))
        await _until(url, sleeps=True)
        door.interrupt()
        with pytest.raises(StoreError, match="interrupted"):
            await sleeping
        assert not await asyncio.to_thread(door.ask, _sleeps)
        await _until(url, sleeps=False)
    finally:
        door.close()


def test_ctrl_c_ends_it_at_the_server(store: PostgresStore, url: str) -> None:
    door = Door(store.address)
    pressed: list[int] = []

    def interrupt_once(signum: int, _: object) -> None:
        pressed.append(signum)
        if len(pressed) == 1:
            raise KeyboardInterrupt

    async def press() -> None:
        connection = await connect(Address(url))
        try:
            while not (door._running and await _sleeps(connection)):  # pyright: ignore[reportPrivateUsage]
                pass
            # Again and again: one that comes just before a thread begins to wait for a lock does not wake it.
            while await _sleeps(connection):
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        finally:
            await connection.close()

    before = signal.signal(signal.SIGINT, interrupt_once)
    pressing = threading.Thread(target=lambda: asyncio.run(press()))
    try:
        pressing.start()
        with pytest.raises(KeyboardInterrupt):
            _sleep(door)
        pressing.join()
    finally:
        signal.signal(signal.SIGINT, before)
    door.close()
    asyncio.run(_until(url, sleeps=False))


async def test_a_reader_goes_on_after_the_server_was_started_again(store: PostgresStore, server: Server) -> None:
    with store.reader() as reader:
        assert reader.get("acme:c2").text == "user: Two."
        await asyncio.to_thread(server.stop)
        with pytest.raises(StoreError):
            reader.get("acme:c2")
        await asyncio.to_thread(server.start)
        assert reader.get("acme:c2").text == "user: Two."


def test_where_there_is_no_store_it_is_said(url: str) -> None:
    with pytest.raises(StoreError, match="there is no store; a sync creates it"):
        PostgresReader(url)
    threads = [thread.name for thread in threading.enumerate()]
    assert "conversations-postgres" not in threads


def look(reader: PostgresReader) -> None:
    """Ask everything."""
    asked: list[Callable[[], Any]] = [
        lambda: [each.text for each in reader.conversations()],
        lambda: reader.page().rows,
        lambda: reader.get("acme:c1"),
        reader.stats,
        lambda: [*reader.recordings()],
        lambda: [*reader.changes()],
        lambda: reader.search("like two OR cake"),
        lambda: reader.find("like two OR cake"),
        reader.status,
        reader.accounts,
        reader.revision,
        lambda: reader.counts("tag"),
    ]
    for ask in asked:
        told = ""
        try:
            msgspec.json.encode(ask())
        except HubError as error:
            told = str(error)
        assert SECRET not in told


def document(**members: object) -> bytes:
    return compress(msgspec.json.encode({"provider": "acme", "id": "c1", "account": "default", **members}))


def json_of_depth(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


STRANGE: list[tuple[str, object]] = [
    *(("document", value) for value in (b"", b"x", compress(b""), compress(b"[]"), compress(b'{"a":' * 5000))),
    ("document", document(provider=7)),
    ("document", document(title=SECRET, transcript=[{"index": "one", "text": SECRET}])),
    ("document", document(created_at="2026-11-20T12:00:00")),
    ("document", document(cost={"amount": "Infinity", "unit": SECRET})),
    ("document", document(metadata={"a": json_of_depth(300)})),
    ("raw", b"x"),
    ("turns", -1),
    ("at", "infinity"),
]


@pytest.mark.parametrize(("column", "value"), STRANGE)
async def test_whatever_a_row_holds_it_is_read_or_refused_in_words(
    column: str, value: object, store: PostgresStore, url: str
) -> None:
    given = f"'{value}'" if column == "at" else "$1"
    values = () if column == "at" else (value,)
    await changed(url, f"UPDATE conversations SET {column} = {given} WHERE id = 'c1'", *values)  # noqa: S608
    with store.reader() as reader:
        look(reader)
        if column == "document":
            with pytest.raises(StoreError):
                reader.get("acme:c1")
        assert reader.get("acme:c2").text == "user: Two."


async def test_only_what_is_needed_is_read(store: PostgresStore, url: str) -> None:
    recording = Recording(location="https://example.com/a.mp3", access=RecordingAccess.PROVIDER_KEY)
    await put(store, said(id="c3", recordings=(recording,)))
    await changed(url, "UPDATE conversations SET raw = 'x'")
    with store.reader() as reader:
        [summary] = reader.stats()
        assert summary.conversations == 3
        assert len(reader.page().rows) == 3
        with pytest.raises(StoreError):
            reader.get("acme:c3")
        await changed(url, "UPDATE conversations SET document = 'x' WHERE id <> 'c3'")
        assert [found.location for found, _, _ in reader.recordings()] == [recording.location]


async def test_a_row_does_not_pass_for_another_conversation(store: PostgresStore, url: str) -> None:
    await changed(url, "UPDATE conversations SET document = $1 WHERE id = 'c1'", document(id="c2"))
    with store.reader() as reader, pytest.raises(StoreError, match="of two conversations"):
        reader.get("acme:c1")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE commits",
        "UPDATE store SET layout = 2",
        "ALTER TABLE store DROP COLUMN salt",
        "UPDATE accounts SET progress = '[]'",
        "UPDATE accounts SET progress = '{\"covered\": 1}'",
        "ALTER TABLE conversations RENAME COLUMN at TO since",
        "ALTER TABLE conversations ALTER at TYPE text",
        "DELETE FROM store",
    ],
)
async def test_tables_of_others_are_refused_in_words(statement: str, store: PostgresStore, url: str) -> None:
    await changed(url, statement)
    try:
        reader = store.reader()
    except StoreError:
        return
    with reader:
        look(reader)
