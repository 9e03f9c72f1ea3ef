"""A hub of many accounts: what is done for one of them is done once, however many others there are."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from yarl import URL

from conversations_hub import Account, Hub
from conversations_hub._transport import Clock
from conversations_hub.hub._walk import ACCOUNTS_AT_ONCE
from conversations_hub.wire import Response

from ..support.fake_lane import fake_lanes
from ..support.growth import increase, steps
from ..support.virtual_time import VirtualLoop


class Compared(str):
    """A name that counts how often it is compared with another."""

    times = 0
    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return str.__eq__(self, other)


def resolve(hub: Hub, ref: str) -> None:
    hub._resolve(ref)  # pyright: ignore[reportPrivateUsage]


def comparisons(work: Callable[[], object]) -> int:
    before = Compared.times
    work()
    return Compared.times - before


def hub_of(accounts: int, clock: Clock | None = None) -> Hub:
    named = [Account(Compared("tavus"), key="key", name=Compared(f"a{number}")) for number in range(accounts)]
    return Hub(named, clock=clock)


def test_a_ref_is_compared_with_as_many_accounts_of_few_as_of_many() -> None:
    few, many = hub_of(10), hub_of(1000)
    for name in ("a0", "a9"):
        costs = [comparisons(partial(resolve, hub, f"tavus/{name}:c1")) for hub in (few, many)]
        assert 0 < costs[1] <= costs[0]


def test_all_accounts_are_named_in_as_many_steps_each() -> None:
    hubs = [hub_of(accounts) for accounts in (100, 200, 400)]
    assert increase([steps(hub.list) for hub in hubs]) < 2.2
    assert increase([comparisons(hub.list) for hub in hubs]) < 2.2


async def answer(url: URL) -> Response:
    row: dict[str, Any] = {"conversation_id": "c1", "status": "ended"}
    body = {"data": [row], "total_count": 1} if url.path.endswith("/conversations") else row | {"events": None}
    return Response(200, {}, json.dumps(body).encode())


def test_before_a_first_conversation_no_more_is_asked_of_many_accounts_than_are_walked_at_once() -> None:
    asked: list[URL] = []

    async def counted(url: URL) -> Response:
        asked.append(url)
        return await answer(url)

    async def first(hub: Hub) -> None:
        async with hub, aclosing(aiter(hub.list(transcripts=True))) as found:
            await anext(found)

    def begin(accounts: int) -> None:
        loop = VirtualLoop()
        try:
            loop.run(first(hub_of(accounts, Clock(monotonic=loop.time))))
        finally:
            loop.close()

    costs: list[int] = []
    with fake_lanes(counted):
        begin(2)  # imports
        for accounts in (200, 400, 800):
            asked.clear()
            costs.append(steps(partial(begin, accounts)))
            assert len(asked) <= 2 * ACCOUNTS_AT_ONCE
    assert increase(costs) < 2.2
