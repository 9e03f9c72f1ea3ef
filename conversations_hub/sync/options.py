"""What a sync is asked for; a plan is made of the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec

from ..schema import Conversation
from ..stores.store import Window

__all__ = ["Redact", "SyncOptions", "uncounted"]

Redact = Callable[[Conversation], Conversation]
"""Returns a conversation without what must not be stored."""


class SyncOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync is asked for."""

    since: datetime | None
    until: datetime
    verify: bool = True
    patience: timedelta = timedelta(days=7)
    lookback: timedelta | None = None
    """None: what the adapter says."""
    again: bool = False
    """Whether all of it is walked and fetched again, whatever is covered."""
    redact: Sequence[Redact] = ()
    redact_rows: Sequence[Redact] = ()
    """The same, for what only fingerprints are made of: they do not count what they take out."""

    @property
    def window(self) -> Window:
        """The span of time that is asked for."""
        return Window(self.since, self.until)


def uncounted(redact: Redact | Sequence[Redact]) -> tuple[Redact, ...]:
    """Return redactors that do the same and count nothing."""
    return tuple(map(_uncounted, (redact,) if callable(redact) else redact))


def _uncounted(redact: Redact) -> Redact:
    """Return a redactor that does the same and counts nothing."""
    counts: Counter[str] | None = getattr(redact, "counts", None)
    if counts is None:
        return redact

    def quietly(conversation: Conversation) -> Conversation:
        before = counts.copy()
        try:
            return redact(conversation)
        finally:
            counts.clear()
            counts.update(before)

    return quietly
