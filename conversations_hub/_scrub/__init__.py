"""Removes secrets from conversations, wherever they keep JSON of their provider."""

from __future__ import annotations

from collections.abc import Collection, Iterator
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
    given = [call.arguments for turn in turns for call in turn.tool_calls]
    answered = [turn.tool_result.content for turn in turns if turn.tool_result is not None]
    told = given + answered
    clean = starred(told, names) if told else told
    if clean is told:
        return turns
    arguments, contents = iter(clean[: len(given)]), iter(clean[len(given) :])
    return tuple(_telling(turn, arguments, contents) for turn in turns)


def without_secrets_in_analysis(analysis: Analysis, names: Collection[str]) -> Analysis:
    """Return an analysis in which collected members with these names have the value `***`."""
    collected = analysis.collected and starred(analysis.collected, names)
    return analysis if collected is analysis.collected else msgspec.structs.replace(analysis, collected=collected)


def without_secrets_in_turn(turn: TranscriptTurn, names: Collection[str]) -> TranscriptTurn:
    """Return a turn in which members with these names have the value `***`, in arguments and results of tools."""
    [clean] = _turns_without_secrets((turn,), names)
    return clean


def _telling(turn: TranscriptTurn, arguments: Iterator[Any], contents: Iterator[Any]) -> TranscriptTurn:
    """Return a turn whose tools have the next arguments and content."""
    if not turn.tool_calls and turn.tool_result is None:
        return turn
    calls = tuple(msgspec.structs.replace(call, arguments=next(arguments)) for call in turn.tool_calls)
    result = turn.tool_result and msgspec.structs.replace(turn.tool_result, content=next(contents))
    return msgspec.structs.replace(turn, tool_calls=calls, tool_result=result)
