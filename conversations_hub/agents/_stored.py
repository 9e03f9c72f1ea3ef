"""The tools that read a store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from ..errors import InvalidRefError
from ..schema import Conversation, EndReason, Role, Status, TranscriptState
from ._answers import Listing, Reading
from ._by_ref import ByRef
from ._comparing import compared
from ._counting import GROUPS, Asked, counted, metric_of
from ._cursors import Cursors
from ._inventory import described, missing
from ._listing import ToolLines, conversation_lines, listed
from ._reading import USUAL, USUAL_SHORT, Options
from ._search import Words, found
from ._source import Source
from ._wanted import Wanted, Where, instant

__all__ = ["Stored"]

_MOST_COMPARED: Final = 5


class Stored(ByRef):
    """Tools over a store.

    Args:
        source: The store.
        options: How answers are made.
    """

    def __init__(self, source: Source, options: Options) -> None:
        super().__init__(options)
        self._source = source

    async def _read(self, ref: str, work: Callable[[Conversation], Reading]) -> Reading:
        return await self._source.read(lambda reader: work(reader.get(ref)))

    async def describe_sources(self, *, max_tokens: int | None = None) -> Listing:
        """Tell what is here: accounts, how many conversations of which time, agents. Begin here.

        Args:
            max_tokens: 2000 unless given.
        """
        page = self._options.page(max_tokens, USUAL_SHORT)
        return await self._source.read(lambda reader: described(reader, page, self._source.clock.now()))

    async def search_conversations(
        self,
        words: str,
        *,
        provider: str | None = None,
        agent: str | None = None,
        role: Literal["user", "assistant", "human_agent", "tool"] | None = None,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        max_tokens: int | None = None,
    ) -> Listing:
        """Find turns by what was said in them, best match first.

        Args:
            words: All must be in one turn. "quoted words" follow each other, OR, NOT, refund* for beginnings.
            provider: As tavus or tavus/eu.
            agent: An agent's id or name.
            role: Who said it.
            since: 2026-11-20, an ISO instant, or 7d ago; UTC unless it has a zone.
            until: Before that time.
            cursor: To go on from the last answer.
            max_tokens: 4000 unless given.
        """
        wanted = self._wanted(provider=provider, agent=agent, since=since, until=until)
        arguments = {**wanted._asdict(), "since": since, "until": until, "words": words, "role": role}
        cursors = Cursors("search_conversations", arguments)
        asked = Words(
            words=words,
            role=_word_of(Role, "role", role),
            wanted=wanted,
            offset=cursors.read(cursor, int) or 0,
            include_system=self._options.include_system,
        )
        page = self._options.page(max_tokens, USUAL)
        return await self._source.read(lambda reader: found(reader, asked, page, cursors))

    async def list_conversations(
        self,
        *,
        provider: str | None = None,
        agent: str | None = None,
        customer: str | None = None,
        failed: bool | None = None,
        status: str | None = None,
        end_reason: str | None = None,
        transcript: Literal["available", "pending", "not_loaded", "restricted", "unavailable", "truncated"]
        | None = None,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        max_tokens: int | None = None,
    ) -> Listing:
        """List conversations, newest first: when, with whom, how they ended, why they failed, what they were about.

        Args:
            provider: As tavus or tavus/eu.
            agent: An agent's id or name.
            customer: A person's phone number in any spelling, e-mail address, name or id, over all platforms.
            failed: True: only those that ended in an error, reached nobody, missed their goal, or had a tool fail.
            status: Such as ended, failed, in_progress.
            end_reason: Such as customer_ended, transferred, error.
            transcript: State of the transcript.
            since: 2026-11-20, an ISO instant, or 7d ago; UTC unless it has a zone.
            until: Before that time.
            cursor: To go on from the last answer.
            max_tokens: 4000 unless given.
        """
        wanted = self._wanted(
            provider=provider,
            agent=agent,
            since=since,
            until=until,
            status=status,
            end_reason=end_reason,
            transcript=transcript,
            customer=customer,
            failed=failed,
        )
        cursors = Cursors("list_conversations", {**wanted._asdict(), "since": since, "until": until})
        behind: Where | None = cursors.read(cursor, Where)
        page = self._options.page(max_tokens, USUAL)
        lines = conversation_lines(of_customer=customer is not None)
        return await self._source.read(
            lambda reader: listed(reader, wanted, lines, page, behind=behind, cursors=cursors)
        )

    async def compare_conversations(self, refs: list[str], *, max_tokens: int | None = None) -> Listing:
        """Put two to five conversations side by side: facts, tools, and measures with where they come from.

        Args:
            refs: As in lists.
            max_tokens: 4000 unless given.
        """
        distinct = list(dict.fromkeys(refs))
        if not 2 <= len(distinct) <= _MOST_COMPARED:
            raise InvalidRefError(f"compare takes 2 to {_MOST_COMPARED} different refs, not {len(distinct)}")
        page = self._options.page(max_tokens, USUAL)
        return await self._source.read(lambda reader: compared([reader.get(ref) for ref in distinct], page))

    async def count_conversations(
        self,
        by: Literal["day", "week", "provider", "agent", "status", "end_reason", "language", "failure"],
        *,
        measure: str | None = None,
        provider: str | None = None,
        agent: str | None = None,
        failed: bool | None = None,
        status: str | None = None,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        max_tokens: int | None = None,
    ) -> Listing:
        """Count conversations in groups, or summarize a measure of them. Says what could not be measured.

        Args:
            by: What a group has in common; failure: the gravest reason for which each failed.
            measure: count unless given; or cost, duration, response_latency, talk_ratio, tool_failures, contained, …
            provider: As tavus or tavus/eu.
            agent: An agent's id or name.
            failed: True: only those that failed, as in list_conversations.
            status: Such as ended, failed, in_progress.
            since: 2026-11-20, an ISO instant, or 7d ago; UTC unless it has a zone.
            until: Before that time.
            cursor: To go on from the last answer.
            max_tokens: 2000 unless given.
        """
        if by not in GROUPS:
            raise InvalidRefError(f"conversations cannot be counted by {by!a}: choose from {', '.join(GROUPS)}")
        wanted = self._wanted(provider=provider, agent=agent, since=since, until=until, status=status, failed=failed)
        arguments = {**wanted._asdict(), "since": since, "until": until, "by": by, "measure": measure}
        cursors = Cursors("count_conversations", arguments)
        asked = Asked(wanted=wanted, by=by, metric=metric_of(measure), offset=cursors.read(cursor, int) or 0)
        page = self._options.page(max_tokens, USUAL_SHORT)
        return await self._source.read(lambda reader: counted(reader, asked, page, cursors))

    async def find_tool_calls(
        self,
        *,
        tool: str | None = None,
        failed: bool | None = None,
        provider: str | None = None,
        agent: str | None = None,
        since: str | None = None,
        until: str | None = None,
        cursor: str | None = None,
        max_tokens: int | None = None,
    ) -> Listing:
        """Find where agents called tools, newest first: what the agent said before and after, and what came back.

        With failed=True: promises that may not have been kept.

        Args:
            tool: Name of the tool.
            failed: True: only calls that failed or seem to have; False: only those that worked.
            provider: As tavus or tavus/eu.
            agent: An agent's id or name.
            since: 2026-11-20, an ISO instant, or 7d ago; UTC unless it has a zone.
            until: Before that time.
            cursor: To go on from the last answer.
            max_tokens: 4000 unless given.
        """
        wanted = self._wanted(provider=provider, agent=agent, since=since, until=until)
        arguments = {**wanted._asdict(), "since": since, "until": until, "tool": tool, "failed calls": failed}
        cursors = Cursors("find_tool_calls", arguments)
        behind: Where | None = cursors.read(cursor, Where)
        page = self._options.page(max_tokens, USUAL)
        lines = ToolLines(tool, failed=failed)
        return await self._source.read(
            lambda reader: listed(reader, wanted, lines, page, behind=behind, cursors=cursors)
        )

    async def what_is_missing(self, *, provider: str | None = None, max_tokens: int | None = None) -> Listing:
        """Tell what the store lacks: transcripts that are pending or restricted, failures, days not covered, last sync.

        Args:
            provider: As tavus or tavus/eu.
            max_tokens: 2000 unless given.
        """
        page = self._options.page(max_tokens, USUAL_SHORT)
        return await self._source.read(lambda reader: missing(reader, provider, page, self._source.clock.now()))

    def _wanted(
        self,
        *,
        provider: str | None,
        since: str | None,
        until: str | None,
        agent: str | None = None,
        status: str | None = None,
        end_reason: str | None = None,
        transcript: str | None = None,
        customer: str | None = None,
        failed: bool | None = None,
    ) -> Wanted:
        now = self._source.clock.now()
        return Wanted(
            provider=provider,
            agent=agent,
            since=instant("since", since, now),
            until=instant("until", until, now),
            status=_word_of(Status, "status", status),
            end_reason=_word_of(EndReason, "end_reason", end_reason),
            transcript=_word_of(TranscriptState, "transcript", transcript),
            customer=customer,
            failed=failed,
        )


def _word_of(kind: type[Status | EndReason | TranscriptState | Role], name: str, word: str | None) -> str | None:
    """Return a word of the schema, in any case; raise `InvalidRefError` for another."""
    if word is None:
        return None
    folded = word.strip().casefold().replace(" ", "_")
    if folded not in list(kind):
        raise InvalidRefError(f"unknown {name} {word!a}; choose from {', '.join(kind)}")
    return folded
