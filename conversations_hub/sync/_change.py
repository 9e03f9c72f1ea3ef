"""Decide whether to fetch a listed conversation, from its stored version and its list row."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from math import log
from typing import Final, TypeVar

import msgspec

from ..redaction._redactors import redacted
from ..schema import Conversation
from ..stores._fingerprint import is_of_first_layout, is_print_of
from ..stores._store import StoredVersion, when
from ._options import SyncOptions

__all__ = ["digest", "is_due", "is_to_fetch"]

T = TypeVar("T")

_MANY_TURNS: Final = 1000  # their fingerprint takes a millisecond or more
_YOUNG: Final = timedelta(seconds=30)
_OLDER: Final = 1.5

_row = msgspec.json.Decoder(Conversation)


def is_due(before: StoredVersion, last_run: datetime | None, now: datetime) -> bool:
    """Whether to fetch an unsettled conversation again, in a run that follows another closely; instants are UTC.

    What is still to come mostly comes soon after the end. So it is due each time it has become half as old again, in
    steps that are the same for every run, and a last time when it settles. What failed is always due.

    Raises one of `UNREADABLE` for a list row that is not ours.
    """
    if before.recheck_until is None:
        return False
    if last_run is None or now >= before.recheck_until or before.failing_since is not None or not before.list_row:
        return True
    row = _row.decode(before.list_row)
    end = row.ended_at or when(row)
    return end is None or _step(now - end) > _step(last_run - end)


def _step(age: timedelta) -> int:
    return int(log(max(age / _YOUNG, 1.0), _OLDER))


async def is_to_fetch(row: Conversation, before: StoredVersion | None, options: SyncOptions, *, due: bool) -> bool:
    """Whether to fetch a listed conversation: it is new, it has changed, or more of it may come.

    `before` is its stored version, and `due` whether it is unsettled and due. An erased conversation is never fetched.
    """
    if before is None:
        return True
    if before.is_erased:
        return False
    return options.again or due or not await _is_unchanged(row, before, options)


async def _is_unchanged(row: Conversation, before: StoredVersion, options: SyncOptions) -> bool:
    # The first layout fingerprinted rows before redaction; now they are fingerprinted as they would be stored.
    shown = row if is_of_first_layout(before.row_hash) else redacted(row, options.redact_rows)
    return await digest(shown, partial(is_print_of, before.row_hash))


async def digest(conversation: Conversation, work: Callable[[Conversation], T]) -> T:
    """Return the result of `work`, in a thread if the conversation is so long that it would block the event loop."""
    if len(conversation.transcript or ()) > _MANY_TURNS:
        return await asyncio.to_thread(work, conversation)
    return work(conversation)
