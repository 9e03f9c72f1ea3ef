"""What a sync would take, before it is begun: how many requests, how long, and what is not to be had.

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

from ..adapters import usable
from ..bugs import surprise
from ..concurrency import run_all
from ..errors import (
    HubClosedError,
    HubError,
    NotFoundError,
    StoreError,
    ends_account,
)
from ..hub import Hub, Page
from ..instants import check_span, earlier
from ..redaction.redactors import Redact, as_sequence, uncounted
from ..reporting import tell
from ..schema import Conversation, TranscriptState
from ..stores.store import Checkpoint, Store, StoredVersion, Window, terms_of, when
from ..transport import Clock
from .accounts import accounts_of
from .change import is_to_fetch
from .options import SyncOptions
from .sample import Age, Sampler
from .windows import bounds, left_to_walk

__all__ = ["AccountPlan", "Failure", "Sample", "plan"]

_PASSES = 2
"""How often a sync walks a list at least: once for what is there, and again for what that left out."""


class Failure(msgspec.Struct, frozen=True):
    """An error, as JSON can say it."""

    kind: str
    """Its class."""
    reason: str

    @classmethod
    def of(cls, error: HubError) -> Failure:
        """Return what an error says."""
        return cls(type(error).__name__, error.reason)

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that would be fetched, and was: what there is of it."""

    ref: str
    age: Age
    at: datetime | None
    """When it was, UTC."""
    transcript_state: TranscriptState | None = None
    """None where it could not be fetched."""
    recordings: int = 0
    """How many there are."""
    error: Failure | None = None
    """Why it could not be fetched."""
    is_gone: bool = False
    """Whether it is listed and yet no longer there, as where it was kept for so long and no longer."""

    @property
    def is_lacking(self) -> bool:
        """Whether something of it is not to be had."""
        return self.error is not None or self.transcript_state in {
            TranscriptState.RESTRICTED,
            TranscriptState.TRUNCATED,
            TranscriptState.UNAVAILABLE,
        }

    def __str__(self) -> str:
        when = f"{self.age} of {self.at:%Y-%m-%d}" if self.at else self.age
        if self.error is not None:
            return f"{when}: {'listed, but no longer there' if self.is_gone else 'not to be had'}, {self.error}"
        state = "unknown" if self.transcript_state is None else self.transcript_state.value.replace("_", " ")
        recordings = f", {_count(self.recordings, 'recording')}" if self.recordings else ""
        return f"{when}: transcript {state}{recordings}"


class AccountPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync of one account would take; `print` shows it, in a few lines. Numbers count conversations."""

    where: str
    """"provider/account"."""
    listed: int
    """What the lists show for the time that was asked for, bad rows included."""
    new: int
    """Not in the store yet."""
    again: int
    """In the store, and looked at again: changed, or not settled when they were written, listed or not."""
    there: int
    """In the store, and as they were."""
    bad: int
    """Rows nobody could read."""
    list_requests: int
    """At least: each list is walked twice, and a third time if the second finds something new."""
    detail_requests: int
    """At least: one for each conversation whose list row is not all; some providers take several."""
    requests_per_second: float | None
    """The documented limit of an account; None: not documented."""
    seconds: float | None
    """The requests at that limit, at least; None where it is not documented."""
    estimated_seconds: float | None
    """Where it is not: the requests at the rate the list was answered with, which sends one at a time.

    None where that is not known, either.
    """
    has_recordings: bool
    """Whether a row or a sample has one."""
    samples: tuple[Sample, ...]
    """The newest, the middle one and the oldest of those that would be fetched."""
    warnings: tuple[str, ...]
    """What the lists may leave out."""
    kept_since: datetime | None
    """What is older is gone, unless the account has another retention; None: the provider deletes nothing by itself."""
    error: Failure | None
    """What ended the look early; the numbers are what was found until then."""

    @property
    def requests(self) -> int:
        """All requests, at least."""
        return self.list_requests + self.detail_requests

    def __str__(self) -> str:
        facts = [f"{self.new:,} new"]
        for number, what in ((self.again, "to fetch again"), (self.there, "there already"), (self.bad, "bad")):
            if number:
                facts.append(f"{number:,} {what}")
        lines = [
            f"{self.where}: {_count(self.listed, 'conversation')} listed, {', '.join(facts)}",
            self._sending(),
            self._time(),
            *map(str, self.samples),
            *([] if self.has_recordings or not self.samples else ["no recording was seen"]),
            *self.warnings,
            *self._retention(),
        ]
        if self.error is not None:
            lines.insert(1, f"the look ended early, {self.error}")
        return "\n  ".join(lines)

    def _retention(self) -> Iterator[str]:
        if self.kept_since is not None:
            yield f"what is older than {self.kept_since:%Y-%m-%d} is gone, unless the account's retention is another"

    def _sending(self) -> str:
        lists = f"{self.list_requests:,} for the list, which is read at least {_PASSES} times"
        return f"at least {_count(self.requests, 'request')}: {lists}, and {self.detail_requests:,} for details"

    def _time(self) -> str:
        if self.seconds is not None:
            return f"at least {_span(self.seconds)} at the documented {self.requests_per_second:g} requests per second"
        if self.estimated_seconds is not None:
            return f"about {_span(self.estimated_seconds)} as fast as the list was answered; no limit is documented"
        return "nobody knows how long: no limit is documented"


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
    """Look at every account of the hub, or at those named, and say what `sync` with the same arguments would take.

    The lists are walked once, and three conversations of each account fetched; nothing is written. An account that
    fails stops no other.

    Args:
        hub: made with `profile="bulk"`, best.
        store: what is there already; it is opened here as `sync` opens it, and closed. None where there is none yet,
            for opening would make it.
        *targets: "tavus" for every Tavus account, "tavus/eu" for one; none for all.
        since: the first instant that counts, aware; None for all there is.
        until: the first instant that no longer counts, aware; None for now.
        verify: as `sync` takes it, and so are the next three. With other redactors than those that the store was made
            with, everything in it looks changed.
        lookback: likewise.
        again: likewise.
        redact: likewise.
        clock: time, for tests.

    Raises:
        StoreError: the store cannot be read, or a sync is at work on it.
        ConfigurationError: a provider or account this hub does not have.
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
    looks = [_Look(hub, store, where, options, clock) for where in accounts_of(hub, targets)]
    try:
        if store is not None:
            await store.open(terms_of((look.where for look in looks), since, until, clock.now()))
        await run_all((look.run() for look in looks), hub.accounts_at_once)
    finally:
        if store is not None:
            await store.close()
    return [look.found() for look in looks]


class _Tally(msgspec.Struct):
    """What the rows of an account add up to."""

    listed: int = 0
    new: int = 0
    again: int = 0
    there: int = 0
    bad: int = 0
    details: int = 0
    has_recordings: bool = False


class _Look:
    """Looks at one account; its lists are walked window by window, as a sync would."""

    def __init__(self, hub: Hub, store: Store | None, where: str, options: SyncOptions, clock: Clock) -> None:
        self.where = where
        self._hub = hub
        self._adapter = usable(where.partition("/")[0])
        self._store = store
        self._options = options
        self._clock = clock
        self._narrows = self._adapter.narrows_by_time
        self._tally = _Tally()
        self._candidates = Sampler()
        self._unlisted: set[str] = set()  # of what is not settled: what the lists have not shown so far
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
        """Look; what goes wrong with the account is in what was found."""
        try:
            progress = Checkpoint() if self._store is None else await self._store.progress(self.where)
            if not await self._walk_all(progress):
                self._narrows = False
                await self._walk_all(Checkpoint(covered=progress.covered, high_watermark=progress.high_watermark))
            self._samples = await self._sampled()
        except (HubClosedError, StoreError):
            raise
        except HubError as error:
            self._error = Failure.of(error)
        except Exception as bug:  # noqa: BLE001  (one account's surprise must not end the others')
            self._error = Failure.of(surprise(bug, self.where))

    async def _walk_all(self, progress: Checkpoint) -> bool:
        """Walk what is left; return False where the provider's narrowed lists turn out to leave something out."""
        self._tally, self._candidates = _Tally(), Sampler()
        if self._store is not None:
            unsettled = await self._store.unsettled(self.where)
            self._unlisted = {id for id, kept in unsettled.items() if kept.list_row and self._can_get(id)}
        lookback = self._adapter.lookback if self._options.lookback is None else self._options.lookback
        left = left_to_walk(progress, self._options, lookback, narrows=self._narrows)
        walked: Window | None = None
        for window in left.windows:
            is_resumed = window is left.resumed
            is_last = progress.is_last if is_resumed else window.until == self._options.until
            if not await self._walk(window, walked, is_last=is_last):
                return False
            walked = window if is_resumed else walked
        self._tally.again += len(self._unlisted)
        self._tally.details += len(self._unlisted)
        return True

    async def _walk(self, window: Window, walked: Window | None, *, is_last: bool) -> bool:
        """Walk a window and count its rows, but for those of a window walked before."""
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
            for went in walk.report.accounts:
                self._asked += went.requests
                self._list_requests += (went.requests - went.retries) * (self._passes if is_whole else 1)
        return True

    async def _count(self, page: Page, rows: list[Conversation]) -> None:
        tally = self._tally
        tally.listed += len(rows) + len(page.rejected)
        tally.bad += len(page.rejected)
        kept: Mapping[str, StoredVersion] = {}
        if self._store is not None:
            kept = await self._store.kept(self.where, [row.id for row in rows])
        for row in rows:
            before = kept.get(row.id)
            tally.has_recordings |= bool(row.recordings)
            if not await is_to_fetch(row, before, self._options):
                tally.there += before is not None and not before.is_erased
                continue
            tally.new += before is None
            tally.again += before is not None
            tally.details += self._adapter.has_details(row.id)
            self._unlisted.discard(row.id)
            self._candidates.take(row.id, when(row))

    async def _sampled(self) -> tuple[Sample, ...]:
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

    def found(self) -> AccountPlan:
        """Return what was found."""
        tally, documented = self._tally, self._adapter.requests_per_second
        requests = self._list_requests + tally.details
        answered = self._asked / self._elapsed if self._elapsed > 0 else 0.0  # per second
        return AccountPlan(
            where=self.where,
            listed=tally.listed,
            new=tally.new,
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
