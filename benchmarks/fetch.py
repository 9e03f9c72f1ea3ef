"""What a fetched conversation costs: `hub.get_many` against the least it takes, against httpx, and against SDKs.

    python benchmarks/fetch.py [--smoke]

A server on this machine has 40-turn conversations shaped as four providers send them, each at an address of its own;
every client fetches them 50 at a time, on the provider's own payload. Each measurement is a process of its own, so that
no client pays for what another imported, and they take turns, so that all have the same weather; slow ones fetch less
and sit out every other round. Clients that are not installed are left out, and named.
"""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import msgspec
from clients import CLIENTS, clients_of
from loopback import PATHS, Loopback, serve
from measured import Figure, is_smoke, keep
from shapes import TURNS, conversation_id, transcript

WARM_UP = 60
"""Conversations fetched before the clock runs; their text is compared, word for word."""
FLOOR = "aiohttp + msgspec, nothing else"


class Cost(msgspec.Struct):
    """What one conversation took, in microseconds."""

    cpu: float
    wall: float


async def measure(provider: str, name: str, base_url: str, conversations: int) -> Cost:
    """Fetch so many conversations, with connections open and caches warm."""
    said = {conversation_id(number): transcript(number) for number in range(WARM_UP)}
    fetched = turned = 0

    def compare(id: str, turns: Sequence[Any]) -> None:
        assert "\n".join(client.text(turn) or "" for turn in turns) == said.pop(id), f"{name} read another text"

    def count(_id: str, turns: Sequence[Any]) -> None:
        nonlocal fetched, turned
        fetched += 1
        turned += len(turns)

    async with CLIENTS[name](provider, base_url) as client:
        await client.fetch([*said], compare)
        assert not said, f"{name} left out {len(said)}"
        ids = [conversation_id(WARM_UP + number) for number in range(conversations)]
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        await client.fetch(ids, count)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert (fetched, turned) == (conversations, conversations * TURNS), f"{name} brought {fetched} with {turned} turns"
    return Cost(cpu / conversations * 1e6, wall / conversations * 1e6)


def measured_apart(provider: str, name: str, base_url: str, conversations: int) -> Cost:
    """Measure in a process of its own."""
    command = [sys.executable, __file__, "--client", provider, name, base_url, str(conversations)]
    told = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603
    return msgspec.json.decode(told.stdout, type=Cost)


Rounds = dict[int, Cost]
"""What a client took in each round that it was part of."""


def figures_of(provider: str, costs: Mapping[str, Rounds]) -> list[Figure]:
    """Return how the hub compares: the median, over the rounds, of what both took in the same round."""

    def ratio(above: str, below: str) -> float:
        both = costs[above].keys() & costs[below].keys()
        return median(costs[above][number].cpu / costs[below][number].cpu for number in both)

    what = f"CPU per fetch, {provider}"
    figures = [Figure(what=what, against=FLOOR, value=ratio("hub", "floor"), at_most=1.25)]
    for name in costs:
        if name == "aiohttp + json":
            figures.append(Figure(what=what, against=name, value=ratio("hub", name)))
        elif name not in {"hub", "floor"}:
            goal = 25.0 if name.endswith("SDK") else None
            less = ratio(name, "hub")
            figures.append(Figure(what=what, against=name, value=less, unit="× less", at_least=goal))  # noqa: RUF001
    return figures


def main() -> None:
    """Let all clients take turns."""
    rounds, many, few = (1, 20, 5) if is_smoke() else (5, 1000, 100)
    costs: dict[str, dict[str, Rounds]] = {provider: {name: {} for name in clients_of(provider)} for provider in PATHS}
    absent = CLIENTS.keys() - {name for names in costs.values() for name in names}
    if absent:
        print(f"not installed, so left out: {', '.join(sorted(absent))}")
    with serve(WARM_UP + many) as loopback:
        print(f"served by {loopback.server}")
        for number in range(rounds):
            for provider, names in costs.items():
                for name, measured in names.items():
                    is_slow = name.startswith("httpx") or name.endswith("SDK")
                    if not is_slow or number % 2 == 0:
                        measured[number] = measured_apart(provider, name, loopback.base_url, few if is_slow else many)
    told = {provider: {name: _median(found) for name, found in names.items()} for provider, names in costs.items()}
    _show(loopback, told)
    figures = [figure for provider, names in costs.items() for figure in figures_of(provider, names)]
    keep("fetch", figures, {"server": loopback.server, "bytes": loopback.sizes, "microseconds": told})


def _median(found: Rounds) -> dict[str, float]:
    return {
        "cpu": round(median(cost.cpu for cost in found.values()), 1),
        "wall": round(median(cost.wall for cost in found.values()), 1),
    }


def _show(loopback: Loopback, told: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    for provider, names in told.items():
        print(f"\n{f'{provider}, {loopback.sizes[provider]:,} bytes':<24}{'CPU µs':>12}{'wall µs':>12}")
        for name, cost in names.items():
            print(f"  {name:<22}{cost['cpu']:>12,.0f}{cost['wall']:>12,.0f}")
    print()


if __name__ == "__main__":
    if "--client" in sys.argv:
        provider, name, base_url, conversations = sys.argv[2:]
        cost = asyncio.run(measure(provider, name, base_url, int(conversations)))
        sys.stdout.write(msgspec.json.encode(cost).decode())
    else:
        main()
