"""What an answer costs to read grows with its size and never with its square, whatever it is made of.

`pytest -s tests/adapters/test_answer_growth.py` prints the table: by how much what each provider sends grows dearer at
most, of which 2 is in step with its size and 4 is its square.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import cycle, islice
from operator import eq
from typing import Any, NamedTuple

import pytest

from conversations_hub._transport import Clock, Lane
from conversations_hub.adapter import Adapter
from conversations_hub.adapters import BUILTIN, load
from conversations_hub.adapters.telnyx._payload import Message
from conversations_hub.errors import HubError
from conversations_hub.hub._reader import ResourceReader
from conversations_hub.policy import PROFILES
from conversations_hub.reading.json import Json
from conversations_hub.schema import Conversation, Participant
from conversations_hub.testing import Case, replay
from conversations_hub.testing._flows import WrongNumberOfAnswers
from conversations_hub.webhooks import verify
from conversations_hub.wire import Response

from ..support import exchanges
from ..support.growth import cost, increase

pytestmark = pytest.mark.no_cover

SIZES = (16, 32, 64)
OPERATIONS = ("list", "get", "webhook")

_Steps = tuple[str | int, ...]


class Place(NamedTuple):
    """A list in an answer of a case."""

    case: Case
    answer: int
    steps: _Steps

    @property
    def name(self) -> str:
        """What it has in common with its like: the operation, the kind of conversation, the names that lead there."""
        names = [step for step in self.steps if isinstance(step, str)]
        # What is delivered of a conversation is the same in whatever it stands.
        place = ".".join(names[-1:] if self.case.operation == "webhook" else names)
        return f"{self.case.operation} {self.case.facts.get('resource', '')} {place}"

    def with_list(self, rows: list[Json]) -> Case:
        """Return the case with another list there."""
        document: Any = json.loads(self.case.answers[self.answer].body)
        if not self.steps:
            document = rows
        else:
            holder = document
            for step in self.steps[:-1]:
                holder = holder[step]
            holder[self.steps[-1]] = rows
        answers = list(self.case.answers)
        before = answers[self.answer]
        answers[self.answer] = Response(before.status, before.headers, json.dumps(document).encode())
        return Case(self.case.name, tuple(answers), self.case.facts)

    def rows(self) -> list[Json]:
        """Return what stands there."""
        found: Any = json.loads(self.case.answers[self.answer].body)
        for step in self.steps:
            found = found[step]
        return [*found]


def lists_in(value: Json, steps: _Steps = ()) -> Iterator[_Steps]:
    """Yield where there are lists of objects."""
    if isinstance(value, list):
        if any(isinstance(one, dict) for one in value):
            yield steps
        for position, one in enumerate(value):
            yield from lists_in(one, (*steps, position))
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from lists_in(one, (*steps, name))


def places(provider: str) -> Mapping[str, Place]:
    """Return the lists in what a provider sends, of those alike the first."""
    found: dict[str, Place] = {}
    for case in exchanges.cases(provider).values():
        if case.operation in OPERATIONS:
            for number, answer in enumerate(case.answers):
                if answer.body[:1] in {b"{", b"["}:
                    for steps in lists_in(json.loads(answer.body)):
                        # The rows of a list are read as what is got alone.
                        if case.operation != "list" or not any(isinstance(step, int) for step in steps):
                            place = Place(case, number, steps)
                            found.setdefault(place.name, place)
    return found


def changed(value: Json, change: Callable[[str, Json], Json], name: str = "") -> Json:
    """Return a document with every value that holds no other changed, given the name of its member."""
    if isinstance(value, dict):
        return {member: changed(one, change, member) for member, one in value.items()}
    if isinstance(value, list):
        return [changed(one, change, name) for one in value]
    return change(name, value)


def distinct(number: int) -> Callable[[str, Json], Json]:
    """Return what makes every text and number one of its own."""

    def change(_name: str, value: Json) -> Json:
        if isinstance(value, str):
            return f"{value}{number}"
        return value if value is None or isinstance(value, bool | dict | list) else value + number

    return change


def identified(number: int) -> Callable[[str, Json], Json]:
    """Return what makes every id and name one of its own."""

    def change(name: str, value: Json) -> Json:
        is_name = name.lower().endswith(("id", "name", "label", "identifier"))
        return f"{value}{number}" if is_name and isinstance(value, str) else value

    return change


def misfitting(_name: str, value: Json) -> Json:
    return value if value is None else {}


HOSTILE: Mapping[str, Callable[[list[Json], int], list[Json]]] = {
    "distinct": lambda rows, count: [changed(one, distinct(at)) for at, one in enumerate(islice(cycle(rows), count))],
    "named": lambda rows, count: [changed(one, identified(at)) for at, one in enumerate(islice(cycle(rows), count))],
    "misfits": lambda rows, count: [*rows, *[changed(one, misfitting) for one in islice(cycle(rows), count)]],
    "empty": lambda rows, count: [*rows, *islice(cycle([None, {}, "stray"]), count)],
    "unknown": lambda rows, count: [
        {**one, **{f"zz{at}": [{"deep": at}] for at in range(count)}} if isinstance(one, dict) else one for one in rows
    ],
}
"""What a list is made of by those who wish us ill."""


def read(adapter: Adapter, case: Case) -> list[Conversation | None]:
    """Read a case as the hub does, which scrubs what it reads."""
    if case.operation == "webhook":
        [delivery] = case.answers
        found = verify(adapter.name, delivery.body, {}, None, case.facts["now"], insecure_accept_unsigned=True)
        return [event.conversation for event in found]
    account = exchanges.account(adapter.name)
    lane = Lane(account, adapter, PROFILES["interactive"], clock=Clock())
    resource, _ = case.resource(adapter)
    reader = ResourceReader(lane, resource, case.facts.get("resource", adapter.main), keep_raw=True)
    return [reader.stamp(one) for one in replay(adapter, account, case).conversations]


def growth(adapter: Adapter, cases: Sequence[Case]) -> float:
    """Return by how much the cost of reading grows from case to case, of which each is twice the one before."""
    read(adapter, cases[0])  # what is kept for later is made now
    return increase([cost(partial(read, adapter, case)) for case in cases])


def growth_at(adapter: Adapter, place: Place, kind: str) -> float | None:
    """Return by how much the cost grows where the list is doubled; None where such a list is refused."""
    make, rows = HOSTILE[kind], place.rows()
    try:
        return growth(adapter, [place.with_list(make(rows, size)) for size in SIZES])
    except (HubError, WrongNumberOfAnswers):
        return None


@pytest.fixture(autouse=True)
def _any_depth(monkeypatch: pytest.MonkeyPatch) -> None:
    """Levels are counted in one way in a small body and in another in a larger one; `test_nesting` has the growth."""

    def is_too_deep(_body: bytes) -> bool:
        return False

    def may_be_deep(_body: bytes) -> bool:
        return True

    monkeypatch.setattr("conversations_hub.reading.json.is_too_deep", is_too_deep)
    monkeypatch.setattr("conversations_hub._scrub.members.may_be_deep", may_be_deep)


@pytest.fixture(autouse=True)
def _comparing_in_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is compared in C costs no instruction, so it would not be counted."""

    def is_equal(one: Any, other: Any) -> bool:
        names: tuple[str, ...] = one.__struct_fields__
        same = type(one) is type(other)
        for name in names:
            same = same and getattr(one, name) == getattr(other, name)
        return same

    for kind in (Participant, Message):
        monkeypatch.setattr(kind, "__eq__", is_equal)


EACH = [
    pytest.param(provider, marks=() if provider in {"tavus", "anyreach"} else pytest.mark.nightly)
    for provider in BUILTIN
]
"""All of them take a minute: by day one that asks for details, and one whose lists bring all."""


@pytest.mark.parametrize("provider", EACH)
def test_the_cost_of_an_answer_grows_with_its_size(provider: str) -> None:
    adapter = load(provider)
    table = {
        (place.name, kind): found
        for place in places(provider).values()
        for kind in HOSTILE
        if (found := growth_at(adapter, place, kind)) is not None
    }
    for kind in HOSTILE:
        worst = max((found, name) for (name, other), found in table.items() if other == kind)
        print(f"{provider:<12}{kind:<10}{worst[0]:5.2f}  {worst[1]}")  # noqa: T201
    assert {name: found for name, found in table.items() if found >= 3} == {}
    assert {name.split()[0] for name, _ in table} == {name.split()[0] for name in places(provider)}


@pytest.mark.parametrize("provider", BUILTIN)
def test_nothing_but_nulls_takes_little_memory(provider: str) -> None:
    adapter = load(provider)
    for place in places(provider).values():
        if place.case.operation != "get":
            continue
        case = place.with_list([None] * 40_000)
        tracemalloc.start()
        try:
            with suppress(HubError, WrongNumberOfAnswers):
                read(adapter, case)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak <= 20 * len(case.answers[place.answer].body), place.name


def told_by_telnyx(*pages: list[dict[str, Any]]) -> Case:
    """Return a conversation whose messages come on these pages."""
    empty = {"total_pages": 1}
    bodies: tuple[Any, ...] = (
        {"data": {"id": "a", "created_at": "2026-03-02T10:00:00Z"}},
        *({"data": page, "meta": {"total_pages": len(pages)}} for page in pages),
        {"data": [], "meta": empty},
    )
    return Case("get.a", tuple(Response(200, {}, json.dumps(body).encode()) for body in bodies), {})


def test_tools_that_answer_in_another_order_cost_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return all(map(eq, self, str(other))) and len(self) == len(str(other))

    def told(value: str | None) -> str | None:
        return value and Told(value)

    monkeypatch.setattr("conversations_hub.adapters.telnyx._conversation.text", told)

    def of(count: int) -> Case:
        ids = [f"{number:04}" for number in range(count)]
        calls = [{"role": "assistant", "tool_calls": [{"id": id}]} for id in ids]
        return told_by_telnyx([*calls, *[{"role": "tool", "tool_call_id": id} for id in reversed(ids)]])

    adapter = load("telnyx")
    assert growth(adapter, [of(size) for size in (50, 100, 200)]) < 3


def test_messages_that_were_stored_at_one_instant_cost_no_more() -> None:
    def of(count: int) -> Case:
        rows = [{"role": "user", "text": str(at), "created_at": "2026-03-02T10:00:00Z"} for at in range(2 * count)]
        return told_by_telnyx(rows[:count], [rows[count - 1], *rows[count:]])

    adapter = load("telnyx")
    [found] = read(adapter, of(3))
    assert found is not None
    assert [turn.text for turn in found.transcript or ()] == list("012345")
    assert growth(adapter, [of(size) for size in (50, 100, 200)]) < 3
