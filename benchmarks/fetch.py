"""What a fetched conversation costs: `hub.get_many` against the same turns built by hand, httpx, and SDKs.

    python benchmarks/fetch.py [--smoke]

A server on this machine has 40-turn conversations as the simulator of each provider sends them, each at an address of
its own; every client fetches them 50 at a time, and sends the same requests for one. Each measurement is a process of
its own, so that no client pays for what another imported, and they take turns, so that all have the same weather; slow
ones fetch less and sit out every other round. Clients that are not installed are left out, and named.
"""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import urlopen

import msgspec
from answering import REMEMBERED, answering
from by_hand import READERS
from calls import PROVIDERS, conversations, world_of
from clients import CLIENTS, SETTINGS, Served, clients_of, spoken
from measured import Figure, is_smoke, keep
from operations import without_limit

from conversations_hub import Account, Hub

TURNS = 40
MOST, MOONSHOT = 1.3, 1.15
LEAST_OF_SDK = 25.0
AGAINST = {
    "by hand": "aiohttp + msgspec, the same turns by hand",
    "floor": "aiohttp + msgspec, nothing else",
}


class Cost(msgspec.Struct):
    """What one conversation took, in microseconds."""

    cpu: float
    wall: float


class Wanted(msgspec.Struct, frozen=True):
    """What a client is to fetch before the clock runs, with what is said in it, and what while it runs."""

    served: Served
    said: dict[str, list[str]]
    ids: list[str]


async def measure(provider: str, name: str, wanted: Wanted) -> Cost:
    """Fetch conversations, with connections open and caches warm."""
    without_limit(provider)
    said = dict(wanted.said)
    fetched: list[str] = []

    def compare(id: str, brought: Any) -> None:
        texts = [text for text in client.texts(brought) if text]
        assert texts == said.pop(id), f"{name} read another text in {id}"

    def count(id: str, _brought: Any) -> None:
        fetched.append(id)

    async with CLIENTS[name](provider, wanted.served) as client:
        await client.fetch([*said], compare)
        assert not said, f"{name} left out {len(said)}"
        gc.collect()
        wall, cpu = time.perf_counter(), time.process_time()
        await client.fetch(wanted.ids, count)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    assert sorted(fetched) == sorted(wanted.ids), f"{name} brought {len(fetched)} of {len(wanted.ids)}"
    return Cost(cpu / len(fetched) * 1e6, wall / len(fetched) * 1e6)


def measured_apart(provider: str, name: str, wanted: Wanted, folder: Path) -> Cost:
    """Measure in a process of its own."""
    told = folder / "wanted.json"
    told.write_bytes(msgspec.json.encode(wanted))
    command = [sys.executable, __file__, "--client", provider, name, str(told)]
    found = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603
    return msgspec.json.decode(found.stdout, type=Cost)


async def remembered(account: Account, ids: Sequence[str]) -> None:
    """Let the server answer for all of them once, so that no client waits for it."""
    without_limit(account.provider)
    async with Hub([account]) as hub:
        async for outcome in hub.get_many(f"{account.provider}:{id}" for id in ids):
            assert outcome.conversation is not None, outcome.error


def wanted_of(url: str, provider: str, warm_up: int, many: int) -> Wanted:
    """Return what to fetch from a provider, and how."""
    world, reader = world_of(provider, warm_up + many, TURNS), READERS[provider]
    ids = [world.id(truth) for truth in world.newest()]
    account = Account(provider, key="invented-key", base_url=f"{url}/{provider}", settings=SETTINGS)
    asyncio.run(remembered(account, ids))
    targets: dict[str, list[str]] = {id: [] for id in ids}
    with urlopen(url + REMEMBERED) as answer:  # noqa: S310  (our own server)
        for _method, target, _body in json.load(answer):
            _, name, below = target.split("/", 2)
            if name == provider:
                id = next(segment for segment in below.partition("?")[0].split("/") if segment in targets)
                targets[id].append(f"/{below}")
    said: dict[str, list[str]] = {}
    for sent in islice(conversations(provider, warm_up + many, TURNS), warm_up):
        # Not `sent.said`: some customers let their provider store nothing of it, or no names.
        said[sent.id] = spoken(reader.turns(reader.decode([answer.body for answer in sent.answers])))
    return Wanted(Served(f"{url}/{provider}", targets), said, ids[warm_up:])


Rounds = dict[int, Cost]
"""What a client took in each round that it was part of."""


def figures_of(provider: str, costs: Mapping[str, Rounds]) -> list[Figure]:
    """Return how the hub compares: the median, over the rounds, of what both took in the same round."""

    def ratio(above: str, below: str) -> float:
        both = costs[above].keys() & costs[below].keys()
        return median(costs[above][number].cpu / costs[below][number].cpu for number in both)

    what = f"CPU per fetch, {provider}"
    figures = [
        Figure(what=what, against=AGAINST["by hand"], value=ratio("hub", "by hand"), at_most=MOST, at_best=MOONSHOT)
    ]
    for name in costs:
        if name in {"floor", "aiohttp + json"}:
            figures.append(Figure(what=what, against=AGAINST.get(name, name), value=ratio("hub", name)))
        elif name not in {"hub", "by hand"}:
            goal = LEAST_OF_SDK if name.endswith("SDK") else None
            less = ratio(name, "hub")
            figures.append(Figure(what=what, against=name, value=less, unit="× less", at_least=goal))  # noqa: RUF001
    return figures


def main() -> None:
    """Let all clients take turns."""
    rounds, warm_up, many, few = (1, 4, 8, 4) if is_smoke() else (3, 60, 500, 50)
    providers = ("tavus", "ultravox") if is_smoke() else PROVIDERS
    costs: dict[str, dict[str, Rounds]] = {
        provider: {name: {} for name in clients_of(provider)} for provider in providers
    }
    absent = CLIENTS.keys() - {name for names in costs.values() for name in names}
    if absent:
        print(f"not installed, so left out: {', '.join(sorted(absent))}")
    with answering("calls", warm_up + many, TURNS, *providers) as url, TemporaryDirectory() as folder:
        wanted = {provider: wanted_of(url, provider, warm_up, many) for provider in costs}
        less = {
            provider: msgspec.structs.replace(one, ids=one.ids[:few], said=dict(islice(one.said.items(), few // 2)))
            for provider, one in wanted.items()
        }
        for number in range(rounds):
            for provider, names in costs.items():
                for name, measured in names.items():
                    is_slow = name.startswith("httpx") or name.endswith("SDK")
                    if not is_slow or number % 2 == 0:
                        fetched = (less if is_slow else wanted)[provider]
                        measured[number] = measured_apart(provider, name, fetched, Path(folder))
    told = {provider: {name: _median(found) for name, found in names.items()} for provider, names in costs.items()}
    _show(told)
    figures = [figure for provider, names in costs.items() for figure in figures_of(provider, names)]
    keep("fetch", figures, {"microseconds": told})


def _median(found: Rounds) -> dict[str, float]:
    return {
        "cpu": round(median(cost.cpu for cost in found.values()), 1),
        "wall": round(median(cost.wall for cost in found.values()), 1),
    }


def _show(told: Mapping[str, Mapping[str, Mapping[str, float]]]) -> None:
    for provider, names in told.items():
        print(f"\n{provider:<24}{'CPU µs':>12}{'wall µs':>12}")
        for name, cost in names.items():
            print(f"  {name:<22}{cost['cpu']:>12,.0f}{cost['wall']:>12,.0f}")
    print()


if __name__ == "__main__":
    if "--client" in sys.argv:
        provider, name, wanted = sys.argv[2:]
        cost = asyncio.run(measure(provider, name, msgspec.json.decode(Path(wanted).read_bytes(), type=Wanted)))
        sys.stdout.write(msgspec.json.encode(cost).decode())
    else:
        main()
