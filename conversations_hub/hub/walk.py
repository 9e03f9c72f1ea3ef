"""A walk through the lists of one or several accounts: pages, filters, duplicates, details, and a report."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from ..adapter import Query
from ..errors import HubClosedError, HubError, NotFoundError, PaginationError, PartialError
from ..policy import Profile
from ..schema import Conversation, Issue
from ..signals import PageRead
from .crew import Crew, Put
from .reader import MOST_TOLD, Reader, Rows
from .report import AccountReport, Report

__all__ = ["Page", "Plan", "Walk"]

T = TypeVar("T")

_WIDTH = 16  # details asked for at a time, per account
_ROOM = 4  # conversations of an account that may wait for the caller; pages may not
_MOST_PAGES = 100_000
_MOST_REPEATS = 3  # pages in a row that bring only what was there before
_MOST_BARREN = 20  # pages in a row that bring nothing at all, or nothing readable


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page of one account's list."""

    provider: str
    account: str
    items: tuple[Conversation, ...]
    cursor: str | None = None
    """Where `hub.list(…, cursor=…)` goes on; None: this was the end.

    A page that `limit` cut short names the place where it begins itself ("" is the very start), so that going on
    brings some conversations again and loses none.
    """
    rejected: tuple[Issue, ...] = ()
    """Rows nobody could read, and why; of very many the first hundred."""

    def cut_to(self, most: int | None, begins: str | None) -> Page:
        """Return the page with no more items than that."""
        if most is None or len(self.items) <= most:
            return self
        return msgspec.structs.replace(self, items=self.items[:most], cursor=begins or "")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk is to bring."""

    query: Query
    options: Mapping[str, Mapping[str, Any]] = {}
    cursor: str | None = None
    limit: int | None = None
    transcripts: bool = False
    verify: bool = False
    profile: Profile | None = None
    on_error: Callable[[HubError], object] | None = None

    def wants(self, row: Conversation) -> bool:
        """Whether a row is what was asked for, by what the row says; providers do ignore filters."""
        query = self.query
        at = row.created_at or row.started_at
        agent = row.agent.id if row.agent else None
        return (
            (at is None or _lies_between(query.since, at, query.until))
            and (query.status is None or row.provider_status is None or row.status == query.status)
            and (query.agent is None or agent is None or agent == query.agent)
        )


def _lies_between(since: datetime | None, at: datetime, until: datetime | None) -> bool:
    return (since is None or since <= at) and (until is None or at < until)


class Walk:
    """What `hub.list` returns: iterate it, or its `pages()`. Each iteration is a walk of its own.

    Over several accounts the walks run concurrently: conversations come in the provider's order within an account, as
    they arrive across accounts. To break off and have everything freed at once, put `contextlib.aclosing` around the
    iterator.
    """

    def __init__(self, readers: Sequence[Reader], plan: Plan, crew: Crew) -> None:
        self._readers = readers
        self._plan = plan
        self._crew = crew
        self.report = Report([])
        """How the latest iteration has gone so far."""

    def __aiter__(self) -> AsyncGenerator[Conversation]:
        return self._conversations()

    async def _conversations(self) -> AsyncGenerator[Conversation]:
        left = self._plan.limit
        if left == 0:
            return
        async with aclosing(self._over_accounts(self._conversations_of, _ROOM)) as found:
            async for report, conversation in found:
                report.count(conversation)
                yield conversation
                if left is not None and (left := left - 1) == 0:
                    return

    async def pages(self) -> AsyncGenerator[Page]:
        """Yield pages, each of one account."""
        left = self._plan.limit
        if left == 0:
            return
        async with aclosing(self._over_accounts(self._pages_of, 0)) as found:
            async for report, (page, begins) in found:
                cut = page.cut_to(left, begins)
                for conversation in cut.items:
                    report.count(conversation)
                yield cut
                if left is not None and (left := left - len(cut.items)) == 0:
                    return

    async def _over_accounts(
        self, walk: Callable[[Reader, AccountReport], AsyncGenerator[T]], room: int
    ) -> AsyncGenerator[tuple[AccountReport, T]]:
        """Walk all accounts at once, none far ahead; afterwards raise what failed, unless somebody took it."""
        reports = [AccountReport(reader.where) for reader in self._readers]
        self.report = Report(reports)
        walks = [partial(self._watch, walk, *pair) for pair in zip(self._readers, reports, strict=True)]
        if len(walks) == 1:
            stream = walks[0]()
        else:
            stream = self._crew.collect([partial(_hand_over, one) for one in walks], room * len(walks))
        async with aclosing(stream):
            async for found in stream:
                yield found
        errors = self.report.errors
        if errors and self._plan.on_error is None:
            raise next(iter(errors.values())) if len(walks) == 1 else PartialError(errors)

    async def _watch(
        self,
        walk: Callable[[Reader, AccountReport], AsyncGenerator[T]],
        reader: Reader,
        report: AccountReport,
    ) -> AsyncGenerator[tuple[AccountReport, T]]:
        """Walk one account and note how it went; its failure ends no other walk."""
        clock = reader.lane.clock
        started = clock.monotonic()
        try:
            async with aclosing(walk(reader, report)) as found:
                async for item in found:
                    yield report, item
        except HubClosedError:
            raise
        except HubError as error:
            report.error = error
            report.failures[type(error).__name__] += 1
            if self._plan.on_error is not None:
                self._plan.on_error(error)
        finally:
            report.elapsed = clock.monotonic() - started

    async def _conversations_of(self, reader: Reader, report: AccountReport) -> AsyncGenerator[Conversation]:
        if not self._hydrates(reader):
            async with aclosing(_rows_of(self._listed(reader, report))) as rows:
                async for row in rows:
                    yield row
            return
        # One page ahead, so that nobody waits for the list while there are details to ask for.
        listed = partial(_hand_over, partial(self._listed, reader, report))
        rows = _rows_of(self._crew.collect([listed], 1))
        work = partial(reader.hydrate, report=report, profile=self._plan.profile)
        async with aclosing(rows), aclosing(self._crew.in_order(rows, work, _WIDTH)) as hydrated:
            async for conversation in hydrated:
                yield conversation

    async def _pages_of(self, reader: Reader, report: AccountReport) -> AsyncGenerator[tuple[Page, str | None]]:
        work = partial(reader.hydrate, report=report, profile=self._plan.profile)
        async with aclosing(self._listed(reader, report)) as pages:
            async for page, begins in pages:
                if not self._hydrates(reader):
                    yield page, begins
                    continue
                async with aclosing(self._crew.in_order(_each(page.items), work, _WIDTH)) as hydrated:
                    items = tuple([conversation async for conversation in hydrated])
                yield msgspec.structs.replace(page, items=items), begins

    def _hydrates(self, reader: Reader) -> bool:
        return self._plan.transcripts and not reader.lane.adapter.complete_lists

    async def _listed(self, reader: Reader, report: AccountReport) -> AsyncGenerator[tuple[Page, str | None]]:
        """Yield an account's pages and where each begins: every conversation once, and only what was asked for."""
        account = reader.lane.account
        query = msgspec.structs.replace(self._plan.query, options=self._plan.options.get(account.provider, {}))
        left = self._plan.limit
        cursor = self._plan.cursor or None
        progress = _Progress(cursor)
        while True:
            try:
                rows = await reader.rows(query, cursor, report, self._plan.profile)
            except NotFoundError as error:
                progress.start_over(error, cursor)
                report.restarts += 1
                cursor = None
                continue
            if rows.warning is not None and rows.warning not in report.warnings:
                report.warnings.append(rows.warning)
            new = progress.new_among(rows.conversations)
            wanted = tuple(filter(self._plan.wants, new))
            report.duplicates += len(rows.conversations) - len(new) if progress.is_first_pass else 0
            report.filtered += len(new) - len(wanted)
            unreadable = progress.new_unreadable(rows.unreadable)
            rejected = tuple(rows.rejected[-unreadable:]) if unreadable else ()
            report.unreadable += unreadable
            report.rejected += rejected[: MOST_TOLD - len(report.rejected)]
            reader.lane.tell(
                PageRead,
                "list",
                listed=len(rows.conversations) + rows.unreadable,
                new=len(new),
                duplicates=len(rows.conversations) - len(new),
                rejected=rows.unreadable,
            )
            whole = Page(
                provider=account.provider,
                account=account.name,
                items=wanted,
                cursor=rows.cursor,
                rejected=rejected,
            )
            page = whole.cut_to(left, cursor)
            report.reached_end = rows.cursor is None and page is whole
            if progress.is_first_pass or page.items or page.rejected:
                yield page, cursor
            if left is not None and (left := left - len(page.items)) == 0:
                return
            if rows.cursor is not None:
                progress.check(rows)
                cursor = rows.cursor
            elif self._plan.verify and progress.may_look_again():
                cursor = None
            else:
                report.consistency = "verified" if progress.found_nothing_new else "best_effort"
                return


_MOST_PASSES = 3
_EXPIRED = 410


class _Progress:
    """Tells a walk that moves on from one that runs in circles, over all its passes."""

    def __init__(self, cursor: str | None) -> None:
        self._ids: set[str] = set()
        self._began_at = cursor
        self._restarts = 0
        self._passes = 0
        self._most_unreadable = 0
        self._begin_pass(cursor)

    def _begin_pass(self, cursor: str | None) -> None:
        self._cursors = {cursor}
        # What was seen before is seen again in a further pass, and says nothing of whether that moves on.
        self._seen_in_this = self._ids if self.is_first_pass else set[str]()
        self._moved_on = False
        self._pages = 0
        self._new = 0
        self._repeats = 0
        self._barren = 0
        self._unreadable = 0

    @property
    def is_first_pass(self) -> bool:
        """Whether nothing was read before."""
        return self._passes == 0 and self._restarts == 0

    @property
    def found_nothing_new(self) -> bool:
        """Whether a second look found that nothing had been missed."""
        return self._passes > 0 and self._new == 0

    def may_look_again(self) -> bool:
        """Begin another pass from the start, unless the last one found nothing new or it was the last."""
        if self.found_nothing_new or self._passes + 1 >= _MOST_PASSES or self._began_at is not None:
            return False
        self._passes += 1
        self._begin_pass(None)
        return True

    def start_over(self, error: NotFoundError, cursor: str | None) -> None:
        """Begin again from the start where a cursor has expired, and only then; what was seen stays seen."""
        if error.status != _EXPIRED or cursor is None:
            raise error
        self._restarts += 1
        if self._began_at is not None or self._restarts > _MOST_PASSES:
            raise PaginationError("the cursor has expired: begin without one")
        self._begin_pass(None)

    def new_among(self, rows: Sequence[Conversation]) -> list[Conversation]:
        """Return the rows that this walk has not seen yet, each once."""
        self._moved_on = any(row.id not in self._seen_in_this for row in rows)
        if self._seen_in_this is not self._ids:
            self._seen_in_this.update(row.id for row in rows)
        new: list[Conversation] = []
        for row in rows:
            if row.id not in self._ids:
                self._ids.add(row.id)
                new.append(row)
        self._new += len(new)
        return new

    def new_unreadable(self, rows: int) -> int:
        """Return how many of a page's unreadable rows are more than an earlier pass met; no id tells them apart."""
        self._unreadable += rows
        new = max(0, self._unreadable - self._most_unreadable)
        self._most_unreadable += new
        return new

    def check(self, rows: Rows) -> None:
        """Raise `PaginationError` where going on would only bring more of the same."""
        self._pages += 1
        if rows.cursor in self._cursors:
            raise PaginationError("the provider's list runs in a circle: a cursor came a second time")
        self._cursors.add(rows.cursor)
        is_repeat = bool(rows.conversations) and not self._moved_on
        self._repeats = self._repeats + 1 if is_repeat else 0
        self._barren = 0 if rows.conversations else self._barren + 1
        if self._repeats >= _MOST_REPEATS:
            raise PaginationError(f"the provider's list does not move on: {_MOST_REPEATS} pages brought nothing new")
        if self._barren >= _MOST_BARREN:
            raise PaginationError(f"the provider's list does not end: {_MOST_BARREN} pages in a row were empty")
        if self._pages >= _MOST_PAGES:
            raise PaginationError(f"the provider's list does not end: {_MOST_PAGES} pages were read")


async def _rows_of(pages: AsyncGenerator[tuple[Page, str | None]]) -> AsyncGenerator[Conversation]:
    async with aclosing(pages):
        async for page, _ in pages:
            for row in page.items:
                yield row


async def _each(rows: Sequence[T]) -> AsyncGenerator[T]:
    for row in rows:
        yield row


async def _hand_over(walk: Callable[[], AsyncGenerator[T]], put: Put[T]) -> None:
    async with aclosing(walk()) as found:
        async for item in found:
            await put(item)
