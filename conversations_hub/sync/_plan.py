"""Estimate a sync before it starts: how many requests, how long, and what cannot be fetched.

async with Hub.from_env(profile="bulk") as hub:
    for account in await plan(hub, None, since=datetime.now(UTC) - timedelta(days=90)):
        print(account)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from math import ceil

import msgspec

from .._bugs import surprise
from .._concurrency import run_all
from .._instants import check_span, earlier
from .._reporting import tell
from .._transport import Clock
from ..errors import (
    HubClosedError,
    HubError,
    NotFoundError,
    StoreError,
    ends_account,
)
from ..hub import Hub, Page, Report
from ..redaction._redactors import Redact, as_sequence, uncounted
from ..schema import Conversation, TranscriptState
from ..stores._store import Checkpoint, Store, StoredVersion, Window, terms_of, when
from ._accounts import accounts_of
from ._change import is_to_fetch
from ._options import SyncOptions
from ._sample import Age, Sampler
from ._windows import Changes, bounds, join, left_to_walk

__all__ = ["AccountPlan", "Failure", "Sample", "plan"]

_PASSES = 2
"""How often a sync walks a list at least: once to read it, and again for rows that the first pass missed."""


class Failure(msgspec.Struct, frozen=True):
    """An error in JSON form."""

    kind: str
    """The class of the error."""
    reason: str

    @classmethod
    def of(cls, error: HubError) -> Failure:
        """Return an error in JSON form."""
        return cls(type(error).__name__, error.reason)

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that a sync would fetch, fetched as a sample."""

    ref: str
    age: Age
    at: datetime | None
    """When it was created, else when it started, UTC."""
    transcript_state: TranscriptState | None = None
    """None if it could not be fetched."""
    recordings: int = 0
    """How many recordings it has."""
    error: Failure | None = None
    """Why it could not be fetched."""
    is_gone: bool = False
    """Whether it is listed but no longer exists, for example because its retention is over."""

    @property
    def is_lacking(self) -> bool:
        """Whether part of it cannot be fetched."""
        return self.error is not None or self.transcript_state in {
            TranscriptState.RESTRICTED,
            TranscriptState.TRUNCATED,
            TranscriptState.UNAVAILABLE,
        }

    def __str__(self) -> str:
        when = f"{self.age} of {self.at:%Y-%m-%d}" if self.at else self.age
        if self.error is not None:
            return f"{when}: {'listed, but no longer there' if self.is_gone else 'cannot be fetched'}, {self.error}"
        state = "unknown" if self.transcript_state is None else self.transcript_state.value.replace("_", " ")
        recordings = f", {_count(self.recordings, 'recording')}" if self.recordings else ""
        return f"{when}: transcript {state}{recordings}"


class AccountPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync of one account would take; `print` shows it in a few lines. Numbers count conversations."""

    where: str
    """"provider/account"."""
    listed: int
    """Rows in the lists for the requested span, unreadable ones included."""
    new: int
    """Not in the store yet."""
    undated: int = 0
    """Those of the new ones whose list rows have no time: a sync fetches them, and writes those in the requested span.

    Its report counts the others as `outside`.
    """
    again: int
    """In the store, and to be fetched again: changed, or not settled when they were written, listed or not."""
    there: int
    """In the store, and unchanged."""
    bad: int
    """Rows that could not be read."""
    list_requests: int
    """At least: each list is walked twice, and a third time if the second pass finds something new."""
    detail_requests: int
    """At least: one for each conversation whose list row is incomplete; some providers need several."""
    requests_per_second: float | None
    """The documented limit of an account; None if it is not documented."""
    seconds: float | None
    """The least time the requests take at that limit; None if it is not documented."""
    estimated_seconds: float | None
    """Without a documented limit: the time the requests take at the rate the list was read, one request at a time.

    None if a limit is documented, or if the rate is unknown.
    """
    has_recordings: bool
    """Whether a row or a sample has a recording."""
    samples: tuple[Sample, ...]
    """The newest, the middle one and the oldest of the conversations that would be fetched."""
    warnings: tuple[str, ...]
    """What the lists may leave out."""
    kept_since: datetime | None
    """Older conversations are gone, unless the account has another retention; UTC.

    None if the provider deletes nothing by itself.
    """
    error: Failure | None
    """What ended the plan early; the numbers count what was found until then."""

    @property
    def requests(self) -> int:
        """All requests, at least."""
        return self.list_requests + self.detail_requests

    def __str__(self) -> str:
        facts = [f"{self.new:,} new" + (f" ({self.undated:,} of unknown date)" if self.undated else "")]
        for number, what in ((self.again, "to fetch again"), (self.there, "already stored"), (self.bad, "bad")):
            if number:
                facts.append(f"{number:,} {what}")
        lines = [
            f"{self.where}: {_count(self.listed, 'conversation')} listed, {', '.join(facts)}",
            self._sending(),
            self._time(),
            *map(str, self.samples),
            *([] if self.has_recordings or not self.samples else ["no recordings seen"]),
            *self.warnings,
            *self._retention(),
        ]
        if self.error is not None:
            lines.insert(1, f"ended early: {self.error}")
        return "\n  ".join(lines)

    def _retention(self) -> Iterator[str]:
        if self.kept_since is not None:
            yield f"conversations before {self.kept_since:%Y-%m-%d} are gone, unless the account's retention differs"

    def _sending(self) -> str:
        parts = f"{self.list_requests:,} for the list and {self.detail_requests:,} for details"
        return f"at least {_count(self.requests, 'request')}: {parts}"

    def _time(self) -> str:
        if self.seconds is not None:
            return f"at least {_span(self.seconds)} at the documented {self.requests_per_second:g} requests per second"
        if self.estimated_seconds is not None:
            return f"about {_span(self.estimated_seconds)} at the rate the list was read; no limit is documented"
        return "duration unknown: no limit is documented"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _span(seconds: float) -> str:
    return str(timedelta(seconds=ceil(seconds)))


async def plan(
    hub: Hub,
    store: Store | None,
    *targets: str,
    since: datetime | None = None,
    until: datetime | None = None,
    verify: bool = True,
    lookback: timedelta | None = None,
    again: bool = False,
    redact: Redact | Sequence[Redact] = (),
    clock: Clock | None = None,
) -> list[AccountPlan]:
    """Return what `sync` with the same arguments would take, for every account of the hub or for those named.

    It walks each list once, fetches up to three conversations of each account, and writes nothing. An account that
    fails does not stop the others.

    Args:
        hub: best made with `profile="bulk"`.
        store: the store to compare with; it is opened here as `sync` opens it, and closed. None if it does not exist
            yet, because opening would create it.
        *targets: "tavus" for every Tavus account, "tavus/eu" for one; none for all.
        since: start of the span, inclusive, as an aware datetime; None for everything.
        until: end of the span, exclusive, as an aware datetime; None for now.
        verify: see `sync`.
        lookback: see `sync`.
        again: see `sync`.
        redact: see `sync`. With other redactors than the store was made with, everything in it looks changed.
        clock: the source of time, for tests.

    Raises:
        StoreError: the store cannot be read, or a sync is running on it.
        ConfigurationError: the hub does not have this provider or account.
        InvalidRefError: a malformed target or span, or a target that names only part of an account.
    """
    check_span(since, until)
    clock = clock or Clock()
    options = SyncOptions(
        since=since,
        until=until or clock.now(),
        verify=verify,
        lookback=lookback,
        again=again,
        redact_rows=uncounted(as_sequence(redact)),
    )
    planners = [_Planner(hub, store, where, options, clock) for where in accounts_of(hub, targets)]
    try:
        if store is not None:
            await store.open(terms_of((planner.where for planner in planners), since, until, clock.now()))
        await run_all((planner.run() for planner in planners), hub.accounts_at_once)
    finally:
        if store is not None:
            await store.close()
    return [planner.result() for planner in planners]


class _Tally(msgspec.Struct):
    """Counts over the rows of an account."""

    listed: int = 0
    new: int = 0
    undated: int = 0
    again: int = 0
    there: int = 0
    bad: int = 0
    details: int = 0
    has_recordings: bool = False


class _Planner:
    """Plans one account; it walks the lists window by window, as a sync would."""

    def __init__(self, hub: Hub, store: Store | None, where: str, options: SyncOptions, clock: Clock) -> None:
        self.where = where
        self._hub = hub
        self._adapter = hub.adapter(where.partition("/")[0])
        self._store = store
        self._options = options
        self._clock = clock
        self._narrows = self._adapter.narrows_by_time
        self._tally = _Tally()
        self._candidates = Sampler()
        self._counted: set[str] = set()  # ids of rows that may be listed again: in another window, or by change
        self._unlisted: set[str] = set()  # unsettled conversations that the lists have not shown so far
        self._passes = _PASSES if options.verify else 1
        self._list_requests = 0
        self._asked = 0
        self._elapsed = 0.0
        self._samples: tuple[Sample, ...] = ()
        self._warnings: dict[str, None] = {}
        self._error: Failure | None = None

    def _can_get(self, id: str) -> bool:
        _, resource, _ = self._adapter.resource_of(id)
        return resource.get is not None

    async def run(self) -> None:
        """Walk the lists and fetch samples; what goes wrong with the account is in the result."""
        try:
            progress = Checkpoint() if self._store is None else await self._store.progress(self.where)
            if not await self._walk_all(progress):
                self._narrows = False
                await self._walk_all(progress.between_windows(progress.covered))
            self._samples = await self._fetch_samples()
        except (HubClosedError, StoreError):
            raise
        except HubError as error:
            self._error = Failure.of(error)
        except Exception as bug:  # noqa: BLE001  (a bug in one account must not end the others)
            self._error = Failure.of(surprise(bug, self.where))

    async def _walk_all(self, progress: Checkpoint) -> bool:
        """Walk the windows that are left; return False if the provider's time filter leaves conversations out."""
        self._tally, self._candidates, self._counted = _Tally(), Sampler(), set()
        if self._store is not None:
            unsettled = await self._store.unsettled(self.where)
            self._unlisted = {id for id, kept in unsettled.items() if kept.list_row and self._can_get(id)}
        left = left_to_walk(progress, self._options, self._adapter, narrows=self._narrows)
        walked: Window | None = None
        for window in left.windows:
            is_resumed = window is left.resumed
            is_last = progress.is_last if is_resumed else window.until == self._options.until
            if not await self._walk(window, walked, is_last=is_last):
                return False
            walked = window if is_resumed else walked
        if left.changes is not None:
            await self._walk_changes(left.changes, join(progress.covered, self._options.window))
        self._tally.again += len(self._unlisted)
        self._tally.details += len(self._unlisted)
        return True

    async def _walk(self, window: Window, walked: Window | None, *, is_last: bool) -> bool:
        """Walk a window and count its rows, except those of a window walked before."""
        since, until = bounds(window, is_last=is_last) if self._narrows else (None, None)
        walk = self._hub.list(self.where, since=since, until=until)
        began = self._clock.monotonic()
        is_whole = False
        try:
            async with aclosing(walk.pages()) as pages:
                async for page in pages:
                    [went] = walk.report.accounts
                    if went.warnings and (since or until):
                        return False
                    tell(self._warnings, went.warnings)
                    rows = [row for row in page.items if window.holds(row)]
                    if walked is not None:
                        rows = [row for row in rows if when(row) is None or not walked.holds(row)]
                    await self._count(page, rows)
            is_whole = True
        finally:
            self._elapsed += self._clock.monotonic() - began
            self._note_requests(walk.report, self._passes if is_whole else 1)
        return True

    async def _walk_changes(self, changes: Changes, covered: Window) -> None:
        """Walk what has changed, of any age, and count its rows, except those counted before."""
        walk = self._hub.list(self.where, updated_since=changes.since)
        began = self._clock.monotonic()
        is_whole = False
        try:
            async with aclosing(walk.pages()) as pages:
                async for page in pages:
                    tell(self._warnings, walk.report.accounts[0].warnings)
                    rows = [row for row in page.items if covered.holds(row) and row.id not in self._counted]
                    await self._count(page, rows)
            is_whole = True
        finally:
            self._elapsed += self._clock.monotonic() - began
            self._note_requests(walk.report, _PASSES if is_whole and changes.verify else 1)

    def _note_requests(self, report: Report, passes: int) -> None:
        """Count the requests of a walk that a sync repeats so many times."""
        for went in report.accounts:
            self._asked += went.requests
            self._list_requests += (went.requests - went.retries) * passes

    async def _count(self, page: Page, rows: list[Conversation]) -> None:
        tally = self._tally
        tally.listed += len(rows) + len(page.rejected)
        tally.bad += len(page.rejected)
        rows = [row for row in rows if row.id not in self._counted]
        self._counted.update(row.id for row in rows if self._adapter.narrows_by_update or when(row) is None)
        kept: Mapping[str, StoredVersion] = {}
        if self._store is not None:
            kept = await self._store.kept(self.where, [row.id for row in rows])
        for row in rows:
            before = kept.get(row.id)
            tally.has_recordings |= bool(row.recordings)
            is_unsettled = before is not None and before.recheck_until is not None
            if not await is_to_fetch(row, before, self._options, due=is_unsettled):
                tally.there += before is not None and not before.is_erased
                continue
            tally.new += before is None
            tally.undated += before is None and when(row) is None and self._adapter.has_details(row.id)
            tally.again += before is not None
            tally.details += self._adapter.has_details(row.id)
            self._unlisted.discard(row.id)
            self._candidates.take(row.id, when(row))

    async def _fetch_samples(self) -> tuple[Sample, ...]:
        wanted = {f"{self.where}:{id}": one for id, one in self._candidates.chosen().items() if self._can_get(id)}
        samples: dict[str, Sample] = {}
        async with aclosing(self._hub.get_many(wanted)) as outcomes:
            async for outcome in outcomes:
                found, error = outcome.conversation, outcome.error
                if error is not None and ends_account(error):
                    raise error
                age, at = wanted[outcome.ref]
                samples[outcome.ref] = Sample(
                    ref=outcome.ref,
                    age=age,
                    at=at,
                    transcript_state=None if found is None else found.transcript_state,
                    recordings=0 if found is None else len(found.recordings),
                    error=None if error is None else Failure.of(error),
                    is_gone=isinstance(error, NotFoundError),
                )
        return tuple(samples[ref] for ref in wanted)

    def result(self) -> AccountPlan:
        """Return the plan, as far as it came."""
        tally, documented = self._tally, self._adapter.requests_per_second
        requests = self._list_requests + tally.details
        answered = self._asked / self._elapsed if self._elapsed > 0 else 0.0  # per second
        return AccountPlan(
            where=self.where,
            listed=tally.listed,
            new=tally.new,
            undated=tally.undated,
            again=tally.again,
            there=tally.there,
            bad=tally.bad,
            list_requests=self._list_requests,
            detail_requests=tally.details,
            requests_per_second=documented,
            seconds=requests / documented if documented else None,
            estimated_seconds=requests / answered if answered and not documented else None,
            has_recordings=tally.has_recordings or any(sample.recordings for sample in self._samples),
            samples=self._samples,
            warnings=tuple(self._warnings),
            kept_since=earlier(self._clock.now(), self._adapter.retention) if self._adapter.retention else None,
            error=self._error,
        )
