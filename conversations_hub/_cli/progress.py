"""Show the progress of a command: in place on a terminal, elsewhere as lines."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from operator import attrgetter
from typing import Protocol

import click
from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..schema._rendering import span
from ..sync import AccountSyncReport, RecordingsReport, SyncReport
from .log import is_shown
from .pace import Pace
from .render import console
from .terminal import escaped, escaped_lines
from .waits import Waits

__all__ = ["Progress", "WatchedRecordings", "WatchedSync", "fitting"]

_SHOW_EVERY = 0.5  # seconds, on a terminal
_WRITE_EVERY = 10.0  # seconds, elsewhere

_MEANINGS = "listed: by the provider; fetched: one by one; written: new or changed"


class Progress:
    """Writes progress to standard error. If that is closed, the command continues silently."""

    def __init__(self) -> None:
        self._live: Live | None = None
        self._says_enough = False

    def say(self, line: str) -> None:
        """Write a permanent line."""
        with suppress(OSError):
            if self._live is None:
                click.echo(line, err=True)
            else:
                self._live.console.print(Text(line, overflow="fold"))

    @contextmanager
    def watching(self, watched: Watched) -> Generator[None]:
        """Show progress while the block runs."""
        is_in_place = sys.stderr.isatty() and not is_shown()  # between log lines it would flicker
        watching = asyncio.ensure_future(self._show(watched) if is_in_place else self._write_lines(watched))
        try:
            yield
        finally:
            watching.cancel()
            self._hide()

    def clear(self) -> None:
        """Clear what is shown in place, because output follows; it comes back after a while without output."""
        self._says_enough = True
        self._hide()

    def _hide(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            with suppress(OSError):
                live.stop()

    async def _show(self, watched: Watched) -> None:
        with suppress(OSError):
            while True:
                await asyncio.sleep(_SHOW_EVERY)  # shorter work needs no progress
                if not self._says_enough:
                    self._refresh(watched)
                self._says_enough = False

    def _refresh(self, watched: Watched) -> None:
        if self._live is None:
            live = Live(console=console(stderr=True), auto_refresh=False, transient=True)
            live.start()
            self._live = live
        self._live.update(fitting(watched, self._live.console), refresh=True)

    async def _write_lines(self, watched: Watched) -> None:
        while True:
            await asyncio.sleep(_WRITE_EVERY)
            for line in watched.lines():
                self.say(line)


def fitting(watched: Watched, out: Console) -> RenderableType:
    """Return what to show in place: only the last line if the terminal is too low, because scrolled lines stay."""
    table = watched.table()
    if len(out.render_lines(table)) < out.height:
        return table
    last = [*watched.lines()][-1:]
    return Text(*last, overflow="ellipsis", no_wrap=True)


class Watched(Protocol):
    """Work whose progress can be shown."""

    def table(self) -> RenderableType:
        """Return the progress, to be shown in place."""
        ...

    def lines(self) -> Iterable[str]:
        """Return the progress as lines."""
        ...


class WatchedRecordings:
    """The progress of downloads."""

    def __init__(self, report: RecordingsReport, waits: Waits | None = None) -> None:
        self._report = report
        self._waits = waits or Waits()

    def table(self) -> Text:
        """Return the progress as text."""
        return Text("\n".join(self.lines()))

    def lines(self) -> list[str]:
        """Return how many are downloaded, what failed, and which accounts are waiting."""
        return [*escaped_lines(str(self._report)).splitlines(), *(line for _, line in self._waits.all())]


class WatchedSync:
    """The progress of a sync, timed from now on."""

    def __init__(self, report: SyncReport, waits: Waits, now: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._waits = waits
        self._now = now
        self._began = now()
        self._paces: defaultdict[str, Pace] = defaultdict(Pace)
        self._reported: set[str] = set()  # accounts that had ended when a line was written

    def table(self) -> Group:
        """Return the progress as a table: a row for each account, and a total."""
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), show_footer=True)
        accounts = self._report.accounts
        widest = max((len(account.where) for account in accounts), default=0)
        table.add_column("account", "total", no_wrap=True, min_width=widest)
        for name, number in _NUMBERS.items():
            total = f"{sum(map(number, accounts)):,}"
            table.add_column(name, total, justify="right", no_wrap=True, min_width=max(len(name), len(total)))
        table.add_column("", self._state_of_all(), overflow="fold", ratio=1)
        for account in accounts:
            numbers = [f"{number(account):,}" for number in _NUMBERS.values()]
            table.add_row(escaped(account.where), *numbers, escaped(self._state(account)))
        # A terminal echoes Ctrl-C after the last line, which must have room for it.
        return Group(table, Text(_MEANINGS, "dim"))

    def lines(self) -> Generator[str]:
        """Yield the progress as lines: one for each account that had not ended before, and a total."""
        for account in self._report.accounts:
            if account.where not in self._reported:
                numbers = ", ".join(f"{number(account):,} {name}" for name, number in _NUMBERS.items())
                yield f"{account.where}: {numbers}; {escaped(self._state(account))}"
                if account.ended or account.error:
                    self._reported.add(account.where)
        accounts = self._report.accounts
        totals = ", ".join(f"{sum(map(number, accounts)):,} {name}" for name, number in _NUMBERS.items())
        yield f"total: {totals}; {self._state_of_all()}"

    def _state_of_all(self) -> str:
        accounts = self._report.accounts
        ended = sum(account.ended or account.error is not None for account in accounts)
        return f"{ended} of {len(accounts)} done after {span(self._now() - self._began)}"

    def _state(self, account: AccountSyncReport) -> str:
        if account.error is not None:
            return f"failed: {account.error.reason}"
        if account.ended:
            return f"done in {span(account.elapsed)}"
        why = self._waits.why(account.where)
        if why is not None:
            return why
        left = self._paces[account.where].left(account, self._now())
        return {
            "asking": "waiting for the first answer",
            "listing": left or "listing and fetching",
            "verifying": f"verifying: {account.seen:,} read again",
            "looking again": "fetching unsettled conversations again",
        }[account.stage]


_NUMBERS: Mapping[str, Callable[[AccountSyncReport], int]] = {
    name: attrgetter(name) for name in ("listed", "fetched", "written")
}
