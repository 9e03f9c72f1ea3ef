"""What a webhook brings is stored at once, whole, and never thinner than what is stored already."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conversations_hub import Account, Conversation, Hub
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import NotFoundError, UnsupportedError
from conversations_hub.events import Event
from conversations_hub.redaction import PersonalData
from conversations_hub.schema import (
    Analysis,
    Issue,
    Participant,
    Recording,
    RecordingAccess,
    Status,
    TranscriptState,
)
from conversations_hub.stores import Written, open_store
from conversations_hub.stores.jsonl import JSONLStore
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import ingest, reconciled
from conversations_hub.testing.simulator._world import Delivery, Simulated
from conversations_hub.webhooks import verify

from ..support.clock import ManualClock
from ..support.ingesting import adapter, assert_kept, event, ingested, turns, version
from ..support.simulated import simulated

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


# of two versions


VERSIONS = st.builds(
    version,
    status=st.sampled_from([Status.UNKNOWN, Status.IN_PROGRESS, Status.ENDED, Status.FAILED]),
    updated_at=st.sampled_from([None, NOW, NOW + timedelta(hours=1)]),
    transcript=st.sampled_from([None, (), turns("Hello."), turns("Hello.", "Yes?"), turns("Hallo.", "Ja?")]),
    state=st.sampled_from([*TranscriptState]),
    analysis=st.sampled_from([None, Analysis(success=True), Analysis(collected={"a": 1})]),
    recordings=st.sampled_from([(), (Recording(location="/a", access=RecordingAccess.PROVIDER_KEY),)]),
    title=st.sampled_from([None, "A title"]),
    metadata=st.sampled_from([{}, {"a": 1}, {"b": 2}]),
)


@given(VERSIONS, VERSIONS, st.booleans())
def test_nothing_gets_thinner(stored: Conversation, told: Conversation, fetched: bool) -> None:  # noqa: FBT001
    found = reconciled(stored, told, fetched=fetched)
    assert found.metadata.keys() == stored.metadata.keys() | told.metadata.keys()
    assert (found.title is None) == (stored.title is None and told.title is None)
    assert (found.analysis is None) == (stored.analysis is None and told.analysis is None)
    assert len(found.recordings) >= max(len(stored.recordings), len(told.recordings))
    assert bool(found.transcript) == bool(stored.transcript or told.transcript)
    is_newer = told.updated_at is not None and stored.updated_at is not None and told.updated_at > stored.updated_at
    if fetched and (told.is_finished or is_newer):
        assert found.status is (stored.status if told.status is Status.UNKNOWN else told.status)
    else:
        assert found.is_finished == (stored.is_finished or told.is_finished)
        assert len(found.transcript or ()) >= min(len(stored.transcript or ()), len(told.transcript or ()))
        turned = reconciled(told, stored)  # in any order
        assert (turned.is_finished, len(turned.transcript or ())) == (found.is_finished, len(found.transcript or ()))
    assert reconciled(found, told, fetched=fetched) == found  # and again


def test_what_was_corrected_at_the_provider_replaces_what_is_stored_though_it_is_shorter() -> None:
    stored, corrected = version("Helo.", "Helo.", "Yes?"), version("Hello.", "Yes?")
    assert reconciled(stored, corrected, fetched=True).transcript == corrected.transcript
    assert reconciled(stored, corrected).transcript == stored.transcript  # an event may be older
    truncated = version("Hello.", state=TranscriptState.TRUNCATED)
    assert reconciled(stored, truncated, fetched=True).transcript == stored.transcript


def test_that_nothing_was_said_is_not_forgotten_for_an_event_that_says_nothing_of_it() -> None:
    """Even if it came later than the provider's own last change."""
    silent = version(status=Status.IN_PROGRESS, transcript=(), state=TranscriptState.AVAILABLE, updated_at=NOW)
    later = version(
        status=Status.IN_PROGRESS,
        transcript=None,
        state=TranscriptState.NOT_LOADED,
        updated_at=NOW + timedelta(seconds=30),
    )
    for found in (reconciled(silent, later), reconciled(later, silent), reconciled(later, silent, fetched=True)):
        assert (found.transcript, found.transcript_state) == ((), TranscriptState.AVAILABLE)
        assert found.updated_at == later.updated_at


def test_what_was_opened_again_at_the_provider_is_open() -> None:
    ended = version("Hello.", updated_at=NOW)
    opened = version("Hello.", "Still there?", status=Status.IN_PROGRESS, updated_at=NOW + timedelta(days=1))
    assert reconciled(ended, opened, fetched=True) == opened
    earlier = msgspec.structs.replace(opened, updated_at=NOW - timedelta(days=1))
    assert reconciled(ended, earlier, fetched=True).is_finished  # it was fetched before the end


@pytest.mark.parametrize("state", [TranscriptState.RESTRICTED, TranscriptState.UNAVAILABLE])
def test_what_is_gone_at_the_provider_stays_and_says_so(state: TranscriptState) -> None:
    stored = version("Hello.", participants=(Participant(name="Ada"),))
    found = reconciled(stored, version(state=state), fetched=True)
    assert (found.transcript, found.participants) == (stored.transcript, stored.participants)
    assert found.transcript_state is TranscriptState.AVAILABLE
    assert found.issues == (Issue("get", "no longer at the provider"),)
    assert reconciled(found, version(state=state), fetched=True).issues == found.issues


# into a store


async def test_an_event_without_a_transcript_is_fetched_and_one_with_it_is_not(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    bare, whole = version(state=TranscriptState.NOT_LOADED), version("Hello.")
    assert (await ingested(store, [event(bare)], whole)).transcript == whole.transcript
    fuller = version("Hello.", "Yes?")
    assert (await ingested(store, [event(fuller)])).transcript == fuller.transcript
    # A late event does not take anything away, and is not asked about.
    assert (await ingested(store, [event(version("Hello."))])).transcript == fuller.transcript


async def test_an_event_that_anyone_may_have_sent_is_only_a_hint(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    forged, true = version("I am the king."), version("Hello.")
    for unsure in ({"verified": False}, {"signed_members": ("call.id",)}):
        assert (await ingested(store, [event(forged, **unsure)], true)).transcript == true.transcript
    with pytest.raises(NotFoundError):
        await ingested(store, [event(forged, verified=False)], None)


async def test_what_the_provider_does_not_have_is_taken_from_a_signed_event(tmp_path: Path) -> None:
    bare = version(state=TranscriptState.PENDING)
    found = await ingested(SQLiteStore(tmp_path / "c.db"), [event(bare)], None)
    assert found.transcript_state is TranscriptState.PENDING


@pytest.mark.parametrize("url", ["sqlite:c.db", "parquet:c"])
async def test_what_only_an_event_says_is_stored_and_survives_the_next_fetch(url: str, tmp_path: Path) -> None:
    kind, _, name = url.partition(":")
    if kind == "parquet":
        pytest.importorskip("duckdb", reason="Parquet needs the extra duckdb")
    await assert_kept(open_store(f"{kind}:{tmp_path / name}"))


async def test_a_store_that_would_lose_what_an_event_says_is_refused(tmp_path: Path) -> None:
    store = JSONLStore(tmp_path / "c.jsonl")
    with pytest.raises(UnsupportedError, match="use SQLite or Postgres"):
        await ingested(store, [event(version("Hello."))])
    assert not store.exists()


async def test_what_an_event_says_is_redacted(tmp_path: Path) -> None:
    store, told = (
        SQLiteStore(tmp_path / "c.db"),
        version(title="Call +1 415 555 0101", state=TranscriptState.NOT_LOADED),
    )
    async with Hub([Account("acme", key="k")], adapters={"acme": adapter(version("Hello."))}) as hub:
        await ingest(event(told), hub, store, redact=PersonalData())
    with store.reader() as reader:
        assert reader.get("acme:c1").title == "Call [phone]"


async def test_an_event_of_a_named_account_is_that_account_s(tmp_path: Path) -> None:
    recording = Recording(location="/a", access=RecordingAccess.PROVIDER_KEY)
    told = version("Hello.", recordings=(recording,))
    found = await ingested(SQLiteStore(tmp_path / "c.db"), [event(told)], account="eu")
    assert (found.ref, found.recordings[0].ref) == ("acme/eu:c1", "acme/eu:c1")


async def test_an_event_about_no_conversation_stores_nothing(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    async with Hub([Account("acme", key="k")], adapters={"acme": adapter()}) as hub:
        assert await ingest(msgspec.structs.replace(event(), conversation_id=None), hub, store) == Written()
    assert not store.exists()


async def test_what_was_erased_does_not_come_back(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    await ingested(store, [event(version("Hello."))])
    with store.reader() as reader:
        reader.erase("acme:c1")
    with pytest.raises(NotFoundError):
        await ingested(store, [event(version("Hello."))])


@pytest.mark.parametrize("provider", [provider for provider in BUILTIN if load(provider).webhook is not None])
async def test_deliveries_in_any_order_leave_what_get_returns(provider: str, tmp_path: Path) -> None:
    module: Simulated = import_module(f"conversations_hub.testing.simulator._{provider}").SIMULATED
    store, present, chance = SQLiteStore(tmp_path / "c.db"), ManualClock(), Random(7)  # noqa: S311  (an order)
    assert module.deliveries is not None
    async with simulated(provider, conversations=6, present=present) as (hub, simulator):
        present.seconds = timedelta(days=1).total_seconds()
        world = simulator.worlds[provider]
        for truth in world.newest():
            deliveries = [*module.deliveries(world, truth)] * 2
            chance.shuffle(deliveries)
            for sent in deliveries:
                for one in _verified(provider, module, sent):
                    await ingest(one, hub, store)
        with store.reader() as reader:
            stored = [*reader.conversations()]
        assert stored
        for kept in stored:
            due = await hub.get(kept.ref)
            assert (kept.transcript, kept.transcript_state) == (due.transcript, due.transcript_state), kept.ref
            assert kept.is_finished or kept.status is due.status


def _verified(provider: str, module: Simulated, sent: Delivery) -> list[Event]:
    now = datetime.fromtimestamp(sent.moment, UTC)
    if module.signed is None:
        return verify(provider, sent.body, {}, None, now, insecure_accept_unsigned=True)
    secret = module.webhook_secret
    signed = module.signed(sent, secret if module.signing_secret is None else module.signing_secret)
    return verify(provider, sent.body, signed, secret, now, url=sent.url)
