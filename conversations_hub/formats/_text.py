"""Plain text: what was said, a line for each turn, as `str(conversation)` returns it."""

from __future__ import annotations

from collections import Counter
from typing import Final

from ..schema import Conversation, TranscriptTurn
from ._format import Format
from ._said import SaidOptions, said

__all__ = ["FORMAT"]


def _dump(conversation: Conversation, options: SaidOptions, lost: Counter[str]) -> bytes:
    turns = said(conversation, options, lost)
    return "".join(f"{line}\n" for line in map(_line, turns) if line).encode() or f"{conversation!r}\n".encode()


def _line(turn: TranscriptTurn) -> str:
    """Return a turn with its further lines indented, so that no text within it looks like another turn."""
    text = turn.text.rstrip()
    return f"{turn.role.value}: " + "\n    ".join(text.splitlines()) if text else ""


FORMAT: Final = Format(
    name="text",
    media_type="text/plain",
    suffix=".txt",
    framing="document",
    dump=_dump,
    options=SaidOptions,
    writes=frozenset({"transcript", "transcript.index", "transcript.role", "transcript.text", "transcript.visibility"}),
)
