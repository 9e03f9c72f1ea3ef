"""`status`: show what is in a store, how fresh it is, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import click
import msgspec
from rich.table import Table

from ..stores._status import AccountStatus, StoreStatus
from ..stores._url import StoreURL
from .render import console, day
from .tables import print_fitting, table_of
from .terminal import escaped, write_json

if TYPE_CHECKING:
    from .deliveries import Deliveries

__all__ = ["run"]


def run(store: StoreURL, *, as_json: bool) -> None:
    """Write the status of a store, account by account and in total."""
    with store.open().reader() as reader:
        found = reader.status()
    deliveries = _deliveries(store)
    if as_json:
        beside = {} if deliveries is None else {"webhooks": deliveries.webhooks, "forwards": deliveries.targets}
        write_json(msgspec.json.encode(msgspec.structs.asdict(found) | beside))
        return
    names = [name for name in _MEANINGS if getattr(found.total, name)]
    print_fitting(console(), partial(_table, found), names, reversed(names))
    for remark in _remarks(found):
        click.echo(escaped(remark))
    for name in names:
        click.echo(f"{getattr(found.total, name):,} {name.replace('_', ' ')}: {_MEANINGS[name]}")
    for sentence in () if deliveries is None else deliveries.sentences():
        click.echo(escaped(sentence))
    click.echo(f"{escaped(str(store))}: {found.total.conversations:,} conversations; instants are UTC")


def _deliveries(store: StoreURL) -> Deliveries | None:
    """Return what waits in the files beside a store, if there are any."""
    if not (store.beside(".inbox").exists() or store.beside(".outbox").exists()):
        return None
    from .deliveries import found_beside  # noqa: PLC0415  (most stores have none, and it loads a web server)

    return found_beside(store)


def _table(found: StoreStatus, names: Sequence[str]) -> Table:
    has_total = len(found.accounts) > 1
    table = table_of(has_footer=has_total)
    table.add_column("account", no_wrap=True)
    for heading in ("conversations", "oldest", "newest", "lists read to", *names):
        table.add_column(heading.replace("_", " "), justify="right", no_wrap=True)
    for row in found.accounts:
        table.add_row(*_cells(row, names))
    for column, cell in zip(table.columns, _cells(found.total, names), strict=True):
        column.footer = cell
    return table


def _cells(row: AccountStatus, names: Sequence[str]) -> list[str]:
    numbers: list[int | None] = [getattr(row, name) for name in names]
    return [
        escaped(row.where),
        f"{row.conversations:,}",
        f"{row.oldest:%Y-%m-%d}" if row.oldest else "-",
        day(row.newest),
        day(row.covered.until if row.covered else None),
        *("?" if number is None else f"{number:,}" for number in numbers),
    ]


_MEANINGS = {
    "pending": "more of them may come, so the next sync fetches them again",
    "restricted": "the provider does not show their transcripts to this key",
    "failing": "written without what could not be fetched; the next sync tries again",
    "given_up": "the same, but no longer retried; `sync --again` retries them",
    "vanished": "no longer in the provider's list",
}


def _remarks(found: StoreStatus) -> Iterator[str]:
    for row in found.accounts:
        if row.failing_since is not None:
            yield f"{row.where}: failing since {day(row.failing_since)}"
    under_way = [row.where for row in found.accounts if row.is_under_way]
    if under_way:
        names = ", ".join(under_way)
        yield f"a sync is in the middle of a list, or was stopped there and resumes next time: {names}"
