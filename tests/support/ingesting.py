"""Events of webhooks, brought into a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from conversations_hub import Account, Conversation, Hub
from conversations_hub.adapter import Adapter
from conversations_hub.errors import NotFoundError
from conversations_hub.events import Event, EventKind
from conversations_hub.schema import EndReason, Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.signing import bearer
from conversations_hub.stores import ReadableStore
from conversations_hub.sync import ingest
from conversations_hub.wire import Flow

from .entries import entry


def turns(*texts: str) -> tuple[TranscriptTurn, ...]:
    return tuple(TranscriptTurn(index=at, role=Role.USER, text=text) for at, text in enumerate(texts))


def version(*texts: str, state: TranscriptState = TranscriptState.AVAILABLE, **more: Any) -> Conversation:
    bare = Conversation(provider="acme", id="c1", status=Status.ENDED, transcript_state=state)
    told = {"transcript": turns(*texts) or None, **more}
    return msgspec.structs.replace(bare, **told)


def adapter(*answers: Conversation | None) -> Adapter:
    left = iter(answers)

    def get(_account: Account, _id: str) -> Flow[Conversation]:
        found = next(left)
        if found is None:
            raise NotFoundError("no such conversation")
        return found
        yield

    return Adapter(name="acme", base_url="https://api.acme.example", docs="", sign=bearer, get=get)


def event(conversation: Conversation | None = None, **more: Any) -> Event:
    bare = Event(provider="acme", kind=EventKind.ENDED, conversation_id="c1", verified=True, conversation=conversation)
    return msgspec.structs.replace(bare, **more)


async def ingested(
    store: ReadableStore, events: Sequence[Event], *answers: Conversation | None, account: str = "default"
) -> Conversation:
    async with Hub([Account("acme", key="k", name=account)], adapters={"acme": adapter(*answers)}) as hub:
        for one in events:
            await ingest(one, hub, store, account=account)
    with store.reader() as reader:
        return reader.get(f"acme/{account}:c1")


async def assert_kept(store: ReadableStore) -> None:
    """Assert that what only an event says stays, whatever is fetched later."""
    bare = version(end_reason=EndReason.VOICEMAIL, state=TranscriptState.NOT_LOADED)
    whole = version("Hello.", title="A title")
    found = await ingested(store, [event(bare)], whole)
    assert (found.transcript, found.title, found.end_reason) == (whole.transcript, "A title", EndReason.VOICEMAIL)
    found = await ingested(
        store, [event(version(state=TranscriptState.NOT_LOADED))], version("Hello!", title="Another")
    )
    assert (found.text, found.title, found.end_reason) == ("user: Hello!", "Another", EndReason.VOICEMAIL)
    later = version("Hello!", "Yes?", title="A third")
    account = "acme/default"
    await store.open({})
    await store.commit(account, [entry(later)], await store.progress(account))
    await store.finish()
    await store.close()
    with store.reader() as reader:
        found = reader.get("acme:c1")
    assert (found.transcript, found.title) == (later.transcript, "A third")
    assert found.end_reason is EndReason.VOICEMAIL
