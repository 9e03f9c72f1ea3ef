"""Which conversations a caller wants, and from which place in the list of all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from hashlib import sha256
from itertools import dropwhile
from typing import Final, NamedTuple

from .._instants import parse_instant
from ..errors import InvalidRefError
from ..schema import Conversation
from ..stores import Person
from ..stores._erasure import takes_part

__all__ = ["Wanted", "Where", "after", "customer_of", "instant", "is_agent", "when"]

_LEAST_DIGITS: Final = 7
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+")


class Wanted(NamedTuple):
    """Which conversations a caller wants; None: any."""

    provider: str | None = None
    agent: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    status: str | None = None
    end_reason: str | None = None
    transcript: str | None = None
    customer: str | None = None
    failed: bool | None = None


class Where(NamedTuple):
    """A place in the list of all conversations, the newest first: behind one of them."""

    at: str | None
    """Its instant; None: it has none."""
    last: bytes
    """A digest of its ref."""

    @classmethod
    def behind(cls, one: Conversation) -> Where:
        """Return the place behind a conversation."""
        at = when(one)
        return cls(at.isoformat() if at else None, sha256(one.ref.encode(errors="surrogatepass")).digest()[:6])


def customer_of(asked: str | None) -> Callable[[Conversation], bool] | None:
    """Return whether a person takes part in a conversation: by phone, e-mail, or a participant's id or name."""
    if asked is None:
        return None
    if sum(character.isdecimal() for character in asked) >= _LEAST_DIGITS and not any(map(str.isalpha, asked)):
        person = Person(phone=asked)
    elif _ADDRESS.fullmatch(asked.strip()):
        person = Person(email=asked.strip())
    else:
        name = asked.strip().casefold()
        return lambda one: any(
            name in {(each.name or "").casefold(), (each.id or "").casefold()} for each in one.participants
        )
    return lambda one: takes_part(person, one)


def is_agent(one: Conversation, asked: str) -> bool:
    """Whether an agent of this id or name, in any case, took part."""
    agent = one.agent
    if agent is None:
        return False
    return asked == agent.id or (agent.name is not None and agent.name.strip().casefold() == asked.strip().casefold())


def after(behind: Where, found: Iterator[Conversation]) -> Iterator[Conversation]:
    """Leave out the conversations up to a place; of those of its instant, what was not there before is left out too."""

    def is_before(one: Conversation) -> bool:
        where = Where.behind(one)
        return where.at == behind.at and where.last != behind.last

    left = dropwhile(is_before, found)
    for one in left:
        if Where.behind(one) != behind:
            yield one


def instant(name: str, given: str | datetime | None, now: datetime) -> datetime | None:
    """Return an instant that is given as a text; None: none is given. One without a zone is in UTC.

    Raises:
        InvalidRefError: it is no instant.
    """
    if given is None or isinstance(given, datetime):
        return given
    try:
        return parse_instant(given.strip(), now)
    except InvalidRefError as error:
        raise InvalidRefError(f"{name}: {error.reason}") from None


def when(one: Conversation) -> datetime | None:
    """Return the instant that lists are ordered by; None: there is none."""
    return one.created_at or one.started_at
