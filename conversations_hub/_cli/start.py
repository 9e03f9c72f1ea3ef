"""`start`: start a conversation, and show how to join it."""

from __future__ import annotations

from collections.abc import Sequence

import click
import msgspec

from .accounts import Accounts
from .asking import ask
from .confirming import confirm
from .parameters import named_values
from .terminal import escaped, write_json

__all__ = ["run"]


def run(
    target: str,
    *,
    agent: str | None,
    to: str | None,
    options: Sequence[str],
    with_token: bool,
    yes: bool,
    accounts: Accounts,
    as_json: bool,
) -> None:
    """Start a conversation, and write its ref and how to join it."""
    wanted = named_values(options)
    confirm(f"Start a conversation with {target}{f', calling {to}' if to else ''}?", yes=yes)
    started = ask(accounts, lambda hub: hub.start(target, agent=agent, to=to, provider_options=wanted))
    facts = {"ref": started.conversation.ref, "join_url": started.join_url}
    if with_token:
        facts["token"] = started.token.reveal() if started.token is not None else None
    if as_json:
        write_json(msgspec.json.encode(facts))
        return
    for name, value in facts.items():
        if value is not None:
            click.echo(f"{name.replace('_', ' ')}: {escaped(value)}")
