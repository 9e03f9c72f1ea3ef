"""`simulate`: serve every provider's API on this machine, for the user's own tests."""

from __future__ import annotations

import asyncio
import shlex
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from ..adapters import BUILTIN
from ..testing import Faults, Simulator
from .terminal import write_json

__all__ = ["run"]

_EXTRA = "pip install 'conversations-hub[ed25519]'"


def run(
    *,
    host: str,
    port: int,
    conversations: int,
    chats: int | None,
    seed: int,
    webhooks_to: str | None,
    as_json: bool,
    **faults: Any,
) -> None:
    """Serve until SIGTERM, which is not a failure, or an interrupt, which is passed on."""
    chats = conversations // 4 if chats is None else chats
    try:
        simulator = Simulator(
            conversations=conversations,
            chats=chats,
            seed=seed,
            faults=Faults(**{name: value for name, value in faults.items() if value is not None}),
            host=host,
            port=port,
            webhooks_to=webhooks_to,
            now=datetime.now(UTC),
            clock=time.time,  # the machine's, which is right even after it has slept
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    asyncio.run(_serve(simulator, conversations, chats, as_json=as_json))


async def _serve(simulator: Simulator, conversations: int, chats: int, *, as_json: bool) -> None:
    terminated = asyncio.Event()
    with suppress(NotImplementedError):  # Windows event loops have no signal handlers
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, terminated.set)
    for name in simulator.deliveries.unsigned if simulator.deliveries else ():
        click.echo(f"{name} delivers no webhooks: signing them needs an extra, {_EXTRA}", err=True)
    async with simulator:
        if as_json:
            write_json(msgspec.json.encode(simulator.environment()))
        else:
            click.echo(_welcome(simulator, conversations, chats))
        await terminated.wait()


def _welcome(simulator: Simulator, conversations: int, chats: int) -> str:
    widest = max(map(len, BUILTIN))
    bases = [f"  {name:<{widest}} {simulator.base_url(name)}" for name in BUILTIN]
    exports = [f"export {name}={shlex.quote(value)}" for name, value in simulator.environment().items()]
    return "\n".join(
        (
            f"Serving {conversations} conversations per provider, and {chats} chats if apart from calls. Ctrl-C stops.",
            "",
            *bases,
            "",
            "Run this in another shell, so that conversations-hub and Hub.from_env() use them:",
            "",
            *exports,
        )
    )
