"""Clocks that move only when something sleeps or a test moves them, and dice that always show the same."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from conversations_hub._transport import Clock

__all__ = ["NOW", "FakeClock", "ManualClock", "at"]

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def at(moment: datetime) -> Clock:
    """Return a clock that stands still."""
    return Clock(monotonic=lambda: 0.0, now=lambda: moment)


class FakeClock:
    """Hands out a `Clock`, and remembers who slept for how long."""

    def __init__(self, roll: float = 0.5) -> None:
        self.time = 1000.0
        self.slept: list[float] = []
        self.clock = Clock(
            monotonic=lambda: self.time,
            now=lambda: NOW + timedelta(seconds=self.time - 1000.0),
            sleep=self.sleep,
            roll=lambda: roll,
        )

    async def sleep(self, seconds: float) -> None:
        """Move time on at once, and let the others have their turn."""
        self.slept.append(seconds)
        self.time += seconds
        await asyncio.sleep(0)


class ManualClock:
    """A clock for the simulator that stands until a test moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    @property
    def clock(self) -> Clock:
        """The same moment as a hub's clock, where the simulator began at `NOW`."""
        return at(NOW + timedelta(seconds=self.seconds))
