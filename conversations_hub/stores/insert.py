"""Conversations that come by another way than a sync, such as a webhook, into a store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from ..redaction.redactors import Redact, as_sequence, describe, redacted
from ..schema import Conversation
from .fingerprint import fingerprint
from .store import Entry, Store, StoredVersion, Written

__all__ = ["put"]


async def put(store: Store, *conversations: Conversation, redact: Redact | Sequence[Redact] = ()) -> Written:
    """Store conversations, and take the place of what is there of them; the store is opened for it, and closed.

    What was erased is not brought back. The next sync that meets a conversation in its list compares it with what the
    provider says then, so that nothing is lost that the other way did not bring. Conversations with `raw` go into a
    store that keeps it, those without into one that does not, and `redact` must be what the store was made with.

    Raises:
        StoreError: it cannot be kept: a sync is at work, the disk is full, or the store was made otherwise.
    """
    redactors = as_sequence(redact)
    by_account: defaultdict[str, dict[str, Conversation]] = defaultdict(dict)
    for one in conversations:
        by_account[f"{one.provider}/{one.account}"][one.id] = one
    keeps_raw = any(one.raw is not None for one in conversations)
    new = updated = unchanged = 0
    try:
        await store.open({"redacted": describe(redactors), "raw": "kept" if keeps_raw else "none"})
        for account, each in by_account.items():
            before = await store.kept(account, [*each])
            entries = [
                _entry(redacted(one, redactors), before.get(id))
                for id, one in each.items()
                if id not in before or not before[id].is_erased
            ]
            done = await store.commit(account, entries, await store.progress(account))
            new, updated, unchanged = new + done.new, updated + done.updated, unchanged + done.unchanged
        await store.finish()
    finally:
        await store.close()
    return Written(new, updated, unchanged)


def _entry(one: Conversation, before: StoredVersion | None) -> Entry:
    # Of a row that no list has shown yet no fingerprint is known: the first that does differs, and is fetched.
    kept = before or StoredVersion(b"", b"", None)
    return Entry(one, msgspec.structs.replace(kept, content_hash=fingerprint(one)))
