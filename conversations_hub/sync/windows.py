"""Which spans of time are left to walk, by what was walked before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from ..instants import earlier
from ..stores.store import Checkpoint, Window
from .options import SyncOptions

__all__ = ["STEP", "Left", "bounds", "join", "left_to_walk", "windows"]

STEP = timedelta(days=7)
"""The longest window, where the provider can narrow a list by time."""


class Left(NamedTuple):
    """What a run has to walk."""

    windows: Iterator[Window]
    """In this order, so that what is covered is one span after each."""
    resumed: Window | None
    """The first of them, where an earlier run was stopped in it."""
    reach: Window
    """The span that holds all of them."""


def left_to_walk(progress: Checkpoint, options: SyncOptions, lookback: timedelta, *, narrows: bool) -> Left:
    """Return what a run has to walk where an account has come so far.

    `narrows` says whether the provider narrows its lists by time, `lookback` how late a conversation may turn up in
    them, or change there.
    """
    covered, walking, wanted = progress.confirmed, progress.in_progress, options.window
    step = STEP if narrows else None
    if options.again:
        wanted = _reaching(wanted, covered)
        return Left(windows(None, wanted, step, lookback), None, wanted)
    if walking is None:
        return Left(windows(covered, wanted, step, lookback), None, wanted)
    reach = join(walking, wanted)
    if options.verify:
        lookback = timedelta(0)  # so much is looked at in what is walked first
        if not narrows:
            # Another pass is due anyway, over all of the list: it brings what is new since as well.
            walking = Window(walking.since, reach.until)
    rest = windows(join(covered, walking), wanted, step, lookback)
    return Left(chain([walking], rest), walking, reach)


def windows(covered: Window | None, wanted: Window, step: timedelta | None, lookback: timedelta) -> Iterator[Window]:
    """Yield what of the wanted window is left, so that what is covered is one span after each.

    What lies less than `lookback` behind the end of what is covered is walked again: conversations turn up in lists,
    and change there, late. Without `step` what is left is one window: a provider that cannot narrow its list would
    send all of it for each.
    """
    if covered is None:
        yield from _forwards(wanted.since, wanted.until, step)
        return
    if covered.since is not None and (wanted.since is None or wanted.since < covered.since):
        yield from _backwards(wanted.since, covered.since, step)
    since = earlier(covered.until, lookback)
    if wanted.since is not None:
        since = max(since, min(wanted.since, covered.until))
    yield from _forwards(since, wanted.until, step)


def join(covered: Window | None, walked: Window) -> Window:
    """Return what is covered once a window was walked to its end."""
    if covered is None:
        return walked
    begins = None if covered.since is None or walked.since is None else min(covered.since, walked.since)
    return Window(begins, max(covered.until, walked.until))


def _reaching(wanted: Window, covered: Window | None) -> Window:
    """Return the wanted window, with what lies between it and what is covered, so that both are one span after."""
    if covered is None:
        return wanted
    since = None if wanted.since is None else min(wanted.since, covered.until)
    return Window(since, wanted.until if covered.since is None else max(wanted.until, covered.since))


def bounds(window: Window, *, is_last: bool) -> tuple[datetime | None, datetime | None]:
    """Return since and until when a provider is asked to narrow its list.

    Behind the last window lies nothing yet, so that the provider need not look for its end.
    """
    return window.since, None if is_last else window.until


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
