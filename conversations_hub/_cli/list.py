"""`list`: list conversations, from the providers or from a store."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing
from datetime import datetime

import click

from .._scrub.signatures import without_signatures
from ..errors import HubError
from ..hub import AccountReport, Report
from ..schema import Conversation
from ..schema._document import document
from ..stores._url import StoreURL
from .accounts import Accounts
from .asking import asking
from .render import ConversationTable, console
from .stored import opened
from .terminal import escaped_lines, write_json

__all__ = ["run"]


def run(
    targets: tuple[str, ...],
    *,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    agent: str | None,
    updated_since: datetime | None,
    limit: int | None,
    transcripts: bool,
    store: StoreURL | None,
    accounts: Accounts,
    as_json: bool,
) -> bool:
    """Write conversations as they arrive, then the report; return whether nothing that was asked for is missing."""
    write = _write_json if as_json else _table().write
    if store is not None:
        if updated_since is not None:
            raise click.UsageError("--updated-since is for providers, not for a store")
        with opened(store, targets) as reader:
            wanted = reader.conversations(*targets, since=since, until=until, status=status, agent=agent, limit=limit)
            for conversation in wanted:
                write(conversation)
        return True

    async def ask() -> bool:
        async with asking(accounts, profile="bulk") as asked:
            walk = asked.hub.list(
                *targets,
                since=since,
                until=until,
                status=status,
                agent=agent,
                updated_since=updated_since,
                limit=limit,
                transcripts=transcripts,
            )
            asked.doing = lambda: _so_far(walk.report)
            asked.is_over = lambda where: any(
                account.where == where and account.elapsed for account in walk.report.accounts
            )
            try:
                async with aclosing(aiter(walk)) as conversations:
                    async for conversation in conversations:
                        if sys.stdout.isatty():
                            asked.clear()
                        write(conversation)
            except HubError:
                asked.clear()
                _write_report(walk.report, limit)
                raise
            asked.clear()
            _write_report(walk.report, limit)
            # Conversations beyond the limit are not gaps.
            return not walk.report.has_gaps

    return asyncio.run(ask())


def _table() -> ConversationTable:
    """Return the table to write to; its lines are cut to the width of a terminal."""
    out = console()
    return ConversationTable(out, is_cut=out.is_terminal or "COLUMNS" in os.environ)


def _write_json(conversation: Conversation) -> None:
    write_json(document(without_signatures(conversation)))


def _so_far(report: Report) -> str:
    listed = sum(account.listed for account in report.accounts)
    return f"{report.delivered:,} conversations of {listed:,} listed" if listed else "asking"


def _write_report(report: Report, limit: int | None) -> None:
    for line in _report_lines(report, limit):
        click.echo(escaped_lines(line), err=True)


def _report_lines(report: Report, limit: int | None) -> Iterator[str]:
    """Yield a line for each account; those that the limit cut short share one line, and their notes are merged."""
    cut: list[AccountReport] = []
    for account in report.accounts:
        if limit is None or account.reached_end or account.has_gaps:
            yield str(account)
        else:
            cut.append(account)
    if cut:
        where = ", ".join(account.where for account in cut)
        yield f"{report.delivered} delivered, as --limit asks; there may be more from {where}"
    for note in dict.fromkeys(note for account in cut for note in account.notes):
        yield f"{', '.join(account.where for account in cut if note in account.notes)}: {note}"
