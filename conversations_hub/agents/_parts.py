"""As many turns of a conversation as there is room for: whole ones, and a place to go on from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ._budget import Budget

__all__ = ["Place", "Span", "backward", "forward"]


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
    length = budget.most(lambda length: _shown(texts, _part(cut, length, keeps_end=keeps_end)), cut.stop - cut.start)
    return _part(cut, length, keeps_end=keeps_end)


def _part(cut: _Cut, length: int, *, keeps_end: bool) -> _Cut:
    if keeps_end:
        return cut._replace(start=cut.stop - length)
    return cut._replace(stop=cut.start + length)
