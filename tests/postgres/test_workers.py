"""Three workers over twenty accounts, killed and frozen: the store is the same as after an undisturbed run."""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
import pytest

from ..support.crash import served
from ..support.postgres import Server
from ..support.warm import Warm
from ..support.workers import TTL, asked, brought, is_done, rows_in, toil

ACCOUNTS = 20
UNTIL = datetime.now(UTC) - timedelta(hours=3)  # later ones are not settled yet
WORKERS = 3
Rows = dict[tuple[str, str], tuple[object, ...] | None]


@pytest.fixture(scope="module")
def environ() -> Generator[Mapping[str, str]]:
    with served(60, latency=0.01) as variables:
        yield variables


@pytest.fixture(scope="module")
def undisturbed(server: Server, environ: Mapping[str, str]) -> Rows:
    url = server.url()
    with Warm(brought, url, ACCOUNTS, UNTIL, environ=environ) as alone:
        assert alone.wait() == 0, alone.stderr.read()
    rows = rows_in(url)
    assert sum(facts is not None for facts in rows.values()) > ACCOUNTS * 20
    return rows


def check_same(url: str, undisturbed: Rows) -> None:
    """Check that a store holds the same; of what was not settled then, the provider may say more now."""
    rows = rows_in(url)
    assert rows.keys() == undisturbed.keys()
    assert {key: facts for key, facts in rows.items() if undisturbed[key] and facts != undisturbed[key]} == {}


class Crew:
    """Workers on one store; whoever ends has another one in his place until all accounts are done."""

    def __init__(self, held: ExitStack, url: str, environ: Mapping[str, str]) -> None:
        self._held = held
        self._url = url
        self._environ = environ
        self._places: list[Warm | None] = [None] * WORKERS
        self.killed = 0

    def has_work(self, lives: Generator[int]) -> bool:
        """Look after the workers once, and return whether anything is left; a life is the turns that a worker has."""
        if is_done(self._url, ACCOUNTS, UNTIL):
            return False
        for place, worker in enumerate(self._places):
            if worker is not None and worker.is_alive():
                continue
            if worker is not None:
                code = worker.wait()
                assert code in (0, -signal.SIGKILL), worker.stderr.read()
                self.killed += code != 0
            self._places[place] = self._held.enter_context(
                Warm(toil, self._url, ACCOUNTS, UNTIL, next(lives), environ=self._environ)
            )
        return True

    def strike(self, chance: random.Random) -> None:
        """Kill one, or freeze it for up to three times as long as a lease lasts."""
        worker = chance.choice(self._places)
        if worker is None or not worker.is_alive():
            return
        if chance.random() < 0.5:
            worker.send_signal(signal.SIGKILL)
        else:
            worker.send_signal(signal.SIGSTOP)
            time.sleep(chance.uniform(0.5, 3) * TTL)
            worker.send_signal(signal.SIGCONT)


def short_lives(chance: random.Random, left: int) -> Generator[int]:
    """Yield how many turns workers live: so many of them few, and the others as many as they need."""
    for _ in range(left):
        yield chance.randrange(1, 400)
    while True:
        yield sys.maxsize


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_store_is_the_same_however_often_workers_were_killed(
    server: Server, environ: Mapping[str, str], undisturbed: Rows
) -> None:
    chance, killed = random.Random(7), 0  # noqa: S311  (no secret)
    while killed < 50:
        url = server.url()
        lives = short_lives(chance, 50 - killed)
        with ExitStack() as held:
            crew = Crew(held, url, environ)
            while crew.has_work(lives):
                time.sleep(0.05)
        check_same(url, undisturbed)
        killed += crew.killed
        assert crew.killed


@pytest.mark.engine
@pytest.mark.timeout(120)
def test_a_worker_that_was_frozen_for_too_long_writes_nothing(
    server: Server, environ: Mapping[str, str], undisturbed: Rows
) -> None:
    url = server.url()
    begun = "SELECT account, progress FROM accounts WHERE owner IS NOT NULL AND progress IS NOT NULL"
    with Warm(toil, url, ACCOUNTS, UNTIL, environ=environ) as frozen:
        while not url_has(url, begun):  # it is in the middle of some
            assert frozen.is_alive(), frozen.stderr.read()
        frozen.send_signal(signal.SIGSTOP)
        while not is_done(
            url, ACCOUNTS, UNTIL
        ):  # a worker ends when nothing is due, while the frozen one still has some
            with Warm(toil, url, ACCOUNTS, UNTIL, environ=environ) as other:
                assert json.loads(other.stdout.read())["accounts"] is not None, other.stderr.read()
        before = asyncio.run(asked(url, "SELECT account, progress, token FROM accounts ORDER BY account"))
        revision = asyncio.run(asked(url, "SELECT revision FROM store"))
        frozen.send_signal(signal.SIGCONT)
        report = json.loads(frozen.stdout.read())
    assert [account["where"] for account in report["accounts"] if account["lost"]]
    assert asyncio.run(asked(url, "SELECT account, progress, token FROM accounts ORDER BY account")) == before
    assert asyncio.run(asked(url, "SELECT revision FROM store")) == revision
    check_same(url, undisturbed)


def url_has(url: str, question: str) -> bool:
    try:
        return bool(asyncio.run(asked(url, question)))
    except asyncpg.UndefinedTableError:
        return False


def struck(server: Server, environ: Mapping[str, str], undisturbed: Rows, seconds: float) -> int:
    """Strike workers at random for so long, store after store; return how many stores there were."""
    chance, end = random.Random(11), time.monotonic() + seconds  # noqa: S311  (no secret)
    for number in count(1):
        url = server.url()
        with ExitStack() as held:
            crew = Crew(held, url, environ)
            lives = short_lives(chance, 0)
            strike_at = time.monotonic()
            while crew.has_work(lives):
                time.sleep(0.02)
                if strike_at < time.monotonic() < end:
                    crew.strike(chance)
                    strike_at = time.monotonic() + chance.uniform(0, 1)
        check_same(url, undisturbed)
        if time.monotonic() >= end:
            return number
    raise AssertionError("unreachable")


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_workers_that_are_killed_and_frozen_at_random_bring_everything(
    server: Server, environ: Mapping[str, str], undisturbed: Rows
) -> None:
    assert struck(server, environ, undisturbed, 20)


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_ten_minutes_of_kills_and_freezes(server: Server, environ: Mapping[str, str], undisturbed: Rows) -> None:
    assert struck(server, environ, undisturbed, 600) > 5
