"""Removes secrets from conversations, wherever they keep JSON of their provider."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from ..schema import Analysis, Conversation, TranscriptTurn
from .members import scrubbed, starred

__all__ = ["without_secrets", "without_secrets_in_analysis", "without_secrets_in_turn"]


def without_secrets(conversation: Conversation, names: Collection[str]) -> Conversation:
    """Return a conversation in which members with these names have the value `***`, wherever it keeps JSON."""
    if not names:
        return conversation
    changed: dict[str, Any] = {}
    if (raw := conversation.raw) and (clean_raw := scrubbed(raw, names)) is not raw:
        changed["raw"] = clean_raw
    if (metadata := conversation.metadata) and (clean_metadata := starred(metadata, names)) is not metadata:
        changed["metadata"] = clean_metadata
    if (analysis := conversation.analysis) and (clean := without_secrets_in_analysis(analysis, names)) is not analysis:
        changed["analysis"] = clean
    if (turns := conversation.transcript) and (clean_turns := _turns_without_secrets(turns, names)) is not turns:
        changed["transcript"] = clean_turns
    return msgspec.structs.replace(conversation, **changed) if changed else conversation


def _turns_without_secrets(turns: tuple[TranscriptTurn, ...], names: Collection[str]) -> tuple[TranscriptTurn, ...]:
    # Most turns have no tool, and no function is called for those.
    places = [place for place, turn in enumerate(turns) if turn.tool_calls or turn.tool_result is not None]
    if not places:
        return turns
    clean = list(turns)
    for place in places:
        clean[place] = without_secrets_in_turn(turns[place], names)
    return tuple(clean) if any(clean[place] is not turns[place] for place in places) else turns


def without_secrets_in_analysis(analysis: Analysis, names: Collection[str]) -> Analysis:
    """Return an analysis in which collected members with these names have the value `***`."""
    collected = analysis.collected and starred(analysis.collected, names)
    return analysis if collected is analysis.collected else msgspec.structs.replace(analysis, collected=collected)


def without_secrets_in_turn(turn: TranscriptTurn, names: Collection[str]) -> TranscriptTurn:
    """Return a turn in which members with these names have the value `***`, in arguments and results of tools."""
    changed: dict[str, Any] = {}
    given = [call.arguments for call in turn.tool_calls]
    cleaned = starred(given, names)
    if cleaned is not given:
        calls = zip(turn.tool_calls, cleaned, strict=True)
        changed["tool_calls"] = tuple(msgspec.structs.replace(call, arguments=clean) for call, clean in calls)
    result = turn.tool_result
    if result is not None and (content := starred(result.content, names)) is not result.content:
        changed["tool_result"] = msgspec.structs.replace(result, content=content)
    return msgspec.structs.replace(turn, **changed) if changed else turn
