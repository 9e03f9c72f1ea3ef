"""`delete`: delete conversations at their providers, permanently."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import click
import msgspec

from .._refs import Ref
from ..errors import HubError, UnsupportedError
from .accounts import Accounts
from .asking import asking
from .confirming import confirm
from .terminal import escaped, write_json

__all__ = ["delete_at_providers", "run"]


def run(refs: Sequence[str], *, yes: bool, accounts: Accounts, as_json: bool) -> bool:
    """Delete conversations, write the outcome of each, and return whether all are deleted."""
    for ref in refs:
        Ref.parse(ref)
    several = f"these {len(refs):,} conversations" if len(refs) > 1 else refs[0]
    confirm(f"Permanently delete {several} at the provider?", yes=yes)
    outcomes = asyncio.run(delete_at_providers(refs, accounts))
    for ref, outcome in outcomes.items():
        if as_json:
            write_json(msgspec.json.encode({"ref": ref, "outcome": outcome}))
        else:
            click.echo(f"{escaped(ref)}: {escaped(outcome)}", err=True)
    return all(outcome == "deleted" for outcome in outcomes.values())


async def delete_at_providers(refs: Sequence[str], accounts: Accounts) -> dict[str, str]:
    """Delete conversations at their providers, and return the outcome of each by ref."""
    outcomes: dict[str, str] = {}
    async with asking(accounts) as asked:
        asked.doing = lambda: f"{len(outcomes)} of {len(refs)} done"
        for ref in refs:
            try:
                await asked.hub.delete(ref)
            except UnsupportedError:
                outcomes[ref] = "not deleted: its API cannot delete conversations"
            except HubError as error:
                outcomes[ref] = f"not deleted: {type(error).__name__}: {error.reason}"
            else:
                outcomes[ref] = "deleted"
    return outcomes
