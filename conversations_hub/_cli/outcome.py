"""Show the result of a sync: a table, why something is missing, and what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import click
from rich.table import Table

from ..sync import AccountSyncReport, RecordingsReport, SyncReport
from .render import console
from .tables import print_fitting, table_of
from .terminal import escaped, escaped_lines

__all__ = ["show_outcome"]

_ALWAYS = ("new", "updated", "unchanged")
_MEANINGS = {
    "pending": "written, but more may come, so the next run fetches them again",
    "restricted": "written without a transcript, because the provider does not show it to this key",
    "missing": "listed, but gone when they were fetched",
    "bad": "rows that could not be read; --json says where and why",
    "failed": "written without what could not be fetched; the next run tries again",
    "given up": "the same, for so long that they are no longer retried; --again retries them",
    "vanished": "in the store, but no longer in the provider's list",
}
_LEAST_NEEDED = ("fetched", "listed", *reversed(_MEANINGS))  # the columns that a narrow terminal loses first
_MOST_REFS = 3


def show_outcome(report: SyncReport, files: RecordingsReport | None) -> None:
    """Write the result: a table with a row for each account and a total, and explanations below it."""
    rows = {account.where: _counts(account) for account in report.accounts}
    total = {name: sum(row[name] for row in rows.values()) for name in _counts(AccountSyncReport(""))}
    out = console()
    names = [name for name in total if name in _ALWAYS or total[name]]
    print_fitting(out, partial(_table, report, rows, total), names, _LEAST_NEEDED)
    for account in report.accounts:
        for reason in (*account.reasons, *_named(account)):
            click.echo(f"{escaped(account.where)}: {escaped(reason)}")
    for name, meaning in _MEANINGS.items():
        if total[name]:
            click.echo(f"{total[name]:,} {name}: {meaning}")
    if report.redacted:
        redacted = ", ".join(f"{number:,} {what}" for what, number in report.redacted.most_common())
        click.echo(f"redacted: {redacted}")
    if files is not None:
        click.echo(escaped_lines(str(files)))


def _counts(account: AccountSyncReport) -> dict[str, int]:
    numbers = {name.replace("_", " "): number for name, number in account.counts.items()}
    return numbers | {"vanished": len(account.vanished)}


def _table(report: SyncReport, rows: dict[str, dict[str, int]], total: dict[str, int], names: Sequence[str]) -> Table:
    table = table_of(has_footer=len(rows) > 1)
    table.add_column("account", "total", no_wrap=True)
    for name in names:
        table.add_column(name, f"{total[name]:,}", justify="right", no_wrap=True)
    table.add_column("", "complete" if report.complete else "incomplete", no_wrap=True)
    for account in report.accounts:
        numbers = [f"{rows[account.where][name]:,}" for name in names]
        table.add_row(escaped(account.where), *numbers, _end_of(account))
    return table


def _end_of(account: AccountSyncReport) -> str:
    if account.complete:
        return "complete"
    if account.lost:
        return "lost"
    if account.error is not None:
        return "failed"
    return "incomplete" if account.ended else "stopped"


def _named(account: AccountSyncReport) -> list[str]:
    """Name some of the conversations that lack details, or are no longer listed."""
    lines: list[str] = []
    for refs, what in ((account.not_loaded, "not loaded"), (account.vanished, "vanished")):
        if refs:
            more = " … (--json shows more)" if len(refs) > _MOST_REFS else ""
            lines.append(f"{what}: {', '.join(refs[:_MOST_REFS])}{more}")
    return lines
