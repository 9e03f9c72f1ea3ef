"""A receiver: the core that answers a delivery, and its rims for ASGI servers and aiohttp."""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from ..errors import ConfigurationError, HubError, WebhookError
from ..hub import Clock
from ..signing._delivery import Headers, header_pairs
from ..sync import Delivery
from ._asgi import Message, Receive, Send, own_path
from ._endpoint import Endpoint

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["Answer", "Keep", "Receiver"]

log = logging.getLogger("conversations_hub")

Keep = Callable[[Delivery], Awaitable[object]]

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_AT_ONCE: Final = 256 * 1024  # bytes; larger bodies are verified in a thread
_MIB: Final = 1024 * 1024
_LATER: Final = ("retry-after", "5")
_TITLES: Final = {
    400: "The request cannot be read",
    401: "The signature is not valid",
    404: "There is no such endpoint",
    405: "Send a POST request",
    408: "The body took too long",
    413: "The body is too large",
    415: "Send the body uncompressed",
    503: "Try again later",
}


class Answer(msgspec.Struct, frozen=True):
    """The answer to a delivery."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes


class _Refused(Exception):  # noqa: N818  (it is an answer)
    def __init__(self, status: int) -> None:
        self.status = status


class Receiver:
    """Receives webhooks at several endpoints, in any web server, and hands them over before it answers.

    It is an ASGI application, to be mounted or served by itself; `receiver.aiohttp` is a handler of `aiohttp.web`. It
    opens nothing, and answers every delivery 200 that `keep` took, 503 if `keep` failed.
    """

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        keep: Keep,
        *,
        read_within: float = 10.0,
        answer_within: float = 5.0,
        most_held: int = 64 * _MIB,
        clock: Clock | None = None,
    ) -> None:
        """Receive at the addresses `/<name>`, or `/<name>/<token>` if the endpoint has a token.

        Args:
            endpoints: by name: 1 to 64 letters, digits, `_`, `.` and `-`.
            keep: takes a delivery: `inbox.keep`, or a coroutine of yours. When it returns, the delivery is yours; when
                it raises, the provider is asked to send it again.
            read_within: seconds that a body may take.
            answer_within: seconds from the body's last byte to the answer.
            most_held: bytes of all bodies in memory; beyond that, providers are asked to send later.
            clock: the source of time, for tests.

        Raises:
            ConfigurationError: a name that no address can have.
        """
        self.counts: Counter[tuple[str, int]] = Counter()
        """Answers by endpoint and status; those to other addresses under an empty name."""
        self.refused: Counter[str] = Counter()
        """Deliveries without a valid signature since the last one that had it, by endpoint: with many, the secret is
        probably another."""
        self._endpoints: Mapping[str, Endpoint] = {}
        self._keep = keep
        self._read_within = read_within
        self._answer_within = answer_within
        self._most_held = most_held
        self._held = 0
        self._clock = clock or Clock()
        self.reload(endpoints)

    @property
    def endpoints(self) -> Mapping[str, Endpoint]:
        """The endpoints by name."""
        return self._endpoints

    def reload(self, endpoints: Mapping[str, Endpoint]) -> None:
        """Replace the endpoints, for example after a secret has changed; requests under way keep theirs.

        Raises:
            ConfigurationError: a name that no address can have; nothing is replaced then.
        """
        for name in endpoints:
            if not _NAME.fullmatch(name):
                raise ConfigurationError(
                    f"an endpoint's name must be 1 to 64 letters, digits, '_', '.' or '-': {name!a}"
                )
        self._endpoints = dict(endpoints)

    async def answer(self, method: str, path: str, headers: Headers, chunks: AsyncIterable[bytes]) -> Answer:
        """Answer a request.

        Args:
            method: as sent.
            path: what follows the receiver's own address, unquoted; slashes around it do not matter.
            headers: all headers, in any form that `verify` takes.
            chunks: the body, not decompressed.
        """
        name, body = "", bytearray()
        try:
            name, endpoint = self._find(path)
            pairs = header_pairs(headers)
            _check_head(method, pairs, endpoint)
            await self._read(chunks, body, endpoint)
            status = await self._hand_over(name, endpoint, bytes(body), pairs)
        except _Refused as refused:
            status = refused.status
        finally:
            self._held -= len(body)
        self._note(name, status, body)
        return _answer(status)

    def _find(self, path: str) -> tuple[str, Endpoint]:
        name, *rest = path.strip("/").split("/")
        endpoint = self._endpoints.get(name)
        if endpoint is None or not endpoint.admits(rest):
            raise _Refused(404)
        return name, endpoint

    async def _read(self, chunks: AsyncIterable[bytes], body: bytearray, endpoint: Endpoint) -> None:
        try:
            async with asyncio.timeout(self._read_within):
                async for chunk in chunks:
                    self._check_room(len(body), len(chunk), endpoint)
                    body += chunk
                    self._held += len(chunk)
        except _Refused:
            raise
        except TimeoutError:
            raise _Refused(408) from None
        except Exception:  # noqa: BLE001  (broken framing, or a sender that has gone; servers raise anything)
            raise _Refused(400) from None

    def _check_room(self, read: int, more: int, endpoint: Endpoint) -> None:
        if read + more > endpoint.largest:
            raise _Refused(413)
        if self._held + more > self._most_held:
            raise _Refused(503)

    async def _hand_over(self, name: str, endpoint: Endpoint, body: bytes, pairs: Sequence[tuple[str, str]]) -> int:
        """Verify a delivery and give it away; return the status to answer with."""
        now = self._clock.now()
        try:
            async with asyncio.timeout(self._answer_within):
                if len(body) > _AT_ONCE:
                    delivery = await asyncio.to_thread(endpoint.delivery, name, body, pairs, now)
                else:
                    delivery = endpoint.delivery(name, body, pairs, now)
                await self._keep(delivery)
        except WebhookError as error:
            return error.status or 401
        except Exception as error:  # noqa: BLE001  (whatever it is, the delivery is not kept)
            reason = error.reason if isinstance(error, HubError) else type(error).__name__
            log.error("webhook %s: not kept: %s", name, reason)  # noqa: TRY400  (a traceback could show content)
            return 503
        return 200 if delivery.unreadable is None else 400

    def _note(self, name: str, status: int, body: bytearray) -> None:
        self.counts[name, status] += 1
        if status == 401:
            self.refused[name] += 1
        elif status in {200, 400}:
            self.refused.pop(name, None)
        level = logging.DEBUG if not name else logging.INFO if status == 200 else logging.WARNING
        if log.isEnabledFor(level):
            log.log(level, "webhook %s: %d, %d bytes, %s", name or "-", status, len(body), sha256(body).hexdigest()[:8])

    # rims

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve an ASGI connection: requests are answered, websockets closed, and a lifespan needs nothing."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            answer = await self.answer(scope["method"], own_path(scope), scope["headers"], _chunks(receive))
            headers = [(name.encode(), value.encode()) for name, value in answer.headers]
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})

    async def aiohttp(self, request: web.Request) -> web.Response:
        """Serve a request of `aiohttp.web`: `app.router.add_post("/hooks/{tail:.*}", receiver.aiohttp)`."""
        from aiohttp import web  # noqa: PLC0415  (ASGI servers do not need it)

        path = request.match_info.get("tail", request.path)
        answer = await self.answer(request.method, path, request.raw_headers, request.content.iter_any())
        response = web.Response(status=answer.status, headers=answer.headers, body=answer.body)
        if not request.content.at_eof():
            response.force_close()  # the rest of the body is not read
        return response


def _check_head(method: str, pairs: Sequence[tuple[str, str]], endpoint: Endpoint) -> None:
    if method != "POST":
        raise _Refused(405)
    codings = {
        coding.strip().lower() for name, value in pairs if name == "content-encoding" for coding in value.split(",")
    }
    if codings - {"identity", ""}:
        raise _Refused(415)
    for length in (value for name, value in pairs if name == "content-length"):
        if not re.fullmatch("[0-9]{1,18}", length):
            raise _Refused(400)
        if int(length) > endpoint.largest:
            raise _Refused(413)


def _answer(status: int) -> Answer:
    if status == 200:  # some providers take no other status for success
        return Answer(200, (("content-type", "application/json"),), b"{}")
    more = {405: (("allow", "POST"),), 503: (_LATER,)}.get(status, ())
    body = msgspec.json.encode({"title": _TITLES[status], "status": status})
    return Answer(status, (("content-type", "application/problem+json"), *more), body)


async def _chunks(receive: Receive) -> AsyncGenerator[bytes]:
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise ConnectionError
        yield message.get("body", b"")
        if not message.get("more_body"):
            return


async def _live(receive: Receive, send: Send) -> None:
    for stage in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{stage}.complete"})
