"""`sync`: every account into a store, again and again where that is asked for, and how it went."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Coroutine, Generator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from rich import box
from rich.table import Table

from ..errors import ConfigurationError
from ..hub import Hub
from ..sync import AccountSync, Redact, Store, SyncReport, sync
from ..sync.recordings import RecordingsReport, download_recordings
from ..sync.report import COUNTED
from ..sync.sqlite import SQLiteStore
from ..sync.sqlite.archive import Archive
from .accounts import hub_of
from .show import console, span
from .terminal import escaped, escaped_lines, write_json

__all__ = ["present_store", "run_sync", "store_at"]

T = TypeVar("T")

_INTERRUPTED = 130
_SHOW_EVERY = 0.5  # seconds, on a terminal
_TELL_EVERY = 10.0  # seconds, elsewhere


def _read(place: str) -> tuple[str, Path]:
    """Return the kind of store that a place names, and its path."""
    kind, colon, path = place.partition(":")
    return (kind, Path(path)) if colon and kind in {"jsonl", "parquet"} else ("sqlite", Path(place))


def store_at(place: str) -> Store:
    """Return the store that a place names: a path for SQLite, `jsonl:PATH` or `parquet:FOLDER`."""
    kind, path = _read(place)
    if kind == "jsonl":
        from ..sync.jsonl import JSONLStore  # noqa: PLC0415

        return JSONLStore(path, compress=path.suffix == ".gz")
    if kind == "parquet":
        from ..sync.parquet import ParquetStore  # noqa: PLC0415

        return ParquetStore(path)
    return SQLiteStore(path)


def present_store(place: str) -> Store | None:
    """Return the store that a place names; None where there is none yet."""
    kind, path = _read(place)
    file = path / "conversations.db" if kind == "parquet" else path
    there = (file, file.with_name(f"{file.name}.partial"))
    return store_at(place) if any(one.exists() for one in there) else None


def _database(place: str) -> Path:
    kind, path = _read(place)
    if kind == "jsonl":
        raise ConfigurationError("recordings are found through a SQLite store: give --store a path")
    return path / "conversations.db" if kind == "parquet" else path


def run_sync(
    targets: tuple[str, ...],
    place: str,
    *,
    config: Path | None,
    since: datetime | None,
    until: datetime | None,
    verify: bool,
    redact: bool,
    raw: bool,
    recordings: Path | None,
    any_host: bool,
    every: float | None,
    as_json: bool,
) -> bool:
    """Bring a store up to date, every so many seconds if asked to; say whether the last run was complete."""
    database = _database(place) if recordings is not None else None

    async def heard(hub: Hub) -> RecordingsReport | None:
        if recordings is None or database is None:
            return None
        with Archive(database) as archive:
            there = archive.recordings(*targets, since=since, until=until)
            return await download_recordings(hub, there, recordings, allow_any_public_host=any_host)

    async def once() -> bool:
        report = SyncReport()
        async with hub_of(config, targets, profile="bulk", keep_raw=raw) as hub:
            with _progress(report):
                await sync(
                    hub,
                    store_at(place),
                    *targets,
                    since=since,
                    until=until,
                    verify=verify,
                    redact=_redactors() if redact else (),  # one for each run, for they count
                    report=report,
                )
            files = await heard(hub)
        if as_json:
            told = report.to_dict() | ({} if files is None else {"recordings": files})
            write_json(msgspec.json.encode(told))
        else:
            _write(report, files)
        return report.complete and (files is None or files.complete)

    async def run() -> bool:
        is_complete = await once()
        while every is not None:
            await asyncio.sleep(every)
            is_complete = await once()
        return is_complete

    return _until_stopped(run())


def _write(report: SyncReport, files: RecordingsReport | None) -> None:
    """Write how it went: a table, and below it why something is missing."""
    names = [name for name in COUNTED if name in _ALWAYS or any(account.counts[name] for account in report.accounts)]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1))
    table.add_column("account", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    table.add_column("")
    for account in report.accounts:
        numbers = [f"{account.counts[name]:,}" for name in names]
        table.add_row(account.where, *numbers, "complete" if account.complete else "incomplete")
    out = console()
    # On a terminal as wide as that, elsewhere as wide as it takes.
    out.print(table, crop=out.is_terminal, soft_wrap=not out.is_terminal)
    for account in report.accounts:
        for reason in account.reasons:
            click.echo(f"{account.where}: {escaped(reason)}")
    if report.redacted:
        taken = ", ".join(f"{number:,} {what}" for what, number in report.redacted.most_common())
        click.echo(f"taken out: {taken}")
    if files is not None:
        click.echo(escaped_lines(str(files)))


_ALWAYS = ("new", "updated", "unchanged")


def _redactors() -> Sequence[Redact]:
    from ..sync.redaction import PersonalData  # noqa: PLC0415

    return (PersonalData(),)


def _until_stopped(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end, or until SIGINT or SIGTERM, which let it commit what is whole; a second one ends at once."""

    async def run() -> T:
        task = asyncio.ensure_future(work)
        signals: list[int] = []

        def stop(number: int) -> None:
            if signals:
                os._exit(_INTERRUPTED)
            signals.append(number)
            click.echo("stopping: what is whole is being committed; once more stops at once", err=True)
            task.cancel()

        with suppress(NotImplementedError):  # Windows knows no handlers of the loop
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(number, stop, number)
        return await task

    try:
        return asyncio.run(run())
    except asyncio.CancelledError:
        click.get_current_context().exit(_INTERRUPTED)


@contextmanager
def _progress(report: SyncReport) -> Generator[None]:
    """Show how it goes while it goes: in place on a terminal, else a line per account every ten seconds."""
    watching = asyncio.ensure_future(_show(report) if sys.stderr.isatty() else _tell(report))
    try:
        yield
    finally:
        watching.cancel()


async def _show(report: SyncReport) -> None:
    with console(stderr=True).status("asking") as status:
        began = time.monotonic()
        while True:
            status.update("\n".join(_lines(report, began)) or "asking")
            await asyncio.sleep(_SHOW_EVERY)


async def _tell(report: SyncReport) -> None:
    began = time.monotonic()
    while True:
        await asyncio.sleep(_TELL_EVERY)
        for line in _lines(report, began):
            click.echo(line, err=True)


def _lines(report: SyncReport, began: float) -> Generator[str]:
    seconds = max(time.monotonic() - began, 0.001)
    for account in report.accounts:
        yield _line(account, seconds)


def _line(account: AccountSync, seconds: float) -> str:
    if account.ended or account.error:
        return f"{account.where}: {'done' if account.ended else 'failed'}, {account.written:,} written"
    looked_at = account.written + account.unchanged
    share = account.share
    left = "" if share is None or share < 0.01 else f", about {span(seconds * (1 - share) / share)} left"
    return f"{account.where}: {account.listed:,} listed, {looked_at:,} in the store, {looked_at / seconds:,.0f}/s{left}"
