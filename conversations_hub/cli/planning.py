"""`plan`: what a sync would take, before it is begun."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

import click
import msgspec

from ..stores.store import Store
from ..sync.plan import AccountPlan, plan
from .accounts import Accounts
from .asking import asking
from .terminal import escaped_lines, write_json

__all__ = ["show_plan"]


def show_plan(
    accounts: Accounts,
    store: Store | None,
    targets: Sequence[str],
    *,
    lookback: timedelta | None = None,
    since: datetime | None,
    until: datetime | None,
    as_json: bool,
) -> bool:
    """Plan a sync and write what it would take, account by account; say whether every account could be looked at.

    `store` is None where there is none yet.
    """

    async def run() -> list[AccountPlan]:
        async with asking(accounts, profile="bulk") as asked:
            asked.doing = lambda: "reading the lists"
            return await plan(asked.hub, store, *targets, since=since, until=until, lookback=lookback)

    plans = asyncio.run(run())
    for account in plans:
        if as_json:
            write_json(msgspec.json.encode(account))
        else:
            click.echo(escaped_lines(str(account)))
    return all(account.error is None for account in plans)
