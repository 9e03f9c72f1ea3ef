"""What people said, and who they are, for formats that are read by people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from ..schema import Conversation, Role, TranscriptTurn, Visibility
from ._format import NoOptions

__all__ = ["NAMES", "SaidOptions", "said", "speaker"]


class SaidOptions(NoOptions, frozen=True, kw_only=True):
    """What is written besides what people said."""

    system: bool = False
    """Whether to write system prompts."""
    internal: bool = False
    """Whether to write what only the company's own people were meant to read."""


def said(conversation: Conversation, options: SaidOptions, lost: Counter[str]) -> Iterator[TranscriptTurn]:
    """Yield the turns to write; count the others that have a text."""
    for turn in conversation.transcript or ():
        if turn.role is Role.SYSTEM and not options.system:
            lost["system prompts"] += 1
        elif turn.visibility is Visibility.INTERNAL and not options.internal:
            lost["internal notes"] += 1
        else:
            yield turn


NAMES: Final = {
    Role.USER: "User",
    Role.ASSISTANT: "Agent",
    Role.HUMAN_AGENT: "Human agent",
    Role.SYSTEM: "System",
    Role.TOOL: "Tool",
    Role.UNKNOWN: "Speaker",
}
"""What speakers without a name are called, by role."""


def speaker(conversation: Conversation, turn: TranscriptTurn) -> str:
    """Return the name of who speaks, else a word for the role."""
    at = turn.participant
    name = conversation.participants[at].name if at is not None and 0 <= at < len(conversation.participants) else None
    return name or NAMES[turn.role]
