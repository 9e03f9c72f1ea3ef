"""Read a JSONL store: its conversations and its status; and erase conversations from it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, tzinfo
from heapq import nlargest
from io import BufferedIOBase
from itertools import islice
from math import inf
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from ..._files.atomic import FileOps
from ..._files.lock import Lock
from ..._files.opening import own_path
from ..._instants import check_span
from ..._refs import Ref, Target
from ...adapters import load
from ...errors import StoreError, UnsupportedError
from ...metrics import Summary, summarize
from ...metrics._summary import check_metrics, narrowed
from ...schema import Conversation, Recording, Role, Status
from .._erasure import Person, Receipt, is_mentioned, remove_recordings, takes_part, tombstone
from .._filters import Filters, check_counted
from .._pages import Place, Row, StorePage, read_place
from .._reader import EVERYTHING, Found, HitPage, NewestStats, only_one
from .._status import StoreStatus
from .._untrusted import Instant, conversation_in, lines_of, reading
from ._data import Data, Name
from ._finished import finished
from ._journal import Erased
from ._status import status

__all__ = ["JSONLReader"]


class JSONLReader:
    """Reads a JSONL store and erases from it; any reader of JSON Lines can read the file, too.

    Its methods block while they wait for the disk: in an event loop, call them through `asyncio.to_thread`. Every query
    reads the whole file that was finished last, and takes a few hundred bytes of memory for each conversation.
    """

    def __init__(self, path: str | Path, *, files: FileOps | None = None) -> None:
        self.path: Path = Path(path)
        self._files = files or FileOps()
        self._is_interrupted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """See `StoreReader.close`. No file is open between calls."""

    def accounts(self) -> list[str]:
        """See `StoreReader.accounts`."""
        return [account.where for account in self.status().accounts]

    def get(self, ref: str) -> Conversation:
        """See `StoreReader.get`."""
        parsed = Ref.parse(ref)
        with finished(self.path) as lines:
            found = [line for line in lines_of(lines) if _names(parsed, _name.decode(line))]
            return conversation_in(only_one(found, parsed))

    def conversations(
        self,
        *targets: str,
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        limit: int | None = None,
    ) -> Iterator[Conversation]:
        """See `StoreReader.conversations`."""
        wanted = Filters.of(targets, since, until, status=status, agent=agent)
        return islice(self._newest_first(wanted), limit)

    def _newest_first(self, wanted: Filters) -> Iterator[Conversation]:
        with finished(self.path) as lines:
            places = [(row.at.timestamp() if row.at else -inf, offset) for offset, row in self._rows(lines, wanted)]
            for _, offset in sorted(places, reverse=True):
                lines.seek(offset)
                yield conversation_in(next(lines_of(lines)))

    def page(self, wanted: Filters = EVERYTHING, *, limit: int = 50, cursor: str | None = None) -> StorePage:
        """See `StoreReader.page`. Each page reads the whole file."""
        after = None if cursor is None else read_place(cursor, str)
        with finished(self.path) as lines:
            found = nlargest(limit + 1, self._after(lines, wanted, after))
            rows = [self._shown(lines, offset) for _, offset in found[:limit]]
        return StorePage(rows=tuple(rows), cursor=str(found[limit - 1][0]) if len(found) > limit else None)

    def _after(self, lines: BufferedIOBase, wanted: Filters, after: Place | None) -> Iterator[tuple[Place, int]]:
        """Yield the place and the offset of each wanted line that comes after a place."""
        for offset, row in self._rows(lines, wanted):
            place = Place(_sortable(row.at), row.ref)
            if after is None or place < after:
                yield place, offset

    def _rows(self, lines: BufferedIOBase, wanted: Filters) -> Iterator[tuple[int, _Row]]:
        """Yield the wanted rows, each with the offset of its line; `interrupt` ends it."""
        if wanted.words is not None:
            raise self._unindexed()
        self._is_interrupted = False
        while True:
            offset = lines.tell()
            line = next(lines_of(lines), None)
            if line is None:
                return
            if self._is_interrupted:
                raise StoreError(f"{self.path}: interrupted")
            if (row := _row.decode(line)).is_among(wanted):
                yield offset, row

    def _shown(self, lines: BufferedIOBase, offset: int) -> Row:
        lines.seek(offset)
        return Row.of(conversation_in(next(lines_of(lines))))

    def walk(self, wanted: Filters = EVERYTHING) -> Iterator[Conversation]:
        """See `StoreReader.walk`."""
        return self._newest_first(wanted)

    def counts(self, by: str, wanted: Filters = EVERYTHING, *, most: int = 50) -> dict[str, int]:
        """See `StoreReader.counts`. It reads the whole file."""
        check_counted(by)
        with finished(self.path) as lines:
            found = Counter(value for _, row in self._rows(lines, wanted) for value in row.values(by))
        return dict(sorted(found.items(), key=lambda each: (-each[1], each[0]))[:most])

    def revision(self) -> int:
        """See `StoreReader.revision`."""
        with reading(self.path), suppress(OSError):
            return self.path.stat().st_mtime_ns
        return 0

    def interrupt(self) -> None:
        """See `StoreReader.interrupt`."""
        self._is_interrupted = True

    def stats(
        self,
        *targets: str,
        by: Sequence[str] = ("provider",),
        metrics: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        status: Status | str | None = None,
        agent: str | None = None,
        timezone: tzinfo = UTC,
    ) -> list[Summary]:
        """See `StoreReader.stats`: the conversations are measured as they are read."""
        names = check_metrics(metrics)
        found = self.conversations(*targets, since=since, until=until, status=status, agent=agent)
        return [narrowed(summary, names) for summary in summarize(found, by, timezone=timezone)]

    def newest_stats(
        self, wanted: Filters, by: Sequence[str] = ("provider",), *, goes_on: Callable[[], bool]
    ) -> NewestStats:
        """See `StoreReader.newest_stats`: the conversations are measured as they are read."""
        return NewestStats.of(self.walk(wanted), by, goes_on)

    def recordings(
        self, *targets: str, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[tuple[Recording, int, datetime | None]]:
        """See `StoreReader.recordings`."""
        for one in self.conversations(*targets, since=since, until=until):
            for position, recording in enumerate(one.recordings):
                yield msgspec.structs.replace(recording, ref=one.ref), position, one.created_at or one.started_at

    def search(
        self,
        words: str,  # noqa: ARG002  (as in the protocol)
        *targets: str,  # noqa: ARG002
        since: datetime | None = None,  # noqa: ARG002
        until: datetime | None = None,  # noqa: ARG002
        role: Role | str | None = None,  # noqa: ARG002
        status: Status | str | None = None,  # noqa: ARG002
        agent: str | None = None,  # noqa: ARG002
        anywhere: bool = False,  # noqa: ARG002
        limit: int = 20,  # noqa: ARG002
        offset: int = 0,  # noqa: ARG002
    ) -> Found:
        """See `StoreReader.search`: a JSONL store has no index.

        Raises:
            UnsupportedError: always.
        """
        raise self._unindexed()

    def find(
        self,
        words: str,  # noqa: ARG002
        wanted: Filters = EVERYTHING,  # noqa: ARG002
        *,
        order: Literal["newest", "best"] = "newest",  # noqa: ARG002
        limit: int = 20,  # noqa: ARG002
        cursor: str | None = None,  # noqa: ARG002
        marks: tuple[str, str] = ("[", "]"),  # noqa: ARG002
        alter: Callable[[str], str] | None = None,  # noqa: ARG002
    ) -> HitPage:
        """See `StoreReader.find`: a JSONL store has no index.

        Raises:
            UnsupportedError: always.
        """
        raise self._unindexed()

    def _unindexed(self) -> UnsupportedError:
        return UnsupportedError(
            f"{self.path} is a JSONL store, which has no search index: search a SQLite or Postgres store"
        )

    def status(self) -> StoreStatus:
        """Return the status of the store: from its journal, or from its manifest if there is no journal.

        Raises:
            StoreError: there is no such store, or it cannot be read.
        """
        return status(self.path)

    def erase(
        self,
        *refs: str,
        person: Person | None = None,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Erase the named conversations and all of a person, permanently; with `dry_run` only return which.

        The files of the store are rewritten without them, and no sync brings them back. With `recordings`, the folder
        filled by `sync --recordings`, their files are removed too. Copies and backups are not touched: erasing them is
        up to you.

        Raises:
            StoreError: the store does not exist, a sync is running on it, or there is no room to rewrite it.
            InvalidRefError: a malformed ref, or one that several accounts have.
        """
        named = [Ref.parse(ref) for ref in refs]

        def is_chosen(name: Name, line: bytes) -> bool:
            if any(_names(ref, name) for ref in named):
                return True
            return person is not None and takes_part(person, conversation_in(line))

        with self._opened() as data:
            found = _find(data, is_chosen)
            for ref in named:
                ref.refuse_several(sum(_names(ref, name) for name in found))
            mentioned: list[str] = []
            if person is not None:
                others = (conversation_in(line) for name, line in data.lines() if name not in found)
                mentioned = [one.ref for one in others if is_mentioned(person, one)]
            receipt = Receipt(
                store=str(self.path), erased_at=None, conversations=tuple(found.values()), mentioned=tuple(mentioned)
            )
            return receipt if dry_run else self._erase(data, receipt, list(found), recordings, now)

    def prune(
        self,
        before: datetime,
        *,
        recordings: str | Path | None = None,
        dry_run: bool = False,
        now: datetime | None = None,
    ) -> Receipt:
        """Erase, as `erase` does, the conversations from before an aware instant; those without one stay."""
        check_span(before, None)

        def is_older(_: Name, line: bytes) -> bool:
            at = _dated.decode(line).at
            return at is not None and at < before

        with self._opened() as data:
            found = _find(data, is_older)
            receipt = Receipt(store=str(self.path), erased_at=None, conversations=tuple(found.values()))
            return receipt if dry_run else self._erase(data, receipt, list(found), recordings, now)

    @contextmanager
    def _opened(self) -> Generator[Data]:
        """Lock the store, and clean up after an earlier run."""
        path = self.path
        try:
            path = own_path(path)
            with reading(path), ExitStack() as held:
                held.callback(Lock(path).release)
                data = Data(path, self._files)
                if data.known.begun is None:
                    raise StoreError(f"{path} is not a JSONL store: {data.journal.path.name} does not exist")
                if not data.complete():
                    raise StoreError(
                        f"{path} changed since a sync wrote it. Restore it, or sync with JSONLStore(…, overwrite=True)"
                    )
                yield data
                return
        except OSError as error:
            reason = error.strerror or type(error).__name__
        raise StoreError(f"{path}: {reason}")

    def _erase(
        self,
        data: Data,
        receipt: Receipt,
        names: Sequence[Name],
        recordings: str | Path | None,
        now: datetime | None,
    ) -> Receipt:
        files = [] if recordings is None else remove_recordings(Path(recordings), receipt.conversations)
        data.remove_leftovers()
        if names:
            salt = data.known.salt or os.urandom(16)
            gone = {(name.where, name.id) for name in names}
            tombstones = [tombstone(salt, account, id) for account, id in gone]
            erased = Erased(salt=salt, tombstones=sorted(data.known.tombstones.union(tombstones)), offset=0)
            data.rewrite(gone, erased)
        return msgspec.structs.replace(receipt, erased_at=now or datetime.now(UTC), recordings=tuple(files))


class _Dated(msgspec.Struct):
    created_at: Instant | None = None
    started_at: Instant | None = None

    @property
    def at(self) -> datetime | None:
        return self.created_at or self.started_at


class _AgentId(msgspec.Struct):
    id: str | None = None


class _Row(_Dated, kw_only=True):
    """The members of a line that filters compare."""

    provider: str
    account: str
    id: str
    status: Status = Status.UNKNOWN
    agent: _AgentId | None = None
    end_reason: str | None = None
    transcript_state: str = "not_loaded"
    channel: str = "unknown"
    direction: str = "unknown"
    tags: tuple[str, ...] = ()
    issues: tuple[msgspec.Raw, ...] = ()

    @property
    def ref(self) -> str:
        return Name(self.provider, self.account, self.id).ref

    def values(self, field: str) -> tuple[str, ...]:
        """Return what it has of a field that conversations are chosen or counted by."""
        if field == "tag":
            return self.tags
        if field == "account":
            return (f"{self.provider}/{self.account}",)
        value = self.agent and self.agent.id if field == "agent" else getattr(self, field)
        return () if value is None else (str(value),)

    def is_among(self, wanted: Filters) -> bool:
        at = self.at
        return (
            (not wanted.targets or any(map(self._is_of, wanted.targets)))
            and (at is None or wanted.since is None or wanted.since <= at)
            and (at is None or wanted.until is None or at < wanted.until)
            and wanted.status in {None, self.status}
            and (wanted.agent is None or (self.agent is not None and self.agent.id == wanted.agent))
            and wanted.has_issues in {None, bool(self.issues)}
            and all(set(values).intersection(self.values(name)) for name, values in wanted.fields.items())
        )

    def _is_of(self, target: Target) -> bool:
        if target.provider != self.provider or target.account not in {None, self.account}:
            return False
        if target.resource is None:
            return True
        name, _, _ = load(self.provider).resource_of(self.id)
        return name == target.resource


_name = msgspec.json.Decoder(Name)
_row = msgspec.json.Decoder(_Row)
_dated = msgspec.json.Decoder(_Dated)


def _sortable(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="microseconds")


def _names(ref: Ref, name: Name) -> bool:
    target = ref.target
    return (target.provider, ref.id) == (name.provider, name.id) and target.account in {None, name.account}


def _find(data: Data, is_chosen: Callable[[Name, bytes], bool]) -> dict[Name, str]:
    """Return the names and refs of the chosen conversations."""
    return {name: name.ref for name, line in data.lines() if is_chosen(name, line)}
