"""`sync`: every account into a store, again and again where that is asked for, and how it went."""

from __future__ import annotations

import asyncio
import errno
import shlex
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Literal

import click
import msgspec

from ..errors import ConfigurationError, InvalidRefError
from ..hub import Hub
from ..schema.rendering import span
from ..stores.sqlite.reader import SQLiteReader
from ..sync import Redact, SyncReport, sync
from ..sync.recordings import RecordingsReport, download_recordings
from .accounts import Accounts
from .erasing import erased_from
from .outcome import show_outcome
from .places import Place
from .progress import Progress, WatchedRecordings, WatchedSync
from .sentences import sentence
from .stopping import until_stopped
from .terminal import escaped, write_json
from .waits import Waits

__all__ = ["Syncing", "pause"]

pause = asyncio.sleep


class Syncing(msgspec.Struct, frozen=True, kw_only=True):
    """What a sync was asked for on the command line."""

    targets: tuple[str, ...]
    place: Place
    accounts: Accounts
    since: datetime | None
    until: datetime | None
    verify: bool
    keep: timedelta | None
    """What is older is erased."""
    lookback: timedelta | None
    again: bool
    redact: bool
    raw: bool
    recordings: Path | None
    any_host: bool
    every: float | None
    """Seconds between runs; None: one run."""
    as_json: bool

    def run(self) -> bool:
        """Bring the store up to date, and say whether that was complete; with `every`, again and again until stopped.

        Whatever ends a run early, what came until then is told.
        """
        if self.recordings is not None and self.place.kind == "jsonl":
            raise ConfigurationError("recordings are found through a SQLite store: give --store a path")
        progress = Progress()
        work = self._once(progress) if self.every is None else self._follow(progress, self.every)
        return until_stopped(work, progress.say)

    async def _follow(self, progress: Progress, every: float) -> bool:
        """Run until stopped; what is wrong with the first run's usage ends it, and nothing else."""
        for number in count():
            try:
                await self._once(progress, is_first=not number)
            except Exception as error:
                is_usage = isinstance(error, ConfigurationError | InvalidRefError | click.ClickException)
                has_no_reader = isinstance(error, OSError) and error.errno == errno.EPIPE
                if has_no_reader or (is_usage and not number):
                    raise
                progress.say(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC: {sentence(error)}; next run in {every:g} s")
            await pause(every)
        raise AssertionError("it counts for ever")

    async def _once(self, progress: Progress, *, is_first: bool = True) -> bool:
        report, waits, began = SyncReport(), Waits(), time.monotonic()
        files: RecordingsReport | None = None
        end: _End = "stopped"
        try:
            async with self.accounts.opened(profile="bulk", keep_raw=self.raw, on_signal=waits.hear) as hub:
                with progress.watching(WatchedSync(report, waits)):
                    await sync(
                        hub,
                        self.place.store(),
                        *self.targets,
                        since=self._since(),
                        until=self.until,
                        verify=self.verify,
                        lookback=self.lookback,
                        again=self.again and is_first,
                        redact=_redactors() if self.redact else (),  # one for each run, for they count
                        report=report,
                    )
                if self.recordings is not None:
                    files = RecordingsReport()
                    with progress.watching(WatchedRecordings(files, waits)):
                        await self._download(hub, self.recordings, files)
            if (oldest := self._oldest()) is not None:
                await asyncio.to_thread(self._prune, oldest)
            is_complete = report.complete and (files is None or files.complete)
            end = "complete" if is_complete else "incomplete"
        except Exception:
            end = "failed"
            raise
        finally:
            if any(account.elapsed for account in report.accounts):
                self._tell(report, files, end, time.monotonic() - began)
        return is_complete

    def _oldest(self) -> datetime | None:
        """Return when the oldest is that is kept."""
        return None if self.keep is None else datetime.now(UTC) - self.keep

    def _since(self) -> datetime | None:
        since = [moment for moment in (self.since, self._oldest()) if moment is not None]
        return max(since, default=None)

    def _prune(self, before: datetime) -> None:
        erased_from(self.place, lambda archive: archive.prune(before, recordings=self.recordings))

    async def _download(self, hub: Hub, folder: Path, files: RecordingsReport) -> None:
        with SQLiteReader(self.place.database) as archive:
            accounts = hub.accounts(*self.targets) if self.targets else archive.accounts()
            there = [archive.recordings(where, since=self.since, until=self.until) for where in accounts]
            await download_recordings(hub, there, folder, allow_any_public_host=self.any_host, report=files)

    def _tell(self, report: SyncReport, files: RecordingsReport | None, end: _End, seconds: float) -> None:
        """Write how it went, where the store is, how long it took, and what to do now."""
        if self.as_json:
            told = report.to_dict() | ({} if files is None else {"recordings": files})
            write_json(msgspec.json.encode(told | {"end": end}))
        else:
            show_outcome(report, files)
        said = f"{escaped(str(self.place))}: {_ENDS[end]} after {span(seconds)}; {self._advice(end)}"
        click.echo(said, err=self.as_json)

    def _advice(self, end: _End) -> str:
        if end == "stopped":
            return "run the same command to go on"
        if self.every is not None:
            return f"next run in {self.every:g} s"
        if end != "complete":
            return "what is committed stays; run the same command again for what is missing"
        given = "" if str(self.place) == "conversations.db" else f" --store {shlex.quote(str(self.place))}"
        return f"conversations-hub {'status' if self.place.kind == 'jsonl' else 'search WORDS'}{given}"


_End = Literal["complete", "incomplete", "failed", "stopped"]
_ENDS: Mapping[_End, str] = {
    "complete": "up to date",
    "incomplete": "not complete",
    "failed": "failed",
    "stopped": "stopped",
}


def _redactors() -> Sequence[Redact]:
    from ..redaction import PersonalData  # noqa: PLC0415

    return (PersonalData(),)
