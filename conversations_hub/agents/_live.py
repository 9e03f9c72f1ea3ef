"""The tools that ask providers: instead of those over a store, or beside them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from .._refs import Ref, Target
from ..errors import InvalidRefError, NotFoundError, UnknownAccountError
from ..hub import Clock, Hub
from ..schema import Conversation
from ._answers import Listing, Reading
from ._by_ref import ByRef
from ._entries import Entries
from ._listing import conversation_lines
from ._reading import USUAL, USUAL_SHORT, Options
from ._source import Pins
from ._wanted import instant
from ._wording import nearest

__all__ = ["Live"]

_MOST_ROWS: Final = 25
_A_ROW: Final = 160  # tokens of a long line; details take what is left


class Live(ByRef):
    """Tools over a hub.

    Args:
        hub: The hub.
        pins: What may be shown.
        options: How answers are made.
        clock: Tells the time.
    """

    def __init__(self, hub: Hub, pins: Pins, options: Options, clock: Clock) -> None:
        super().__init__(options)
        self._hub = hub
        self._pins = pins
        self._clock = clock

    async def describe_sources(self, *, max_tokens: int | None = None) -> Listing:
        """Tell which accounts there are. Begin here.

        Args:
            max_tokens: 2000 unless given.
        """
        page = self._options.page(max_tokens, USUAL_SHORT)
        accounts = self.accounts()
        page.say(f"{len(accounts)} accounts. There is no store: each call asks a provider, one account at a time.")
        shown = 0
        for account in accounts:
            if not page.takes(f"- {account}"):
                page.note("Some accounts were left out for want of room: ask for a larger max_tokens.")
                break
            shown += 1
        answer = page.answer()
        return Listing(answer.text, None, answer.notes, shown=shown, total=len(accounts))

    async def list_conversations(
        self,
        provider: str,
        *,
        agent: str | None = None,
        status: str | None = None,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        max_tokens: int | None = None,
    ) -> Listing:
        """List the conversations of one account, as its provider lists them.

        Args:
            provider: As tavus or tavus/eu.
            agent: An agent's id.
            status: Such as ended, failed, in_progress.
            since: 2026-11-20, an ISO instant, or 7d ago; UTC unless it has a zone.
            until: Before that time.
            cursor: From the last answer, to go on; with the same since and until, as instants.
            max_tokens: 4000 unless given.
        """
        now = self._clock.now()
        page = self._options.page(max_tokens, USUAL)
        account = self.account(provider)
        begin = max(filter(None, (instant("since", since, now), self._pins.earliest(now))), default=None)
        walk = self._hub.list(
            account,
            since=begin,
            until=instant("until", until, now),
            status=status,
            agent=agent,
            limit=max(1, min(_MOST_ROWS, page.budget.left // _A_ROW)),
            cursor=cursor,
        )
        lines, entries = conversation_lines(), Entries(page)
        shown, following = 0, None
        async for one_page in walk.pages():
            for one in one_page.items:
                shown += 1
                found = lines(self.redacted(one))
                if not entries.take(*found):
                    entries.cut(*found)
            following = one_page.cursor
        page.say(f"{shown} shown, in the provider's order." if shown else "None.")
        entries.show()
        answer = page.answer(following)
        return Listing(answer.text, following, answer.notes, shown=shown)

    async def refresh_conversation(
        self, ref: str, *, cursor: str | None = None, max_tokens: int | None = None
    ) -> Reading:
        """Ask the provider how one conversation is now, such as one whose transcript was pending. Changes no store.

        Args:
            ref: As in lists.
            cursor: From the last answer, to read what was left out.
            max_tokens: 4000 unless given.
        """
        return await self._reading(ref, None, cursor, max_tokens, tool="refresh_conversation")

    def accounts(self) -> list[str]:
        """Return the accounts that may be shown, as "provider/account"."""
        return [each for each in self._hub.accounts() if self._pins.hold(*each.split("/", 1))]

    def account(self, name: str) -> str:
        """Return the one account that a caller means.

        Raises:
            InvalidRefError: there is no such account, or there are several.
        """
        asked, slash, of = name.strip().partition("/")
        found = [
            each
            for each in self.accounts()
            if each.partition("/")[0] == asked.casefold() and (not slash or each.partition("/")[2] == of)
        ]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidRefError(f"{asked} has several accounts: choose from {', '.join(found)}")
        close = ", ".join(nearest(name, self.accounts()))
        raise InvalidRefError(f"no provider or account {name[:60]!a}; the nearest here: {close}")

    def check(self, ref: str) -> Target:
        """Return the account of a ref; what may not be shown is not there."""
        target = Ref.parse(ref).target
        names = [each.partition("/")[2] for each in self._hub.accounts() if each.startswith(f"{target.provider}/")]
        # As the hub reads a ref without an account.
        account = target.account or (names[0] if len(names) == 1 else "default")
        if not self._pins.hold(target.provider, account):
            raise _not_found(target)
        return target

    async def _read(self, ref: str, work: Callable[[Conversation], Reading]) -> Reading:
        target = self.check(ref)
        if target.provider not in self._hub.providers:
            raise UnknownAccountError("there is no key for this provider here", provider=target.provider)
        one = await self._hub.get(ref)
        if not self._pins.show(one, self._clock.now()):
            raise _not_found(target)
        return work(self.redacted(one))

    def redacted(self, one: Conversation) -> Conversation:
        """Return a conversation as it may be shown."""
        return one if self._pins.redact is None else self._pins.redact(one)


def _not_found(target: Target) -> NotFoundError:
    return NotFoundError("no such conversation", provider=target.provider, account=target.account)
