"""Read records that others may have written: bounded in size, and with a clear error whatever they contain."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BufferedIOBase
from typing import Annotated, Any, Final, cast

import msgspec

from .._nesting import holds_too_deep
from ..errors import HubError, StoreError
from ..schema import Conversation

__all__ = [
    "LARGEST",
    "UNREADABLE",
    "Instant",
    "check_values",
    "conversation_in",
    "decompress",
    "in_words",
    "instant_of",
    "json_value",
    "lines_of",
    "reading",
]

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware datetime; a decoder refuses one without a time zone, because it could not be compared with others."""

UNREADABLE: Final = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, RecursionError, TypeError, ValueError),
    *(msgspec.MsgspecError, zlib.error),
)
"""The exceptions that values of another type or shape than ours cause in the code that reads them."""

_LONGEST_REF: Final = 2_000
"""Characters of a ref; every turn of an export repeats it, and no known id has 600."""

LARGEST: Final = 256 * 1024 * 1024  # bytes of a line or a payload; the largest provider answer is a quarter of that
_LAST_YEAR: Final = 9000
_conversation: Final = msgspec.json.Decoder(Conversation)
_MOST_LEVELS: Final = 400  # of nesting; JSON encoders give up at about a thousand


@contextmanager
def reading(what: object) -> Generator[None]:
    """Turn errors of invalid content into a `StoreError`, which quotes none of the content.

    `what` says in the error what was being read.
    """
    try:
        yield
    except HubError:  # some are `ValueError` or `LookupError`, too
        raise
    except UNREADABLE as error:
        reason = in_words(error)
    else:
        return
    raise StoreError(f"{what}: {reason}")


def in_words(error: Exception) -> str:
    """Describe one of `UNREADABLE` without its message, which may quote a conversation."""
    return f"it contains an invalid value ({type(error).__name__})"


def lines_of(file: BufferedIOBase) -> Iterator[bytes]:
    """Yield lines; raise `ValueError` if one is longer than `LARGEST`."""
    while line := file.readline(LARGEST + 1):
        if len(line) > LARGEST:
            raise ValueError
        yield line


def decompress(packed: bytes) -> bytes:
    """Reverse `zlib.compress`; raise `ValueError` if the result is larger than `LARGEST`, or incomplete."""
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(packed, LARGEST)
    if not unpacking.eof:
        raise ValueError
    return unpacked


def instant_of(text: str) -> datetime:
    """Parse an instant; raise `ValueError` if it has no time zone, or is so late that adding to it could overflow."""
    instant: datetime = msgspec.convert(text, datetime)
    _check_bounds(instant)
    return instant


def _check_bounds(instant: datetime) -> None:
    """Raise `ValueError` if an instant has no time zone, or is so late that adding to it could overflow."""
    if instant.tzinfo is None or instant.year >= _LAST_YEAR:
        raise ValueError


def conversation_in(document: bytes) -> Conversation:
    """Decode a conversation from JSON; raise one of `UNREADABLE` for what none of ours holds.

    That is an instant without a time zone, or so late that adding to it could overflow; a cost without end; a ref that
    is too long to be repeated; JSON that is nested too deeply.
    """
    one = _conversation.decode(document)
    check_values(one)
    collected = one.analysis.collected if one.analysis is not None else None
    if holds_too_deep(one.metadata) or holds_too_deep(collected or {}):
        raise ValueError
    return one


def check_values(one: Conversation) -> None:
    """Raise `ValueError` for an instant, a cost or a ref that none of ours has; see `conversation_in`."""
    instants = (one.created_at, one.started_at, one.ended_at, one.updated_at)
    for instant in (*instants, *(each.expires_at for each in one.recordings)):
        if instant is not None:
            _check_bounds(instant)
    if len(one.ref) > _LONGEST_REF or (one.cost is not None and not one.cost.amount.is_finite()):
        raise ValueError


def json_value(text: str) -> Any:
    """Decode JSON; raise `ValueError` if it is nested so deeply that it could not be encoded again."""
    value = msgspec.json.decode(text)
    if text.count("[") + text.count("{") > _MOST_LEVELS:
        level: list[object] = [value]
        for _ in range(_MOST_LEVELS):
            level = [inner for one in level for inner in _members(one)]
        if level:
            raise ValueError
    return value


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else ()
