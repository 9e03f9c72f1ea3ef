"""`sync`: bring a store up to date, once or again and again, and show the result."""

from __future__ import annotations

import asyncio
import errno
import gc
import shlex
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from pathlib import Path
from typing import Literal

import click
import msgspec

from .._transport import Clock
from ..errors import ConfigurationError, HubError, InvalidRefError
from ..hub import Hub
from ..redaction import Redact
from ..schema._rendering import span
from ..stores import EventStore, ReadableStore, Shared, Store
from ..stores._url import StoreURL
from ..sync import DrainReport, RecordingsReport, SyncReport, download_recordings, sync, work
from .accounts import Accounts
from .draining import draining
from .erase import erase_deliveries
from .outcome import show_outcome
from .progress import Progress, WatchedRecordings, WatchedSync
from .sentences import sentence
from .stopping import until_stopped
from .terminal import escaped, escaped_lines, write_json
from .waits import Waits

__all__ = ["pause", "redactors", "run", "since_kept"]

pause = asyncio.sleep
_EVERY = 60.0  # seconds between runs


def run(
    targets: tuple[str, ...],
    *,
    store: StoreURL,
    since: datetime | None,
    until: datetime | None,
    lookback: timedelta | None,
    again: bool,
    redact: bool,
    no_verify: bool,
    keep: timedelta | None,
    follow: bool,
    every: float | None,
    worker: bool,
    inbox: Path | None,
    raw: bool,
    recordings: Path | None,
    any_host: bool,
    accounts: Accounts,
    as_json: bool,
) -> bool:
    """Bring the store up to date, and return whether it is complete; with `follow`, again and again until stopped.

    Whatever ends a run early, the result until then is shown.
    """
    if every is not None and not follow:
        raise click.UsageError("--every needs --follow")
    if any_host and recordings is None:
        raise click.UsageError("--any-host needs --recordings")
    if inbox is not None and not isinstance(store.open(), EventStore):
        raise click.UsageError("--inbox needs a SQLite or Postgres store")
    if worker and (every or keep or inbox or recordings):
        raise click.UsageError("--worker takes neither --every, --keep, --inbox nor --recordings")
    if worker and follow and again:
        raise click.UsageError("with --worker, --again does not go with --follow")
    wanted = _Wanted(
        targets=targets,
        store=store,
        accounts=accounts,
        since=since,
        until=until,
        verify=not no_verify,
        keep=keep,
        lookback=lookback,
        again=again,
        redact=redact,
        inbox=inbox,
        raw=raw,
        recordings=recordings,
        any_host=any_host,
        worker=worker,
        every=(every or _EVERY) if follow else None,
        as_json=as_json,
    )
    return wanted.run()


def redactors() -> Sequence[Redact]:
    """Return the redactors of `--redact`; new ones for each run, because they count."""
    from ..redaction import PersonalData  # noqa: PLC0415

    return (PersonalData(),)


def since_kept(since: datetime | None, keep: timedelta | None) -> datetime | None:
    """Return the start of the span if conversations older than `keep` are not fetched, UTC."""
    instants = [instant for instant in (since, _oldest(keep)) if instant is not None]
    return max(instants, default=None)


def _oldest(keep: timedelta | None) -> datetime | None:
    return None if keep is None else datetime.now(UTC) - keep


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The options of a sync."""

    targets: tuple[str, ...]
    store: StoreURL
    accounts: Accounts
    since: datetime | None
    until: datetime | None
    verify: bool
    keep: timedelta | None
    """Older conversations are erased."""
    lookback: timedelta | None
    again: bool
    redact: bool
    inbox: Path | None
    raw: bool
    recordings: Path | None
    any_host: bool
    worker: bool
    """Work only on accounts that are due, and leave the others to other processes."""
    every: float | None
    """Seconds between runs; None: one run."""
    as_json: bool

    def run(self) -> bool:
        """Run once, or until stopped."""
        gc.freeze()  # or a collection looks at all that was imported, and holds up all that is fetched
        progress = Progress()
        work = self._once(progress) if self.every is None else self._follow(progress, self.every)
        return until_stopped(work, progress.say)

    async def _follow(self, progress: Progress, every: float) -> bool:
        """Run until stopped; only a usage error in the first run, or a closed output, ends it."""
        for number in count():
            try:
                await self._once(progress, is_first=not number)
            except Exception as error:
                is_usage = isinstance(error, ConfigurationError | InvalidRefError | click.ClickException)
                has_no_reader = isinstance(error, OSError) and error.errno == errno.EPIPE
                if has_no_reader or (is_usage and not number):
                    raise
                progress.say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {sentence(error)}; next run in {every:g} s")
            await self._pause(progress, every)
        raise AssertionError("unreachable")

    async def _pause(self, progress: Progress, every: float) -> None:
        """Pause between two runs; what webhooks bring meanwhile is stored."""
        if self.inbox is not None:
            try:
                async with self.accounts.opened(profile="bulk", keep_raw=self.raw) as hub, self._draining(hub):
                    await pause(every)
            except (HubError, OSError) as error:
                progress.say(sentence(error))
            else:
                return
        await pause(every)

    @asynccontextmanager
    async def _draining(self, hub: Hub, report: DrainReport | None = None) -> AsyncGenerator[ReadableStore]:
        """Yield the store, into which the inbox is drained meanwhile, if there is one."""
        store, report = self.store.open(), report or DrainReport()
        redact = tuple(redactors()) if self.redact else ()
        async with draining(
            self.inbox,
            hub,
            store,
            report,
            redact=redact,
            recordings=self.recordings,
            any_host=self.any_host,
            follow=self.every is not None,
        ):
            yield store

    async def _once(self, progress: Progress, *, is_first: bool = True) -> bool:
        if self.worker:
            return await self._work(progress, is_first=is_first)
        report, told, waits, began = SyncReport(), DrainReport(), Waits(), time.monotonic()
        files: RecordingsReport | None = None
        end: _End = "stopped"
        try:
            async with self.accounts.opened(profile="bulk", keep_raw=self.raw, on_signal=waits.hear) as hub:
                with progress.watching(WatchedSync(report, waits)):
                    async with self._draining(hub, told) as store:
                        again, once = self.again and is_first, self.every is None
                        await self._sync(hub, store, *self.targets, all_pending=once, report=report, again=again)
                if self.recordings is not None:
                    files = RecordingsReport()
                    with progress.watching(WatchedRecordings(files, waits)):
                        await self._download(hub, self.recordings, files)
            if (oldest := _oldest(self.keep)) is not None:
                erased = await asyncio.to_thread(self._prune, oldest)
                if self.inbox is not None and erased:
                    await erase_deliveries(self.inbox, erased)
            is_complete = report.complete and (files is None or files.complete)
            end = "complete" if is_complete else "incomplete"
        except Exception:
            end = "failed"
            raise
        finally:
            if any(account.elapsed for account in report.accounts):
                self._show(report, told, files, end, time.monotonic() - began)
        return is_complete

    async def _work(self, progress: Progress, *, is_first: bool) -> bool:
        """Work on what is due, and return whether all of that is complete, or taken over by others."""
        store, waits, began = self.store.open(), Waits(), time.monotonic()
        if not isinstance(store, Shared):
            raise click.UsageError("--worker needs a store that processes share: postgresql://USER@HOST/DATABASE")
        follow = self.every is not None

        def tell(report: SyncReport) -> None:
            if self.as_json and follow:
                write_json(msgspec.json.encode(report.to_dict()))
            for account in report.accounts:
                if account.written or not account.complete:
                    progress.say(escaped(str(account)))

        run = partial(self._sync, again=self.again and is_first)
        async with self.accounts.opened(profile="bulk", keep_raw=self.raw, on_signal=waits.hear) as hub:
            report = await work(hub, store, *self.targets, follow=follow, run=run, on_report=tell)
        is_complete = all(account.complete or account.lost for account in report.accounts)
        if not report.accounts and not self.as_json:
            click.echo(f"{escaped(str(self.store))}: nothing was due")
            return True
        self._show(report, DrainReport(), None, "complete" if is_complete else "incomplete", time.monotonic() - began)
        return is_complete

    async def _sync(
        self,
        hub: Hub,
        store: Store,
        /,
        *targets: str,
        all_pending: bool,
        report: SyncReport | None,
        again: bool,
        clock: Clock | None = None,
    ) -> SyncReport:
        return await sync(
            hub,
            store,
            *targets,
            since=since_kept(self.since, self.keep),
            until=self.until,
            verify=self.verify,
            lookback=self.lookback,
            again=again,
            all_pending=all_pending,
            redact=redactors() if self.redact else (),  # new ones for each run, because they count
            report=report,
            clock=clock,
        )

    def _prune(self, before: datetime) -> Sequence[str]:
        """Erase conversations from before an instant, and return their refs."""
        with self.store.open().reader() as reader:
            return reader.prune(before, recordings=self.recordings).conversations

    async def _download(self, hub: Hub, folder: Path, files: RecordingsReport) -> None:
        with self.store.open().reader() as reader:
            accounts = hub.accounts(*self.targets) if self.targets else reader.accounts()
            there = [reader.recordings(where, since=self.since, until=self.until) for where in accounts]
            await download_recordings(hub, there, folder, allow_any_public_host=self.any_host, report=files)

    def _show(
        self, report: SyncReport, told: DrainReport, files: RecordingsReport | None, end: _End, seconds: float
    ) -> None:
        """Write the result, the store, the time it took, and what to do next."""
        if self.as_json:
            result = report.to_dict() | ({} if files is None else {"recordings": files})
            result |= {} if self.inbox is None else {"webhooks": told.to_dict()}
            write_json(msgspec.json.encode(result | {"end": end}))
        else:
            show_outcome(report, files)
            for line in map(str, told.accounts.values()):
                click.echo(f"webhooks of {escaped(line)}")
            if told.recordings != RecordingsReport():
                click.echo(f"webhooks, {escaped_lines(str(told.recordings))}")
        said = f"{escaped(str(self.store))}: {_ENDS[end]} after {span(seconds)}; {self._advice(end)}"
        click.echo(said, err=self.as_json)

    def _advice(self, end: _End) -> str:
        if end == "stopped":
            return "run the same command again to resume"
        if self.every is not None:
            return f"next run in {self.every:g} s"
        if end != "complete":
            return "what is committed stays; run the same command again to fetch what is missing"
        given = "" if str(self.store) == "conversations.db" else f" --store {shlex.quote(str(self.store))}"
        return f"conversations-hub {'status' if self.store.kind == 'jsonl' else 'search WORDS'}{given}"


_End = Literal["complete", "incomplete", "failed", "stopped"]
_ENDS: Mapping[_End, str] = {
    "complete": "up to date",
    "incomplete": "not complete",
    "failed": "failed",
    "stopped": "stopped",
}
