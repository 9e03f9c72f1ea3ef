"""One account's conversations as the caller gets them: the right ones, stamped, raw kept or dropped."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from ..adapter import Query
from ..errors import AuthError, ForbiddenError, HubClosedError, HubError, PayloadError, UnsupportedError
from ..payload import scrubbed
from ..policy import Profile
from ..reading.lifecycle import as_got
from ..schema import Agent, Analysis, Conversation, Issue, TranscriptState
from ..transport import Counts, Lane
from ..transport.failures import name_of
from .report import AccountReport

__all__ = ["MOST_TOLD", "Reader", "Rows", "merged", "unsupported"]

MOST_TOLD = 100  # bad rows that are told one by one; a page may hold any number


class Rows(NamedTuple):
    """A listing, decoded."""

    conversations: list[Conversation]
    rejected: list[Issue]
    unreadable: int
    cursor: str | None
    warning: str | None


class Reader:
    """Reads the conversations of one account."""

    def __init__(self, lane: Lane, *, keep_raw: bool) -> None:
        self.lane = lane
        self._keep_raw = keep_raw

    @property
    def where(self) -> str:
        """The account, as "provider/account"."""
        return f"{self.lane.account.provider}/{self.lane.account.name}"

    async def get(self, id: str, profile: Profile | None = None, counts: Counts | None = None) -> Conversation:
        """Get one conversation, which never says that its transcript is not loaded; one about another is refused."""
        if self.lane.adapter.get is None:
            raise unsupported(self.lane, "get")
        found = await self.lane.run("get", self.lane.adapter.get(self.lane.account, id), counts, profile)
        if found.id != id:
            raise PayloadError(
                "the answer is about another conversation than the one asked for",
                provider=self.lane.account.provider,
                account=self.lane.account.name,
                operation="get",
            )
        return self.own(as_got(found, self.lane.clock.now()))

    def own(self, conversation: Conversation) -> Conversation:
        """Stamp a conversation with its account and its recordings with its ref; keep, scrub or drop its raw."""
        raw = conversation.raw if self._keep_raw else None
        if raw is not None:
            raw = scrubbed(raw, self.lane.adapter.secret_fields)
        owned = msgspec.structs.replace(conversation, account=self.lane.account.name, raw=raw)
        if not owned.recordings:
            return owned
        recordings = tuple(msgspec.structs.replace(recording, ref=owned.ref) for recording in owned.recordings)
        return msgspec.structs.replace(owned, recordings=recordings)

    async def rows(
        self, query: Query, cursor: str | None, report: AccountReport, profile: Profile | None = None
    ) -> Rows:
        """Read a page of the list, row by row: a bad row is set apart and never sinks its page."""
        adapter = self.lane.adapter
        if adapter.list_page is None:
            raise unsupported(self.lane, "list")
        listing = await self.lane.run("list", adapter.list_page(self.lane.account, query, cursor), report, profile)
        report.pages += 1
        report.listed += len(listing.rows)
        conversations: list[Conversation] = []
        rejected: list[Issue] = []
        unreadable = 0
        for position, row in enumerate(listing.rows):
            await self.lane.turns.take(memoryview(row).nbytes)
            try:
                conversations.append(self.own(listing.normalize(row)))
                continue
            except HubError as error:
                reason = error.reason
            except Exception as bug:  # noqa: BLE001  (one row's surprise must not cost the others)
                reason = f"the adapter could not read it: {name_of(bug)}"
            unreadable += 1
            if unreadable <= MOST_TOLD:
                rejected.append(Issue(f"page {report.pages}, row {position}", reason))
        return Rows(conversations, rejected, unreadable, listing.cursor, listing.warning)

    async def hydrate(self, row: Conversation, report: AccountReport, profile: Profile | None = None) -> Conversation:
        """Return a row with what `get` brings; where that fails for good, the row as it is, which then says so."""
        try:
            details = await self.get(row.id, profile, report)
        except HubClosedError:
            raise
        except HubError as error:
            # A bad key fails for every row alike; a right that is missing may be missing for this one only.
            if isinstance(error, AuthError) and not isinstance(error, ForbiddenError):
                raise
            report.not_loaded += 1
            report.failures[type(error).__name__] += 1
            issue = Issue("get", f"details could not be loaded: {type(error).__name__}")
            return msgspec.structs.replace(
                row, transcript_state=TranscriptState.NOT_LOADED, issues=(*row.issues, issue)
            )
        return merged(row, details)


def unsupported(lane: Lane, operation: str) -> UnsupportedError:
    """Return the error that says what a provider cannot do, and what it can."""
    able = ", ".join(lane.adapter.operations)
    return UnsupportedError(
        f"{lane.account.provider} has no way to {operation} a conversation; it can: {able}",
        provider=lane.account.provider,
        account=lane.account.name,
        operation=operation,
    )


_FIELDS: dict[type[msgspec.Struct], list[tuple[str, Any]]] = {
    kind: [(field.name, field.default) for field in msgspec.structs.fields(kind)]
    for kind in (Conversation, Agent, Analysis)
}
_PARTS = ("agent", "analysis")


def merged(row: Conversation, details: Conversation) -> Conversation:
    """Return the details, with what only the row had."""
    only_row = _only_in(row, details)
    for name in _PARTS:
        part, whole = getattr(row, name), getattr(details, name)
        if part is not None and whole is not None and (more := _only_in(part, whole)):
            only_row[name] = msgspec.structs.replace(whole, **more)
    if row.raw is not None and details.raw is not None:
        only_row["raw"] = msgspec.json.encode({"list": msgspec.Raw(row.raw), "get": msgspec.Raw(details.raw)})
    only_row["estimated"] = (*details.estimated, *(name for name in row.estimated if name in only_row))
    return msgspec.structs.replace(details, **only_row)


def _only_in(row: msgspec.Struct, details: msgspec.Struct) -> dict[str, Any]:
    found: dict[str, Any] = {}
    values = zip(_FIELDS[type(row)], msgspec.structs.astuple(row), msgspec.structs.astuple(details), strict=True)
    for (name, absent), ours, theirs in values:
        if ours is theirs:
            continue
        if theirs == absent and ours != absent:
            found[name] = ours
        elif isinstance(ours, dict) and ours.keys() - theirs.keys():
            found[name] = {**ours, **theirs}
    return found
