"""What webhooks told of a conversation stays beside it, and is in every later fetch, whoever fetches."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Conversation
from conversations_hub.errors import NotFoundError, StoreError
from conversations_hub.schema import (
    Analysis,
    EndReason,
    Issue,
    Recording,
    RecordingAccess,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
)
from conversations_hub.stores import Checkpoint, Person, Written
from conversations_hub.stores.sqlite import SQLiteStore

from ..support.clock import NOW
from ..support.entries import entry

ACCOUNT = "acme/default"
BARE = Conversation(provider="acme", id="c1", created_at=NOW)
SPOKEN = (TranscriptTurn(index=0, role=Role.USER, text="Hello."),)
RECORDING = Recording(location="/a", access=RecordingAccess.PROVIDER_KEY)


def version(**fields: Any) -> Conversation:
    return msgspec.structs.replace(BARE, **fields)


TOLD = version(
    status=Status.ENDED,
    end_reason=EndReason.CUSTOMER_ENDED,
    ended_at=NOW + timedelta(minutes=1),
    metadata={"both": 1, "told": 2},
    transcript=SPOKEN,
    transcript_state=TranscriptState.AVAILABLE,
    issues=(Issue("event", "misread"),),
    raw=b"{}",
)
FETCHED = version(
    title="A title", metadata={"both": 1, "fetched": 3}, transcript=SPOKEN, transcript_state=TranscriptState.AVAILABLE
)


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "c.db")


def stored(store: SQLiteStore) -> Conversation:
    with store.reader() as reader:
        return reader.get("acme:c1")


def told_in(store: SQLiteStore) -> list[str | None]:
    with closing(sqlite3.connect(store.path)) as database:
        return [text for (text,) in database.execute("SELECT told FROM conversations")]


async def synced(store: SQLiteStore, one: Conversation) -> Written:
    return await store.commit(ACCOUNT, [entry(one)], await store.progress(ACCOUNT))


async def test_what_was_told_is_in_every_later_fetch(store: SQLiteStore) -> None:
    async with store.shared():
        assert await store.put_told(ACCOUNT, told=TOLD, fetched=FETCHED) == Written(1, 0, 0)
        both = stored(store)
        assert (both.status, both.end_reason, both.title) == (Status.ENDED, EndReason.CUSTOMER_ENDED, "A title")
        assert both.metadata == {"both": 1, "told": 2, "fetched": 3}
        assert both.issues == ()
        assert await synced(store, FETCHED) == Written(0, 0, 1)  # it has not changed
        assert await synced(store, msgspec.structs.replace(FETCHED, title="Another")) == Written(0, 1, 0)
        assert stored(store) == msgspec.structs.replace(both, title="Another")
        # A second event adds to the first.
        more = version(analysis=Analysis(success=True))
        await store.put_told(ACCOUNT, told=more, fetched=None)
        assert stored(store).analysis == more.analysis
        await synced(store, FETCHED)
        assert (stored(store).analysis, stored(store).end_reason) == (more.analysis, EndReason.CUSTOMER_ENDED)


async def test_only_what_no_fetch_says_is_kept_of_it(store: SQLiteStore) -> None:
    async with store.shared():
        await store.put_told(ACCOUNT, told=TOLD, fetched=FETCHED)
    [text] = told_in(store)
    assert msgspec.json.decode(text or "").keys() == {"status", "end_reason", "ended_at", "metadata"}
    assert msgspec.json.decode(text or "")["metadata"] == {"told": 2}


async def test_what_the_provider_says_wins_once_it_says_it(store: SQLiteStore) -> None:
    async with store.shared():
        await store.put_told(ACCOUNT, told=TOLD, fetched=FETCHED)
        final = msgspec.structs.replace(FETCHED, status=Status.FAILED, end_reason=EndReason.AGENT_ENDED)
        await synced(store, final)
        assert (stored(store).status, stored(store).end_reason) == (Status.FAILED, EndReason.AGENT_ENDED)


async def test_without_a_fetch_it_stands_in_for_the_conversation(store: SQLiteStore) -> None:
    async with store.shared():
        await store.put_told(ACCOUNT, told=msgspec.structs.replace(TOLD, raw=None), fetched=None)
        assert stored(store).transcript == SPOKEN
        await store.put_told(ACCOUNT, told=version(status=Status.IN_PROGRESS), fetched=None)  # late
        assert stored(store).status is Status.ENDED
        await synced(store, version(title="Only its row"))
        assert (stored(store).transcript, stored(store).title) == (SPOKEN, "Only its row")


async def test_a_sync_that_fetched_earlier_and_commits_later_takes_nothing_away(store: SQLiteStore) -> None:
    final = msgspec.structs.replace(FETCHED, status=Status.ENDED)
    running = version(status=Status.IN_PROGRESS, transcript_state=TranscriptState.PENDING)
    async with store.shared():
        await store.put_told(ACCOUNT, told=None, fetched=final)
        for early in (running, msgspec.structs.replace(running, status=Status.ENDED)):
            await synced(store, early)
            assert (stored(store).status, stored(store).transcript) == (Status.ENDED, SPOKEN)


async def test_of_what_no_webhook_told_of_a_sync_stores_what_it_fetched(store: SQLiteStore) -> None:
    async with store.shared():
        await synced(store, msgspec.structs.replace(FETCHED, status=Status.ENDED))
        await synced(store, version(status=Status.IN_PROGRESS))
        assert stored(store) == version(status=Status.IN_PROGRESS)
    assert told_in(store) == [None]


async def test_what_only_a_list_shows_stays(store: SQLiteStore) -> None:
    async with store.shared():
        await synced(store, version(title="In the list", issues=(Issue("get", "details could not be loaded: X"),)))
        await store.put_told(ACCOUNT, told=None, fetched=version(summary="In the details"))
        assert stored(store) == version(title="In the list", summary="In the details")
    assert told_in(store) == ["{}"]


async def test_what_was_erased_does_not_come_back_and_what_was_told_is_erased(store: SQLiteStore) -> None:
    told = version(metadata={"told": "ada@example.com"}, recordings=(RECORDING,))
    async with store.shared():
        await store.put_told(ACCOUNT, told=told, fetched=version(title="A title"))
    with store.reader() as reader:
        assert reader.get("acme:c1").recordings
        assert reader.erase(person=Person(email="ada@example.com")).conversations == ("acme:c1",)
    async with store.shared():
        assert await store.put_told(ACCOUNT, told=told, fetched=version(title="A title")) == Written()
        assert await store.put_told(ACCOUNT, told=None, fetched=None) == Written()
    with pytest.raises(NotFoundError):
        stored(store)


async def test_how_many_came_only_by_a_list_is_counted(store: SQLiteStore) -> None:
    async with store.shared():
        ended = {"status": Status.ENDED}
        await store.put_told(ACCOUNT, told=version(**ended), fetched=None)
        others = [version(id="c2", **ended), version(id="c3", created_at=NOW - timedelta(days=1), **ended)]
        entries = [entry(one) for one in (*others, version(id="c4"))]
        await store.commit(ACCOUNT, entries, Checkpoint())
        assert await store.told_since(ACCOUNT, NOW) == (1, 1)


async def test_a_shared_store_is_opened_and_closed_by_several_runs(store: SQLiteStore) -> None:
    async with store.shared():
        await store.open({"redacted": "none", "raw": "none"})
        await store.close()
        await synced(store, FETCHED)
        with pytest.raises(StoreError, match="redaction"):
            await store.open({"redacted": "PersonalData 1", "raw": "none"})
        await synced(store, FETCHED)
        with pytest.raises(StoreError, match="another sync"):
            await SQLiteStore(store.path).open({})
    other = SQLiteStore(store.path)
    await other.open({})
    await other.close()


async def test_a_shared_store_is_opened_again_after_a_failed_commit(
    store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    async with store.shared():
        with monkeypatch.context() as disk:
            disk.setattr("conversations_hub.stores.sqlite._writer.Writer._add_parts", full)
            with pytest.raises(StoreError, match="full"):
                await store.put_told(ACCOUNT, told=None, fetched=FETCHED)
        with pytest.raises(StoreError, match="a commit failed"):
            await synced(store, FETCHED)
        await store.open({})
        await synced(store, FETCHED)
    assert stored(store) == FETCHED
