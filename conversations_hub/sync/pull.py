"""One account into the store: its windows, their pages, and of each row what is not there yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from ..adapters import load
from ..errors import AuthError, ForbiddenError, HubClosedError, HubError, NotFoundError, PaginationError, StoreError
from ..hub import Hub, Page
from ..hub.reader import MOST_TOLD, merged
from ..schema import Conversation, Issue, TranscriptState
from ..transport import Clock
from .fingerprint import fingerprint
from .report import AccountSync
from .store import Entry, Kept, Progress, Store, Window, when
from .windows import STEP, bounds, joined, windows

__all__ = ["Pull", "Redact", "Terms"]

T = TypeVar("T")

Redact = Callable[[Conversation], Conversation]
"""Returns a conversation without what must not be stored."""

_encoder = msgspec.json.Encoder()
_row = msgspec.json.Decoder(Conversation)

_MOST_PASSES = 3
_CONCURRENCY = 16
_LARGEST_COMMIT = 1000  # conversations
_LONGEST_WITHOUT = 1.0  # seconds of work that a kill may cost

_LATE_ANALYSIS = timedelta(hours=1)
"""How long after its end more may come of a conversation that looks complete."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync was asked for."""

    since: datetime | None
    until: datetime
    verify: bool
    patience: timedelta
    redact: Sequence[Redact] = ()


class Pull:
    """Pulls one account; it goes on where an earlier run was stopped."""

    def __init__(self, hub: Hub, store: Store, terms: Terms, report: AccountSync, clock: Clock) -> None:
        self._hub = hub
        self._adapter = load(report.where.partition("/")[0])
        self._store = store
        self._terms = terms
        self._report = report
        self._clock = clock
        self._where = report.where
        self._narrows = {"since", "until"} <= {*self._adapter.filters}
        self._progress = Progress()
        self._batch: list[Entry] = []
        self._committed_at = clock.monotonic()
        self._looked_at: set[str] = set()  # of what is to be looked at again: once in a run is enough

    async def run(self) -> None:
        """Bring the store up to date; what went wrong is in the report. Raises `StoreError` where it cannot be kept.

        However it ends, what is whole by then is committed.
        """
        began = self._clock.monotonic()
        try:
            await self._bring_up_to_date()
            self._report.ended = True
        except (HubClosedError, StoreError):
            raise
        except HubError as error:
            self._report.error = error
            self._report.failures[type(error).__name__] += 1
            await self._commit()
        except asyncio.CancelledError:
            await self._commit()
            raise
        finally:
            self._report.elapsed = self._clock.monotonic() - began

    async def _bring_up_to_date(self) -> None:
        self._progress = await self._store.progress(self._where)
        while not await self._walk_all():
            self._narrows = False
            self._progress = Progress(covered=self._progress.covered, newest=self._progress.newest)
        await self._look_again()

    async def _walk_all(self) -> bool:
        """Walk what is left; return False where the provider's narrowed lists turn out to leave something out."""
        wanted = Window(self._terms.since, self._terms.until)
        try:
            covered, walking = self._progress.sure, self._progress.walking
            if walking is not None:
                await self._walk(walking)
                covered = joined(covered, walking)
            for window in windows(covered, wanted, STEP if self._narrows else None):
                await self._walk(window)
        except _NarrowedTooFarError:
            return False
        return True

    async def _walk(self, window: Window) -> None:
        """Walk a window to its end, again until a pass finds nothing new, and note it as covered."""
        before = self._report.counts
        if self._progress.walking != window:
            self._progress = Progress(covered=self._progress.covered, walking=window, newest=self._progress.newest)
        while True:
            await self._pass_over(window)
            found_nothing = self._progress.passes > 0 and self._progress.new == 0
            passes = self._progress.passes + 1
            if found_nothing or not self._terms.verify or passes >= _MOST_PASSES:
                break
            self._progress = msgspec.structs.replace(self._progress, cursor=None, passes=passes, new=0)
        self._report.is_verified &= found_nothing
        self._progress = Progress(covered=joined(self._progress.covered, window), newest=self._progress.newest)
        await self._commit()
        self._report.walked(window, before)

    async def _pass_over(self, window: Window) -> None:
        try:
            await self._pages_from(self._progress.cursor, window)
        except PaginationError:
            if self._progress.cursor is None:
                raise
            # The provider no longer knows the place. What is kept already is not fetched again.
            self._progress = msgspec.structs.replace(self._progress, cursor=None)
            await self._pages_from(None, window)

    async def _pages_from(self, cursor: str | None, window: Window) -> None:
        since, until = bounds(window, self._terms.until) if self._narrows else (None, None)
        walk = self._hub.list(self._where, since=since, until=until, cursor=cursor)
        async with aclosing(walk.pages()) as pages, aclosing(_one_ahead(pages)) as found:
            async for page in found:
                [went] = walk.report.accounts
                if went.warnings and self._narrows and (since or until):
                    raise _NarrowedTooFarError
                self._report.warnings |= dict.fromkeys(went.warnings)
                await self._take(page, [row for row in page.items if window.holds(row)])
                self._report.share = self._share(window, page.items) or self._report.share
                self._progress = msgspec.structs.replace(self._progress, cursor=page.cursor)
                await self._commit_if_due()

    def _share(self, window: Window, rows: Sequence[Conversation]) -> float | None:
        """Return how much of all there is to walk lies behind a page, by the instants of its first and last row."""
        instants = [at for row in rows if (at := when(row)) is not None]
        if self._terms.since is None or window.since is None or not instants:
            return None
        first, last = instants[0], instants[-1]
        walked = window.until - last if last < first else last - window.since
        return (window.since - self._terms.since + walked) / (self._terms.until - self._terms.since)

    async def _take(self, page: Page, rows: Sequence[Conversation]) -> None:
        """Fetch what of a page's rows is not there yet, and remember it for the next commit."""
        report = self._report
        if self._progress.passes == 0:
            report.listed += len(rows) + len(page.rejected)
            report.bad += len(page.rejected)
            report.rejected += page.rejected[: MOST_TOLD - len(report.rejected)]
        waiting = {entry.conversation.id for entry in self._batch}
        kept = await self._store.kept(self._where, [row.id for row in rows])
        wanted = [(row, kept.get(row.id)) for row in rows if row.id not in waiting and self._is_to_fetch(row, kept)]
        new = sum(before is None for _, before in wanted)
        instants = [self._progress.newest, *map(when, rows)]
        newest = max((at for at in instants if at is not None), default=None)
        self._progress = msgspec.structs.replace(self._progress, new=self._progress.new + new, newest=newest)
        if self._progress.passes == 0:
            report.unchanged += len(rows) - len(wanted)
        await self._fetch(wanted)

    def _is_to_fetch(self, row: Conversation, kept: Mapping[str, Kept]) -> bool:
        before = kept.get(row.id)
        if before is None:
            return True
        if row.id in self._looked_at:
            return False
        return before.settles_at is not None or before.row != fingerprint(row)

    async def _fetch(self, rows: Sequence[tuple[Conversation, Kept | None]]) -> None:
        if self._adapter.complete_lists or self._adapter.get is None:
            for row, before in rows:
                await self._remember(row, None, before, row_print=fingerprint(row))
            return
        by_ref = {self._ref(row.id): (row, before) for row, before in rows}
        async for (row, before), details, error in self._details(by_ref):
            await self._remember(row, details, before, row_print=fingerprint(row), error=error)

    async def _look_again(self) -> None:
        """Fetch what was to be looked at again and did not turn up in a list of this run."""
        unsettled = await self._store.unsettled(self._where)
        left = {self._ref(id): kept for id, kept in unsettled.items() if id not in self._looked_at and kept.listed}
        if self._adapter.get is None:
            return
        async for before, details, error in self._details(left):
            row = _row.decode(before.listed or b"")
            await self._remember(row, details, before, row_print=before.row, error=error)
        await self._commit()

    async def _details(self, wanted: Mapping[str, T]) -> AsyncGenerator[tuple[T, Conversation | None, HubError | None]]:
        """Get conversations by ref, and count what fails."""
        async with aclosing(self._hub.get_many(wanted, concurrency=_CONCURRENCY)) as outcomes:
            async for outcome in outcomes:
                self._report.fetched += 1
                error = outcome.error
                # A bad key fails for every conversation alike; a right that is missing may be missing for one only.
                if isinstance(error, AuthError) and not isinstance(error, ForbiddenError):
                    raise error
                if isinstance(error, NotFoundError):
                    self._report.missing += 1
                elif error is not None:
                    self._report.failed += 1
                    self._report.failures[type(error).__name__] += 1
                yield wanted[outcome.ref], outcome.conversation, error

    def _ref(self, id: str) -> str:
        return f"{self._where}:{id}"

    async def _remember(
        self,
        row: Conversation,
        details: Conversation | None,
        before: Kept | None,
        *,
        row_print: bytes,
        error: HubError | None = None,
    ) -> None:
        """Put a conversation down for the next commit, redacted: its row, with what was fetched of it.

        What was stored before stays where nothing could be fetched now, whatever the reason.
        """
        whole = row if details is None else merged(row, details)
        if error is not None:
            whole = _without_details(row, error)
        settles_at = self._settles_at(whole, before, error)
        if settles_at is not None:
            self._looked_at.add(row.id)
            self._report.pending += error is None
        if error is not None and before is not None:
            seen = before.row if settles_at is not None else row_print  # what is gone is not asked for again
            self._batch.append(Entry(row, msgspec.structs.replace(before, row=seen, settles_at=settles_at)))
            await self._commit_if_due()
            return
        self._report.restricted += whole.transcript_state is TranscriptState.RESTRICTED
        stored = self._redacted(whole)
        listed = None if settles_at is None else _encoder.encode(msgspec.structs.replace(self._redacted(row), raw=None))
        self._batch.append(Entry(stored, Kept(row_print, fingerprint(stored), settles_at, listed)))
        await self._commit_if_due()

    def _redacted(self, conversation: Conversation) -> Conversation:
        for redact in self._terms.redact:
            conversation = redact(conversation)
        return conversation

    def _settles_at(self, one: Conversation, before: Kept | None, error: HubError | None) -> datetime | None:
        """Return until when more may come of a conversation; None where nobody waits for it any longer."""
        now, patience = self._clock.now(), self._terms.patience
        if error is not None:
            # It may have been bad luck; only what is gone is gone.
            return None if isinstance(error, NotFoundError) else now + patience
        last_known = one.ended_at or one.started_at or one.created_at
        if last_known is not None:
            settles_at = last_known + (_LATE_ANALYSIS if _is_whole(one) else patience)
        elif _is_whole(one):
            return None
        else:
            settles_at = before.settles_at if before and before.settles_at else now + patience
        return settles_at if settles_at > now else None

    async def _commit_if_due(self) -> None:
        is_late = self._clock.monotonic() - self._committed_at >= _LONGEST_WITHOUT
        if is_late or len(self._batch) >= _LARGEST_COMMIT:
            await self._commit()

    async def _commit(self) -> None:
        batch, self._batch = self._batch, []
        try:
            written = await self._store.commit(self._where, batch, self._progress)
        except asyncio.CancelledError:
            self._batch = batch  # it may not even have begun; what is there already is not written twice
            raise
        self._report.count(written)
        self._committed_at = self._clock.monotonic()


async def _one_ahead(pages: AsyncGenerator[Page]) -> AsyncGenerator[Page]:
    """Yield pages, and read the next one while the last is worked on."""
    reading = asyncio.ensure_future(anext(pages, None))
    try:
        while (page := await reading) is not None:
            reading = asyncio.ensure_future(anext(pages, None))
            yield page
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


class _NarrowedTooFarError(Exception):
    """A list that the provider narrowed by time leaves out what has no time yet."""


def _without_details(row: Conversation, error: HubError) -> Conversation:
    issue = Issue("get", f"details could not be loaded: {type(error).__name__}")
    return msgspec.structs.replace(row, transcript_state=TranscriptState.NOT_LOADED, issues=(*row.issues, issue))


def _is_whole(one: Conversation) -> bool:
    is_there = one.transcript_state not in {TranscriptState.PENDING, TranscriptState.NOT_LOADED}
    return one.is_finished and is_there
