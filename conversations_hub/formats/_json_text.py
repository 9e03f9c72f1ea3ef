"""Texts that are JSON, as arguments and results of tools usually are, inside of JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from .._nesting import holds_too_deep
from ..reading.json import try_decode_any

__all__ = ["as_json", "as_text"]


def as_json(text: str | None) -> Any:
    """Return the JSON of an object or a list itself, byte for byte, and any other text as it is."""
    if text is None or not text.startswith(("{", "[")) or "\n" in text or "\r" in text:
        return text
    found = try_decode_any(text)
    is_sound = isinstance(found, dict | list) and not holds_too_deep({"": found})
    return msgspec.Raw(text.encode()) if is_sound else text


def as_text(json: msgspec.Raw) -> str | None:
    """Return what `as_json` was made of."""
    text = bytes(json).decode()
    return msgspec.json.decode(text, type=str) if text.startswith('"') else text or None
