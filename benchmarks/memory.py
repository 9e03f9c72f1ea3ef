"""How much the memory in use grows while very many conversations are streamed and none is kept. It needs Linux.

    python benchmarks/memory.py [CONVERSATIONS] [--smoke]

Told is what the process holds once all have come, beyond what it held when a tenth had. Each stream has a process of
its own, and so has the provider. A list remembers the ids it has brought, so that none comes twice.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from multiprocessing import get_context

import msgspec
from answering import SENTENCES, answering, conversation_id
from measured import Figure, is_smoke, keep
from process import held

from conversations_hub import Account, Conversation, Hub

CONVERSATIONS = 200_000
TURNS = 40
MOST = {"get_many": 10.0, "list": 30.0}  # MB, for so many

_SAMPLES = 100


class Streamed(msgspec.Struct, frozen=True):
    """How it went."""

    held: list[float]
    """MB in use, each time another hundredth had come."""
    seconds: float

    @property
    def growth(self) -> float:
        """MB from the first tenth to the end."""
        return self.held[-1] - self.held[_SAMPLES // 10 - 1]

    @property
    def most(self) -> float:
        """MB from the first tenth to the most there were after it."""
        return max(self.held[_SAMPLES // 10 :]) - self.held[_SAMPLES // 10 - 1]


async def get_many(hub: Hub, conversations: int) -> AsyncGenerator[Conversation]:
    """Get them by their ids."""
    async with aclosing(hub.get_many(f"tavus:{conversation_id(number)}" for number in range(conversations))) as found:
        async for outcome in found:
            assert outcome.conversation is not None, outcome.error
            assert outcome.conversation.text.endswith(SENTENCES["English"])
            yield outcome.conversation


async def walk(hub: Hub, _conversations: int) -> AsyncGenerator[Conversation]:
    """List them, as summaries."""
    async for conversation in hub.list("tavus"):
        yield conversation


STREAMS: Mapping[str, Callable[[Hub, int], AsyncGenerator[Conversation]]] = {"get_many": get_many, "list": walk}


async def stream(name: str, url: str, conversations: int) -> Streamed:
    """Stream them, and watch."""
    samples: list[float] = []
    came = 0
    began = time.perf_counter()
    account = Account("tavus", key="key", base_url=url)
    async with Hub([account], profile="bulk") as hub, aclosing(STREAMS[name](hub, conversations)) as found:
        async for conversation in found:
            assert conversation.provider == "tavus"
            came += 1
            if came * _SAMPLES // conversations > len(samples):
                samples.append(held())
    assert came == conversations
    return Streamed(samples, time.perf_counter() - began)


def streamed(name: str, url: str, conversations: int) -> Streamed:
    """Stream them in this process."""
    return asyncio.run(stream(name, url, conversations))


def main() -> None:
    """Measure both."""
    conversations = 1_000 if is_smoke() else CONVERSATIONS
    conversations = next((int(word) for word in sys.argv[1:] if word.isdigit()), conversations)
    assert conversations >= _SAMPLES
    figures: list[Figure] = []
    details: dict[str, Streamed] = {}
    for name, most in MOST.items():
        with (
            answering("tavus", conversations, TURNS) as url,
            ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process,
        ):
            went = details[name] = process.submit(streamed, name, url, conversations).result()
        what, against = f"{name}, {conversations:,} conversations", f"{went.held[9]:.0f} MB after a tenth of them"
        figures.append(Figure(what=what, against=against, value=went.growth, unit="MB", at_most=most))
        print(f"  {name}: {went.seconds:.0f} s; at most {went.most:.1f} MB above the first tenth")
    keep("memory", figures, msgspec.to_builtins(details))


if __name__ == "__main__":
    main()
