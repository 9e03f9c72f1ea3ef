"""Time and randomness, passed in so that tests can pass in their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import msgspec

__all__ = ["Clock"]


def _now() -> datetime:
    return datetime.now(UTC)


class Clock(msgspec.Struct, frozen=True):
    """Time and randomness; spans in seconds."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = _now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    roll: Callable[[], float] = random.random
