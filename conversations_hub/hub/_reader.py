"""One account's conversations as the caller gets them: checked, stamped, with raw kept or dropped."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from .._bugs import read_row
from .._merging import merge, without_details
from .._nesting import TOO_DEEP
from .._reporting import MAX_REPORTED
from .._scrub import without_secrets_in_turn
from .._stamp import stamp
from .._transport import Counts, Lane
from ..adapter import Query, RawPage, Resource, Start, Started
from ..errors import HubClosedError, HubError, PayloadError, UnsupportedError, ends_account
from ..policy import Profile
from ..reading.json import LARGE
from ..reading.lifecycle import as_got
from ..schema import Conversation, Issue, TranscriptState, TranscriptTurn
from ..wire import Flow
from ._report import AccountReport

__all__ = ["DecodedPage", "Lists", "ResourceReader"]

# A row of a few bytes becomes a conversation of hundreds, so rows far beyond the requested number are not read.
_TIMES_ASKED = 10
_MOST_UNASKED = 100_000  # rows on a page whose size cannot be chosen


class DecodedPage(NamedTuple):
    """A page of a list, decoded."""

    conversations: list[Conversation]
    rejected: list[Issue]
    unreadable: int
    cursor: str | None
    warning: str | None

    def rejected_of(self, unreadable: int) -> tuple[Issue, ...]:
        """Return the last `unreadable` issues, those of rows that could not be read."""
        return tuple(self.rejected[-unreadable:]) if unreadable else ()


class ResourceReader:
    """Reads the conversations of one kind of one account."""

    def __init__(self, lane: Lane, resource: Resource, name: str, *, keep_raw: bool) -> None:
        self.lane = lane
        self.resource = resource
        self.name = name
        """The resource's name."""
        self.is_main = resource is lane.adapter
        self._keep_raw = keep_raw

    @property
    def where(self) -> str:
        """The account, as "provider/account"."""
        return f"{self.lane.account.provider}/{self.lane.account.name}"

    @property
    def list_name(self) -> str:
        """The list's name in cursors."""
        return "list" if self.is_main else self.name

    async def get(self, id: str, profile: Profile | None = None, counts: Counts | None = None) -> Conversation:
        """Get one conversation by the provider's own id; its transcript state is never `NOT_LOADED`.

        Raises `PayloadError` for a response about another conversation.
        """
        if self.resource.get is None:
            raise self.unsupported("get")
        flow = self._about(id, self.resource.get(self.lane.account, id))
        return await self.lane.run("get", flow, counts, profile)

    def _about(self, id: str, flow: Flow[Conversation]) -> Flow[Conversation]:
        found = yield from flow
        if found.id != id:
            raise PayloadError("the response is about another conversation than the one requested")
        if found.transcript_state is TranscriptState.NOT_LOADED:
            found = as_got(found, self.lane.clock.now())
        return self.stamp(found)

    async def start(self, wanted: Start, profile: Profile | None = None) -> Started:
        """Start a conversation."""
        if self.resource.start is None:
            raise self.unsupported("start")
        flow = self._stamp_started(self.resource.start(self.lane.account, wanted))
        return await self.lane.run("start", flow, profile=profile)

    def _stamp_started(self, flow: Flow[Started]) -> Flow[Started]:
        started = yield from flow
        return msgspec.structs.replace(started, conversation=self.stamp(started.conversation))

    async def send(self, id: str, text: str, profile: Profile | None = None) -> TranscriptTurn:
        """Send a text in a running text conversation and return the agent's answer."""
        if self.resource.send is None:
            raise self.unsupported("send")
        flow = self._scrub_answer(self.resource.send(self.lane.account, id, text))
        return await self.lane.run("send", flow, profile=profile)

    def _scrub_answer(self, flow: Flow[TranscriptTurn]) -> Flow[TranscriptTurn]:
        turn = yield from flow
        return without_secrets_in_turn(turn, self.lane.adapter.secret_fields)

    def stamp(self, conversation: Conversation) -> Conversation:
        """Return a conversation of this resource as the caller gets it; raise `PayloadError` as `stamp` does."""
        account = self.lane.account.name
        return stamp(conversation, self.lane.adapter, self.name, account=account, keep_raw=self._keep_raw)

    async def rows(
        self, query: Query, cursor: str | None, report: AccountReport, profile: Profile | None = None
    ) -> DecodedPage:
        """Read a page of the list, row by row: a bad row is set aside and never fails its page.

        If a page has more than ten times the requested rows, the rest counts as unreadable.
        """
        if self.resource.list_page is None:
            raise self.unsupported("list")
        flow = _check_page(self.resource.list_page(self.lane.account, query, cursor))
        listing = await self.lane.run("list", flow, report, profile)
        most = _most_rows(query.page_size, self.resource.page_size)
        report.pages += 1
        report.listed += len(listing.rows)
        budget = self.lane.read_budget
        conversations: list[Conversation] = []
        rejected: list[Issue] = []
        unreadable = 0

        def read(row: msgspec.Raw) -> Conversation:
            return self.stamp(listing.normalize(row))

        for position, row in enumerate(islice(listing.rows, most)):
            size = memoryview(row).nbytes
            if not budget.spend_at_once(size):
                await budget.spend(size)
            try:
                found = read_row(read, row) if size <= LARGE else await asyncio.to_thread(read_row, read, row)
                conversations.append(found)
                continue
            except HubError as error:
                reason = "it is nested too deeply" if bytes(row) == TOO_DEEP else error.reason
            unreadable += 1
            if unreadable <= MAX_REPORTED:
                rejected.append(Issue(f"page {report.pages}, row {position}", reason))
        unread = len(listing.rows) - most
        if unread <= 0:
            return DecodedPage(conversations, rejected, unreadable, listing.cursor, listing.warning)
        if unreadable < MAX_REPORTED:
            rejected.append(
                Issue(f"page {report.pages}, row {most}", f"not read, and neither were the {unread - 1} after it")
            )
        warning = f"a page had more than {most} rows, far more than requested, and the rest was not read"
        warning = warning if listing.warning is None else f"{listing.warning}; {warning}"
        return DecodedPage(conversations, rejected, unreadable + unread, listing.cursor, warning)

    async def hydrate(self, row: Conversation, report: AccountReport, profile: Profile | None = None) -> Conversation:
        """Return a row with the details of `get`; if that fails for good, the row with an issue that says so."""
        try:
            details = await self.get(row.id if self.is_main else self._own_id(row.id), profile, report)
        except HubClosedError:
            raise
        except HubError as error:
            if ends_account(error):
                raise
            report.not_loaded += 1
            report.failures[type(error).__name__] += 1
            return without_details(row, error)
        return merge(row, details)

    def _own_id(self, id: str) -> str:
        _, _, own = self.lane.adapter.resource_of(id)
        return own

    def unsupported(self, operation: str) -> UnsupportedError:
        """Return the error that says which operation is not supported for this kind of conversation, and which are."""
        supported = ", ".join(self.resource.operations)
        kind = "" if self.is_main else f" for its {self.name}"
        return UnsupportedError(
            f"{self.lane.account.provider} does not support `{operation}`{kind}; supported: {supported}",
            provider=self.lane.account.provider,
            account=self.lane.account.name,
            operation=operation,
        )


class Lists(NamedTuple):
    """The lists of one account that are walked together, one after another."""

    where: str
    """"provider/account", followed by ":resource" if only that one is walked."""
    readers: tuple[ResourceReader, ...]
    is_whole: bool = True
    """Whether these are all lists of the account; those that it may not use are then left out."""

    def main(self) -> Lists:
        """Return only the first of them."""
        return self._replace(readers=self.readers[:1], is_whole=False)


def _most_rows(asked: int | None, usual: int | None) -> int:
    # Some providers never send fewer than their usual number.
    return _TIMES_ASKED * max(asked or 0, usual or 0) or _MOST_UNASKED


def _check_page(flow: Flow[Any]) -> Flow[RawPage]:
    listing = yield from flow
    if isinstance(listing, RawPage):
        return listing
    raise PayloadError(f"the adapter has a bug: its list is a {type(listing).__name__}")
