"""Walks over lists that change meanwhile, fail, expire and are broken off: what must be brought all the same (F100)."""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import event
from hypothesis import strategies as st
from yarl import URL

from conversations_hub._concurrency import TaskPool
from conversations_hub._transport import Clock
from conversations_hub.adapter import Query
from conversations_hub.adapters import load
from conversations_hub.errors import HubError, PaginationError
from conversations_hub.hub._cursor import Place
from conversations_hub.hub._list_options import ListOptions
from conversations_hub.hub._reader import Lists, ResourceReader
from conversations_hub.hub._report import AccountReport
from conversations_hub.hub._walk import Walk
from conversations_hub.policy import PROFILES
from conversations_hub.schema import Status
from conversations_hub.signals import PageRead, Signal
from conversations_hub.wire import Response

from .clock import NOW
from .fake_lane import FakeLane
from .virtual_time import VirtualLoop

__all__ = ["LISTS", "Change", "Scenario", "Stop", "Trouble", "run", "run_in_pieces", "scenarios"]

MOST_REQUESTS = 2000

# the provider


class Record(msgspec.Struct):
    """A conversation at the provider."""

    number: int
    rank: int
    """Its place in the list: the higher, the newer."""
    is_wanted: bool = True
    is_readable: bool = True

    @property
    def id(self) -> str:
        return f"c{self.number}"


class Change(msgspec.Struct, frozen=True):
    """What happens at the provider just before it gets its request number `at`."""

    at: int
    kind: str
    """"insert", "delete" or "update"."""
    which: int
    """Whom it concerns; of inserts, how many."""


class Trouble(msgspec.Struct, frozen=True):
    """What the provider says in place of an answer to its request number `at`."""

    at: int
    kind: str


TROUBLES: Mapping[str, Response | None] = {
    "outage": Response(503, {}, b"{}"),
    "throttle": Response(429, {"retry-after": "3"}, b"{}"),
    "lost": None,
    "cut": Response(200, {}, b'{"data": ['),
    "rejected": Response(400, {}, b"{}"),
    "expired": Response(410, {}, b"{}"),
}


class Stop(msgspec.Struct, frozen=True):
    """How a walk is broken off, to be resumed by another."""

    pages: int | None = None
    limit: int | None = None


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """A list, what happens to it, and how it is walked."""

    list: str
    records: int
    """How many there are in the beginning, number 0 the oldest."""
    unwanted: Collection[int] = frozenset()
    """Who of them is listed though the walk asks for others."""
    unreadable: Collection[int] = frozenset()
    page_size: int | None
    """None: what the adapter asks for, or what a limit needs."""
    filters: bool = True
    """Whether the walk asks for anything that has to be looked for on our side."""
    granted: int = 8
    """The most rows the provider puts on a page, whatever is asked for."""
    verify: bool
    changes: Sequence[Change] = ()
    troubles: Sequence[Trouble] = ()
    stops: Sequence[Stop] = ()


class Provider:
    """A provider whose list changes and whose answers fail as the scenario says."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._list = LISTS[scenario.list]
        self._records = [
            Record(number, number, number not in scenario.unwanted, number not in scenario.unreadable)
            for number in range(scenario.records)
        ]
        self._made = len(self._records)
        self.always = {record.id: record for record in self._records}
        """What was there from the beginning and has never been deleted."""
        self.requests = 0
        self.passes = 0
        """How often the list was read from its beginning."""
        self.met: list[str] = []
        """The troubles so far."""
        self.is_certain = True
        """Whether reading the list, since its beginning was last read, has to have brought all that is in it."""
        self.is_resumed_in_first_page = False
        """Whether the walk goes on from a place in the first page, and passes what is before it when it is read."""
        self._has_moved = False  # whether something came to the front since the list's beginning was last read
        self._shown: set[str] = set()
        self._repeats = 0

    async def __call__(self, url: URL) -> Response | None:
        at = self.requests
        self.requests += 1
        assert at < MOST_REQUESTS, "the walk does not end"
        for change in self._scenario.changes:
            if change.at == at:
                self._change(change)
        for trouble in self._scenario.troubles:
            if trouble.at == at:
                self.met.append(trouble.kind)
                return TROUBLES[trouble.kind]
        asked = dict(url.query)
        if asked.get("page", "1") == "1" and "cursor" not in asked:
            self.passes += 1
            # What moved from behind a place to before it counts as passed there.
            self._has_moved &= self.is_resumed_in_first_page
            self.is_certain = not self._has_moved
            self._shown.clear()
            self._repeats = 0
        size = min(int(asked.get("limit") or asked["page_size"]), self._scenario.granted)
        newest_first = sorted(self._records, key=lambda record: -record.rank)
        answer, rows = self._list.page(newest_first, size, asked)
        ids = {record.id for record in rows if record.is_readable}
        self._repeats = self._repeats + 1 if ids and ids <= self._shown else 0
        self._shown |= ids
        return Response(200, {}, msgspec.json.encode(answer))

    @property
    def does_not_move_on(self) -> bool:
        """Whether its last three pages showed only what was shown since its beginning was last read."""
        return self._repeats >= 3

    def _change(self, change: Change) -> None:
        if change.kind == "insert":
            self._records += [self._made_anew() for _ in range(change.which)]
        elif self._records:
            record = self._records[change.which % len(self._records)]
            if change.kind == "delete":
                self._records.remove(record)
                self.always.pop(record.id, None)
                self.is_certain &= self._list.is_by_key
            elif self._list.is_by_update:
                record.rank = self._made_anew().rank
                self._has_moved = True
                self.is_certain = False

    def _made_anew(self) -> Record:
        self._made += 1
        return Record(self._made, self._made)


Rows = Sequence[Record]
Asked = Mapping[str, str]
Page = tuple[Any, Rows]
"""What is answered, and the conversations on it."""


def _row(record: Record, statuses: tuple[str, str], minutes: int) -> dict[str, Any]:
    ids = {"id": record.id, "conversation_id": record.id} if record.is_readable else {}
    return {**ids, "status": statuses[not record.is_wanted], "created_at": _instant(minutes)}


def _instant(minutes: int) -> str:
    return (NOW + timedelta(minutes=minutes)).isoformat()


def _numbered(rows: Rows, size: int, asked: Asked) -> Page:
    begin = (int(asked["page"]) - 1) * size
    page = rows[begin : begin + size]
    listed = [_row(record, ("ended", "active"), record.number) for record in page]
    return {"data": listed, "total_count": len(rows)}, page


def _without_total(rows: Rows, size: int, asked: Asked) -> Page:
    answer, page = _numbered(rows, size, asked)
    return answer["data"], page


def _oldest_first(rows: Rows, size: int, asked: Asked) -> Page:
    return _numbered(rows[::-1], size, asked)


def _from_instant(rows: Rows, size: int, asked: Asked) -> Page:
    """Answer with what was created at the cursor's instant or before; two conversations share each."""
    until = base64.b64decode(asked["cursor"]).decode() if "cursor" in asked else _instant(MOST_REQUESTS)
    return _by_instant([record for record in rows if _instant(record.rank // 2) <= until][:size], 2)


def _before_instant(rows: Rows, size: int, asked: Asked) -> Page:
    """Answer with what was created before the cursor's instant; no two conversations share one."""
    until = base64.b64decode(asked["cursor"]).decode() if "cursor" in asked else _instant(MOST_REQUESTS)
    return _by_instant([record for record in rows if _instant(record.rank) < until][:size], 1)


def _by_instant(page: Rows, sharing: int) -> Page:
    return [_row(record, ("completed", "in_progress"), record.rank // sharing) for record in page], page


def _by_token(rows: Rows, size: int, asked: Asked) -> Page:
    """Answer with what follows a token; now and then a page is empty, and not the last."""
    token = asked.get("cursor", "")
    position = token.strip("~")
    left = [record for record in rows if not token or record.rank < int(position)]
    page, following = left[:size], None
    if token.startswith("~"):
        page, following = [], position
    elif len(left) > size:
        last = page[-1].rank
        following = f"~{last}" if last % 3 == 0 else str(last)
    listed = [_row(record, ("completed", "in_progress"), record.rank) for record in page]
    return {"data": {"conversations": listed, "has_more": following is not None, "next_cursor": following}}, page


class List(msgspec.Struct, frozen=True):
    """How a provider lists."""

    provider: str
    page: Callable[[Rows, int, Asked], Page]
    is_by_key: bool = False
    """Whether a page begins after a conversation, so that nothing that is deleted moves it."""
    is_by_update: bool = False
    """Whether what is updated comes to the front."""


LISTS = {
    "pages": List("tavus", _numbered),
    "pages, no total": List("tavus", _without_total),
    "pages, oldest first": List("tavus", _oldest_first),
    "pages, last updated first": List("tavus", _numbered, is_by_update=True),
    "instants, included": List("anyreach", _from_instant, is_by_key=True),
    "instants, excluded": List("anyreach", _before_instant, is_by_key=True),
    "tokens": List("voiceable", _by_token, is_by_key=True),
}


def scenarios(most: int) -> st.SearchStrategy[Scenario]:
    """Return scenarios of lists with so many conversations at most."""
    when = st.integers(0, most // 2)
    some = st.sets(st.integers(0, most), max_size=4)
    return st.builds(
        Scenario,
        list=st.sampled_from(sorted(LISTS)),
        records=st.integers(0, most),
        unwanted=some,
        unreadable=some,
        page_size=st.integers(3, 8),
        granted=st.integers(3, 8),
        verify=st.booleans(),
        changes=st.lists(
            st.builds(Change, when, st.sampled_from(["insert", "delete", "delete", "update"]), st.integers(1, 20)),
            max_size=most // 3,
        ),
        troubles=st.lists(st.builds(Trouble, when, st.sampled_from(sorted(TROUBLES))), max_size=most // 5),
        stops=st.lists(
            st.builds(Stop, pages=st.integers(1, 4)) | st.builds(Stop, limit=st.integers(1, 20)), max_size=3
        ),
    )


# the walks


class Outcome(msgspec.Struct, frozen=True):
    """How one walk went."""

    ids: Sequence[str]
    cursor: str | None
    """Where the next one may go on."""
    report: AccountReport
    is_over: bool
    """Whether it came to the end of the list."""
    is_stuck: bool = False
    """Whether it gave the list up, for three pages in a row brought nothing new."""


async def _walk(scenario: Scenario, provider: Provider, clock: Clock, cursor: str | None, stop: Stop) -> Outcome:
    """Walk until the end, a failure or where the scenario breaks off, and hold the report to what happened."""
    told: list[Signal] = []
    adapter = load(LISTS[scenario.list].provider)
    lane = FakeLane(adapter, PROFILES["bulk"], clock=clock, provider=provider, on_signal=told.append)
    query = Query(status=Status.ENDED if scenario.filters else None, page_size=scenario.page_size)
    plan = ListOptions(
        query=query,
        place=Place.read(cursor, f"{adapter.name}/default", query) if cursor else None,
        limit=stop.limit,
        verify=scenario.verify and not cursor,
    )
    walk = Walk(
        [Lists(f"{adapter.name}/default", (ResourceReader(lane, lane.adapter, "conversations", keep_raw=False),))],
        plan,
        TaskPool(),
    )
    provider.is_resumed_in_first_page = plan.place is not None and plan.place.page is None
    requests, passes, met = provider.requests, provider.passes, len(provider.met)
    ids: list[str] = []
    failure: HubError | None = None
    is_exhausted = False
    try:
        async with aclosing(walk.pages()) as pages:
            count = 0
            async for page in pages:
                ids += [conversation.id for conversation in page.items]
                cursor = page.cursor
                count += 1
                if count == stop.pages:
                    break
            else:
                is_exhausted = True
    except HubError as error:
        failure = error
    await lane.close()

    [report] = walk.report.accounts
    passes = provider.passes - passes + bool(plan.place)
    assert report.error is failure
    assert report.requests == provider.requests - requests
    assert report.delivered == len(ids) == len(set(ids)), "a conversation came twice"
    _adds_up(report, [signal for signal in told if isinstance(signal, PageRead)], stop, passes)
    if is_exhausted and not report.reached_end:
        assert len(ids) == stop.limit, "it ended without a reason"
    elif is_exhausted and plan.verify and len(ids) != stop.limit:
        assert report.consistency == "verified" or passes >= 3
    is_stuck = failure is not None and _is_stuck(failure, provider, met)
    if isinstance(failure, PaginationError):
        cursor = None
    return Outcome(ids, cursor, report, is_exhausted and report.reached_end, is_stuck)


def _adds_up(report: AccountReport, reads: Sequence[PageRead], stop: Stop, passes: int) -> None:
    assert report.pages == len(reads)
    assert all(read.listed == read.new + read.duplicates + read.rejected for read in reads)
    assert report.listed == sum(read.listed for read in reads)
    cut = sum(read.new for read in reads) - report.delivered - report.filtered
    assert cut == 0 or (cut > 0 and stop.limit)
    if passes <= 1:
        assert report.listed == report.delivered + report.duplicates + report.filtered + report.unreadable + cut
        assert report.consistency == "best_effort"
    assert report.restarts <= 3


def _is_stuck(failure: HubError, provider: Provider, met: int) -> bool:
    """Whether a walk gave the list up because it does not advance; a failure for any other reason needs one."""
    if isinstance(failure, PaginationError) and "expired" not in failure.reason:
        assert provider.does_not_move_on, f"it was given up though it moved on: {failure}"
        return True
    assert provider.met[met:], f"it failed without a reason: {failure}"
    return False


async def walked(scenario: Scenario, clock: Clock) -> None:
    """Walk, go on from the last page's cursor after each failure and break, and check what came of it in the end."""
    provider = Provider(scenario)
    brought: set[str] = set()
    ever: set[str] = set()
    has_gaps = False
    cursor: str | None = None
    stops = iter(scenario.stops)
    while True:
        outcome = await _walk(scenario, provider, clock, cursor, next(stops, Stop()))
        if cursor is None:
            ever.clear()  # it begins anew, and knows nothing of those before
        if not scenario.changes:
            assert ever.isdisjoint(outcome.ids), "a conversation came again in a walk that goes on"
        ever |= set(outcome.ids)
        brought |= set(outcome.ids)
        has_gaps |= outcome.report.unreadable > 0
        if outcome.is_stuck:
            event("stuck")
            return
        if outcome.is_over:
            break
        cursor = outcome.cursor
    event("certain" if provider.is_certain else "uncertain")
    if provider.is_certain:
        wanted = {record.id for record in provider.always.values() if record.is_wanted and record.is_readable}
        assert wanted <= brought, f"lost: {wanted - brought}"
        assert has_gaps or all(record.is_readable for record in provider.always.values()), "lost, and nobody says so"
    if not (provider.met or scenario.stops or scenario.unreadable):
        assert outcome.report.complete or outcome.report.warnings


def run(scenario: Scenario) -> None:
    """Let a scenario happen in no time."""
    loop = VirtualLoop()
    try:
        loop.run(walked(scenario, Clock(monotonic=loop.time, now=lambda: NOW + timedelta(seconds=loop.time()))))
    finally:
        loop.close()


async def pieced(scenario: Scenario, clock: Clock) -> None:
    """Read a list that stays as it is in pieces, each in a walk of its own."""
    provider = Provider(scenario)
    found: list[str] = []
    cursor: str | None = None
    stops = iter(scenario.stops)
    while True:
        outcome = await _walk(scenario, provider, clock, cursor, next(stops, Stop()))
        found += outcome.ids
        cursor = outcome.cursor
        if cursor is None:
            break
        assert len(cursor) < 2000
    wanted = [record.id for record in provider.always.values() if record.is_readable]
    if scenario.filters:
        wanted = [record.id for record in provider.always.values() if record.is_readable and record.is_wanted]
    assert found == (wanted if scenario.list == "pages, oldest first" else wanted[::-1])


def run_in_pieces(scenario: Scenario) -> None:
    """Read a list in pieces, in no time."""
    loop = VirtualLoop()
    try:
        loop.run(pieced(scenario, Clock(monotonic=loop.time, now=lambda: NOW + timedelta(seconds=loop.time()))))
    finally:
        loop.close()
