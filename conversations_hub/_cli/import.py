"""`import`: put the conversations of files into a store."""  # noqa: N999  (modules are named for commands)

from __future__ import annotations

import asyncio
import gzip
import io
import os
import zlib
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import chain, islice
from pathlib import Path
from typing import Any, cast

import click
import msgspec

from .._files.opening import open_plain
from .._refs import Ref
from .._scrub import without_secrets
from ..adapters import BUILTIN, load
from ..errors import FormatError, HubError, InvalidRefError
from ..formats import Loaded, find, load_all, payload
from ..formats._records import LARGEST, without_mark
from ..formats._run import options_of
from ..reading.json import try_decode_any
from ..reading.values import is_believable, members_of
from ..redaction import Redact
from ..schema import Conversation
from ..stores import Store, Written, put
from ..stores._url import StoreURL
from .parameters import named_values
from .sync import redactors
from .terminal import escaped, write_json

__all__ = ["run"]

_BATCH = 500
_MOST_NAMED = 1000
_MOST_UNPACKED = 256
"""How many times its size a file may unpack to, once that is more than a record may hold; text packs to a tenth."""
_ENDINGS = {".vcon": "vcon", ".vtt": "vtt", ".srt": "srt"}


def run(
    files: Sequence[Path],
    *,
    format: str | None,
    provider: str | None,
    options: Sequence[str],
    account: str,
    store: StoreURL,
    redact: bool,
    raw: bool,
    as_json: bool,
) -> bool:
    """Store the conversations of files, report what was refused and where, and return whether nothing was."""
    if format is not None and provider is not None:
        raise click.UsageError("--format and --provider exclude each other")
    if options and format is None:
        raise click.UsageError("--option only works with --format")
    target = store.open()
    if store.kind == "parquet":
        raise click.UsageError("conversations cannot be added to a Parquet store: import into another")
    values = named_values(options)
    if format is not None:
        options_of(find(format), values)
    refused = _Refused()
    done = Written(0, 0, 0)
    records = partial(_records, format=format, provider=provider, options=values, account=account)
    conversations = _read(files, records, partial(_storable, account=account, keep_raw=raw), refused)
    while batch := [*islice(conversations, _BATCH)]:
        written = asyncio.run(_put(cast("Store", target), batch, redactors() if redact else (), keep_raw=raw))
        done = Written(done.new + written.new, done.updated + written.updated, done.unchanged + written.unchanged)
    _report(done, refused, store, as_json=as_json)
    return not refused.number


class _Refused:
    """What was not imported: the first records and all files by name, and how much in all."""

    def __init__(self) -> None:
        self.named: list[dict[str, str]] = []
        self.number = 0

    def add(self, path: Path, place: str, reason: str, *, of_file: bool = False) -> None:
        self.number += 1
        if of_file or self.number <= _MOST_NAMED:
            self.named.append({"file": str(path), "place": place, "reason": reason})


def _read(
    files: Iterable[Path],
    records: Callable[[Path], Iterator[Loaded]],
    storable: Callable[[Loaded], Conversation],
    refused: _Refused,
) -> Iterator[Conversation]:
    for path in files:
        try:
            for loaded in records(path):
                try:
                    yield storable(loaded)
                except HubError as error:
                    refused.add(path, loaded.place, error.reason)
        except _UnreadableError as error:
            refused.add(path, error.place, error.reason, of_file=True)


async def _put(store: Store, batch: Sequence[Conversation], redact: Sequence[Redact], *, keep_raw: bool) -> Written:
    return await put(store, *batch, redact=redact, keep_raw=keep_raw)


def _records(
    path: Path, *, format: str | None, provider: str | None, options: dict[str, Any], account: str
) -> Iterator[Loaded]:
    """Yield the records of a file.

    Raises:
        _UnreadableError: it cannot be read to its end.
    """
    lines = _Numbered(iter(()))
    try:
        with _opened(path) as found:
            lines = _Numbered(found)
            if provider is not None:
                yield from payload(lines, provider, account=account)
                return
            first = next(lines, b"")
            yield from load_all(chain([first], lines), format or _format_of(path, first), **options)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or "it is no complete gzip file"
    except FormatError as error:
        reason = error.reason
    else:
        return
    raise _UnreadableError(f"line {lines.number}" if lines.number else "", reason)


class _UnreadableError(Exception):
    """A file that cannot be read: where that showed, and why."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(reason)
        self.place = place
        self.reason = reason


class _Numbered:
    """Lines, and the number of the one that is read."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self.number = 0
        self._lines = lines

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self.number += 1
        return next(self._lines)


@contextmanager
def _opened(path: Path) -> Generator[Iterator[bytes]]:
    """Open a file, also one that gzip packed, and yield its lines."""
    with os.fdopen(open_plain(path), "rb") as file:
        is_packed = file.peek(2)[:2] == b"\x1f\x8b"
        yield _each(gzip.GzipFile(fileobj=file), packed=file) if is_packed else _each(file)


def _each(file: io.BufferedIOBase, *, packed: io.BufferedIOBase | None = None) -> Iterator[bytes]:
    """Yield the lines of a file.

    Raises:
        FormatError: what is packed is made to unpack without end.
    """
    unpacked, most = 0, LARGEST

    def piece() -> bytes:
        nonlocal unpacked, most
        found = file.readline(LARGEST + 1)
        unpacked += len(found)
        if packed is not None and unpacked > most:
            most = _MOST_UNPACKED * packed.tell()  # what may come of what was read so far
            if unpacked > most:
                raise FormatError(f"it unpacks to more than {_MOST_UNPACKED} times its size")
        return found

    while line := piece():
        yield line
        while len(line) > LARGEST and not line.endswith(b"\n"):  # it is refused, and its rest is skipped
            line = piece()


def _format_of(path: Path, first: bytes) -> str:
    """Return the format that the ending of a file or its first line tells.

    Raises:
        FormatError: neither tells one.
    """
    ending = Path(path.name.removesuffix(".gz")).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    members = members_of(try_decode_any(without_mark(first)))
    if "provider" in members and "transcript_state" in members:
        return "jsonl"
    if "uuid" in members and ("vcon" in members or "parties" in members):
        return "vcon"
    raise FormatError("it tells no format: give --format, or --provider for what a provider sent")


def _storable(loaded: Loaded, *, account: str, keep_raw: bool) -> Conversation:
    """Return a conversation under the account's name, so that it never stands for one that was fetched.

    Raises:
        FormatError: it was not read, or it could not be named or sorted.
    """
    if loaded.conversation is None:
        raise loaded.error or FormatError("it has no conversation")
    one = msgspec.structs.replace(loaded.conversation, account=account)
    if not keep_raw:
        one = msgspec.structs.replace(one, raw=None)
    one = without_secrets(one, _secret_fields(one.provider))
    try:
        Ref.parse(one.ref)
    except InvalidRefError:
        raise FormatError("its provider or its id cannot be part of a ref") from None
    instants = (one.created_at, one.started_at, one.ended_at, one.updated_at)
    if not all(instant is None or is_believable(instant) for instant in instants):
        raise FormatError("an instant is not from 1970 to 8999")
    recordings = tuple(msgspec.structs.replace(recording, ref=one.ref) for recording in one.recordings)
    return msgspec.structs.replace(one, recordings=recordings)


@cache
def _secret_fields(provider: str) -> frozenset[str]:
    """Return the names of a provider's secrets; a file of lines may hold them, whoever wrote it."""
    return load(provider).secret_fields if provider in BUILTIN else frozenset()


def _report(done: Written, refused: _Refused, store: StoreURL, *, as_json: bool) -> None:
    more = refused.number - len(refused.named)
    if as_json:
        told = {"new": done.new, "updated": done.updated, "unchanged": done.unchanged}
        write_json(msgspec.json.encode({**told, "refused": refused.named, "more_refused": more}))
        return
    for one in refused.named:
        where = ", ".join(filter(None, [one["file"], one["place"]]))
        click.echo(escaped(f"{where}: {one['reason']}"), err=True)
    if more:
        click.echo(f"and {more:,} more", err=True)
    click.echo(
        f"{done.new:,} new, {done.updated:,} updated, {done.unchanged:,} unchanged in {escaped(str(store))};"
        f" {refused.number:,} refused"
    )
