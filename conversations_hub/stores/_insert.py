"""Store conversations that did not come from a sync, such as those of webhooks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import msgspec

from ..redaction._redactors import Redact, as_sequence, redacted
from ..schema import Conversation
from ._fingerprint import fingerprint
from ._store import Entry, Store, StoredVersion, Written, made_with

__all__ = ["put"]


async def put(
    store: Store,
    *conversations: Conversation,
    redact: Redact | Sequence[Redact] = (),
    keep_raw: bool | None = None,
) -> Written:
    """Store conversations in place of their stored versions; the store is opened here, and closed.

    Erased conversations are not brought back. The next sync that lists a conversation compares it with what the
    provider says then, so anything that is missing here is added. Conversations with `raw` need a store that keeps raw
    payloads, those without need one that does not, and `redact` must be what the store was made with.

    Raises:
        StoreError: the store cannot be written: a sync is running on it, the disk is full, or it was made with other
            options.
    """
    redactors = as_sequence(redact)
    by_account: defaultdict[str, dict[str, Conversation]] = defaultdict(dict)
    for one in conversations:
        by_account[f"{one.provider}/{one.account}"][one.id] = one
    keeps_raw = any(one.raw is not None for one in conversations) if keep_raw is None else keep_raw
    new = updated = unchanged = 0
    try:
        await store.open(made_with(redactors, keeps_raw=keeps_raw))
        for account, each in by_account.items():
            before = await store.kept(account, [*each])
            entries = [
                _entry(redacted(one, redactors), before.get(id))
                for id, one in each.items()
                if id not in before or not before[id].is_erased
            ]
            done = await store.commit(account, entries, None)
            new, updated, unchanged = new + done.new, updated + done.updated, unchanged + done.unchanged
        await store.finish()
    finally:
        await store.close()
    return Written(new, updated, unchanged)


def _entry(one: Conversation, before: StoredVersion | None) -> Entry:
    # No list has shown this row, so its fingerprint is unknown: the first list that shows it finds a change.
    kept = before or StoredVersion(b"", b"", None)
    return Entry(one, msgspec.structs.replace(kept, content_hash=fingerprint(one)))
