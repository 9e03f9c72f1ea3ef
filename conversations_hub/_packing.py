"""Opaque texts for values that come back from callers: packed, checked for damage, and safe in URLs."""

from __future__ import annotations

import base64
import binascii
from typing import TypeVar

import msgspec

__all__ = ["pack", "unpack"]

T = TypeVar("T")


def pack(value: object) -> str:
    """Return a value as text with a checksum."""
    packed = msgspec.msgpack.encode(value)
    checked = packed + binascii.crc32(packed).to_bytes(4, "big")
    return base64.urlsafe_b64encode(checked).rstrip(b"=").decode()


def unpack(text: object, decoder: msgspec.msgpack.Decoder[T], longest: int) -> T | None:
    """Return the value of a text; None if it has more than `longest` characters, or is not exactly as it was packed."""
    if not isinstance(text, str) or len(text) > longest:
        return None
    try:
        checked = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        packed, check = checked[:-4], checked[-4:]
        return decoder.decode(packed) if binascii.crc32(packed).to_bytes(4, "big") == check else None
    except (ValueError, msgspec.MsgspecError):
        return None
