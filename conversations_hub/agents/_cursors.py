"""Cursors of tools: where an answer ended, and which arguments it belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final, NamedTuple

import msgspec

from .._packing import pack, unpack
from ..errors import InvalidRefError

__all__ = ["Cursors"]

_LONGEST: Final = 2_000
_DIGEST: Final = 6  # bytes


class _Packed(NamedTuple):
    arguments: bytes
    place: Any


_decoder: Final = msgspec.msgpack.Decoder(_Packed)


class Cursors:
    """The cursors of one call of a tool.

    Args:
        tool: Its name.
        arguments: Those that decide what the answer is about.
    """

    def __init__(self, tool: str, arguments: Mapping[str, object]) -> None:
        asked = msgspec.json.encode([tool, *sorted((name, str(value)) for name, value in arguments.items())])
        self._arguments = sha256(asked).digest()[:_DIGEST]

    def at(self, place: object) -> str:
        """Return the cursor of a place."""
        return pack(_Packed(self._arguments, place))

    def read(self, cursor: str | None, kind: type[Any]) -> Any:
        """Return the place of a cursor, of this kind; None without a cursor.

        Raises:
            InvalidRefError: it is damaged, or belongs to a call with other arguments.
        """
        if cursor is None:
            return None
        packed = unpack(cursor, _decoder, _LONGEST)
        if packed is None:
            raise InvalidRefError(
                "this is no cursor: copy it whole from the last answer, or leave it out to begin again"
            )
        if packed.arguments != self._arguments:
            raise InvalidRefError(
                "the cursor belongs to a call with other arguments: repeat those, or leave the cursor out"
            )
        try:
            return msgspec.convert(packed.place, kind)
        except msgspec.ValidationError:
            pass
        raise InvalidRefError("the cursor is damaged: leave it out to begin again")
