"""The entries of a list: first the line of each, then as much of their details as there is room for."""

from __future__ import annotations

from functools import partial
from typing import Final, NamedTuple

from ._disarm import short
from ._page import Page

__all__ = ["Detail", "Entries", "Entry"]

_LEAST: Final = 24  # characters of a detail: fewer tell nothing
_CUT: Final = "Details were cut for want of room: a larger max_tokens, or a narrower filter, shows them."


class Detail(NamedTuple):
    """A line below that of an entry, which is cut before any entry is."""

    label: str
    text: str
    rank: int
    """Details of a lower rank are shown first."""

    def within(self, most: int) -> str:
        """Return the line with at most so many characters of the text."""
        return f"    {self.label}{short(self.text, most)}"


class Entry(NamedTuple):
    """A conversation in a list, or what an agent did in it."""

    line: str
    details: tuple[Detail, ...] = ()


class Entries:
    """The entries of a list, within the budget of an answer.

    Args:
        page: The answer.
    """

    def __init__(self, page: Page) -> None:
        self._page = page
        self._entries: list[Entry] = []
        page.budget.spend(_CUT)  # in case it has to be said

    def take(self, *entries: Entry) -> bool:
        """Take entries if there is room for their lines; return whether there was."""
        is_room = self._page.budget.takes("\n".join(each.line for each in entries))
        if is_room:
            self._entries.extend(entries)
        return is_room

    def cut(self, *entries: Entry) -> None:
        """Take those entries for whose lines there is room; if there is for none, a part of the first line."""
        self._page.note("Some lines were cut for want of room: ask for a larger max_tokens.")
        for place, each in enumerate(entries):
            if not self.take(each):
                if not place:
                    self._entries.append(Entry(self._page.budget.cut(each.line)))
                break

    def show(self) -> None:
        """Add all of them to the record of the answer."""
        lengths = self._lengths()
        for entry in self._entries:
            details = (each.within(lengths[each.rank]) for each in entry.details if each.rank in lengths)
            self._page.add(entry.line, *details)

    def _lengths(self) -> dict[int, int]:
        """Return for each rank how many characters there are for a detail: the same number in all entries."""
        budget = self._page.budget
        budget.left += budget.cost(_CUT)
        details = [detail for entry in self._entries for detail in entry.details]
        longest = max((len(each.text) for each in details), default=0)
        ranks = sorted({each.rank for each in details})
        if not details or budget.takes(_joined(details, longest)):
            return dict.fromkeys(ranks, longest)
        self._page.note(_CUT)
        found: dict[int, int] = {}
        for rank in ranks:
            alike = [each for each in details if each.rank == rank]
            longest = max(len(each.text) for each in alike)
            most = budget.most(partial(_joined, alike), longest)
            if most < min(longest, _LEAST) or not budget.takes(_joined(alike, most)):
                break
            found[rank] = most
        return found


def _joined(details: list[Detail], most: int) -> str:
    return "\n".join(each.within(most) for each in details)
