"""Decide whether to fetch a listed conversation, from its stored version and its list row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from ..redaction._redactors import redacted
from ..schema import Conversation
from ..stores._fingerprint import is_of_first_layout, is_print_of
from ..stores._store import StoredVersion
from ._options import SyncOptions

__all__ = ["digest", "is_to_fetch"]

T = TypeVar("T")

_MANY_TURNS = 1000  # their fingerprint takes a millisecond or more


async def is_to_fetch(row: Conversation, before: StoredVersion | None, options: SyncOptions) -> bool:
    """Whether to fetch a listed conversation: it is new, it has changed, or more of it may come.

    `before` is its stored version. An erased conversation is never fetched.
    """
    if before is None:
        return True
    if before.is_erased:
        return False
    return options.again or before.recheck_until is not None or not await _is_unchanged(row, before, options)


async def _is_unchanged(row: Conversation, before: StoredVersion, options: SyncOptions) -> bool:
    # The first layout fingerprinted rows before redaction; now they are fingerprinted as they would be stored.
    shown = row if is_of_first_layout(before.row_hash) else redacted(row, options.redact_rows)
    return await digest(shown, partial(is_print_of, before.row_hash))


async def digest(conversation: Conversation, work: Callable[[Conversation], T]) -> T:
    """Return the result of `work`, in a thread if the conversation is so long that it would block the event loop."""
    if len(conversation.transcript or ()) > _MANY_TURNS:
        return await asyncio.to_thread(work, conversation)
    return work(conversation)
