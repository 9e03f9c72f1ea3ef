"""What has changed in a store since a cursor: positions in the order of commits, and their texts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from heapq import merge
from operator import itemgetter
from typing import Final, NamedTuple, Protocol, runtime_checkable

import msgspec

from .._packing import pack, unpack
from ..errors import InvalidRefError, UnsupportedError
from ..schema import Conversation
from ._reader import StoreReader

__all__ = ["Change", "ChangeReader", "Identity", "Position", "changes_since", "end_of_changes", "remembering"]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that was written or erased."""

    cursor: str
    """Continues after this change."""
    conversation: Conversation | None = None
    """As it is now; None: it was erased."""
    erased: str | None = None
    """Of an erased conversation, whose ref the store no longer knows: what `reader.digest(ref)` returns."""


@runtime_checkable
class ChangeReader(StoreReader, Protocol):
    """Reads a store that remembers in which order conversations were written and erased."""

    def changes(self, cursor: str | None = None) -> Iterator[Change]:
        """Yield every conversation that was written or erased after a change's `cursor`, in the order of commits.

        Each comes once, as it is now; one that is written again comes again, further on. The cursor is valid for ever,
        in any process. Without one, the whole store comes. What is committed meanwhile comes at the end.

        Raises:
            InvalidRefError: the cursor is damaged, of another store, or of a later state than the store has.
        """
        ...

    def end_of_changes(self) -> str:
        """Return the cursor after everything that was written or erased until now."""
        ...

    def digest(self, ref: str) -> str:
        """Return the digest by which `changes` names a conversation that was erased."""
        ...


def remembering(reader: StoreReader) -> ChangeReader:
    """Return the reader of a store that remembers changes.

    Raises:
        UnsupportedError: this kind of store does not.
    """
    if isinstance(reader, ChangeReader):
        return reader
    raise UnsupportedError("this kind of store does not remember changes: sync into a SQLite or Postgres store")


class Identity(NamedTuple):
    """What distinguishes a store from others, and its revision."""

    salt: bytes
    revision: int

    @property
    def name(self) -> bytes:
        """What cursors call the store: its salt is not for others."""
        return sha256(self.salt).digest()[:_IDENTIFIED]


class Position(NamedTuple):
    """A place in the order of commits: after a conversation of a revision, or after an erasure of one."""

    revision: int
    is_erasure: bool
    key: int
    """Of the conversation; after an erasure, that of the last one there may be."""
    digest: bytes
    """Of the erasure; empty after a conversation."""

    @classmethod
    def written(cls, revision: int, key: int) -> Position:
        """Return the place after a conversation."""
        return cls(revision, is_erasure=False, key=key, digest=b"")

    @classmethod
    def erased(cls, revision: int, digest: bytes) -> Position:
        """Return the place after an erasure; those of a revision come after everything that is written in it."""
        return cls(revision, is_erasure=True, key=_LAST, digest=digest)

    def text(self, store: Identity) -> str:
        """Return the cursor of this place in a store."""
        return pack((store.name, *self))


Places = Iterator[tuple[Position, Change]]
Read = Callable[[Position, int], Places]
"""Yields what lies after a position and in no later revision than this, in order; the cursors are empty."""

_IDENTIFIED: Final = 8  # bytes
_LAST: Final = 2**63 - 1  # there is no larger key
_AFTER_ALL: Final = b"\xff" * 33  # after any digest
_BEGINNING: Final = Position.written(-1, -1)


def changes_since(
    cursor: str | None, identity: Callable[[], Identity], written: Read, erasures: Read
) -> Iterator[Change]:
    """See `ChangeReader.changes`."""
    store = identity()
    place = _BEGINNING if cursor is None else _position(cursor, store)
    done = -1
    while done < store.revision:
        # No further than what was erased until now is known.
        found = merge(written(place, store.revision), erasures(place, store.revision), key=itemgetter(0))
        for position, change in found:
            place = position
            yield msgspec.structs.replace(change, cursor=position.text(store))
        done, store = store.revision, identity()


def end_of_changes(store: Identity) -> str:
    """See `ChangeReader.end_of_changes`."""
    return Position.erased(store.revision, _AFTER_ALL).text(store)


_place = msgspec.msgpack.Decoder(tuple[bytes, int, bool, int, bytes])
_LONGEST: Final = 200


def _position(cursor: str, store: Identity) -> Position:
    found = unpack(cursor, _place, _LONGEST)
    if found is None:
        raise InvalidRefError("the cursor is invalid or damaged: pass a change's `cursor` exactly as it is")
    name, revision, is_erasure, key, digest = found
    if name != store.name:
        raise InvalidRefError("the cursor belongs to another store: start without one")
    if revision > store.revision:
        raise InvalidRefError("the store is older than the cursor, as after a restored backup: start without one")
    return Position(revision, is_erasure, key, digest)
