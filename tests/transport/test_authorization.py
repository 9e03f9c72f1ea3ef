"""A key that is exchanged for tokens: once for all who wait, again before they expire, and once more if refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from conversations_hub import Account, Conversation, Hub
from conversations_hub.adapter import Adapter, Authorization, Token
from conversations_hub.errors import AuthError, DeadlineError, ForbiddenError, HubClosedError, HubError, OutageError
from conversations_hub.policy import PROFILES
from conversations_hub.reading.json import decode
from conversations_hub.secret import Secret
from conversations_hub.signing import bearer, header
from conversations_hub.wire import Flow, Request

from ..support.clock import FakeClock
from ..support.server import Answer, Asked, Scripted, answer, serving

KEY = "canary-key-0123456789"


class _Issued(msgspec.Struct):
    access_token: str
    expires_in: float | None = None


_issued = msgspec.json.Decoder(_Issued)


def authorize(_account: Account) -> Flow[Token]:
    """Exchange the key for a token."""
    reply = yield Request("POST", "/token", body=b"{}", safe=True)
    issued = decode(reply.body, _issued)
    return Token(secret=Secret(issued.access_token), lifetime=issued.expires_in)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation."""
    yield Request("GET", "/calls/{id}", ids={"id": id})
    return Conversation(provider="acme", id=id)


ACME = Adapter(
    name="acme",
    base_url="https://api.acme.example",
    docs="",
    sign=bearer,
    get=get,
    authorization=Authorization(flow=authorize, sign=header("x-api-key")),
)


class Issuer:
    """A provider that issues tokens, and answers those who have the last one."""

    def __init__(self, lifetime: float | None = 600.0) -> None:
        self.lifetime = lifetime
        self.issued = 0
        self.refuses: Answer | None = None
        self.was_asked = asyncio.Event()
        self.may_issue = asyncio.Event()
        self.may_issue.set()

    async def __call__(self, asked: Asked, _writer: asyncio.StreamWriter) -> Answer:
        headers = {name.lower(): value for name, value in asked.headers.items()}
        if asked.target == "/token":
            assert headers["x-api-key"] == KEY
            assert "authorization" not in headers
            self.was_asked.set()
            await self.may_issue.wait()
            if self.refuses is not None:
                return self.refuses
            self.issued += 1
            return answer({"access_token": f"canary-token-{self.issued}", "expires_in": self.lifetime})
        assert "x-api-key" not in headers
        given = headers["authorization"]
        if given != f"Bearer canary-token-{self.issued}":
            return answer({"message": f"no longer valid: {given}"}, status=401)
        return answer({})


@asynccontextmanager
async def acme(
    issuer: Issuer, clock: FakeClock | None = None, **numbers: float
) -> AsyncGenerator[tuple[Hub, Scripted]]:
    """Serve the provider, and yield a hub that knows it."""
    profile = PROFILES["interactive"].but(**{"attempts": 2, **numbers})
    async with serving(issuer) as server:
        account = Account("acme", key=KEY, base_url=server.url)
        clock = clock or FakeClock()
        async with Hub([account], adapters={"acme": ACME}, profile=profile, clock=clock.clock) as hub:
            yield hub, server


async def test_one_token_is_issued_for_many_who_wait() -> None:
    issuer = Issuer()
    async with acme(issuer) as (hub, _):
        found = await asyncio.gather(*(hub.get(f"acme:c{number}") for number in range(20)))
    assert [one.id for one in found] == [f"c{number}" for number in range(20)]
    assert issuer.issued == 1


async def test_it_is_renewed_before_it_expires() -> None:
    issuer, clock = Issuer(lifetime=600.0), FakeClock()
    async with acme(issuer, clock) as (hub, _):
        await hub.get("acme:c1")
        clock.time += 535.0
        await hub.get("acme:c2")
        assert issuer.issued == 1
        clock.time += 6.0
        await hub.get("acme:c3")
    assert issuer.issued == 2


async def test_one_without_a_lifetime_is_kept() -> None:
    issuer, clock = Issuer(lifetime=None), FakeClock()
    async with acme(issuer, clock) as (hub, _):
        await hub.get("acme:c1")
        clock.time += 1e6
        await hub.get("acme:c2")
    assert issuer.issued == 1


async def test_one_that_is_refused_early_is_replaced_once() -> None:
    issuer = Issuer()
    async with acme(issuer) as (hub, _):
        await hub.get("acme:c1")
        issuer.issued += 1  # as if another process had a new one
        found = await asyncio.gather(*(hub.get(f"acme:c{number}") for number in range(8)))
        assert len(found) == 8
        assert issuer.issued == 3


async def test_where_new_ones_are_refused_too_that_is_the_error() -> None:
    issuer = Issuer()

    async def refuse(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        told = await issuer(asked, writer)
        return told if asked.target == "/token" else answer({"message": "Bearer canary-token-2 is bad"}, status=401)

    async with serving(refuse) as server:
        account = Account("acme", key=KEY, base_url=server.url)
        async with Hub([account], adapters={"acme": ACME}, clock=FakeClock().clock) as hub:
            with pytest.raises(AuthError) as caught:
                await hub.get("acme:c1")
    assert issuer.issued == 2
    assert caught.value.operation == "get"
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind", "tries"), [(401, AuthError, 1), (403, ForbiddenError, 1), (503, OutageError, 2)]
)
async def test_a_refusal_to_issue_is_everybody_s_error(status: int, kind: type[HubError], tries: int) -> None:
    issuer = Issuer()
    issuer.refuses = answer({"message": "no"}, status=status)
    async with acme(issuer) as (hub, server):
        outcomes = await asyncio.gather(*(hub.get(f"acme:c{number}") for number in range(3)), return_exceptions=True)
        assert [type(one) for one in outcomes] == [kind] * 3
        assert len({id(one) for one in outcomes}) == 3
        # An outage is retried by the renewal, and by those who wait for it.
        assert tries <= len(server.asked) <= tries**2
        issuer.refuses = None
        assert (await hub.get("acme:c1")).id == "c1"


async def test_who_gives_up_waiting_stops_nobody_else() -> None:
    issuer = Issuer()
    issuer.may_issue.clear()
    async with acme(issuer) as (hub, _):
        first, second = (asyncio.create_task(hub.get(f"acme:c{number}")) for number in range(2))
        await issuer.was_asked.wait()
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        issuer.may_issue.set()
        assert (await second).id == "c1"
        assert first.cancelled()


async def test_it_is_waited_for_until_the_deadline() -> None:
    issuer = Issuer()
    issuer.may_issue.clear()
    async with acme(issuer) as (hub, _):
        with pytest.raises(DeadlineError):
            await hub.get("acme:c1", timeout=0.01)
        issuer.may_issue.set()
        assert (await hub.get("acme:c1")).id == "c1"


async def test_a_hub_that_is_closed_meanwhile_ends_it() -> None:
    issuer = Issuer()
    issuer.may_issue.clear()
    async with acme(issuer) as (hub, _):
        waiting = asyncio.create_task(hub.get("acme:c1"))
        await issuer.was_asked.wait()
        await hub.close()
        with pytest.raises(HubClosedError):
            await waiting
        issuer.may_issue.set()
