"""`get`: show one conversation, from its provider or from a store."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta

import click
import msgspec

from .._refs import Ref
from .._scrub.signatures import without_signatures
from ..formats import dump, find
from ..formats._run import options_of
from ..schema import Conversation
from ..schema._document import document
from ..stores._url import StoreURL
from .accounts import Accounts
from .asking import asking
from .parameters import named_values
from .render import console, render
from .stored import opened
from .terminal import escaped_lines, write_json

__all__ = ["run"]


def run(
    ref: str,
    *,
    wait: timedelta | None,
    store: StoreURL | None,
    accounts: Accounts,
    form: str | None,
    format: str | None,
    options: Sequence[str],
) -> None:
    """Write one conversation, after waiting for its transcript if that is pending."""
    if format is not None and form is not None:
        raise click.UsageError(f"--format and --{form} exclude each other")
    if options and format is None:
        raise click.UsageError("--option only works with --format")
    values = named_values(options)
    if format is not None:  # before anything is fetched
        options_of(find(format), values)
    if store is None:
        conversation = asyncio.run(_get(ref, wait or timedelta(), accounts, keep_raw=form == "raw" or format == "vcon"))
    elif wait is not None:
        raise click.UsageError("--wait only works with a provider: leave out --wait or --store")
    else:
        with opened(store, [str(Ref.parse(ref).target)]) as reader:
            conversation = reader.get(ref)
    if format is None:
        _write(conversation, form)
    else:
        data = dump(without_signatures(conversation), format, **values)
        # A pipe gets it byte for byte; vendors' text must not steer a terminal.
        click.echo(escaped_lines(data.decode()) if sys.stdout.isatty() else data, nl=False)


async def _get(ref: str, wait: timedelta, accounts: Accounts, *, keep_raw: bool) -> Conversation:
    async with asking(accounts, keep_raw=keep_raw) as asked:
        if wait:
            asked.doing = lambda: "waiting for the transcript"
        return await asked.hub.get(ref, wait=wait.total_seconds())


def _write(conversation: Conversation, form: str | None) -> None:
    """Write a conversation: rendered for people, as JSON, or as the provider sent it."""
    if form == "json":
        write_json(document(without_signatures(conversation)))
    elif form == "raw":
        raw = conversation.raw
        if raw is None:
            raise click.ClickException("the store does not have what the provider sent: `sync --raw` stores it")
        write_json(msgspec.json.format(raw, indent=2) if sys.stdout.isatty() else raw)
    else:
        out = console()
        if out.is_terminal:
            out.print(render(conversation))
        else:  # without wrapping lines
            click.echo(conversation.render())
