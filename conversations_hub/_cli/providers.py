"""`providers`: show what each provider supports, as its adapter declares."""

from __future__ import annotations

from typing import get_args

import click
import msgspec
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..adapter import Adapter, Coverage, Feature, Filter, Operation, Support
from ..adapters import available, load
from ..errors import ConfigurationError
from .render import console
from .sentences import sentence
from .terminal import write_json

__all__ = ["Capabilities", "run"]

_OPERATIONS: tuple[Operation, ...] = get_args(Operation)
_FEATURES: tuple[Feature, ...] = get_args(Feature)
_HEADINGS = (
    "provider",
    "kinds",
    *_OPERATIONS,
    "transcripts in list",
    "filters",
    *_FEATURES,
    "webhooks",
    "rate limit",
    "settings",
    "checked against",
)
_NO = "-"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider supports."""

    provider: str
    operations: tuple[Operation, ...]
    lists: tuple[str, ...]
    """The kinds of conversations that are listed."""
    unlisted: tuple[str, ...]
    """Conversations that the provider keeps but that are not listed, in words."""
    transcripts_in_list: bool
    """Whether lists contain the transcripts; if not, each takes a `get`."""
    filters: tuple[Filter, ...]
    """The filters that the provider itself applies to its lists."""
    shows: tuple[Feature, ...]
    webhooks: str | None
    """How deliveries are signed, or "unsigned"; None if there are none."""
    requests_per_second: float | None
    """The documented limit of an account; None if it is not documented."""
    settings: tuple[str, ...]
    """What an account may need besides its key."""
    support: Support
    """What the adapter was checked against."""
    coverage: Coverage | None
    docs: str

    @classmethod
    def of(cls, adapter: Adapter) -> Capabilities:
        """Return what an adapter declares."""
        scheme = adapter.webhook.scheme if adapter.webhook else None
        return cls(
            provider=adapter.name,
            operations=adapter.all_operations,
            lists=(adapter.main, *adapter.resources),
            unlisted=adapter.unlisted,
            transcripts_in_list=adapter.complete_lists,
            filters=adapter.filters,
            shows=adapter.shows,
            webhooks=scheme.name if scheme else "unsigned" if adapter.webhook else None,
            requests_per_second=adapter.requests_per_second,
            settings=adapter.settings,
            support=adapter.support,
            coverage=adapter.coverage,
            docs=adapter.docs,
        )

    @property
    def rate(self) -> str:
        """The documented limit, for display."""
        return _NO if self.requests_per_second is None else f"{self.requests_per_second:g}/s"

    @property
    def checked_against(self) -> str:
        """What the adapter was checked against, for display."""
        if self.coverage is None:
            return self.support
        return f"{self.support}: {self.coverage.read} of {self.coverage.members} members read"


def run(form: str | None) -> None:
    """Write what each provider supports: as JSON, as Markdown, or as text.

    A published adapter that is broken is reported on standard error, and does not affect the others.
    """
    found: list[Capabilities] = []
    for name in available():
        try:
            found.append(Capabilities.of(load(name)))
        except ConfigurationError as error:
            click.echo(f"Error: {sentence(error)}", err=True)
    if form == "json":
        for one in found:
            write_json(msgspec.json.encode(one))
    elif form == "markdown":
        click.echo(_markdown(found))
    else:
        _show(found)


def _markdown(found: list[Capabilities]) -> str:
    rows = [_HEADINGS, ("---", *(":-:" for _ in _HEADINGS[1:])), *map(_cells, found)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(one: Capabilities) -> tuple[str, ...]:
    return (
        f"[{one.provider}]({one.docs})",
        ", ".join(one.lists),
        *(_mark(operation in one.operations) for operation in _OPERATIONS),
        _mark(one.transcripts_in_list),
        ", ".join(one.filters) or _NO,
        *(_mark(feature in one.shows) for feature in _FEATURES),
        one.webhooks or _NO,
        one.rate,
        ", ".join(one.settings) or _NO,
        one.checked_against,
    )


def _mark(is_so: bool) -> str:  # noqa: FBT001  (the boolean is what is shown)
    return "✓" if is_so else _NO


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
