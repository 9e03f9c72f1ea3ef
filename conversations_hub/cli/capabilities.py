"""`providers`: what each provider can do, computed from its adapter."""

from __future__ import annotations

from typing import get_args

import click
import msgspec
from rich import box
from rich.table import Table
from rich.text import Text

from ..adapter import Adapter, Operation
from ..adapters import BUILTIN, load
from .show import console
from .terminal import write_json

__all__ = ["Capabilities", "write"]

_OPERATIONS: tuple[Operation, ...] = get_args(Operation)
_HEADINGS = ("provider", *_OPERATIONS, "transcripts in list", "rate limit", "settings")
_NO = "-"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What one provider can do."""

    provider: str
    operations: tuple[Operation, ...]
    transcripts_in_list: bool
    """Whether a list brings the transcripts; if not, each takes a `get`."""
    requests_per_second: float | None
    """The documented limit of an account; None: not documented."""
    settings: tuple[str, ...]
    """What an account may need beside its key."""
    docs: str

    @classmethod
    def of(cls, adapter: Adapter) -> Capabilities:
        """Compute them from what an adapter holds."""
        return cls(
            provider=adapter.name,
            operations=adapter.operations,
            transcripts_in_list=adapter.complete_lists,
            requests_per_second=adapter.requests_per_second,
            settings=adapter.settings,
            docs=adapter.docs,
        )

    def cells(self, provider: str) -> tuple[str, ...]:
        """Return a table's row, with the provider shown as given."""
        able = (operation in self.operations for operation in _OPERATIONS)
        marks = ("✓" if is_able else _NO for is_able in (*able, self.transcripts_in_list))
        rate = _NO if self.requests_per_second is None else f"{self.requests_per_second:g}/s"
        return (provider, *marks, rate, ", ".join(self.settings) or _NO)


def write(form: str | None) -> None:
    """Write what the built-in providers can do: as JSON, as Markdown, or set for people."""
    found = [Capabilities.of(load(name)) for name in BUILTIN]
    if form == "json":
        for one in found:
            write_json(msgspec.json.encode(one))
    elif form == "markdown":
        click.echo(_markdown(found))
    else:
        out = console()
        out.print(_table(found))
        for one in found:
            out.print(f"{one.provider}: {one.docs}", soft_wrap=True)


def _markdown(found: list[Capabilities]) -> str:
    rows = [_HEADINGS, ("---", *(":-:" for _ in _HEADINGS[1:]))]
    rows += [one.cells(f"[{one.provider}]({one.docs})") for one in found]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _table(found: list[Capabilities]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column(_HEADINGS[0], no_wrap=True)
    for heading in _HEADINGS[1:]:
        table.add_column(heading.replace(" ", "\n", 1), justify="center", no_wrap=True)
    for one in found:
        table.add_row(*map(Text, one.cells(one.provider)))
    return table
