"""`mcp`: serve conversations to AI assistants, over standard input and output or over HTTP."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from .._files.trusted import read_trusted
from ..agents import tools
from ..agents.mcp import app, elicited, server
from ..errors import ConfigurationError
from ..stores._url import StoreURL
from .accounts import Accounts
from .log import show_log

__all__ = ["run", "tokens_in"]

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def run(
    *,
    store: StoreURL,
    live: bool,
    no_store: bool,
    only: str | None,
    allow: str | None,
    numbers: Sequence[str],
    read_only: bool,
    shown: Sequence[str],
    since: str | None,
    redact: bool,
    http: bool,
    host: str,
    port: int,
    token_file: Path | None,
    hosts: Sequence[str],
    accounts: Accounts,
) -> None:
    """Serve until standard input ends, or until it is stopped."""
    allowed = [] if read_only else _words(allow)
    if (allowed or no_store) and not live:
        raise click.UsageError("--allow and --no-store only work with --live")
    if http and host not in _LOOPBACK and (token_file is None or not hosts):
        raise click.UsageError("beyond this machine, give --token-file, and --allow-host for the names it has there")
    options: dict[str, Any] = {
        "store": None if no_store else store.open(),
        "only": _words(only) or None,
        "allow": allowed,
        "allow_numbers": list(numbers) or None,
        "providers": list(shown),
        "since": since,
        "redact": redact,
        "confirm": elicited if allowed else None,
    }
    tokens = tokens_in(token_file) if http else []
    asyncio.run(_serve(options, accounts if live else None, (host, port) if http else None, tokens, hosts))


async def _serve(
    options: dict[str, Any],
    accounts: Accounts | None,
    address: tuple[str, int] | None,
    tokens: Sequence[str],
    hosts: Sequence[str],
) -> None:
    end = show_log(_WARNING)  # standard output belongs to the protocol
    try:
        async with AsyncExitStack() as stack:
            hub = None if accounts is None else await stack.enter_async_context(accounts.opened())
            served = server(tools(hub, **options))
            if options["allow"]:
                click.echo(
                    "Warning: this server reads what strangers said and can act. The user is asked before each act.",
                    err=True,
                )
            if address is None:
                await served.run_stdio_async()
            else:
                await _listen(app(served, tokens, hosts=hosts), *address)
    finally:
        end()


async def _listen(application: Any, host: str, port: int) -> None:
    uvicorn = import_module("uvicorn")
    config = uvicorn.Config(
        application, host=host, port=port, log_level="warning", access_log=False, server_header=False
    )
    click.echo(f"Serving MCP at http://{host}:{port}/mcp until stopped.", err=True)
    await uvicorn.Server(config).serve()


_WARNING = 30


def _words(text: str | None) -> list[str]:
    return [word.strip() for word in (text or "").split(",") if word.strip()]


def tokens_in(path: Path | None) -> list[str]:
    """Return the tokens of a file, or a new one."""
    if path is None:
        token = secrets.token_urlsafe(32)
        click.echo(f"Authorization: Bearer {token}", err=True)
        return [token]
    found = read_trusted(path)
    if not found.is_private:
        raise ConfigurationError(f"others may read the tokens in {path}: chmod 600 {path}")
    return [line.strip() for line in found.content.decode(errors="replace").splitlines() if line.strip()]
