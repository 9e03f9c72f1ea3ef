"""Bring what a webhook reports into a store at once; a sync beside it brings what webhooks lost."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from ..errors import NotFoundError, UnsupportedError
from ..events import Event
from ..hub import Hub
from ..redaction._redactors import Redact, as_sequence, describe, redacted
from ..schema import Conversation
from ..stores._insert import put
from ..stores._reader import ReadableStore
from ..stores._reconcile import reconciled
from ..stores._store import Written
from ..stores.sqlite import SQLiteStore

__all__ = ["ingest", "of_account"]


async def ingest(
    event: Event, hub: Hub, store: ReadableStore, *, account: str = "default", redact: Redact | Sequence[Redact] = ()
) -> Written:
    """Store the conversation that an event is about: fetched, if the event lacks its transcript or may be changed.

    Nothing that is stored gets thinner: see `reconciled`. What only events say stays with the conversation: a SQLite
    store adds it to every later fetch, as `drain` does; another kind of store loses it to the next sync. An event that
    names no conversation stores nothing, and so does one about an erased conversation. `account` is the hub's account
    that the webhook belongs to.

    Raises:
        StoreError: the store cannot be written, because a sync is running on it, for example: try again.
        HubError: the conversation cannot be fetched now; one that the provider does not have is taken from the event.
    """
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
    if isinstance(store, SQLiteStore):
        told, fetched = (None if one is None else redacted(one, redactors) for one in (told, fetched))
        try:
            await store.open({"redacted": describe(redactors), "raw": "kept" if hub.keep_raw else "none"})
            written = await store.put_told(where, told=told, fetched=fetched)
            await store.finish()
            return written
        finally:
            await store.close()
    stored = await asyncio.to_thread(_stored, store, ref)
    versions = ((told, False), (fetched, True))
    for version, is_fetched in versions:
        if version is not None:
            stored = version if stored is None else reconciled(stored, version, fetched=is_fetched)
    return Written() if stored is None else await put(store, stored, redact=redactors, keep_raw=hub.keep_raw)


def of_account(one: Conversation, account: str, *, keep_raw: bool) -> Conversation:
    """Return what a webhook brought of a conversation as one of the hub's account."""
    named = msgspec.structs.replace(one, account=account, raw=one.raw if keep_raw else None)
    recordings = tuple(msgspec.structs.replace(recording, ref=named.ref) for recording in named.recordings)
    return msgspec.structs.replace(named, recordings=recordings)


def _stored(store: ReadableStore, ref: str) -> Conversation | None:
    if not store.exists():
        return None
    with store.reader() as reader:
        try:
            return reader.get(ref)
        except NotFoundError:
            return None
