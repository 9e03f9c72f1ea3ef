"""What a sync is asked for; a plan is made of the same."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from ..redaction import Redact
from ..stores.store import Window

__all__ = ["SyncOptions"]


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
