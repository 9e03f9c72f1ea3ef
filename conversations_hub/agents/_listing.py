"""Lists of conversations, and of what their agents did, as far as there is room and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final, Literal

from ..schema import Conversation
from ._answers import Listing
from ._cursors import Cursors
from ._disarm import short
from ._entries import Entries, Entry
from ._failures import ToolUse, tool_uses
from ._page import Page
from ._render import about, day, entry_of, line_of
from ._source import Reader
from ._wanted import Wanted, Where, when
from ._wording import nearest, number_of

__all__ = ["Lines", "ToolLines", "conversation_lines", "listed", "suggest"]

Lines = Callable[[Conversation], Sequence[Entry]]
"""Returns the entries of a conversation in a list; none: it is not in it."""

_MOST_ROWS: Final = 50
_MOST_USES: Final = 4  # of one conversation


def conversation_lines(*, of_customer: bool = False) -> Lines:
    """Return what a conversation looks like in a list; among those of one customer, with more of what the user said."""
    return lambda one: [Entry(f"- {line_of(one)}", tuple(about(one, of_customer=of_customer)))]


class ToolLines:
    """What the calls of tools look like in a list: of one tool, or of any; those that failed, or worked."""

    def __init__(self, tool: str | None, *, failed: bool | None) -> None:
        self.tool = tool
        self.names: set[str] = set()
        """The tools that were called, whichever was asked for."""
        self._failed = failed

    def __call__(self, one: Conversation) -> list[Entry]:
        """Return the entries of a conversation; none: it is not in the list."""
        all_uses = tool_uses(one)
        self.names |= {use.name for use in all_uses if use.name}
        uses = [use for use in all_uses if _is_wanted(use, self.tool, failed=self._failed)]
        found = [entry_of(one, use) for use in uses[:_MOST_USES]]
        more = len(uses) - _MOST_USES
        return [*found, Entry(f"    {more} more in it: get_conversation")] if more > 0 else found


def _is_wanted(use: ToolUse, tool: str | None, *, failed: bool | None) -> bool:
    is_it = tool is None or (use.name or "").casefold() == tool.strip().casefold()
    if failed is None or not is_it:
        return is_it
    return use.has_failed if failed else use.outcome == "worked"


def listed(
    reader: Reader, wanted: Wanted, lines: Lines, page: Page, *, behind: Where | None, cursors: Cursors
) -> Listing:
    """Return the entries of the wanted conversations, from behind a place."""
    entries = Entries(page)
    shown = looked_at = 0
    place, is_end = behind, True
    agents: Counter[str] = Counter()
    for row in reader.rows(wanted, behind):
        one = row.one
        found = lines(one) if row.is_wanted else ()
        if found and (shown >= _MOST_ROWS or not entries.take(*found)):
            if shown:
                is_end = False
                break
            entries.cut(*found)  # no answer has room for all of it
        looked_at += 1
        shown += bool(found)
        place = Where.behind(one)
        if one.agent is not None and one.agent.name:
            agents[one.agent.name] += 1
        if reader.is_late:
            page.note(
                f"In the time there was, {looked_at:,} conversations were looked at, back to"
                f" {day(when(one))}: go on with the cursor, or narrow since, provider or status."
            )
            is_end = False
            break
    if shown:
        page.say(f"{number_of(shown, 'conversation')}, newest first{'.' if is_end else ', and there are more.'}")
        entries.show()
    else:
        page.say(f"None, of {looked_at:,} looked at." if looked_at else "None.")
        suggest(page, "agent", wanted.agent, agents)
        if isinstance(lines, ToolLines):
            suggest(page, "tool", lines.tool, lines.names)
    cursor = None if is_end or place is None else cursors.at(place)
    answer = page.answer(cursor)
    return Listing(answer.text, cursor, answer.notes, shown=shown, total=shown if is_end and behind is None else None)


def suggest(page: Page, kind: Literal["agent", "tool"], asked: str | None, names: Collection[str]) -> None:
    """Say which agents or tools have names that are most like the one that was asked for in vain."""
    if asked is not None and asked not in names and (close := nearest(asked, names)):
        page.takes(f"{kind}s with the nearest names: {', '.join(short(name, 60) for name in close)}")
        page.note(f"If the {kind} goes by another name, call again with that.")
