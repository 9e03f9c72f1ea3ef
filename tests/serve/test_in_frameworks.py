"""A receiver in every framework, behind real servers: each request has the same answer everywhere."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from conversations_hub.serve import Delivery, Receiver, hooks_app, under

from ..support.receiving import CASES, ENDPOINTS, Case, headers_of

_WHERE = "`make web` runs the tests with web frameworks, which are not installed here"
uvicorn = pytest.importorskip("uvicorn", reason=_WHERE)
hypercorn_asyncio = pytest.importorskip("hypercorn.asyncio", reason=_WHERE)
hypercorn_config = pytest.importorskip("hypercorn.config", reason=_WHERE)
fastapi = pytest.importorskip("fastapi", reason=_WHERE)
litestar = pytest.importorskip("litestar", reason=_WHERE)
quart = pytest.importorskip("quart", reason=_WHERE)
django_conf = pytest.importorskip("django.conf", reason=_WHERE)
django_asgi = pytest.importorskip("django.core.asgi", reason=_WHERE)
starlette = pytest.importorskip("starlette.applications", reason=_WHERE)

# Frameworks and servers warn of their own future.
pytestmark = pytest.mark.filterwarnings("default")

Serve = Callable[[Any, socket.socket, asyncio.Event], Coroutine[Any, Any, None]]


# servers


async def _uvicorn(app: Any, listening: socket.socket, ended: asyncio.Event) -> None:
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="on"))
    serving = asyncio.ensure_future(server.serve(sockets=[listening]))
    await ended.wait()
    server.should_exit = True
    await serving


async def _hypercorn(app: Any, listening: socket.socket, ended: asyncio.Event) -> None:
    config = hypercorn_config.Config()
    config.bind = [f"fd://{os.dup(listening.fileno())}"]
    config.graceful_timeout = 0.1
    await hypercorn_asyncio.serve(app, config, shutdown_trigger=ended.wait)


async def _aiohttp(app: web.Application, listening: socket.socket, ended: asyncio.Event) -> None:
    runner = web.AppRunner(app, auto_decompress=False)
    await runner.setup()
    await web.SockSite(runner, listening).start()
    await ended.wait()
    await runner.cleanup()


# applications, each with the receiver at /hooks


def _alone(receiver: Receiver) -> Any:
    async def not_found(_scope: Any, _receive: Any, _send: Any) -> None:
        raise AssertionError

    async def live(scope: Any, receive: Any, send: Any) -> None:
        await (receiver if scope["type"] == "lifespan" else under(not_found, "/hooks", receiver))(scope, receive, send)

    return live


def _starlette(receiver: Receiver) -> Any:
    app = starlette.Starlette()
    app.mount("/hooks", receiver)
    return app


def _fastapi(receiver: Receiver) -> Any:
    app = fastapi.FastAPI()
    app.mount("/hooks", receiver)
    return app


def _litestar(receiver: Receiver) -> Any:
    @litestar.asgi("/hooks", is_mount=True, copy_scope=True)  # type: ignore[untyped-decorator]
    async def hooks(scope: Any, receive: Any, send: Any) -> None:
        await receiver(scope, receive, send)

    return litestar.Litestar([hooks])


def _quart(receiver: Receiver) -> Any:
    app = quart.Quart(__name__)
    app.asgi_app = under(app.asgi_app, "/hooks", receiver)
    return app


def _django(receiver: Receiver) -> Any:
    if not django_conf.settings.configured:
        django_conf.settings.configure(ALLOWED_HOSTS=["*"], SECRET_KEY="invented", ROOT_URLCONF=__name__)
    application = under(django_asgi.get_asgi_application(), "/hooks", receiver)

    async def live(scope: Any, receive: Any, send: Any) -> None:  # Django knows no lifespan
        await (receiver if scope["type"] == "lifespan" else application)(scope, receive, send)

    return live


urlpatterns: list[Any] = []


def _in_aiohttp(receiver: Receiver) -> web.Application:
    app = web.Application()
    app.add_subapp("/hooks", hooks_app(receiver))
    return app


def _as_handler(receiver: Receiver) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/hooks/{tail:.*}", receiver.aiohttp)
    return app


HOSTS: dict[str, tuple[Callable[[Receiver], Any], Serve]] = {
    "uvicorn": (_alone, _uvicorn),
    "Starlette": (_starlette, _uvicorn),
    "FastAPI": (_fastapi, _uvicorn),
    "Litestar": (_litestar, _uvicorn),
    "Quart": (_quart, _uvicorn),
    "Quart on hypercorn": (_quart, _hypercorn),
    "Django": (_django, _uvicorn),
    "aiohttp, an application": (_in_aiohttp, _aiohttp),
    "aiohttp, a handler": (_as_handler, _aiohttp),
}


@asynccontextmanager
async def _served(host: str, receiver: Receiver) -> AsyncGenerator[int]:
    make, serve = HOSTS[host]
    listening = socket.create_server(("127.0.0.1", 0))
    ended = asyncio.Event()
    serving = asyncio.ensure_future(serve(make(receiver), listening, ended))
    try:
        yield listening.getsockname()[1]
    finally:
        ended.set()
        await serving
        listening.close()


async def _status(port: int, case: Case) -> int | None:
    """Send a request and return the status of its answer; None if the connection was reset."""
    headers = [*headers_of(case), ("Host", "localhost"), ("Connection", "close")]
    headers.append(("Transfer-Encoding", "chunked") if case.is_chunked else ("Content-Length", str(len(case.body))))
    lines = (f"{name}: {value}\r\n" for name, value in headers)
    head = f"{case.method} /hooks{case.path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1")
    pieces = [case.body[at : at + 1000] for at in range(0, len(case.body), 1000)]
    chunked = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(head + (chunked if case.is_chunked else case.body))
        await writer.drain()
        return int((await reader.readline()).split()[1])
    except (ConnectionError, IndexError):
        return None
    finally:
        writer.close()


@pytest.mark.parametrize("host", HOSTS)
async def test_each_request_has_the_same_answer_in_every_framework(host: str, caplog: pytest.LogCaptureFixture) -> None:
    kept: list[Delivery] = []

    async def keep(delivery: Delivery) -> None:
        kept.append(delivery)

    async with _served(host, Receiver(ENDPOINTS, keep)) as port:
        found = {case.name: await _status(port, case) for case in CASES}
    # A server may reset the connection of a body that is too large, before the sender sees the answer. Some refuse a
    # path or a header that is no text by themselves.
    excused: dict[str, set[int | None]] = {
        "too large": {None},
        "too large, in chunks": {None},
        "a path that is no text": {400},
        "a signature that is no text": {400},
    }
    due: dict[str, int | None] = {case.name: case.status for case in CASES}
    due |= {name: found[name] for name, others in excused.items() if found[name] in others}
    assert found == due
    assert not [status for status in found.values() if status is not None and status >= 500]
    assert len(kept) == sum(case.status in {200, 400} for case in CASES)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []
