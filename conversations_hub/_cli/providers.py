"""`providers`: show what each provider supports, as its adapter declares."""

from __future__ import annotations

import click
import msgspec
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..adapters import available, load
from ..errors import ConfigurationError
from ..hub._capabilities import Capabilities
from .render import console
from .sentences import sentence
from .terminal import write_json

__all__ = ["run"]

_NO = "-"


def run(*, names: tuple[str, ...], as_json: bool) -> None:
    """Write what each provider supports, or each of those named, as JSON or as text.

    A published adapter that is broken is reported on standard error, and does not affect the others.
    """
    known = available()
    if unknown := [name for name in names if name not in known]:
        raise ConfigurationError(f"there is no provider {unknown[0]!a}: choose from {', '.join(known)}")
    found: list[Capabilities] = []
    for name in names or known:
        try:
            found.append(Capabilities.of(load(name)))
        except ConfigurationError as error:
            click.echo(f"Error: {sentence(error)}", err=True)
    if as_json:
        for one in found:
            write_json(msgspec.json.encode(one))
    else:
        _show(found)


def _show(found: list[Capabilities]) -> None:
    out = console()
    for one in found:
        out.print(Text(one.provider, style="bold"), Text(one.docs, style="dim"), soft_wrap=True)
        facts = Table.grid(padding=(0, 2))
        facts.add_column(no_wrap=True, style="dim")
        for heading, said in _facts(one):
            facts.add_row(heading, said)
        out.print(Padding(facts, (0, 0, 1, 2)))


def _facts(one: Capabilities) -> list[tuple[str, str]]:
    transcripts = "in its lists" if one.transcripts_in_list else "one by one, with get"
    return [
        ("can", ", ".join(one.operations)),
        ("lists", ", ".join(one.lists) + (f"; not {', '.join(one.unlisted)}" if one.unlisted else "")),
        ("transcripts", transcripts),
        ("filters", ", ".join(one.filters) or "none; all are applied here"),
        ("shows", ", ".join(one.shows) or _NO),
        ("webhooks", one.webhooks or "none"),
        ("rate limit", "not documented" if one.requests_per_second is None else one.rate),
        *([("settings", ", ".join(one.settings))] if one.settings else []),
        ("checked against", one.checked_against),
    ]
