"""List and hydrate 10,000 conversations of one, three and nine providers, against a loop written by hand.

    python benchmarks/walk.py [CONVERSATIONS] [--smoke]

The simulator's answers come from a process that remembers them, so that it is the client which is measured. The loop is
aiohttp and msgspec, and sends the very requests that the hub sent, as many at a time. It reads the rows and builds the
same turns, and knows no limits, no retries and no `Conversation`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple
from urllib.request import urlopen

import aiohttp
import msgspec
from answering import REMEMBERED, answering
from by_hand import READERS, told
from calls import PROVIDERS
from measured import Figure, is_smoke, keep
from operations import without_limit
from yarl import URL

from conversations_hub import Account, Hub
from conversations_hub.schema import TranscriptTurn

MOST, MOONSHOT = 2.0, 1.5

_WIDTH = 16  # details asked for at a time, per provider, as the hub does
_KEY = "invented-key"


class Asked(NamedTuple):
    """A request that the hub sent."""

    method: str
    url: URL
    body: str


class Plan(msgspec.Struct, frozen=True):
    """What the hub asked a provider for."""

    provider: str
    pages: list[Asked] = []
    others: list[Asked] = []
    """Pages of the other kinds of conversations, of which there are none."""
    details: dict[str, list[Asked]] = {}
    """By conversation."""


class Found(msgspec.Struct):
    """What a walk brought: the ids, and what each conversation holds where somebody wants to know."""

    wants_turns: bool = False
    ids: set[str] = set()
    turns: dict[str, list[tuple[Any, ...]]] = {}

    def take(self, id: str, turns: Sequence[TranscriptTurn]) -> None:
        """Count a conversation."""
        self.ids.add(id)
        if self.wants_turns:
            self.turns[id] = told(turns)


async def hub(accounts: Sequence[Account], found: Found) -> None:
    """Walk as the library does it."""
    async with Hub(accounts, profile="bulk") as conversations:
        walk = conversations.list(transcripts=True)
        async for one in walk:
            found.take(one.id, one.transcript or ())
    assert walk.report.complete, walk.report


async def by_hand(plans: Sequence[Plan], found: Found) -> None:
    """Walk as somebody does who wants to be quick."""
    headers = {"Authorization": f"Bearer {_KEY}", "Content-Type": "application/json"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(headers=headers, connector=connector) as session, asyncio.TaskGroup() as group:
        for plan in plans:
            group.create_task(_walk(session, plan, found))


async def _walk(session: aiohttp.ClientSession, plan: Plan, found: Found) -> None:
    rows: asyncio.Queue[str | None] = asyncio.Queue(_WIDTH)
    reader = READERS[plan.provider]

    async def hydrate() -> None:
        while (id := await rows.get()) is not None:
            answers = [await _ask(session, asked) for asked in plan.details[id]]
            found.take(id, reader.turns(reader.decode(answers)))

    async with asyncio.TaskGroup() as group:
        for _ in range(_WIDTH):
            group.create_task(hydrate())
        for page in plan.pages:
            for row in reader.rows(await _ask(session, page)):
                if row.id in plan.details:
                    await rows.put(row.id)
                else:
                    found.take(row.id, row.turns or ())
        for page in plan.others:
            msgspec.json.decode(await _ask(session, page))
        for _ in range(_WIDTH):
            await rows.put(None)


async def _ask(session: aiohttp.ClientSession, asked: Asked) -> bytes:
    async with session.request(asked.method, asked.url, data=asked.body or None) as reply:
        return await reply.read()


def plans_of(url: str, ids: set[str]) -> list[Plan]:
    """Return what the hub asked for, by provider: a request that names a conversation is one for its details."""
    with urlopen(url + REMEMBERED) as answer:  # noqa: S310  (our own server)
        sent: list[tuple[str, str, str]] = json.load(answer)
    plans: dict[str, Plan] = {}
    for method, target, body in sent:
        asked = Asked(method, URL(url + target, encoded=True), body)
        segments = target.partition("?")[0].split("/")
        plan = plans.setdefault(segments[1], Plan(segments[1]))
        id = next((segment for segment in segments if segment in ids), None)
        if id is not None:
            plan.details.setdefault(id, []).append(asked)
        elif plan.pages and plan.pages[0].url.path != asked.url.path:
            plan.others.append(asked)
        else:
            plan.pages.append(asked)
    return list(plans.values())


def spent(walk: Callable[[], Coroutine[Any, Any, None]]) -> tuple[float, float]:
    """Return the seconds that a walk takes: by the processor, and by the wall."""
    gc.collect()
    worked, began = time.process_time(), time.perf_counter()
    asyncio.run(walk())
    return time.process_time() - worked, time.perf_counter() - began


def compare(providers: Sequence[str], each: int, rounds: int) -> Mapping[str, list[tuple[float, float]]]:
    """Walk both ways in turn, and return the seconds of each round; the first is for remembering and checking."""
    with answering("simulator", each, *providers) as url:
        accounts = [
            Account(name, key=_KEY, base_url=f"{url}/{name}", settings={"org_id": "org_simulated"})
            for name in providers
        ]
        ours, theirs = Found(wants_turns=True), Found(wants_turns=True)
        asyncio.run(hub(accounts, ours))
        plans = plans_of(url, ours.ids)
        asyncio.run(by_hand(plans, theirs))
        assert len(ours.ids) == each * len(providers)
        assert ours.ids == theirs.ids
        for id, turns in ours.turns.items():
            assert turns == theirs.turns[id], f"another transcript of {id} by hand"
        del ours, theirs
        pairs = [(spent(lambda: hub(accounts, Found())), spent(lambda: by_hand(plans, Found()))) for _ in range(rounds)]
    return {"hub": [pair[0] for pair in pairs], "by hand": [pair[1] for pair in pairs]}


def main() -> None:
    """Measure all three."""
    conversations = 180 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 10_000)
    for provider in PROVIDERS:
        without_limit(provider)
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    for count in (1, 3, len(PROVIDERS)):
        each = conversations // count
        went = compare(PROVIDERS[:count], each, 1 if is_smoke() else 3)
        what = f"{each * count:,} conversations of {count}"
        details[what] = went
        for place, name in enumerate(("processor", "wall")):
            ours, theirs = (median(round_[place] for round_ in went[side]) for side in ("hub", "by hand"))
            against = f"{theirs:.2f} s by hand"
            figures.append(
                Figure(what=f"{what}, {name}", against=against, value=ours / theirs, at_most=MOST, at_best=MOONSHOT)
            )
    keep("walk", figures, details)


if __name__ == "__main__":
    main()
