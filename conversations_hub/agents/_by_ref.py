"""The tools that read one conversation by its ref, wherever it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Literal

from ..schema import Conversation
from ._answers import Reading
from ._reading import USUAL, USUAL_SHORT, Options, part_of, reading, window

__all__ = ["ByRef"]


class ByRef(ABC):
    """Tools that read one conversation.

    Args:
        options: How answers are made.
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    @abstractmethod
    async def _read(self, ref: str, work: Callable[[Conversation], Reading]) -> Reading:
        """Return the result of some work on a conversation; raise `NotFoundError` if it may not be shown."""

    async def get_conversation(
        self,
        ref: str,
        *,
        part: Literal["start", "end", "both"] | None = None,
        cursor: str | None = None,
        max_tokens: int | None = None,
    ) -> Reading:
        """Read one conversation: its facts, then its turns; (+2.4 s) marks a late answer.

        Args:
            ref: As in lists, such as tavus:c123 or tavus/eu:c123.
            part: Where to read if it does not fit; both unless given: the start and, mostly, the end.
            cursor: From the last answer, to read what was left out.
            max_tokens: 4000 unless given.
        """
        return await self._reading(ref, part, cursor, max_tokens, tool="get_conversation")

    async def read_around(
        self,
        ref: str,
        turn: int,
        *,
        before: int | None = None,
        after: int | None = None,
        max_tokens: int | None = None,
    ) -> Reading:
        """Read the turns around one turn, such as a hit of a search or a call of a tool.

        Args:
            ref: As in lists.
            turn: Its number, after the # of a citation.
            before: How many turns before it; 4 unless given.
            after: How many turns after it; 4 unless given.
            max_tokens: 2000 unless given.
        """
        page, system = self._options.page(max_tokens, USUAL_SHORT), self._options.include_system
        return await self._read(
            ref, lambda one: window(one, page, turn=turn, before=before, after=after, include_system=system)
        )

    async def _reading(
        self, ref: str, part: str | None, cursor: str | None, max_tokens: int | None, *, tool: str
    ) -> Reading:
        options, chosen = self._options, part_of(part)
        page = options.page(max_tokens, USUAL)

        def read(one: Conversation) -> Reading:
            return reading(
                one,
                page,
                part=chosen,
                cursor=cursor,
                tool=tool,
                include_system=options.include_system,
                metadata=options.metadata,
            )

        return await self._read(ref, read)
