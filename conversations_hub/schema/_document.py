"""A conversation as a JSON document: its `ref`, followed by the members that `msgspec.json.encode` writes."""

from __future__ import annotations

from typing import Final

import msgspec

from . import Conversation

__all__ = ["document"]

_encoder: Final = msgspec.json.Encoder()


def document(conversation: Conversation) -> bytes:
    """Return a conversation as JSON; `msgspec.json.decode(document, type=Conversation)` reads an equal one back."""
    return b'{"ref":%s,%s' % (_encoder.encode(conversation.ref), _encoder.encode(conversation)[1:])
