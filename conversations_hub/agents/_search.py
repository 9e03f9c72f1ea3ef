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
from ._wanted import Wanted, is_agent
from ._wording import number_of

__all__ = ["Words", "found"]

_MOST_HITS: Final = 3  # of one conversation
_AT_ONCE: Final = 60
_MOST_PASSED: Final = 600  # hits, shown or not, if any is shown


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
    targets = reader.targets(wanted.provider)
    agent = reader.agent_id(wanted.agent, targets)
    of_each: Counter[str] = Counter()
    place, is_full = asked.offset, False
    while True:
        result = reader.reader.search(
            asked.words,
            *targets,
            since=max(filter(None, (wanted.since, reader.earliest)), default=None),
            until=wanted.until,
            role=None if asked.role is None else Role(asked.role),
            agent=agent,
            limit=_AT_ONCE,
            offset=place,
        )
        for hit, one in _conversations(reader, result.hits):
            turn = _turn(one, hit, asked)
            if one is not None and turn is not None and _may_show(turn, query, asked, is_redacted=reader.is_redacted):
                is_full = not _takes(page, hit, _line(hit, one.title, turn, query), before=of_each)
                if is_full:
                    break
                of_each[hit.ref] += 1
            place += 1
        is_end = not result.hits or place >= result.total
        is_long = bool(of_each) and place - asked.offset >= _MOST_PASSED
        if is_full or is_end or is_long or reader.is_late:
            break
    if result.total:
        hold = f"{number_of(result.total, 'turn')} hold{'s' * (result.total == 1)}"
        others = ", those of other agents included" if agent != wanted.agent else ""
        page.say(f"{hold} these words{others}, best match first; the words are in brackets.")
    else:
        page.say("No turn holds these words.")
        page.takes(short(result.hint, 300))
    page.add(*(_more(ref, count - _MOST_HITS, is_end=is_end) for ref, count in of_each.items() if count > _MOST_HITS))
    answer = page.answer(cursors.at(place) if asked.offset < place < result.total else None)
    shown = sum(min(count, _MOST_HITS) for count in of_each.values())
    return Listing(answer.text, answer.cursor, answer.notes, shown=shown, total=result.total)


def _takes(page: Page, hit: Hit, line: str, *, before: Counter[str]) -> bool:
    """Show a hit, or count it if its conversation was shown as often as it may; return whether there was room."""
    if before[hit.ref] > _MOST_HITS:
        return True
    if before[hit.ref] == _MOST_HITS:
        return page.budget.takes(_more(hit.ref, _MOST_PASSED, is_end=False))
    if page.takes(line):
        return True
    if not before:  # no answer has room for all of it
        page.note("The first hit was cut for want of room: ask for a larger max_tokens.")
        page.add(page.budget.cut(line))
    return not before


def _more(ref: str, count: int, *, is_end: bool) -> str:
    return f"  {'' if is_end else 'at least '}{count} more in {short(ref, 200)}: get_conversation or read_around"


def _conversations(reader: Reader, hits: list[Hit]) -> Iterator[tuple[Hit, Conversation | None]]:
    """Yield each hit with its conversation; None if it is not there any more, because the store changed."""
    known: dict[str, Conversation | None] = {}
    for hit in hits:
        if hit.ref not in known:
            known[hit.ref] = None
            with suppress(NotFoundError):
                known[hit.ref] = reader.get(hit.ref)
        yield hit, known[hit.ref]


def _turn(one: Conversation | None, hit: Hit, asked: Words) -> TranscriptTurn | None:
    """Return the turn of a hit; None if it is another agent's, or not there any more."""
    agent, turns = asked.wanted.agent, () if one is None else one.transcript or ()
    if one is None or (agent is not None and not is_agent(one, agent)):
        return None
    return turns[hit.position] if hit.position < len(turns) else None


def _may_show(turn: TranscriptTurn, query: Query, asked: Words, *, is_redacted: bool) -> bool:
    # Nobody finds by its words what is not shown: a number that was removed, or a prompt.
    return (asked.include_system or was_said(turn)) and (not is_redacted or query.holds(turn.text))


def _line(hit: Hit, title: str | None, turn: TranscriptTurn, query: Query) -> str:
    # The snippet is made of what may be shown: the store's own knows no redaction.
    said = short(snippet(turn.text, query), 200)
    called = f" | {short(title, 50)}" if title else ""
    at = f" at {span(turn.start)}" if turn.start is not None else ""
    return f"- {short(hit.ref, 200)}#{hit.position} | {day(hit.created_at)}{called} | {turn.role.value}{at}: {said}"
