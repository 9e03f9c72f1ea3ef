"""Lists of conversations, and of what their agents did, as far as there is room and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

from ..schema import Conversation
from ._answers import Listing
from ._budget import Page
from ._cursors import Cursors
from ._disarm import short
from ._failures import ToolUse, tool_uses
from ._render import about, day, line_of, use_lines
from ._source import Reader, Wanted, Where
from ._wording import nearest

__all__ = ["Lines", "conversation_lines", "listed", "suggest_agents", "tool_lines"]

Lines = Callable[[Conversation], Sequence[str]]
"""Returns the lines of a conversation in a list; none: it is not in it."""

_MOST_ROWS: Final = 50
_MOST_USES: Final = 4  # of one conversation


def conversation_lines(*, most_asked: int) -> Lines:
    """Return what a conversation looks like in a list; `most_asked` characters of what the user said."""
    return lambda one: [f"- {line_of(one)}", *about(one, most_asked=most_asked)]


def tool_lines(tool: str | None, *, failed: bool | None) -> Lines:
    """Return what the calls of tools look like in a list: of one tool, or of any; those that failed, or worked."""

    def lines(one: Conversation) -> list[str]:
        uses = [use for use in tool_uses(one) if _is_wanted(use, tool, failed=failed)]
        found = [
            line if number else f"- {line}"
            for use in uses[:_MOST_USES]
            for number, line in enumerate(use_lines(one, use))
        ]
        more = len(uses) - _MOST_USES
        return [*found, f"    {more} more in it: get_conversation"] if more > 0 else found

    return lines


def _is_wanted(use: ToolUse, tool: str | None, *, failed: bool | None) -> bool:
    is_it = tool is None or (use.name or "").casefold() == tool.strip().casefold()
    if failed is None or not is_it:
        return is_it
    return use.has_failed if failed else use.outcome == "worked"


def listed(
    reader: Reader, wanted: Wanted, lines: Lines, page: Page, *, behind: Where | None, cursors: Cursors
) -> Listing:
    """Return the lines of the wanted conversations, from behind a place."""
    shown = looked_at = 0
    place, is_end = behind, True
    agents: Counter[str] = Counter()
    for row in reader.rows(wanted, behind):
        one = row.one
        found = lines(one) if row.is_wanted else ()
        if found and (shown >= _MOST_ROWS or not _takes(page, found, is_first=not shown)):
            is_end = False
            break
        looked_at += 1
        shown += bool(found)
        place = Where.behind(one)
        if one.agent is not None and one.agent.name:
            agents[one.agent.name] += 1
        if reader.is_late:
            page.note(
                f"In the time there was, {looked_at:,} conversations were looked at, back to"
                f" {day(one.created_at or one.started_at)}: go on with the cursor, or narrow since, provider or status."
            )
            is_end = False
            break
    what = f"{shown} conversation{'s' * (shown != 1)}, newest first." if shown else f"None, of {looked_at:,} looked at."
    page.say(what)
    if not shown and wanted.agent is not None:
        suggest_agents(page, wanted.agent, agents)
    cursor = None if is_end or place is None else cursors.at(place)
    answer = page.answer(cursor)
    return Listing(answer.text, cursor, answer.notes, shown=shown, total=shown if is_end and behind is None else None)


def _takes(page: Page, lines: Sequence[str], *, is_first: bool) -> bool:
    if page.takes("\n".join(lines)):
        return True
    if is_first:  # no answer has room for all of it
        page.note("The first was cut for want of room: ask for a larger max_tokens.")
        taken = [page.takes(line) for line in lines]
        return any(taken)
    return False


def suggest_agents(page: Page, asked: str, agents: Counter[str]) -> None:
    """Say which agents have names that are most like the one that was asked for in vain."""
    if asked not in agents and (close := nearest(asked, agents)):
        page.takes(f"agents with the nearest names: {', '.join(short(name, 60) for name in close)}")
        page.note("If the agent goes by another name, call again with that; describe_sources lists agents.")
