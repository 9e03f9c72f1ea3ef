"""`mcp`: serve conversations to AI assistants, over standard input and output or over HTTP."""

from __future__ import annotations

import asyncio
import secrets
import socket
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from click.core import ParameterSource

from .._files.trusted import read_trusted
from ..agents import tools
from ..agents.mcp import app, elicited, server
from ..errors import ConfigurationError
from ..stores._url import StoreURL
from .accounts import Accounts
from .log import show_log
from .reloading import reloading
from .terminal import write_json

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
    as_json: bool,
) -> None:
    """Serve until standard input ends, or until it is stopped; or write how a host starts that."""
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
    if as_json:
        write_json(msgspec.json.encode({"mcpServers": {"conversations": _started_by(click.get_current_context())}}))
        return
    tokens = tokens_in(token_file) if http else []
    listens = _Listens(host, port, tokens, token_file, hosts) if http else None
    asyncio.run(_serve(options, accounts if live else None, listens))


def _started_by(context: click.Context) -> dict[str, Any]:
    """Return the command and arguments that do the same as this command, from any folder."""
    arguments: list[str] = []
    for option in context.command.params:
        name = option.name or ""
        is_given = context.get_parameter_source(name) in {ParameterSource.COMMANDLINE, ParameterSource.ENVIRONMENT}
        if name == "as_json" or not (is_given or name == "store"):
            continue
        value = context.params[name]
        values: list[object] = [*value] if isinstance(option, click.Option) and option.multiple else [value]
        for each in values:
            arguments += [option.opts[0]] if isinstance(each, bool) else [option.opts[0], _anywhere(each)]
    return {"command": sys.executable, "args": ["-m", "conversations_hub", "mcp", *arguments]}


def _anywhere(value: object) -> str:
    """Return the value of an option; a path as it is from any folder."""
    if isinstance(value, StoreURL):
        return str(value if value.path is None else value._replace(place=value.path.absolute()))
    return str(value.absolute()) if isinstance(value, Path) else str(value)


class _Listens(NamedTuple):
    """The address of the server over HTTP, and who may use it."""

    host: str
    port: int
    tokens: Sequence[str]
    token_file: Path | None
    hosts: Sequence[str]


async def _serve(options: dict[str, Any], accounts: Accounts | None, listens: _Listens | None) -> None:
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
            if listens is None:
                await served.run_stdio_async()
                return
            application, file = app(served, listens.tokens, hosts=listens.hosts), listens.token_file
            if file is not None:
                reloading({"tokens": lambda: application.reload(tokens_in(file))})
            await _listen(application, listens.host, listens.port)
    finally:
        end()


async def _listen(application: Any, host: str, port: int) -> None:
    uvicorn = import_module("uvicorn")
    config = uvicorn.Config(application, log_level="warning", access_log=False, server_header=False)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        where = f"[{host}]" if ":" in host else host
        click.echo(f"Serving MCP at http://{where}:{listening.getsockname()[1]}/mcp until stopped.", err=True)
        await uvicorn.Server(config).serve(sockets=[listening])


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
