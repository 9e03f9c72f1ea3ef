"""Removes secrets from conversations, wherever they keep JSON of their provider."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

import msgspec

from ..schema import Analysis, Conversation, TranscriptTurn
from .members import scrubbed, stars_among, stars_in

__all__ = ["without_secrets", "without_secrets_in_analysis", "without_secrets_in_turn"]


def without_secrets(conversation: Conversation, names: Collection[str], *, is_bounded: bool = False) -> Conversation:
    """Return a conversation in which members with these names have the value `***`, wherever it keeps JSON.

    With `is_bounded`, raises `PayloadError` if what it keeps decoded is nested too deeply.
    """
    changed: dict[str, Any] = {}
    if (metadata := conversation.metadata) and (stars := stars_in(metadata, names, is_bounded=is_bounded)):
        changed["metadata"] = metadata | stars
    if (analysis := conversation.analysis) is not None:
        clean = without_secrets_in_analysis(analysis, names, is_bounded=is_bounded)
        if clean is not analysis:
            changed["analysis"] = clean
    if (
        names
        and (turns := conversation.transcript)
        and (clean_turns := _turns_without_secrets(turns, names)) is not turns
    ):
        changed["transcript"] = clean_turns
    if (raw := conversation.raw) and (clean_raw := scrubbed(raw, names)) is not raw:
        changed["raw"] = clean_raw
    return msgspec.structs.replace(conversation, **changed) if changed else conversation


def without_secrets_in_analysis(analysis: Analysis, names: Collection[str], *, is_bounded: bool = False) -> Analysis:
    """Return an analysis in which collected members with these names have the value `***`."""
    collected = analysis.collected
    if not collected or not (stars := stars_in(collected, names, is_bounded=is_bounded)):
        return analysis
    return msgspec.structs.replace(analysis, collected=collected | stars)


def without_secrets_in_turn(turn: TranscriptTurn, names: Collection[str]) -> TranscriptTurn:
    """Return a turn in which members with these names have the value `***`, in arguments and results of tools."""
    [clean] = _turns_without_secrets((turn,), names)
    return clean


def _turns_without_secrets(turns: tuple[TranscriptTurn, ...], names: Collection[str]) -> tuple[TranscriptTurn, ...]:
    told: list[Any] = []
    for turn in turns:
        if turn.tool_calls:
            told += [call.arguments for call in turn.tool_calls]
        if turn.tool_result is not None:
            told.append(turn.tool_result.content)
    stars = stars_among(told, names)
    if not stars:
        return turns
    clean = iter([stars.get(place, one) for place, one in enumerate(told)])
    return tuple(_telling(turn, clean) for turn in turns)


def _telling(turn: TranscriptTurn, told: Iterator[Any]) -> TranscriptTurn:
    """Return a turn whose tools are given and answer the next of what is told."""
    if not turn.tool_calls and turn.tool_result is None:
        return turn
    calls = tuple(msgspec.structs.replace(call, arguments=next(told)) for call in turn.tool_calls)
    result = turn.tool_result and msgspec.structs.replace(turn.tool_result, content=next(told))
    return msgspec.structs.replace(turn, tool_calls=calls, tool_result=result)
