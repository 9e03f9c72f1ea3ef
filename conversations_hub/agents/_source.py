"""The store that the tools read: in a thread, within its pins, redacted, and never for longer than a caller waits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from threading import Event, Lock
from typing import Final, NamedTuple, TypeVar

from .._instants import check_span
from .._refs import Ref, Target
from ..errors import InvalidRefError, NotFoundError
from ..hub import Clock
from ..redaction import Redact
from ..schema import Conversation
from ..stores import ReadableStore, StoreReader
from ..stores._filters import Filters
from ._failures import failures_of
from ._wanted import Wanted, Where, after, customer_of, instant, is_agent, when
from ._wording import nearest

__all__ = ["Pins", "Reader", "Row", "Source", "Stopped"]

T = TypeVar("T")

LONGEST: Final = 8.0  # seconds that one call may look through a store
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY: Final = "none"  # there is no provider of this name


class Stopped(Exception):  # noqa: N818  (it is how a call ends, and never leaves)
    """The caller does not wait any more."""


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

    def show(self, one: Conversation, now: datetime) -> bool:
        """Whether a conversation is shown."""
        at, earliest = when(one), self.earliest(now)
        return self.hold(one.provider, one.account) and (at is None or earliest is None or at >= earliest)


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
        if not self._pins.show(one, self._now):
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
        agent = self.agent_id(wanted.agent, targets)
        fields = {"end_reason": wanted.end_reason, "transcript_state": wanted.transcript}
        chosen = {name: (word,) for name, word in fields.items() if word is not None}
        found = self.reader.walk(Filters.of(targets, since, until, status=wanted.status, agent=agent, fields=chosen))
        if behind is not None:
            found = after(behind, found)
        is_person = customer_of(wanted.customer)
        for one in found:
            if self._stop.is_set():
                raise Stopped
            # Redacted before it is compared, so that nobody can ask for what is not shown.
            if wanted.agent is not None and not is_agent(one, wanted.agent):
                yield Row(one, is_wanted=False)
                continue
            shown = self._redacted(one)
            is_wanted = (is_person is None or is_person(shown)) and (
                wanted.failed is None or bool(failures_of(shown)) == wanted.failed
            )
            yield Row(shown, is_wanted=is_wanted)

    def agent_id(self, agent: str | None, targets: Sequence[str]) -> str | None:
        """Return the agent if the store has one of this id, so that an index finds its conversations."""
        has = agent is not None and next(self.reader.conversations(*targets, agent=agent, limit=1), None) is not None
        return agent if has else None

    def _redacted(self, one: Conversation) -> Conversation:
        return one if self._pins.redact is None else self._pins.redact(one)


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
