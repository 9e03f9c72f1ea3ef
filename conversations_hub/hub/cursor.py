"""The opaque text that names a place in one account's list: where a walk goes on, in any process, however much later.

It holds no key and nothing of a conversation: ids and filters are in it as digests, the adapter's own cursor as it is.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final, Literal

import msgspec

from ..adapter import Query
from ..errors import InvalidRefError

__all__ = ["Place", "digest", "digests"]

_LONGEST: Final = 512 * 1024  # characters; the longest are those of adapters that keep the ids of a whole page
_DIGEST: Final = 6  # bytes; a page's rows are taken for others of a million once in three million walks
_FILTERS: Final = ("since", "until", "status", "agent", "provider_options")


class Place(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A place in one account's list: a page, and what of it has been brought."""

    layout: Literal[1] = 1
    where: str
    """"provider/account", with ":resource" behind it where only that was walked."""
    resource: str = "list"
    """Whose list it is; "list": the main one's."""
    page_size: int | None
    """Rows that are asked for at a time; None: the adapter's own choice."""
    newest_first: bool = False
    """Whether the rows were wanted newest first, where the provider lists them otherwise."""
    filters: bytes
    """A digest of each filter, in a fixed order."""
    page: str | None = None
    """The adapter's own cursor, where the page begins; None: it is the first."""
    passed: int = 0
    """How many readable rows of that page have been brought, or were looked at and not wanted."""
    marks: bytes = b""
    """Digests of the ids of the last of these; where there are none, of earlier rows that may be listed here again."""
    unreadable: int = 0
    """How many rows of that page nobody could read; they have been told."""
    trail: bytes = b""
    """Digests of the adapter's cursors that led there, the last ones."""

    def __str__(self) -> str:
        packed = msgspec.msgpack.encode(self)
        checked = packed + binascii.crc32(packed).to_bytes(4, "big")
        return base64.urlsafe_b64encode(checked).rstrip(b"=").decode()

    @classmethod
    def read(cls, cursor: str | None, where: str, query: Query, lists: Collection[str] = ("list",)) -> Place:
        """Read a cursor; raise `InvalidRefError` where it is none, or not one of this account and these filters."""
        place = _unpacked(cursor)
        wrong = _wrong_with(place, where, query, lists)
        if place is not None and wrong is None:
            return place
        del place  # it may hold a link, and an error shows the variables of its frames
        raise InvalidRefError(f"{wrong}")


def _wrong_with(place: Place | None, where: str, query: Query, lists: Collection[str]) -> str | None:
    if place is None or (place.where == where and place.resource not in lists):
        return "that is no cursor, or a damaged one: pass a page's `cursor` on exactly as it is, or begin without one"
    if place.where != where:
        return f"the cursor is not one of {where}: go on with the account whose page it came from"
    pairs = zip(_FILTERS, split(place.filters), split(digests(query)), strict=True)
    others = [name for name, before, now in pairs if before != now]
    if others:
        return (
            f"the cursor belongs to a walk with another {' and another '.join(others)}: go on with the filters that one"
            " had, or begin without a cursor"
        )
    return None


def _unpacked(cursor: object) -> Place | None:
    if not isinstance(cursor, str) or len(cursor) > _LONGEST:
        return None
    try:
        checked = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        packed, check = checked[:-4], checked[-4:]
        place = msgspec.msgpack.decode(packed, type=Place)
    except (ValueError, msgspec.MsgspecError):
        return None
    if binascii.crc32(packed).to_bytes(4, "big") != check or len(place.filters) != len(_FILTERS) * _DIGEST:
        return None
    return place


def digest(text: str) -> bytes:
    """Return what a text can be known again by."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:_DIGEST]


def split(together: bytes) -> list[bytes]:
    """Return the digests of a row of them."""
    return [together[begin : begin + _DIGEST] for begin in range(0, len(together), _DIGEST)]


def digests(query: Query) -> bytes:
    """Return a digest of each filter, whatever the order and the time zone they were given in."""
    options = msgspec.json.encode(query.options, order="deterministic", enc_hook=repr) if query.options else b""
    filters = (_instant(query.since), _instant(query.until), query.status or "", query.agent or "", options.decode())
    return b"".join(map(digest, filters))


def _instant(instant: datetime | None) -> str:
    return "" if instant is None else instant.astimezone(UTC).isoformat()
