"""An answer in the making, within a number of tokens."""

from __future__ import annotations

from ._answers import Answer
from ._budget import Budget
from ._disarm import Record

__all__ = ["Page"]


class Page:
    """An answer in the making: a head of ours, the record of what others said, and notes.

    Args:
        budget: What it may cost.
        word: The word of the marks; None: one that nobody can guess.
    """

    def __init__(self, budget: Budget, word: str | None = None) -> None:
        self.budget = budget
        self.sent = budget.sent
        """Returns a text as it is sent: for what an answer holds besides its text and notes, such as a ref."""
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
        return self.sent("\n".join((*self._head, *([self._record.around(self._lines)] if self._lines else ()))))

    def answer(self, cursor: str | None = None) -> Answer:
        """Return it as an answer."""
        return Answer(self.text, cursor, tuple(map(self.sent, self._notes)))
