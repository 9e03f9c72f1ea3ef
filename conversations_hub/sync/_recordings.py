"""Download recordings into a folder: each once, under a name derived from its conversation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from itertools import groupby
from pathlib import Path

import msgspec

from .._bugs import surprise
from .._concurrency import TaskPool, run_all
from .._files.opening import make_folder
from .._files.recordings import names_of
from .._instants import later
from .._merging import same_recording
from .._scrub.signatures import is_unsigned
from .._transport.threads import Threads
from ..errors import HubClosedError, HubError, NotFoundError, StoreError, UnsupportedError
from ..hub import Hub
from ..schema import Conversation, Recording, RecordingAccess
from ._report import Reasons

__all__ = ["Downloads", "RecordingsReport", "Wanted", "download_recordings", "expiring"]

_CONCURRENCY = 4  # of an account


class RecordingsReport(msgspec.Struct):
    """How the downloads went. Numbers count recordings."""

    downloaded: int = 0
    size: int = 0
    """Bytes downloaded."""
    present: int = 0
    """Already in the folder."""
    absent: int = 0
    """The provider does not have them, yet or any longer; the next run asks again."""
    elsewhere: int = 0
    """In the customer's own bucket."""
    failures: Reasons = msgspec.field(default_factory=Reasons)
    """The other failures, by reason; the next run tries again."""

    gone_at: datetime | None = None
    """When the provider deletes the first of the failed ones, UTC, as far as its retention is known."""

    def note(self, gone_at: datetime | None) -> None:
        """Note when the provider deletes a recording that could not be downloaded."""
        if gone_at is not None and (self.gone_at is None or gone_at < self.gone_at):
            self.gone_at = gone_at

    @property
    def complete(self) -> bool:
        """Whether the folder has every recording that is available."""
        return not self.failures

    def __str__(self) -> str:
        facts = [f"{self.downloaded:,} downloaded ({self.size / 1e6:,.1f} MB)", f"{self.present:,} already there"]
        for number, what in ((self.absent, "not available"), (self.elsewhere, "in the customer's own bucket")):
            if number:
                facts.append(f"{number:,} {what}")
        lines = [f"recordings: {', '.join(facts)}"]
        lines += [f"  {count:,} failed: {reason}" for reason, count in self.failures.most_common()]
        if self.gone_at is not None:
            lines.append(f"  the first of them is deleted on {self.gone_at:%Y-%m-%d} by the usual retention")
        return "\n".join(lines)


Wanted = tuple[Recording, int, datetime | None]
"""A recording, its position in its conversation, and when the provider's retention started, UTC."""


async def download_recordings(
    hub: Hub,
    recordings: Iterable[Iterable[Wanted]],
    folder: Path,
    *,
    allow_any_public_host: bool = False,
    report: RecordingsReport | None = None,
) -> RecordingsReport:
    """Download the recordings that the folder lacks, four at a time per account, so that no account delays another.

    `recordings` holds those of each account, as `StoreReader.recordings` yields them. One that fails does not stop the
    others. `report` is updated during the downloads, for progress displays.

    Raises:
        StoreError: a file cannot be written.
        HubClosedError: the hub was closed meanwhile.
    """
    report = report or RecordingsReport()

    async def download_account(wanted: Iterable[Wanted]) -> None:
        downloads = Downloads(hub, folder, report, allow_any_public_host=allow_any_public_host)
        each = (list(group) for _, group in groupby(wanted, lambda one: one[0].ref))
        async with aclosing(TaskPool().as_completed(each, downloads.run, _CONCURRENCY)) as done:
            async for _ in done:
                pass

    await run_all(map(download_account, recordings), hub.accounts_at_once)
    return report


def expiring(one: Conversation) -> list[Wanted]:
    """Return the recordings of a conversation whose handles stop working, after which there may be no others."""
    made_at = one.created_at or one.started_at
    return [
        (msgspec.structs.replace(recording, ref=one.ref), position, made_at)
        for position, recording in enumerate(one.recordings)
        if recording.access is RecordingAccess.SIGNED_URL or recording.expires_at is not None
    ]


class Downloads:
    """Downloads into a folder."""

    def __init__(
        self, hub: Hub, folder: Path, report: RecordingsReport, *, allow_any_public_host: bool = False
    ) -> None:
        self._hub = hub
        self._folder = folder
        self._report = report
        self._allow_any_public_host = allow_any_public_host
        self._disk = Threads(_CONCURRENCY)
        self._ready: set[Path] = set()

    async def run(self, wanted: Sequence[Wanted]) -> None:
        """Download the recordings of one conversation that the folder lacks; raises as `download_recordings` does."""
        handles = _Handles(self._hub)
        for recording, position, made_at in wanted:
            await self._download(recording, position, made_at, handles)

    async def _download(self, recording: Recording, position: int, made_at: datetime | None, handles: _Handles) -> None:
        report = self._report
        paths = [self._folder / name for name in names_of(recording, position)]
        path = paths[0]
        try:
            if await self._disk.run(self._is_present, paths):
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
            report.note(self._gone_at(recording, made_at))
        except Exception as bug:  # noqa: BLE001  (a bug with one recording must not end the others)
            where = (recording.ref or "").partition(":")[0]
            report.failures.note(surprise(bug, where))
        else:
            report.downloaded += 1
            report.size += done.size

    def _gone_at(self, recording: Recording, made_at: datetime | None) -> datetime | None:
        retention = self._hub.adapter((recording.ref or "").partition(":")[0].partition("/")[0]).retention
        return None if retention is None or made_at is None else later(made_at, retention)

    def _is_present(self, paths: Sequence[Path]) -> bool:
        """Whether one of these files exists; their common folder is created, or checked to be ours, once."""
        folder = paths[0].parent
        if folder not in self._ready:
            make_folder(folder)
            self._ready.add(folder)
        return any(path.exists() for path in paths)


class _Handles:
    """The recording handles of one conversation: if they were stored without signature, new ones are fetched once."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._now: Sequence[Recording] | None = None

    async def openable(self, recording: Recording) -> Recording:
        """Return a handle that can be downloaded."""
        if recording.ref is None or not is_unsigned(recording):
            return recording
        if self._now is None:
            self._now = (await self._hub.get(recording.ref)).recordings
        return same_recording(self._now, recording)
