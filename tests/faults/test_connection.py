"""Connection and framing: F001 to F021."""

from __future__ import annotations

import asyncio
import random
import select
import socket
import struct
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ssl import PROTOCOL_TLS_SERVER, SSLContext, create_default_context

import pytest
import trustme
from aiohttp.client_proto import ResponseHandler

from conversations_hub import Hub
from conversations_hub.errors import PayloadError, TransportError
from conversations_hub.signals import RetryScheduled
from conversations_hub.wire import field

from ..support.server import Answer, Asked, Handler, Scripted, answer, black_hole, serving
from ..support.virtual_time import WiredLoop
from .conftest import Fault, ask

OK = answer({"fine": True})


async def test_f001_a_refused_connection_is_tried_as_often_as_the_profile_says(fault: Fault) -> None:
    async with serving(b"") as server:
        nobody = server.url
    error = await fault.failure(ask(await fault.lane(nobody)))
    assert isinstance(error, TransportError)
    assert (error.attempts, len(fault.time.slept)) == (3, 2)


async def test_f003_a_connection_nobody_takes_ends_at_the_limit_for_connecting(fault: Fault, loop: WiredLoop) -> None:
    with black_hole() as url:
        lane = await fault.lane(url, clock=loop.clock(), attempts=1, connect_timeout=0.1, attempt_timeout=60.0)
        began = loop.time()
        error = await fault.failure(ask(lane))
        assert loop.time() - began == pytest.approx(0.1)
    assert type(error) is TransportError
    assert error.reason == "no connection to 127.0.0.1 within 0.1 s"
    assert error.retryable


async def test_f005_the_second_try_on_a_connection_that_was_just_closed_is_paid_for(fault: Fault) -> None:
    async def closing(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        return None if asked.number_on_connection else OK

    async with serving(closing) as server:
        lane = await fault.lane(server.url)
        await ask(lane)
        await ask(lane)
        assert len(server.asked) == fault.wire_requests == 3
    assert fault.time.slept == [0.0]
    [retry] = [signal for signal in fault.signals if isinstance(signal, RetryScheduled)]
    assert (retry.delay, retry.budget) == (0.0, 500 - 14)


_BODY = b'{"fine": true}'
_HEAD = OK.removesuffix(_BODY)
_CUTS = [*(len(_HEAD) * part // 5 + 1 for part in range(5)), *(len(_HEAD) + 3 * part for part in range(5))]


@pytest.mark.parametrize("sent", _CUTS)
async def test_f006_a_reset_is_tried_again_and_no_part_is_believed(fault: Fault, sent: int) -> None:
    async def reset(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(OK[:sent])
        await writer.drain()
        for _turn in range(3):  # so that it has arrived
            await asyncio.sleep(0)
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async with serving(reset, OK) as server:
        assert (await ask(await fault.lane(server.url))).body == _BODY
        assert len(server.asked) == 2
    async with serving(reset) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
        assert len(server.asked) == error.attempts == 3
    assert isinstance(error, TransportError)


async def _silent_after_headers(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(_HEAD)
    await asyncio.Event().wait()


async def _endless_informational(asked: Asked, writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 3000)
        await writer.drain()
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("handler", "stage"),
    [
        pytest.param(_silent_after_headers, "reading the response", id="f008 headers and then silence"),
        pytest.param(_endless_informational, "waiting for the response to begin", id="f009 endless 100 Continue"),
    ],
)
async def test_f008_f009_an_answer_that_never_begins_ends_at_the_attempt_s_time_out(
    fault: Fault, loop: WiredLoop, handler: Handler, stage: str
) -> None:
    async with serving(handler) as server:
        lane = await fault.lane(server.url, clock=loop.clock(), attempts=1, attempt_timeout=0.2)
        tracemalloc.start()
        try:
            began = loop.time()
            error = await fault.failure(ask(lane))
            assert loop.time() - began == pytest.approx(0.2)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(server.asked) == 1
    assert type(error) is TransportError
    assert error.reason == f"no complete response within 0.2 s: still {stage}"
    assert most < 2_000_000


@asynccontextmanager
async def _sliced(server: Scripted) -> AsyncGenerator[str]:
    """Pass everything on to a server and back, a byte at a time and unevenly."""
    jitter = random.Random(10)  # noqa: S311  (no secret)
    passing: set[asyncio.Task[None]] = set()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while one := await reader.read(1):
                writer.write(one)
                for _turn in range(jitter.randint(2, 4)):  # in which the byte arrives and is read
                    await asyncio.sleep(0)
        finally:
            writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        passing.update(map(asyncio.create_task, (pass_on(reader, there[1]), pass_on(there[0], writer))))

    proxy = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    finally:
        proxy.close()
        for one in passing:
            one.cancel()
        await asyncio.gather(*passing, return_exceptions=True)
        await proxy.wait_closed()


async def test_f010_an_exchange_a_byte_at_a_time_is_whole(fault: Fault) -> None:
    async with serving(OK) as server, _sliced(server) as url:
        lane = await fault.lane(url)
        assert (await ask(lane)).body == _BODY
        assert len(server.asked) == 1


def _trusting(authority: trustme.CA) -> SSLContext:
    return create_default_context(cadata=authority.cert_pem.bytes().decode())


def _presenting(certificate: trustme.LeafCert) -> SSLContext:
    context = SSLContext(PROTOCOL_TLS_SERVER)
    with certificate.private_key_and_cert_chain_pem.tempfile() as path:
        context.load_cert_chain(path)
    return context


@pytest.mark.parametrize(
    ("host", "days", "is_trusted"),
    [
        pytest.param("127.0.0.1", 9, False, id="signed by nobody known"),
        pytest.param("elsewhere.example.com", 9, True, id="of another host"),
        pytest.param("127.0.0.1", -1, True, id="expired"),
    ],
)
async def test_f011_a_certificate_that_cannot_be_trusted_is_asked_once(
    fault: Fault, host: str, days: int, *, is_trusted: bool
) -> None:
    authority = trustme.CA()
    begins = datetime.now(UTC) - timedelta(days=90)
    certificate = authority.issue_cert(host, not_before=begins, not_after=datetime.now(UTC) + timedelta(days=days))
    async with serving(OK, ssl=_presenting(certificate)) as server:
        error = await fault.failure(ask(await fault.lane(server.url, ssl=_trusting(authority) if is_trusted else None)))
        assert server.asked == []
    assert type(error) is TransportError
    assert (error.attempts, error.retryable, fault.time.slept) == (1, False, [])
    assert error.reason == "no trusted connection to 127.0.0.1: its certificate was refused"


async def test_f011_a_certificate_of_an_authority_the_caller_trusts_is_taken(fault: Fault) -> None:
    authority = trustme.CA()
    async with serving(OK, ssl=_presenting(authority.issue_cert("127.0.0.1"))) as server:
        assert (await ask(await fault.lane(server.url, ssl=_trusting(authority)))).body == _BODY


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b"y" * 2_000, id="a long line"),
        pytest.param(b"".join(b"X-%d: y\r\n" % number for number in range(200)), id="many lines"),
    ],
)
async def test_f017_headers_without_end_cost_neither_time_nor_memory(
    fault: Fault, monkeypatch: pytest.MonkeyPatch, more: bytes
) -> None:
    read: list[int] = []
    receive = ResponseHandler.data_received

    def received(self: ResponseHandler, data: bytes) -> None:
        read.append(len(data))
        receive(self, data)

    async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nX: ")
        while not writer.is_closing():
            writer.write(more)
            await writer.drain()
            for _turn in range(3):  # in which it arrives and is read
                await asyncio.sleep(0)

    monkeypatch.setattr(ResponseHandler, "data_received", received)
    async with serving(endless) as server:
        lane = await fault.lane(server.url, attempts=1)
        tracemalloc.start()
        try:
            error = await fault.failure(ask(lane))
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert type(error) is PayloadError
    assert error.status is None
    assert sum(read) < 64 * 1024  # what is read is all the time there is to it
    assert most < 2_000_000


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(answer(b"", 302), id="302 to nowhere"),
        pytest.param(b"HTTP/1.1 304 Not Modified\r\n\r\n", id="304 unasked"),
        pytest.param(b"HTTP/1.1 204 No Content\r\n\r\n", id="204"),
        pytest.param(answer(b""), id="empty 200"),
    ],
)
async def test_f018_an_answer_without_the_json_that_is_due_is_no_answer(fault: Fault, said: bytes) -> None:
    async with serving(said) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
        assert len(server.asked) <= 3
    assert type(error) is PayloadError


async def test_f019_a_provider_that_hangs_holds_up_no_other(fault: Fault, loop: WiredLoop) -> None:
    answers = asyncio.Event()

    async def hanging(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        await answers.wait()
        return OK

    async with serving(hanging) as slow, serving(OK) as fast:
        one, other = [await fault.lane(server.url, clock=loop.clock()) for server in (slow, fast)]
        running = [asyncio.ensure_future(ask(one)) for _ in range(50)]
        await slow.has_been_asked(50)
        began = loop.time()
        for _ in range(50):
            assert (await ask(other)).ok
        assert loop.time() == began
        answers.set()
        await asyncio.gather(*running)


async def test_f020_waiting_for_a_place_is_not_the_attempt_s_time(fault: Fault, loop: WiredLoop) -> None:
    async def slow(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        await asyncio.sleep(0.1)
        return OK

    async with serving(slow) as server:
        lane = await fault.lane(server.url, clock=loop.clock(), in_flight=2, attempt_timeout=0.2, deadline=10.0)
        began = loop.time()
        replies = await asyncio.gather(*(ask(lane) for _ in range(40)))
        assert loop.time() - began == pytest.approx(2.0)
        assert all(reply.ok for reply in replies)
        assert (len(server.asked), server.at_once) == (40, 2)


async def test_f021_an_answer_nobody_asked_for_is_not_the_next_one_s(fault: Fault) -> None:
    async def two(asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if asked.number:
            return answer({"for": "the second"})
        return answer({"for": "the first"}) + answer({"for": "nobody"})

    async with serving(two) as server:
        lane = await fault.lane(server.url)
        assert (await ask(lane)).body == b'{"for": "the first"}'
        assert (await ask(lane)).body == b'{"for": "the second"}'


class _Speaking:
    """A provider that knows its conversations, and says something more behind the first answer on a connection."""

    def __init__(self, behind: bytes = b"") -> None:
        self.behind = behind
        self.connections: list[asyncio.StreamWriter] = []

    async def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> Answer:
        if not asked.number_on_connection:
            self.connections.append(writer)
        id = asked.target.partition("?")[0].rpartition("/")[2]
        row = {"conversation_id": "c1", "status": "ended"}
        said = answer({"data": [row], "total_count": 1} if id == "conversations" else row | {"conversation_id": id})
        if asked.number:
            return said
        head, _, body = said.partition(b"{")
        writer.write(head)
        for _turn in range(3):  # in which it is read, so that the end of the body comes with what stands behind it
            await asyncio.sleep(0)
        return b"{" + body + self.behind


def _at_rest(hub: Hub) -> int:
    """Return the descriptor of the one connection at rest, once something has come on it."""
    [resting] = hub._connections._resting  # pyright: ignore[reportPrivateUsage]
    assert resting.transport is not None
    descriptor: int = resting.transport.get_extra_info("socket").fileno()
    select.select([descriptor], [], [])
    return descriptor


_NOBODY_S = answer({"conversation_id": "nobody's", "status": "ended"})
_NO_ROWS = answer({"data": [], "total_count": 0})


@pytest.mark.parametrize("is_read", [False, True], ids=["unread", "read"])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param(_NOBODY_S, id="an answer"),
        pytest.param(_NO_ROWS, id="a page without rows"),
        pytest.param(_NOBODY_S[:-1], id="an answer but for its end"),
        pytest.param(_NOBODY_S[:30], id="some headers"),
        pytest.param(_NOBODY_S[:1], id="one byte"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: \0", id="headers nobody may send"),
        pytest.param(b"bye", id="no answer"),
        pytest.param(b"", id="nothing, and hung up"),
    ],
)
async def test_f021_a_connection_that_spoke_while_it_was_at_rest_is_not_used_again(
    fault: Fault, said: bytes, *, is_read: bool
) -> None:
    provider = _Speaking()
    async with serving(provider) as server:
        hub = await fault.hub(server.url)
        for begin in (lambda: hub.get("tavus:a"), lambda: _ids(hub)):
            await begin()
            connection = provider.connections[-1]
            if said:
                connection.write(said)
            else:
                connection.write_eof()
            _at_rest(hub)
            for _turn in range(3 if is_read else 0):
                await asyncio.sleep(0)
            assert (await hub.get("tavus:b")).id == "b"
            assert await _ids(hub) == ["c1"]
            assert (await hub.get("tavus:c")).id == "c"
        assert len(server.asked) == fault.wire_requests == 8
        assert server.connections == 3
    assert fault.time.slept == []


# The HTTP library's parser reads these and cannot be told not to. What is folded belongs to the value before it, and a
# single line feed ends a line: https://www.rfc-editor.org/rfc/rfc9112#section-2.2 and #section-5.2
@pytest.mark.parametrize(
    "head",
    [
        pytest.param("X-A: b\r\n Retry-After: 60\r\nContent-Length: 8\r\n\r\n", id="folded"),
        pytest.param("X-A: b\r\n\tRetry-After: 60\r\nContent-Length: 8\r\n\r\n", id="folded with a tab"),
        pytest.param("X-A: b\r\n Content-Length: 3\r\nContent-Length:\r\n 8\r\n\r\n", id="a length, folded"),
        pytest.param("Content-Length: 8\nX-A: b\n Retry-After: 60\n\n", id="line feeds alone"),
        pytest.param("Content-Length: 8\r\nX-A: b Retry-After: 60\r\n\n", id="a line feed at the end"),
        pytest.param(
            "X-A: b\n Transfer-Encoding: identity\r\nTransfer-Encoding:\r\n chunked\r\n\r\n8\r\n", id="chunked"
        ),
    ],
)
async def test_a_head_in_an_old_form_is_one_answer_s_and_hides_no_header(fault: Fault, head: str) -> None:
    end = "\r\n0\r\n\r\n" if "chunked" in head else ""
    old = f'HTTP/1.1 200 OK\r\n{head}{{"n": 1}}{end}'.encode()
    async with serving(old, answer({"n": 2})) as server:
        lane = await fault.lane(server.url)
        first, second = await ask(lane), await ask(lane)
        assert (first.body, second.body) == (b'{"n": 1}', b'{"n": 2}')
        assert (field(first.headers, "x-a")[:1], field(first.headers, "retry-after")) == ("b", "")
        assert server.connections == 1
    assert fault.time.slept == []


@pytest.mark.parametrize(
    "head",
    [
        pytest.param("X-A: b\rContent-Length: 3\r\nContent-Length: 8\r\n\r\n", id="a carriage return alone"),
        pytest.param("Content-Length: 3\nContent-Length: 8\n\n", id="two lengths"),
        pytest.param("Content-Length: 8\nTransfer-Encoding: chunked\n\n", id="both framings"),
        pytest.param("X-A: b\0\n Content-Length: 8\n\n", id="a NUL"),
    ],
)
async def test_a_head_that_two_readers_could_read_in_two_ways_is_refused(fault: Fault, head: str) -> None:
    async with serving(f'HTTP/1.1 200 OK\r\n{head}{{"n": 1}}'.encode()) as server:
        error = await fault.failure(ask(await fault.lane(server.url)))
    assert type(error) is PayloadError
    assert error.reason == "the response is malformed HTTP"


async def _ids(hub: Hub) -> list[str]:
    return [conversation.id async for conversation in hub.list("tavus")]


@pytest.mark.parametrize("behind", [_NOBODY_S, _NOBODY_S[:30], b"H"])
async def test_f021_what_stands_behind_an_answer_is_not_the_next_one_s_beginning(fault: Fault, behind: bytes) -> None:
    async with serving(_Speaking(behind)) as server:
        hub = await fault.hub(server.url)
        assert [(await hub.get(f"tavus:{id}")).id for id in "abc"] == ["a", "b", "c"]
        assert (len(server.asked), server.connections) == (3, 2)


@pytest.mark.parametrize("has_poll", [True, False])
async def test_a_connection_that_kept_silent_is_used_again(
    fault: Fault, monkeypatch: pytest.MonkeyPatch, *, has_poll: bool
) -> None:
    if not has_poll:  # some systems do not
        monkeypatch.delattr(select, "poll")
    authority = trustme.CA()
    for ssl in (None, _presenting(authority.issue_cert("127.0.0.1"))):
        async with serving(_Speaking(), ssl=ssl) as server:
            hub = await fault.hub(server.url, ssl=_trusting(authority))
            assert [(await hub.get(f"tavus:{id}")).id for id in "abc"] == ["a", "b", "c"]
            assert (len(server.asked), server.connections) == (3, 1)


async def test_f012_a_server_without_tls_is_no_connection(fault: Fault, loop: WiredLoop) -> None:
    async with serving(OK) as server:
        url = server.url.replace("http:", "https:")
        lane = await fault.lane(url, clock=loop.clock(), attempts=1, connect_timeout=0.1, attempt_timeout=60.0)
        began = loop.time()
        error = await fault.failure(ask(lane))
        assert loop.time() - began == pytest.approx(0.1)
        assert server.asked == []
    assert type(error) is TransportError
    assert error.reason == "no connection to 127.0.0.1 within 0.1 s"
