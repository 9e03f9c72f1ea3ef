"""Cursors: opaque text for a place in one account's list, where a walk continues in any process and at any later time.

A cursor holds no key and no conversation data: ids and filters are digests, the adapter's own cursor is as it is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from .._packing import pack, unpack
from ..adapter import Query
from ..errors import InvalidRefError

__all__ = ["Place", "digest", "digests"]

_LONGEST: Final = 512 * 1024  # characters; the longest are from adapters that keep the ids of a whole page
_DIGEST: Final = 6  # bytes; a page's rows are mistaken for others of a million once in three million walks
_FILTERS: Final = ("since", "until", "status", "agent", "provider_options", "updated_since")
_FEWER: Final = len(_FILTERS) - 1  # as cursors of 0.1 have them


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A place in one account's list: a page, and how much of it was delivered."""

    layout: Literal[1] = 1
    where: str
    """"provider/account", followed by ":resource" if only that was walked."""
    resource: str = "list"
    """Name of the list's resource; "list": the main one."""
    page_size: int | None
    """Rows to request per page; None: the adapter's own choice."""
    newest_first: bool = False
    """Whether the rows were requested newest first, if the provider lists them in another order."""
    filters: bytes
    """A digest of each filter, in a fixed order."""
    page: str | None = None
    """The adapter's own cursor, where the page begins; None: the first page."""
    passed: int = 0
    """How many readable rows of that page were delivered or filtered out."""
    marks: bytes = b""
    """Digests of the ids of the last of these; if there are none, of earlier rows that may be listed here again."""
    unreadable: int = 0
    """How many rows of that page could not be read; they were reported."""
    trail: bytes = b""
    """Digests of the last cursors of the adapter that led there."""

    def __str__(self) -> str:
        return pack(self)

    @classmethod
    def read(cls, cursor: str | None, where: str, query: Query, lists: Collection[str] = ("list",)) -> Place:
        """Read a cursor; raise `InvalidRefError` if it is invalid, or not for this account and these filters."""
        place = _unpack(cursor)
        wrong = _wrong_with(place, where, query, lists)
        if place is not None and wrong is None:
            return place
        del place  # it may hold a link, and an error exposes the variables of its frames
        raise InvalidRefError(f"{wrong}")


def _wrong_with(place: Place | None, where: str, query: Query, lists: Collection[str]) -> str | None:
    if place is None or (place.where == where and place.resource not in lists):
        return "the cursor is invalid or damaged: pass a page's `cursor` exactly as it is, or start without one"
    if place.where != where:
        return f"the cursor does not belong to {where}: continue with the account whose page it came from"
    pairs = zip(_FILTERS, split(place.filters), split(digests(query)), strict=True)
    others = [name for name, before, now in pairs if before != now]
    if others:
        return (
            f"the cursor belongs to a walk with another {' and another '.join(others)}: continue with the same filters,"
            " or start without a cursor"
        )
    return None


_place = msgspec.msgpack.Decoder(Place)


def _unpack(cursor: object) -> Place | None:
    place = unpack(cursor, _place, _LONGEST)
    if place is not None and len(place.filters) == _FEWER * _DIGEST:
        place = msgspec.structs.replace(place, filters=place.filters + digest(""))
    return None if place is None or len(place.filters) != len(_FILTERS) * _DIGEST else place


def digest(text: str) -> bytes:
    """Return a short digest, by which a text is recognized."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:_DIGEST]


def split(together: bytes) -> list[bytes]:
    """Return the single digests of a concatenation."""
    return [together[begin : begin + _DIGEST] for begin in range(0, len(together), _DIGEST)]


def digests(query: Query) -> bytes:
    """Return a digest of each filter, regardless of the order and the time zones that they were given in."""
    options = msgspec.json.encode(query.options, order="deterministic", enc_hook=repr) if query.options else b""
    span = (_instant(query.since), _instant(query.until))
    filters = (*span, query.status or "", query.agent or "", options.decode(), _instant(query.updated_since))
    return b"".join(map(digest, filters))


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).isoformat()
