"""`get`: show one conversation, from its provider or from a store."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

import click
import msgspec

from .._refs import Ref
from .._scrub.signatures import without_signatures
from ..schema import Conversation
from ..schema._document import document
from ..stores._url import StoreURL
from .accounts import Accounts
from .asking import asking
from .render import console, render
from .stored import opened
from .terminal import write_json

__all__ = ["run"]


def run(ref: str, *, wait: timedelta | None, store: StoreURL | None, accounts: Accounts, form: str | None) -> None:
    """Write one conversation, after waiting for its transcript if that is pending."""
    if store is None:
        conversation = asyncio.run(_get(ref, wait or timedelta(), accounts, keep_raw=form == "raw"))
    elif wait is not None:
        raise click.UsageError("--wait only works with a provider: leave out --wait or --store")
    else:
        with opened(store, [str(Ref.parse(ref).target)]) as reader:
            conversation = reader.get(ref)
    _write(conversation, form)


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
