"""How much memory conversations take: while very many are streamed and none is kept, and where they are kept.

    python benchmarks/memory.py [CONVERSATIONS] [--smoke]

Of a stream, told is what the process holds once all have come, beyond what it held when a tenth had; it needs Linux.
Each stream has a process of its own, and so has the provider. A list remembers the ids it has brought, so that none
comes twice. Of what is kept, told is what Python allocated for 1,000 conversations, beside the same as `json.loads`
brings them and, where it is installed, as the provider's SDK does.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import tracemalloc
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import aclosing
from multiprocessing import get_context

import msgspec
from answering import SENTENCES, answering, conversation_id
from calls import PROVIDERS, Sent
from calls import conversations as sent_by
from measured import Figure, is_smoke, keep
from normalize import SHAPES, has_models, loaded, modelled, ours
from process import held

from conversations_hub import Account, Conversation, Hub

CONVERSATIONS = 200_000
TURNS = 40
KEPT = 104
"""What is read of every provider, and told as if it were a thousand; each shape as often."""
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


READ: Mapping[str, Callable[[Sent], object]] = {"hub": ours, "dicts": loaded, "SDK": modelled}
"""How conversations are read that are kept."""


def kept(provider: str, name: str, conversations: int) -> float:
    """Return the MB that a thousand conversations take, by so many."""
    sent = list(sent_by(provider, SHAPES, TURNS))
    for one in sent:
        READ[name](one)  # imports and caches
    gc.collect()
    tracemalloc.start()
    conversations_held = [READ[name](sent[number % SHAPES]) for number in range(conversations)]
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    assert len(conversations_held) == conversations
    return taken / 1e6 / conversations * 1000


def figures_of_kept(conversations: int) -> Iterator[Figure]:
    """Yield what conversations take that are kept, of every provider."""
    for provider in ("tavus",) if is_smoke() else PROVIDERS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as processes:
            names = [name for name in READ if name != "SDK" or has_models(provider)]
            asked = {name: processes.submit(kept, provider, name, conversations) for name in names}
            took = {name: process.result() for name, process in asked.items()}
        mine = took["hub"]
        what = f"1,000 kept conversations, {provider}"
        yield Figure(what=what, against=f"{took['dicts']:.1f} MB as dicts", value=mine, unit="MB")
        if "SDK" in took:
            less = took["SDK"] / mine
            yield Figure(what=what, against=f"models of the {provider} SDK", value=less, unit="× less")  # noqa: RUF001


def main() -> None:
    """Measure all of it."""
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
    figures += figures_of_kept(8 if is_smoke() else KEPT)
    keep("memory", figures, msgspec.to_builtins(details))


if __name__ == "__main__":
    main()
