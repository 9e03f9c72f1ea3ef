"""Bring the deliveries of an inbox into a store: one fetch for all events of a conversation.

What the provider returns counts; what only events say is added to it. An event is handled again until its conversation
is in the store, so a drain may be killed at any moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from .._bugs import surprise
from .._concurrency import TaskPool, run_all
from .._instants import earlier, later
from .._transport import Clock
from ..errors import (
    ConfigurationError,
    HubClosedError,
    HubError,
    LocalLimitError,
    NotFoundError,
    OutageError,
    RateLimitError,
    StoreError,
    TransportError,
    UnsupportedError,
    WebhookError,
    ends_account,
)
from ..events import Event, EventKind
from ..hub import Hub
from ..redaction._redactors import Redact, as_sequence, redacted
from ..schema import Conversation
from ..stores import EventStore
from ..stores._reconcile import reconciled
from ..stores._store import made_with
from ..webhooks import read_verified
from ._delivery import Delivery
from ._drain_report import AccountDrainReport, DrainReport
from ._inbox import Inbox
from ._inbox_file import Due, KeptEvent
from ._ingest import of_account
from ._recordings import Downloads, expiring

__all__ = ["count_webhooks", "drain"]

_WIDTH: Final = 16  # conversations of an account at a time
_EVERY: Final = 1.0  # seconds between looks at the inbox
_TIDY: Final = 60.0  # seconds
_COUNTED: Final = timedelta(days=7)
_TOLD_ONLY: Final = frozenset({EventKind.STARTED, EventKind.OTHER})
_AGAIN_AFTER: Final = (3, 7, 60, 300, 1800, 7200, 86400)  # seconds; a conversation is often there after its event
_PASSING: Final = (RateLimitError, OutageError, TransportError, LocalLimitError)
_PAUSE: Final = 30.0  # seconds, if the provider names none


async def drain(
    hub: Hub,
    store: EventStore,
    inbox: Inbox,
    *,
    follow: bool = False,
    redact: Redact | Sequence[Redact] = (),
    recordings: str | Path | None = None,
    allow_any_public_host: bool = False,
    report: DrainReport | None = None,
    clock: Clock | None = None,
) -> DrainReport:
    """Store what the deliveries of an inbox are about, and return the report; with `follow`, until cancelled.

    Args:
        hub: the accounts; those of the inbox that it lacks are reported and left.
        store: is opened here, and closed. To run a sync beside it in this process, hold `store.shared()` meanwhile.
        inbox: an open inbox.
        follow: wait for more. Events of a conversation are then gathered until none came for two seconds, fifteen at
            most, and mere updates for thirty.
        redact: the redactors to apply before storing, as those of the store's syncs.
        recordings: the folder of `download_recordings`: recordings whose links expire, often ten minutes after the
            call, are downloaded there at once, and the others by the next sync.
        allow_any_public_host: see `hub.download`.
        report: is updated during the run.
        clock: the source of time, for tests.

    Raises:
        StoreError: the store, the inbox or the folder cannot be written, or a sync of another process is running on the
            store. The deliveries stay in the inbox.
        HubClosedError: the hub was closed meanwhile.
    """
    report = report or DrainReport()
    redactors = as_sequence(redact)
    downloads = None
    if recordings is not None:
        downloads = Downloads(hub, Path(recordings), report.recordings, allow_any_public_host=allow_any_public_host)
    work = _Drain(
        hub,
        store,
        inbox,
        redactors=redactors,
        downloads=downloads,
        report=report,
        clock=clock or Clock(),
        at_once=not follow,
    )
    try:
        await store.open(made_with(redactors, keeps_raw=hub.keep_raw))
        await (work.follow() if follow else work.once())
    finally:
        await store.close()
    return report


async def count_webhooks(store: EventStore, inbox: Inbox, report: DrainReport, now: datetime) -> None:
    """Count in a report what webhooks reported, and what only lists showed; the store must be open."""
    for where, since in (await inbox.since()).items():
        one = report.of(where)
        one.by_webhook, one.by_poll_only = await store.told_since(where, max(since, earlier(now, _COUNTED)))


class _Drain:
    """The work of a drain."""

    def __init__(
        self,
        hub: Hub,
        store: EventStore,
        inbox: Inbox,
        *,
        redactors: Sequence[Redact],
        downloads: Downloads | None,
        report: DrainReport,
        clock: Clock,
        at_once: bool,
    ) -> None:
        self._hub = hub
        self._store = store
        self._inbox = inbox
        self._redactors = redactors
        self._downloads = downloads
        self._report = report
        self._clock = clock
        self._at_once = at_once
        self._running: dict[str, asyncio.Task[None]] = {}

    async def once(self) -> None:
        """Work on all that is due now."""
        await run_all(map(self._account, await self._inbox.accounts()), self._hub.accounts_at_once)
        await self._tidy()

    async def follow(self) -> None:
        """Work on what becomes due, until cancelled; accounts do not wait for each other."""
        tidied: float | None = None
        try:
            while True:
                self._running = {where: task for where, task in self._running.items() if not _has_ended(task)}
                for where in await self._inbox.accounts():
                    if where not in self._running and self._report.of(where).error is None:
                        self._running[where] = asyncio.create_task(self._account(where))
                if tidied is None or self._clock.monotonic() - tidied >= _TIDY:
                    await self._tidy()
                    tidied = self._clock.monotonic()
                await self._clock.sleep(_EVERY)
        finally:
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _tidy(self) -> None:
        now = self._clock.now()
        await self._inbox.sweep(now)
        await count_webhooks(self._store, self._inbox, self._report, now)

    async def _account(self, where: str) -> None:
        """Work on what is due of an account, until nothing is, or the account fails."""
        report = self._report.of(where)
        while report.error is None and (due := await self._inbox.due(where, self._clock.now(), at_once=self._at_once)):
            async with aclosing(TaskPool().as_completed(due, self._bring, _WIDTH)) as done:
                async for _ in done:
                    pass

    async def _bring(self, due: Due) -> None:
        """Bring one conversation into the store, or note when to try again."""
        where = f"{due.provider}/{due.account}"
        report = self._report.of(where)
        kept = await self._inbox.kept(due)
        if report.error is not None or not kept:
            return
        try:
            if due.conversation is None:
                await self._read_again(due, kept)
            else:
                await self._bring_events(f"{where}:{due.conversation}", due, kept, report)
        except (StoreError, HubClosedError):
            raise
        except HubError as error:
            await self._note(error, kept, report)
        except Exception as bug:  # noqa: BLE001  (a bug with one conversation must not end the others)
            await self._note(surprise(bug, where), kept, report)

    async def _bring_events(self, ref: str, due: Due, kept: Sequence[KeptEvent], report: AccountDrainReport) -> None:
        told = self._told(due, kept)
        fetched: Conversation | None = None
        missing: HubError | None = None
        if any(one.kind not in _TOLD_ONLY for one in kept):
            report.fetched += 1
            try:
                fetched = await self._hub.get(ref, profile="bulk")
            except UnsupportedError as error:
                missing = None if told is not None else error
            except NotFoundError as error:
                missing = error
        current = [one for one in (fetched, told) if one is not None]
        try:
            told, fetched = (None if one is None else redacted(one, self._redactors) for one in (told, fetched))
        except StoreError as error:  # a redactor failed, so that this one cannot be stored
            await self._note(error, kept, report)
            return
        report.count(await self._store.put_told(report.where, told=told, fetched=fetched))
        await self._download(current)
        if missing is None:
            await self._inbox.settle(kept, self._clock.now())
        elif told is not None and _is_last(kept):
            await self._inbox.settle(kept, self._clock.now(), error=type(missing).__name__)
        else:
            raise missing

    async def _download(self, current: Sequence[Conversation]) -> None:
        """Download what expires; the deliveries are not done before, so that what is killed here begins again."""
        recordings = next((found for one in current if (found := expiring(one))), ())
        if self._downloads is not None and recordings:
            await self._downloads.run(recordings)

    def _told(self, due: Due, kept: Sequence[KeptEvent]) -> Conversation | None:
        """Return what the events say of the conversation, as far as nobody else can have written it."""
        told: Conversation | None = None
        for one in kept:
            event = self._event(due, one) if one.protected else None
            if event is None or event.conversation is None or event.conversation_id != due.conversation:
                continue
            more = of_account(event.conversation, due.account, keep_raw=self._hub.keep_raw)
            told = more if told is None else reconciled(told, more)
        return told

    def _event(self, due: Due, one: KeptEvent) -> Event | None:
        """Return an event; None if this release cannot read it."""
        try:
            events = self._events(due, one)
        except WebhookError:
            return None
        return events[one.position] if one.position < len(events) else None

    def _events(self, due: Due, one: KeptEvent) -> list[Event]:
        return read_verified(
            self._hub.adapter(due.provider),
            one.body,
            content_type=one.content_type,
            verified=one.verified,
            signed_members=None if one.protected else (),
        )

    async def _read_again(self, due: Due, kept: Sequence[KeptEvent]) -> None:
        """Read deliveries that could not be read when they came."""
        for one in kept:
            try:
                events = self._events(due, one)
            except WebhookError as error:
                await self._inbox.settle([one], self._clock.now(), state="dead", error=error.reason)
                continue
            delivery = Delivery(
                endpoint=one.endpoint,
                provider=due.provider,
                account=due.account,
                events=tuple(events),
                body=one.body,
                content_type=one.content_type,
                digest=one.digest,
                received_at=one.received_at,
                verified=one.verified,
                signed_members=None if one.protected else (),
            )
            await self._inbox.keep(delivery)
            await self._inbox.settle([one], self._clock.now())

    async def _note(self, error: HubError, kept: Sequence[KeptEvent], report: AccountDrainReport) -> None:
        """Note when to try again, or that it is given up."""
        now, attempts, name = self._clock.now(), max(one.attempts for one in kept), type(error).__name__
        if ends_account(error) or isinstance(error, ConfigurationError):
            report.error = error
            return
        report.failures.note(error)
        if isinstance(error, _PASSING):
            report.postponed += 1
            until = later(now, timedelta(seconds=error.retry_after or _PAUSE))
            await self._inbox.postpone(kept, until, attempts=attempts, error=name)
        elif _is_last(kept) or isinstance(error, UnsupportedError):
            report.dead += 1
            await self._inbox.settle(kept, now, state="dead", error=name)
        else:
            report.postponed += 1
            until = later(now, timedelta(seconds=_AGAIN_AFTER[attempts]))
            await self._inbox.postpone(kept, until, attempts=attempts + 1, error=name)


def _is_last(kept: Sequence[KeptEvent]) -> bool:
    """Whether it was tried as often as it is worth."""
    return max(one.attempts for one in kept) >= len(_AGAIN_AFTER)


def _has_ended(task: asyncio.Task[None]) -> bool:
    """Whether a task has ended; raises its error."""
    if not task.done():
        return False
    task.result()
    return True
