"""Render conversations on a terminal: as a line in a list, or completely."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..schema import Conversation, TranscriptState
from ..schema._rendering import STYLES, Said, facts, heading, remark, said, span
from .terminal import escaped

__all__ = ["ConversationTable", "console", "day", "render"]

_NONE = "-"


class _Console(Console):
    """A console that leaves broken pipes to its caller."""

    def on_broken_pipe(self) -> None:
        """Raise the error, for which rich would end the process."""
        raise BrokenPipeError(errno.EPIPE, "output closed by its reader")


def console(*, stderr: bool = False) -> Console:
    """Return a console that does not interpret markup."""
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False)


# in a list

_HEADINGS = ("ref", "status", "channel", "when (UTC)", "length", "turns")
_LONG_REF = 26
_LEAST_WORDS = 24


class ConversationTable:
    """A list of conversations, which are written as they arrive, one line each.

    If there is too little room for the first words, they go on a second line.

    Args:
        out: the console to write to.
        ref_width: the width of the ref column; a longer ref moves the rest of its line.
        is_cut: whether to cut lines at the width of the console.
    """

    def __init__(self, out: Console, *, ref_width: int = _LONG_REF, is_cut: bool = True) -> None:
        self._out = out
        self._ref_width = ref_width
        self._is_cut = is_cut
        self._has_heading = False

    def write(self, conversation: Conversation) -> None:
        """Write the line of a conversation, after the heading if it is the first."""
        if not self._has_heading:
            self._has_heading = True
            heading = self._with_words(self._line(_HEADINGS), "first words")
            heading.stylize("bold")
            self._print(heading)
        status = conversation.status
        line = self._line(
            (
                escaped(conversation.ref),
                status.value,
                conversation.channel.value,
                day(conversation.started_at or conversation.created_at),
                span(conversation.duration),
                _turns(conversation),
            )
        )
        line.stylize(STYLES[status], self._ref_width + 1, self._ref_width + 12)
        self._print(self._with_words(line, _first_words(conversation)))

    def _line(self, cells: tuple[str, str, str, str, str, str]) -> Text:
        ref, status, channel, when, length, turns = cells
        return Text(f"{ref:<{self._ref_width}} {status:<11} {channel:<7} {when:<12} {length:>7} {turns:>10}")

    def _with_words(self, line: Text, words: str) -> Text:
        is_narrow = self._is_cut and self._out.width - line.cell_len < _LEAST_WORDS
        return line.append("\n  " if is_narrow else "  ").append(words, "dim" if is_narrow else "") if words else line

    def _print(self, text: Text) -> None:
        for line in text.split("\n"):
            if self._is_cut:
                self._out.print(line, no_wrap=True, overflow="ellipsis")
            else:
                self._out.print(line, soft_wrap=True)


def day(moment: datetime | None) -> str:
    """Return an instant, UTC: to the minute if it is in this year, else only the day."""
    if moment is None:
        return _NONE
    is_this_year = moment.year == datetime.now(UTC).year
    return f"{moment:%b %d %H:%M}" if is_this_year else f"{moment:%Y-%m-%d}"


def _turns(conversation: Conversation) -> str:
    if conversation.transcript is not None:
        return str(len(conversation.transcript))
    is_telling = conversation.transcript_state in {TranscriptState.PENDING, TranscriptState.RESTRICTED}
    return conversation.transcript_state.value if is_telling else _NONE


def _first_words(conversation: Conversation) -> str:
    said = next((turn.text for turn in conversation.user_turns if turn.text), None)
    return escaped(said or conversation.title or conversation.summary or conversation.text)


# a whole conversation


def render(conversation: Conversation) -> Group:
    """Return a conversation with heading and transcript, like `Conversation.render`, in colours and columns."""
    parts: list[RenderableType] = [Text.assemble(*heading(conversation)), _facts(conversation)]
    turns = said(conversation)
    if turns:
        parts += ["", _transcript(turns)]
    if why := remark(conversation):
        parts += ["", Text(why, style="yellow")]
    return Group(*parts)


def _facts(conversation: Conversation) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts(conversation):
        grid.add_row(name, Text(value))
    return grid


def _transcript(turns: Sequence[Said]) -> Table:
    has_times = any(turn.at for turn in turns)
    grid = Table.grid(padding=(0, 2))
    if has_times:
        grid.add_column(style="dim", justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for turn in turns:
        cells = (Text.assemble(turn.speaker), Text.assemble(*turn.words))
        grid.add_row(*((turn.at, *cells) if has_times else cells))
    return grid
