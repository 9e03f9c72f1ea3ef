"""The two tools that do something: only where a program allows it, and each time only after a person's yes."""

from __future__ import annotations

import logging
import re
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any, Final, NamedTuple

from ..errors import HubError, InvalidRefError, OutageError, TransportError
from ..hub import Clock, Hub
from ..schema import Conversation
from ..wire import check_id
from ._answers import Done
from ._disarm import disarmed, short
from ._live import Live
from ._reading import USUAL_SHORT, Options
from ._render import turn_line

__all__ = ["Act", "Acting", "Confirm", "DeclinedError", "UncertainError", "always"]

Confirm = Callable[[str], Awaitable[bool]]
"""Asks a person whether something may be done, and returns the answer."""

_log: Final = logging.getLogger("conversations_hub.agents")
_HOUR: Final = 3600.0
_LONGEST: Final = 2_000  # characters of a message


async def always(what: str) -> bool:  # noqa: ARG001
    """Say yes to everything, without asking anybody: for programs that ask in their own way."""
    return True


class DeclinedError(HubError):
    """A person did not say yes; nothing was done."""

    kind = "declined"
    http_status = 403
    title = "Nobody said yes, so nothing was done"


class UncertainError(HubError):
    """Something may have been done: no complete answer came, and nothing is sent a second time."""

    kind = "uncertain"
    http_status = 502
    title = "It may have been done"


class Act(NamedTuple):
    """Something that would be done."""

    what: str
    """The question for a person, whose host may render it."""
    name: str
    """The name of the tool."""
    where: str
    """The account or the ref."""
    do: Callable[[], Awaitable[Done]]
    """Does it."""


class Acting:
    """Tools that start conversations and send messages.

    Args:
        hub: The hub.
        live: Knows which accounts may be used.
        options: How answers are made.
        clock: Tells the time.
        confirm: Asks a person.
        per_hour: How many acts there may be in an hour, asked for or done.
        numbers: The only numbers that may be called; None: any.
        start_options: More members of a provider's request to start a conversation, by provider; no model sees them.
    """

    def __init__(
        self,
        hub: Hub,
        live: Live,
        options: Options,
        clock: Clock,
        *,
        confirm: Confirm,
        per_hour: int,
        numbers: Collection[str] | None,
        start_options: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._hub = hub
        self._live = live
        self._options = options
        self._clock = clock
        self._confirm = confirm
        self._per_hour = per_hour
        self._numbers = None if numbers is None else {_digits(number) for number in numbers}
        self._start_options = start_options
        self._asked: deque[float] = deque()

    async def start_conversation(self, provider: str, agent: str, *, to: str | None = None) -> Done:
        """Start a conversation, such as a real phone call. A person is asked first.

        Args:
            provider: As tavus or tavus/eu.
            agent: The agent's id.
            to: The number to call, if the channel needs one.
        """
        return await self._done(self.plan_start(provider, agent, to))

    async def send_message(self, ref: str, text: str) -> Done:
        """Send a message in a running text conversation, and return the agent's answer. A person is asked first.

        Args:
            ref: As in lists.
            text: At most 2000 characters.
        """
        return await self._done(self.plan_send(ref, text))

    def plan_start(self, provider: str, agent: str, to: str | None = None) -> Act:
        """Return what starting a conversation would do; raise `InvalidRefError` if that may not be asked for."""
        account = self._live.account(provider)
        check_id(agent)
        if to is not None and not _is_number(to) and len(to.split()) != 1:  # it stands in the question to a person
            raise InvalidRefError("to is a phone number, or an address without spaces")
        if to is not None and self._numbers is not None and not (_is_number(to) and _digits(to) in self._numbers):
            raise InvalidRefError("this number may not be called: it is not on the list of those that may")
        what = f"Start a conversation at {account} with the agent {short(agent, 80)}{_called(to)}?"

        async def do() -> Done:
            more = self._start_options.get(account.partition("/")[0])
            started = await self._hub.start(account, agent=agent, to=to, provider_options=more)
            ref = short(started.conversation.ref, 200)
            # How to join is not told: whoever has that may listen.
            page = self._options.page(None, USUAL_SHORT)
            page.say("Started. How it went: refresh_conversation, in a while.")
            page.takes(ref)
            answer = page.answer()
            return Done(answer.text, None, answer.notes, ref=page.sent(ref))

        return Act(disarmed(what), "start_conversation", account, do)

    def plan_send(self, ref: str, text: str) -> Act:
        """Return what sending a message would do; raise `InvalidRefError` if that may not be asked for."""
        target = self._live.check(ref)
        if not text.strip() or len(text) > _LONGEST:
            raise InvalidRefError(f"a message has 1 to {_LONGEST:,} characters, not {len(text):,}")
        what = f"Send this message in {short(ref, 200)}, where a person may read it? {short(text, _LONGEST)}"

        async def do() -> Done:
            turn = await self._hub.send(ref, text)
            page = self._options.page(None, USUAL_SHORT)
            page.say("Sent. The answer:")
            told = Conversation(provider=target.provider, id=ref.partition(":")[2], transcript=(turn,))
            for said in self._live.redacted(told).transcript or ():  # a redactor may take all of it away
                page.add(page.budget.cut(turn_line(turn.index, said)))
            answer = page.answer()
            return Done(answer.text, None, answer.notes, ref=page.sent(short(ref, 200)))

        return Act(disarmed(what), "send_message", short(ref, 200), do)

    def count(self) -> None:
        """Count an act before a person is asked.

        Raises:
            InvalidRefError: there were as many in the last hour as there may be.
        """
        now = self._clock.monotonic()
        while self._asked and self._asked[0] <= now - _HOUR:
            self._asked.popleft()
        if len(self._asked) >= self._per_hour:
            raise InvalidRefError(
                f"there were {self._per_hour} acts in the last hour, which is the most; wait, or stop"
            )
        self._asked.append(now)

    async def carry_out(self, act: Act, confirmed_by: str) -> Done:
        """Do it, once: nothing is sent a second time, whatever happens."""
        _log.info("%s at %s, confirmed by %s", act.name, act.where, confirmed_by)
        try:
            return await act.do()
        except HubError as error:
            failed = error
        if isinstance(failed, TransportError | OutageError):
            failed = UncertainError(f"{failed.title}, so it may have been done: look at the newest conversations first")
        failed.retryable = False  # a second try could be a second call
        raise failed

    async def _done(self, act: Act) -> Done:
        self.count()
        if not await self._confirm(act.what):
            raise DeclinedError("nobody said yes, so nothing was done")
        return await self.carry_out(act, getattr(self._confirm, "__name__", type(self._confirm).__name__))


_NUMBER: Final = re.compile(r"\+?[\d\s().-]+")


def _is_number(to: str) -> bool:
    """Whether it is a phone number: the digits of a SIP address say nothing about where it leads."""
    return _NUMBER.fullmatch(to) is not None


def _called(to: str | None) -> str:
    if to is None:
        return ""
    whom = f"the number that ends in {_digits(to)[-4:]}" if _is_number(to) else short(to, 200)
    return f" and really call {whom}"


def _digits(number: str) -> str:
    return "".join(character for character in number if character.isdecimal())
