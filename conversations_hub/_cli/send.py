"""`send`: send a text to a running text conversation, and show the answer."""

from __future__ import annotations

import click
import msgspec

from .accounts import Accounts
from .asking import ask
from .confirming import confirm
from .terminal import escaped_lines, write_json

__all__ = ["run"]


def run(ref: str, text: str, *, yes: bool, accounts: Accounts, as_json: bool) -> None:
    """Send a text, and write the agent's answer."""
    confirm(f"Send this text to {ref}?", yes=yes)
    turn = ask(accounts, lambda hub: hub.send(ref, text))
    if as_json:
        write_json(msgspec.json.encode(turn))
    else:
        click.echo(escaped_lines(turn.text or ""))
