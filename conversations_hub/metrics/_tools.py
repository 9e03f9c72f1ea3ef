"""Calls of tools: how they ended, and how long they took."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from ..schema import TranscriptTurn
from ._measured import BEYOND
from ._talk import SECOND, Clock

__all__ = ["Tools"]


class Tools:
    """The calls of a transcript, each with its result; of several results of one call, the last counts."""

    def __init__(self, turns: Sequence[TranscriptTurn]) -> None:
        self.calls = 0
        results: dict[str | int, tuple[TranscriptTurn | None, TranscriptTurn]] = {}
        named: dict[str, TranscriptTurn] = {}
        unnamed: deque[TranscriptTurn] = deque()
        for position, turn in enumerate(turns):
            for call in turn.tool_calls:
                self.calls += 1
                if call.id is None:
                    unnamed.append(turn)
                else:
                    named[call.id] = turn
            if turn.tool_result is None:
                continue
            id = turn.tool_result.call_id
            if id is None:
                results[position] = (unnamed.popleft() if unnamed else None), turn
            else:
                results[id] = named.get(id), turn
        self._results = list(results.values())

    @property
    def failed(self) -> list[bool]:
        """Whether each call failed, of those where the provider says so either way."""
        told = [turn.tool_result.is_error for _, turn in self._results if turn.tool_result is not None]
        return [is_error for is_error in told if is_error is not None]

    def reported(self, metric: str | None) -> list[float]:
        """Return how long calls took as the provider says, in seconds, in order."""
        return figures([turn for _, turn in self._results], metric)

    def timed(self, clock: Clock) -> list[float]:
        """Return the times from the start of the turn with the call to the result, in seconds, in order."""
        found: list[float] = []
        for call, result in self._results:
            called, answered = None if call is None else clock.at(call), clock.at(result)
            if called is not None and answered is not None and answered >= called:
                found.append((answered - called) / SECOND)
        return sorted(found)


def figures(turns: Sequence[TranscriptTurn], metric: str | None) -> list[float]:
    """Return the values of a metric that the provider reports on turns, in order."""
    if metric is None:
        return []
    told = [turn.metrics[metric] for turn in turns if turn.metrics and metric in turn.metrics]
    return sorted(figure for figure in told if 0 <= figure < BEYOND)
