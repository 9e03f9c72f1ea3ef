"""What is written to Vapi's assistants: each chat is one exchange, and chats follow one another in threads.

Threads of a few lengths come again and again: of sessions, of chats that name the one before, and of one alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from ....schema import Channel, Direction, Role
from .._corpus import Corpus
from .._truth import Truth, Turn

__all__ = ["Chats", "Sessions", "Thread", "chats_of", "life_of", "thread_of"]

_SESSION, _CHAIN = True, False
_THREADS = ((4, _SESSION), (1, _CHAIN), (2, _SESSION), (3, _CHAIN))
"""None is longer than what the shortest scenario has to say."""
_ROUND = sum(length for length, _ in _THREADS)
_SESSIONS = sum(is_session for _, is_session in _THREADS)
_OPENED_BEFORE = 0.25
"""Seconds from a session to its first chat."""
_TOOL_TAKES = 0.3
_KEPT_AFTER = 0.05
"""Seconds from the last word of an exchange to the chat."""
_REMEMBERED = 500
_LIVES = (86_400.0, 7_200.0, 86_400.0, 10_800.0)
"""Seconds after the last chat at which sessions end."""


class Thread(NamedTuple):
    """The thread of one chat."""

    first: int
    """The number of its first chat."""
    place: int
    """Of the chat in it."""
    length: int
    session: int | None
    """The number of the session; None: the chats name one another."""


def _round() -> Iterator[Thread]:
    first = sessions = 0
    for length, is_session in _THREADS:
        for place in range(length):
            yield Thread(first, place, length, sessions if is_session else None)
        first, sessions = first + length, sessions + is_session


_IN_ROUND = tuple(_round())


_OPENING = [chat for chat, thread in enumerate(_IN_ROUND) if thread.session is not None and thread.place == 0]
"""The chats of a round that open a session."""


def thread_of(chat: int) -> Thread:
    """Return the thread of chat number `chat`."""
    rounds, place = divmod(chat, _ROUND)
    thread = _IN_ROUND[place]
    session = None if thread.session is None else thread.session + rounds * _SESSIONS
    return thread._replace(first=thread.first + rounds * _ROUND, session=session)


class Chats(Corpus):
    """All chats, by number; a truth is one exchange, answered at once."""

    def __init__(self, *, size: int, seed: int, now: float) -> None:
        super().__init__("vapi chats", prefix="019a8d20-7c4b-7e93-8a16-e3", size=size, seed=seed, now=now)
        self._dialogue = lru_cache(_REMEMBERED)(self._held)
        self._exchange = lru_cache(_REMEMBERED)(self._written)

    def truth(self, index: int) -> Truth:
        """Return chat number `index`."""
        return self._exchange(index)

    def turns(self, truth: Truth) -> tuple[Turn, ...]:
        """Return what the user wrote, and all that came of it."""
        thread = thread_of(truth.index)
        return self._dialogue(thread.first)[thread.place]

    def _written(self, index: int) -> Truth:
        thread, created = thread_of(index), self.created(index)
        begun = self._begun(thread.first)
        taken = self._dialogue(thread.first)[thread.place][-1].start + _KEPT_AFTER
        return replace(
            self.fresh(index, created),
            scenario=begun.scenario,
            facts=begun.facts,
            customer=begun.customer,
            channel=Channel.CHAT,
            direction=Direction.INBOUND,
            answered=created,
            ended=created + taken,
            planned=taken,
            exchanges=1,
        )

    def _begun(self, first: int) -> Truth:
        return replace(self.fresh(first, self.created(first)), exchanges=thread_of(first).length)

    def _held(self, first: int) -> tuple[tuple[Turn, ...], ...]:
        exchanges: list[list[Turn]] = []
        for turn in self._spoken(self._begun(first)):
            if turn.role == Role.USER:
                exchanges.append([replace(turn, start=0.0, duration=0.0)])
            elif exchanges:  # nobody greets whoever has not written yet
                start = exchanges[-1][-1].start + (turn.latency or _TOOL_TAKES)
                exchanges[-1].append(replace(turn, start=round(start, 3), duration=0.0, interrupted=False))
        return tuple(map(tuple, exchanges))


def chats_of(session: int, size: int) -> range:
    """Return the numbers of a session's chats, of so many in all."""
    rounds, place = divmod(session, _SESSIONS)
    first = rounds * _ROUND + _OPENING[place]
    return range(first, min(first + thread_of(first).length, size))


def life_of(session: int) -> float:
    """Return how many seconds after its last chat a session ends."""
    return _LIVES[session % len(_LIVES)]


class Sessions(Corpus):
    """All sessions of so many chats, by number; a truth ends when the session does."""

    def __init__(self, *, size: int, seed: int, now: float) -> None:
        rounds, rest = divmod(size, _ROUND)
        count = rounds * _SESSIONS + sum(chat < rest for chat in _OPENING)
        super().__init__("vapi sessions", prefix="019a8d20-5f1e-7b08-9d72-b4", size=count, seed=seed, now=now)
        self._chats = Chats(size=size, seed=seed, now=now)

    def created(self, index: int) -> float:
        """Return when session number `index` was created; later ones are created later."""
        return round(self._chats.created(self._chats_of(index)[0]) - _OPENED_BEFORE, 6)

    def truth(self, index: int) -> Truth:
        """Return session number `index`."""
        chats, created = self._chats_of(index), self.created(index)
        begun, ended = self._chats.truth(chats[0]), self._chats.truth(chats[-1]).ended + life_of(index)
        spent = ended - created
        return replace(
            begun, index=index, created=created, answered=created, ended=ended, planned=spent, exchanges=len(chats)
        )

    def turns(self, truth: Truth) -> tuple[Turn, ...]:
        """Return everything that is written in a session."""
        return tuple(
            replace(turn, start=round(chat.created - truth.created + turn.start, 6))
            for chat in map(self._chats.truth, self._chats_of(truth.index))
            for turn in self._chats.turns(chat)
        )

    def _chats_of(self, index: int) -> range:
        return chats_of(index, self._chats.size)
