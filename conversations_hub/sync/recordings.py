"""Recordings into a folder: each once, under a name that its conversation gives it, whatever that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from itertools import groupby
from pathlib import Path

import msgspec

from ..adapters import usable
from ..bugs import surprise
from ..concurrency import TaskPool, run_all
from ..errors import HubClosedError, HubError, NotFoundError, StoreError, UnsupportedError
from ..files.opening import make_folder
from ..files.recordings import names_of
from ..hub import Hub
from ..instants import later
from ..merging import same_recording
from ..schema import Recording
from ..scrub.signatures import is_unsigned
from ..transport.threads import Threads
from .report import Reasons

__all__ = ["RecordingsReport", "Wanted", "download_recordings"]

_CONCURRENCY = 4  # of an account


class RecordingsReport(msgspec.Struct):
    """How the downloads went."""

    downloaded: int = 0
    size: int = 0
    """Bytes of those."""
    present: int = 0
    """There before."""
    absent: int = 0
    """The provider has none, not yet or no longer; the next run asks again."""
    elsewhere: int = 0
    """In the customer's own bucket."""
    failures: Reasons = msgspec.field(default_factory=Reasons)
    """What else could not be had, by the reason; the next run tries again."""

    gone_at: datetime | None = None
    """When the first of those will be gone, as far as the providers' retention is known."""

    def note(self, gone_at: datetime | None) -> None:
        """Note when one that could not be had will be gone."""
        if gone_at is not None and (self.gone_at is None or gone_at < self.gone_at):
            self.gone_at = gone_at

    @property
    def complete(self) -> bool:
        """Whether every recording is there that can be."""
        return not self.failures

    def __str__(self) -> str:
        facts = [f"{self.downloaded:,} downloaded ({self.size / 1e6:,.1f} MB)", f"{self.present:,} there before"]
        for number, what in ((self.absent, "not to be had"), (self.elsewhere, "in the customer's own bucket")):
            if number:
                facts.append(f"{number:,} {what}")
        lines = [f"recordings: {', '.join(facts)}"]
        lines += [f"  {count:,} failed: {reason}" for reason, count in self.failures.most_common()]
        if self.gone_at is not None:
            lines.append(f"  the first of those is gone on {self.gone_at:%Y-%m-%d}, by its provider's usual retention")
        return "\n".join(lines)


def _gone_at(recording: Recording, made_at: datetime | None) -> datetime | None:
    retention = usable((recording.ref or "").partition(":")[0].partition("/")[0]).retention
    return None if retention is None or made_at is None else later(made_at, retention)


Wanted = tuple[Recording, int, datetime | None]
"""A recording, its position in its conversation, and when its provider began to count how long it keeps it."""


async def download_recordings(
    hub: Hub,
    recordings: Iterable[Iterable[Wanted]],
    folder: Path,
    *,
    allow_any_public_host: bool = False,
    report: RecordingsReport | None = None,
) -> RecordingsReport:
    """Download what is not there yet, of each account four at a time, so that none keeps the others waiting.

    `recordings` are those of each account, as `Archive.recordings` yields them. One that cannot be had stops no other.
    Raises `StoreError` where nothing can be written. `report` is filled while it goes on, for those who want to watch.
    """
    report = report or RecordingsReport()

    async def of_account(wanted: Iterable[Wanted]) -> None:
        downloads = _Downloads(hub, folder, report, allow_any_public_host=allow_any_public_host)
        each = (list(group) for _, group in groupby(wanted, lambda one: one[0].ref))
        async with aclosing(TaskPool().as_completed(each, downloads.of_conversation, _CONCURRENCY)) as done:
            async for _ in done:
                pass

    await run_all(map(of_account, recordings), hub.accounts_at_once)
    return report


class _Downloads:
    """The downloads of one account."""

    def __init__(self, hub: Hub, folder: Path, report: RecordingsReport, *, allow_any_public_host: bool) -> None:
        self._hub = hub
        self._folder = folder
        self._report = report
        self._allow_any_public_host = allow_any_public_host
        self._disk = Threads(_CONCURRENCY)
        self._ready: set[Path] = set()

    async def of_conversation(self, wanted: Sequence[Wanted]) -> None:
        """Download what is not there yet of one conversation."""
        handles = _Handles(self._hub)
        for recording, position, made_at in wanted:
            await self._one(recording, position, made_at, handles)

    async def _one(self, recording: Recording, position: int, made_at: datetime | None, handles: _Handles) -> None:
        report = self._report
        paths = [self._folder / name for name in names_of(recording, position)]
        path = paths[0]
        try:
            if await self._disk.run(self._hold, paths):
                report.present += 1
                return
            openable = await handles.openable(recording)
            done = await self._hub.download(openable, path, allow_any_public_host=self._allow_any_public_host)
        except OSError as error:
            raise StoreError(f"{path}: {error.strerror}") from None
        except (HubClosedError, StoreError):
            raise
        except NotFoundError:
            report.absent += 1
        except UnsupportedError:
            report.elsewhere += 1
        except HubError as error:
            report.failures.note(error)
            report.note(_gone_at(recording, made_at))
        except Exception as bug:  # noqa: BLE001  (one recording's surprise must not end the others')
            where = (recording.ref or "").partition(":")[0]
            report.failures.note(surprise(bug, where))
        else:
            report.downloaded += 1
            report.size += done.size

    def _hold(self, paths: Sequence[Path]) -> bool:
        """Whether one of these files is there, all of which are in one folder; it is made, or seen to be ours, once."""
        folder = paths[0].parent
        if folder not in self._ready:
            make_folder(folder)
            self._ready.add(folder)
        return any(path.exists() for path in paths)


class _Handles:
    """The handles of one conversation: where they were kept without what opens them, new ones are asked for once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._now: Sequence[Recording] | None = None

    async def openable(self, recording: Recording) -> Recording:
        """Return the handle with what opens it."""
        if recording.ref is None or not is_unsigned(recording):
            return recording
        if self._now is None:
            self._now = (await self._hub.get(recording.ref)).recordings
        return same_recording(self._now, recording)
