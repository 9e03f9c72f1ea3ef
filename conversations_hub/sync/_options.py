"""The options of a sync, and of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from ..redaction import Redact
from ..stores._store import Window

__all__ = ["SyncOptions"]


class SyncOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a sync. Instants are aware datetimes."""

    since: datetime | None
    until: datetime
    verify: bool = True
    patience: timedelta = timedelta(days=7)
    lookback: timedelta | None = None
    """None: the adapter's default."""
    again: bool = False
    """Whether to walk and fetch the whole span again, even if it is covered."""
    all_pending: bool = True
    """Whether everything that is not settled is fetched again, or only what is due: see `is_due`."""
    redact: Sequence[Redact] = ()
    redact_rows: Sequence[Redact] = ()
    """The same redactors without counting, for list rows: these are only compared."""

    @property
    def window(self) -> Window:
        """The requested span."""
        return Window(self.since, self.until)
