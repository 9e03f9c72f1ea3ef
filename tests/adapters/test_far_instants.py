"""Instants and spans at the ends of time, wherever a provider may send one: read as none, and nothing overflows."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from conversations_hub._sortable import instant_text
from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Adapter, RawPage
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.errors import PaginationError
from conversations_hub.formats._csv import write_csv
from conversations_hub.hub._reader import ResourceReader
from conversations_hub.policy import PROFILES
from conversations_hub.reading.json import Json
from conversations_hub.schema import Conversation
from conversations_hub.stores.sqlite._tables import timestamp_text
from conversations_hub.testing import Case, replay, walk
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response

from ..support import exchanges

pytestmark = pytest.mark.no_cover

CASES = [
    pytest.param(provider, case, id=f"{provider}-{name}")
    for provider in BUILTIN
    for name, case in exchanges.cases(provider).items()
    if case.operation in {"list", "get", "start", "webhook"}
]
LISTS = [param for param in CASES if isinstance(case := param.values[1], Case) and case.operation == "list"]
FAR = {
    "the last second": "9999-12-31T23:59:59Z",
    "the last second, west of UTC": "9999-12-31T23:59:59-12:00",
    "the first second": "0001-01-01T00:00:00+00:00",
    "the last second, counted": 253_402_300_799,
    "the last second, counted in milliseconds": 253_402_300_799_000,
    "no second there is": 9.2e18,
}
_WRITTEN = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")
_LATER = timedelta(days=300_000)  # as long as anybody may wait, or look back


def is_time(name: str, value: Json) -> bool:
    """Whether a member holds an instant, or so many seconds or less."""
    if isinstance(value, str):
        return _WRITTEN.fullmatch(value) is not None
    timely = re.search(r"time|date|secs|second|duration|length|start|end|_at$|_ms$", name, re.IGNORECASE)
    return isinstance(value, int | float) and not isinstance(value, bool) and (value > 1e9 or timely is not None)


def with_times(value: Json, change: Callable[[str, Json], Json], name: str = "") -> Json:
    """Return a document with every instant and span changed; texts that hold JSON are looked into."""
    if isinstance(value, dict):
        return {key: with_times(one, change, key) for key, one in value.items()}
    if isinstance(value, list):
        return [with_times(one, change, name) for one in value]
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.dumps(with_times(json.loads(value), change))
        except ValueError:
            return value
    return change(name, value) if is_time(name, value) else value


def documents(case: Case) -> list[Json]:
    return [json.loads(one.body) if one.body[:1] in {b"{", b"["} else None for one in case.answers]


def names_in(sent: Sequence[Json]) -> set[str]:
    found: set[str] = set()

    def note(name: str, value: Json) -> Json:
        found.add(name)
        return value

    for document in sent:
        with_times(document, note)
    return found


def read(
    adapter: Adapter, case: Case, sent: Sequence[Json], change: Callable[[str, Json], Json]
) -> Iterator[Conversation]:
    """Yield what the hub makes of a case whose documents were changed."""
    bodies = [
        one.body if document is None else json.dumps(with_times(document, change)).encode()
        for one, document in zip(case.answers, sent, strict=True)
    ]
    if case.operation == "webhook":
        if case.answers[0].body[:1] == b"{":
            now = case.facts["now"]
            events = verify(adapter.name, bodies[0], {}, None, now, insecure_accept_unsigned=True)
            yield from (event.conversation for event in events if event.conversation is not None)
        return
    answers = tuple(Response(one.status, one.headers, body) for one, body in zip(case.answers, bodies, strict=True))
    account = exchanges.account(adapter.name)
    lane = Lane(account, adapter, PROFILES["interactive"], clock=Clock())
    resource, _ = case.resource(adapter)
    reader = ResourceReader(lane, resource, case.facts.get("resource", adapter.main), keep_raw=False)
    yield from map(reader.stamp, replay(adapter, account, Case(case.name, answers, case.facts)).conversations)


def check(one: Conversation) -> None:
    """Whether something may be added to every instant, and what writes conversations can write them."""
    moments = [one.created_at, one.started_at, one.ended_at, one.updated_at]
    moments += [recording.expires_at for recording in one.recordings]
    for moment in filter(None, moments):
        assert 1970 <= moment.year < 9000
        assert moment + _LATER > moment - timedelta(days=1)
        assert instant_text(moment)
    for turn in one.transcript or ():
        if turn.timestamp is not None:
            assert turn.started_at is not None
            assert 1970 <= turn.started_at.year < 9000
            assert timestamp_text(turn.timestamp)
        assert turn.start is None or timedelta(seconds=turn.start) >= timedelta(0)
        assert turn.duration is None or timedelta(seconds=turn.duration) >= timedelta(0)
    assert one.duration is None or timedelta(seconds=one.duration) >= timedelta(0)
    assert write_csv([one], lambda _: None) == 1
    assert write_csv([one], lambda _: None, rows="conversations") == 1


@pytest.mark.parametrize("far", FAR.values(), ids=FAR)
@pytest.mark.parametrize(("provider", "case"), CASES)
def test_what_lies_at_the_end_of_time_is_read_as_none(provider: str, case: Case, far: Json) -> None:
    adapter, sent = load(provider), documents(case)
    for name in [None, *sorted(names_in(sent))]:

        def change(member: str, value: Json, only: str | None = name) -> Json:
            return far if only in {None, member} else value

        with suppress(PaginationError):  # a list that is paged by instants cannot go on without any
            for one in read(adapter, case, sent, change):
                check(one)


@pytest.mark.parametrize("far", [far for far in FAR.values() if isinstance(far, str)])
@pytest.mark.parametrize(("provider", "case"), LISTS)
def test_one_row_at_the_end_of_time_costs_no_other(provider: str, case: Case, far: str) -> None:
    adapter = load(provider)
    account = exchanges.account(provider)

    def listed(row: bytes = b"", changed: bytes = b"") -> RawPage:
        answers = [Response(one.status, one.headers, one.body.replace(row, changed)) for one in case.answers]
        return next(walk(adapter, account, Case(case.name, tuple(answers), case.facts))).result

    rows = listed().rows
    for row in map(bytes, rows):
        changed = json.dumps(with_times(json.loads(row), lambda _name, _value: far)).encode()
        listing = listed(row, changed)
        assert len([listing.normalize(one) for one in listing.rows]) == len(rows)
