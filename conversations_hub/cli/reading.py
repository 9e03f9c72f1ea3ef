"""`list` and `get`: the conversations of the accounts that the environment names."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import aclosing, nullcontext
from datetime import datetime

import click
import msgspec

from ..adapters import BUILTIN
from ..errors import HubError
from ..hub import Hub, Walk
from ..schema import Conversation
from .show import Lines, console, whole
from .terminal import escaped_lines, write_json

__all__ = ["get", "list_all"]


def list_all(
    targets: tuple[str, ...],
    *,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    agent: str | None,
    limit: int | None,
    transcripts: bool,
    as_json: bool,
) -> bool:
    """Write conversations as they come, then the report; say whether all that was asked for is there."""

    async def run() -> bool:
        async with Hub.from_env(_providers(targets), profile="bulk") as hub:
            walk = hub.list(
                *targets, since=since, until=until, status=status, agent=agent, limit=limit, transcripts=transcripts
            )
            try:
                await _write(walk, _write_json if as_json else _lines().write)
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


def _lines() -> Lines:
    out = console()
    return Lines(out, is_cut=out.is_terminal or "COLUMNS" in os.environ)


def _write_json(conversation: Conversation) -> None:
    write_json(msgspec.json.encode(conversation))


def _tell(walk: Walk) -> None:
    click.echo(escaped_lines(str(walk.report)), err=True)


def get(ref: str, *, form: str | None) -> None:
    """Write one conversation: set for people, as JSON, or as the provider sent it."""

    async def run() -> Conversation:
        async with Hub.from_env(_providers([ref]), keep_raw=form == "raw") as hub:
            return await hub.get(ref)

    conversation = asyncio.run(run())
    if form == "json":
        write_json(msgspec.json.encode(conversation))
    elif form == "raw":
        raw = conversation.raw or b"null"
        write_json(msgspec.json.format(raw, indent=2) if sys.stdout.isatty() else raw)
    else:
        console().print(whole(conversation))


def _providers(names: Iterable[str]) -> Iterable[str]:
    """Return the built-in providers and those a target or ref names: of other packages only what was asked for."""
    return dict.fromkeys((*BUILTIN, *(name.partition(":")[0].partition("/")[0] for name in names)))
