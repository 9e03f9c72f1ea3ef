"""`send`: send a text to a running text conversation, and show the answer."""

from __future__ import annotations

import asyncio

import click
import msgspec

from ..schema import TranscriptTurn
from .accounts import Accounts
from .asking import asking
from .confirming import confirm
from .terminal import escaped_lines, write_json

__all__ = ["run"]


def run(ref: str, text: str, *, yes: bool, accounts: Accounts, as_json: bool) -> None:
    """Send a text, and write the agent's answer."""
    confirm(f"Send this text to {ref}?", yes=yes)
    turn = asyncio.run(_send(ref, text, accounts))
    if as_json:
        write_json(msgspec.json.encode(turn))
    else:
        click.echo(escaped_lines(turn.text or ""))


async def _send(ref: str, text: str, accounts: Accounts) -> TranscriptTurn:
    async with asking(accounts) as asked:
        return await asked.hub.send(ref, text)
