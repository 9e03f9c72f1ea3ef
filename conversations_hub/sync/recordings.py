"""Recordings into a folder: each once, under a name that its conversation gives it, whatever that is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from hashlib import blake2b
from itertools import groupby
from mimetypes import guess_extension
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from ..adapters import usable
from ..errors import HubClosedError, HubError, NotFoundError, StoreError, UnsupportedError
from ..files.opening import make_folder
from ..files.partial import parts_of
from ..hub import Hub
from ..hub.crew import Crew
from ..hub.recordings import same
from ..hub.surprise import surprise
from ..schema import Recording
from ..scrub.signatures import is_unsigned
from ..transport.threads import Threads
from .moments import later
from .report import Reasons
from .together import together

__all__ = ["RecordingsReport", "Wanted", "download_recordings", "files_of", "name_of"]

_CONCURRENCY = 4  # of an account
_KNOWN: Final = frozenset({".mp3", ".wav", ".ogg", ".opus", ".m4a", ".mp4", ".webm", ".flac", ".aac", ".mkv", ".mov"})
_UNSAFE: Final = re.compile(r"[^A-Za-z0-9_-]+")


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


def name_of(recording: Recording, position: int) -> str:
    """Return the path of a recording's file below the folder: readable, and no other's, whatever its id is.

    `position` is that among the conversation's recordings.
    """
    return _names(recording, position)[0]


_DIGESTS: Final = (16, 6)
"""Bytes of a ref's digest in a name: today, and in the first releases, where two refs of one digest took a minute.

What has such a name is neither downloaded again nor forgotten by `files_of`."""
_FIRST_PARTS: Final = 48  # characters of a name in that of its part, in the first releases


def _names(recording: Recording, position: int) -> list[str]:
    """Return the paths a recording's file may have, today's first."""
    suffix = PurePosixPath(recording.location.partition("?")[0]).suffix.lower()
    if suffix not in _KNOWN:
        suffix = guess_extension(recording.media_type or "") or ".audio"
    folder, *stems = _places(recording.ref or "")
    return [f"{folder}/{stem}-{position}{suffix}" for stem in stems]


def _places(ref: str) -> tuple[str, str, str]:
    """Return the folder of a conversation's recordings, and how their names begin: today, and in the first releases."""
    provider, _, id = ref.partition(":")
    slug = _UNSAFE.sub("-", id)[:40].strip("-") or "conversation"
    today, first = (blake2b(ref.encode(errors="surrogatepass"), digest_size=size).hexdigest() for size in _DIGESTS)
    return _UNSAFE.sub("-", provider), f"{slug}-{today}", f"{slug}-{first}"


def files_of(folder: Path, ref: str) -> list[Path]:
    """Return the files of a conversation's recordings that are in a folder, those that are not whole included."""
    provider, today, first = _places(ref)
    subfolder = folder / provider
    whole = [path for stem in (today, first) for path in sorted(subfolder.glob(f"{stem}-*"))]
    return [*whole, *parts_of(subfolder, f"{today}-"), *parts_of(subfolder, first[:_FIRST_PARTS])]


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
        async with aclosing(Crew().as_completed(each, downloads.of_conversation, _CONCURRENCY)) as done:
            async for _ in done:
                pass

    await together(map(of_account, recordings), hub.accounts_at_once)
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
        paths = [self._folder / name for name in _names(recording, position)]
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
        return same(self._now, recording)
