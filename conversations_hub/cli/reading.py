"""`list` and `get`: the conversations of the accounts there are."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import aclosing, nullcontext
from datetime import datetime, timedelta
from pathlib import Path

import click
import msgspec

from ..errors import HubError
from ..hub import Walk
from ..schema import Conversation
from ..schema.document import document
from .accounts import hub_of
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
    config: Path | None,
    as_json: bool,
) -> bool:
    """Write conversations as they come, then the report; say whether all that was asked for is there."""

    async def run() -> bool:
        async with hub_of(config, profile="bulk") as hub:
            walk = hub.list(
                *targets, since=since, until=until, status=status, agent=agent, limit=limit, transcripts=transcripts
            )
            try:
                await _write(walk, _write_json if as_json else lines().write)
            except HubError:
                _tell(walk)
                raise
            _tell(walk)
            # What lies beyond the limit was not asked for.
            return not walk.report.has_gaps

    return asyncio.run(run())


async def _write(walk: Walk, write: Callable[[Conversation], None]) -> None:
    # Lines on a terminal show by themselves how far it is; a file or pipe does not.
    counter = nullcontext() if sys.stdout.isatty() else console(stderr=True).status("asking")
    with counter as status:
        async with aclosing(aiter(walk)) as conversations:
            async for conversation in conversations:
                write(conversation)
                if status is not None:
                    status.update(f"{walk.report.delivered} conversations")


def lines() -> Lines:
    """Return where a list is written, cut to the terminal where it is one."""
    out = console()
    return Lines(out, is_cut=out.is_terminal or "COLUMNS" in os.environ)


def _write_json(conversation: Conversation) -> None:
    write_json(document(conversation))


def _tell(walk: Walk) -> None:
    click.echo(escaped_lines(str(walk.report)), err=True)


def get(ref: str, *, wait: timedelta, config: Path | None, form: str | None) -> None:
    """Write one conversation, after a wait for its transcript where that is pending."""

    async def run() -> Conversation:
        async with hub_of(config, keep_raw=form == "raw") as hub:
            return await hub.get(ref, wait=wait.total_seconds())

    with console(stderr=True).status("waiting for the transcript") if wait else nullcontext():
        found = asyncio.run(run())
    write_conversation(found, form=form)


def write_conversation(conversation: Conversation, *, form: str | None) -> None:
    """Write a conversation: set for people, as JSON, or as the provider sent it."""
    if form == "json":
        write_json(document(conversation))
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
