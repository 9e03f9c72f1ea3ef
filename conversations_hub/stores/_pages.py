"""Pages of a store: what a list shows of each conversation, and places to continue from."""

from __future__ import annotations

from typing import Annotated, Final, NamedTuple

import msgspec

from .._packing import pack, unpack
from ..errors import InvalidRefError
from ..schema import Analysis, Conversation

__all__ = ["Place", "Row", "StorePage", "read_key", "read_place"]

_LONGEST: Final = 4096  # characters of a cursor; a ref has half as many at most
_Key = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # SQLite's integers
_place = msgspec.msgpack.Decoder(tuple[str, _Key | str])
_key = msgspec.msgpack.Decoder(_Key)


class Row(msgspec.Struct, frozen=True):
    """What a list shows of a conversation."""

    conversation: Conversation
    """Without transcript, participants, recordings, metadata, links, related ids, collected values and raw payload."""
    turns: int | None
    """How many turns its transcript has; None: it has none."""

    @classmethod
    def of(cls, one: Conversation) -> Row:
        """Return what a list shows of a whole conversation."""
        analysis = one.analysis and msgspec.structs.replace(one.analysis, collected=None)
        shown = msgspec.structs.replace(
            one,
            transcript=None,
            participants=(),
            recordings=(),
            metadata={},
            links={},
            related_ids={},
            raw=None,
            analysis=None if analysis == Analysis() else analysis,
        )
        return cls(shown, None if one.transcript is None else len(one.transcript))


class StorePage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a store's conversations."""

    rows: tuple[Row, ...]
    """Newest first."""
    cursor: str | None
    """Continues after this page; None: it is the last."""


class Place(NamedTuple):
    """A place in a store's conversations, newest first: after one of an instant."""

    at: str
    """In UTC, as text that sorts in order of time; empty: none."""
    key: int | str
    """What distinguishes it from others of the same instant."""

    def __str__(self) -> str:
        return pack(tuple(self))


def read_place(cursor: str, kind: type[int | str]) -> Place:
    """Read the cursor of a page; raise `InvalidRefError` if it is damaged or of another kind of store."""
    found = unpack(cursor, _place, _LONGEST)
    if found is None or not isinstance(found[1], kind):
        raise _invalid()
    return Place(*found)


def read_key(cursor: str) -> int:
    """Read a cursor that holds a number; raise `InvalidRefError` if it is damaged."""
    found = unpack(cursor, _key, _LONGEST)
    if found is None:
        raise _invalid()
    return found


def _invalid() -> InvalidRefError:
    return InvalidRefError("the cursor is invalid or damaged: pass a page's `cursor` exactly as it is")
