"""Bring what a webhook reports into a store at once; a sync beside it brings what webhooks lost."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ..errors import NotFoundError, UnsupportedError
from ..events import Event
from ..hub import Hub
from ..redaction._redactors import Redact, as_sequence, redacted
from ..schema import Conversation
from ..stores._event_store import EventStore
from ..stores._reader import ReadableStore
from ..stores._store import Written, made_with

__all__ = ["ingest", "of_account"]


async def ingest(
    event: Event, hub: Hub, store: ReadableStore, *, account: str = "default", redact: Redact | Sequence[Redact] = ()
) -> Written:
    """Store the conversation that an event is about: fetched, if the event lacks its transcript or may be changed.

    Nothing that is stored gets thinner: see `reconciled`. What only events say stays with the conversation: it is added
    to every later fetch, also by a sync. An event that names no conversation stores nothing, and so does one about an
    erased conversation. `account` is the hub's account that the webhook belongs to.

    Raises:
        UnsupportedError: the store does not keep what only events say: it is neither SQLite, Parquet nor Postgres.
        StoreError: the store cannot be written, because a sync is running on it, for example: try again.
        HubError: the conversation cannot be fetched now; one that the provider does not have is taken from the event.
    """
    if not isinstance(store, EventStore):
        raise UnsupportedError("this kind of store does not keep what webhooks said: use SQLite or Postgres")
    if event.conversation_id is None:
        return Written()
    where = f"{event.provider}/{account}"
    ref = f"{where}:{event.conversation_id}"
    told = event.conversation if event.protected else None
    fetched: Conversation | None = None
    if told is None or told.transcript is None:
        try:
            fetched = await hub.get(ref)
        except (NotFoundError, UnsupportedError):
            if told is None:
                raise
    if told is not None:
        told = of_account(told, account, keep_raw=hub.keep_raw)
    redactors = as_sequence(redact)
    told, fetched = (None if one is None else redacted(one, redactors) for one in (told, fetched))
    try:
        await store.open(made_with(redactors, keeps_raw=hub.keep_raw))
        written = await store.put_told(where, told=told, fetched=fetched)
        await store.finish()
        return written
    finally:
        await store.close()


def of_account(one: Conversation, account: str, *, keep_raw: bool) -> Conversation:
    """Return what a webhook brought of a conversation as one of the hub's account."""
    named = msgspec.structs.replace(one, account=account, raw=one.raw if keep_raw else None)
    recordings = tuple(msgspec.structs.replace(recording, ref=named.ref) for recording in named.recordings)
    return msgspec.structs.replace(named, recordings=recordings)
