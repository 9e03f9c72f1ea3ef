"""One provider's conversations at one moment: the corpus, the present, and what calls to the API have changed.

A provider's file here holds `SIMULATED`, a value that says how that provider answers a `Call` about its `World`; it
opens no socket.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import formatdate
from types import MappingProxyType
from typing import Any, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from ...schema import EndReason, Role
from ...wire import Response
from ._corpus import Corpus
from ._truth import Phase, Truth, Turn

__all__ = [
    "Call",
    "Delivery",
    "Kind",
    "Simulated",
    "World",
    "at_most",
    "dated",
    "iso",
    "one_of",
    "positive",
    "reply",
    "whole",
]

_MAY_RUN = 16
"""How many of the newest conversations of a corpus may still run."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a provider receives it: path and query below its own prefix, header names in lower case."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's segments, each unquoted."""
        return tuple(unquote(segment) for segment in urlsplit(self.target).path.split("/") if segment)

    @property
    def query(self) -> dict[str, str]:
        """The query's members; the last wins."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def asked(self, readers: Mapping[str, Callable[[str], Any]]) -> tuple[dict[str, Any], list[str]]:
        """Return the query's members as their readers read them, and the names of those that cannot be read."""
        asked: dict[str, Any] = {
            name: readers[name](text) if name in readers else text for name, text in self.query.items()
        }
        return asked, [name for name, value in asked.items() if value is None]

    @property
    def json(self) -> dict[str, Any] | None:
        """The body as a JSON object; None where it is no such thing."""
        try:
            return msgspec.json.decode(self.body, type=dict[str, Any])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def bearer(self) -> str:
        """The token of the `Authorization` header; empty where there is none."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


def reply(status: int, body: object, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    return Response(status, {"content-type": "application/json", **(headers or {})}, msgspec.json.encode(body))


def dated(answered: Response, world: World, headers: Mapping[str, str] = MappingProxyType({})) -> Response:
    """Return an answer that says when it is sent, and has some more headers."""
    present = {"date": formatdate(world.present, usegmt=True)}
    return Response(answered.status, {**answered.headers, **present, **headers}, answered.body)


def iso(moment: float, zone: str = "Z") -> str:
    """Return a moment as ISO 8601 text with microseconds."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + zone


def whole(text: str) -> int | None:
    """Read a whole number of at most twelve digits; None where it is no such thing."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,12}", text) else None


def positive(text: str) -> int | None:
    """Read a whole number above 0; None where it is no such thing."""
    return number if (number := whole(text)) and number > 0 else None


def at_most(most: int) -> Callable[[str], int | None]:
    """Return a reader of a whole number from 1 to `most`; it returns None for others."""
    return lambda text: number if (number := positive(text)) and number <= most else None


def one_of(words: Collection[str]) -> Callable[[str], str | None]:
    """Return a reader of one of some words; it returns None for others."""
    return lambda text: text if text in words else None


class World:
    """A corpus with a clock and with what was created, ended, deleted and said through the API."""

    def __init__(
        self, corpus: Corpus, clock: Callable[[], float], others: Mapping[str, World] = MappingProxyType({})
    ) -> None:
        self.corpus = corpus
        self.others = others
        """What the provider keeps apart from these, each kind a world of its own, by name."""
        self._clock = clock
        self._began = clock()
        self._created: list[Truth] = []
        # From the oldest to the newest the corpus and what was created since, in their order, fill the places that are
        # not taken by what was inserted.
        self._since: list[int] = []
        self._taken: list[tuple[int, int]] = []  # places, and who is there
        self._details: dict[int, Mapping[str, Any]] = {}
        self._ended: dict[int, float] = {}
        self._deleted: set[int] = set()
        self._said: dict[int, list[Turn]] = {}
        self._notes: dict[int, Mapping[str, Any]] = {}

    @property
    def present(self) -> float:
        """The moment it is, in Unix seconds."""
        return self.corpus.now + self._clock() - self._began

    # what there is

    def __len__(self) -> int:
        return self.corpus.size + len(self._created) - len(self._deleted)

    def find(self, id: str) -> Truth | None:
        """Return the conversation of an id; None where there is none."""
        index = self.corpus.index(id)
        return self._at(index) if 0 <= index < self._total and index not in self._deleted else None

    def id(self, truth: Truth) -> str:
        """Return a conversation's id."""
        return self.corpus.id(truth.index)

    def details(self, truth: Truth) -> Mapping[str, Any]:
        """Return the request a conversation was created by; empty for those of the corpus."""
        return self._details.get(truth.index, {})

    def notes(self, truth: Truth) -> Mapping[str, Any]:
        """Return what calls have noted about a conversation; empty where none did."""
        return self._notes.get(truth.index, {})

    def turns(self, truth: Truth) -> tuple[Turn, ...]:
        """Return what has been said so far, in order."""
        if truth.answered is None:
            return ()
        heard = min(self.present, truth.ended) - truth.answered
        planned = tuple(turn for turn in self.corpus.turns(truth) if turn.start <= heard)
        return (*planned, *self._said.get(truth.index, ()))

    def user_turns(self, truth: Truth) -> int:
        """Return how often the user spoke so far."""
        whole_dialogue = truth.answered is not None and truth.duration > truth.planned - 0.01
        if whole_dialogue and truth.ended <= self.present and truth.index not in self._said:
            return truth.exchanges
        return sum(turn.role == Role.USER for turn in self.turns(truth))

    def newest(
        self, *, since: float | None = None, until: float | None = None, before: float | None = None
    ) -> Iterator[Truth]:
        """Yield conversations, the newest first.

        Created at `since` at the earliest, at `until` at the latest, or earlier than `before`.
        """
        places = self._between(since, before)
        if until is not None:
            places = places[: bisect_right(places, until, key=self._created_at)]
        for index in map(self._index_at, reversed(places)):
            if index not in self._deleted:
                yield self._at(index)

    def running(self) -> list[Truth]:
        """Return the conversations that have not ended, the newest first."""
        oldest = max(self.corpus.size - _MAY_RUN, 0)
        indexes = map(self._index_at, range(self._total - 1, oldest - 1, -1))
        recent = (self._at(index) for index in indexes if index not in self._deleted)
        return [truth for truth in recent if truth.phase(self.present) in {Phase.QUEUED, Phase.RINGING, Phase.LIVE}]

    def count(self, *, since: float | None = None, before: float | None = None) -> int:
        """Return how many were created at `since` at the earliest, and earlier than `before`."""
        places = self._between(since, before)
        return len(places) - sum(self._place_of(index) in places for index in self._deleted)

    def slice(
        self,
        offset: int,
        limit: int,
        *,
        without: Sequence[Truth] = (),
        since: float | None = None,
        before: float | None = None,
        oldest_first: bool = False,
    ) -> list[Truth]:
        """Return a page of those that `count` counts, leaving some out; as quick far down as at the top."""
        order = self._between(since, before)[:: 1 if oldest_first else -1]
        absent = map(self._place_of, self._deleted | {truth.index for truth in without})
        hidden = {place for place in absent if place in order}
        found: list[Truth] = []
        rank = offset
        for skipped in sorted(map(order.index, hidden)):
            rank += skipped <= rank
        while rank < len(order) and len(found) < limit:
            if order[rank] not in hidden:
                found.append(self._at(self._index_at(order[rank])))
            rank += 1
        return found

    # what calls change

    def create(self, details: Mapping[str, Any], shape: Callable[[Truth], Truth]) -> Truth:
        """Begin a conversation now; `shape` makes of the usual course of things the one that was asked for."""
        last = self._at(self._since[-1]).created if self._since else 0.0
        created = round(max(self.present, last + 1e-5), 6)
        truth = shape(self.corpus.fresh(self._total, created))
        self._since.append(truth.index)
        self._created.append(truth)
        self._details[truth.index] = details
        return truth

    def insert(self, created: float, shape: Callable[[Truth], Truth]) -> Truth:
        """Have had a conversation begin at a moment that is past, of the shape that is wanted."""
        if created > self.present:
            raise ValueError("it lies in the future")
        created = round(created, 6)
        place = bisect_right(range(self._total), created, key=self._created_at)
        truth = shape(self.corpus.fresh(self._total, created))
        later = [(taken + (taken >= place), index) for taken, index in self._taken]
        self._taken = sorted([*later, (place, truth.index)])
        self._created.append(truth)
        return truth

    def end(self, truth: Truth) -> Truth:
        """End a conversation now, unless it has ended."""
        if truth.ended > self.present:
            self._ended[truth.index] = self.present
        return self._at(truth.index)

    def delete(self, truth: Truth) -> None:
        """Forget a conversation."""
        self._deleted.add(truth.index)

    def note(self, truth: Truth, **facts: Any) -> None:
        """Note what a call has changed that no conversation of another provider has."""
        self._notes[truth.index] = {**self.notes(truth), **facts}

    def say(self, truth: Truth, *turns: Turn) -> None:
        """Add turns to a conversation."""
        self._said.setdefault(truth.index, []).extend(turns)

    @property
    def _total(self) -> int:
        return self.corpus.size + len(self._created)

    def _between(self, since: float | None, before: float | None) -> range:
        places = range(self._total)
        first = 0 if since is None else bisect_left(places, since, key=self._created_at)
        last = len(places) if before is None else bisect_left(places, before, key=self._created_at)
        return places[first:last]

    def _index_at(self, place: int) -> int:
        """Return who is in a place, the oldest in the first."""
        before = bisect_left(self._taken, (place, -1))
        if before < len(self._taken) and self._taken[before][0] == place:
            return self._taken[before][1]
        index = place - before
        return index if index < self.corpus.size else self._since[index - self.corpus.size]

    def _place_of(self, index: int) -> int:
        for taken, who in self._taken:
            if who == index:
                return taken
        place = index if index < self.corpus.size else self.corpus.size + self._since.index(index)
        for taken, _ in self._taken:
            place += taken <= place
        return place

    def _created_at(self, place: int) -> float:
        index = self._index_at(place)
        beyond = index - self.corpus.size
        return self.corpus.created(index) if beyond < 0 else self._created[beyond].created

    def _at(self, index: int) -> Truth:
        beyond = index - self.corpus.size
        truth = self.corpus.truth(index) if beyond < 0 else self._created[beyond]
        ended = self._ended.get(index)
        if ended is None:
            return truth
        answered = None if truth.answered is None or truth.answered > ended else truth.answered
        return replace(truth, answered=answered, ended=ended, ending=EndReason.API_ENDED)


class CorpusFactory(Protocol):
    """Makes the conversations of one kind."""

    def __call__(self, *, size: int, seed: int, now: float) -> Corpus:
        """Return as many as there are asked for, the newest of them just before now."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of conversations that a provider keeps apart from its main one."""

    path: tuple[str, ...]
    """What the path of every request about them begins with."""
    corpus: CorpusFactory


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery of a provider's webhook."""

    moment: float
    """When it is sent first, in Unix seconds."""
    kind: str
    """The provider's word for the event."""
    body: bytes
    url: str | None = None
    """Where it is sent, for those who sign that; None: it does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """How one provider answers."""

    prefix: str
    """What its conversation ids begin with."""
    answer: Callable[[Call, World], Response]
    refusal: Callable[[int, str], Response]
    """Its answer of a status and words for it, where neither depends on the request: 429 and 5xx."""
    key: Callable[[Call], str]
    """The key a call carries; empty where it carries none."""
    api_key: str
    """A key it accepts."""
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    """What an account needs beside the key."""
    deliveries: Callable[[World, Truth], Sequence[Delivery]] | None = None
    """What its webhook delivers about one conversation in all, in the order it happens; None: it delivers nothing."""
    signed: Callable[[Delivery, str], Mapping[str, str]] | None = None
    """The headers that sign a delivery, sent at its moment, with the provider's own half of the secret."""
    signs_with: str | None = None
    """The module of an extra that this needs."""
    webhook_secret: str = ""
    """What the provider's console would show, and who receives verifies with."""
    signing_secret: str | None = None
    """The provider's own half; None: the same."""
    limit_headers: tuple[str, str, str] | None = None
    """Under which names it tells the rate limit, what is left of it, and the seconds to its reset."""
    limit_resets_at: bool = False
    """Whether the reset is told as an instant instead, in Unix seconds."""
    others: Mapping[str, Kind] = field(default_factory=dict[str, Kind])
    """The kinds of conversations that it keeps apart, by name: `chats`."""

    def kind(self, call: Call) -> str | None:
        """Return which of the others a call is about; None: none of them."""
        segments = call.segments
        return next((name for name, kind in self.others.items() if segments[: len(kind.path)] == kind.path), None)

    def world(
        self,
        provider: str,
        *,
        conversations: int,
        chats: int = 0,
        seed: int = 0,
        now: float,
        clock: Callable[[], float],
    ) -> World:
        """Return what it answers from: so many conversations, and of what it keeps apart as many as come of chats."""
        others = {name: World(kind.corpus(size=chats, seed=seed, now=now), clock) for name, kind in self.others.items()}
        corpus = Corpus(provider, prefix=self.prefix, size=conversations, seed=seed, now=now)
        return World(corpus, clock, others)
