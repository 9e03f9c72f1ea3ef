"""A Tavus that a test scripts, and hubs that read it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from conversations_hub import Account, Hub

from .clock import FakeClock
from .server import Answer, Asked, Scripted, answer, serving

__all__ = ["AFTER", "START", "Tavus", "details", "row", "scripted", "tavus"]

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
AFTER = START + timedelta(days=1)


def row(number: int, **more: Any) -> dict[str, Any]:
    created = START + timedelta(minutes=number)
    return {
        "conversation_id": f"c{number}",
        "status": "ended",
        "persona_id": "p1",
        "created_at": created.isoformat(),
    } | more


def details(number: int, **more: Any) -> dict[str, Any]:
    said = [{"role": "user", "content": f"I am number {number}.", "seconds_from_start": 1.5, "duration": 2}]
    ready = {"event_type": "application.transcription_ready", "properties": {"transcript": said}}
    return row(number, events=[ready]) | more


class Tavus:
    """A Tavus of so many conversations, which can be told to answer otherwise."""

    def __init__(self, conversations: int = 25) -> None:
        self.rows = [row(number) for number in range(conversations)]
        self.special: dict[str, Answer] = {}
        """Answers by conversation id, or by "page N"."""

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        path, _, query = asked.target.partition("?")
        id = path.rpartition("/")[2]
        if id != "conversations":
            return self.special.get(id, answer(details(int(id[1:]))))
        parameters = dict(parameter.split("=") for parameter in query.split("&"))
        page, limit = int(parameters["page"]), int(parameters["limit"])
        rows = self.rows[(page - 1) * limit : page * limit]
        return self.special.get(f"page {page}", answer({"data": rows, "total_count": len(self.rows)}))


@asynccontextmanager
async def tavus(
    provider: Tavus | None = None, accounts: tuple[str, ...] = ("default",), **options: Any
) -> AsyncGenerator[tuple[Hub, Scripted]]:
    """Serve a Tavus, and yield a hub with the default profile."""
    async with (
        serving(provider or Tavus()) as server,
        Hub([Account("tavus", key="key", base_url=server.url, name=name) for name in accounts], **options) as hub,
    ):
        yield hub, server


@asynccontextmanager
async def scripted(provider: Tavus) -> AsyncGenerator[tuple[Hub, list[Asked]]]:
    """Serve a Tavus, and yield a hub that has the profile of a sync and never sleeps."""
    async with (
        serving(provider) as server,
        Hub([Account("tavus", key="key", base_url=server.url)], profile="bulk", clock=FakeClock().clock) as hub,
    ):
        yield hub, server.asked
