"""`list` and `get`: the conversations of the accounts there are."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import aclosing
from datetime import datetime, timedelta

import click
import msgspec

from ..errors import HubError
from ..hub import AccountReport, Report
from ..schema import Conversation
from ..schema.document import document
from ..scrub.signatures import without_signatures
from .accounts import Accounts
from .asking import asking
from .show import Lines, console, whole
from .terminal import escaped_lines, write_json

__all__ = ["get", "lines", "list_all", "write_conversation"]


def list_all(
    targets: tuple[str, ...],
    *,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    agent: str | None,
    limit: int | None,
    transcripts: bool,
    accounts: Accounts,
    as_json: bool,
) -> bool:
    """Write conversations as they come, then the report; say whether all that was asked for is there."""

    async def run() -> bool:
        write = _write_json if as_json else lines().write
        async with asking(accounts, profile="bulk") as asked:
            walk = asked.hub.list(
                *targets, since=since, until=until, status=status, agent=agent, limit=limit, transcripts=transcripts
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
                _tell(walk.report, limit)
                raise
            asked.clear()
            _tell(walk.report, limit)
            # What lies beyond the limit was not asked for.
            return not walk.report.has_gaps

    return asyncio.run(run())


def lines() -> Lines:
    """Return where a list is written, cut to the terminal where it is one."""
    out = console()
    return Lines(out, is_cut=out.is_terminal or "COLUMNS" in os.environ)


def _write_json(conversation: Conversation) -> None:
    write_json(document(without_signatures(conversation)))


def _so_far(report: Report) -> str:
    listed = sum(account.listed for account in report.accounts)
    return f"{report.delivered:,} conversations of {listed:,} listed" if listed else "asking"


def _tell(report: Report, limit: int | None) -> None:
    for line in _told(report, limit):
        click.echo(escaped_lines(line), err=True)


def _told(report: Report, limit: int | None) -> Iterator[str]:
    """Yield a line for each account; those of which the limit left out more share one, and each note about them."""
    cut: list[AccountReport] = []
    for account in report.accounts:
        if limit is None or account.reached_end or account.has_gaps:
            yield str(account)
        else:
            cut.append(account)
    if cut:
        where = ", ".join(account.where for account in cut)
        yield f"{report.delivered} delivered, as --limit asks; there may be more of {where}"
    for note in dict.fromkeys(note for account in cut for note in account.notes):
        yield f"{', '.join(account.where for account in cut if note in account.notes)}: {note}"


def get(ref: str, *, wait: timedelta, accounts: Accounts, form: str | None) -> None:
    """Write one conversation, after a wait for its transcript where that is pending."""

    async def run() -> Conversation:
        async with asking(accounts, keep_raw=form == "raw") as asked:
            if wait:
                asked.doing = lambda: "waiting for the transcript"
            return await asked.hub.get(ref, wait=wait.total_seconds())

    write_conversation(asyncio.run(run()), form=form)


def write_conversation(conversation: Conversation, *, form: str | None) -> None:
    """Write a conversation: set for people, as JSON, or as the provider sent it."""
    if form == "json":
        write_json(document(without_signatures(conversation)))
    elif form == "raw":
        raw = conversation.raw
        if raw is None:
            raise click.ClickException("what the provider sent was not kept: `sync --raw` keeps it")
        write_json(msgspec.json.format(raw, indent=2) if sys.stdout.isatty() else raw)
    else:
        out = console()
        if out.is_terminal:
            out.print(whole(conversation))
        else:  # its lines end where the conversation's do
            click.echo(conversation.render())
