"""Requests to another host than the API: without the key, to known public hosts, and outside the provider's limit."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest

from conversations_hub._transport import Lane
from conversations_hub.account import Account
from conversations_hub.adapter import Adapter
from conversations_hub.errors import HubError, NotFoundError, OutageError, PayloadError, RejectedError, UnsafeURLError
from conversations_hub.policy import PROFILES
from conversations_hub.signals import AttemptEnded, Signal
from conversations_hub.signing import header
from conversations_hub.wire import Flow, Request, Response

from ..support.clock import FakeClock
from ..support.public_hosts import Hosts, hosts
from ..support.server import answer, serving

KEY = "canary-key-0123456789"
ACME = Adapter(
    name="acme",
    base_url="https://api.acme.example",
    docs="",
    sign=header("x-api-key"),
    artifact_hosts=("files.example.com",),
)
PLACE = "https://eu.files.example.com/t/1.json?X-Amz-Signature=canary-signature"
NAMES = ("eu.files.example.com", "files.example.org")
OK = answer({"fine": True})


def fetched(url: str, **more: Any) -> Flow[Response]:
    """Fetch an artifact."""
    reply = yield Request("GET", url, elsewhere=True, **more)
    return reply


@asynccontextmanager
async def lane(
    base_url: str | None = None, known: Hosts | None = None, signals: list[Signal] | None = None
) -> AsyncGenerator[Lane]:
    """Yield a lane that trusts the certificates of the hosts."""
    made = Lane(
        Account("acme", key=KEY, base_url=base_url),
        ACME,
        PROFILES["interactive"].but(attempts=2),
        clock=FakeClock().clock,
        recordings_ssl=known.ssl if known else None,
        on_signal=signals.append if signals is not None else None,
    )
    try:
        yield made
    finally:
        await made.close()


async def test_it_comes_without_the_key_and_without_a_trace_of_its_url() -> None:
    signals: list[Signal] = []
    async with hosts(OK, names=NAMES) as known, lane(known=known, signals=signals) as one:
        reply = await one.run("get", fetched(PLACE, reads=msgspec.json.Decoder(dict[str, bool])))
        [asked] = known.asked
    assert reply.body == b'{"fine": true}'
    assert asked.target == "/t/1.json?X-Amz-Signature=canary-signature"
    assert KEY not in f"{asked.headers}"
    assert {name.lower() for name in asked.headers}.isdisjoint({"x-api-key", "authorization", "cookie"})
    assert [one.path for one in signals if isinstance(one, AttemptEnded)] == ["(elsewhere)"]
    assert "canary" not in repr(signals)


async def test_at_the_account_s_own_address_it_comes_without_the_key_too() -> None:
    async with serving(OK) as server, lane(server.url) as one:
        assert (await one.run("get", fetched(f"{server.url}/t/1.json"))).ok
    assert "x-api-key" not in {name.lower() for name in server.asked[0].headers}


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example.org/t/1.json",
        "https://notfiles.example.com/t/1.json",
        "http://files.example.com/t/1.json",
        "https://files.example.com:8443/t/1.json",
        "https://user@files.example.com/t/1.json",
        "https://169.254.169.254/latest/meta-data",
        "https://files.example.com\\@evil.example/",
        "/t/1.json",
    ],
)
async def test_other_places_are_not_asked(url: str) -> None:
    async with hosts(OK, names=NAMES) as known, lane(known=known) as one:
        with pytest.raises(UnsafeURLError, match="artifact") as caught:
            await one.run("get", fetched(url))
        assert known.asked == []
    assert (caught.value.provider, caught.value.operation) == ("acme", "get")


async def test_a_known_name_at_a_private_address_is_not_connected_to() -> None:
    async with hosts(OK, names=NAMES) as known, lane(known=known) as one:
        known.meanings["eu.files.example.com"][0] = "10.0.0.7"
        with pytest.raises(HubError):
            await one.run("get", fetched(PLACE))
        assert known.connected == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, RejectedError), (403, RejectedError), (404, NotFoundError), (302, PayloadError), (500, OutageError)],
)
async def test_a_refusal_says_nothing_about_the_key(status: int, kind: type[HubError]) -> None:
    refusals = [answer({"message": f"unknown key {KEY}"}, status=status)] * 2
    async with hosts(*refusals, names=NAMES) as known, lane(known=known) as one:
        with pytest.raises(kind) as caught:
            await one.run("get", fetched(PLACE))
        assert len(known.asked) == (2 if status == 500 else 1)
    assert type(caught.value) is kind
    assert KEY not in str(caught.value)


async def test_what_is_not_json_is_as_bad_as_at_the_api() -> None:
    async with hosts(answer(b"<html>"), answer(b"<html>"), names=NAMES) as known, lane(known=known) as one:
        with pytest.raises(PayloadError, match="HTML"):
            await one.run("get", fetched(PLACE))
