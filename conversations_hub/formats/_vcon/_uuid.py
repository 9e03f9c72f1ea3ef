"""The uuid of a vCon; from the conversation itself, so the same one gives the same uuid."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha1, sha256
from uuid import UUID

from ...schema import Conversation
from .._instants import EPOCH

__all__ = ["uuid_of"]


def uuid_of(conversation: Conversation, domain: str) -> str:
    """Return a uuid of version 8: the instant, and the producer's domain.

    The plain recipe of the drafts tells only 4,096 conversations of one millisecond apart, so the conversation's own
    name is a part of the domain.
    """
    begin = conversation.created_at or conversation.started_at or EPOCH
    milliseconds = max((begin - EPOCH) // timedelta(milliseconds=1), 0)
    name = f"{conversation.provider}/{conversation.account}:{conversation.id}"
    digits = sha256(name.encode()).hexdigest()
    hashed = sha1(f"{digits[:32]}.{domain}".encode(), usedforsecurity=False).digest()
    low = int.from_bytes(hashed[:8]) >> 2
    return str(UUID(int=milliseconds << 80 | 8 << 76 | int(digits[32:35], 16) << 64 | 2 << 62 | low))
