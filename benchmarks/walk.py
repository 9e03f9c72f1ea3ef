"""List and hydrate 10,000 conversations of one, three and nine providers, against a loop written by hand.

    python benchmarks/walk.py [CONVERSATIONS] [--smoke]

The simulator's answers come from a process that remembers them, so that it is the client which is measured. The loop is
aiohttp and msgspec, and sends the very requests that the hub sent, as many at a time. It decodes what was said, and
knows no limits, no retries and no `Conversation`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple
from urllib.request import urlopen

import aiohttp
import msgspec
from answering import REMEMBERED, answering
from measured import Figure, is_smoke, keep
from yarl import URL

from conversations_hub import Account, Hub
from conversations_hub.adapters import BUILTIN, ultravox

MOST_PROCESSOR = 1.3
MOST_WALL = 1.05

_WIDTH = 16  # details asked for at a time, per provider, as the hub does
_KEY = "invented-key"
_SAID = re.compile(rb'"(?:text|content|message)":\[?("(?:[^"\\]|\\.)*")')


class _Word(msgspec.Struct, gc=False):
    word: str | None = None
    start: float | None = None
    end: float | None = None


class _Node(msgspec.Struct):
    """A page, a conversation, an event or a turn of any of the nine: who it is, what it holds, and what was said."""

    id: str | int | None = None
    conversation_id: str | None = None
    call_id: str | None = None
    callId: str | None = None  # noqa: N815  (as it is sent)
    data: _Node | list[_Node] | None = None
    conversations: list[_Node] | None = None
    calls: list[_Node] | None = None
    items: list[_Node] | None = None
    results: list[_Node] | None = None
    events: list[_Node] | None = None
    properties: _Node | None = None
    transcript: list[_Node] | str | None = None
    transcripts: list[_Node] | None = None
    transcript_with_tool_calls: list[_Node] | None = None
    scrubbed_transcript_with_tool_calls: list[_Node] | None = None
    conversation: _Held | None = None
    artifact: _Held | None = None
    role: str | None = None
    user: str | None = None
    text: str | None = None
    content: str | list[str] | None = None
    message: str | None = None
    words: list[_Word] | None = None

    @property
    def name(self) -> str:
        """The id of a conversation."""
        return str(self.id or self.conversation_id or self.call_id or self.callId)


class _Held(msgspec.Struct):
    """What AnyReach calls a conversation and Vapi an artifact."""

    items: list[_Node] | None = None
    messages: list[_Node] | None = None


_Answer = _Node | list[_Node]
_answer: msgspec.json.Decoder[_Answer] = msgspec.json.Decoder(_Node | list[_Node])


class Asked(NamedTuple):
    """A request that the hub sent."""

    method: str
    url: URL
    body: str


class Plan(msgspec.Struct, frozen=True):
    """What the hub asked a provider for."""

    pages: list[Asked] = []
    details: dict[str, list[Asked]] = {}
    """By conversation."""


class Found(msgspec.Struct):
    """What a walk brought: the ids, and what was said where somebody wants to know."""

    wants_texts: bool = False
    ids: set[str] = set()
    texts: set[str] = set()


async def hub(accounts: Sequence[Account], found: Found) -> None:
    """Walk as the library does it."""
    async with Hub(accounts, profile="bulk") as conversations:
        walk = conversations.list(transcripts=True)
        async for one in walk:
            found.ids.add(one.id)
            if found.wants_texts:
                spoken = (turn for turn in one.transcript or () if turn.role in {"user", "assistant"})
                found.texts.update(turn.text for turn in spoken if turn.text)
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

    async def hydrate() -> None:
        while (id := await rows.get()) is not None:
            for asked in plan.details[id]:
                await _ask(session, asked, found)

    async with asyncio.TaskGroup() as group:
        for _ in range(_WIDTH):
            group.create_task(hydrate())
        for page in plan.pages:
            for row in _rows(await _ask(session, page, found)):
                found.ids.add(row.name)
                if row.name in plan.details:
                    await rows.put(row.name)
        for _ in range(_WIDTH):
            await rows.put(None)


async def _ask(session: aiohttp.ClientSession, asked: Asked, found: Found) -> _Answer:
    async with session.request(asked.method, asked.url, data=asked.body or None) as reply:
        answer = _answer.decode(await reply.read())
    if found.wants_texts:
        found.texts.update(msgspec.json.decode(text, type=str) for text in _SAID.findall(msgspec.json.encode(answer)))
    return answer


def _rows(page: _Answer) -> Sequence[_Node]:
    if isinstance(page, list):
        return page
    return _rows(page.conversations or page.calls or page.items or page.results or page.data or [])


def plans_of(url: str, ids: set[str]) -> list[Plan]:
    """Return what the hub asked for, by provider: a request that names a conversation is one for its details."""
    with urlopen(url + REMEMBERED) as answer:  # noqa: S310  (our own server)
        sent: list[tuple[str, str, str]] = json.load(answer)
    plans: defaultdict[str, Plan] = defaultdict(Plan)
    for method, target, body in sent:
        asked = Asked(method, URL(url + target, encoded=True), body)
        segments = target.partition("?")[0].split("/")
        plan = plans[segments[1]]
        id = next((segment for segment in segments if segment in ids), None)
        (plan.pages if id is None else plan.details.setdefault(id, [])).append(asked)
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
        ours, theirs = Found(wants_texts=True), Found(wants_texts=True)
        asyncio.run(hub(accounts, ours))
        plans = plans_of(url, ours.ids)
        asyncio.run(by_hand(plans, theirs))
        assert len(ours.ids) == each * len(providers)
        assert ours.ids == theirs.ids
        assert ours.texts
        assert ours.texts <= theirs.texts, ours.texts - theirs.texts
        pairs = [(spent(lambda: hub(accounts, Found())), spent(lambda: by_hand(plans, Found()))) for _ in range(rounds)]
    return {"hub": [pair[0] for pair in pairs], "by hand": [pair[1] for pair in pairs]}


def main() -> None:
    """Measure all three."""
    conversations = 180 if is_smoke() else next((int(word) for word in sys.argv[1:] if word.isdigit()), 10_000)
    # The limit that it documents would be kept by one side only.
    ultravox.ADAPTER = msgspec.structs.replace(ultravox.ADAPTER, requests_per_second=None)
    figures: list[Figure] = []
    details: dict[str, Any] = {}
    for count in (1, 3, len(BUILTIN)):
        each = conversations // count
        went = compare(BUILTIN[:count], each, 1 if is_smoke() else 3)
        what = f"{each * count:,} conversations of {count}"
        details[what] = went
        for place, name, most in ((0, "processor", MOST_PROCESSOR), (1, "wall", MOST_WALL)):
            ours, theirs = (median(round_[place] for round_ in went[side]) for side in ("hub", "by hand"))
            against = f"{theirs:.2f} s by hand"
            figures.append(Figure(what=f"{what}, {name}", against=against, value=ours / theirs, at_most=most))
    keep("walk", figures, details)


if __name__ == "__main__":
    main()
