"""The lane on real sockets: what it sends, what it believes, when it tries again, and how it ends."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
import traceback
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from conversations_hub._transport import Clock, Counts, Lane
from conversations_hub.account import Account
from conversations_hub.adapter import Adapter
from conversations_hub.errors import (
    AuthError,
    DeadlineError,
    HubClosedError,
    HubError,
    NotFoundError,
    OutageError,
    PayloadError,
    RateLimitError,
    RejectedError,
    TransportError,
)
from conversations_hub.policy import PROFILES, Profile
from conversations_hub.signing import header
from conversations_hub.wire import Flow, Request, Response

from ..support.clock import FakeClock
from ..support.server import Answer, Asked, answer, serving
from ..support.virtual_time import WiredLoop

KEY = "canary-key-0123456789"
ADAPTER = Adapter(name="acme", base_url="https://api.example.com", docs="https://example.com", sign=header("x-api-key"))
INTERACTIVE = PROFILES["interactive"]
OK = answer({"fine": True})


@asynccontextmanager
async def lane_to(url: str, clock: Clock | None = None, **numbers: Any) -> AsyncGenerator[Lane]:
    profile = Profile(**{name: getattr(INTERACTIVE, name) for name in INTERACTIVE.__struct_fields__} | numbers)
    lane = Lane(Account("acme", key=KEY, base_url=url), ADAPTER, profile, clock=clock or FakeClock().clock)
    try:
        yield lane
    finally:
        await lane.close()


def asking(request: Request) -> Flow[Response]:
    reply = yield request
    return reply


async def ask(lane: Lane, request: Request | None = None, counts: Counts | None = None) -> Response:
    return await lane.run(
        "get", asking(request or Request("GET", "/x/{id}", {"a": "b c"}, {"id": "c/1 ü".replace("/", "")})), counts
    )


# what is sent


async def test_a_request_is_sent_as_it_is_meant() -> None:
    async with serving(OK) as server, lane_to(f"{server.url}/prefix/") as lane:
        reply = await ask(lane, Request("POST", "/x/{id}", {"a": "b c", "none": None}, {"id": "c1?&#ü"}, body=b"{}"))
    [asked] = server.asked
    assert reply.body == b'{"fine": true}'
    assert (asked.method, asked.target) == ("POST", "/prefix/x/c1%3F%26%23%C3%BC?a=b%20c")
    assert asked.headers["x-api-key"] == KEY
    assert asked.headers["user-agent"].startswith("conversations-hub/0.")
    assert asked.headers["accept-encoding"] == "gzip"
    assert asked.headers["content-type"] == "application/json"
    assert asked.body == b"{}"


async def test_f115b_a_cookie_is_never_sent_back() -> None:
    said = answer({}, headers={"Set-Cookie": "tenant=a; Path=/"})
    # By name: of a bare address the library keeps no cookies anyway.
    async with serving(said) as server, lane_to(server.url.replace("127.0.0.1", "localhost")) as lane:
        await ask(lane)
        await ask(lane)
    assert "cookie" not in server.asked[1].headers


async def test_connections_are_reused_within_a_lane_and_never_between_lanes() -> None:
    async with serving(OK) as server, lane_to(server.url) as one, lane_to(server.url) as other:
        for lane in (one, other, one, other):
            await ask(lane)
    assert server.connections == 2


async def test_f115c_the_environment_s_proxy_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    async with serving(OK) as server, lane_to(server.url) as lane:
        assert (await ask(lane)).ok


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 304])
async def test_f115a_a_redirect_is_not_followed(status: int) -> None:
    async with (
        serving(OK) as elsewhere,
        serving(answer(b"", status, {"Location": f"{elsewhere.url}/y"})) as server,
        lane_to(server.url) as lane,
    ):
        with pytest.raises(PayloadError, match="redirects"):
            await ask(lane)
    assert elsewhere.asked == []
    assert len(server.asked) == 1


async def test_a_next_page_at_another_origin_is_not_asked_for() -> None:
    async with serving(OK) as elsewhere, serving(OK) as server, lane_to(server.url) as lane:
        with pytest.raises(HubError, match="another origin"):
            await ask(lane, Request("GET", f"{elsewhere.url}/next"))
        assert (await ask(lane, Request("GET", f"{server.url}/next?c=%2F%7E+%20"))).ok
    assert elsewhere.asked == []
    assert [asked.target for asked in server.asked] == ["/next?c=%2F%7E+%20"]


# what is believed


@pytest.mark.parametrize(
    ("status", "kind", "attempts"),
    [
        (400, RejectedError, 1),
        (401, AuthError, 1),
        (403, AuthError, 1),
        (404, NotFoundError, 1),
        (405, RejectedError, 1),
        (408, RejectedError, 3),
        (409, RejectedError, 1),
        (410, NotFoundError, 1),
        (413, RejectedError, 1),
        (422, RejectedError, 1),
        (425, RejectedError, 3),
        (429, RateLimitError, 3),
        (500, OutageError, 3),
        (501, OutageError, 1),
        (502, OutageError, 3),
        (503, OutageError, 3),
        (504, OutageError, 3),
        (505, OutageError, 1),
        (520, OutageError, 3),
        (529, OutageError, 3),
    ],
)
async def test_f023_f024_each_status_has_its_class_and_its_number_of_tries(
    status: int, kind: type[HubError], attempts: int
) -> None:
    refusal = answer({"message": "not today"}, status, {"X-Request-Id": "req-7"})
    async with serving(refusal) as server, lane_to(server.url) as lane:
        counts = Counts()
        with pytest.raises(kind, match="not today") as caught:
            await ask(lane, counts=counts)
    error = caught.value
    assert len(server.asked) == attempts == error.attempts == counts.requests
    assert (error.provider, error.account, error.operation) == ("acme", "default", "get")
    assert (error.status, error.request_id) == (status, "req-7")


@pytest.mark.parametrize(
    "body",
    [b"", b"   ", b"<html>oops</html>", b'{"cut": [1, 2', b"not json", b"{}{}", b"\xff\xfe{\x00}\x00"],
)
async def test_what_is_no_json_is_tried_again_and_then_refused(body: bytes) -> None:
    async with serving(answer(body)) as server, lane_to(server.url) as lane:
        with pytest.raises(PayloadError, match="not JSON") as caught:
            await ask(lane)
        assert len(server.asked) == 3
        assert "oops" not in str(caught.value)
    async with serving(answer(body), OK) as server, lane_to(server.url) as lane:
        assert (await ask(lane)).body == b'{"fine": true}'


async def test_a_mended_answer_is_counted() -> None:
    async with serving(answer(b'\xef\xbb\xbf{"a": NaN, "b": "\\ud83d"}')) as server, lane_to(server.url) as lane:
        counts = Counts()
        assert (await ask(lane, counts=counts)).body == '{"a": null, "b": "\ufffd"}'.encode()
    assert counts.mended == 1


async def test_an_answer_that_may_be_empty_may_be_empty() -> None:
    async with serving(answer(b"", 204)) as server, lane_to(server.url) as lane:
        assert (await ask(lane, Request("DELETE", "/x", json=False))).status == 204


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(answer(b'{"fine": true}', length=99), id="shorter than declared"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2,", id="chunks cut"),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[1,2,", id="without length, cut"),
        pytest.param(
            answer(gzip.compress(b'{"fine": true}' * 99)[:40], headers={"Content-Encoding": "gzip"}), id="gzip cut"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", id="headers cut"),
        pytest.param(b"", id="nothing"),
    ],
)
async def test_f014_f015_f067_a_cut_answer_is_tried_again_and_never_believed(said: bytes) -> None:
    async def cut(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    async with serving(cut, cut, OK) as server, lane_to(server.url) as lane:
        assert (await ask(lane)).body == b'{"fine": true}'
    async with serving(cut) as server, lane_to(server.url) as lane:
        with pytest.raises((TransportError, PayloadError)) as caught:
            await ask(lane)
    assert caught.value.retryable
    assert caught.value.attempts == 3


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\nZZ\r\n}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % number for number in range(20_000)) + b"\r\n{}",
        b"HTP/9 what\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 20_000 + b"\r\n\r\n{}",
    ],
)
async def test_f016_broken_framing_is_never_taken_for_a_refusal(said: bytes) -> None:
    async with serving(said) as server, lane_to(server.url) as lane:
        with pytest.raises(PayloadError) as caught:
            await ask(lane)
    assert caught.value.status is None


async def test_compressed_answers_are_read_and_bombs_are_not() -> None:
    good = answer(gzip.compress(b'{"fine": true}'), headers={"Content-Encoding": "gzip"})
    bomb = answer(gzip.compress(b" " * 3_000_000), headers={"Content-Encoding": "gzip"})
    async with serving(good, bomb) as server, lane_to(server.url, largest_body=2_000_000) as lane:
        assert (await ask(lane)).body == b'{"fine": true}'
        with pytest.raises(PayloadError, match="larger than"):
            await ask(lane)
    assert len(server.asked) == 2


@pytest.mark.parametrize("size", [2**20, 3_000_000])
async def test_a_body_is_whole_however_large_and_however_it_is_sent(size: int) -> None:
    body = b'{"data": [%s]}' % b",".join(b'{"id": %d, "said": "One more."}' % number for number in range(size // 32))
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:10], body[10:-10], body[-10:], b""))
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    members = gzip.compress(body[:-500_000]) + gzip.compress(body[-500_000:])
    zipped = answer(members, headers={"Content-Encoding": "gzip"})
    said = answer(body, headers={"Content-Encoding": "identity"})
    async with serving(answer(body), chunked, zipped, said) as server, lane_to(server.url) as lane:
        for _ in range(4):
            assert (await ask(lane)).body == body


async def test_a_body_is_bounded_declared_or_not() -> None:
    async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    declared = answer(b"{}", length=10_000_000_000)
    async with serving(declared, endless) as server, lane_to(server.url, largest_body=1_000_000) as lane:
        for _ in range(2):
            with pytest.raises(PayloadError, match="larger than 1000000 bytes"):
                await ask(lane)
    assert len(server.asked) == 2


async def test_a_huge_refusal_is_read_no_further_than_its_words() -> None:
    async with serving(answer(b" " * 5_000_000, 404)) as server, lane_to(server.url) as lane:
        with pytest.raises(NotFoundError):
            await ask(lane)


async def test_an_adapter_s_bug_is_told_apart_from_the_provider_s_and_shows_no_content() -> None:
    def broken() -> Flow[None]:
        yield Request("GET", "/x")
        raise KeyError("personal data")

    async with serving(OK) as server, lane_to(server.url) as lane:
        with pytest.raises(PayloadError, match=r"KeyError at broken, line") as caught:
            await lane.run("get", broken())
    assert "personal data" not in "".join(traceback.format_exception(caught.value))


async def test_a_flow_can_catch_what_fails() -> None:
    def patient() -> Flow[str]:
        try:
            yield Request("GET", "/x")
        except NotFoundError:
            return "not there"
        return "there"

    async with serving(answer({}, 404)) as server, lane_to(server.url) as lane:
        assert await lane.run("get", patient()) == "not there"


# when it tries again


async def test_f022_it_waits_longer_each_time_and_then_succeeds() -> None:
    time = FakeClock(roll=0.5)
    async with serving(answer({}, 503), answer({}, 503), OK) as server, lane_to(server.url, time.clock) as lane:
        counts = Counts()
        assert (await ask(lane, counts=counts)).ok
    assert time.slept == [0.125, 0.25]
    assert counts.requests == 3


async def test_what_the_provider_asks_for_is_a_floor() -> None:
    time = FakeClock(roll=0.5)
    async with serving(answer({}, 429, {"Retry-After": "2"}), OK) as server, lane_to(server.url, time.clock) as lane:
        assert (await ask(lane)).ok
    assert time.slept == [2.1]


@pytest.mark.parametrize("waits", ["16", "61"])
async def test_two_waits_are_none_whichever_stands_first(waits: str) -> None:
    time = FakeClock(roll=0.5)
    twice = "\r\n".join(f"Retry-After: {wait}" for wait in waits)
    refusal = f"HTTP/1.1 429 No\r\n{twice}\r\nContent-Length: 2\r\n\r\n{{}}".encode()
    async with serving(refusal, OK) as server, lane_to(server.url, time.clock) as lane:
        assert (await ask(lane)).ok
    assert time.slept == [0.5]


async def test_a_body_that_is_compressed_twice_is_not_read_as_if_once() -> None:
    twice = gzip.compress(gzip.compress(b'{"fine": true}'))
    head = b"HTTP/1.1 200 OK\r\n" + b"Content-Encoding: gzip\r\n" * 2 + b"Content-Length: %d\r\n\r\n" % len(twice)
    async with serving(head + twice) as server, lane_to(server.url) as lane:
        with pytest.raises(PayloadError, match="unsupported Content-Encoding"):
            await ask(lane)


async def test_a_date_to_wait_for_is_read_against_the_answer_s_own() -> None:
    time = FakeClock(roll=0.0)
    dates = {"Date": "Fri, 20 Nov 2026 08:00:00 GMT", "Retry-After": "Fri, 20 Nov 2026 08:00:03 GMT"}
    async with serving(answer({}, 503, dates), OK) as server, lane_to(server.url, time.clock) as lane:
        assert (await ask(lane)).ok
    assert time.slept == [3.0]


@pytest.mark.parametrize("wait", ["3600", "11", "99999999999999999999"])
async def test_what_is_too_long_to_wait_for_is_raised_at_once(wait: str) -> None:
    time = FakeClock()
    async with serving(answer({}, 429, {"Retry-After": wait})) as server, lane_to(server.url, time.clock) as lane:
        with pytest.raises(RateLimitError) as caught:
            await ask(lane)
    assert time.slept == []
    assert caught.value.retry_after == min(float(wait), 1e10)
    assert len(server.asked) == 1


async def test_what_does_not_fit_before_the_deadline_is_not_waited_for() -> None:
    time = FakeClock()
    refusal = answer({}, 429, {"Retry-After": "9"})
    async with serving(refusal) as server, lane_to(server.url, time.clock, deadline=8.0) as lane:
        with pytest.raises(RateLimitError):
            await ask(lane)
    assert time.slept == []


async def test_what_changes_something_is_sent_once() -> None:
    for request, times in (
        (Request("POST", "/x"), 1),
        (Request("DELETE", "/x"), 1),
        (Request("POST", "/search", safe=True), 3),
    ):
        async with serving(answer({}, 503)) as server, lane_to(server.url) as lane:
            with pytest.raises(OutageError):
                await ask(lane, request)
        assert len(server.asked) == times


async def test_nobody_there_is_tried_as_often_as_the_profile_says() -> None:
    async with serving(OK) as server:
        nobody = server.url
    time = FakeClock()
    async with lane_to(nobody, time.clock, attempts=5) as lane:
        with pytest.raises(TransportError, match=r"no connection to 127\.0\.0\.1") as caught:
            await ask(lane)
    assert caught.value.attempts == 5
    assert len(time.slept) == 4


async def test_f004_a_disconnect_is_one_request_on_the_wire() -> None:
    time = FakeClock(roll=0.5)
    async with serving(None) as server, lane_to(server.url, time.clock) as lane:
        with pytest.raises(TransportError, match="was lost before a response") as caught:
            await ask(lane)
    assert len(server.asked) == caught.value.attempts == 3
    assert time.slept == [0.125, 0.25]


async def test_f005_a_kept_connection_that_was_just_closed_costs_no_wait_and_no_second_write() -> None:
    async def closing(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        return None if asked.number_on_connection else OK

    time = FakeClock()
    async with serving(closing) as server, lane_to(server.url, time.clock) as lane:
        assert (await ask(lane)).ok
        assert (await ask(lane)).ok
        assert time.slept == [0.0]
        assert len(server.asked) == 3
        with pytest.raises(TransportError):
            await ask(lane, Request("POST", "/x"))
        assert len(server.asked) == 4


async def test_f002_a_name_that_does_not_exist_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    for errno, attempts in ((socket.EAI_NONAME, 1), (socket.EAI_AGAIN, 3)):

        async def resolve(*_arguments: object, errno: int = errno, **_options: object) -> list[Any]:
            raise socket.gaierror(errno, "no")

        monkeypatch.setattr(aiohttp.ThreadedResolver, "resolve", resolve)
        async with lane_to("https://provider.example") as lane:
            with pytest.raises(TransportError, match=r"provider\.example could not be resolved") as caught:
                await ask(lane)
        assert caught.value.attempts == attempts


async def test_fifty_operations_at_once_retry_each_for_itself() -> None:
    async def flaky(asked: Asked, writer: asyncio.StreamWriter) -> bytes:
        return OK if asked.number >= 50 else answer({}, 503)

    async with serving(flaky) as server, lane_to(server.url, breaks=False) as lane:
        replies = await asyncio.gather(*(ask(lane) for _ in range(50)), return_exceptions=True)
    # The budget pays for 35 retries and no more; each operation had its own.
    assert len([reply for reply in replies if isinstance(reply, Response)]) == 35
    assert len([reply for reply in replies if isinstance(reply, OutageError)]) == 15
    assert len(server.asked) == 85


# time


async def test_f007_an_attempt_that_drips_is_ended_by_its_time_out(loop: WiredLoop) -> None:
    async def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b" ")
            await asyncio.sleep(0.01)

    async with serving(drip) as server, lane_to(server.url, loop.clock(), attempts=1, attempt_timeout=0.1) as lane:
        began = loop.time()
        with pytest.raises(TransportError, match=r"no complete response within 0.1 s"):
            await ask(lane)
        assert loop.time() - began == pytest.approx(0.1)


@pytest.mark.parametrize(("attempt_timeout", "kind"), [(0.05, TransportError), (60.0, DeadlineError)])
async def test_the_operation_ends_at_its_deadline(
    loop: WiredLoop, attempt_timeout: float, kind: type[HubError]
) -> None:
    began = loop.time()
    async with (
        serving(_silent) as server,
        lane_to(server.url, loop.clock(), deadline=0.2, attempts=99, attempt_timeout=attempt_timeout) as lane,
    ):
        with pytest.raises(kind):
            await ask(lane)
    assert loop.time() - began <= 0.2 + 1e-9


async def test_waiting_for_a_place_counts_against_the_deadline_and_not_the_attempt(loop: WiredLoop) -> None:
    hurried = INTERACTIVE.but(deadline=0.1, attempt_timeout=60.0)
    async with serving(_silent) as server, lane_to(server.url, loop.clock(), in_flight=1) as lane:
        first = asyncio.create_task(ask(lane))
        await server.has_been_asked(1)
        with pytest.raises(DeadlineError, match="queued behind this account's other requests") as caught:
            await lane.run("get", asking(Request("GET", "/x")), profile=hurried)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    assert caught.value.attempts == 0
    assert len(server.asked) == 1


async def test_no_more_than_the_lane_s_number_are_under_way() -> None:
    async with serving(OK) as server, lane_to(server.url, in_flight=4) as lane:
        await asyncio.gather(*(ask(lane) for _ in range(100)))
    assert server.at_once <= 4
    assert len(server.asked) == 100


async def test_a_caller_s_own_time_out_stays_the_caller_s(loop: WiredLoop) -> None:
    async with serving(_silent) as server, lane_to(server.url, loop.clock()) as lane:
        with pytest.raises(TimeoutError) as caught:
            async with asyncio.timeout(0.05):
                await ask(lane)
    assert not isinstance(caught.value, HubError)


async def _silent(asked: Asked, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


# the end


async def test_f056_after_a_cancelled_request_the_next_gets_its_own_answer() -> None:
    late = asyncio.Event()

    async def slow_then_fast(asked: Asked, writer: asyncio.StreamWriter) -> bytes:
        if asked.number == 0:
            await late.wait()
            return answer({"for": "the first"})
        return answer({"for": "the second"})

    async with serving(slow_then_fast) as server, lane_to(server.url) as lane:
        first = asyncio.create_task(ask(lane))
        await server.has_been_asked(1)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        late.set()
        assert (await ask(lane)).body == b'{"for": "the second"}'
    assert server.connections == 2


@pytest.mark.parametrize("clock", [Clock, lambda: FakeClock().clock])
async def test_closing_ends_what_is_under_way(clock: Callable[[], Clock]) -> None:
    async with serving(_silent) as server, lane_to(server.url, clock()) as lane:
        running = [asyncio.create_task(ask(lane)) for _ in range(20)]
        await server.has_been_asked(20)
        await lane.close()
        outcomes = await asyncio.gather(*running, return_exceptions=True)
        assert {type(outcome) for outcome in outcomes} == {HubClosedError}
        await lane.close()
        with pytest.raises(HubClosedError, match="closed"):
            await ask(lane)


async def test_closing_ends_a_wait_before_a_retry() -> None:
    sleeping = asyncio.Event()

    async def sleep(seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    async with serving(answer({}, 503)) as server, lane_to(server.url, Clock(sleep=sleep)) as lane:
        running = asyncio.create_task(ask(lane))
        await sleeping.wait()
        await lane.close()
        with pytest.raises(HubClosedError):
            await running


def test_a_lane_belongs_to_one_loop() -> None:
    lane = Lane(Account("acme", key=KEY, base_url="http://127.0.0.1:1"), ADAPTER, INTERACTIVE, clock=FakeClock().clock)

    async def use() -> HubError:
        with pytest.raises(HubError) as caught:
            await ask(lane)
        return caught.value

    with asyncio.Runner() as first, asyncio.Runner() as second:
        assert isinstance(first.run(use()), TransportError)
        assert isinstance(second.run(use()), HubClosedError)
        first.run(lane.close())


# secrets


async def test_the_key_shows_up_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "conversations_hub")

    async def echo(asked: Asked, writer: asyncio.StreamWriter) -> bytes:
        said = f"no such key {asked.headers['x-api-key']}\r\n\x1b[31m {asked.number}"
        return answer({"message": said}, 503, {"X-Request-Id": "r1"})

    async with serving(echo, answer(b"<html>")) as server, lane_to(server.url) as lane:
        for _ in range(2):
            with pytest.raises(HubError) as caught:
                await ask(lane)
            assert "no such key ***" in str(caught.value) or isinstance(caught.value, PayloadError)
            told = "".join(traceback.format_exception(caught.value)) + repr(caught.value.__dict__) + str(lane.__dict__)
            assert KEY not in told
            assert "\x1b" not in told
    assert "/x/{id}" in caplog.text
    assert KEY not in caplog.text
    assert "c1" not in caplog.text
