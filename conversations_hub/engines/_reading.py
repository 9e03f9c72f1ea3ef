"""Reading a partition: whole, or an error."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, nullcontext
from importlib import import_module
from queue import SimpleQueue
from typing import Any, Final, Literal

from .._background import Background
from .._concurrency import read_ahead
from .._merging import merge
from ..adapter import Adapter
from ..errors import ConfigurationError, PaginationError, PayloadError, WindowedOutError, ends_account
from ..hub import AccountReport, Hub
from ..redaction._redactors import Redact, redacted
from ..schema import Conversation
from ..stores._store import when
from ._partitions import Partition

__all__ = ["OnBad", "pages", "read"]

OnBad = Literal["raise", "count"]
"""What to do about a conversation that cannot be read: raise its error, or leave it out and log how many there were."""

_log: Final = logging.getLogger("conversations_hub.engines")
_AHEAD: Final = 2  # pages that may wait for the caller


def read(partition: Partition, *, on_bad: OnBad = "raise") -> Iterator[Conversation]:
    """Yield the conversations of a partition with all their details, from any thread, even one that runs a loop.

    It reads at most two pages ahead, in a thread of its own. Closing the iterator ends the walk.

    Reading a partition again yields the same conversations again, so whoever writes them must replace those with the
    same (provider, account, id). If it ends without an error, nothing of the partition is missing.

    Raises:
        WindowedOutError: the provider's time filter leaves conversations out.
        HubError: a request failed for good, or a conversation could not be read; `retryable` says whether to try again.
    """
    background = Background("conversations_hub read")
    found: SimpleQueue[tuple[Conversation, ...] | Exception | None] = SimpleQueue()
    room = asyncio.Semaphore(_AHEAD)

    async def fill() -> None:
        try:
            async with aclosing(pages(partition, on_bad=on_bad)) as walked:
                async for page in walked:
                    await room.acquire()
                    found.put(page)
        except Exception as error:  # noqa: BLE001  (raised to the caller)
            found.put(error)
        else:
            found.put(None)

    background.start(fill())
    try:
        while isinstance(page := found.get(), tuple):
            background.call(room.release)
            yield from page
    finally:
        background.close()
    if page is not None:
        raise page


async def pages(
    partition: Partition, *, hub: Hub | None = None, on_bad: OnBad = "raise"
) -> AsyncGenerator[tuple[Conversation, ...]]:
    """Yield the conversations of a partition page by page, for asynchronous workers; otherwise as `read`.

    With `hub`, partitions that are read at the same time share its connections and limits. It stays open.
    """
    redactors = _redactors(partition.source.redact)
    bad: Counter[str] = Counter()
    async with partition.source.opened() if hub is None else nullcontext(hub) as opened:
        adapter = opened.adapter(partition.where.partition("/")[0])
        window = partition.window
        since, until = (window.since, window.until) if partition.narrowed else (None, None)
        walk = opened.list(partition.where, since=since, until=until)
        async with aclosing(walk.pages()) as listed, aclosing(read_ahead(listed)) as ahead:
            async for page in ahead:
                [report] = walk.report.accounts
                if report.warnings and partition.narrowed and not adapter.undated:
                    raise _windowed_out(partition, report.warnings)
                rows = [row for row in page.items if window.holds(row) and not (partition.rest and when(row))]
                dated = {row.ref for row in rows if when(row)}
                whole = await _details(opened, adapter, rows, bad, on_bad)
                # The list says in which window a conversation is, because another one would not list it.
                found = tuple(redacted(one, redactors) for one in whole if one.ref in dated or window.holds(one))
                if found:
                    yield found
        for report in walk.report.accounts:
            _check_whole(partition, report, bad, on_bad)


async def _details(
    hub: Hub, adapter: Adapter, rows: Sequence[Conversation], bad: Counter[str], on_bad: OnBad
) -> Sequence[Conversation]:
    """Return rows with their details; what failed for good is counted and left out, or raised."""
    whole: dict[str, Conversation | None] = {row.ref: row for row in rows}
    lacking = {row.ref: row for row in rows if adapter.has_details(row.id)}
    async with aclosing(hub.get_many(lacking)) as outcomes:
        async for outcome in outcomes:
            error = outcome.error
            if error is not None and (on_bad == "raise" or error.retryable or ends_account(error)):
                raise error
            if outcome.conversation is None:
                bad["without details"] += 1
                whole[outcome.ref] = None
            else:
                whole[outcome.ref] = merge(lacking[outcome.ref], outcome.conversation)
    return [one for one in whole.values() if one is not None]


def _check_whole(partition: Partition, report: AccountReport, bad: Counter[str], on_bad: OnBad) -> None:
    """Raise if the walk left something out; what is only suspected, or counted, is logged."""
    if not report.reached_end:
        raise PaginationError(f"{partition}: the end of the list was not reached")
    if report.unreadable and on_bad == "raise":
        first = report.rejected[0].reason
        raise PayloadError(f"{partition}: unreadable rows: {report.unreadable}, the first because {first}")
    bad["unreadable"] = report.unreadable
    if +bad:
        _log.warning("%s: left out: %s", partition, ", ".join(f"{number} {what}" for what, number in (+bad).items()))
    if not partition.narrowed:
        for warning in report.warnings:
            _log.warning("%s: %s", partition, warning)


def _windowed_out(partition: Partition, warnings: Sequence[str]) -> WindowedOutError:
    return WindowedOutError(
        f"{partition}: {warnings[0]}; read this account without windows: plan(…, step=None)",
        provider=partition.where.partition("/")[0],
    )


def _redactors(name: str | None) -> tuple[Redact, ...]:
    """Return the redactor of that name, in a sequence.

    Raises `ConfigurationError` if there is none, because nothing must pass that was not redacted.
    """
    if name is None:
        return ()
    module, _, attribute = name.partition(":")
    try:
        found: Any = getattr(import_module(module), attribute)
    except (ImportError, AttributeError, ValueError):
        raise ConfigurationError(f"there is no redactor {name!a}: write it as module:name") from None
    return (found() if isinstance(found, type) else found,)
