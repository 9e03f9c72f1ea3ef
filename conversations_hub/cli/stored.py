"""`list`, `get` and `search` in a store: nobody is asked, so no key is needed."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.text import Text

from ..refs import Ref
from ..schema import Status
from ..schema.document import document
from ..schema.rendering import span
from ..stores.reader import Hit
from .archives import opened
from .reading import lines, write_conversation
from .show import console
from .terminal import escaped, write_json

__all__ = ["get_stored", "list_stored", "search", "show_hit"]


def list_stored(
    store: Path,
    targets: tuple[str, ...],
    *,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    agent: str | None,
    limit: int | None,
    as_json: bool,
) -> None:
    """Write the conversations of a store, the newest first."""
    known = [one.value for one in Status]
    if status is not None and status not in known:
        raise click.BadParameter(f"no status is called {status!a}; there is {', '.join(known)}")
    with opened(store, targets) as archive:
        found = archive.conversations(*targets, since=since, until=until, status=status, agent=agent, limit=limit)
        write = None if as_json else lines().write
        for conversation in found:
            if write is None:
                write_json(document(conversation))
            else:
                write(conversation)


def get_stored(store: Path, ref: str, *, form: str | None) -> None:
    """Write one conversation of a store."""
    target = Ref.parse(ref).target
    with opened(store, [str(target)]) as archive:
        write_conversation(archive.get(ref), form=form)


def search(
    words: str,
    store: Path,
    providers: tuple[str, ...],
    *,
    since: datetime | None,
    until: datetime | None,
    role: str | None,
    status: str | None,
    agent: str | None,
    anywhere: bool,
    limit: int,
    offset: int,
    as_json: bool,
) -> bool:
    """Write the turns in which the words were said, the best first; say whether there are any."""
    if not words.strip(' "*'):
        raise click.BadParameter("there is no word to look for")
    with opened(store, providers) as archive:
        found = archive.search(
            words,
            *providers,
            since=since,
            until=until,
            role=role,
            status=status,
            agent=agent,
            anywhere=anywhere,
            limit=limit,
            offset=offset,
        )
    for hit in found.hits:
        if as_json:
            write_json(msgspec.json.encode(hit))
        else:
            show_hit(console(), hit)
    if found.hint:
        click.echo(escaped(found.hint), err=True)
    elif found.total > len(found.hits):
        shown = f"{offset + 1} to {offset + len(found.hits)} of" if found.hits else "there are no more than"
        click.echo(f"{shown} {found.total:,} turns", err=True)
    return bool(found.hits)


def show_hit(out: Console, hit: Hit) -> None:
    """Write a turn that was found: where it is, and what was said around the words."""
    day = "-" if hit.created_at is None else f"{hit.created_at:%Y-%m-%d %H:%M}"
    heading = f"{hit.ref}  {day}  {span(hit.start)}  {hit.role.value}"
    title = f"  {escaped(hit.title)}" if hit.title else ""
    out.print(Text(escaped(heading), "bold").append(title, "dim"), soft_wrap=not sys.stdout.isatty())
    snippet = Text("  ")
    for number, part in enumerate(escaped(hit.snippet).replace("]", "[").split("[")):
        snippet.append(part, "bold yellow" if number % 2 else "")
    out.print(snippet, soft_wrap=True)
