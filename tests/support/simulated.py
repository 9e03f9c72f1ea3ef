"""Hubs that read the simulator on loopback."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

from conversations_hub import Hub
from conversations_hub.adapters import BUILTIN
from conversations_hub.testing import Faults, Simulator

from .clock import NOW, FakeClock, ManualClock

__all__ = ["simulated"]


@asynccontextmanager
async def simulated(
    *providers: str,
    conversations: int = 60,
    seed: int = 7,
    present: Callable[[], float] | None = None,
    faults: Faults = Faults(),  # noqa: B008  (a frozen value)
    environ: dict[str, str] | None = None,
    **options: Any,
) -> AsyncGenerator[tuple[Hub, Simulator]]:
    """Serve simulated providers, and yield a hub for them that has the profile of a sync and never sleeps.

    Args:
        providers: Their names; all providers if none is named.
        conversations: Conversations of each.
        seed: Another seed makes other conversations.
        present: The simulator's clock, which starts at `NOW`; None: it stands still.
        faults: How the providers misbehave.
        environ: Variables that replace those of the simulator.
        options: Options of the hub.
    """
    async with Simulator(
        conversations=conversations,
        seed=seed,
        providers=providers or BUILTIN,
        now=NOW,
        clock=present or ManualClock(),
        faults=faults,
    ) as simulator:
        asked: dict[str, Any] = {"profile": "bulk", "clock": FakeClock().clock} | options
        async with Hub.from_env(environ=simulator.environment() | (environ or {}), **asked) as hub:
            yield hub, simulator
