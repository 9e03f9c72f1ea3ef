"""The shared limit with a real server: never too fast, and always on, whatever happens to Redis."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from conversations_hub import Hub
from conversations_hub.hub import RedisLimiter
from conversations_hub.testing import Faults, Simulator

from ..support.clock import FakeClock
from ..support.redis_server import RedisServer

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
WHERE = "tavus/default"

_WORKER = """
import asyncio, json, sys, time
from conversations_hub import Hub
from conversations_hub.hub import RedisLimiter
from conversations_hub.signals import AttemptEnded

async def main(url, requests, tasks):
    refused = 0
    def note(signal):
        nonlocal refused
        refused += isinstance(signal, AttemptEnded) and signal.status == 429
    async with RedisLimiter(url, rates={"tavus/default": 39.0}, workers=3) as limiter:
        async with Hub.from_env(profile="bulk", limiter=limiter, on_signal=note) as hub:
            walk = hub.list("tavus", limit=requests)
            ids = [one.ref async for one in walk]
            got = [outcome async for outcome in hub.get_many(ids, concurrency=tasks)]
    print(json.dumps({"refused": refused, "got": sum(one.error is None for one in got), "ended": time.monotonic()}))

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    found = RedisServer(tmp_path)
    found.start()
    yield found
    found.stop()


async def take(limiter: RedisLimiter, number: int) -> list[float]:
    """Take places one after another, and return when each was."""
    taken: list[float] = []
    while len(taken) < number:
        wait = await limiter.reserve(WHERE)
        if wait > 0:
            await asyncio.sleep(wait)
        else:
            taken.append(time.monotonic())
    return taken


async def calls(server: RedisServer) -> int:
    async with server.client() as redis:
        stats: dict[str, Any] = await redis.info("commandstats")
    return sum(int(each["calls"]) for name, each in stats.items() if name in {"cmdstat_evalsha", "cmdstat_eval"})


async def test_several_processes_are_never_faster_than_the_rate_together(server: RedisServer) -> None:
    rates = {WHERE: 40.0}
    async with RedisLimiter(server.url(), rates=rates) as one, RedisLimiter(server.url(), rates=rates) as two:
        taken = sorted(chain.from_iterable(await asyncio.gather(take(one, 40), take(two, 40))))
    assert taken[-1] - taken[0] > 79 / 40 - 0.05
    assert await calls(server) <= 2 * 80 + 10


async def test_many_tasks_of_a_hub_lose_no_place(server: RedisServer) -> None:
    with Simulator(conversations=40, providers=["tavus"]) as simulator:
        async with (
            RedisLimiter(server.url(), rates={WHERE: 200.0}) as limiter,
            Hub.from_env(environ=simulator.environment(), profile="bulk", limiter=limiter) as hub,
        ):
            refs = [one.ref async for one in hub.list()]
            _ = [outcome async for outcome in hub.get_many(refs, concurrency=32)]
        requests = simulator.requests.total()
    assert await calls(server) <= 2 * requests + 5


async def test_a_pause_holds_for_all_and_nothing_rushes_after_it(server: RedisServer) -> None:
    rates = {WHERE: 20.0}
    async with (
        RedisLimiter(server.url(), rates=rates, burst=5) as one,
        RedisLimiter(server.url(), rates=rates, burst=5) as two,
    ):
        await take(one, 5)
        assert await two.reserve(WHERE) > 0  # a place that is kept, and must not be used
        began = time.monotonic()
        await one.pause(WHERE, 1.0)
        taken = sorted(chain.from_iterable(await asyncio.gather(take(one, 3), take(two, 3))))
    assert taken[0] - began > 0.99
    assert taken[-1] - taken[0] > 5 / 20 - 0.05


async def test_a_round_of_refusals_lowers_the_rate_once(server: RedisServer) -> None:
    async with RedisLimiter(server.url(), rates={WHERE: 40.0}) as limiter, server.client() as redis:
        await asyncio.gather(*(limiter.throttled(WHERE) for _ in range(20)))
        [rate] = await redis.hmget(f"hub:limit:{{{WHERE}}}", ["rate"])
        assert float(rate) == pytest.approx(28.0)
        assert 600 <= await redis.ttl(f"hub:limit:{{{WHERE}}}") <= 601
        assert await redis.keys("*") == [f"hub:limit:{{{WHERE}}}".encode()]


@pytest.mark.parametrize("happens", ["stopped", "frozen"])
async def test_work_goes_on_while_redis_is_away_and_is_shared_again_after(
    happens: str, server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    async with RedisLimiter(server.url(), rates={WHERE: 40.0}, workers=4, clock=clock.clock) as limiter:
        assert await limiter.reserve(WHERE) == 0.0
        if happens == "stopped":
            server.stop()
        else:
            server.freeze()
        assert [await limiter.reserve(WHERE), await limiter.reserve(WHERE)] == pytest.approx([0.0, 0.1])
        assert "does not answer" in caplog.text
        if happens == "stopped":
            server.start()  # without its scripts
        else:
            server.thaw()
        clock.time += 5.0
        with caplog.at_level(logging.WARNING):
            await limiter.reserve(WHERE)
        assert "works again" in caplog.text
        assert len(caplog.records) == 2


async def test_what_others_keep_under_its_name_stops_nobody(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with RedisLimiter(server.url()) as limiter, server.client() as redis:
        await redis.set(f"hub:limit:{{{WHERE}}}", "theirs")
        assert await limiter.reserve(WHERE) == 0.0
    assert "does not answer (ResponseError)" in caplog.text


async def test_a_password_is_used_and_never_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = RedisServer(tmp_path, password="right-password")
    server.start()
    try:
        async with RedisLimiter(server.url("right-password")) as limiter:
            assert await limiter.reserve(WHERE) == 0.0
            assert await limiter.reserve(WHERE) > 0
            assert caplog.records == []
        async with RedisLimiter(server.url("wrong-password")) as limiter:
            assert await limiter.reserve(WHERE) == 0.0
        assert "does not answer" in caplog.text
        assert "wrong-password" not in caplog.text + repr(limiter)
    finally:
        server.stop()


def test_three_processes_with_many_tasks_are_never_refused(server: RedisServer) -> None:
    with Simulator(conversations=50, providers=["tavus"], faults=Faults(requests_per_second=40.0)) as simulator:
        environ = os.environ | simulator.environment()
        workers = [
            subprocess.Popen(  # noqa: S603
                [sys.executable, "-c", _WORKER, server.url(), "50", "32"], env=environ, stdout=subprocess.PIPE
            )
            for _ in range(3)
        ]
        said = [json.loads(worker.communicate(timeout=100)[0]) for worker in workers]
    assert [(each["got"], each["refused"]) for each in said] == [(50, 0)] * 3
