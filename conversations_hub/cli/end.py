"""`end`: end a running conversation."""

from __future__ import annotations

import asyncio

import click
import msgspec

from .accounts import Accounts
from .asking import asking
from .confirming import confirm
from .terminal import escaped, write_json

__all__ = ["run"]


def run(ref: str, *, yes: bool, accounts: Accounts, as_json: bool) -> None:
    """End a conversation."""
    confirm(f"End {ref}?", yes=yes)
    asyncio.run(_end(ref, accounts))
    if as_json:
        write_json(msgspec.json.encode({"ref": ref, "outcome": "ended"}))
    else:
        click.echo(f"{escaped(ref)}: ended", err=True)


async def _end(ref: str, accounts: Accounts) -> None:
    async with asking(accounts) as asked:
        await asked.hub.end(ref)
