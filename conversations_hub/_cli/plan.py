"""`plan`: show what a sync would take."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import click
import msgspec

from ..stores._url import StoreURL
from ..sync import AccountPlan, plan
from .accounts import Accounts
from .asking import asking
from .sync import redactors, since_kept
from .terminal import escaped_lines, write_json

__all__ = ["run"]


def run(
    targets: Sequence[str],
    *,
    store: StoreURL,
    since: datetime | None,
    until: datetime | None,
    lookback: timedelta | None,
    again: bool,
    redact: bool,
    no_verify: bool,
    keep: timedelta | None,
    accounts: Accounts,
    as_json: bool,
) -> bool:
    """Write what a sync would take, account by account; return whether every account could be checked."""
    kept = store.open()

    async def ask() -> list[AccountPlan]:
        async with asking(accounts, profile="bulk") as asked:
            asked.doing = lambda: "reading the lists"
            return await plan(
                asked.hub,
                kept if kept.exists() else None,
                *targets,
                since=since_kept(since, keep),
                until=until,
                verify=not no_verify,
                lookback=lookback,
                again=again,
                redact=redactors() if redact else (),
            )

    plans = asyncio.run(ask())
    for account in plans:
        if as_json:
            write_json(msgspec.json.encode(account))
        else:
            click.echo(escaped_lines(str(account)))
    return all(account.error is None for account in plans)
