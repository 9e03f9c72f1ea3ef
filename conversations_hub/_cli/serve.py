"""`serve`: show the conversations of a store to a browser, to scripts and to other services."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import os
import signal
import ssl
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack, suppress
from pathlib import Path
from typing import Final

import click
import msgspec
from aiohttp import web

from ..errors import ConfigurationError
from ..redaction import PersonalData
from ..serve import Receiver, Tokens, endpoints_from_file, gateway, hooks_app
from ..serve._service import SERVICE
from ..stores import ReadableStore
from ..stores._url import StoreURL
from .accounts import Accounts
from .beside import Beside
from .browser import opened
from .reloading import reloading
from .terminal import escaped, write_json

__all__ = ["run", "show"]

_STORE: Final = "conversations.db"
_LOCAL: Final = "127.0.0.1"
_INTERRUPTED: Final = 130
_GRACE: Final = 5.0  # seconds that requests under way have once it stops
_MOST_HEADERS: Final = 64


def run(
    *,
    accounts: Accounts,
    store: StoreURL | None,
    live: bool,
    host: str,
    port: int,
    tokens: Path | None,
    allow_host: Sequence[str],
    tls_cert: Path | None,
    tls_key: Path | None,
    behind_proxy: bool,
    session_tokens: bool,
    opens: bool,
    redact: bool,
    recordings: Path | None,
    hooks: bool,
    drain: bool,
    forward: bool,
    inbox: Path | None,
    outbox: Path | None,
    as_json: bool,
) -> None:
    """Serve until SIGTERM, which is not a failure, or an interrupt; a second signal ends it at once."""
    if store is None and not (live and not Path(_STORE).exists()):
        store = StoreURL.parse(_STORE)
    tls = _tls(tls_cert, tls_key)
    if not _is_loopback(host):
        if tokens is None or not allow_host:
            raise click.UsageError(
                f"{host} can be reached from other machines: give --tokens, and --allow-host with the name by which"
                " they reach it"
            )
        if tls is None and not behind_proxy:
            raise click.UsageError(
                f"{host} can be reached from other machines, and plain http shows them everything: give --tls-cert"
                " and --tls-key, or --behind-proxy if a proxy in front of it does TLS"
            )
    known, text = Tokens.fresh() if tokens is None else (Tokens.from_file(tokens), None)
    if store is not None:
        with store.open().reader() as reader:
            reader.accounts()  # whatever is wrong with the store is said now

    beside = Beside(hooks=hooks, drain=drain, forward=forward, inbox=inbox, outbox=outbox)
    redactors = (PersonalData(),) if redact else ()

    async def serving() -> int:
        async with AsyncExitStack() as held:

            def say(port: int) -> None:
                url = _url(host, port, allow_host, is_secure=tls is not None)
                _welcome(url, text, as_json=as_json)
                if opens:
                    held.enter_context(opened(_with_token(url, text)))

            hub = await held.enter_async_context(accounts.opened()) if live else None
            pipeline, tasks = await held.enter_async_context(beside.running(accounts, store, redactors, recordings))
            application = gateway(
                None if store is None else store.open(),
                hub=hub,
                tokens=known,
                hosts=allow_host,
                redact=redactors,
                recordings=recordings,
                pipeline=pipeline,
                behind_proxy=behind_proxy,
                session_tokens=session_tokens,
            )
            if pipeline.receiver is not None:
                application.add_subapp("/hooks", hooks_app(pipeline.receiver))
            reloading(_reads(known, tokens, pipeline.receiver, accounts.config))
            return await _until_stopped(application, host, port, tls, say, tasks=tasks)

    click.get_current_context().exit(asyncio.run(serving()))


def _reads(
    known: Tokens, tokens: Path | None, receiver: Receiver | None, config: Path | None
) -> dict[str, Callable[[], object]]:
    """Return what reads files anew, by what they hold."""
    reads: dict[str, Callable[[], object]] = {}
    if tokens is not None:
        reads["tokens"] = lambda: known.reload(tokens)
    if receiver is not None and config is not None:
        reads["endpoints"] = lambda: receiver.reload(endpoints_from_file(config))
    return reads


def show(store: ReadableStore) -> None:
    """Serve a store on a free port of this machine until stopped, and open its page in a browser."""
    known, text = Tokens.fresh()

    async def serving() -> None:
        with ExitStack() as held:

            def say(port: int) -> None:
                url = _with_token(_url(_LOCAL, port, (), is_secure=False), text)
                click.echo(f"{url}\nCtrl-C stops.", err=True)
                held.enter_context(opened(url))

            await _until_stopped(gateway(store, tokens=known), _LOCAL, 0, None, say)

    asyncio.run(serving())


async def _until_stopped(
    application: web.Application,
    host: str,
    port: int,
    tls: ssl.SSLContext | None,
    say: Callable[[int], None],
    *,
    tasks: Sequence[asyncio.Task[object]] = (),
) -> int:
    """Serve, and return the exit code; `say` is told the port once it listens. What runs beside it may end it."""
    runner = web.AppRunner(
        application,
        access_log=None,
        auto_decompress=False,  # what claims to be compressed is not looked at
        max_headers=_MOST_HEADERS,
        shutdown_timeout=_GRACE,
        logger=_quiet(),
    )
    await runner.setup()
    gc.freeze()  # or a collection looks at all that was imported, and holds up all requests
    try:
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}") from None
    stopped = asyncio.get_running_loop().create_future()

    def stop(number: int) -> None:
        if stopped.done():
            os._exit(_INTERRUPTED)
        application[SERVICE].stopping.set()  # from now on it is not ready
        stopped.set_result(number)

    with suppress(NotImplementedError):  # Windows event loops have no signal handlers
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)
    say(runner.addresses[0][1])
    await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    await runner.cleanup()
    for task in tasks:
        if task.done():
            task.result()
    received = stopped.result()
    return _INTERRUPTED if received == signal.SIGINT else 0


def _tls(cert: Path | None, key: Path | None) -> ssl.SSLContext | None:
    if cert is None and key is None:
        return None
    if cert is None or key is None:
        raise click.UsageError("--tls-cert and --tls-key belong together: give both")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(cert, key)
    except OSError as error:  # `ssl.SSLError` is one; its message names no content
        reason = error.strerror or type(error).__name__
        raise ConfigurationError(f"{cert} and {key} are no certificate and key: {reason}") from None
    return context


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _url(host: str, port: int, names: Sequence[str], *, is_secure: bool) -> str:
    name = host if _is_loopback(host) else names[0]
    shown = f"[{name}]" if ":" in name else name
    return f"http{'s' if is_secure else ''}://{shown}:{port}/"


def _welcome(url: str, token: str | None, *, as_json: bool) -> None:
    """Say where it is; a new token is shown this once."""
    if as_json:
        write_json(msgspec.json.encode({"url": url, "token": token}))
        return
    click.echo(escaped(_with_token(url, token)))
    if token is not None:
        click.echo(f"\n  curl -H 'Authorization: Bearer {token}' {escaped(url)}v1/conversations\n")
        click.echo("The token is valid until this stops, and is shown only here.", err=True)
    click.echo("Ctrl-C stops.", err=True)


def _with_token(url: str, token: str | None) -> str:
    return url if token is None else f"{url}#token={token}"


def _quiet() -> logging.Logger:
    """Return a logger for the server, which would quote malformed requests."""
    logger = logging.getLogger("conversations_hub.serve.http")
    logger.addFilter(_without_quotes)
    return logger


def _without_quotes(record: logging.LogRecord) -> bool:
    record.msg, record.args, record.exc_info = "a request could not be read", None, None
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger(record.name).isEnabledFor(logging.DEBUG)
