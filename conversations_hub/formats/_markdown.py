r"""Markdown: the facts, the summary and what was said, as a document for people.

All ASCII punctuation in texts is escaped, so none of it makes a link, an image, HTML or a heading.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Final

from ..schema import Conversation, TranscriptTurn
from ..schema._rendering import facts, remark, span
from ._format import Format
from ._said import SaidOptions, said, speaker

__all__ = ["FORMAT"]


def _dump(conversation: Conversation, options: SaidOptions, lost: Counter[str]) -> bytes:
    return ("\n\n".join(_blocks(conversation, options, lost)) + "\n").encode()


def _blocks(conversation: Conversation, options: SaidOptions, lost: Counter[str]) -> Iterator[str]:
    yield f"# {_escaped(conversation.ref)}"
    about = [("status", conversation.status.value), *facts(conversation)]
    yield "\n".join(f"- **{name}**: {_escaped(value, '  ')}" for name, value in about if name != "summary")
    if conversation.summary and (summary := _escaped(conversation.summary)):
        yield f"## Summary\n\n{summary}"
    yield "## Transcript"
    for turn in said(conversation, options, lost):
        if text := _escaped(turn.text):
            yield f"**{_escaped(speaker(conversation, turn), breaks=False)}**{_at(turn)}: {text}"
        if turn.tool_calls:
            yield "\n".join(f"> Tool: {_escaped(call.name or 'unknown', breaks=False)}\\" for call in turn.tool_calls)[
                :-1
            ]
    if why := remark(conversation):
        yield f"*{why}*"


def _at(turn: TranscriptTurn) -> str:
    if turn.start is not None:
        return f" `{span(turn.start)}`"
    return f" `{turn.started_at:%H:%M:%S}`" if turn.started_at else ""


# https://spec.commonmark.org/0.31.2/#backslash-escapes
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")


def _escaped(text: str, indent: str = "", *, breaks: bool = True) -> str:
    """Return text that is taken literally; its line breaks stay, or become spaces, and blank lines disappear."""
    lines = filter(None, map(str.strip, _PUNCTUATION.sub(r"\\\g<0>", text).splitlines()))
    return (f"\\\n{indent}" if breaks else " ").join(lines)


FORMAT: Final = Format(
    name="md",
    media_type="text/markdown",
    suffix=".md",
    framing="document",
    dump=_dump,
    options=SaidOptions,
    writes=frozenset(
        {
            *("provider", "account", "id", "title", "status", "agent", "participants", "created_at", "started_at"),
            *("duration", "end_reason", "provider_end_reason", "transcript", "transcript_state", "summary", "analysis"),
            *("recordings", "cost", "language", "tags", "links", "estimated", "issues"),
            *("transcript.index", "transcript.role", "transcript.text", "transcript.start", "transcript.timestamp"),
            *("transcript.participant", "transcript.tool_calls", "transcript.visibility"),
        }
    ),
)
