"""Where a turn lies in its conversation, told twice: as an offset from the start, and as an instant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from ..schema import Role, TranscriptTurn, Word

__all__ = ["LAG", "followed", "rebased"]

LAG = 3.0
"""Seconds by which an offset may lag behind the instants before its clock counts as one that started again."""

_LOOKED_AT = 4  # of the turns of a conversation, the last among them: the whole part after a hand-over lags


def rebased(turns: Sequence[TranscriptTurn]) -> tuple[TranscriptTurn, ...] | None:
    """Return the turns with starts that can be believed; None where those told can.

    Some clocks start again when another agent takes over. What they tell then is too small, and the instants tell where
    a turn lies; a turn without one lags as much as the turn before. A prompt, which may be noted before anybody is
    connected, tells nothing of the clock.
    """
    zero = _zero(turns)
    if zero is None:
        return None
    latest = zero + LAG
    for turn in turns[:: -max(1, len(turns) // _LOOKED_AT)]:
        start, moment = turn.start, turn.timestamp
        if start is not None and moment is not None and moment - start > latest:
            return tuple(_rebased(turns, zero))
    return None


def _zero(turns: Sequence[TranscriptTurn]) -> float | None:
    for turn in turns:
        start, moment = turn.start, turn.timestamp
        if start is not None and moment is not None and turn.role is not Role.SYSTEM:
            return moment - start
    return None


def _rebased(turns: Sequence[TranscriptTurn], zero: float) -> Iterator[TranscriptTurn]:
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
    """Return the words of a turn, moved to where it starts unless they are there."""
    first = words[0].start if words else None
    if first is None or abs(first - start) <= LAG:
        return words
    return tuple(
        [
            word if word.start is None else msgspec.structs.replace(word, start=round(word.start - first + start, 3))
            for word in words
        ]
    )
