"""Time that moves only when somebody sleeps, and dice that always show the same."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from conversations_hub.transport import Clock

__all__ = ["FakeClock"]

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


class FakeClock:
    """Hands out a `Clock`, and remembers who slept for how long."""

    def __init__(self, roll: float = 0.5) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self.clock = Clock(
            monotonic=lambda: self.time,
            now=lambda: START + timedelta(seconds=self.time - 1000.0),
            sleep=self.sleep,
            roll=lambda: roll,
        )

    async def sleep(self, seconds: float) -> None:
        """Move time on at once, and let the others have their turn."""
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)
