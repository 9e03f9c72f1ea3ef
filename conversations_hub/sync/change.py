"""Whether a list row is to be fetched: by what is remembered of its conversation, and what the row says now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..redaction.redactors import redacted
from ..schema import Conversation
from ..stores.fingerprint import is_of_first_layout, is_print_of
from ..stores.store import StoredVersion
from .options import SyncOptions

__all__ = ["digest", "is_to_fetch"]

T = TypeVar("T")

_MANY_TURNS = 1000  # a fingerprint of them takes a millisecond and more


async def is_to_fetch(row: Conversation, before: StoredVersion | None, options: SyncOptions) -> bool:
    """Whether a conversation of a list is fetched: it is new, or has changed, or more of it may come.

    `before` is what a store remembers of it. What was erased is never fetched.
    """
    if before is None:
        return True
    if before.is_erased:
        return False
    return options.again or before.recheck_until is not None or not await _is_as_it_was(row, before, options)


async def _is_as_it_was(row: Conversation, before: StoredVersion, options: SyncOptions) -> bool:
    # The first layout remembered rows as they came, personal data and all; now it is what would be stored.
    shown = row if is_of_first_layout(before.row_hash) else redacted(row, options.redact_rows)
    return await digest(shown, partial(is_print_of, before.row_hash))


async def digest(conversation: Conversation, work: Callable[[Conversation], T]) -> T:
    """Return what is made of all that was said; in a thread where that is so much that everybody else would wait."""
    if len(conversation.transcript or ()) > _MANY_TURNS:
        return await asyncio.to_thread(work, conversation)
    return work(conversation)
