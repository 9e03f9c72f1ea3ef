"""Deadlines, cancellation and concurrency: F053 to F065."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import tracemalloc
import warnings
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from conversations_hub import Account, Hub
from conversations_hub._transport import Clock
from conversations_hub._transport.threads import Threads
from conversations_hub.adapter import Query, RawPage
from conversations_hub.adapters import tavus
from conversations_hub.errors import (
    AuthError,
    CircuitOpenError,
    DeadlineError,
    HubClosedError,
    HubError,
    OutageError,
    PartialError,
    PayloadError,
    RateLimitError,
    TransportError,
)
from conversations_hub.policy import PROFILES, Profile
from conversations_hub.policy._backoff import Backoff
from conversations_hub.schema import Recording, RecordingAccess
from conversations_hub.signals import BreakerChanged
from conversations_hub.wire import Flow, Request

from ..support.iterators import until_it_fails
from ..support.server import Asked, Handler, answer, black_hole, serving
from ..support.tavus_server import Tavus, details
from ..support.virtual_time import WiredLoop
from .conftest import CANARY, Fault, ask, asking

OK = answer({"fine": True})
DOWN = answer({"message": "down"}, 500)


async def _silent(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def _silent_in_the_body(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(OK[:-5])
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("handler", "stage"),
    [
        pytest.param(_silent, "waiting for the response to begin", id="before the headers"),
        pytest.param(_silent_in_the_body, "reading the response", id="in the body"),
    ],
)
async def test_f053_an_answer_that_does_not_come_ends_at_the_deadline(
    fault: Fault, loop: WiredLoop, handler: Handler, stage: str
) -> None:
    async with serving(handler) as server:
        lane = await fault.lane(server.url, clock=loop.clock(), deadline=0.1)
        began = loop.time()
        error = await fault.failure(ask(lane))
        assert loop.time() - began == pytest.approx(0.1)
        assert len(server.asked) == 1
    assert type(error) is DeadlineError
    assert error.reason == f"no complete response within 0.1 s: still {stage}"


async def test_f053_a_name_that_does_not_resolve_ends_at_the_deadline(
    fault: Fault, loop: WiredLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hanging(*_arguments: object, **_named: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(Threads, "run", hanging)
    lane = await fault.lane("http://localhost:1", clock=loop.clock(), deadline=0.1)
    began = loop.time()
    error = await fault.failure(ask(lane))
    assert loop.time() - began == pytest.approx(0.1)
    assert type(error) is DeadlineError
    assert error.reason == "no complete response within 0.1 s: still resolving the name"


async def test_f053_a_server_that_never_agrees_on_tls_ends_at_the_deadline(fault: Fault, loop: WiredLoop) -> None:
    async with serving(_silent) as server:  # it waits for a request, and is greeted in TLS
        lane = await fault.lane(server.url.replace("http:", "https:"), clock=loop.clock(), deadline=0.1)
        began = loop.time()
        error = await fault.failure(ask(lane))
        assert loop.time() - began == pytest.approx(0.1)
    assert type(error) is DeadlineError
    assert error.reason == "no complete response within 0.1 s: still connecting"


async def test_f062_a_hub_that_was_dropped_says_so_once_and_leaves_nothing_open(
    fault: Fault,
) -> None:
    async with serving(Tavus()) as server:
        hub = Hub([Account("tavus", key=CANARY, base_url=server.url)], clock=fault.time.clock)
        await hub.get("tavus:c1")
        gc.collect()  # what other tests have left says nothing here
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            del hub
            gc.collect()
    assert [(one.category, str(one.message)) for one in told] == [
        (ResourceWarning, "the hub of tavus/default was not closed: use `async with Hub(…)`")
    ]


async def test_f053_a_place_that_does_not_come_free_ends_at_the_deadline(fault: Fault, loop: WiredLoop) -> None:
    async with serving(_silent) as server:
        lane = await fault.lane(server.url, clock=loop.clock(), in_flight=1)
        first = asyncio.ensure_future(ask(lane))
        await server.has_been_asked(1)
        began = loop.time()
        hurried = PROFILES["interactive"].but(deadline=0.1)
        error = await fault.failure(lane.run("get", asking(), profile=hurried))
        assert loop.time() - began == pytest.approx(0.1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert len(server.asked) == 1
    assert type(error) is DeadlineError
    assert "queued behind" in error.reason


@pytest.mark.parametrize(
    ("said", "attempts", "profile", "kind"),
    [
        pytest.param(DOWN, 3, "interactive", OutageError, id="backoff"),
        pytest.param(answer({}, 429, {"Retry-After": "5"}), 1, "interactive", RateLimitError, id="pause"),
        pytest.param(DOWN, 1, "bulk", CircuitOpenError, id="parked before the breaker"),
    ],
)
async def test_f053_a_wait_that_does_not_fit_is_not_begun(
    fault: Fault, loop: WiredLoop, said: bytes, attempts: int, *, profile: str, kind: type[HubError]
) -> None:
    slow = Backoff(transient_base=60.0, cap=600.0, longest_retry_after=10.0)
    async with serving(said) as server:
        lane = await fault.lane(
            server.url, profile=profile, clock=loop.clock(), attempts=attempts, deadline=0.5, backoff=slow
        )
        for _ in range(5 if kind is CircuitOpenError else 1 if kind is RateLimitError else 0):
            await fault.failure(ask(lane))
        began = loop.time()
        error = await fault.failure(ask(lane))
        assert loop.time() == began
    assert type(error) is kind


async def _slow(asked: Asked, writer: asyncio.StreamWriter) -> bytes:
    await asyncio.sleep(0.3)
    return OK


_USUAL = PROFILES["interactive"]  # ten seconds an attempt, three of them for the connection


@pytest.mark.parametrize(
    ("hurried", "kind"),
    [
        pytest.param(_USUAL.but(deadline=0.1), DeadlineError, id="a deadline"),
        pytest.param(_USUAL.but(attempt_timeout=0.1, attempts=1), TransportError, id="a time-out"),
        pytest.param(_USUAL.but(attempt_timeout=0.1, deadline=0.25), DeadlineError, id="both, with a retry"),
    ],
)
async def test_f050_a_caller_s_impatience_leaves_the_provider_open_for_the_others(
    fault: Fault, loop: WiredLoop, hurried: Profile, kind: type[HubError]
) -> None:
    async with serving(_slow) as server:
        lane = await fault.lane(server.url, clock=loop.clock())
        for _ in range(20):
            error = await fault.failure(lane.run("get", asking(), profile=hurried))
            assert type(error) in {kind, TransportError}
        assert (await ask(lane)).ok
    assert not [signal for signal in fault.signals if isinstance(signal, BreakerChanged)]


async def test_f050_a_download_s_impatience_leaves_the_provider_open_too(
    fault: Fault, loop: WiredLoop, tmp_path: Path
) -> None:
    recording = Recording(location="/audio/c1", access=RecordingAccess.PROVIDER_KEY, ref="tavus:c1")
    async with serving(_silent) as server:
        hub = await fault.hub(server.url, clock=loop.clock())
        for _ in range(20):
            error = await fault.failure(hub.download(recording, tmp_path / "a", deadline=0.1))
            assert type(error) is DeadlineError
    assert not [signal for signal in fault.signals if isinstance(signal, BreakerChanged)]


@pytest.mark.parametrize(
    ("deadline", "opens"), [pytest.param(6.0, True, id="most of it"), pytest.param(4.0, False, id="less than half")]
)
async def test_f048_whoever_waits_for_most_of_the_usual_time_learns_that_it_is_down(
    fault: Fault, loop: WiredLoop, deadline: float, *, opens: bool
) -> None:
    patient = _USUAL.but(deadline=deadline)
    async with serving(_silent) as server:
        lane = await fault.lane(server.url, clock=loop.clock())
        for _ in range(5):
            assert type(await fault.failure(lane.run("get", asking(), profile=patient))) is DeadlineError
        error = await fault.failure(lane.run("get", asking(), profile=patient))
    assert type(error) is (CircuitOpenError if opens else DeadlineError)


@pytest.mark.parametrize(
    ("deadline", "opens"), [pytest.param(3.5, True, id="time to connect"), pytest.param(1.0, False, id="too little")]
)
async def test_f048_a_connection_nobody_takes_counts_if_it_was_given_its_time(
    fault: Fault, loop: WiredLoop, deadline: float, *, opens: bool
) -> None:
    with black_hole() as url:
        lane = await fault.lane(url, clock=loop.clock(), attempts=1)
        for _ in range(5):
            await fault.failure(lane.run("get", asking(), profile=_USUAL.but(deadline=deadline, attempts=1)))
        error = await fault.failure(lane.run("get", asking(), profile=_USUAL.but(deadline=deadline, attempts=1)))
    assert isinstance(error, CircuitOpenError) is opens


@asynccontextmanager
async def _in_backoff(fault: Fault, clock: Clock) -> AsyncGenerator[Callable[[], Any]]:
    slow = Backoff(transient_base=20.0, cap=20.0, longest_retry_after=10.0)
    async with serving(DOWN) as server:
        lane = await fault.lane(server.url, clock=clock, backoff=slow)
        yield lambda: ask(lane)


@asynccontextmanager
async def _in_the_body(fault: Fault, clock: Clock) -> AsyncGenerator[Callable[[], Any]]:
    async with serving(_silent_in_the_body) as server:
        lane = await fault.lane(server.url, clock=clock)
        yield lambda: ask(lane)


@asynccontextmanager
async def _in_the_queue(fault: Fault, clock: Clock) -> AsyncGenerator[Callable[[], Any]]:
    async with serving(_silent) as server:
        lane = await fault.lane(server.url, clock=clock, in_flight=1)
        first = asyncio.ensure_future(ask(lane))
        await server.has_been_asked(1)
        yield lambda: ask(lane)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


@pytest.mark.parametrize("place", [_in_backoff, _in_the_body, _in_the_queue])
async def test_f054_a_caller_s_own_time_out_is_the_caller_s(
    fault: Fault, loop: WiredLoop, place: Callable[[Fault, Clock], Any]
) -> None:
    task = asyncio.current_task()
    assert task is not None
    async with place(fault, loop.clock()) as call:
        began = loop.time()
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await call()
        assert loop.time() - began == pytest.approx(0.05)
    assert type(caught.value) is TimeoutError
    assert task.cancelling() == 0


async def test_f055_cancelled_at_any_step_it_gives_back_what_it_held(fault: Fault, loop: WiredLoop) -> None:
    async with serving(*[DOWN, OK] * 100) as server:
        lane = await fault.lane(server.url, in_flight=1, breaks=False)
        steps = cancelled = 0
        while cancelled == steps:  # until a call comes to its end before it is cancelled
            running = asyncio.ensure_future(ask(lane))
            for _step in range(steps):
                await asyncio.sleep(0)
            running.cancel()
            [outcome] = await asyncio.gather(running, return_exceptions=True)
            cancelled += isinstance(outcome, asyncio.CancelledError)
            steps += 1
            assert (await ask(lane)).ok  # in a place that was not given back there would be none until its deadline
        assert server.at_once == 1
    assert cancelled > 10


async def test_f057_iterators_left_open_hold_no_connection(fault: Fault, loop: WiredLoop) -> None:
    narrow = PROFILES["interactive"].but(in_flight=2)
    async with serving(Tavus(200)) as server:
        hub = await fault.hub(server.url, clock=loop.clock(), profile=narrow)
        held = [aiter(hub.list("tavus", page_size=10)) for _ in range(50)]
        for iterator in held:
            async for _first in iterator:
                break
        assert server.at_once <= 2
        began = loop.time()
        assert (await hub.get("tavus:c1")).id == "c1"
        await hub.close()
        assert loop.time() == began
        for iterator in held:
            await iterator.aclose()


@asynccontextmanager
async def _three_of_five_fail(fault: Fault, clock: Clock) -> AsyncGenerator[Hub]:
    refused = answer({"message": "Invalid access token"}, 401)
    async with (
        serving(_silent) as hanging,
        serving(DOWN) as down,
        serving(refused) as locked,
        serving(Tavus()) as one,
        serving(Tavus()) as other,
    ):
        urls = (server.url for server in (hanging, down, locked, one, other))
        yield await fault.hub(*urls, clock=clock, profile=PROFILES["interactive"].but(deadline=1.0))


FAILING = {"tavus/a": DeadlineError, "tavus/b": OutageError, "tavus/c": AuthError}


async def test_f058_a_fan_out_brings_what_the_healthy_have_and_then_says_who_failed(
    fault: Fault, loop: WiredLoop
) -> None:
    async with _three_of_five_fail(fault, loop.clock()) as hub:
        walk = hub.list(page_size=10)
        began = loop.time()
        found, error = await until_it_fails(walk)
        assert loop.time() - began == pytest.approx(1.0)
    assert isinstance(error, PartialError)
    fault.errors += [error, *error.errors.values()]
    assert {where: type(error) for where, error in error.errors.items()} == FAILING
    assert all(where in str(error) for where in FAILING)
    assert sorted((c.account, c.id) for c in found) == sorted((name, f"c{n}") for name in "de" for n in range(25))
    assert [report.complete for report in walk.report.accounts] == [False, False, False, True, True]


async def test_f059_failures_can_be_taken_one_by_one(fault: Fault, loop: WiredLoop) -> None:
    taken: list[HubError] = []
    async with _three_of_five_fail(fault, loop.clock()) as hub:
        walk = hub.list(page_size=10, on_error=taken.append)
        began = loop.time()
        assert len([c async for c in walk]) == 50
        assert loop.time() - began == pytest.approx(1.0)
    fault.errors += taken
    assert {f"{error.provider}/{error.account}": type(error) for error in taken} == FAILING
    assert len(taken) == 3
    assert not walk.report.complete
    assert walk.report.errors.keys() == FAILING.keys()


async def test_f060_a_bug_in_one_adapter_is_that_one_s_alone(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_account: Account, _query: Query, _cursor: str | None) -> Flow[RawPage]:
        yield Request("GET", "/v2/conversations")
        raise KeyError("personal data")

    monkeypatch.setattr(tavus, "ADAPTER", msgspec.structs.replace(tavus.ADAPTER, list_page=broken))
    async with (
        serving(OK) as bad,
        serving(answer({"data": {"items": [{"id": "v1"}]}})) as good,
        Hub(
            [
                Account("tavus", key=CANARY, base_url=bad.url),
                Account("voiceable", key=CANARY, base_url=good.url),
            ],
            clock=fault.time.clock,
        ) as hub,
    ):
        walk = hub.list()
        found, error = await until_it_fails(walk)
    assert [c.ref for c in found] == ["voiceable:v1"]
    assert isinstance(error, PartialError)
    [bug] = error.errors.values()
    fault.errors += [error, bug]
    assert type(bug) is PayloadError
    assert bug.provider == "tavus"
    assert str(bug).startswith("tavus/default list: ")
    assert "KeyError" in bug.reason
    assert "personal data" not in str(error) + str(bug)


async def test_f061_closing_ends_twenty_requests_in_time(fault: Fault, loop: WiredLoop) -> None:
    async with serving(_silent) as server:
        hub = await fault.hub(server.url, clock=loop.clock())
        running = [asyncio.ensure_future(fault.failure(hub.get(f"tavus:c{number}"))) for number in range(20)]
        await server.has_been_asked(20)
        began = loop.time()
        await hub.close()
        outcomes = await asyncio.gather(*running)
        assert loop.time() == began
        await hub.close()
        later = await fault.failure(hub.get("tavus:c1"))
        assert len(server.asked) == 20
    assert {type(error) for error in [*outcomes, later]} == {HubClosedError}


async def test_f063_a_slow_reader_of_one_account_is_at_most_a_page_behind(fault: Fault) -> None:
    async with serving(Tavus(150)) as server:
        hub = await fault.hub(server.url)

        async def taken(found: AsyncIterable[object]) -> int:
            count = 0
            async for _item in found:
                count += 1
                for _turn in range(20):  # slower than the provider
                    await asyncio.sleep(0)
                ahead = len(server.asked) - 1 - count // size
                assert ahead <= 1
            return count

        size = 10
        assert await taken(hub.list("tavus", page_size=10)) == 150
        server.asked.clear()
        size = 1
        assert await taken(hub.list("tavus", page_size=10).pages()) == 15


async def test_f063_a_long_walk_keeps_no_page(fault: Fault) -> None:
    answers = [
        answer({"data": [details(number) for number in range(start, start + 100)], "total_count": 2_000})
        for start in range(0, 2_000, 100)
    ]
    async with serving(*answers) as server:
        hub = await fault.hub(server.url, keep_raw=True)
        levels: list[int] = []
        tracemalloc.start()
        try:
            async for page in hub.list("tavus").pages():
                assert len(page.items) == 100
                server.asked[:] = server.asked[-1:] * len(server.asked)
                fault.signals.clear()
                levels.append(tracemalloc.get_traced_memory()[0])
        finally:
            tracemalloc.stop()
    assert len(levels) == 20
    assert levels[-1] - levels[4] < 12 * len(answers[0])  # of fifteen pages: their ids, and little more


_WATCHED = """
import importlib, os, pkgutil, sys, threading
import conversations_hub

ours = ["conversations_hub", *(
    module.name for module in pkgutil.walk_packages(conversations_hub.__path__, "conversations_hub.")
    if not module.name.startswith(("conversations_hub._cli", "conversations_hub.__main__"))  # a program may look around
)]

def load():
    for name in ours:
        importlib.import_module(name)

load()  # once, so that what others do when they are imported is done
for name in ours:
    del sys.modules[name]
seen = []

class Watched(type(os.environ)):
    def __getitem__(self, name):
        seen.append(f"environment {name}")
        return super().__getitem__(name)

def watch(event, arguments):  # a new event loop is a pair of sockets, and a task needs one
    if event.startswith(("socket.", "subprocess.", "os.system", "os.posix_spawn", "os.fork")):
        seen.append(event)
    if event == "open" and not str(arguments[0]).endswith((".py", ".pyc")) and ".pyc." not in str(arguments[0]):
        seen.append(f"open {arguments[0]}")

os.environ.__class__ = Watched
threading.Thread.start = lambda thread: seen.append("thread")
sys.addaudithook(watch)
load()
print(seen, threading.active_count())
"""


def test_f065_importing_the_package_does_nothing_else() -> None:
    done = subprocess.run([sys.executable, "-c", _WATCHED], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[] 1"
