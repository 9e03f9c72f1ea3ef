"""A receiver answers what came, in time and in bounded memory, and only when it has handed it over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from conversations_hub.errors import ConfigurationError, StoreError
from conversations_hub.serve import Answer, Delivery, Endpoint, Inbox, Receiver, Tokens, gateway, hooks_app, under
from conversations_hub.signing.webhooks import ed25519_signed, hmac_signed
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.testing import Simulator

from ..support.asgi import Message, answered, running
from ..support.clock import NOW, at
from ..support.deliveries import ACME, SECRET
from ..support.receiving import BODY, CASES, ENDPOINTS, TOKEN, Case, headers_of, pieces, signed

CLOCK = at(NOW)


class Kept:
    """Whoever takes deliveries."""

    def __init__(self) -> None:
        self.deliveries: list[Delivery] = []
        self.wrong: Exception | None = None

    async def keep(self, delivery: Delivery) -> None:
        if self.wrong is not None:
            raise self.wrong
        self.deliveries.append(delivery)


@pytest.fixture
def kept() -> Kept:
    return Kept()


@pytest.fixture
def receiver(kept: Kept) -> Receiver:
    return Receiver(ENDPOINTS, kept.keep, clock=CLOCK)


async def asked(receiver: Receiver, case: Case) -> Answer:
    some = (case.body[:7], b"", case.body[7:]) if case.is_chunked else (case.body,)
    headers = headers_of(case)
    if not case.is_chunked:
        headers.append(("Content-Length", str(len(case.body))))
    return await receiver.answer(case.method, unquote(case.path, errors="replace"), headers, pieces(*some))


async def posted(receiver: Receiver, body: bytes = BODY, path: str = "/acme") -> int:
    return (await receiver.answer("POST", path, signed(body), pieces(body))).status


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_each_request_has_its_answer(case: Case, receiver: Receiver, kept: Kept) -> None:
    answer = await asked(receiver, case)
    assert answer.status == case.status
    assert bool(kept.deliveries) == (case.status in {200, 400})
    assert (answer.body == b"{}") == (case.status == 200)
    assert SECRET not in repr(answer)
    assert TOKEN not in repr(answer)
    assert sum(receiver.counts.values()) == 1


async def test_what_is_handed_over_says_where_it_is_from(receiver: Receiver, kept: Kept) -> None:
    await posted(receiver)
    await posted(receiver, path=f"/open/{TOKEN}")
    await posted(receiver, b"{")
    first, unsigned, unreadable = kept.deliveries
    assert (first.endpoint, first.provider, first.account, first.verified) == ("acme", "acme", "default", True)
    assert (first.body, first.received_at, [event.id for event in first.events]) == (BODY, NOW, ["event-one"])
    assert (unsigned.account, unsigned.verified, unsigned.events[0].protected) == ("eu", False, False)
    assert unreadable.events == ()
    assert unreadable.unreadable
    assert "event-one" not in repr(first)


async def test_only_what_was_handed_over_is_acknowledged(receiver: Receiver, kept: Kept) -> None:
    kept.wrong = StoreError("the disk is full")
    answer = await asked(receiver, CASES[0])
    assert (answer.status, dict(answer.headers)["retry-after"]) == (503, "5")
    kept.wrong = None
    assert await posted(receiver) == 200


# time and memory


async def for_ever(*some: bytes) -> AsyncGenerator[bytes]:
    for one in some:
        yield one
    await asyncio.Event().wait()


async def test_a_body_that_does_not_come_and_a_keeper_that_does_not_answer_have_their_time(kept: Kept) -> None:
    hasty = Receiver(ENDPOINTS, kept.keep, read_within=0.01, clock=CLOCK)
    assert (await hasty.answer("POST", "/acme", signed(BODY), for_ever(BODY))).status == 408

    async def keep(_delivery: Delivery) -> None:
        await asyncio.Event().wait()

    assert await posted(Receiver(ENDPOINTS, keep, answer_within=0.01, clock=CLOCK)) == 503


async def test_a_sender_that_goes_away_is_no_error(receiver: Receiver) -> None:
    async def cut() -> AsyncGenerator[bytes]:
        yield BODY[:5]
        raise ConnectionResetError

    assert (await receiver.answer("POST", "/acme", signed(BODY), cut())).status == 400


async def test_all_bodies_together_are_bounded(kept: Kept) -> None:
    receiver = Receiver(ENDPOINTS, kept.keep, most_held=100_000, clock=CLOCK)
    waiting = [asyncio.ensure_future(receiver.answer("POST", "/acme", (), for_ever(b"x" * 40_000))) for _ in range(2)]
    await asyncio.sleep(0.01)
    assert (await receiver.answer("POST", "/acme", (), pieces(b"x" * 40_000))).status == 503
    assert await posted(receiver) == 200  # small ones still fit
    for one in waiting:
        one.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await receiver.answer("POST", "/acme", (), pieces(b"x" * 40_000))).status == 401


async def test_a_declared_length_is_refused_before_a_byte_is_read(receiver: Receiver) -> None:
    for length, status in (("65537", 413), ("9" * 30, 400), ("-1", 400)):
        answer = await receiver.answer("POST", "/acme", [("content-length", length)], for_ever())
        assert answer.status == status


async def test_a_large_body_is_verified_beside_the_loop(kept: Kept) -> None:
    receiver = Receiver({"acme": Endpoint(ACME, secrets=[SECRET])}, kept.keep, clock=CLOCK)
    assert await posted(receiver, BODY + b" " * 500_000) == 200


# secrets


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "believes anyone"),
        ({"token": "t" * 31}, "32 to 256 letters"),
        ({"token": "t" * 31 + "/1"}, "32 to 256 letters"),
        ({"secrets": ["short"]}, "at least 16 bytes"),
        ({"secrets": [SECRET], "tolerance": -1}, "tolerance"),
        (
            {"secrets": [SECRET], "scheme": hmac_signed("x-signature", message=lambda received: received.url.encode())},
            "pass url=",
        ),
    ],
)
def test_an_endpoint_that_could_not_work_or_believes_anyone_is_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        Endpoint(ACME, **arguments)
    assert SECRET not in str(caught.value)


def test_a_provider_must_have_webhooks_and_what_it_needs_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="voiceable has no webhooks"):
        Endpoint("voiceable", token=TOKEN)
    monkeypatch.setitem(__import__("sys").modules, "cryptography.exceptions", None)
    scheme = ed25519_signed("x-signature", timestamp="x-time", message="{body}")
    with pytest.raises(ConfigurationError, match="ed25519"):
        Endpoint(ACME, secrets=["A" * 43 + "="], scheme=scheme)


def test_no_endpoint_shows_its_secrets() -> None:
    assert not any(secret in repr(ENDPOINTS) for secret in (SECRET, TOKEN))


async def test_secrets_are_replaced_while_requests_come(receiver: Receiver) -> None:
    going = asyncio.Event()

    async def slowly() -> AsyncGenerator[bytes]:
        yield BODY[:3]
        await going.wait()
        yield BODY[3:]

    begun = asyncio.ensure_future(receiver.answer("POST", "/acme", signed(BODY), slowly()))
    await asyncio.sleep(0)
    receiver.reload({"acme": Endpoint(ACME, secrets=["a-secret-that-is-the-new-one"])})
    going.set()
    assert (await begun).status == 200
    assert await posted(receiver) == 401
    assert receiver.refused == {"acme": 1}
    with pytest.raises(ConfigurationError, match="name"):
        receiver.reload({"a/b": ENDPOINTS["acme"]})
    assert list(receiver.endpoints) == ["acme"]
    receiver.reload(ENDPOINTS)
    assert await posted(receiver) == 200
    assert not receiver.refused


async def test_the_log_holds_no_path_no_header_and_no_body(
    receiver: Receiver, kept: Kept, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "conversations_hub")
    for case in CASES:
        await asked(receiver, case)
    kept.wrong = KeyError(SECRET)
    await posted(receiver)
    said = caplog.text
    assert "webhook acme: 200" in said
    assert "not kept: KeyError" in said
    assert not [word for word in (SECRET, TOKEN, "event-one", "call-one", "/acme", signed(BODY)[0][1]) if word in said]


# rims


async def test_it_is_an_asgi_application(receiver: Receiver) -> None:
    async with running(receiver):
        told = await answered(receiver, f"/open/{TOKEN}", body=BODY)
        assert (told.status, told.body, told.media_type) == (200, b"{}", "application/json")
        told = await answered(receiver, "/acme", body=BODY)
        assert (told.status, told.media_type) == (401, "application/problem+json")
        assert (await answered(receiver, "/acme")).status == 405


async def test_it_refuses_websockets(receiver: Receiver) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await receiver({"type": "websocket", "path": "/acme"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]


async def asgi(receiver: Receiver, scope: Message, *messages: Message) -> int:
    sent: list[Message] = []
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    whole = {"type": "http", "method": "POST", "headers": [(b"X-Signature", signed(BODY)[0][1].encode())], **scope}
    await receiver(whole, receive, send)
    return int(sent[0]["status"])


@pytest.mark.parametrize(
    ("path", "root", "status"),
    [
        ("/hooks/acme", "/hooks", 200),
        ("/acme/", "", 200),
        ("/acme", "/hooks", 200),
        ("/acme", "/ac", 200),
        ("/hooks", "/hooks", 404),
        ("/hooks/acme", "", 404),
    ],
)
async def test_its_place_is_not_part_of_the_path(receiver: Receiver, path: str, root: str, status: int) -> None:
    some: list[Message] = [
        {"type": "http.request", "body": BODY[:5], "more_body": True},
        {"type": "http.request", "body": BODY[5:]},
    ]
    assert await asgi(receiver, {"path": path, "root_path": root}, *some) == status


async def test_an_asgi_sender_that_goes_away_is_no_error(receiver: Receiver) -> None:
    assert await asgi(receiver, {"path": "/acme"}, {"type": "http.disconnect"}) == 400


async def test_an_application_without_mounts_is_put_around(receiver: Receiver) -> None:
    places: list[object] = []

    async def app(scope: Message, _receive: object, send: Callable[[Message], Awaitable[None]]) -> None:
        places.append(scope.get("path"))
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 418, "headers": [(b"content-type", b"text/plain")]})
            await send({"type": "http.response.body", "body": b"theirs"})

    both = under(app, "hooks/", receiver)
    assert (await answered(both, f"/hooks/open/{TOKEN}", body=BODY)).status == 200
    assert (await answered(both, "/hooks", body=BODY)).status == 404
    assert (await answered(both, "/hooksome", body=BODY)).status == 418
    await both({"type": "lifespan"}, lambda: asyncio.sleep(0, {}), lambda _: asyncio.sleep(0))
    assert places == ["/hooksome", None]


async def test_it_is_a_handler_of_aiohttp_and_an_application_to_add(receiver: Receiver) -> None:
    outer = web.Application(client_max_size=10)
    outer.router.add_post("/direct/{tail:.*}", receiver.aiohttp)
    outer.add_subapp("/hooks", hooks_app(receiver))
    async with TestServer(outer) as server, aiohttp.ClientSession() as session:
        for place in ("/direct", "/hooks"):
            for case in CASES[:2] + [case for case in CASES if case.status in {401, 413}][:3]:
                url = server.make_url(place + case.path)
                async with session.post(url, data=case.body, headers=headers_of(case)) as answer:
                    assert answer.status == case.status
        async with session.get(server.make_url("/hooks/acme")) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_a_gateway_takes_it_along(receiver: Receiver, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "c.db")
    await store.open({})
    await store.close()
    outer = gateway(store, tokens=Tokens.fresh()[0])
    outer.add_subapp("/hooks", hooks_app(receiver))
    async with TestServer(outer) as server, aiohttp.ClientSession() as session:
        for case in CASES[:2] + [case for case in CASES if case.status in {401, 405}][:3]:
            url = server.make_url(f"/hooks{case.path}")
            async with session.request(case.method, url, data=case.body, headers=headers_of(case)) as answer:
                assert answer.status == case.status
        async with session.get(server.make_url("/v1/conversations")) as answer:
            assert answer.status == 401


# with an inbox


async def test_what_a_simulated_provider_signs_is_in_the_inbox(tmp_path: Path) -> None:
    simulator = Simulator(conversations=12, providers=["retell"], now=NOW, clock=lambda: 0.0)
    world = simulator.worlds["retell"]
    secret = simulator.secret("retell")
    async with Inbox(tmp_path / "inbox") as inbox:
        receiver = Receiver({"retell-eu": Endpoint("retell", account="eu", secrets=[secret])}, inbox.keep, clock=CLOCK)
        due = set[str]()
        for truth in world.newest():
            for sent in simulator.delivered("retell", world.id(truth)):
                answer = await receiver.answer("POST", "retell-eu", sent.headers, pieces(sent.body))
                assert answer.status == 200
                due.add(world.id(truth))
        found = await inbox.due("retell/eu", NOW + timedelta(hours=1))
        assert {one.account for one in found} == {"eu"}
        assert {one.conversation for one in found} <= due
        assert len(found) > 5
