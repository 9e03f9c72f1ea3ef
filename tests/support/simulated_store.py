"""A store of what simulated providers have, and what is true of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from conversations_hub.agents import Tool, tools
from conversations_hub.agents._budget import tokens_of
from conversations_hub.stores import open_store
from conversations_hub.sync import sync
from conversations_hub.testing.simulator._truth import Phase, Truth, Turn

from .agents import by_name
from .clock import NOW, at
from .simulated import simulated

__all__ = ["PROVIDERS", "Asked", "Call", "Happened", "asked", "filled", "refs_in"]

PROVIDERS = ("vapi", "elevenlabs", "retell", "telnyx")


class Happened(NamedTuple):
    """What is true of one conversation that has ended."""

    ref: str
    truth: Truth
    turns: tuple[Turn, ...]

    @property
    def has_broken_promise(self) -> bool:
        """Whether a tool failed that did not work later."""
        uses = [turn.tool for turn in self.turns if turn.tool]
        return any(
            use.is_error and all(later.is_error or later.name != use.name for later in uses[place:])
            for place, use in enumerate(uses)
        )


def filled(path: Path) -> tuple[Mapping[str, Tool], list[Happened]]:
    """Bring a store up to date with simulated providers; return tools over it, and what is true of what has ended."""
    happened = asyncio.run(_filled(path))
    return by_name(tools(store=str(path), clock=at(NOW))), happened


async def _filled(path: Path) -> list[Happened]:
    async with simulated(*PROVIDERS, conversations=60) as (hub, simulator):
        await sync(hub, open_store(str(path)))
        return [
            Happened(f"{provider}:{world.id(truth)}", truth, world.turns(truth))
            for provider, world in simulator.worlds.items()
            for truth in world.newest()
            if truth.phase(world.present) is Phase.SETTLED
        ]


Call = tuple[str, dict[str, Any]]
Step = Callable[[Sequence[str]], Call]
"""What a stand-in for a model calls next, after it read these answers."""


class Asked(NamedTuple):
    """What a stand-in for a model read."""

    answers: list[str]
    tokens: int


async def asked(functions: Mapping[str, Tool], *steps: Step) -> Asked:
    """Have a stand-in for a model call tools, each time after it read the answers so far."""
    answers: list[str] = []
    for step in steps:
        name, arguments = step(answers)
        answers.append(str(await functions[name](**arguments)))
    return Asked(answers, sum(map(tokens_of, answers)))


def refs_in(answer: str) -> Iterator[str]:
    """Yield the refs in an answer: of conversations, hits or calls."""
    return (found.partition("#")[0] for found in re.findall(r"^- (\w[\w/]*:[\w.-]+)", answer, re.MULTILINE))
