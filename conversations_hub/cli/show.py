"""Conversations set for people to read: a line in a list, or whole."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..schema import (
    Agent,
    Analysis,
    Conversation,
    Participant,
    Recording,
    Role,
    Status,
    ToolCall,
    ToolResult,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from .terminal import escaped, escaped_lines

__all__ = ["Lines", "console", "day", "span", "whole"]

_STYLES = {
    Status.QUEUED: "cyan",
    Status.RINGING: "cyan",
    Status.IN_PROGRESS: "cyan",
    Status.PROCESSING: "cyan",
    Status.ENDED: "green",
    Status.FAILED: "red",
    Status.NO_ANSWER: "yellow",
    Status.CANCELLED: "yellow",
    Status.UNKNOWN: "dim",
}
_NONE = "-"


class _Console(Console):
    """A console that leaves it to its caller to end where nobody reads any more."""

    def on_broken_pipe(self) -> None:
        """Pass on what rich would end the process for."""
        raise BrokenPipeError(errno.EPIPE, "nobody reads any more")


def console(*, stderr: bool = False) -> Console:
    """Return a console that takes no text for markup."""
    return _Console(stderr=stderr, markup=False, emoji=False, highlight=False)


def span(seconds: float | None) -> str:
    """Return a span as `m:ss` or `h:mm:ss`."""
    if seconds is None:
        return _NONE
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


# in a list

_HEADINGS = ("ref", "status", "channel", "when (UTC)", "length", "turns")
_LONG_REF = 26
_LEAST_WORDS = 24


class Lines:
    """A list of conversations, a line each as it comes.

    Where too little room is left for the first words, they stand on a line of their own.

    Args:
        out: where to write.
        ref_width: the room to give to refs; a longer one moves the rest of its line.
        is_cut: whether lines end where the console does.
    """

    def __init__(self, out: Console, *, ref_width: int = _LONG_REF, is_cut: bool = True) -> None:
        self._out = out
        self._ref_width = ref_width
        self._is_cut = is_cut
        self._has_heading = False

    def write(self, conversation: Conversation) -> None:
        """Write the line of a conversation, below the heading if it is the first."""
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
        line.stylize(_STYLES[status], self._ref_width + 1, self._ref_width + 12)
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
    """Return an instant of this year to the minute, and of another one the day."""
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


# whole


def whole(conversation: Conversation) -> Group:
    """Return a conversation with its heading and its transcript."""
    parts: list[RenderableType] = [_heading(conversation), _facts(conversation)]
    if conversation.transcript:
        parts += ["", _transcript(conversation.transcript)]
    reason = _REASONS.get(conversation.transcript_state)
    if reason is None and not conversation.transcript:
        reason = "Nothing was said."
    if reason is not None:
        parts += ["", Text(reason, style="yellow")]
    return Group(*parts)


_REASONS = {
    TranscriptState.PENDING: "The transcript is not whole yet: ask again in a while.",
    TranscriptState.NOT_LOADED: "The transcript was not loaded.",
    TranscriptState.RESTRICTED: "This key may not read the transcript.",
    TranscriptState.UNAVAILABLE: "There is no transcript, and none will come.",
    TranscriptState.TRUNCATED: "The provider cut the transcript: turns are missing.",
}


def _heading(conversation: Conversation) -> Text:
    kinds = (conversation.channel.value, conversation.direction.value)
    said = conversation.provider_status
    theirs = f" ({escaped(said)})" if said is not None and said != conversation.status.value else ""
    return Text.assemble(
        (escaped(conversation.ref), "bold"),
        "  ",
        (conversation.status.value, _STYLES[conversation.status]),
        (theirs, "dim"),
        *(("  " + kind, "") for kind in kinds if kind != "unknown"),
    )


def _facts(conversation: Conversation) -> Table:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _told(conversation):
        if value:
            facts.add_row(name, Text(escaped_lines(value)))
    return facts


def _told(conversation: Conversation) -> Iterator[tuple[str, str | None]]:
    yield "title", conversation.title
    yield "when", _when(conversation)
    yield "agent", _agent(conversation.agent)
    yield "with", ", ".join(filter(None, map(_participant, conversation.participants)))
    yield "end", _pair(conversation.end_reason, conversation.provider_end_reason)
    yield "summary", conversation.summary
    yield "analysis", _analysis(conversation.analysis)
    yield "language", conversation.language
    yield "cost", f"{conversation.cost.amount} {conversation.cost.unit}" if conversation.cost else None
    yield "recordings", ", ".join(map(_recording, conversation.recordings))
    yield "tags", ", ".join(conversation.tags)
    yield "links", "\n".join(f"{name}: {url}" for name, url in conversation.links.items())
    yield "estimated", ", ".join(conversation.estimated)
    yield "not read", "\n".join(f"{issue.place}: {issue.reason}" for issue in conversation.issues)


def _when(conversation: Conversation) -> str | None:
    begin = conversation.started_at or conversation.created_at
    length = None if conversation.duration is None else f"{span(conversation.duration)} long"
    return ", ".join(filter(None, (f"{begin:%Y-%m-%d %H:%M:%S} UTC" if begin else None, length))) or None


def _agent(agent: Agent | None) -> str | None:
    return _pair(agent.name, ", ".join(filter(None, (agent.id, agent.version)))) if agent else None


def _participant(one: Participant) -> str | None:
    known = tuple(dict.fromkeys(filter(None, (one.name, one.phone, one.id))))
    return f"{one.kind.value.replace('_', ' ')} {' '.join(known)}" if known and one.kind.value != "ai_agent" else None


def _analysis(analysis: Analysis | None) -> str | None:
    if analysis is None:
        return None
    verdict = None if analysis.success is None else "success" if analysis.success else "no success"
    numbers = [f"{name} {score:g}" for name, score in (analysis.scores or {}).items()]
    values = [f"{name}: {value}" for name, value in (analysis.collected or {}).items()]
    return "\n".join(filter(None, (", ".join(filter(None, (verdict, analysis.sentiment, *numbers))), *values)))


def _recording(recording: Recording) -> str:
    until = f", until {recording.expires_at:%Y-%m-%d %H:%M} UTC" if recording.expires_at else ""
    length = f"{span(recording.duration)}, " if recording.duration is not None else ""
    return f"{length}{recording.access.value.replace('_', ' ')}{until}"


def _pair(ours: str | None, theirs: str | None) -> str | None:
    """Return a word with another in brackets, where they differ."""
    return f"{ours} ({theirs})" if ours and theirs and ours != theirs else ours or theirs


_SPEAKERS = {
    Role.USER: ("user", "green"),
    Role.ASSISTANT: ("agent", "cyan"),
    Role.HUMAN_AGENT: ("human", "blue"),
    Role.SYSTEM: ("system", "dim"),
    Role.TOOL: ("tool", "magenta"),
    Role.UNKNOWN: ("?", "yellow"),
}


def _transcript(turns: tuple[TranscriptTurn, ...]) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", justify="right", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for turn in turns:
        speaker, style = _SPEAKERS[turn.role]
        grid.add_row(_at(turn), Text(speaker, style=style), _said(turn))
    return grid


def _at(turn: TranscriptTurn) -> str:
    if turn.start is not None:
        return span(turn.start)
    return f"{turn.started_at:%H:%M:%S}" if turn.started_at else ""


def _said(turn: TranscriptTurn) -> Text:
    if turn.role == Role.SYSTEM:  # prompts run to pages
        return Text(f"({len(turn.text):,} characters of prompt, left out here)", style="dim")
    spoken = Text(escaped_lines(turn.text))
    if turn.interrupted:
        spoken.append(" (interrupted)", style="yellow")
    if turn.visibility == Visibility.INTERNAL:
        spoken.append(" (internal)", style="yellow")
    tools = [*map(_call, turn.tool_calls), *([_result(turn.tool_result)] if turn.tool_result else [])]
    return Text("\n").join([*([spoken] if spoken.plain else []), *tools])


def _call(call: ToolCall) -> Text:
    return Text.assemble(
        ("→ ", "magenta"), (escaped(call.name or "?"), "magenta"), (f" {escaped(call.arguments or '')}", "dim")
    )


def _result(result: ToolResult) -> Text:
    mark = ("← error ", "red") if result.is_error else ("← ", "magenta")
    return Text.assemble(mark, (escaped(result.content or ""), "dim"))
