"""Positions of turns that are given twice, as an offset from the start and as an instant, made consistent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..schema import Role, TranscriptTurn, Word

__all__ = ["LAG", "followed", "rebased"]

LAG = 3.0
"""Seconds by which an offset may lag behind the instants before its clock counts as restarted."""

_LOOKED_AT = 4  # turns per conversation, the last among them: every turn after a hand-over lags


def rebased(turns: Sequence[TranscriptTurn]) -> tuple[TranscriptTurn, ...] | None:
    """Return the turns with corrected starts; None if the given starts are plausible.

    Some clocks restart when another agent takes over. Their offsets are then too small, and the instants give the true
    positions; a turn without an instant lags as much as the turn before it. A system prompt may be recorded before
    anyone is connected, so it says nothing about the clock.
    """
    zero = _zero(turns)
    if zero is None:
        return None
    latest = zero + LAG
    for turn in turns[:: -max(1, len(turns) // _LOOKED_AT)]:
        start, moment = turn.start, turn.timestamp
        if start is not None and moment is not None and moment - start > latest:
            return tuple(_rebase(turns, zero))
    return None


def _zero(turns: Sequence[TranscriptTurn]) -> float | None:
    for turn in turns:
        start, moment = turn.start, turn.timestamp
        if start is not None and moment is not None and turn.role is not Role.SYSTEM:
            return moment - start
    return None


def _rebase(turns: Sequence[TranscriptTurn], zero: float) -> Iterator[TranscriptTurn]:
    lag = 0.0
    for turn in turns:
        if turn.start is None:
            yield turn
            continue
        if turn.timestamp is not None:
            lag = turn.timestamp - turn.start - zero
        if lag <= LAG:
            yield turn
            continue
        start = round(turn.start + lag, 3)
        yield msgspec.structs.replace(turn, start=start, words=followed(turn.words, start))


def followed(words: tuple[Word, ...], start: float) -> tuple[Word, ...]:
    """Return the words of a turn, moved to the turn's start unless they are already there."""
    first = words[0].start if words else None
    if first is None or abs(first - start) <= LAG:
        return words
    return tuple(
        [
            word if word.start is None else msgspec.structs.replace(word, start=round(word.start - first + start, 3))
            for word in words
        ]
    )
