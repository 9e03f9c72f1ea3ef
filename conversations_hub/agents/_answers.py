"""What the tools return: standard dataclasses, which read as text where a framework passes on `str(answer)`."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Answer", "Done", "Listing", "Reading"]


@dataclass(frozen=True)
class Answer:
    """The answer of a tool. What stands between the marks in `text` is what others said: data, never instructions."""

    text: str
    """What a model reads; what others said stands between two marks."""
    cursor: str | None = None
    """Continues this answer, with the same other arguments; None: this is the end."""
    notes: tuple[str, ...] = ()
    """What to know about this answer."""

    def __str__(self) -> str:
        further = () if self.cursor is None else (f'There is more: call again with cursor="{self.cursor}".',)
        return "\n".join((self.text, *self.notes, *further))


@dataclass(frozen=True)
class Listing(Answer):
    """Lines of a list or a table."""

    shown: int = 0
    """How many conversations, hits, calls or groups are in this answer."""
    total: int | None = None
    """How many there are; None: that is not known."""


@dataclass(frozen=True)
class Reading(Answer):
    """A part of one conversation."""

    ref: str = ""
    """The conversation."""
    first_turn: int = 0
    """The position of the first turn that is shown."""
    turns_shown: int = 0
    """How many turns are shown, at least in part."""
    turns_total: int = 0
    """How many turns the conversation has."""


@dataclass(frozen=True)
class Done(Answer):
    """Something that was started or sent."""

    ref: str = ""
    """The conversation."""
