"""Compute which spans of time are left to walk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from .._instants import earlier
from ..adapter import Adapter
from ..stores._store import Checkpoint, Window
from ._options import SyncOptions

__all__ = ["STEP", "Changes", "Left", "bounds", "join", "left_to_walk", "windows"]

STEP = timedelta(days=7)
"""The longest window if the provider can narrow a list by time."""


class Changes(NamedTuple):
    """Conversations of any age that have changed."""

    since: datetime | None
    """None: whenever it was."""
    verify: bool
    """Whether the list is walked again: by page number, because a row that changes meanwhile shifts the others."""


class Left(NamedTuple):
    """What a run has to walk."""

    windows: Iterator[Window]
    """Ordered so that the covered time is a single span after each."""
    resumed: Window | None
    """The first window, if an earlier run stopped in it."""
    reach: Window
    """The span that holds all windows."""
    changes: Changes | None = None
    """What to walk by change after the windows; None: nothing."""


def left_to_walk(progress: Checkpoint, options: SyncOptions, adapter: Adapter, *, narrows: bool) -> Left:
    """Return what a run has to walk, given the account's checkpoint.

    `narrows` says whether the provider's lists are narrowed by time.
    """
    lookback = adapter.lookback if options.lookback is None else options.lookback
    covered, walking, wanted = progress.confirmed, progress.in_progress, options.window
    step = STEP if narrows else None
    is_counted = any(each.counted for each in (adapter, *adapter.resources.values()))
    verify = options.verify and is_counted
    changes = _changes(progress, lookback, verify=verify) if adapter.narrows_by_update else None
    if options.again:
        wanted = _extend(wanted, covered)
        return Left(windows(None, wanted, step, lookback), None, wanted, changes)
    is_later = changes is not None and (progress.changes_until is not None or changes.since is None)
    if is_later and walking is None and progress.covered is not None:
        # A new conversation is a change, too, so only what is older than the covered span is left.
        older = windows(progress.covered, Window(wanted.since, progress.covered.until), step, timedelta(0))
        return Left(older, None, join(progress.covered, wanted), changes)
    if walking is None:
        return Left(windows(covered, wanted, step, lookback), None, wanted)
    reach = join(walking, wanted)
    if options.verify:
        lookback = timedelta(0)  # the resumed window, which is walked first, covers it
        if not narrows:
            # Another pass over the whole list is due anyway: it also finds what is new since.
            walking = Window(walking.since, reach.until)
    rest = windows(join(covered, walking), wanted, step, lookback)
    return Left(chain([walking], rest), walking, reach, changes)


def _changes(progress: Checkpoint, lookback: timedelta, *, verify: bool) -> Changes | None:
    """Return which changes a walk of windows leaves out; None: none, because no other walk came before it."""
    if progress.covered is None and progress.in_progress is None:
        return None
    # A run that goes on with the first walk does not see what changed in the pages that an earlier run walked.
    until = progress.changes_until or progress.began
    return Changes(earlier(until, lookback) if until else None, verify)


def windows(covered: Window | None, wanted: Window, step: timedelta | None, lookback: timedelta) -> Iterator[Window]:
    """Yield the windows of the wanted span that are left, so that the covered time is a single span after each.

    The last `lookback` of the covered span is walked again, because conversations turn up and change in lists late.
    Without `step` the rest is one window: a provider that cannot narrow its list would send all of it for each.
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
    """Return the covered span after a window was walked to its end."""
    if covered is None:
        return walked
    begins = None if covered.since is None or walked.since is None else min(covered.since, walked.since)
    return Window(begins, max(covered.until, walked.until))


def _extend(wanted: Window, covered: Window | None) -> Window:
    """Return the wanted window, extended to touch the covered one, so that both are a single span afterwards."""
    if covered is None:
        return wanted
    since = None if wanted.since is None else min(wanted.since, covered.until)
    return Window(since, wanted.until if covered.since is None else max(wanted.until, covered.since))


def bounds(window: Window, *, is_last: bool) -> tuple[datetime | None, datetime | None]:
    """Return the `since` and `until` to send to a provider that narrows its list.

    For the last window no upper bound is sent: nothing is newer.
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
