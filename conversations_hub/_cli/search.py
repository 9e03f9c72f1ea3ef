"""`search`: find the turns of a store that contain words."""

from __future__ import annotations

import sys
from datetime import datetime

import click
import msgspec
from rich.console import Console
from rich.text import Text

from ..schema._rendering import span
from ..stores._reader import Hit
from ..stores._url import StoreURL
from .render import console
from .stored import opened
from .terminal import escaped, write_json

__all__ = ["run", "show_hit"]


def run(
    words: str,
    targets: tuple[str, ...],
    *,
    store: StoreURL,
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
    """Write the turns that contain the words, best match first; return whether there are any."""
    if not words.strip(' "*'):
        raise click.BadParameter("no words to search for")
    with opened(store, targets) as reader:
        found = reader.search(
            words,
            *targets,
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
    elif found.total > 1 and found.hits:
        first, last = offset + 1, offset + len(found.hits)
        some = f"{first:,}" if first == last else f"{first:,} to {last:,}"
        part = f"{some} of " if len(found.hits) < found.total else ""
        click.echo(f"{part}{found.total:,} turns, best match first", err=True)
    elif found.total > len(found.hits):
        click.echo(f"there are only {found.total:,} turns", err=True)
    return bool(found.hits)


def show_hit(out: Console, hit: Hit) -> None:
    """Write a turn that was found: where it is, and the text around the words."""
    day = "-" if hit.created_at is None else f"{hit.created_at:%Y-%m-%d %H:%M}"
    heading = f"{hit.ref}  {day}  {span(hit.start)}  {hit.role.value}"
    title = f"  {escaped(hit.title)}" if hit.title else ""
    out.print(Text(escaped(heading), "bold").append(title, "dim"), soft_wrap=not sys.stdout.isatty())
    snippet = Text("  ")
    for number, part in enumerate(escaped(hit.snippet).replace("]", "[").split("[")):
        snippet.append(part, "bold yellow" if number % 2 else "")
    out.print(snippet, soft_wrap=True)
