"""Checks of what a store keeps: conversations, what is remembered of them, and how far a sync is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from ...errors import StoreError
from ...redaction import PersonalData
from ...schema import Conversation, Role, TranscriptState, TranscriptTurn
from ...stores import (
    AccountStatus,
    Checkpoint,
    Entry,
    ReadableStore,
    StoredVersion,
    Window,
    Written,
    put,
)
from ...stores._fingerprint import fingerprint
from ._conversations import MANY, NOON, ODD, said
from ._opened import opened
from ._refused import refused

__all__ = ["CHECKS"]

ACCOUNT = "acme/default"
DAY = timedelta(days=1)
Open = Callable[[], ReadableStore]


def entry(
    conversation: Conversation,
    row: bytes = b"row",
    until: datetime | None = None,
    failing_since: datetime | None = None,
) -> Entry:
    return Entry(conversation, StoredVersion(row, fingerprint(conversation), until, b"{}", failing_since))


async def committed(store: ReadableStore, *entries: Entry, progress: Checkpoint | None = None) -> Written:
    """Commit entries of one account in a run of their own."""
    async with opened(store):
        written = await store.commit(ACCOUNT, entries, progress or Checkpoint())
        await store.finish()
    return written


async def nothing_is_there_before_it_is_written(open_store: Open) -> None:
    store = open_store()
    assert not store.exists()
    with refused(StoreError):
        store.reader().accounts()
    with refused(StoreError, "not open"):
        await store.commit(ACCOUNT, [], Checkpoint())
    await store.close()
    await put(store, said("Hello."))
    assert open_store().exists()


async def a_conversation_comes_out_as_it_went_in(open_store: Open) -> None:
    every = (*MANY, *ODD)
    written = await put(open_store(), *every)
    assert written == Written(new=len(every))
    with open_store().reader() as reader:
        assert {each.ref: each for each in reader.conversations()} == {each.ref: each for each in every}
        for each in every:
            assert reader.get(each.ref) == each


async def a_long_conversation_comes_out_as_it_went_in(open_store: Open) -> None:
    distinct = " ".join(f"w{number}" for number in range(200_000))
    long = said(distinct, "and so on " * 850_000, "xylophone", id="long")  # ten megabytes
    await put(open_store(), long)
    with open_store().reader() as reader:
        assert reader.get(long.ref) == long


async def every_instant_of_a_turn_is_read_back(open_store: Open) -> None:
    instants = [-1.5, 0.0, 5e-324, 1e-07, 1.5e-05, 1e-06, 0.1, 0.30000000000000004, 1_793_700_000.84]
    instants += [222_000_000_000.125, 253_402_300_800.0, 1e300]  # of the years 9004 and 10000, and of none
    turns = tuple(TranscriptTurn(index=index, role=Role.USER, timestamp=at) for index, at in enumerate(instants))
    await put(open_store(), said(transcript=turns))
    with open_store().reader() as reader:
        assert [turn.timestamp for turn in reader.get("acme:c1").transcript or ()] == instants


async def what_is_remembered_survives_the_process(open_store: Open) -> None:
    later = NOON + timedelta(days=7, microseconds=1)
    progress = Checkpoint(
        covered=Window(NOON - DAY, NOON), in_progress=Window(None, NOON), cursor="2:100", passes=1, new=3
    )
    settled, unsettled = entry(said(id="c1")), entry(said("Hi.", id="c2"), b"print", later, NOON)

    async def is_remembered(again: ReadableStore) -> None:
        assert await again.progress(ACCOUNT) == progress
        assert await again.progress("acme/eu") == Checkpoint(passes=2)
        assert await again.progress("acme/other") == Checkpoint()
        kept = await again.kept(ACCOUNT, ["c1", "c2", "c3"])
        assert (kept["c2"], set(kept)) == (unsettled.kept, {"c1", "c2"})
        assert (kept["c1"].row_hash, kept["c1"].content_hash) == (b"row", settled.kept.content_hash)
        assert (await again.kept("acme/eu", ["c1", "c2"])).keys() == {"c1"}
        assert await again.kept("acme/other", ["c1"]) == {}
        assert await again.unsettled(ACCOUNT) == {"c2": unsettled.kept}
        assert await again.unsettled("acme/eu") == {}

    async with opened(open_store()) as store:
        await store.commit(ACCOUNT, [settled, unsettled], progress)
        await store.commit("acme/eu", [entry(said(id="c1", account="eu"), b"eu")], Checkpoint(passes=2))
        await is_remembered(store)
    async with opened(open_store()) as store:
        await is_remembered(store)


async def many_are_looked_up_at_once(open_store: Open) -> None:
    ids = [f"c{number}" for number in range(1200)]
    async with opened(open_store()) as store:
        await store.commit(ACCOUNT, [entry(said(id=id)) for id in ids], Checkpoint())
        assert (await store.kept(ACCOUNT, [*ids, "nobody"])).keys() == set(ids)


async def only_what_is_new_or_changed_is_written(open_store: Open) -> None:
    first = await committed(open_store(), entry(said("Hello.")), entry(said("Goodbye.", id="c2"), until=NOON))
    again = [entry(said("Hello."), b"other row"), entry(said("Farewell.", id="c2")), entry(said(id="c3"))]
    second = await committed(open_store(), *again)
    third = await committed(open_store(), *again)
    assert (first, second, third) == (Written(new=2), Written(new=1, updated=1, unchanged=1), Written(unchanged=3))
    async with opened(open_store()) as store:
        kept, unsettled = await store.kept(ACCOUNT, ["c1"]), await store.unsettled(ACCOUNT)
    assert (kept["c1"].row_hash, unsettled) == (b"other row", {})
    with store.reader() as reader:
        assert [each.text for each in reader.conversations() if each.id == "c2"] == ["user: Farewell."]


async def a_commit_is_whole_or_not_at_all(open_store: Open) -> None:
    await committed(open_store(), entry(said("Hello.")), progress=Checkpoint(passes=1))
    strange = Entry(said(id="c3", metadata={"a": object()}), StoredVersion(b"", b"", None))
    with refused(StoreError):
        await committed(open_store(), entry(said("New.", id="c2")), strange, progress=Checkpoint(passes=2))
    async with opened(open_store()) as store:
        kept, progress = await store.kept(ACCOUNT, ["c1", "c2", "c3"]), await store.progress(ACCOUNT)
    assert (set(kept), progress) == ({"c1"}, Checkpoint(passes=1))
    assert await committed(open_store(), entry(said("New.", id="c2"))) == Written(new=1)


async def a_webhook_s_conversation_is_fetched_again(open_store: Open) -> None:
    await put(open_store(), said("Hello."))
    async with opened(open_store()) as store:
        kept = await store.kept(ACCOUNT, ["c1"])
    assert kept["c1"].row_hash == b""


async def a_store_keeps_its_options(open_store: Open) -> None:
    await put(open_store(), said("Hello."))
    with refused(StoreError, "was made with redaction: none"):
        await put(open_store(), said("Hello."), redact=PersonalData())
    with refused(StoreError, "was made with raw payloads: none"):
        await put(open_store(), said("Hello.", raw=b"{}"))


async def what_a_list_does_not_show_has_vanished(open_store: Open) -> None:
    async with opened(open_store()) as store:
        await store.commit(ACCOUNT, [entry(said(id=f"c{number}")) for number in range(4)], Checkpoint())
        assert set(await store.vanished(ACCOUNT, ["c0", "c1"], NOON)) == {"c2", "c3"}
        assert set(await store.vanished(ACCOUNT, ["c0", "c1", "c3"], NOON + DAY)) == {"c2"}
        assert set(await store.vanished("acme/eu", [], NOON)) == set()
        before = (await store.kept(ACCOUNT, ["c2"]))["c2"]
        await store.commit(ACCOUNT, [Entry(said(id="c2"), before)], Checkpoint())  # nobody saw it
        await store.finish()
    with store.reader() as reader:
        assert reader.status().total.vanished in {None, 1}
        assert len(list(reader.conversations())) == 4


async def what_is_there_again_has_not_vanished(open_store: Open) -> None:
    store = open_store()
    await store.open({})
    try:
        await store.commit(ACCOUNT, [entry(said(id=f"c{number}")) for number in range(3)], Checkpoint())
        await store.vanished(ACCOUNT, [], NOON)
        await store.commit(ACCOUNT, [entry(said(id="c0")), entry(said("Hello.", id="c1"))], Checkpoint())
        there = await store.kept(ACCOUNT, ["c0", "c1"])
        assert not any(version.is_vanished for version in there.values())
        await store.finish()
    finally:
        await store.close()
    with store.reader() as reader:
        assert reader.status().total.vanished in {None, 1}


async def the_status_says_what_is_there_and_what_is_missing(open_store: Open) -> None:
    covered = Window(NOON - 7 * DAY, NOON)
    some = [
        entry(said("One.", id="c1", created_at=NOON - 5 * DAY)),
        entry(said("Two.", id="c2"), until=NOON + DAY),
        entry(said("Three.", id="c3"), until=NOON + DAY, failing_since=NOON - 2 * DAY),
        entry(said("Four.", id="c4"), until=NOON + DAY, failing_since=NOON - 3 * DAY),
        entry(said("Five.", id="c5"), failing_since=NOON - 9 * DAY),
        entry(said(id="c6", created_at=NOON - 2 * DAY, transcript_state=TranscriptState.RESTRICTED)),
        entry(said(id="c7", created_at=None)),
    ]
    other = said("Eight.", id="c8", created_at=NOON - 9 * DAY, account="eu")
    async with opened(open_store()) as store:
        await store.commit(ACCOUNT, some, Checkpoint(covered=covered, high_watermark=NOON))
        await store.commit("acme/eu", [entry(other)], Checkpoint(in_progress=covered, cursor="2"))
        await store.commit("acme/us", [], Checkpoint(covered=Window(None, NOON - DAY)))
        await store.finish()
    with open_store().reader() as reader:
        found = reader.status()
        assert reader.accounts() == [ACCOUNT, "acme/eu", "acme/us"]
    _agree(
        found.accounts,
        [
            AccountStatus(
                where=ACCOUNT,
                conversations=7,
                oldest=NOON - 5 * DAY,
                newest=NOON,
                covered=covered,
                pending=1,
                restricted=1,
                failing=2,
                failing_since=NOON - 3 * DAY,
                given_up=1,
                vanished=0,
            ),
            AccountStatus(
                where="acme/eu",
                conversations=1,
                oldest=NOON - 9 * DAY,
                newest=NOON - 9 * DAY,
                is_under_way=True,
                restricted=0,
                vanished=0,
            ),
            AccountStatus(where="acme/us", covered=Window(None, NOON - DAY), restricted=0, vanished=0),
        ],
    )


def _agree(found: Sequence[AccountStatus], expected: Sequence[AccountStatus]) -> None:
    """Compare what is known: None says that a store does not know."""
    for each, due in zip(found, expected, strict=True):
        known = {name: getattr(each, name) for name in due.__struct_fields__ if getattr(each, name) is not None}
        assert known == {name: getattr(due, name) for name in known}
        assert known.keys() >= {"where", "conversations", "pending", "failing", "given_up", "is_under_way"}


CHECKS = (
    nothing_is_there_before_it_is_written,
    a_conversation_comes_out_as_it_went_in,
    a_long_conversation_comes_out_as_it_went_in,
    every_instant_of_a_turn_is_read_back,
    what_is_remembered_survives_the_process,
    many_are_looked_up_at_once,
    only_what_is_new_or_changed_is_written,
    a_commit_is_whole_or_not_at_all,
    a_webhook_s_conversation_is_fetched_again,
    a_store_keeps_its_options,
    what_a_list_does_not_show_has_vanished,
    what_is_there_again_has_not_vanished,
    the_status_says_what_is_there_and_what_is_missing,
)
