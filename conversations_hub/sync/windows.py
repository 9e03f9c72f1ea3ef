"""Which spans of time are left to walk, by what was walked before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from .store import Window

__all__ = ["OVERLAP", "STEP", "bounds", "joined", "windows"]

OVERLAP = timedelta(minutes=15)
"""How far a run looks back behind the end of the last one: calls end, and appear, late."""

STEP = timedelta(days=7)
"""The longest window, where the provider can narrow a list by time."""


def windows(covered: Window | None, wanted: Window, step: timedelta | None) -> Iterator[Window]:
    """Yield what of the wanted window is left, so that what is covered is one span after each.

    Without `step` what is left is one window: a provider that cannot narrow its list would send all of it for each.
    """
    if covered is None:
        yield from _forwards(wanted.since, wanted.until, step)
        return
    if covered.since is not None and (wanted.since is None or wanted.since < covered.since):
        yield from _backwards(wanted.since, covered.since, step)
    yield from _forwards(covered.until - OVERLAP, wanted.until, step)


def joined(covered: Window | None, walked: Window) -> Window:
    """Return what is covered once a window was walked to its end."""
    if covered is None:
        return walked
    begins = None if covered.since is None or walked.since is None else min(covered.since, walked.since)
    return Window(begins, max(covered.until, walked.until))


def bounds(window: Window, until: datetime) -> tuple[datetime | None, datetime | None]:
    """Return since and until when a provider is asked to narrow its list; `until` is where the last window ends.

    Nothing lies behind that yet, so that nobody need be asked to look.
    """
    return window.since, None if window.until == until else window.until


def _forwards(since: datetime | None, until: datetime, step: timedelta | None) -> Iterator[Window]:
    while since is not None and step is not None and until - since > step:
        yield Window(since, since + step)
        since += step
    if since is None or since < until:
        yield Window(since, until)


def _backwards(since: datetime | None, until: datetime, step: timedelta | None) -> Iterator[Window]:
    while since is not None and step is not None and until - since > step:
        yield Window(until - step, until)
        until -= step
    yield Window(since, until)
