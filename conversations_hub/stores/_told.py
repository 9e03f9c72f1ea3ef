"""What webhooks told of a conversation, beside what was fetched: its text in a column, and how it is added."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from ..schema import Conversation
from ._fingerprint import fingerprint
from ._reconcile import UNSAID, is_thinner, reconciled
from ._store import Entry, StoredVersion
from ._untrusted import json_value

__all__ = ["Earlier", "added_to", "both", "entry_of", "told_of", "told_text"]

_encoder = msgspec.json.Encoder()


class Earlier(NamedTuple):
    """What is known of a stored conversation."""

    content: bytes | None
    """Its fingerprint; None if another tool deleted what is remembered of it."""
    told: str | None
    status: str
    turns: int | None
    updated_at: datetime | None


def told_text(told: Conversation | None) -> str:
    """Return the text; an empty object says that webhooks told of it, and no more than was fetched."""
    values = {} if told is None else {name: getattr(told, name) for name in UNSAID if name != "raw"}
    return _encoder.encode({name: value for name, value in values.items() if value != UNSAID[name]}).decode()


def told_of(text: str | None, one: Conversation) -> Conversation | None:
    """Return what webhooks told of a conversation; None if no more than was fetched.

    Raises one of `UNREADABLE` for invalid values.
    """
    found: dict[str, Any] = {} if text is None else json_value(text)
    if not found:
        return None
    names = {"provider": one.provider, "account": one.account, "id": one.id}
    return msgspec.convert(found | names, Conversation)


def added_to(entry: Entry, there: Earlier, stored: Callable[[], Conversation]) -> Entry:
    """Return an entry with what webhooks told of it; a fetch that is older than the stored version adds nothing."""
    if there.told is None or there.content == entry.kept.content_hash:
        return entry
    one = entry.conversation
    told = told_of(there.told, one)
    merged = one if told is None else _completed(told, one)
    if is_thinner(merged, status=there.status, turns=there.turns, updated_at=there.updated_at):
        merged = reconciled(stored(), merged, fetched=True)
    return Entry(merged, msgspec.structs.replace(entry.kept, content_hash=fingerprint(merged)))


def both(before: Conversation | None, told: Conversation | None) -> Conversation | None:
    """Return what webhooks told before and now."""
    return reconciled(before, told) if before is not None and told is not None else before or told


def entry_of(
    stored: Conversation | None, told: Conversation | None, fetched: Conversation | None, before: StoredVersion
) -> Entry:
    """Return what to write of a conversation that webhooks told of, and that was fetched if they said enough."""
    found = fetched or told
    if fetched is not None and told is not None:
        found = _completed(told, fetched)
    if stored is not None:
        found = reconciled(stored, found, fetched=fetched is not None) if found is not None else stored
    if found is None:
        raise AssertionError("unreachable")
    kept = msgspec.structs.replace(before, content_hash=fingerprint(found))
    if fetched is not None:
        kept = msgspec.structs.replace(kept, failing_since=None, is_vanished=False)
    return Entry(found, kept)


def _completed(told: Conversation, fetched: Conversation) -> Conversation:
    """Return what was fetched, with what only webhooks told; issues and `raw` are those of the fetch."""
    found = reconciled(msgspec.structs.replace(told, issues=()), fetched, fetched=True)
    return msgspec.structs.replace(found, raw=fetched.raw)
