"""A provider whose conversations never end, and that lists them by change; its clock, and a hub's runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from yarl import URL

from conversations_hub import PROFILES, Account, Conversation, Hub
from conversations_hub._transport import Clock
from conversations_hub.adapter import Adapter, Query, RawPage
from conversations_hub.reading.json import decode
from conversations_hub.schema import Role, Status, TranscriptState, TranscriptTurn
from conversations_hub.signing import bearer
from conversations_hub.stores.sqlite import SQLiteStore
from conversations_hub.sync import SyncReport, sync
from conversations_hub.wire import Flow, Request, Response

from .fake_lane import fake_lanes
from .sqlite import stored

__all__ = ["ACME", "BEGAN", "World"]

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
ONE_TRY = PROFILES["bulk"].but(attempts=1)


class Sent(msgspec.Struct):
    """A conversation of a provider that never ends one."""

    id: str
    created: datetime
    updated: datetime
    messages: list[str] | None = None


class _Page(msgspec.Struct):
    rows: list[msgspec.Raw]
    next: str | None = None


_sent = msgspec.json.Decoder(Sent)
_page = msgspec.json.Decoder(_Page)


def normalize(row: bytes | msgspec.Raw) -> Conversation:
    """Read a conversation, or a row, which has no messages."""
    sent = decode(row, _sent)
    turns = [TranscriptTurn(index=at, role=Role.USER, text=text) for at, text in enumerate(sent.messages or ())]
    return Conversation(
        provider="acme",
        id=sent.id,
        status=Status.IN_PROGRESS,
        created_at=sent.created,
        updated_at=sent.updated,
        transcript=None if sent.messages is None else tuple(turns),
        transcript_state=TranscriptState.NOT_LOADED if sent.messages is None else TranscriptState.AVAILABLE,
    )


def list_page(_account: Account, query: Query, cursor: str | None) -> Flow[RawPage]:
    """List a page, most recently changed first."""
    since = query.updated_since.isoformat() if query.updated_since else None
    reply = yield Request("GET", "/list", {"updated_since": since, "cursor": cursor})
    page = decode(reply.body, _page)
    return RawPage(rows=page.rows, normalize=normalize, cursor=page.next)


def get(_account: Account, id: str) -> Flow[Conversation]:
    """Get a conversation with its messages."""
    reply = yield Request("GET", "/get/{id}", ids={"id": id})
    return normalize(reply.body)


ACME = Adapter(
    name="acme",
    base_url="https://api.acme.example",
    docs="",
    sign=bearer,
    list_page=list_page,
    get=get,
    complete_lists=False,
    newest_first=True,
    filters=("updated_since",),
)


class World:
    """The provider, its clock, and a hub's runs."""

    def __init__(self, store: Path, adapter: Adapter = ACME) -> None:
        self.store = store
        self.adapter = adapter
        self.now = BEGAN
        self.clock = Clock(monotonic=lambda: self.slept, now=lambda: self.now, sleep=self.sleep)
        self.slept = 0.0
        self.kept: list[Sent] = []
        self.gets = 0
        self.requests = 0
        self.breaks_after: int | None = None
        self.meanwhile: Callable[[], None] | None = None

    def begin(self) -> None:
        """Have another conversation begin."""
        self.now += timedelta(minutes=7)
        self.kept.append(Sent(f"c{len(self.kept)}", self.now, self.now, ["Hello."]))

    def write(self, place: int) -> None:
        """Have somebody write in a conversation, however old."""
        self.now += timedelta(minutes=3)
        if self.kept:
            one = self.kept[place % len(self.kept)]
            one.updated, one.messages = self.now, [*(one.messages or ()), f"And at {self.now}?"]

    async def sleep(self, seconds: float) -> None:
        """Have time pass at once: what waits while the provider is down must come to an end."""
        self.slept += seconds
        await asyncio.sleep(0)

    async def answer(self, url: URL) -> Response | None:
        """Answer a request."""
        self.requests += 1
        if self.breaks_after is not None and self.requests > self.breaks_after:
            return Response(500, {}, b"{}")
        if url.path.startswith("/get/"):
            self.gets += 1
            return Response(200, {}, msgspec.json.encode(next(one for one in self.kept if one.id == url.name)))
        since = datetime.fromisoformat(url.query.get("updated_since", BEGAN.isoformat()))
        before = url.query.get("cursor")
        rows = sorted((one for one in self.kept if one.updated >= since), key=lambda one: one.updated, reverse=True)
        rows = [one for one in rows if before is None or one.updated.isoformat() < before]
        page = [msgspec.structs.replace(one, messages=None) for one in rows[:3]]
        cursor = page[-1].updated.isoformat() if rows[3:] else None
        if self.meanwhile is not None:
            self.meanwhile()
        return Response(200, {}, msgspec.json.encode({"rows": page, "next": cursor}))

    def hub(self) -> Hub:
        """Return a hub with the one account."""
        return Hub([Account("acme", key="k")], adapters={"acme": self.adapter}, profile=ONE_TRY, clock=self.clock)

    async def sync(
        self, breaks_after: int | None = None, since: datetime | None = None, *, again: bool = False
    ) -> SyncReport:
        """Bring the store up to date, unless the provider breaks."""
        self.now += timedelta(minutes=1)
        self.requests, self.breaks_after = 0, breaks_after
        try:
            with fake_lanes(self.answer):
                async with self.hub() as hub:
                    return await sync(hub, SQLiteStore(self.store), since=since, again=again, clock=self.clock)
        finally:
            self.breaks_after = None

    def said(self) -> dict[str, list[str]]:
        """Return what is stored of each conversation."""
        return {one.id: [turn.text for turn in one.transcript or ()] for one in stored(self.store).values()}

    def truth(self) -> dict[str, list[str]]:
        """Return what was written in each."""
        return {one.id: one.messages or [] for one in self.kept}
