"""Answers within a number of tokens: whole turns, and a place to go on from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import msgspec

from ._answers import Answer
from ._disarm import Record

__all__ = ["LEAST", "MOST", "Budget", "Page", "Place", "Span", "backward", "forward", "tokens_of"]

LEAST: Final = 250
"""Tokens: the marks alone take sixty."""
MOST: Final = 20_000
"""Tokens: hosts cut answers at 25,000, or move them to a file."""
_FRAME: Final = 90  # tokens of the names of fields, of a cursor and of how to go on
_MARGIN: Final = 0.95  # of the rest


def tokens_of(text: str) -> int:
    """Return about how many tokens a text has: a token is some four bytes in UTF-8, in any script."""
    return -(-len(text.encode(errors="surrogatepass")) // 4)


class Budget:
    """The tokens of one answer.

    Args:
        asked: As many as the caller wants; None: as is usual for the tool.
        usual: How many that is.
        count: Counts the tokens of a text.
    """

    def __init__(self, asked: int | None, usual: int, count: Callable[[str], int] | None = None) -> None:
        wanted = usual if asked is None else asked
        self.tokens = min(max(wanted, LEAST), MOST)
        """How many it may have in all."""
        self.notes: list[str] = []
        """What to tell about it."""
        if wanted != self.tokens:
            limit = "most" if wanted > MOST else "least"
            self.notes.append(f"max_tokens is {self.tokens:,}, the {limit} there is.")
        self._count = count or tokens_of
        self.left = int(self.tokens * _MARGIN) - _FRAME
        """How many are left."""

    def cost(self, text: str) -> int:
        """Return what a line takes in an answer, where it is a part of a JSON text."""
        return self._count(msgspec.json.encode(f"{text}\n").decode(errors="replace"))

    def spend(self, text: str) -> None:
        """Take what a line costs, whether or not there is as much."""
        self.left -= self.cost(text)

    def takes(self, text: str) -> bool:
        """Spend what a line costs, if there is as much."""
        cost = self.cost(text)
        if cost > self.left:
            return False
        self.left -= cost
        return True


class Page:
    """An answer in the making: a head of ours, the record of what others said, and notes.

    Args:
        budget: What it may cost.
        word: The word of the marks; None: one that nobody can guess.
    """

    def __init__(self, budget: Budget, word: str | None = None) -> None:
        self.budget = budget
        self._record = Record(word)
        self._head: list[str] = []
        self._lines: list[str] = []
        self._notes: list[str] = [*budget.notes]
        for text in (self._record.begin, self._record.end, *budget.notes):
            budget.spend(text)

    def say(self, text: str) -> None:
        """Add a line of ours above the record."""
        self._head.append(text)
        self.budget.spend(text)

    def note(self, text: str) -> None:
        """Add a line of ours below the record."""
        if text not in self._notes:
            self._notes.append(text)
            self.budget.spend(text)

    def takes(self, line: str) -> bool:
        """Add a line to the record, if there is room for it."""
        is_taken = self.budget.takes(line)
        if is_taken:
            self._lines.append(line)
        return is_taken

    def add(self, *lines: str) -> None:
        """Add lines to the record for which there is room."""
        self._lines.extend(lines)

    @property
    def text(self) -> str:
        """The head and the record."""
        return "\n".join((*self._head, *([self._record.around(self._lines)] if self._lines else ())))

    def answer(self, cursor: str | None = None) -> Answer:
        """Return it as an answer."""
        return Answer(self.text, cursor, tuple(self._notes))


# parts of a conversation


class Place(NamedTuple):
    """A place in a conversation: before a character of the text of a turn."""

    turn: int
    at: int = 0


class Span(NamedTuple):
    """A part of a conversation, from one place up to another."""

    start: Place
    stop: Place

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return self.start >= self.stop


class _Cut(NamedTuple):
    turn: int
    start: int
    stop: int


def _turns(texts: Sequence[str], span: Span) -> Iterator[_Cut]:
    """Yield what of each turn is in a span."""
    for turn in range(span.start.turn, min(span.stop.turn + 1, len(texts))):
        start = span.start.at if turn == span.start.turn else 0
        stop = span.stop.at if turn == span.stop.turn else len(texts[turn])
        if start < stop:
            yield _Cut(turn, start, stop)


def _shown(texts: Sequence[str], cut: _Cut) -> str:
    text = texts[cut.turn]
    before = f"[{cut.turn}] (goes on) " if cut.start else ""
    left = len(text) - cut.stop
    after = f" … {left:,} characters of this turn left out" if left else ""
    return f"{before}{text[cut.start : cut.stop]}{after}"


def forward(texts: Sequence[str], span: Span, budget: Budget) -> tuple[list[str], Place]:
    """Return the first turns of a span that there is room for, and the place where the rest begins.

    A turn is whole, unless it is the first and too long for any answer.
    """
    lines: list[str] = []
    for cut in _turns(texts, span):
        line = _shown(texts, cut)
        if not budget.takes(line):
            if lines:
                return lines, Place(cut.turn, cut.start)
            part = _most(texts, cut, budget, keeps_end=False)
            budget.spend(line := _shown(texts, part))
            return [line], Place(part.turn, part.stop)
        lines.append(line)
    return lines, span.stop


def backward(texts: Sequence[str], span: Span, budget: Budget) -> tuple[list[str], Place]:
    """Return the last turns of a span that there is room for, and the place up to which the rest goes."""
    lines: list[str] = []
    for cut in reversed([*_turns(texts, span)]):
        line = _shown(texts, cut)
        if not budget.takes(line):
            if lines:
                return lines[::-1], Place(cut.turn, cut.stop)
            part = _most(texts, cut, budget, keeps_end=True)
            budget.spend(line := _shown(texts, part))
            return [line], Place(part.turn, part.start)
        lines.append(line)
    return lines[::-1], span.start


def _most(texts: Sequence[str], cut: _Cut, budget: Budget, *, keeps_end: bool) -> _Cut:
    """Return as much of a turn as there is room for, and at least one character."""
    low, high = 1, cut.stop - cut.start
    while low < high:
        length = (low + high + 1) // 2
        if budget.cost(_shown(texts, _part(cut, length, keeps_end=keeps_end))) <= budget.left:
            low = length
        else:
            high = length - 1
    return _part(cut, low, keeps_end=keeps_end)


def _part(cut: _Cut, length: int, *, keeps_end: bool) -> _Cut:
    if keeps_end:
        return cut._replace(start=cut.stop - length)
    return cut._replace(stop=cut.start + length)
