"""A conversation laid out for people: its heading, its facts and its transcript.

This module returns the pieces, each with its style, and the plain text that they make. Callers that have colours or a
maximum line width lay out the same pieces themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from .._escaping import escaped, escaped_lines
from . import (
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

__all__ = ["STYLES", "Piece", "Said", "facts", "heading", "plain", "remark", "rendered", "said", "span", "spoken"]

Piece = tuple[str, str]
"""A text and its style: a colour, `bold` or `dim`; empty for none."""

STYLES: Final = {
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
"""The style of each status."""


class Said(NamedTuple):
    """A turn, in three columns."""

    at: str
    """When it began; empty if that is unknown or not wanted."""
    speaker: Piece
    words: list[Piece]
    """Their texts may contain line breaks."""


def rendered(conversation: Conversation, *, tools: bool, times: bool) -> str:
    """Return a conversation as plain text."""
    turns = said(conversation, tools=tools, times=times)
    blocks = [[plain(heading(conversation)), *_in_columns(facts(conversation))]]
    if turns:
        width = max(len(turn.at) for turn in turns)
        rows = [(turn.at.rjust(width), turn.speaker[0], plain(turn.words)) for turn in turns]
        blocks.append([*_in_columns(rows if width else [row[1:] for row in rows])])
    if why := remark(conversation):
        blocks.append([why])
    return "\n\n".join(map("\n".join, blocks))


def plain(pieces: Iterable[Piece]) -> str:
    """Return the text of pieces, without their styles."""
    return "".join(text for text, _ in pieces)


def _in_columns(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """Yield lines of columns; a cell in the last column may have several lines."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        first = "  ".join(cell.ljust(width) for cell, width in zip(row[:-1], widths, strict=False))
        for number, line in enumerate(row[-1].split("\n")):
            yield f"{' ' * len(first) if number else first}  {line}".rstrip()


# heading and facts


def heading(conversation: Conversation) -> list[Piece]:
    """Return the first line: ref, status, channel and direction."""
    kinds = (conversation.channel.value, conversation.direction.value)
    sent = conversation.provider_status
    theirs = f" ({escaped(sent)})" if sent is not None and sent != conversation.status.value else ""
    return [
        (escaped(conversation.ref), "bold"),
        ("  ", ""),
        (conversation.status.value, STYLES[conversation.status]),
        (theirs, "dim"),
        *(("  " + kind, "") for kind in kinds if kind != "unknown"),
    ]


def facts(conversation: Conversation) -> list[tuple[str, str]]:
    """Return everything known besides the transcript, by name; values may contain line breaks."""
    return [(name, escaped_lines(value)) for name, value in _candidates(conversation) if value]


def _candidates(conversation: Conversation) -> Iterator[tuple[str, str | None]]:
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


def span(seconds: float | None) -> str:
    """Return a span in seconds as `m:ss` or `h:mm:ss`; `-` for None."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
    """Return our term, with the provider's in brackets if they differ."""
    return f"{ours} ({theirs})" if ours and theirs and ours != theirs else ours or theirs


# the transcript

_SPEAKERS: Final = {
    Role.USER: ("user", "green"),
    Role.ASSISTANT: ("agent", "cyan"),
    Role.HUMAN_AGENT: ("human agent", "blue"),
    Role.SYSTEM: ("system", "dim"),
    Role.TOOL: ("tool", "magenta"),
    Role.UNKNOWN: ("?", "yellow"),
}

_REASONS: Final = {
    TranscriptState.PENDING: "The transcript is not complete yet: try again in a while.",
    TranscriptState.NOT_LOADED: "The transcript was not loaded.",
    TranscriptState.RESTRICTED: "This key may not read the transcript.",
    TranscriptState.UNAVAILABLE: "There is no transcript, and none will come.",
    TranscriptState.TRUNCATED: "The provider cut the transcript: turns are missing.",
}


def said(conversation: Conversation, *, tools: bool = True, times: bool = True) -> list[Said]:
    """Return the turns; without `tools`, leave out those that only hold tool calls or a tool result."""
    return [
        spoken(turn, tools=tools, times=times)
        for turn in conversation.transcript or ()
        if tools or turn.text or not (turn.tool_calls or turn.tool_result)
    ]


def spoken(turn: TranscriptTurn, *, tools: bool = True, times: bool = True, most: int | None = None) -> Said:
    """Return a turn; arguments and results of tools are cut after `most` characters."""
    return Said(_at(turn) if times else "", _SPEAKERS[turn.role], _words(turn, tools=tools, most=most))


def remark(conversation: Conversation) -> str | None:
    """Return why the transcript is missing or incomplete; None if it is complete."""
    reason = _REASONS.get(conversation.transcript_state)
    return "Nothing was said." if reason is None and not conversation.transcript else reason


def _at(turn: TranscriptTurn) -> str:
    if turn.start is not None:
        return span(turn.start)
    return f"{turn.started_at:%H:%M:%S}" if turn.started_at else ""


def _words(turn: TranscriptTurn, *, tools: bool, most: int | None) -> list[Piece]:
    if turn.role == Role.SYSTEM:  # prompts run to pages
        return [(f"({len(turn.text):,} characters of prompt, not shown here)", "dim")]
    lines: list[list[Piece]] = []
    spoken: list[Piece] = [(escaped_lines(turn.text), "")] if turn.text else []
    if turn.interrupted:
        spoken.append((" (interrupted)", "yellow"))
    if turn.visibility == Visibility.INTERNAL:
        spoken.append((" (internal)", "yellow"))
    if spoken:
        lines.append(spoken)
    if tools:
        lines += [_call(call, most) for call in turn.tool_calls]
        lines += [_result(turn.tool_result, most)] if turn.tool_result else []
    return [piece for number, line in enumerate(lines) for piece in ([("\n", "")] if number else []) + line]


def _call(call: ToolCall, most: int | None) -> list[Piece]:
    return [("→ ", "magenta"), (escaped(call.name or "?"), "magenta"), (f" {_cut(call.arguments, most)}", "dim")]


def _result(result: ToolResult, most: int | None) -> list[Piece]:
    mark = ("← error ", "red") if result.is_error else ("← ", "magenta")
    return [mark, (_cut(result.content, most), "dim")]


def _cut(text: str | None, most: int | None) -> str:
    """Return a text on one line, as far as it may be shown."""
    if not text or most is None or len(text) <= most:
        return escaped(text or "")
    return f"{escaped(text[:most])} … {len(text) - most:,} characters more"
