"""Checks of erasure: what was erased is gone, does not come back, and the rest is there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from ..._files.recordings import name_of
from ...errors import InvalidRefError
from ...schema import (
    Analysis,
    Conversation,
    Participant,
    ParticipantKind,
    Recording,
    RecordingAccess,
    Role,
    ToolCall,
    TranscriptTurn,
)
from ...stores import Checkpoint, Entry, Person, ReadableStore, StoredVersion, Written, put
from ._conversations import NOON, said
from ._opened import opened
from ._refused import refused

__all__ = ["CHECKS"]

Open = Callable[[], ReadableStore]


def _of(id: str, *, phone: str | None = None, name: str | None = None, who: str | None = None) -> Conversation:
    """Return a conversation with a customer."""
    customer = Participant(kind=ParticipantKind.CUSTOMER, id=who, name=name, phone=phone)
    return said("I like plum cake.", id=id, participants=(customer,))


def _ids(store: ReadableStore) -> set[str]:
    with store.reader() as reader:
        return {each.id for each in reader.conversations()}


async def what_was_erased_is_gone_and_does_not_come_back(open_store: Open) -> None:
    await put(open_store(), said("One.", id="c1"), said("Two.", id="c2"), said("Three.", id="c3"))
    with open_store().reader() as reader:
        planned = reader.erase("acme:c1", "acme:c2", dry_run=True)
        assert (set(planned.conversations), planned.erased_at) == ({"acme:c1", "acme:c2"}, None)
        receipt = reader.erase("acme:c1", "acme:c2", now=NOON)
        assert (set(receipt.conversations), receipt.erased_at) == ({"acme:c1", "acme:c2"}, NOON)
        assert receipt.complete
        assert reader.erase("acme:c1").conversations == ()
        assert [each.id for each in reader.conversations()] == ["c3"]
    async with opened(open_store()) as store:
        kept = await store.kept("acme/default", ["c1", "c3", "c4"])
    assert {id: each.is_erased for id, each in kept.items()} == {"c1": True, "c3": False}
    assert await put(open_store(), said("One.", id="c1"), said("Three!", id="c3")) == Written(updated=1)
    assert _ids(open_store()) == {"c3"}


async def what_is_wrong_to_erase_is_refused(open_store: Open) -> None:
    await put(open_store(), said("One."), said("Eins.", account="eu"))
    with open_store().reader() as reader:
        with refused(InvalidRefError):
            reader.erase("nonsense")
        with refused(InvalidRefError, "several acme accounts"):
            reader.erase("acme:c1")
        assert reader.erase("acme:nobody").conversations == ()
        assert reader.erase("acme/eu:c1").conversations == ("acme/eu:c1",)
        assert [each.ref for each in reader.conversations()] == ["acme:c1"]


_CALLED: Final = {"phone", "local", "id", "metadata", "collected", "title"}
_PERSONS: Final = (
    (Person(phone="+1 (555) 010-2030"), _CALLED),
    (Person(phone="0049 171 1234567"), {"german"}),
    (Person(email="ada@example.com"), {"name", "tag"}),
    (Person(participant="user-7"), {"participant"}),
    (Person(phone="+1 555 010 2030", participant="user-7"), _CALLED | {"participant"}),
    (Person(phone="+1 555 010 2031"), set[str]()),
    (Person(email="da@example.com"), set[str]()),
    (Person(email="ada@example.co"), set[str]()),
)


def _of_persons() -> list[Conversation]:
    turn = TranscriptTurn(index=0, role=Role.USER, text="My number is 555-010-2030, ada@example.com.")
    calling = ToolCall(name="call", arguments='{"to":"+15550102030"}')
    call = TranscriptTurn(index=0, role=Role.ASSISTANT, tool_calls=(calling,))
    return [
        _of("phone", phone="+15550102030"),
        _of("local", phone="555.010.2030"),
        _of("id", who="tel:+1-555-010-2030"),
        _of("german", phone="+49 171 123 45 67"),
        _of("name", name="Ada <ADA@example.com>"),
        _of("participant", who="user-7"),
        said(id="metadata", metadata={"caller": {"number": "+1 555 0102030"}}),
        said(id="collected", analysis=Analysis(collected={"callback": "15550102030"})),
        said(id="title", title="Call of +1 555 010 2030"),
        said(id="tag", tags=("ada@example.com",)),
        said(id="said", transcript=(turn,)),
        said(id="called", transcript=(call,)),
        _of("other", phone="+15550102031000", who="user-77", name="ada@example.com.au"),
    ]


async def a_person_is_found_wherever_the_data_says_so(open_store: Open) -> None:
    await put(open_store(), *_of_persons())
    with open_store().reader() as reader:
        for person, found in _PERSONS:
            planned = reader.erase(person=person, dry_run=True)
            assert {ref.partition(":")[2] for ref in planned.conversations} == found
        before = _ids(open_store())
        done = reader.erase(person=_PERSONS[0][0])
    assert {ref.partition(":")[2] for ref in done.conversations} == _CALLED
    assert set(done.mentioned) == {"acme:said", "acme:called"}
    assert _ids(open_store()) == before - _CALLED


async def recordings_on_disk_go_with_it(open_store: Open) -> None:
    recording = Recording(location="https://example.com/a.mp3", access=RecordingAccess.SIGNED_URL, ref="acme:c1")
    await put(open_store(), said(recordings=(recording,)), said(id="c11"))
    with TemporaryDirectory() as name:
        folder = Path(name)
        for each in (recording, msgspec.structs.replace(recording, ref="acme:c11")):
            file = folder / name_of(each, 0)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(b"sound")
        with open_store().reader() as reader:
            receipt = reader.erase("acme:c1", recordings=folder)
        assert receipt.recordings == (name_of(recording, 0),)
        assert (folder / name_of(msgspec.structs.replace(recording, ref="acme:c11"), 0)).exists()


async def what_is_older_is_pruned(open_store: Open) -> None:
    day = timedelta(days=1)
    await put(
        open_store(),
        *(said(id=f"c{days}", created_at=NOON - days * day) for days in range(5)),
        said(id="started", created_at=None, started_at=NOON - 9 * day),
        said(id="undated", created_at=None),
    )
    with open_store().reader() as reader:
        assert len(reader.prune(NOON - 2 * day, dry_run=True).conversations) == 3
        receipt = reader.prune(NOON - 2 * day)
        with refused(InvalidRefError, "time zone"):
            reader.prune(NOON.replace(tzinfo=None))
    assert set(receipt.conversations) == {"acme:c3", "acme:c4", "acme:started"}
    assert _ids(open_store()) == {"c0", "c1", "c2", "undated"}


async def a_sync_that_fetched_it_before_does_not_bring_it_back(open_store: Open) -> None:
    await put(open_store(), said("One."), said("Two.", id="c2"))
    with open_store().reader() as reader:
        reader.erase("acme:c1")
    late = [Entry(said("One, late."), StoredVersion(b"", b"late", None))]
    async with opened(open_store()) as store:
        await store.commit("acme/default", late, Checkpoint())
        await store.finish()
    assert _ids(open_store()) == {"c2"}


CHECKS = (
    what_was_erased_is_gone_and_does_not_come_back,
    what_is_wrong_to_erase_is_refused,
    a_person_is_found_wherever_the_data_says_so,
    recordings_on_disk_go_with_it,
    what_is_older_is_pruned,
    a_sync_that_fetched_it_before_does_not_bring_it_back,
)
