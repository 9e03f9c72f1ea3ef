"""What has changed in a store since a cursor: positions in the order of commits, and their texts."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec

from ..._packing import pack, unpack
from ...errors import InvalidRefError
from ...schema import Conversation

__all__ = ["BEGINNING", "Change", "Position", "read_position"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that was written or erased."""

    cursor: str
    """Continues after this change."""
    conversation: Conversation | None = None
    """As it is now; None: it was erased."""
    erased: str | None = None
    """Of an erased conversation, whose ref the store no longer knows: what `reader.digest(ref)` returns."""


class Position(NamedTuple):
    """A place in the order of commits: after a conversation of a revision, or after an erasure of one."""

    revision: int
    is_erasure: bool
    key: int
    """Of the conversation; after an erasure, that of the last one there may be."""
    digest: bytes
    """Of the erasure; empty after a conversation."""

    def text(self, store: bytes) -> str:
        """Return the cursor of this place in a store."""
        return pack((store, *self))


BEGINNING: Final = Position(-1, is_erasure=False, key=-1, digest=b"")

_place = msgspec.msgpack.Decoder(tuple[bytes, int, bool, int, bytes])
_LONGEST: Final = 200


def read_position(cursor: str, store: bytes, newest: int) -> Position:
    """Read the cursor of a store; `newest` is its revision.

    Raises:
        InvalidRefError: it is damaged, of another store, or of a later state than the store has.
    """
    found = unpack(cursor, _place, _LONGEST)
    if found is None:
        raise InvalidRefError("the cursor is invalid or damaged: pass a change's `cursor` exactly as it is")
    identity, revision, is_erasure, key, digest = found
    if identity != store:
        raise InvalidRefError("the cursor belongs to another store: start without one")
    if revision > newest:
        raise InvalidRefError("the store is older than the cursor, as after a restored backup: start without one")
    return Position(revision, is_erasure, key, digest)
