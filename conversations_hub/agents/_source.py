"""The store that the tools read: in a thread, within its pins, redacted, and never for longer than a caller waits."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import dropwhile
from threading import Event, Lock
from typing import Final, NamedTuple, TypeVar

from .._instants import check_span, parse_instant
from .._refs import Ref, Target
from ..errors import InvalidRefError, NotFoundError
from ..hub import Clock
from ..redaction import Redact
from ..schema import Conversation
from ..stores import Person, ReadableStore, StoreReader
from ..stores._erasure import takes_part
from ..stores._filters import Filters
from ._failures import failures_of
from ._wording import nearest

__all__ = ["Pins", "Row", "Source", "Stopped", "Wanted", "Where", "customer_of", "instant"]

T = TypeVar("T")

LONGEST: Final = 8.0  # seconds that one call may look through a store
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_DIGITS: Final = 7
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+")
_NOBODY: Final = "none"  # there is no provider of this name


class Stopped(Exception):  # noqa: N818  (it is how a call ends, and never leaves)
    """The caller does not wait any more."""


class Where(NamedTuple):
    """A place in the list of all conversations, the newest first: behind one of them."""

    at: str | None
    """Its instant; None: it has none."""
    last: bytes
    """A digest of its ref."""

    @classmethod
    def behind(cls, one: Conversation) -> Where:
        """Return the place behind a conversation."""
        at = _when(one)
        return cls(at.isoformat() if at else None, sha256(one.ref.encode(errors="surrogatepass")).digest()[:6])


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


class Row(NamedTuple):
    """A conversation that was looked at."""

    one: Conversation
    is_wanted: bool


class Pins(NamedTuple):
    """What a set of tools may show at all."""

    providers: tuple[Target, ...] = ()
    """Empty: every account."""
    since: str | datetime | None = None
    redact: Redact | None = None

    def earliest(self, now: datetime) -> datetime | None:
        """Return the instant from which conversations are shown; None: there is none."""
        return instant("since", self.since, now)

    def hold(self, provider: str, account: str | None) -> bool:
        """Whether an account is shown; without one, any account of the provider."""
        return not self.providers or any(
            pin.provider == provider and (None in {pin.account, account} or pin.account == account)
            for pin in self.providers
        )


class Source:
    """A store, and what of it may be shown.

    Args:
        store: The store.
        pins: What may be shown.
        clock: Tells the time.
    """

    def __init__(self, store: ReadableStore, pins: Pins, clock: Clock) -> None:
        self._store = store
        self._pins = pins
        self.clock = clock

    async def read(self, work: Callable[[Reader], T]) -> T:
        """Return the result of some work on a reader, done in a thread; it ends soon after the caller is cancelled."""
        stop, open_now, changing = Event(), list[StoreReader](), Lock()

        def done() -> T:
            # A reader for each call: it sees what a sync has written, and one that stays open would hold up `erase`.
            with self._store.reader() as reader:
                open_now.append(reader)
                try:
                    return work(Reader(reader, self._pins, self.clock, stop))
                finally:
                    with changing:
                        open_now.clear()  # before it is closed

        try:
            return await asyncio.to_thread(done)
        except asyncio.CancelledError:
            stop.set()
            with changing:
                for reader in open_now:
                    reader.interrupt()
            raise


class Reader:
    """Reads a store for one call of a tool."""

    def __init__(self, reader: StoreReader, pins: Pins, clock: Clock, stop: Event) -> None:
        self.reader = reader
        """The store's own reader, which knows no pins."""
        self._pins = pins
        self._clock = clock
        self._now = clock.now()
        self._ends = clock.monotonic() + LONGEST
        self._stop = stop

    @property
    def is_late(self) -> bool:
        """Whether the call has taken as long as it may."""
        return self._clock.monotonic() > self._ends

    @property
    def is_redacted(self) -> bool:
        """Whether personal data is removed from what is shown."""
        return self._pins.redact is not None

    @property
    def earliest(self) -> datetime | None:
        """The instant from which conversations are shown; None: there is none."""
        return self._pins.earliest(self._now)

    def get(self, ref: str) -> Conversation:
        """Return one conversation; raise `NotFoundError` if it is not there, or may not be shown."""
        target = Ref.parse(ref).target
        if not self._pins.hold(target.provider, target.account):
            raise _not_found(target)
        one = self.reader.get(ref)
        at, earliest = _when(one), self.earliest
        is_early = at is not None and earliest is not None and at < earliest
        if is_early or not self._pins.hold(one.provider, one.account):
            raise _not_found(target)
        return self._redacted(one)

    def accounts(self) -> list[str]:
        """Return the accounts that may be shown, as "provider/account"."""
        return [each for each in self.reader.accounts() if self._pins.hold(*_parted(each))]

    def targets(self, provider: str | None) -> tuple[str, ...]:
        """Return the accounts that a caller means, as the store's reader takes them; none: all there are.

        Raises:
            InvalidRefError: the store has no such account.
        """
        if provider is None and not self._pins.providers:
            return ()
        accounts = self.accounts()
        if provider is None:
            return tuple(accounts) or (_NOBODY,)
        found = [each for each in accounts if _is_of(each, provider)]
        if not found:
            close = nearest(provider, {*accounts, *(each.partition("/")[0] for each in accounts)})
            there = f"; the nearest here: {', '.join(close)}" if close else "; the store is empty"
            raise InvalidRefError(f"no provider or account {_shown(provider)}{there}")
        return tuple(found)

    def rows(self, wanted: Wanted, behind: Where | None = None) -> Iterator[Row]:
        """Yield conversations, the newest first, from behind a place; those without an instant come last.

        Those that are not wanted come too: a caller that is late goes on behind the last of them.
        """
        since = max(filter(None, (wanted.since, self.earliest)), default=None)
        until = wanted.until
        if behind is not None:
            if behind.at is None:  # only those without an instant are left
                since, until = None, _FIRST
            else:
                just_after = datetime.fromisoformat(behind.at) + timedelta(microseconds=1)
                until = just_after if until is None else min(until, just_after)
        check_span(since, until)
        targets = self.targets(wanted.provider)
        agent = wanted.agent if self._is_id(wanted.agent, targets) else None
        fields = {"end_reason": wanted.end_reason, "transcript_state": wanted.transcript}
        chosen = {name: (word,) for name, word in fields.items() if word is not None}
        found = self.reader.walk(Filters.of(targets, since, until, status=wanted.status, agent=agent, fields=chosen))
        if behind is not None:
            found = _after(behind, found)
        is_person = customer_of(wanted.customer)
        for one in found:
            if self._stop.is_set():
                raise Stopped
            # Redacted before it is compared, so that nobody can ask for what is not shown.
            if wanted.agent is not None and not _is_agent(one, wanted.agent):
                yield Row(one, is_wanted=False)
                continue
            shown = self._redacted(one)
            is_wanted = (is_person is None or is_person(shown)) and (
                wanted.failed is None or bool(failures_of(shown)) == wanted.failed
            )
            yield Row(shown, is_wanted=is_wanted)

    def _is_id(self, agent: str | None, targets: Sequence[str]) -> bool:
        """Whether the store has an agent of this id, so that its index finds the conversations."""
        return agent is not None and next(self.reader.conversations(*targets, agent=agent, limit=1), None) is not None

    def _redacted(self, one: Conversation) -> Conversation:
        return one if self._pins.redact is None else self._pins.redact(one)


def _is_agent(one: Conversation, asked: str) -> bool:
    agent = one.agent
    if agent is None:
        return False
    return asked == agent.id or (agent.name is not None and agent.name.strip().casefold() == asked.strip().casefold())


def _after(behind: Where, found: Iterator[Conversation]) -> Iterator[Conversation]:
    """Leave out the conversations up to a place; of those of its instant, what was not there before is left out too."""

    def is_before(one: Conversation) -> bool:
        where = Where.behind(one)
        return where.at == behind.at and where.last != behind.last

    left = dropwhile(is_before, found)
    for one in left:
        if Where.behind(one) != behind:
            yield one


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


def _when(one: Conversation) -> datetime | None:
    return one.created_at or one.started_at


def _parted(account: str) -> tuple[str, str]:
    provider, _, name = account.partition("/")
    return provider, name


def _folded(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())


def _is_of(account: str, asked: str) -> bool:
    """Whether an account is meant by a name such as `tavus`, `Eleven Labs` or `tavus/eu`."""
    provider, name = _parted(account)
    asked_provider, slash, asked_name = asked.partition("/")
    return _folded(provider) == _folded(asked_provider) and (not slash or name == asked_name.strip())


def _shown(asked: str) -> str:
    return ascii(asked if len(asked) <= 60 else f"{asked[:60]}…")


def _not_found(target: Target) -> NotFoundError:
    # As the store says it of one that it does not have: what may not be shown is not there.
    return NotFoundError("no such conversation in the store", provider=target.provider, account=target.account)
