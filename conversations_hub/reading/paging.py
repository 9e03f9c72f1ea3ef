"""Cursors as adapters write them: where a page begins, and nothing else; page size and filters are kept by the hub.

Until 0.3 cursors are read that hold a page size as well, as they once did.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec

from ..errors import InvalidRefError, PaginationError, PayloadError
from .json import decode, try_decode
from .values import Id

__all__ = ["Place", "Stamp", "following", "invalid_cursor", "read_json", "read_numbers", "read_place", "stamps_of"]

T = TypeVar("T")


def invalid_cursor(provider: str, expected: str) -> InvalidRefError:
    """Return the error for a cursor that this adapter did not make."""
    return InvalidRefError(f"invalid {provider} cursor: expected {expected}")


def read_numbers(cursor: str, pattern: re.Pattern[str], provider: str, expected: str) -> tuple[int, ...]:
    """Return the numbers that a pattern finds in a cursor; raise `InvalidRefError` if it does not fit."""
    found = pattern.fullmatch(cursor)
    if found is None:
        raise invalid_cursor(provider, expected)
    return tuple(map(int, found.groups()))


_OLD_PAGE_SIZE = re.compile(r"^\[[0-9]+,")


def read_json(cursor: str, decoder: msgspec.json.Decoder[T], provider: str, expected: str) -> T:
    """Decode a cursor that is a JSON array; raise `InvalidRefError` if it does not fit."""
    found = try_decode(_OLD_PAGE_SIZE.sub("[", cursor), decoder)
    if found is None:
        raise invalid_cursor(provider, expected)
    return found


class Place(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page begins in a list that is walked by the instant of creation, the newest first.

    Several rows may be created at one instant, so a page begins at the instant of the last row of the page before, and
    not after it.
    """

    at: Annotated[str, msgspec.Meta(min_length=1)]
    """The instant as the provider spells it; empty on the first page."""
    seen: tuple[str, ...]
    """Ids of rows of that instant that were brought, and are listed again."""

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()


_place = msgspec.json.Decoder(Place)


def read_place(cursor: str | None, provider: str) -> Place:
    """Read a cursor that is a place, none for the first page; raise `InvalidRefError` for any other text."""
    return read_json(cursor, _place, provider, "[instant, [id, …]] as JSON") if cursor else Place("", ())


class Stamp(msgspec.Struct):
    """What says where a row stands; `rename` it for a provider with other names."""

    id: Id | None = None
    created_at: str | None = None


def stamps_of(rows: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[T]) -> list[T]:
    """Read the stamp of each row; an empty one for a row that cannot be read, which the hub sets apart."""
    return [_stamp_of(row, decoder) for row in rows]


def _stamp_of(row: msgspec.Raw, decoder: msgspec.json.Decoder[T]) -> T:
    try:
        return decode(row, decoder, [])
    except PayloadError:
        return decode(b"{}", decoder)


def following(
    rows: Sequence[msgspec.Raw], stamps: Sequence[Stamp], place: Place, full: int, *, has_more: bool | None = None
) -> tuple[list[msgspec.Raw], Place | None]:
    """Return the rows of a page that were not seen before, and where the next page begins; None after the last page.

    `has_more` is what the provider says, if it does. Otherwise a short page is not the end, and one that brings nothing
    new is, unless it holds as many rows as a `full` one.

    Raises:
        PaginationError: there may be more, and no instant leads there.
    """
    seen = {*place.seen}
    fresh = [(row, one) for row, one in zip(rows, stamps, strict=True) if one.id is None or str(one.id) not in seen]
    new = [row for row, _ in fresh]
    instants = [one.created_at for _, one in fresh if one.id is not None and one.created_at]
    if not instants and (len(rows) >= full if has_more is None else has_more):
        raise PaginationError(
            f"a page of {len(rows)} leads no further: its rows were all created at the instant where it begins, or do "
            "not say when"
        )
    if not instants or has_more is False:
        return new, None
    last = instants[-1]
    there = [str(one.id) for _, one in fresh if one.id is not None and (not one.created_at or one.created_at == last)]
    return new, Place(last, (*(place.seen if last == place.at else ()), *there))
