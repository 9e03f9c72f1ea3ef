"""The uuid of a vCon, and its instants; all from the conversation itself, so the same one gives the same vCon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from math import isfinite
from typing import Final
from uuid import UUID

from ...schema import Conversation

__all__ = ["EPOCH", "after", "microseconds", "text_of", "text_of_microseconds", "uuid_of"]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND


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


def microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970."""
    return (instant - EPOCH) // _MICROSECOND


def after(begin: int, seconds: float) -> int | None:
    """Return microseconds since 1970, some seconds later; None if that is no instant in the years 1 to 9999."""
    if not isfinite(seconds) or abs(seconds) > _LAST:
        return None
    found = begin + round(seconds * 1_000_000)
    return found if _FIRST <= found <= _LAST else None


def text_of(instant: datetime) -> str:
    """Return an instant as RFC 3339 tells it, in milliseconds if these are exact."""
    return text_of_microseconds(microseconds(instant))


def text_of_microseconds(since: int) -> str:
    """Return microseconds since 1970 as RFC 3339 tells them, in milliseconds if these are exact."""
    text = (EPOCH + timedelta(microseconds=since)).isoformat()[:19]
    milliseconds, rest = divmod(since % 1_000_000, 1000)
    return f"{text}.{milliseconds:03}{rest:03}Z" if rest else f"{text}.{milliseconds:03}Z"
