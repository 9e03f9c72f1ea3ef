"""Our own limits: so many connections over all accounts, taken in turns, and a name for what the process cannot do."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import resource
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from conversations_hub import Account, Hub, errors
from conversations_hub._transport.connections import Connections
from conversations_hub._transport.failures import failure_of
from conversations_hub.policy import PROFILES
from conversations_hub.policy._breaker import Breaker
from conversations_hub.signals import BreakerChanged, RetryScheduled, Signal, Waited

from ..support.server import Answer, Asked, Scripted, answer, serving

# whose turn it is


async def standing(connections: Connections, account: str, served: list[str]) -> None:
    await connections.take(account, 60)
    served.append(account)


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_accounts_take_turns_however_long_their_lines_are() -> None:
    connections, served = Connections(1), list[str]()
    await connections.take("a", 60)
    waiting = [asyncio.create_task(standing(connections, account, served)) for account in "aaaabbc"]
    await turns()
    for _ in waiting:
        connections.give_back()
        await turns()
    assert "".join(served) == "abcabaa"
    connections.give_back()
    assert connections.take_at_once()
    connections.give_back()


async def test_who_stops_waiting_keeps_nothing_from_the_others() -> None:
    connections, served = Connections(1), list[str]()
    await connections.take("a", 60)
    waiting = [asyncio.create_task(standing(connections, account, served)) for account in "bcd"]
    await turns()
    waiting[1].cancel()
    connections.give_back()
    waiting[0].cancel()  # its turn has come, and it has not noticed yet
    await turns()
    assert served == ["d"]
    connections.give_back()
    assert connections.take_at_once()
    connections.give_back()


async def test_a_turn_that_does_not_come_in_time_is_our_own_limit() -> None:
    connections = Connections(1)
    await connections.take("a", 60)
    with pytest.raises(errors.DeadlineError, match="all 1 connections of this hub were taken") as late:
        await connections.take("b", 0)
    assert not Breaker.counts(late.value)
    connections.give_back()
    assert connections.take_at_once()
    connections.give_back()


def test_the_number_is_a_share_of_what_the_process_may_open() -> None:
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert Connections().most == min(1000, descriptors // 4)
    with pytest.raises(errors.ConfigurationError, match="connections must be 1 or more"):
        Hub(connections=0)
    with pytest.raises(errors.ConfigurationError, match="accounts_at_once must be 1 or more"):
        Hub(accounts_at_once=0)


# what is open


async def ended(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
    id = asked.target.partition("?")[0].rpartition("/")[2]
    row = {"conversation_id": "c1", "status": "ended"}
    return answer({"data": [row], "total_count": 1} if id == "conversations" else row | {"conversation_id": id})


@asynccontextmanager
async def accounts(number: int, **options: Any) -> AsyncGenerator[tuple[Hub, Scripted, list[Signal]]]:
    told: list[Signal] = []
    async with serving(ended) as server:
        all_of_them = [Account("tavus", key="key", name=f"a{each}", base_url=server.url) for each in range(number)]
        async with Hub(all_of_them, on_signal=told.append, **options) as hub:
            yield hub, server, told


async def test_connections_at_rest_give_way_to_other_accounts() -> None:
    async with accounts(20, connections=4) as (hub, server, told):
        for _ in range(2):
            for number in range(20):
                await hub.get(f"tavus/a{number}:c1")
                assert shared_by(hub)._open <= 4
        assert (server.connections, len(server.asked)) == (40, 40)
        await asyncio.gather(*(hub.get("tavus/a19:c1") for _ in range(3)))
        assert server.connections <= 43
        refs = [f"tavus/a{number % 20}:c1" for number in range(100)]
        assert all([outcome.conversation async for outcome in hub.get_many(refs, concurrency=60)])
        assert not [signal for signal in told if isinstance(signal, Waited)]
        await asyncio.gather(*map(hub.get, refs))
        assert server.at_once <= 4
        assert any(isinstance(signal, Waited) and signal.reason == "connection" for signal in told)
        assert not [signal for signal in told if isinstance(signal, RetryScheduled | BreakerChanged)]


def shared_by(hub: Hub) -> Any:
    return hub._connections  # pyright: ignore[reportPrivateUsage]


async def test_a_connection_that_is_kept_is_used_again_by_its_own_account_alone() -> None:
    async with accounts(2) as (hub, server, _):
        for _ in range(3):
            for name in ("a0", "a1"):
                await hub.get(f"tavus/{name}:c1")
    assert server.connections == 2
    assert len(server.asked) == 6


async def test_failures_and_cancelled_calls_give_their_places_back() -> None:
    async with accounts(3, connections=2, profile=PROFILES["interactive"].but(attempts=1)) as (hub, server, _):
        await server.close()
        outcomes = [o async for o in hub.get_many([f"tavus/a{n}:c1" for n in range(3)], concurrency=3)]
        assert {type(outcome.error) for outcome in outcomes} == {errors.TransportError}
        calls = [asyncio.create_task(hub.get(f"tavus/a{n}:c1")) for n in range(3)]
        await turns()
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        shared = shared_by(hub)
        assert (shared._taken, shared._open) == (0, 0)


# a process with few descriptors

_CHILD = """
import asyncio, json, os, resource, sys
from contextlib import suppress
from conversations_hub import Account, Hub, errors
from conversations_hub.policy import PROFILES
from conversations_hub.signals import AttemptEnded, BreakerChanged, RetryScheduled

url, profile, descriptors, number, options = *sys.argv[1:3], *map(json.loads, sys.argv[3:])
resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
told = {"most": 0, "retries": 0, "breakers": 0, "attempts": 0}

def tell(signal):
    told["retries"] += isinstance(signal, RetryScheduled)
    told["breakers"] += isinstance(signal, BreakerChanged)
    if isinstance(signal, AttemptEnded):
        told["attempts"] += 1
        with suppress(OSError):
            told["most"] = max(told["most"], len(os.listdir("/dev/fd")) - 1)

async def main():
    accounts = [Account("tavus", key="key", name=f"a{n}", base_url=url) for n in range(number)]
    patient = PROFILES[profile].but(deadline=3600.0, attempt_timeout=3600.0, connect_timeout=3600.0)
    async with Hub(accounts, profile=patient, on_signal=tell, **options) as hub:
        failed = []
        walk = hub.list(transcripts=True, on_error=failed.append)
        told["delivered"] = len([c async for c in walk])
        told["not_loaded"] = sum(account.not_loaded for account in walk.report.accounts)
        told["failed"] = sorted({f"{type(error).__name__}: {error.reason}" for error in failed})
        told["newest"] = len([c async for c in hub.list(limit=number // 2, on_error=failed.append)])
    print(json.dumps(told))

asyncio.run(main())
"""


async def in_a_process(descriptors: int, number: int, profile: str = "interactive", **options: Any) -> dict[str, Any]:
    """Walk so many accounts in a process of its own, and return what came of it."""
    async with serving(many) as server:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _CHILD,
            server.url,
            profile,
            *map(json.dumps, (descriptors, number, options)),
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await child.communicate()
    assert child.returncode == 0
    told: dict[str, Any] = json.loads(said)
    return told


async def many(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
    id = asked.target.partition("?")[0].rpartition("/")[2]
    rows = [{"conversation_id": f"c{number}", "status": "ended"} for number in range(5)]
    return answer({"data": rows, "total_count": 5} if id == "conversations" else {**rows[0], "conversation_id": id})


@pytest.mark.parametrize("profile", ["interactive", "bulk"])
async def test_many_accounts_are_walked_with_few_descriptors(profile: str) -> None:
    told = await in_a_process(128, 150, profile, accounts_at_once=64 if profile == "interactive" else 150)
    assert told["delivered"] == 150 * 5
    assert told["newest"] == 75
    assert (told["not_loaded"], told["failed"]) == (0, [])
    assert (told["retries"], told["breakers"], told["attempts"]) == (0, 0, 150 * 7)
    assert told["most"] <= 32 + 20


async def test_too_few_descriptors_are_named_and_count_for_no_breaker() -> None:
    told = await in_a_process(48, 60, connections=1000)
    assert [each.partition(":")[0] for each in told["failed"]] == ["LocalLimitError"]
    assert "raise `ulimit -n`, or lower connections=" in told["failed"][0]
    assert (told["retries"], told["breakers"]) == (0, 0)


# how it is told


@pytest.mark.parametrize(
    ("cause", "named"),
    [
        (OSError(errno.EMFILE, "Too many open files"), "in this process"),
        (OSError(errno.ENFILE, "Too many open files in system"), "on this machine"),
        (
            OSError(f"Multiple exceptions: refused, {os.strerror(errno.EMFILE)}"),
            "in this process",
        ),
        (OSError(errno.ECONNREFUSED, "refused"), None),
    ],
)
def test_our_own_limits_are_told_from_the_provider_s_faults(cause: OSError, named: str | None) -> None:
    wrapped = aiohttp.ClientConnectorError(KEY, cause)
    for error in (wrapped, cause):
        failure = failure_of(error, "api.example.com", PROFILES["bulk"], "connecting")
        assert isinstance(failure, errors.LocalLimitError) is (named is not None)
        assert failure.retryable is (named is None)
        assert Breaker.counts(failure) is (named is None)
        assert (named or "") in failure.reason


def test_a_name_that_cannot_be_looked_up_for_want_of_descriptors_is_our_own_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def exhausted(*_: object) -> int:
        raise OSError(errno.EMFILE, "")

    error = aiohttp.ClientConnectorDNSError(KEY, OSError(-3, "Temporary failure in name resolution"))
    assert type(failure_of(error, "api.example.com", PROFILES["bulk"], "")) is errors.TransportError
    monkeypatch.setattr(os, "open", exhausted)
    failure = failure_of(error, "api.example.com", PROFILES["bulk"], "")
    monkeypatch.undo()
    assert isinstance(failure, errors.LocalLimitError)


KEY = ConnectionKey("api.example.com", 443, True, True, None, None, None)  # noqa: FBT003
