"""The records of a file: its lines, or its documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final, NamedTuple

import msgspec

from ..errors import FormatError

__all__ = ["LARGEST", "Record", "documents", "lines", "without_mark"]

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a record, and of a file that is not read by lines."""

_array: Final = msgspec.json.Decoder(list[msgspec.Raw])
_any: Final = msgspec.json.Decoder(msgspec.Raw)
_BOM: Final = b"\xef\xbb\xbf"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


class Record(NamedTuple):
    """One record, or why it cannot be had."""

    place: str
    found: bytes | FormatError


def without_mark(first: bytes) -> bytes:
    """Return the first line of a file without its byte order mark.

    Raises:
        FormatError: the mark is that of UTF-16, which some programs on Windows write.
    """
    if first.startswith(_UTF_16):
        raise FormatError("it is UTF-16: save it as UTF-8")
    return first.removeprefix(_BOM)


def lines(source: bytes | Iterable[bytes]) -> Iterator[Record]:
    """Yield each line that is not blank."""
    for number, read in enumerate(_lines(source), 1):
        try:
            line = (read if number > 1 else without_mark(read)).strip()
        except FormatError as error:
            yield Record("line 1", error)
            return
        if line:
            yield Record(f"line {number}", line if len(line) <= LARGEST else _too_large())


def documents(source: bytes | Iterable[bytes]) -> Iterator[Record]:
    """Yield the documents of a file: of JSON lines, of a JSON array, or the file as one.

    It is a file of JSON lines if its first line is a JSON object; then each is read by itself.
    """
    rest = iter(_lines(source))
    begin: list[bytes] = []
    try:
        for line in rest:
            begin.append(line if begin else without_mark(line))
            if line.strip():
                break
    except FormatError as error:
        yield Record("document 1", error)
        return
    if _is_object(begin[-1] if begin else b""):
        yield from lines(chain(begin, rest))
        return
    whole = _joined(chain(begin, rest))
    if whole is None:
        yield Record("document 1", _too_large())
    elif whole.lstrip()[:1] not in (b"[", b"{"):
        yield Record("document 1", whole)
    else:
        yield from _json(whole)


def _json(whole: bytes) -> Iterator[Record]:
    """Yield the documents of a JSON array, or the only one; of broken JSON, the lines, if one of them is whole."""
    try:
        if whole.lstrip().startswith(b"["):
            for number, one in enumerate(_array.decode(whole), 1):
                yield Record(f"document {number}", bytes(one))
            return
        _any.decode(whole)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        each = [*lines(whole)]
        if any(isinstance(one.found, bytes) and _is_object(one.found) for one in each):
            yield from each
            return
    yield Record("document 1", whole)


def _lines(source: bytes | Iterable[bytes]) -> Iterable[bytes]:
    return source.splitlines(keepends=True) if isinstance(source, bytes) else source


def _joined(pieces: Iterable[bytes]) -> bytes | None:
    """Return pieces as one; None if they are too large."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST:
            return None
        held.append(piece)
    return b"".join(held)


def _is_object(line: bytes) -> bool:
    if not line.lstrip().startswith(b"{"):
        return False
    try:
        _any.decode(line)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def _too_large() -> FormatError:
    return FormatError("it is larger than 64 MiB")
