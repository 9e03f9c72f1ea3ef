"""Requests to other addresses of a provider's API: with the key, but only to those that the adapter names."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest

from conversations_hub._transport import Lane
from conversations_hub.account import Account
from conversations_hub.adapter import Adapter
from conversations_hub.errors import UnsafeURLError
from conversations_hub.policy import PROFILES
from conversations_hub.signing import header
from conversations_hub.wire import Flow, Request, Response

from ..support.clock import FakeClock
from ..support.server import answer, serving

KEY = "canary-key-0123456789"
OK = answer({"fine": True})


def asked(request: Request) -> Flow[Response]:
    reply = yield request
    return reply


@asynccontextmanager
async def lane(base_url: str, *others: str, own: str | None = None) -> AsyncGenerator[Lane]:
    adapter = Adapter(name="acme", base_url=base_url, base_urls=others, docs="", sign=header("x-api-key"))
    account = Account("acme", key=KEY, base_url=own)
    made = Lane(account, adapter, PROFILES["interactive"].but(attempts=1), clock=FakeClock().clock)
    try:
        yield made
    finally:
        await made.close()


async def test_a_named_address_is_asked_with_the_key() -> None:
    async with serving(OK) as usual, serving(OK) as other, lane(usual.url, other.url) as one:
        assert (await one.run("get", asked(Request("GET", "/v2/x", base_url=other.url)))).ok
        assert usual.asked == []
        [request] = other.asked
    assert (request.target, request.headers["x-api-key"]) == ("/v2/x", KEY)


async def test_the_account_s_own_address_stands_for_all() -> None:
    async with serving(OK) as own, serving(OK) as other, lane("https://a.invalid", other.url, own=own.url) as one:
        assert (await one.run("get", asked(Request("GET", "/v2/x", base_url=other.url)))).ok
        assert other.asked == []
        assert [request.target for request in own.asked] == ["/v2/x"]


async def test_an_address_that_is_not_named_is_not_asked() -> None:
    async with serving(OK) as usual, serving(OK) as other, lane(usual.url) as one:
        with pytest.raises(UnsafeURLError):
            await one.run("get", asked(Request("GET", "/v2/x", base_url=other.url)))
        assert (usual.asked, other.asked) == ([], [])


@pytest.mark.parametrize("sent", ["application/x-www-form-urlencoded", None])
async def test_a_body_is_json_unless_the_headers_say_otherwise(sent: str | None) -> None:
    request = Request("POST", "/v1/x", body=b"A=1")
    if sent is not None:
        request = msgspec.structs.replace(request, headers={"Content-Type": sent})
    async with serving(OK) as usual, lane(usual.url) as one:
        await one.run("start", asked(request))
        assert usual.asked[0].headers["content-type"] == (sent or "application/json")
