"""Checks of what a reader lists, pages, counts and summarizes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import partial
from itertools import chain, repeat
from operator import attrgetter
from typing import Any, Final

from ...errors import InvalidRefError, NotFoundError, StoreError
from ...metrics import summarize
from ...schema import Analysis, Conversation
from ...stores import Filters, ReadableStore, StoreReader, put
from ._conversations import MANY, NOON, one, said
from ._full import FULL
from ._refused import refused
from ._summaries import figures

__all__ = ["CHECKS", "CHOICES"]

Open = Callable[[], ReadableStore]
Choice = tuple[tuple[str, ...], Mapping[str, Any], Callable[[Conversation], bool]]

_LATER: Final = NOON + timedelta(hours=5)


def _at(one: Conversation) -> datetime | None:
    return one.created_at or one.started_at


def _agent(one: Conversation) -> str | None:
    return None if one.agent is None else one.agent.id


def _lies(one: Conversation, since: datetime | None = None, until: datetime | None = None) -> bool:
    at = _at(one)
    return at is None or ((since is None or since <= at) and (until is None or at < until))


def _is_on_the_web(one: Conversation) -> bool:
    return one.channel == "web" and one.transcript_state == "available"


CHOICES: Final[Sequence[Choice]] = (
    ((), {}, lambda _: True),
    (("tavus",), {}, lambda one: one.provider == "tavus"),
    (("tavus/eu", "vapi"), {}, lambda one: one.provider == "vapi" or one.account == "eu"),
    (("vapi:calls",), {}, lambda one: one.provider == "vapi"),
    (("tavus", "tavus/eu"), {}, lambda one: one.provider == "tavus"),
    (("nobody",), {}, lambda _: False),
    ((), {"since": _LATER}, lambda one: _lies(one, _LATER)),
    ((), {"until": _LATER}, lambda one: _lies(one, until=_LATER)),
    (
        ("tavus", "vapi/eu"),
        {"since": NOON + timedelta(hours=2), "until": _LATER},
        lambda one: (one.provider == "tavus" or one.account == "eu") and _lies(one, NOON + timedelta(hours=2), _LATER),
    ),
    ((), {"since": _LATER.astimezone(timezone(timedelta(hours=-7)))}, lambda one: _lies(one, _LATER)),
    ((), {"status": "ended", "agent": "a1"}, lambda one: one.status == "ended" and _agent(one) == "a1"),
    (("vapi",), {"status": "failed"}, lambda one: one.provider == "vapi" and one.status == "failed"),
)
"""Targets and filters of `conversations`, and what they choose."""

FIELDS: Final[Sequence[tuple[Filters, Callable[[Conversation], bool]]]] = (
    (
        Filters.of(fields={"agent": ["a0", "a2"], "provider": ["tavus"]}),
        lambda one: one.provider == "tavus" and _agent(one) == "a2",
    ),
    (Filters.of(fields={"end_reason": ["silence"]}), lambda one: one.end_reason == "silence"),
    (Filters.of(fields={"tag": ["even", "odd"]}), lambda one: "even" in one.tags),
    (Filters.of(fields={"channel": ["web"], "transcript_state": ["available"]}), _is_on_the_web),
    (Filters.of(fields={"direction": ["outbound"]}), lambda one: one.direction == "outbound"),
    (Filters.of(fields={"transcript_state": ["restricted", "pending"]}), lambda one: one.transcript is None),
    (Filters.of(has_issues=True), lambda one: bool(one.issues)),
    (Filters.of(["tavus"], has_issues=False), lambda one: one.provider == "tavus" and not one.issues),
    (Filters.of(fields={"status": ["ended", "failed"]}, since=_LATER), lambda one: _lies(one, _LATER)),
)


def _each_choice() -> Iterator[tuple[Filters, set[str]]]:
    """Yield filters, and the refs of what they choose."""
    for targets, filters, is_wanted in CHOICES:
        yield Filters.of(targets, **filters), {each.ref for each in MANY if is_wanted(each)}
    for wanted, is_among in FIELDS:
        yield wanted, {each.ref for each in MANY if is_among(each)}


def _is_newest_first(found: Sequence[Conversation]) -> bool:
    instants = list(map(_at, found))
    known = sorted((at for at in instants if at is not None), reverse=True)
    return instants == [*known, *[None] * (len(instants) - len(known))]


async def filters_choose_conversations_newest_first(open_store: Open) -> None:
    await put(open_store(), *MANY)
    with open_store().reader() as reader:
        for targets, filters, is_wanted in CHOICES:
            found = list(reader.conversations(*targets, **filters))
            assert len(found) == len({each.ref for each in found})
            assert set(map(attrgetter("ref"), found)) == {each.ref for each in MANY if is_wanted(each)}
            assert _is_newest_first(found)
            assert list(reader.conversations(*targets, **filters, limit=2)) == found[:2]


def _paged(reader: StoreReader, wanted: Filters, limit: int) -> Iterator[list[Conversation]]:
    cursor: str | None = None
    while True:
        page = reader.page(wanted, limit=limit, cursor=cursor)
        yield [row.conversation for row in page.rows]
        cursor = page.cursor
        if cursor is None:
            return


async def pages_and_walks_bring_each_once_newest_first(open_store: Open) -> None:
    await put(open_store(), *MANY)
    with open_store().reader() as reader:
        for wanted, expected in _each_choice():
            walked = list(reader.walk(wanted))
            assert sorted(each.ref for each in walked) == sorted(expected)
            assert _is_newest_first(walked)
            assert all(each in MANY for each in walked)
            for limit in (1, 3, 100):
                pages = [*_paged(reader, wanted, limit)]
                paged = [each for page in pages for each in page]
                assert sorted(each.ref for each in paged) == sorted(expected)
                assert _is_newest_first(paged)
                assert all(len(page) == limit for page in pages[:-1])
                assert len(pages[-1]) <= limit


async def pages_bring_each_once_while_others_are_stored(open_store: Open) -> None:
    await put(open_store(), *MANY)
    seen: list[str] = []
    with open_store().reader() as reader:
        cursor: str | None = None
        for number in range(100, 130):
            page = reader.page(limit=5, cursor=cursor)
            seen += [row.conversation.ref for row in page.rows]
            cursor = page.cursor
            if cursor is None:
                break
            await put(open_store(), one(number, created_at=NOON + timedelta(days=number)))
    assert len(set(seen)) == len(seen)
    assert {each.ref for each in MANY} <= set(seen)


async def a_damaged_cursor_is_refused(open_store: Open) -> None:
    await put(open_store(), *MANY)
    with open_store().reader() as reader:
        cursor = reader.page(limit=5).cursor
        assert cursor is not None
        for wrong in ("", "x", cursor[:-1], cursor + "A", "A" * 5000):
            with refused(InvalidRefError, "cursor"):
                reader.page(cursor=wrong)


async def a_list_shows_neither_what_was_said_nor_who(open_store: Open) -> None:
    only_collected = said(analysis=Analysis(collected={"phone": "+1 555 010 2030"}))
    await put(open_store(), FULL, only_collected)
    with open_store().reader() as reader:
        [row] = reader.page(Filters.of(["acme/eu"])).rows
        [other] = reader.page(Filters.of(["acme/default"])).rows
    assert other.conversation.analysis is None
    assert row.turns == 1
    shown = row.conversation
    assert (shown.ref, shown.title, shown.tags, shown.cost) == (FULL.ref, FULL.title, FULL.tags, FULL.cost)
    assert shown.analysis is not None
    assert not any((shown.transcript, shown.participants, shown.recordings, shown.metadata, shown.links, shown.raw))
    assert not any((shown.related_ids, shown.analysis.collected))


async def one_is_found_by_its_ref(open_store: Open) -> None:
    twice = said("Hallo.", id="c001", provider="tavus", account="us")
    await put(open_store(), *MANY, twice)
    with open_store().reader() as reader:
        assert reader.get("tavus:c002") == one(2)
        assert reader.get("tavus/us:c001") == twice
        assert reader.get("tavus/default:c001") == one(1)
        assert reader.accounts() == ["tavus/default", "tavus/eu", "tavus/us", "vapi/default", "vapi/eu"]
        with refused(InvalidRefError, "several tavus accounts"):
            reader.get("tavus:c001")
        for unknown in ("tavus:nobody", "tavus/eu:c002", "nobody:c002"):
            with refused(NotFoundError, "no such conversation in the store"):
                reader.get(unknown)
        with refused(InvalidRefError):
            reader.get("nonsense")


async def wrong_arguments_are_refused(open_store: Open) -> None:
    await put(open_store(), one(1))
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"status": "weird"}, "unknown status 'weird'; choose from queued, ringing"),
        ({"since": datetime(2026, 11, 1)}, "since has no time zone"),  # noqa: DTZ001  (that is what is refused)
        ({"until": datetime(2026, 11, 1)}, "until has no time zone"),  # noqa: DTZ001
        ({"since": NOON, "until": NOON - timedelta(days=1)}, "is after until"),
    ]
    with open_store().reader() as reader:
        for filters, words in wrong:
            with refused(InvalidRefError, words):
                list(reader.conversations(**filters))
            with refused(InvalidRefError, words):
                reader.stats(**filters)
        with refused(InvalidRefError):
            reader.stats(metrics=("charm",))
        with refused(InvalidRefError):
            reader.stats(by=("colour",))
        with refused(InvalidRefError, "choose from account, provider"):
            reader.counts("title")


async def values_are_counted_most_frequent_first(open_store: Open) -> None:
    await put(open_store(), *MANY)
    with open_store().reader() as reader:
        for wanted, refs in _each_choice():
            chosen = [each for each in MANY if each.ref in refs]
            for by, value in _VALUES.items():
                values = [text for each in chosen for text in value(each) if text is not None]
                expected = {text: values.count(text) for text in sorted(set(values))}
                found = reader.counts(by, wanted)
                assert list(found.items()) == sorted(expected.items(), key=lambda each: (-each[1], each[0])), by
        assert len(reader.counts("agent", most=2)) == 2


_VALUES: Final[Mapping[str, Callable[[Conversation], Sequence[str | None]]]] = {
    "account": lambda one: [f"{one.provider}/{one.account}"],
    "provider": lambda one: [one.provider],
    "status": lambda one: [one.status.value],
    "agent": lambda one: [_agent(one)],
    "end_reason": lambda one: [one.end_reason and one.end_reason.value],
    "transcript_state": lambda one: [one.transcript_state.value],
    "channel": lambda one: [one.channel.value],
    "direction": lambda one: [one.direction.value],
    "tag": lambda one: one.tags,
}


async def recordings_come_newest_first_with_their_place(open_store: Open) -> None:
    await put(open_store(), *MANY)
    expected = [(each, place, _at(one)) for one in MANY for place, each in enumerate(one.recordings)]
    with open_store().reader() as reader:
        found = list(reader.recordings())
        some = list(reader.recordings("tavus/eu", until=NOON + timedelta(hours=2)))
    assert sorted(found, key=str) == sorted(expected, key=str)
    known = sorted((at for _, _, at in found if at is not None), reverse=True)
    assert [at for _, _, at in found] == [*known, *[None] * (len(found) - len(known))]
    assert [(each.ref, place, at) for each, place, at in some] == [
        ("tavus/eu:c005", place, NOON + timedelta(hours=1)) for place in range(2)
    ]


async def summaries_are_those_of_the_conversations(open_store: Open) -> None:
    await put(open_store(), *MANY, FULL)
    groups: list[tuple[Sequence[str], tzinfo]] = [
        ((), UTC),
        (("provider",), UTC),
        (("provider", "week", "channel", "agent"), UTC),
        (("day", "month"), timezone(timedelta(hours=14))),
        (("account", "status", "end_reason", "direction"), UTC),
    ]
    with open_store().reader() as reader:
        for by, zone in groups:
            for targets, filters, _ in CHOICES:
                expected = list(summarize(reader.conversations(*targets, **filters), by, timezone=zone))
                for _ in ("first", "again"):  # a store may remember what it measured
                    found = reader.stats(*targets, by=by, timezone=zone, **filters)
                    assert list(map(figures, found)) == list(map(figures, expected))
        [some] = reader.stats(by=(), metrics=("user_latency_p95", "cost_per_minute", "duration"))
        [whole] = reader.stats(by=())
    names = [name for name in some.metrics if not name.startswith("cost_per_minute")]
    assert names == ["duration", "user_latency"]
    assert {name: whole.metrics[name] for name in names} == {name: some.metrics[name] for name in names}


async def the_newest_are_summarized_while_there_is_time(open_store: Open) -> None:
    await put(open_store(), *MANY, FULL)
    with open_store().reader() as reader:
        for wanted in (Filters(), Filters.of(["tavus", "vapi/eu"], since=_LATER), FIELDS[0][0], Filters.of(["nobody"])):
            newest_first = list(reader.walk(wanted))
            for most in (0, 3, 1000):
                looks = chain([True] * most, repeat(False))  # noqa: FBT003
                found = reader.newest_stats(wanted, ("agent", "day"), goes_on=partial(next, looks))
                count = sum(each.conversations for each in found.summaries)
                assert min(most, len(newest_first)) <= count, "a store may know some without measuring"
                assert found.is_all is (count == len(newest_first))
                expected = summarize(newest_first[:count], ("agent", "day"))
                assert list(map(figures, found.summaries)) == list(map(figures, expected))


async def every_change_has_another_revision(open_store: Open) -> None:
    await put(open_store(), one(1), one(2))
    seen: list[int] = []
    with open_store().reader() as reader:
        seen.append(reader.revision())
        assert reader.revision() == seen[0]
        await put(open_store(), one(3))
        seen.append(reader.revision())
        await put(open_store(), one(3, title="changed"))
        seen.append(reader.revision())
    with open_store().reader() as reader:
        reader.erase("tavus:c002")
        seen.append(reader.revision())
    assert len(set(seen)) == len(seen)


async def what_a_reader_does_can_be_interrupted(open_store: Open) -> None:
    await put(open_store(), *MANY)
    with open_store().reader() as reader:
        ended: list[StoreError] = []

        def count() -> None:
            try:
                for _ in range(10_000):
                    reader.counts("status")
            except StoreError as error:
                ended.append(error)

        thread = threading.Thread(target=count)
        thread.start()
        while thread.is_alive():  # between two questions nothing is ended
            reader.interrupt()
        thread.join()
        assert ended, "nothing was interrupted"
        assert reader.counts("end_reason") == {"silence": sum(each.end_reason is not None for each in MANY)}


CHECKS = (
    filters_choose_conversations_newest_first,
    pages_and_walks_bring_each_once_newest_first,
    pages_bring_each_once_while_others_are_stored,
    a_damaged_cursor_is_refused,
    a_list_shows_neither_what_was_said_nor_who,
    one_is_found_by_its_ref,
    wrong_arguments_are_refused,
    values_are_counted_most_frequent_first,
    recordings_come_newest_first_with_their_place,
    summaries_are_those_of_the_conversations,
    the_newest_are_summarized_while_there_is_time,
    every_change_has_another_revision,
    what_a_reader_does_can_be_interrupted,
)
