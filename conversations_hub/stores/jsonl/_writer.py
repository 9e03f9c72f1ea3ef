"""Write a JSONL store, always in the same thread."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from ..._files.atomic import FileOps
from ..._files.lock import Lock
from ..._files.opening import own_path
from ...errors import StoreError
from ...schema._document import document
from .._store import Checkpoint, Entry, StoredVersion, Written, are_other_terms, check_made
from ._data import Data, packed, size_of
from ._journal import Begun, Committed, Erased, Finished, JournalState, Remembered

__all__ = ["Writer"]


class Writer:
    """Locks the store, cleans up after an earlier run, and writes."""

    def __init__(self, path: Path, files: FileOps, terms: dict[str, str], *, compress: bool, overwrite: bool) -> None:
        path = own_path(path)
        self._files = files
        self._terms = terms
        self._compress = compress
        with ExitStack() as held:
            held.callback(Lock(path).release)
            self._data = Data(path, files)
            if self.known.begun is not None and not overwrite:
                check_made(path, self.known.begun.terms, terms)
            self._prepare(overwrite=overwrite)
            held.callback(os.close, self._data.journal.open())
            self._file: int | None = None
            held.callback(self._close_file)
            if self.known.finished is None:
                self._file = files.opened(self._data.partial, self.known.offset)
            else:
                self._check_form(self.known.finished)
            self.close = held.pop_all().close

    @property
    def known(self) -> JournalState:
        """What the log says."""
        return self._data.known

    def progress(self, account: str) -> Checkpoint:
        """See `Store.progress`."""
        return self.known.progress.get(account, Checkpoint())

    def kept(self, account: str, ids: Sequence[str]) -> dict[str, StoredVersion]:
        """See `Store.kept`."""
        return self.known.kept(account, ids)

    def unsettled(self, account: str) -> dict[str, StoredVersion]:
        """See `Store.unsettled`."""
        return self.known.unsettled(account)

    def commit(self, account: str, entries: Sequence[Entry], progress: Checkpoint | None) -> Written:
        """See `Store.commit`."""
        progress = progress or self.progress(account)
        kept = self.known.kept(account, (entry.conversation.id for entry in entries))
        lines: list[bytes] = []
        remembered: list[Remembered] = []
        new = updated = unchanged = 0
        for entry in entries:
            id, now = entry.conversation.id, entry.kept
            before = kept.get(id)
            if before is not None and before.is_erased:
                continue
            kept[id] = now
            is_written = before is None or before.content_hash != now.content_hash
            if is_written:
                lines.append(document(entry.conversation) + b"\n")
            if before != now:
                remembered.append(
                    Remembered(
                        id,
                        is_written,
                        now.row_hash,
                        now.content_hash,
                        now.recheck_until,
                        now.list_row,
                        now.failing_since,
                    )
                )
            new += before is None
            updated += before is not None and is_written
            unchanged += not is_written
        if remembered or progress != self.progress(account):
            data = packed(lines, compress=self._compress)
            file = self._open_data() if data else None  # without lines, only the log is written
            line = Committed(
                offset=self.known.offset + len(data),
                count=self.known.count + new,
                account=account,
                progress=progress,
                entries=remembered,
            )
            if file is not None:
                self._files.append(file, data)
            self._data.journal.append(line)  # never before the data is on the disk
            self.known.take(line)
        return Written(new, updated, unchanged)

    def vanished(self, account: str, listed: Collection[str]) -> list[str]:
        """See `Store.vanished`."""
        there = sum(not kept.is_erased for kept in self.known.kept(account, listed).values())
        if there == self.known.conversations[account]:
            return []
        return [name.id for name, _ in self._data.lines() if name.where == account and name.id not in listed]

    def finish(self, unreadable: Mapping[str, int]) -> None:
        """See `Store.finish`."""
        if self.known.finished is not None:
            return
        data = self._data
        if (data.path.exists() and not data.replaces) or not data.has_base:
            raise StoreError(f"{data.path} was put there during the sync. Move it away and run the same command again")
        rewritten = bool(self.known.superseded or self.known.base)
        if rewritten:
            self._files.replace(data.rewritten, data.pieces(line for _, line in data.lines()))
        else:
            self._files.fsync(self._open_data())
        source = data.rewritten if rewritten else data.partial
        manifest = data.described(self.known, source, self._terms, unreadable)
        finished = Finished(rewritten=rewritten, manifest=manifest)
        data.journal.append(finished)
        self.known.take(finished)
        data.complete()

    def _prepare(self, *, overwrite: bool) -> None:
        """Complete what an earlier run could not, or refuse before anything is changed."""
        begun, finished = self.known.begun, self.known.finished
        if begun is None:
            self._check_absent(overwrite=overwrite)
            self._start_over()
        elif finished is None:
            self._check_resumable(begun)
        elif not self._data.complete() and not overwrite:
            raise StoreError(_describe_change(self._data.path, finished.manifest.size))
        elif overwrite:
            self._start_over()

    def _check_absent(self, *, overwrite: bool) -> None:
        data = self._data
        if size_of(data.partial) > 0:
            raise StoreError(
                f"{data.partial} exists, but {data.journal.path} does not say how much of it counts."
                " Restore the journal, or move both away to start over"
            )
        if data.path.exists() and not overwrite:
            why = "no sync made it"
            if data.manifest.exists():
                why = f"its journal {data.journal.path} is damaged or gone"
            raise StoreError(f"{data.path} already exists, and {why}. Give another path, or move it away")

    def _check_resumable(self, begun: Begun) -> None:
        data = self._data
        before = begun.terms | {"compress": str(begun.compress)}
        now = self._terms | {"compress": str(self._compress)}
        differing = [name for name in sorted(before | now) if are_other_terms(name, before, now)]
        if differing:
            changes = "; ".join(f"{name} was {before.get(name)} and is {now.get(name)}" for name in differing)
            raise StoreError(
                f"{data.path} was started with different options: {changes}. Finish it with the options it was started"
                f" with, give another path, or move {data.partial.name} and {data.journal.path.name} away to start over"
            )
        if data.path.exists() and not begun.replaces:
            raise StoreError(f"{data.path} exists, but {data.journal.path} does not mention it. Move one of them away")
        if data.complete():
            return
        if not data.has_base:
            raise StoreError(_describe_change(data.path, self.known.base))
        raise StoreError(
            f"{data.partial} is shorter than {data.journal.path} says: {size_of(data.partial):,} bytes instead of"
            f" {self.known.offset:,}. Restore the whole file, or move both away to start over"
        )

    def _start_over(self) -> None:
        data = self._data
        begun = Begun(terms=self._terms, compress=self._compress, offset=0, replaces=data.path.exists())
        lines: list[Begun | Erased] = [begun]
        if self.known.tombstones:
            lines.append(Erased(salt=self.known.salt, tombstones=sorted(self.known.tombstones), offset=0))
        data.journal.begin(lines)
        data.known = JournalState()
        for line in lines:
            self.known.take(line)

    def _check_form(self, finished: Finished) -> None:
        if finished.manifest.compress != self._compress:
            form = "compressed" if finished.manifest.compress else "not compressed"
            raise StoreError(f"{self._data.path} is {form}. Continue it like that, or give another path")

    def _open_data(self) -> int:
        """Return the data file to append to; until it is finished, the lines of the finished file count before it."""
        finished = self.known.finished
        if finished is not None:
            self._close_file()
            size = finished.manifest.size
            begun = Begun(terms=self._terms, compress=self._compress, offset=0, base=size, replaces=True)
            self._data.journal.append(begun)
            self.known.take(begun)
        if self._file is None:
            self._file = self._files.opened(self._data.partial, self.known.offset)
        return self._file

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def _describe_change(path: Path, size: int) -> str:
    return (
        f"{path} changed since it was finished ({size_of(path):,} bytes now, {size:,} then)."
        " Restore it, give another path, or pass overwrite=True to JSONLStore"
    )
