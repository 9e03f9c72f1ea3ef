"""Estimate how long an account will take, if its list is in order of time."""

from __future__ import annotations

from ..sync import AccountSyncReport

__all__ = ["Pace"]

_LEAST_SECONDS = 10.0
_LEAST_SHARE = 0.02


class Pace:
    """Watches one account; a list that goes back and forth in time allows no estimate."""

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._share = 0.0
        self._is_ordered = True

    def left(self, account: AccountSyncReport, now: float) -> str | None:
        """Return the time left at `now`, in monotonic seconds, as round words; None while it is unknown."""
        share = account.share
        if share is not None and account.stage == "listing":
            self._is_ordered &= share >= self._share
            self._share = share
            self._first = self._first or (now, share)
        if self._first is None or not self._is_ordered:
            return None
        began, at_first = self._first
        spent, gained = now - began, self._share - at_first
        if spent < _LEAST_SECONDS or gained < _LEAST_SHARE:
            return None
        minutes = spent * (1 - self._share) / gained / 60
        if minutes < 1:
            return "less than a minute left"
        return f"about {minutes:.0f} min left" if minutes < 90 else f"about {minutes / 60:.0f} h left"
