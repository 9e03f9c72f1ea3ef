"""What a Postgres store writes, and when it refuses to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from zlib import crc32

import asyncpg
import msgspec
import pytest

from conversations_hub.errors import LeaseLostError, StoreError
from conversations_hub.schema import Agent, Conversation
from conversations_hub.stores import Checkpoint, Written
from conversations_hub.stores._erasure import tombstone
from conversations_hub.stores._store import Entry
from conversations_hub.stores.postgres import PostgresStore, _rows
from conversations_hub.stores.postgres._address import Address
from conversations_hub.stores.postgres._connection import connect
from conversations_hub.stores.postgres._tables import conversation_of

from ..support.clock import NOW
from ..support.entries import ACCOUNT, entry, said
from ..support.ingesting import assert_kept
from ..support.postgres import Server

pytestmark = pytest.mark.engine

SHORT = timedelta(seconds=1)
RUN_OUT = "UPDATE accounts SET until = now() - interval '1 minute'"


@asynccontextmanager
async def opened(url: str, *, ttl: timedelta = timedelta(seconds=60)) -> AsyncGenerator[PostgresStore]:
    """Yield a store that is open."""
    store = PostgresStore(url, partitions=2, ttl=ttl)
    try:
        await store.open({})
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def asking(url: str) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record]]:
    """Yield a connection to the tables of a store."""
    connection = await connect(Address(url))
    try:
        yield connection
    finally:
        await connection.close()


async def stored(url: str) -> list[Conversation]:
    async with asking(url) as ask:
        rows = await ask.fetch("SELECT document, raw FROM conversations ORDER BY account, id")
    return [conversation_of(*row) for row in rows]


# the tables


async def test_many_that_open_a_store_make_it_once(url: str) -> None:
    stores = [PostgresStore(url, partitions=3) for _ in range(8)]
    try:
        await asyncio.gather(*(store.open({"raw": "none"}) for store in stores))
        await stores[0].commit(ACCOUNT, [entry(said("Hi."))], Checkpoint())
        assert await stores[7].kept(ACCOUNT, ["c1"])
    finally:
        for store in stores:
            await store.close()
    async with asking(url) as ask:
        assert await ask.fetchval("SELECT count(*) FROM pg_inherits WHERE inhparent = 'conversations'::regclass") == 3


async def test_a_store_exists_once_it_was_opened(url: str) -> None:
    store = PostgresStore(url)
    assert not store.exists()
    async with opened(url):
        assert store.exists()


async def test_other_tables_are_refused(url: str) -> None:
    async with opened(url):
        pass
    async with asking(url) as ask:
        await ask.execute("UPDATE store SET layout = 99")
        with pytest.raises(StoreError, match="tables of another version of conversations-hub"):
            async with opened(url):
                pass
        await ask.execute("DROP TABLE store; CREATE TABLE store (name text)")
    with pytest.raises(StoreError, match="has other tables: give another one"):
        async with opened(url):
            pass


async def test_a_store_is_filled_with_the_options_it_was_made_with(url: str) -> None:
    made = {"redacted": "none", "raw": "kept"}
    for terms, match in ((made, None), ({}, None), (made, None), ({"raw": "none"}, "raw payloads: kept, but this")):
        store = PostgresStore(url, partitions=1)
        try:
            if match is None:
                await store.open(terms)
            else:
                with pytest.raises(StoreError, match=match):
                    await store.open(terms)
        finally:
            await store.close()


async def test_a_role_that_may_use_one_schema_only_is_enough(url: str, server: Server) -> None:
    schema = url.partition("schema=")[2]
    async with asking(server.url("public")) as ask:
        await ask.execute(f"CREATE ROLE {schema}_user LOGIN; CREATE SCHEMA {schema} AUTHORIZATION {schema}_user")
    async with opened(url.replace("//hub@", f"//{schema}_user@")) as store:
        assert await store.commit(ACCOUNT, [entry(said("Hi."))], Checkpoint()) == Written(new=1)
    async with asking(server.url("public")) as ask:
        await ask.execute(f"CREATE ROLE {schema}_other LOGIN")
    async with asking(url.replace("//hub@", f"//{schema}_other@")) as other:
        for table in ("conversations", "conversations_0", "accounts", "store", "erased"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await other.fetch(f"SELECT * FROM {schema}.{table}")  # noqa: S608  (our own names)
    with pytest.raises(StoreError, match="permission denied"):
        async with opened(server.url().replace("//hub@", f"//{schema}_user@")):
            pass


# what is written


async def test_what_no_text_of_postgres_holds_is_kept(url: str) -> None:
    odd = said("Nul: \0.", id="c1", title="\0title", tags=("a\0b",), agent=Agent(id="\0", name="\0"), language="\0")
    raw = msgspec.structs.replace(said(id="c2"), raw=b"\0\xff")
    async with opened(url) as store:
        assert await store.commit(ACCOUNT, [entry(odd), entry(raw)], Checkpoint()) == Written(new=2)
    assert await stored(url) == [odd, raw]
    async with asking(url) as ask:
        assert await ask.fetchval("SELECT said FROM conversations WHERE id = 'c1'") == "'nul':1A"


async def test_a_document_of_ten_megabytes_is_kept(url: str) -> None:
    number = random.Random(7).getrandbits  # noqa: S311  (which no packing makes much smaller)
    long = said(*(f"{number(4 * 50_000):x}" for _ in range(200)), id="long")
    many = said(" ".join(f"w{word:x}" for word in range(150_000)), id="many")
    async with opened(url) as store:
        await store.commit(ACCOUNT, [entry(long), entry(many)], Checkpoint())
    assert await stored(url) == [long, many]
    async with asking(url) as ask:
        # One word of each turn is far longer than what is indexed; and all words of the other are too many.
        assert await ask.fetchval("SELECT said IS NOT NULL FROM conversations WHERE id = 'long'")
        assert await ask.fetchval("SELECT said IS NULL FROM conversations WHERE id = 'many'")


async def test_an_id_comes_once_in_a_commit(url: str) -> None:
    async with opened(url) as store:
        written = await store.commit(ACCOUNT, [entry(said("One.")), entry(said("Two."))], Checkpoint())
    assert written == Written(new=1)
    assert await stored(url) == [said("Two.")]


async def test_what_was_erased_does_not_come_back(url: str) -> None:
    async with opened(url) as store:
        await store.commit(ACCOUNT, [entry(said(id="c1"))], Checkpoint())
        async with asking(url) as ask:
            digest = tombstone(await ask.fetchval("SELECT salt FROM store"), ACCOUNT, "c2")
            await ask.execute("INSERT INTO erased VALUES ($1, now(), 0)", digest)
        assert (await store.kept(ACCOUNT, ["c1", "c2"]))["c2"].is_erased
        assert await store.commit(ACCOUNT, [entry(said(id="c2"))], Checkpoint()) == Written()
        assert await store.put_told(ACCOUNT, told=said(id="c2"), fetched=None) == Written()
    assert [one.id for one in await stored(url)] == ["c1"]


async def test_what_only_an_event_says_survives_the_next_fetch(url: str) -> None:
    await assert_kept(PostgresStore(url, partitions=2))


async def test_an_error_quotes_nothing_that_was_said(url: str) -> None:
    async with opened(url) as store:
        with pytest.raises(StoreError) as wrong:
            await store.commit(ACCOUNT, [entry(said("hush", id="hush\0"))], Checkpoint())
        assert "hush" not in str(wrong.value)
        await store.commit(ACCOUNT, [entry(said("hush"))], Checkpoint())


async def test_a_checkpoint_stays_where_none_is_given(url: str) -> None:
    async with opened(url) as store, opened(url) as other:
        await store.commit(ACCOUNT, [entry(said("One."))], Checkpoint(passes=3))
        assert await other.commit(ACCOUNT, [entry(said("Two.", id="c2"))], None) == Written(new=1)
        assert await store.progress(ACCOUNT) == Checkpoint(passes=3)


async def test_what_a_webhook_told_in_the_middle_of_a_commit_is_not_lost(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage, told = _rows.stage, said(id="c1", transcript=None)

    async def interrupted(*given: Any) -> None:
        monkeypatch.setattr(_rows, "stage", stage)
        await other.put_told(ACCOUNT, told=told, fetched=None)
        await stage(*given)

    async with opened(url) as store, opened(url) as other:
        for number, more in enumerate(({"title": "told"}, {"summary": "told"})):  # it is not there yet, then it is
            told = msgspec.structs.replace(told, **more)
            monkeypatch.setattr(_rows, "stage", interrupted)
            written = await store.commit(ACCOUNT, [entry(said(f"{number}"))], Checkpoint())
            assert written == Written(updated=1)
            [one] = await stored(url)
            assert (one.text, one.title, one.summary) == (f"user: {number}", told.title, told.summary)


async def test_who_is_always_overtaken_says_so(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = _rows.stage

    async def interrupted(connection: Any, rows: Any) -> None:
        async with asking(url) as ask:
            await ask.execute("UPDATE conversations SET title = title")
        await stage(connection, rows)

    async with opened(url) as store:
        await store.commit(ACCOUNT, [entry(said("One."))], Checkpoint())
        monkeypatch.setattr(_rows, "stage", interrupted)
        with pytest.raises(StoreError, match="again and again"):
            await store.commit(ACCOUNT, [entry(said("Two."))], Checkpoint(passes=1))
        assert await store.progress(ACCOUNT) == Checkpoint()


async def test_every_change_has_its_place_in_the_order_of_commits(url: str) -> None:
    """Whoever reads on from the last revision misses nothing, however commits overlap."""
    async with asking(url) as ask:
        followed: list[str] = []
        last = done = 0

        async def commits(number: int) -> None:
            nonlocal done
            async with opened(url) as store:
                for each in range(30):
                    size = 1 + crc32(b"%d %d" % (number, each)) % 40  # so that some overtake others
                    ids = [f"{number}-{each}-{one}" for one in range(size)]
                    await store.commit(f"acme/{number}", [entry(said("Hi.", id=id)) for id in ids], Checkpoint())
            done += 1

        async def follow() -> None:
            nonlocal last
            rows = await ask.fetch(
                "SELECT revision, id FROM commits JOIN conversations USING (batch) WHERE revision > $1", last
            )
            followed.extend(row["id"] for row in rows)
            last = max((row["revision"] for row in rows), default=last)

        async with opened(url):
            pass
        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(commits(number))
            while done < 4:
                await follow()
        await follow()
        there = [row["id"] for row in await ask.fetch("SELECT id FROM conversations")]
        assert sorted(followed) == sorted(there)
        assert await ask.fetchval("SELECT revision FROM store") == await ask.fetchval(
            "SELECT max(revision) FROM commits"
        )


# leases


async def test_an_account_is_written_by_one_process(url: str) -> None:
    async with opened(url) as first, opened(url) as second:
        await first.progress(ACCOUNT)
        for refused in (second.progress(ACCOUNT), second.commit(ACCOUNT, [entry(said("No."))], Checkpoint())):
            with pytest.raises(LeaseLostError):
                await refused
        await second.progress("acme/other")
        await first.close()  # lets it go
        await second.progress(ACCOUNT)


async def test_who_lost_an_account_writes_nothing(url: str) -> None:
    async with opened(url) as frozen, opened(url) as other, asking(url) as ask:
        await frozen.progress(ACCOUNT)
        await ask.execute(RUN_OUT)
        assert await other.progress(ACCOUNT) == Checkpoint()
        lost = (
            frozen.commit(ACCOUNT, [entry(said("Late."))], Checkpoint(passes=9)),
            frozen.vanished(ACCOUNT, [], NOW),
            frozen.commit(ACCOUNT, [entry(said("Later."))], Checkpoint(passes=9)),
            frozen.progress(ACCOUNT),
        )
        for late in lost:
            with pytest.raises(LeaseLostError, match="another process has this account of the store now"):
                await late
        assert await other.progress(ACCOUNT) == Checkpoint()
        assert await stored(url) == []
        await frozen.free(ACCOUNT, timedelta(0))  # which takes nothing from the other
        await other.commit(ACCOUNT, [entry(said("Hi."))], Checkpoint())


async def test_a_lease_that_ran_out_is_good_while_nobody_takes_it(url: str) -> None:
    async with opened(url) as store, asking(url) as ask:
        await store.progress(ACCOUNT)
        await ask.execute(RUN_OUT)
        assert await store.commit(ACCOUNT, [entry(said("Hi."))], Checkpoint()) == Written(new=1)


async def test_a_lease_is_renewed_while_nothing_is_committed(url: str) -> None:
    async with opened(url, ttl=SHORT) as store, asking(url) as ask:
        await store.progress(ACCOUNT)
        before = await ask.fetchval("SELECT until FROM accounts")
        for _ in range(600):
            if await ask.fetchval("SELECT until > $1 FROM accounts", before):
                break
            await asyncio.sleep(0.05)
        else:
            pytest.fail("it was not renewed")


async def test_a_thousand_accounts_that_are_due_are_claimed_once_each(url: str) -> None:
    accounts = [f"acme/{number}" for number in range(1000)]
    claimed: list[Sequence[str]] = []

    async def worker() -> None:
        async with opened(url) as store:
            mine: list[str] = []
            while (lease := await store.claim(accounts)) is not None:
                mine.append(lease.account)
            claimed.append(mine)
            await ready.wait()  # nobody lets one go before all are claimed

    async with opened(url):
        pass
    ready = asyncio.Event()
    workers = [asyncio.create_task(worker()) for _ in range(20)]
    for _ in count():
        if len(claimed) == 20 or any(one.done() for one in workers):
            break
        await asyncio.sleep(0.02)
    ready.set()
    await asyncio.gather(*workers)
    assert sorted(account for mine in claimed for account in mine) == sorted(accounts)
    assert sum(len(mine) > 0 for mine in claimed) > 1


async def test_an_account_is_due_after_a_while_or_when_a_conversation_settles(url: str) -> None:
    async with opened(url) as store, asking(url) as ask:

        async def waits() -> float:
            seconds: float = await ask.fetchval(
                "SELECT extract(epoch FROM due - freed_at)::float FROM accounts WHERE account = $1", ACCOUNT
            )
            return seconds

        lease = await store.claim([ACCOUNT])
        assert lease is not None
        assert lease.idle is None
        assert await store.claim([ACCOUNT]) is None
        await store.free(ACCOUNT, timedelta(minutes=30))
        assert await waits() == 1800
        assert await store.claim([ACCOUNT]) is None
        now = await ask.fetchval("SELECT now()")
        for settles, wait in ((timedelta(minutes=10), 600), (timedelta(0), 60), (timedelta(hours=3), 1800)):
            await ask.execute("UPDATE accounts SET due = now() - interval '1 minute'")
            assert await store.claim([ACCOUNT])
            unsettled = Entry(said("Hi."), entry(said("Hi."), settles_at=now + settles).kept)
            await store.commit(ACCOUNT, [unsettled], Checkpoint())
            await store.free(ACCOUNT, timedelta(minutes=30))
            assert await waits() == pytest.approx(wait, abs=20)


# what others wait for


async def test_no_statement_is_prepared_while_rows_are_locked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is frozen in the middle of that would hold up the others without end; see `rehearse`."""
    stage, prepared = _rows.stage, list[set[str]]()

    async def looking(connection: Any, rows: Any) -> None:  # right before rows are locked
        found = await connection.fetch("SELECT statement FROM pg_prepared_statements ORDER BY prepare_time")
        prepared.append({row["statement"] for row in found})
        await stage(connection, rows)

    monkeypatch.setattr(_rows, "stage", looking)
    async with opened(url) as store, asking(url) as ask:
        digest = tombstone(await ask.fetchval("SELECT salt FROM store"), ACCOUNT, "c3")
        await ask.execute("INSERT INTO erased VALUES ($1, now(), 0)", digest)
        for text in ("One.", "Two."):
            changed = [entry(said(text, id="c1")), entry(said(id="c2")), entry(said(id="c3"))]
            await store.commit(ACCOUNT, changed, Checkpoint())
            await store.commit(ACCOUNT, changed, None)
            await store.put_told(ACCOUNT, told=said(id="c2", title=text), fetched=None)
            await store.vanished(ACCOUNT, ["c1"], NOW)
    locking = (
        "FOR UPDATE",
        "INTO conversations",
        "token = $2",
        "SET told",
        "SET vanished_at",
        "INTO commits",
        "bigint FROM",
        "DELETE FROM staged",
        "FROM erased",
    )
    assert all(any(word in one for one in prepared[0]) for word in locking)
    assert {one for one in prepared[-1] - prepared[0] if any(word in one for word in locking)} == set()


# a server that is started again


async def test_a_server_that_is_started_again_costs_nothing(url: str, server: Server) -> None:
    async with opened(url) as store:

        async def commits() -> None:
            for number in range(60):
                size = 100 if number % 3 else 1
                batch = [entry(said(f"{number}", id=f"{number}-{each}")) for each in range(size)]
                await store.commit(ACCOUNT, batch, Checkpoint(passes=number))
                begun.set()

        begun = asyncio.Event()
        running = asyncio.create_task(commits())
        for _ in range(3):
            begun.clear()
            await asyncio.wait([running, asyncio.ensure_future(begun.wait())], return_when=asyncio.FIRST_COMPLETED)
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)
        await running
        assert await store.progress(ACCOUNT) == Checkpoint(passes=59)
    assert len(await stored(url)) == 40 * 100 + 20


async def test_a_server_that_stays_away_is_an_error(url: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conversations_hub.stores.postgres._store._PAUSES", (0.01,))
    async with opened(url) as store:
        await store.progress(ACCOUNT)
        server.stop()
        try:
            with pytest.raises(StoreError):
                await store.commit(ACCOUNT, [entry(said("Hi."))], Checkpoint())
            await store.close()
        finally:
            server.start()
