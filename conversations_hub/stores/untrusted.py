"""The one door to records that somebody else may have written: bounded, and refused in words whatever they hold."""

from __future__ import annotations

import zlib
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from io import BufferedIOBase
from typing import Annotated, Any, Final, cast

import msgspec

from ..errors import HubError, StoreError

__all__ = [
    "LARGEST",
    "UNREADABLE",
    "Instant",
    "decompress",
    "in_words",
    "instant_of",
    "json_value",
    "lines_of",
    "reading",
]

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""An aware datetime; a decoder refuses one without a time zone, which could be compared with none."""

UNREADABLE: Final = (
    *(ArithmeticError, AttributeError, EOFError, LookupError, RecursionError, TypeError, ValueError),
    *(msgspec.MsgspecError, zlib.error),
)
"""What a value of another type or shape than ours makes of those who read it."""

LARGEST: Final = 256 * 1024 * 1024  # bytes of a line or a payload; the largest answer of a provider has a quarter
_LAST_YEAR: Final = 9000
_MOST_LEVELS: Final = 400  # of lists in lists; what writes JSON ends at about a thousand


@contextmanager
def reading(what: object) -> Generator[None]:
    """Raise `StoreError` where what is read is nothing a store holds; no more is said of it than the kind of error."""
    try:
        yield
    except HubError:  # some of which are `ValueError` or `LookupError`, too
        raise
    except UNREADABLE as error:
        reason = in_words(error)
    else:
        return
    raise StoreError(f"{what}: {reason}")


def in_words(error: Exception) -> str:
    """Return what one of `UNREADABLE` means; what it says itself may be what somebody said."""
    return f"it holds a value that no store does ({type(error).__name__})"


def lines_of(file: BufferedIOBase) -> Iterator[bytes]:
    """Yield lines; raise `ValueError` where one is longer than any of ours."""
    while line := file.readline(LARGEST + 1):
        if len(line) > LARGEST:
            raise ValueError
        yield line


def decompress(packed: bytes) -> bytes:
    """Undo `zlib.compress`; raise `ValueError` where more comes of it than of any payload, or less than all."""
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(packed, LARGEST)
    if not unpacking.eof:
        raise ValueError
    return unpacked


def instant_of(text: str) -> datetime:
    """Read an instant; raise `ValueError` where it has no time zone, or lies where nothing could be added to it."""
    instant: datetime = msgspec.convert(text, Instant)
    if instant.year >= _LAST_YEAR:
        raise ValueError
    return instant


def json_value(text: str) -> Any:
    """Decode JSON; raise `ValueError` where it is nested so deeply that nothing could write it again."""
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
