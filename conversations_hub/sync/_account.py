"""Sync one account: walk its windows page by page, and fetch the conversations that are new or have changed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from .._bugs import surprise
from .._concurrency import read_ahead
from .._instants import later
from .._merging import merge, without_details
from .._reporting import MAX_REPORTED, tell
from .._transport import Clock
from ..errors import (
    CircuitOpenError,
    HubClosedError,
    HubError,
    InvalidRefError,
    LeaseLostError,
    NotFoundError,
    PaginationError,
    PayloadError,
    ProviderError,
    RateLimitError,
    StoreError,
    ends_account,
)
from ..hub import Hub, Page
from ..redaction._redactors import redacted
from ..schema import Conversation, TranscriptState
from ..stores._fingerprint import fingerprint
from ..stores._store import Checkpoint, Entry, Store, StoredVersion, Window, when
from ..stores._untrusted import reading
from ._change import digest, is_due, is_to_fetch
from ._options import SyncOptions
from ._report import AccountSyncReport
from ._windows import Changes, bounds, join, left_to_walk

__all__ = ["AccountSync"]

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_row = msgspec.json.Decoder(Conversation)

_MOST_PASSES = 3
_CONCURRENCY = 16
_LARGEST_COMMIT = 1000  # conversations
_COMMIT_EVERY = 1.0  # seconds of work that a kill may lose

_LATE_ANALYSIS = timedelta(hours=1)
"""How long after its end a conversation that looks complete may still change."""


class AccountSync:
    """Syncs one account; it resumes where an earlier run stopped."""

    def __init__(self, hub: Hub, store: Store, options: SyncOptions, report: AccountSyncReport, clock: Clock) -> None:
        self._hub = hub
        self._adapter = hub.adapter(report.where.partition("/")[0])
        self._store = store
        self._options = options
        self._report = report
        self._clock = clock
        self._where = report.where
        self._narrows = self._adapter.narrows_by_time
        self._by_update = self._adapter.narrows_by_update
        self._newest_change: datetime | None = None  # of the rows listed in this run, UTC
        self._progress = Checkpoint()
        self._batch: list[Entry] = []
        self._in_flight: list[Entry] = []  # those of the commit that is running
        self._committing: asyncio.Task[None] | None = None
        self._committed_at = clock.monotonic()
        self._looked_at: set[str] = set()  # ids that this run need not fetch again
        self._last_run: datetime | None = None  # if only what is due since then is fetched again
        self._walked: list[Window] = []  # windows that this run walked from beginning to end
        self._may_list_all = True
        self._reach = options.window  # the span that holds every window of this run

    async def run(self) -> None:
        """Bring the store up to date; the report says what went wrong.

        Whatever ends the run, finished conversations are committed first, except after a bug, when their state is
        unknown. If another process has the account, it is let go.

        Raises:
            StoreError: the store cannot be written.
            HubClosedError: the hub was closed meanwhile.
        """
        try:
            await self._run()
        except LeaseLostError:
            self._report.lost = True

    async def _run(self) -> None:
        began = self._clock.monotonic()
        try:
            await self._update_or_fail()
        except HubError:
            raise
        except asyncio.CancelledError:
            await self._commit()
            raise
        except Exception as bug:  # noqa: BLE001  (a bug in one account must not end the others)
            self._note_error(surprise(bug, self._where))
        finally:
            self._report.elapsed = self._clock.monotonic() - began
            await self._end_commit()

    async def _update_or_fail(self) -> None:
        try:
            await self._update()
            self._report.ended = True
        except (HubClosedError, StoreError):
            raise
        except HubError as error:
            self._note_error(error)
            await self._commit()

    def _note_error(self, error: HubError) -> None:
        self._report.error = error
        self._report.failures[type(error).__name__] += 1

    async def _update(self) -> None:
        self._progress = await self._store.progress(self._where)
        if not self._options.all_pending and self._progress.covered is not None:
            self._last_run = self._progress.covered.until
        while not await self._walk_all():
            self._narrows = False
            self._progress = self._progress.between_windows(self._progress.covered)
        await self._recheck()

    async def _walk_all(self) -> bool:
        """Walk the windows that are left; return False if the provider's time filter leaves conversations out."""
        left = left_to_walk(self._progress, self._options, self._adapter, narrows=self._narrows)
        self._reach = left.reach
        if self._progress.began is None and self._by_update:
            self._progress = msgspec.structs.replace(self._progress, began=self._clock.now())
        if left.resumed is not None:
            self._progress = msgspec.structs.replace(self._progress, in_progress=left.resumed)
        try:
            for window in left.windows:
                await self._walk(window)
        except _NarrowedTooFarError:
            return False
        if left.changes is not None:
            await self._walk_changes(left.changes)
        if self._by_update:
            await self._note_changes()
        return True

    async def _walk_changes(self, changes: Changes) -> None:
        """Walk what has changed, of any age; it starts again if it is interrupted, and what is fetched is unchanged."""
        self._report.begin("listing")
        walk = self._hub.list(self._where, updated_since=changes.since, verify=changes.verify)
        covered = join(self._progress.covered, self._options.window)
        async with aclosing(walk.pages()) as pages, aclosing(read_ahead(pages)) as found:
            async for page in found:
                tell(self._report.warnings, walk.report.accounts[0].warnings)
                await self._process(page, [row for row in page.items if covered.holds(row)])
                await self._commit_if_due()
        for went in walk.report.accounts:
            tell(self._report.unlisted, went.left_out)
        self._progress = self._progress.between_windows(covered)

    async def _note_changes(self) -> None:
        """Note until when all changes were seen: by the provider's own clock, in case this one is fast."""
        instants = [at for at in (self._progress.began, self._newest_change) if at is not None]
        until = self._progress.changes_until if self._newest_change is None else min(instants)
        self._progress = msgspec.structs.replace(self._progress, changes_until=until, began=None)
        await self._commit()

    async def _walk(self, window: Window) -> None:
        """Walk a window to its end, repeat until a pass finds nothing new, and mark it as covered."""
        before = self._report.counts
        if self._progress.in_progress != window or self._options.again:
            self._progress = msgspec.structs.replace(
                self._progress.between_windows(self._progress.covered),
                in_progress=window,
                is_last=window.until == self._options.until,
            )
        is_whole = False
        is_bounded = self._narrows and any(bounds(window, is_last=self._progress.is_last))
        listed: set[str] | None = None if is_bounded else set()
        while True:
            self._report.begin("verifying" if self._progress.passes else "listing")
            is_whole |= await self._walk_once(window, listed)
            found_nothing = self._progress.passes > 0 and self._progress.new == 0
            passes = self._progress.passes + 1
            if found_nothing or not self._options.verify or passes >= _MOST_PASSES:
                break
            self._progress = msgspec.structs.replace(self._progress, cursor=None, passes=passes, new=0)
        self._report.is_verified &= found_nothing
        self._progress = self._progress.between_windows(join(self._progress.covered, window))
        await self._commit()
        self._report.walked(window, before)
        if is_whole:
            self._walked.append(window)
        if is_whole and listed is not None and self._may_list_all and not (self._report.bad or self._report.warnings):
            gone = await self._store.vanished(self._where, listed, self._clock.now())
            self._report.vanished = [self._ref(id) for id in gone]

    async def _walk_once(self, window: Window, listed: set[str] | None) -> bool:
        """Walk from the stored cursor, or else from the beginning; return whether it was from the beginning."""
        cursor = self._progress.cursor
        if cursor is not None:
            try:
                await self._walk_pages(cursor, window, listed)
            except (ProviderError, PayloadError, PaginationError, InvalidRefError) as error:
                if self._progress.cursor != cursor or not _may_mean_invalid_cursor(error):
                    raise
            else:
                return False
        # The old cursor stays until the first page replaces it: after a mere outage, the next run resumes from it.
        await self._walk_pages(None, window, listed)
        return True

    async def _walk_pages(self, cursor: str | None, window: Window, listed: set[str] | None) -> None:
        since, until = bounds(window, is_last=self._progress.is_last) if self._narrows else (None, None)
        walk = self._hub.list(self._where, since=since, until=until, cursor=cursor)
        async with aclosing(walk.pages()) as pages, aclosing(read_ahead(pages)) as found:
            async for page in found:
                [went] = walk.report.accounts
                if went.warnings and self._narrows and (since or until):
                    raise _NarrowedTooFarError
                tell(self._report.warnings, went.warnings)
                if listed is not None:
                    listed.update(row.id for row in page.items)
                await self._process(page, [row for row in page.items if window.holds(row)])
                self._report.share = self._share(window, page.items) or self._report.share
                self._progress = msgspec.structs.replace(self._progress, cursor=page.cursor)
                await self._commit_if_due()
        for went in walk.report.accounts:
            tell(self._report.unlisted, went.left_out)
            self._may_list_all &= not went.refused

    def _share(self, window: Window, rows: Sequence[Conversation]) -> float | None:
        """Return the share of the requested span walked after a page, from 0 to 1, judged by its first and last row."""
        instants = [at for row in rows if (at := when(row)) is not None]
        if (
            self._options.since is None
            or window.since is None
            or not instants
            or self._options.since >= self._options.until
        ):
            return None
        first, last = instants[0], instants[-1]
        walked = window.until - last if last < first else last - window.since
        return (window.since - self._options.since + walked) / (self._options.until - self._options.since)

    async def _process(self, page: Page, rows: Sequence[Conversation]) -> None:
        """Fetch the conversations of a page that are new or have changed, and stage them for the next commit."""
        report = self._report
        report.seen += len(rows) + len(page.rejected)
        if self._progress.passes == 0:
            report.listed += len(rows) + len(page.rejected)
            report.bad += len(page.rejected)
            report.rejected += page.rejected[: MAX_REPORTED - len(report.rejected)]
        waiting = {entry.conversation.id for entry in (*self._in_flight, *self._batch)}
        kept = await self._store.kept(self._where, [row.id for row in rows])
        wanted = [
            (row, kept.get(row.id)) for row in rows if row.id not in waiting and await self._is_to_fetch(row, kept)
        ]
        new = sum(before is None for _, before in wanted)
        instants = [self._progress.high_watermark, *map(when, rows)]
        newest = max((at for at in instants if at is not None), default=None)
        changed = (self._newest_change, *(row.updated_at for row in rows))
        self._newest_change = max((at for at in changed if at is not None), default=None)
        self._progress = msgspec.structs.replace(self._progress, new=self._progress.new + new, high_watermark=newest)
        waiting.update(row.id for row, _ in wanted)
        back = [row for row in rows if row.id in kept and kept[row.id].is_vanished and row.id not in waiting]
        for row in back:
            there = msgspec.structs.replace(kept[row.id], is_vanished=False)
            self._batch.append(Entry(self._redacted_row(row), there))
        if self._progress.passes == 0:
            report.unchanged += len(rows) - len(wanted) - len(back)
        await self._fetch(wanted)

    async def _is_to_fetch(self, row: Conversation, kept: Mapping[str, StoredVersion]) -> bool:
        if row.id in self._looked_at:
            return False
        before = kept.get(row.id)
        return await is_to_fetch(row, before, self._options, due=before is not None and self._is_due(before))

    def _is_due(self, before: StoredVersion) -> bool:
        with reading("a list row in the store"):
            return is_due(before, self._last_run, self._clock.now())

    async def _fetch(self, rows: Sequence[tuple[Conversation, StoredVersion | None]]) -> None:
        by_ref: dict[str, tuple[Conversation, StoredVersion | None]] = {}
        for row, before in rows:
            if self._adapter.has_details(row.id):
                by_ref[self._ref(row.id)] = (row, before)
            else:
                await self._stage(row, None, before)
        async for (row, before), details, error in self._details(by_ref):
            await self._stage(row, details, before, error=error)

    async def _recheck(self) -> None:
        """Fetch the unsettled conversations that did not appear in a list of this run."""
        unsettled = await self._store.unsettled(self._where)
        waiting = {
            self._ref(id): kept
            for id, kept in unsettled.items()
            if id not in self._looked_at and kept.list_row and self._adapter.resource_of(id)[1].get is not None
        }
        left = {ref: kept for ref, kept in waiting.items() if self._is_due(kept)}
        self._report.pending += len(waiting) - len(left)
        if not left:
            return
        self._report.begin("looking again")
        async for before, details, error in self._details(left):
            with reading("a list row in the store"):
                row = _row.decode(before.list_row or b"")
                is_listed = not self._should_have_listed(row)
            await self._stage(row, details, before, row_print=before.row_hash, error=error, listed=is_listed)
        await self._commit()

    def _should_have_listed(self, row: Conversation) -> bool:
        """Whether a list that this run walked completely should have shown the row."""
        return any(window.holds(row) for window in self._walked) and (when(row) is not None or not self._narrows)

    async def _details(self, wanted: Mapping[str, T]) -> AsyncGenerator[tuple[T, Conversation | None, HubError | None]]:
        """Get conversations by ref; raise an error that ends the account, and yield the others."""
        async with aclosing(self._hub.get_many(wanted, concurrency=_CONCURRENCY)) as outcomes:
            async for outcome in outcomes:
                self._report.fetched += 1
                error = outcome.error
                if error is not None and ends_account(error):
                    raise error
                yield wanted[outcome.ref], outcome.conversation, error

    def _ref(self, id: str) -> str:
        return f"{self._where}:{id}"

    async def _stage(
        self,
        row: Conversation,
        details: Conversation | None,
        before: StoredVersion | None,
        *,
        row_print: bytes | None = None,
        error: HubError | None = None,
        listed: bool = True,
    ) -> None:
        """Stage a conversation for the next commit, redacted: its row merged with the fetched details.

        If nothing could be fetched, the stored version stays. A conversation that turns out to lie outside the
        requested span is left out, unless it is already stored.
        """
        if error is not None:
            await self._stage_failure(row, before, row_print, error, listed=listed)
            return
        whole = row if details is None else merge(row, details)
        if before is None and not self._reach.holds(whole):
            self._looked_at.add(row.id)
            self._report.outside += 1
            return
        self._report.restricted += whole.transcript_state is TranscriptState.RESTRICTED
        settles_at = self._recheck_until(whole, before)
        self._report.pending += settles_at is not None
        await self._stage_version(row, whole, row_print, settles_at)
        await self._commit_if_due()

    async def _stage_failure(
        self, row: Conversation, before: StoredVersion | None, row_print: bytes | None, error: HubError, *, listed: bool
    ) -> None:
        """Note that details could not be fetched, and until when to retry.

        One error does not prove that a listed conversation is gone. It is retried until `patience` is over, counted
        from the first failure.
        """
        failing_since = (before and before.failing_since) or self._clock.now()
        is_gone = isinstance(error, NotFoundError)
        patient_until = later(failing_since, self._options.patience)
        is_over = patient_until <= self._clock.now()
        settles_at = None if is_over or (is_gone and not listed) else patient_until
        self._report.note_failure(self._ref(row.id), error, is_final=settles_at is None, is_gone=is_gone)
        if before is None:
            await self._stage_version(row, without_details(row, error), row_print, settles_at, failing_since)
        else:
            # A conversation that was given up is fetched again when its row changes.
            is_retried = settles_at is not None or row_print is not None
            shown = self._redacted_row(row)  # it is written only where another tool has removed it meanwhile
            seen = before.row_hash if is_retried else fingerprint(shown)
            if settles_at is not None:
                self._looked_at.add(row.id)
            kept = msgspec.structs.replace(
                before,
                row_hash=seen,
                recheck_until=settles_at,
                failing_since=failing_since,
                is_vanished=before.is_vanished and not listed,
            )
            self._batch.append(Entry(shown, kept))
        await self._commit_if_due()

    async def _stage_version(
        self,
        row: Conversation,
        whole: Conversation,
        row_print: bytes | None,
        settles_at: datetime | None,
        failing_since: datetime | None = None,
    ) -> None:
        if settles_at is not None or self._options.again:
            self._looked_at.add(row.id)
        stored = redacted(whole, self._options.redact)
        shown = stored if whole is row else self._redacted_row(row)
        listed = None if settles_at is None else _encoder.encode(msgspec.structs.replace(shown, raw=None))
        content = await digest(stored, fingerprint)
        seen = row_print or (content if shown is stored else fingerprint(shown))
        kept = StoredVersion(seen, content, settles_at, listed, failing_since)
        self._batch.append(Entry(stored, kept))

    def _redacted_row(self, row: Conversation) -> Conversation:
        """Return a row as it may be stored."""
        return redacted(row, self._options.redact_rows)

    def _recheck_until(self, one: Conversation, before: StoredVersion | None) -> datetime | None:
        """Return until when a conversation may still change, UTC; None if it is settled."""
        if self._by_update and one.updated_at is not None and not one.is_finished:
            return None  # it may go on for years, and comes again when it does
        now, patience = self._clock.now(), self._options.patience
        last_known = one.ended_at or one.started_at or one.created_at
        if last_known is not None:
            settles_at = later(last_known, _LATE_ANALYSIS if _is_complete(one) else patience)
        elif _is_complete(one):
            return None
        else:
            settles_at = before.recheck_until if before and before.recheck_until else later(now, patience)
        return settles_at if settles_at > now else None

    async def _commit_if_due(self) -> None:
        """Begin a commit if one is due; conversations are fetched meanwhile, until the next is due."""
        if self._committing is not None and self._committing.done():
            await self._end_commit()
        is_late = self._clock.monotonic() - self._committed_at >= _COMMIT_EVERY
        if is_late or len(self._batch) >= _LARGEST_COMMIT:
            await self._end_commit()
            self._begin_commit()

    async def _commit(self) -> None:
        """Commit all that is staged, and return when it is written."""
        await self._end_commit()
        self._begin_commit()
        await self._end_commit()

    def _begin_commit(self) -> None:
        self._in_flight, self._batch = self._batch, []
        self._committed_at = self._clock.monotonic()
        self._committing = asyncio.create_task(self._write(self._in_flight, self._progress))

    async def _write(self, entries: Sequence[Entry], progress: Checkpoint) -> None:
        self._report.count(await self._store.commit(self._where, entries, progress))

    async def _end_commit(self) -> None:
        """Wait for the commit that is running, if there is one, and raise its error."""
        running, self._committing = self._committing, None
        if running is None:
            return
        try:
            await running
        except asyncio.CancelledError:
            # It may not have started; entries already written are not written twice.
            self._batch = self._in_flight + self._batch
            raise
        finally:
            self._in_flight = []


def _may_mean_invalid_cursor(error: HubError) -> bool:
    """Whether an error may mean that a cursor is no longer valid. Providers report that in many ways."""
    return not ends_account(error) and not isinstance(error, RateLimitError | CircuitOpenError)


class _NarrowedTooFarError(Exception):
    """The provider's time filter leaves out conversations that have no time yet."""


def _is_complete(one: Conversation) -> bool:
    is_there = one.transcript_state not in {TranscriptState.PENDING, TranscriptState.NOT_LOADED}
    return one.is_finished and is_there
