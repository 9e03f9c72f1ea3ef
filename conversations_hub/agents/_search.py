"""Turns that hold some words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from ..errors import NotFoundError
from ..schema import Conversation, Role, TranscriptTurn
from ..schema._rendering import span
from ..stores import Hit
from ..stores._query import Query, parsed, snippet
from ._answers import Listing
from ._cursors import Cursors
from ._disarm import short
from ._page import Page
from ._render import day, was_said
from ._source import Reader
from ._wanted import Wanted
from ._wording import number_of

__all__ = ["Words", "found"]

_MOST_HITS: Final = 3  # of one conversation
_AT_ONCE: Final = 60


class Words(NamedTuple):
    """What is searched for."""

    words: str
    role: str | None
    wanted: Wanted
    offset: int
    """How many hits were passed before."""
    include_system: bool
    """Whether prompts and internal notes count."""


def found(reader: Reader, asked: Words, page: Page, cursors: Cursors) -> Listing:
    """Return the turns that hold some words, best match first, at most three of each conversation."""
    query, wanted = parsed(asked.words), asked.wanted
    result = reader.reader.search(
        asked.words,
        *reader.targets(wanted.provider),
        since=max(filter(None, (wanted.since, reader.earliest)), default=None),
        until=wanted.until,
        role=None if asked.role is None else Role(asked.role),
        limit=_AT_ONCE,
        offset=asked.offset,
    )
    if result.hits:
        hold = f"{number_of(result.total, 'turn')} hold{'s' * (result.total == 1)}"
        page.say(f"{hold} these words, best match first; the words are in brackets.")
    else:
        page.say("No turn holds these words.")
        page.takes(short(result.hint, 300))
    of_each: Counter[str] = Counter()
    shown = passed = 0
    for hit, title, turn in _turns(reader, result.hits):
        if turn is not None and _may_show(turn, query, asked, is_redacted=reader.is_redacted):
            of_each[hit.ref] += 1
            if of_each[hit.ref] <= _MOST_HITS:
                if not page.takes(_line(hit, title, turn, query)):
                    break
                shown += 1
        passed += 1
    for ref, count in of_each.items():
        if count > _MOST_HITS:
            page.takes(f"  {count - _MOST_HITS} more in {short(ref, 200)}: get_conversation or read_around")
    place = asked.offset + passed
    answer = page.answer(cursors.at(place) if passed and place < result.total else None)
    return Listing(answer.text, answer.cursor, answer.notes, shown=shown, total=result.total)


def _turns(reader: Reader, hits: list[Hit]) -> Iterator[tuple[Hit, str | None, TranscriptTurn | None]]:
    """Yield each hit with its title and turn; None if the turn is not there any more, because the store changed."""
    known: dict[str, Conversation | None] = {}
    for hit in hits:
        if hit.ref not in known:
            known[hit.ref] = None
            with suppress(NotFoundError):
                known[hit.ref] = reader.get(hit.ref)
        one = known[hit.ref]
        title, turns = (None, ()) if one is None else (one.title, one.transcript or ())
        yield hit, title, turns[hit.position] if hit.position < len(turns) else None


def _may_show(turn: TranscriptTurn, query: Query, asked: Words, *, is_redacted: bool) -> bool:
    # Nobody finds by its words what is not shown: a number that was removed, or a prompt.
    return (asked.include_system or was_said(turn)) and (not is_redacted or query.holds(turn.text))


def _line(hit: Hit, title: str | None, turn: TranscriptTurn, query: Query) -> str:
    # The snippet is made of what may be shown: the store's own knows no redaction.
    said = short(snippet(turn.text, query), 200)
    called = f" | {short(title, 50)}" if title else ""
    at = f" at {span(turn.start)}" if turn.start is not None else ""
    return f"- {short(hit.ref, 200)}#{hit.position} | {day(hit.created_at)}{called} | {turn.role.value}{at}: {said}"
