"""Signed URLs as they may be stored: without the signature that grants access."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from ..schema import Conversation, Recording, RecordingAccess

__all__ = ["is_unsigned", "without_signatures"]

_UNSIGNED: Final = "?***"

# A query of a URL in JSON, or in JSON inside JSON, where backslashes may also precede a quotation mark.
_QUERY: Final = re.compile(rb'[?#](?:[^"\s\\]|\\+(?:u[0-9a-fA-F]{4}|/))*')
# What makes a query grant access: a parameter that signs it, or whose value is a JSON Web Token.
_SIGNS: Final = re.compile(
    rb"(?:[?#&;]|\\u0026)(?:[a-z0-9_.~-]*(?:signature|token|secret|password|credential|api[_-]?key)|sig|key|auth|jwt)="
    rb"|=eyJ[a-z0-9_-]+\.",
    re.IGNORECASE,
)
_encoder: Final = msgspec.json.Encoder()


def without_signatures(conversation: Conversation) -> Conversation:
    """Return a conversation as it may be stored: its signed URLs show the place, but do not grant access to it.

    `?***` replaces the query. A recording keeps the time at which its URL expires; `Hub.download` fetches a new URL.
    """
    changed: dict[str, Any] = {}
    if conversation.recordings:
        changed["recordings"] = tuple(map(_unsign_recording, conversation.recordings))
    kept = (conversation.links, conversation.metadata, conversation.analysis and conversation.analysis.collected)
    encoded = _encoder.encode(kept)
    if (unsigned := _unsign(encoded)) != encoded:
        links, metadata, collected = msgspec.json.decode(unsigned)
        changed |= {"links": links, "metadata": metadata}
        if conversation.analysis is not None:
            changed["analysis"] = msgspec.structs.replace(conversation.analysis, collected=collected)
    if conversation.raw is not None:
        changed["raw"] = _unsign(conversation.raw)
    return msgspec.structs.replace(conversation, **changed) if changed else conversation


def is_unsigned(recording: Recording) -> bool:
    """Whether the signature of its URL was removed."""
    return recording.location.endswith(_UNSIGNED)


def _unsign_recording(recording: Recording) -> Recording:
    place, mark, query = recording.location.partition("?")
    if not query:
        return recording
    is_signed = recording.access is RecordingAccess.SIGNED_URL or _SIGNS.search(f"{mark}{query}".encode())
    return msgspec.structs.replace(recording, location=place + _UNSIGNED) if is_signed else recording


def _unsign(text: bytes) -> bytes:
    return _QUERY.sub(lambda query: _UNSIGNED.encode() if _SIGNS.search(query[0]) else query[0], text)
