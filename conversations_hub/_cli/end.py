"""`end`: end a running conversation."""

from __future__ import annotations

import click
import msgspec

from .accounts import Accounts
from .asking import ask
from .confirming import confirm
from .terminal import escaped, write_json

__all__ = ["run"]


def run(ref: str, *, yes: bool, accounts: Accounts, as_json: bool) -> None:
    """End a conversation."""
    confirm(f"End {ref}?", yes=yes)
    ask(accounts, lambda hub: hub.end(ref))
    if as_json:
        write_json(msgspec.json.encode({"ref": ref, "outcome": "ended"}))
    else:
        click.echo(f"{escaped(ref)}: ended", err=True)
