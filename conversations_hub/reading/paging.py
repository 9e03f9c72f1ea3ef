"""The adapters' own part of a cursor: where a page begins. The hub keeps page size and filters beside it.

Until 0.3, the readers accept cursors that also hold a page size, as earlier versions wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, TypeVar

import msgspec

from ..errors import InvalidRefError, PaginationError, PayloadError
from .json import decode, try_decode
from .values import Id

__all__ = ["Position", "Stamp", "advance", "invalid_cursor", "read_json", "read_numbers", "read_position", "stamps_of"]

_T = TypeVar("_T")


def invalid_cursor(provider: str, expected: str) -> InvalidRefError:
    """Return the error for a cursor that the adapter did not make."""
    return InvalidRefError(f"invalid {provider} cursor: expected {expected}")


def read_numbers(cursor: str, pattern: re.Pattern[str], provider: str, expected: str) -> tuple[int, ...]:
    """Return the numbers that a pattern finds in a cursor; raise `InvalidRefError` if it does not fit."""
    found = pattern.fullmatch(cursor)
    if found is None:
        raise invalid_cursor(provider, expected)
    return tuple(map(int, found.groups()))


_OLD_PAGE_SIZE = re.compile(r"^\[[0-9]+,")


def read_json(cursor: str, decoder: msgspec.json.Decoder[_T], provider: str, expected: str) -> _T:
    """Decode a cursor that is a JSON array; raise `InvalidRefError` if it does not fit."""
    found = try_decode(_OLD_PAGE_SIZE.sub("[", cursor), decoder)
    if found is None:
        raise invalid_cursor(provider, expected)
    return found


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Where a page begins in a list that is paged by the instant of creation, newest first.

    Several rows may have the same instant, so a page begins at the instant of the last row of the page before, not
    after it.
    """

    at: Annotated[str, msgspec.Meta(min_length=1)]
    """The instant as the provider spells it; empty on the first page."""
    seen: tuple[str, ...]
    """Ids of rows of that instant that earlier pages had, and that are listed again; empty for a row without an id."""

    def __str__(self) -> str:
        return msgspec.json.encode(self).decode()


_position = msgspec.json.Decoder(Position)


def read_position(cursor: str | None, provider: str) -> Position:
    """Read a cursor that is a position, or none on the first page; raise `InvalidRefError` for any other."""
    return read_json(cursor, _position, provider, "[instant, [id, …]] as JSON") if cursor else Position("", ())


class Stamp(msgspec.Struct):
    """The members of a row that say where it is; declare those again that a provider calls otherwise."""

    id: Id | None = None
    created_at: str | None = None


def stamps_of(rows: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[_T]) -> list[_T]:
    """Read the stamp of each row; it is empty for an unreadable row, which the hub reports."""
    return [_stamp_of(row, decoder) for row in rows]


def _stamp_of(row: msgspec.Raw, decoder: msgspec.json.Decoder[_T]) -> _T:
    try:
        return decode(row, decoder, [])
    except PayloadError:
        return decode(b"{}", decoder)


def advance(
    rows: Sequence[msgspec.Raw], stamps: Sequence[Stamp], position: Position, full: int, *, has_more: bool | None = None
) -> tuple[list[msgspec.Raw], Position | None]:
    """Return the new rows of a page, and where the next page begins; None after the last page.

    `has_more` is whether the provider says that there are more rows; None if it does not say. Then a short page is not
    the end, but a page without new rows is, unless it has at least `full` rows.

    Raises:
        PaginationError: there may be more rows, but no instant leads to them.
    """
    fresh = _unseen(rows, stamps, position)
    new = [row for row, _ in fresh]
    instants = [one.created_at for _, one in fresh if one.created_at]
    if not instants and (len(rows) >= full if has_more is None else has_more):
        raise PaginationError(
            f"a page of {len(rows)} leads no further: its rows were all created at the instant where it begins, or do "
            "not say when"
        )
    if not instants or has_more is False:
        return new, None
    last = instants[-1]
    there = [
        "" if one.id is None else str(one.id)
        for _, one in fresh
        if one.created_at == last or (one.id is not None and not one.created_at)
    ]
    return new, Position(last, (*(position.seen if last == position.at else ()), *there))


def _unseen(
    rows: Sequence[msgspec.Raw], stamps: Sequence[Stamp], position: Position
) -> list[tuple[msgspec.Raw, Stamp]]:
    """Return the rows that were not seen; without an id, as many rows of the instant were seen as it has empty ids."""
    seen = {*position.seen}
    without_id = position.seen.count("")
    fresh: list[tuple[msgspec.Raw, Stamp]] = []
    for row, one in zip(rows, stamps, strict=True):
        if one.id is None and one.created_at == position.at and without_id:
            without_id -= 1
        elif one.id is None or str(one.id) not in seen:
            fresh.append((row, one))
    return fresh
