"""Run a format: one conversation, or any number of them, one at a time."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from typing import Any, Final

import msgspec

from .._nesting import holds_too_deep
from ..errors import FormatError, InvalidRefError, UnsupportedError
from ..schema import Conversation
from ._format import Dumped, Format, Loaded, NoOptions
from ._losses import count_losses
from ._records import Record, documents, lines

__all__ = ["NAMES", "dump", "dump_all", "dump_each", "find", "load", "load_all", "options_of"]

_HOMES: Final = {
    "jsonl": "_jsonl",
    "csv": "_csv",
    "vcon": "_vcon",
    "openai": "_openai",
    "sharegpt": "_sharegpt",
    "otel": "_otel",
    "otlp": "_otlp",
    "vtt": "_webvtt",
    "srt": "_srt",
    "md": "_markdown",
    "text": "_text",
}
NAMES: Final = tuple(_HOMES)
"""The names of all formats."""


@cache
def find(name: str) -> Format:
    """Return a format by its name; its module is imported now.

    Raises:
        InvalidRefError: there is no format of that name.
    """
    if name not in _HOMES:
        raise InvalidRefError(f"there is no format {name!a}: choose from {', '.join(NAMES)}")
    found: Format = import_module(f".{_HOMES[name]}", __package__).FORMAT
    return found


def options_of(format: Format, given: dict[str, Any]) -> NoOptions:
    """Return a format's options, made of their names and values.

    Raises:
        InvalidRefError: the format has no such option, or a value does not fit.
    """
    if not given:
        return format.options()
    known = [field.name for field in msgspec.structs.fields(format.options)]
    for name in given:
        if name not in known:
            choices = f"it has {', '.join(known)}" if known else "it has none"
            raise InvalidRefError(f"{format.name} has no option {name!a}: {choices}")
    try:
        return msgspec.convert(given, format.options, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidRefError(f"an option of {format.name} does not fit: {error}") from None


def dump(conversation: Conversation, name: str, **options: Any) -> bytes:
    """Return one conversation in a format, as a file of its own: a document, a line, or a table of its rows.

    The same conversation and options give the same bytes, in UTF-8.

    Raises:
        FormatError: the format cannot hold this conversation.
        InvalidRefError: there is no such format or option.
    """
    format = find(name)
    chosen = options_of(format, options)
    written = _dumped(format, conversation, chosen, Counter())
    return written + b"\n" if format.framing == "line" else _head(format, chosen) + written


def dump_all(
    conversations: Iterable[Conversation], name: str, write: Callable[[bytes], object], **options: Any
) -> Dumped:
    """Write conversations in a format, one at a time, and return what became of them.

    `write` gets a line or the rows of a conversation, and the head of a table before the first; of a format whose
    documents are files of their own, it gets one whole document at each call. A conversation that the format cannot
    hold is skipped and counted.

    Raises:
        InvalidRefError: there is no such format or option.
    """
    format = find(name)
    chosen = options_of(format, options)
    dumped = Dumped()
    if head := _head(format, chosen):
        write(head)
    for _, written in dump_each(conversations, format, chosen, dumped):
        write(written)
    return dumped


def dump_each(
    conversations: Iterable[Conversation], format: Format, options: NoOptions, dumped: Dumped
) -> Iterator[tuple[Conversation, bytes]]:
    """Yield conversations with what is to be written of each, without the head of a table; count in `dumped`."""
    ending = b"\n" if format.framing == "line" else b""
    writes = format.writes(options) if callable(format.writes) else format.writes
    for conversation in conversations:
        lost: Counter[str] = Counter()
        try:
            written = _dumped(format, conversation, options, lost)
        except FormatError as error:
            dumped.skipped[error.reason] += 1
            continue
        count_losses(conversation, writes, lost)
        dumped.lost.update(lost)
        dumped.written += 1
        yield conversation, written + ending


def _head(format: Format, options: NoOptions) -> bytes:
    return format.head if isinstance(format.head, bytes) else format.head(options)


def _dumped(format: Format, conversation: Conversation, options: NoOptions, lost: Counter[str]) -> bytes:
    try:
        return format.dump(conversation, options, lost)
    except UnicodeEncodeError:
        reason = "it holds half of a surrogate pair, which is not text"
    except RecursionError:
        reason = "it is nested too deeply"
    raise FormatError(reason)


def load(data: bytes, name: str, **options: Any) -> Conversation:
    """Return the conversation of one document or line in a format. Nothing is fetched, whatever it names.

    Raises:
        FormatError: it is not in this format; the error never quotes it.
        UnsupportedError: this format is only written.
        InvalidRefError: there is no such format or option.
    """
    format = find(name)
    return _loaded(_loader(format), data, options_of(format, options))


def load_all(source: bytes | Iterable[bytes], name: str, **options: Any) -> Iterator[Loaded]:
    """Yield the conversation of each record, or an error with its place where a record is not in the format.

    A record is a line, a document of a JSON array or of JSON lines, or the only document. `source` is a file's bytes
    or its lines, such as a file that is open for bytes. A file of lines is read line by line; anything else is held in
    memory, 64 MiB at most.

    Raises:
        UnsupportedError: this format is only written.
        InvalidRefError: there is no such format or option.
    """
    format = find(name)
    loader, chosen = _loader(format), options_of(format, options)
    records = lines(source) if format.framing == "line" else documents(source)
    return (_read(record, loader, chosen) for record in records)


_Load = Callable[[bytes, Any], Conversation]


def _loader(format: Format) -> _Load:
    if format.load is None:
        raise UnsupportedError(f"{format.name} is only written, not read")
    return format.load


def _read(record: Record, loader: _Load, options: NoOptions) -> Loaded:
    if isinstance(record.found, FormatError):
        return Loaded(place=record.place, error=record.found)
    try:
        return Loaded(place=record.place, conversation=_loaded(loader, record.found, options))
    except FormatError as error:
        return Loaded(place=record.place, error=error)


def _loaded(loader: _Load, data: bytes, options: NoOptions) -> Conversation:
    with _in_our_words():
        found = loader(data, options)
        for instant in (found.created_at, found.started_at, found.ended_at, found.updated_at):
            if instant is not None and instant.tzinfo is None:
                raise FormatError("an instant has no time zone")
        if holds_too_deep(found.metadata) or (found.analysis and holds_too_deep(found.analysis.collected or {})):
            raise FormatError("it is nested too deeply")
        return found
    raise AssertionError  # unreachable


_PLACE: Final = re.compile(r" - at `(\$[^`]*)`\Z")


@contextmanager
def _in_our_words() -> Generator[None]:
    """Turn errors of content that is not in a format into a `FormatError`, which quotes none of the content."""
    try:
        yield
    except msgspec.ValidationError as error:
        place = _PLACE.search(str(error))
        reason = f"a value does not fit at {place[1]}" if place else "a value does not fit"
    except msgspec.MsgspecError:
        reason = "it is not JSON"
    except UnicodeDecodeError:
        reason = "it is not UTF-8"
    except RecursionError:
        reason = "it is nested too deeply"
    else:
        return
    raise FormatError(reason)
