"""A walk through the lists of one or several accounts: pages, filters, duplicates, details, and a report."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from itertools import dropwhile, zip_longest
from typing import Any, TypeVar

import msgspec

from .._bugs import surprise
from .._concurrency import Put, TaskPool
from .._frames import bare
from .._reporting import MAX_REPORTED
from ..adapter import Query
from ..errors import DeadlineError, HubClosedError, HubError, NotFoundError, PartialError, ProviderError
from ..policy import Profile
from ..schema import Conversation, TranscriptState
from ..signals import PageRead
from ._cursor import Place, digests
from ._list_options import ListOptions
from ._loop_guard import LoopGuard
from ._newest import Head, newest_of, sheets_of
from ._page import Page, Sheet
from ._reader import Lists, ResourceReader
from ._report import AccountReport, Report
from ._sealed import sealed_stream

__all__ = ["ACCOUNTS_AT_ONCE", "Page", "Walk"]

T = TypeVar("T")

ACCOUNTS_AT_ONCE = 64
"""Accounts that one call walks at a time, unless the hub sets another number."""

_NARROWING = ("since", "until", "agent", "updated_since")
_WIDTH = 16  # details requested at a time, per account
_ROOM = 4  # conversations of an account that may wait for the caller; pages may not


class Walk:
    """The result of `hub.list`: iterate over it, or over its `pages()`. Each iteration is a walk of its own.

    Conversations come in the provider's order within an account. Over several accounts, which are walked concurrently,
    they come as they arrive; with a limit, the newest of all come, newest first. To stop early and free everything at
    once, put `contextlib.aclosing` around the iterator.
    """

    def __init__(
        self,
        accounts: Sequence[Lists],
        plan: ListOptions,
        tasks: TaskPool,
        *,
        at_once: int = ACCOUNTS_AT_ONCE,
        connections: int = ACCOUNTS_AT_ONCE * _WIDTH,
    ) -> None:
        self._accounts = accounts
        self._plan = plan
        self._tasks = tasks
        # A request that has to wait for a connection would only lose time that it has for its response.
        self._at_once = min(at_once, connections, len(accounts))
        self._width = min(_WIDTH, connections // self._at_once)
        self._width_of_all = min(_WIDTH, connections)
        self._ends = math.inf  # when the latest iteration must end
        self._detailed: set[str] = set()  # refs of the rows that the latest iteration judged by their details
        self.report: Report = Report([])
        """How the latest iteration has gone so far."""

    def __aiter__(self) -> AsyncGenerator[Conversation]:
        limit = self._plan.limit
        if limit == 0:
            return _nothing()
        return sealed_stream(self._conversations() if limit is None or self._is_one_list else self._newest(limit))

    @property
    def _is_one_list(self) -> bool:
        # A cursor names a place in one list; without one, the newest of an account may be in any of its lists.
        lists = sum(len(account.readers) for account in self._accounts)
        return lists == 1 or self._plan.place is not None

    def pages(self) -> AsyncGenerator[Page]:
        """Yield pages, each of one account. With a limit over several accounts they hold the newest of all."""
        limit = self._plan.limit
        if limit == 0:
            return _nothing()
        is_one = len(self._accounts) == 1
        return sealed_stream(self._pages() if limit is None or is_one else self._newest_pages(limit))

    async def _conversations(self) -> AsyncGenerator[Conversation]:
        left = self._plan.limit
        room = _ROOM if self._plan.transcripts else 0
        async with aclosing(self._over_accounts(self._conversations_of, room)) as found:
            async for report, conversations in found:
                for conversation in conversations:
                    report.count(conversation)
                    yield conversation
                    if left is not None and (left := left - 1) == 0:
                        return

    async def _pages(self) -> AsyncGenerator[Page]:
        left = self._plan.limit
        async with aclosing(self._over_accounts(self._sheets_of, 0)) as found:
            async for report, sheet in found:
                page = sheet.cut_to(left).page()
                for conversation in page.items:
                    report.count(conversation)
                yield page
                if left is not None and (left := left - len(page.items)) == 0:
                    return

    async def _newest(self, limit: int) -> AsyncGenerator[Conversation]:
        async with self._side_by_side() as heads, aclosing(newest_of(heads, self._tasks, self._at_once)) as found:
            left = limit
            while left:
                taken = 0
                # Only details of what is delivered are requested; if an account fails, others take its places.
                rows = _some(found, left)
                async with aclosing(self._tasks.ordered(_singly(rows), self._details, self._width_of_all)) as brought:
                    async for head, conversation in brought:
                        taken += 1
                        if conversation is not None:
                            left -= 1
                            head.report.count(conversation)
                            yield conversation
                if not taken:
                    break
        self._raise_failures()

    async def _newest_pages(self, limit: int) -> AsyncGenerator[Page]:
        left = limit
        async with (
            self._side_by_side() as heads,
            aclosing(newest_of(heads, self._tasks, self._at_once)) as found,
            aclosing(sheets_of(heads, _some(found, limit))) as sheets,
        ):
            async for head, sheet, items in sheets:
                page = sheet.cut_to(min(items, left)).page()
                given = _each([[(head, row) for row in page.items]])
                async with aclosing(self._tasks.ordered(given, self._details, self._width_of_all)) as brought:
                    whole = tuple([conversation async for _, conversation in brought if conversation is not None])
                if len(whole) < len(page.items):
                    continue  # its account's walk has ended
                for conversation in whole:
                    head.report.count(conversation)
                yield msgspec.structs.replace(page, items=whole)
                left -= len(whole)
                if not left:
                    break
        self._raise_failures()

    async def _details(self, given: tuple[Head, Conversation]) -> tuple[Head, Conversation | None]:
        """Return a conversation with its details; None if that ends its account's walk."""
        head, row = given
        if not self._hydrates(head.reader):
            return given
        try:
            return head, await self._hydrate(head.reader, head.report, row)
        except HubClosedError:
            raise
        except HubError as error:
            failure = error
        except Exception as bug:  # noqa: BLE001  (one account's bug must not end the others' walks)
            failure = surprise(bug, head.report.where)
        self._record_failure(head.report, failure)
        head.stop()
        return head, None

    @asynccontextmanager
    async def _side_by_side(self) -> AsyncGenerator[list[Head]]:
        """Provide the heads of all accounts' lists, and close them."""
        heads: list[Head] = []
        for account, report in self._start_reports():
            for reader in account.readers:
                if not reader.resource.newest_first:
                    what = "list" if len(account.readers) == 1 else f"list of {reader.name}"
                    report.notes.append(f"its {what} does not say how it is ordered, so these may not be its newest")
                alone = account._replace(readers=(reader,))
                heads.append(Head(reader, report, self._watch(self._list_sheets, alone, report)))
        try:
            yield heads
        finally:
            for head in heads:
                await head.close()

    def _start_reports(self) -> list[tuple[Lists, AccountReport]]:
        pairs: list[tuple[Lists, AccountReport]] = []
        for account in self._accounts:
            lists = account._replace(readers=tuple(self._left_of(account.readers)))
            report = AccountReport(account.where, (reader.name for reader in lists.readers))
            if account.is_whole:
                report.unlisted += account.readers[0].lane.adapter.unlisted
            pairs.append((lists, report))
        self.report = Report([report for _, report in pairs])
        self._detailed = set()
        if self._plan.timeout is not None:
            self._ends = self._accounts[0].readers[0].lane.clock.monotonic() + self._plan.timeout
        return pairs

    def _left_of(self, readers: Sequence[ResourceReader]) -> Sequence[ResourceReader]:
        """Return the readers whose lists are still to be walked: those before the list of a cursor are done."""
        place = self._plan.place
        return readers if place is None else [*dropwhile(lambda reader: reader.list_name != place.resource, readers)]

    async def _over_accounts(
        self, walk: Callable[[Lists, AccountReport], AsyncGenerator[T]], room: int
    ) -> AsyncGenerator[tuple[AccountReport, T]]:
        """Walk accounts side by side, none far ahead; at the end raise failures, unless `on_error` takes them."""
        left = iter(self._start_reports())

        async def one_after_another() -> AsyncGenerator[tuple[AccountReport, T]]:
            for account, report in left:
                async with aclosing(self._watch(walk, account, report)) as found:
                    async for item in found:
                        yield report, item

        if len(self._accounts) == 1:
            stream = one_after_another()
        else:
            walks = [partial(_hand_over, one_after_another)] * self._at_once
            stream = self._tasks.merge(walks, room * len(walks))
        async with aclosing(stream):
            async for found in stream:
                yield found
        self._raise_failures()

    def _raise_failures(self) -> None:
        errors = self.report.errors
        if errors and self._plan.on_error is None:
            raise next(iter(errors.values())) if len(self._accounts) == 1 else PartialError(errors)

    async def _watch(
        self,
        walk: Callable[[Lists, AccountReport], AsyncGenerator[T]],
        account: Lists,
        report: AccountReport,
    ) -> AsyncGenerator[T]:
        """Walk one account and record how it went; its failure ends no other walk."""
        clock = account.readers[0].lane.clock
        started = clock.monotonic()
        try:
            async with aclosing(walk(account, report)) as found:
                async for item in found:
                    yield item
        except HubClosedError:
            raise
        except HubError as error:
            self._record_failure(report, error)
        except Exception as bug:
            if report.error is not None:  # raised by `on_error`, to which that error was passed
                raise
            self._record_failure(report, surprise(bug, report.where))
        finally:
            report.elapsed = max(report.elapsed, clock.monotonic() - started)

    def _record_failure(self, report: AccountReport, error: HubError) -> None:
        """Record the first failure of an account's walk."""
        if report.error is not None:
            return
        report.error = bare(error)
        report.failures[type(error).__name__] += 1
        if self._plan.on_error is not None:
            self._plan.on_error(error)

    async def _conversations_of(self, account: Lists, report: AccountReport) -> AsyncGenerator[Sequence[Conversation]]:
        """Yield an account's conversations: page by page, or one by one if some have to wait for their details."""
        hydrate = self._hydration(account, report)
        if hydrate is None:
            async with aclosing(self._list_sheets(account, report)) as sheets:
                async for sheet in sheets:
                    for items in zip(sheet.items) if self._plan.transcripts else (sheet.items,):
                        yield items
            return
        # One page ahead, so that details never have to wait for the list.
        listed = partial(_hand_over, partial(self._list_sheets, account, report))
        pages = _items_of(self._tasks.merge([listed], 1))
        async with aclosing(pages), aclosing(self._tasks.ordered(pages, hydrate, self._width)) as hydrated:
            async for conversation in hydrated:
                yield (conversation,)

    async def _sheets_of(self, account: Lists, report: AccountReport) -> AsyncGenerator[Sheet]:
        hydrate = self._hydration(account, report)
        async with aclosing(self._list_sheets(account, report)) as sheets:
            async for sheet in sheets:
                if hydrate is None:
                    yield sheet
                    continue
                async with aclosing(self._tasks.ordered(_each([sheet.items]), hydrate, self._width)) as hydrated:
                    items = tuple([conversation async for conversation in hydrated])
                yield msgspec.structs.replace(sheet, items=items)

    async def _hydrate(self, reader: ResourceReader, report: AccountReport, row: Conversation) -> Conversation:
        if row.ref in self._detailed:
            return row
        details = await reader.hydrate(row, report, self._profile_of(reader))
        if details.transcript_state is TranscriptState.NOT_LOADED and (late := self._late(reader)):
            self._record_failure(report, late)  # a row that was read is delivered all the same
        return details

    async def _confirmed(
        self, reader: ResourceReader, report: AccountReport, rows: Sequence[Conversation], left: int | None
    ) -> tuple[Conversation, ...]:
        """Return the rows that match: those that leave a filter open get their details first, if any are wanted.

        At most one more than `left` is returned, which shows that the page is cut.
        """
        if not self._hydrates(reader) or not any(map(self._plan.leaves_open, rows)):
            return tuple(rows)

        async def judged(row: Conversation) -> Conversation | None:
            if not self._plan.leaves_open(row):
                return row
            details = await self._hydrate(reader, report, row)
            self._detailed.add(row.ref)
            return details if self._plan.confirms(row, details) else None

        confirmed: list[Conversation] = []
        async with aclosing(self._tasks.ordered(_each([rows]), judged, self._width)) as found:
            async for one in found:
                if one is None:
                    report.outside += 1
                    continue
                confirmed.append(one)
                if left is not None and len(confirmed) > left:
                    break
        return tuple(confirmed)

    def _profile_of(self, reader: ResourceReader) -> Profile | None:
        """Return the profile for an account's requests, which end with the walk at the latest."""
        if self._plan.timeout is None:
            return self._plan.profile
        if late := self._late(reader):
            raise late
        profile = self._plan.profile or reader.lane.profile
        return profile.but(deadline=min(self._ends - reader.lane.clock.monotonic(), profile.deadline))

    def _late(self, reader: ResourceReader) -> DeadlineError | None:
        """Return the error of a walk whose time is up; None if it is not."""
        if reader.lane.clock.monotonic() < self._ends:
            return None
        return DeadlineError(
            f"the timeout of {self._plan.timeout:g} s for the whole walk has passed",
            provider=reader.lane.account.provider,
            account=reader.lane.account.name,
            operation="list",
        )

    def _hydration(
        self, account: Lists, report: AccountReport
    ) -> Callable[[Conversation], Awaitable[Conversation]] | None:
        """Return the function that loads the details of a row; None if no row of the account lacks any."""
        readers = {reader.name: reader for reader in account.readers}
        if not any(map(self._hydrates, account.readers)):
            return None
        adapter = account.readers[0].lane.adapter

        async def hydrate(row: Conversation) -> Conversation:
            reader = readers[adapter.resource_of(row.id)[0]] if len(readers) > 1 else account.readers[0]
            return await self._hydrate(reader, report, row) if self._hydrates(reader) else row

        return hydrate

    def _hydrates(self, reader: ResourceReader) -> bool:
        return self._plan.transcripts and not reader.resource.complete_lists

    def _start_of(self, where: str, reader: ResourceReader, left: int | None) -> tuple[Place, Query]:
        """Return where the walk of a list begins, and the query for it."""
        plan, resource = self._plan, reader.resource
        query = msgspec.structs.replace(plan.query, options=plan.options.get(reader.lane.account.provider, {}))
        name = reader.list_name
        if plan.place is not None and plan.place.resource == name:
            place = plan.place
            return place, msgspec.structs.replace(query, page_size=place.page_size, newest_first=place.newest_first)
        # If rows may have to be dropped, full pages are better.
        is_narrowed = query.status is None and all(
            getattr(query, each) is None or each in resource.filters for each in _NARROWING
        )
        if left and query.page_size is None and is_narrowed and left < (resource.page_size or 0):
            query = msgspec.structs.replace(query, page_size=left)
        query = msgspec.structs.replace(query, newest_first=plan.limit is not None)
        return (
            Place(
                where=where,
                resource=name,
                page_size=query.page_size,
                newest_first=query.newest_first,
                filters=digests(query),
            ),
            query,
        )

    async def _list_sheets(self, account: Lists, report: AccountReport) -> AsyncGenerator[Sheet]:
        """Yield an account's pages, list after list: every conversation once, and only those that match."""
        left = self._plan.limit
        for reader, after in zip_longest(account.readers, account.readers[1:]):
            following = None if after is None else self._start_of(account.where, after, None)[0]
            has_begun = False
            try:
                async with aclosing(self._pages_of(account.where, reader, report, left, following)) as sheets:
                    async for sheet in sheets:
                        has_begun = True
                        yield sheet
                        if left is not None and (left := left - len(sheet.items)) == 0:
                            return
            except ProviderError as error:
                if reader.is_main or not account.is_whole or has_begun or not _may_not_use(error):
                    raise
                report.refused[reader.name] = f"{type(error).__name__}: {error.reason}"
                report.lists_left.discard(reader.name)

    async def _pages_of(
        self, where: str, reader: ResourceReader, report: AccountReport, left: int | None, following: Place | None
    ) -> AsyncGenerator[Sheet]:
        """Yield the pages of one list."""
        place, query = self._start_of(where, reader, left)
        counted = reader.resource.counted
        guard = LoopGuard(place, counted=counted)
        cursor = place.page
        while True:
            try:
                rows = await reader.rows(query, cursor, report, self._profile_of(reader))
            except NotFoundError as error:
                guard.start_over(error, cursor)
                report.restarts += 1
                cursor = None
                continue
            if rows.warning is not None and rows.warning not in report.warnings:
                report.warnings.append(rows.warning)
            is_lost = guard.is_lost(rows)
            new = [] if is_lost else guard.new_among(rows.conversations)
            wanted = [row for row in new if self._plan.wants(row)]
            unreadable = 0 if is_lost else guard.new_unreadable(rows.unreadable)
            if guard.is_first_pass:
                report.duplicates += len(rows.conversations) - len(new) + rows.unreadable - unreadable
            report.filtered += len(new) - len(wanted)
            rejected = rows.rejected_of(unreadable)
            report.unreadable += unreadable
            report.rejected += rejected[: MAX_REPORTED - len(report.rejected)]
            reader.lane.tell(
                PageRead,
                "list",
                listed=len(rows.conversations) + rows.unreadable,
                new=len(new),
                duplicates=len(rows.conversations) - len(new),
                rejected=rows.unreadable,
            )
            if is_lost:
                cursor = guard.search_on(rows)
                continue
            start = msgspec.structs.replace(place, page=cursor, passed=0, marks=b"", unreadable=0, trail=guard.trail)
            guard.reads(cursor)
            sheet = Sheet(
                start=start,
                rows=rows.conversations,
                items=await self._confirmed(reader, report, wanted, left),
                following=rows.cursor,
                trail=guard.trail,
                following_list=following,
                counted=counted,
                unreadable=rows.unreadable,
                rejected=rejected,
            ).cut_to(left)
            report.note_end(reader.name, is_end=rows.cursor is None and not sheet.is_cut)
            if guard.is_first_pass or wanted or rejected:
                yield sheet
            left = None if left is None else left - len(sheet.items)
            if rows.cursor is not None:
                guard.check(rows)
                cursor = rows.cursor
            elif self._plan.verify and guard.may_look_again():
                cursor = None
            else:
                if guard.found_nothing_new:
                    report.lists_unverified.discard(reader.name)
                return


async def _items_of(sheets: AsyncGenerator[Sheet]) -> AsyncGenerator[Sequence[Conversation]]:
    async with aclosing(sheets):
        async for sheet in sheets:
            yield sheet.items


async def _some(items: AsyncGenerator[T], most: int) -> AsyncGenerator[T]:
    """Yield at most `most` items; the rest stays in the source."""
    for _ in range(most):
        item = await anext(items, None)
        if item is None:
            return
        yield item


async def _singly(items: AsyncGenerator[T]) -> AsyncGenerator[Sequence[T]]:
    async for item in items:
        yield (item,)


async def _nothing() -> AsyncGenerator[Any]:
    return
    yield


async def _each(items: Sequence[T]) -> AsyncGenerator[T]:
    for item in items:
        yield item


async def _hand_over(walk: Callable[[], AsyncGenerator[T]], put: Put[T]) -> None:
    async with aclosing(walk()) as found:
        async for item in found:
            await put(item)


_NOT_FOR_ALL = frozenset({401, 402, 403, 404, 405, 410, 501})


def _may_not_use(error: ProviderError) -> bool:
    """Whether an error is a provider's response to an account whose plan or key does not include an API."""
    return error.status in _NOT_FOR_ALL
