"""Parts of one conversation as an answer, within a budget."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from ..errors import InvalidRefError
from ..schema import Conversation
from ._answers import Reading
from ._budget import Budget
from ._cursors import Cursors
from ._disarm import disarmed
from ._page import Page
from ._parts import Place, Span, backward, forward
from ._render import facts_of, turn_lines

__all__ = ["USUAL", "USUAL_SHORT", "Options", "Part", "part_of", "reading", "window"]

USUAL: Final = 4_000
"""How many tokens most answers have, unless a caller asks for another number."""
USUAL_SHORT: Final = 2_000
"""Of answers that are short."""
_AROUND: Final = 4  # turns

Part = Literal["start", "end", "both"]


@dataclass(frozen=True)
class Options:
    """How answers are made."""

    include_system: bool = False
    """Whether prompts and internal notes are shown."""
    metadata: Collection[str] = ()
    """The names of metadata that are shown."""
    count: Callable[[str], int] | None = None
    """Counts the tokens of a text; None: bytes in UTF-8, divided by four."""
    word: Callable[[], str] | None = None
    """Returns the word of the marks; None: one that nobody can guess."""
    disarm: bool = True
    """Whether answers are without what hosts render."""

    def page(self, asked: int | None, usual: int) -> Page:
        """Return an answer in the making, of as many tokens as are asked for or usual."""
        sent: Callable[[str], str] = disarmed if self.disarm else str
        return Page(Budget(asked, usual, self.count, sent), self.word() if self.word else None)


_Place: Any = tuple[int, int, int, int]


def reading(
    one: Conversation,
    page: Page,
    *,
    part: Part,
    cursor: str | None,
    tool: str,
    include_system: bool,
    metadata: Collection[str] = (),
) -> Reading:
    """Return the facts of a conversation and as many of its turns as there is room for.

    The start, the end, or a third of the room for the start and the rest for the end. What is left out has a cursor,
    from which it is read on.
    """
    cursors = Cursors(tool, {"ref": one.ref})
    texts = turn_lines(one, include_system=include_system)
    whole = Span(Place(0), Place(len(texts)))
    place: tuple[int, int, int, int] | None = cursors.read(cursor, _Place)
    if place is not None:
        span = Span(Place(*place[:2]), Place(*place[2:]))
        lines, rest = forward(texts, span, page.budget)
        return _answer(one, page, cursors, lines=lines, start=span.start, left=Span(rest, span.stop), total=len(texts))
    for line in facts_of(one, metadata):
        if not page.takes(line):
            break
    first: list[str] = []
    start = whole.start
    if part == "both":
        first, start = _first_third(texts, whole, page.budget)
    if part == "start":
        lines, rest = forward(texts, whole, page.budget)
        return _answer(
            one, page, cursors, lines=lines, start=whole.start, left=Span(rest, whole.stop), total=len(texts)
        )
    last, stop = backward(texts, Span(start, whole.stop), page.budget)
    gap = Span(start, stop)
    between = [] if gap.is_empty else [_left_out(gap)]
    shown_from = whole.start if first else stop
    return _answer(one, page, cursors, lines=[*first, *between, *last], start=shown_from, left=gap, total=len(texts))


def _first_third(texts: list[str], span: Span, budget: Budget) -> tuple[list[str], Place]:
    """Return the first turns, whole ones only, in a third of the room."""
    rest = budget.left - budget.left // 3
    budget.left -= rest
    lines: list[str] = []
    for position, text in enumerate(texts):
        if not budget.takes(text):
            break
        lines.append(text)
        span = span._replace(start=Place(position + 1))
    budget.left += rest
    return lines, span.start


def _left_out(gap: Span) -> str:
    last = gap.stop.turn if gap.stop.at else gap.stop.turn - 1
    return f"… turns {gap.start.turn} to {last} left out" if last > gap.start.turn else f"… turn {last} left out"


def _answer(
    one: Conversation, page: Page, cursors: Cursors, *, lines: list[str], start: Place, left: Span, total: int
) -> Reading:
    page.add(*lines)
    shown = sum(line.startswith("[") for line in lines)
    cursor = None if left.is_empty else cursors.at((*left.start, *left.stop))
    if cursor:
        page.note(f"Not shown yet: {_left_out(left).removeprefix('… ').removesuffix(' left out')}.")
    answer = page.answer(cursor)
    return Reading(
        answer.text,
        cursor,
        answer.notes,
        ref=page.sent(one.ref),
        first_turn=start.turn,
        turns_shown=shown,
        turns_total=total,
    )


def window(
    one: Conversation, page: Page, *, turn: int, before: int | None, after: int | None, include_system: bool
) -> Reading:
    """Return the turns around one, those nearest to it first where there is no room for all; four on a side by default.

    Raises:
        InvalidRefError: the conversation has no such turn.
    """
    texts = turn_lines(one, include_system=include_system)
    if not 0 <= turn < len(texts):
        has = f"has turns 0 to {len(texts) - 1}" if texts else "has no turns"
        raise InvalidRefError(f"there is no turn {turn}: the conversation {has}")
    middle, _ = forward(texts, Span(Place(turn), Place(turn + 1)), page.budget)
    shown = {turn: middle[0]}
    first, last = (max(_AROUND if many is None else many, 0) for many in (before, after))
    steps = sorted(range(turn - first, turn + last + 1), key=lambda each: (abs(each - turn), each))
    for position in steps:
        if position in shown or not 0 <= position < len(texts):
            continue
        if not page.budget.takes(texts[position]):
            page.note("Some turns of this window were left out for want of room: ask for a larger max_tokens.")
            break
        shown[position] = texts[position]
    page.add(*(shown[position] for position in sorted(shown)))
    answer = page.answer()
    return Reading(
        answer.text,
        None,
        answer.notes,
        ref=page.sent(one.ref),
        first_turn=min(shown),
        turns_shown=len(shown),
        turns_total=len(texts),
    )


def part_of(text: str | None) -> Part:
    """Return a part that was named, or `both`; raise `InvalidRefError` for another word."""
    try:
        found: Part = msgspec.convert(text or "both", Part)
    except msgspec.ValidationError:
        pass
    else:
        return found
    raise InvalidRefError(f"unknown part {text!a}: choose from start, end, both")
