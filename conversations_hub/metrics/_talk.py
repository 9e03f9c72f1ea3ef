"""Who spoke when: the spoken entries of a transcript, on one clock.

Times are whole microseconds, so that sums and comparisons are exact: providers give milliseconds, and 0.1 s + 0.2 s in
floats is not 0.3 s.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Final, Literal, NamedTuple

from ..schema import Role, TranscriptTurn, Visibility
from ._measured import BEYOND

__all__ = ["SECOND", "Clock", "Side", "Talk"]

Side = Literal["user", "agent", "other"]

_SIDES: Final[dict[Role, Side]] = {
    Role.USER: "user",
    Role.ASSISTANT: "agent",
    # They take up time, but are neither the user nor the agent that is measured.
    Role.HUMAN_AGENT: "other",
    Role.UNKNOWN: "other",
}
SECOND: Final = 1_000_000
_SHORTEST_CUT: Final = SECOND // 5  # an entry that ends so soon after another began was not interrupted
_FEWEST_COARSE: Final = 3  # entries; two may begin whole seconds apart by chance
_WHOLE: Final = 100  # microseconds by which a whole second may be off


class Clock(NamedTuple):
    """Where the times of a transcript come from; those of two clocks differ by seconds, so they are never mixed."""

    source: Literal["start", "timestamp"]
    zero: float
    """The instant of time zero in Unix seconds, for the clock of timestamps."""

    @property
    def field(self) -> str:
        """The field that its times come from, under the name of `Conversation.estimated`."""
        return f"transcript.{self.source}"

    def at(self, turn: TranscriptTurn) -> int | None:
        """Return when a turn began; None if it has no time, or one that cannot be used."""
        told = turn.start if self.source == "start" else turn.timestamp
        return None if told is None else _microseconds(told - self.zero)


Entry = tuple[Side, int, int | None]
"""One spoken entry: who, its start and its end."""
Span = tuple[int, int]


class Talk:
    """The spoken entries of a transcript.

    Args:
        turns: The transcript.
        started_at: When the conversation began; the zero of a clock of timestamps.
    """

    def __init__(self, turns: Sequence[TranscriptTurn], started_at: datetime | None) -> None:
        self.turns = [
            turn
            for turn in turns
            if turn.role in _SIDES and turn.visibility == Visibility.PUBLIC and turn.text and not turn.text.isspace()
        ]
        self.sides: list[Side] = [_SIDES[turn.role] for turn in self.turns]
        """The side of each entry, in the provider's order."""
        self.runs: list[Side] = [side for side, _ in groupby(self.sides)]
        """The sides that took turns: entries in a row count once."""
        self.exchanges = sum(pair == ("user", "agent") for pair in pairwise(self.runs))
        self.clock, starts = _clock(self.turns, started_at)
        self.is_anchored = self.clock is not None and (self.clock.source == "start" or started_at is not None)
        """Whether time zero is the start of the conversation."""
        self.is_coarse = len(starts) >= _FEWEST_COARSE and all(map(_is_whole, [each - starts[0] for each in starts]))
        """Whether the times are in whole seconds: they then lie whole seconds apart."""
        ends = [_end(turn, start, self.clock) for turn, start in zip(self.turns, starts, strict=False)]
        self.entries: list[Entry] = sorted(zip(self.sides, starts, ends, strict=False), key=itemgetter(1))
        """The entries in order of their start; none without a clock."""
        self.inputs = frozenset(_inputs(self.turns, self.clock))
        """The fields of the conversation that the times come from, under the names of `Conversation.estimated`."""
        self.endless = len(self.entries) - sum(end is not None for end in ends)
        """How many entries have no end."""

    def turns_of(self, side: Side) -> list[TranscriptTurn]:
        """Return the entries of a side."""
        return [turn for turn, of in zip(self.turns, self.sides, strict=True) if of == side]

    def texts(self, side: Side) -> list[str]:
        """Return what a side said."""
        return [turn.text for turn in self.turns_of(side)]

    def spans(self, *sides: Side) -> list[Span]:
        """Return the times in which one of the sides spoke, in order and apart from each other."""
        found: list[Span] = []
        for side, start, end in self.entries:
            if side not in sides or end is None:
                continue
            if found and start <= found[-1][1]:
                if end > found[-1][1]:
                    found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        return found

    def monologues(self, side: Side) -> Iterator[int]:
        """Yield the spans from where a side began to where it stopped, with no other side beginning in between."""
        since, until = 0, None
        for of, start, end in self.entries:
            if of != side:
                if until is not None:
                    yield until - since
                until = None
            elif end is not None:
                since, until = (start, end) if until is None else (since, max(until, end))
        if until is not None:
            yield until - since

    def latencies(self, before: Side, after: Side) -> tuple[list[int], int]:
        """Return the times from the end of one side's entry to the start of the other side's next one.

        Those where the other began earlier are no latencies. Beside them, in how many places it is not known when the
        first entry ended.
        """
        pairs = [
            (end, start) for (one, _, end), (two, start, _) in pairwise(self.entries) if one == before and two == after
        ]
        waits = [start - end for end, start in pairs if end is not None]
        return sorted(wait for wait in waits if wait >= 0), len(pairs) - len(waits)

    def waits(self) -> Iterator[tuple[TranscriptTurn, int]]:
        """Yield each entry of the agent after one of the user, and the time from the end of that to its start."""
        clock = self.clock
        turns = [] if clock is None else sorted(self.turns, key=lambda turn: clock.at(turn) or 0)  # as the entries are
        for turn, ((one, _, end), (two, start, _)) in zip(turns[1:], pairwise(self.entries), strict=False):
            if one == "user" and two == "agent" and end is not None:
                yield turn, start - end

    def interrupted(self, side: Side, by: Side) -> int:
        """Return the number of entries of a side during which the other began, not just before they ended."""
        starts = [start for of, start, _ in self.entries if of == by]
        count = 0
        for of, start, end in self.entries:
            if of == side and end is not None:
                next_one = bisect_right(starts, start)
                count += next_one < len(starts) and end - starts[next_one] > _SHORTEST_CUT
        return count

    def first(self, side: Side) -> int | None:
        """Return when a side first spoke."""
        return next((start for of, start, _ in self.entries if of == side), None)


def _clock(turns: Sequence[TranscriptTurn], started_at: datetime | None) -> tuple[Clock | None, list[int]]:
    """Return the clock that has a time for each of the turns, and these times."""
    clocks: list[Clock] = [Clock("start", 0.0)]
    if turns and turns[0].timestamp is not None:
        clocks.append(Clock("timestamp", turns[0].timestamp if started_at is None else started_at.timestamp()))
    for clock in clocks if turns else ():
        times = [at for turn in turns if (at := clock.at(turn)) is not None]
        if len(times) == len(turns):
            return clock, times
    return None, []


def _inputs(turns: Sequence[TranscriptTurn], clock: Clock | None) -> Iterator[str]:
    if clock is not None:
        yield clock.field
    if any(turn.duration is not None for turn in turns):
        yield "transcript.duration"
    if any(turn.duration is None and turn.words for turn in turns):
        yield "transcript.words"


def _is_whole(span: int) -> bool:
    return (span + _WHOLE) % SECOND <= 2 * _WHOLE


def _end(turn: TranscriptTurn, start: int, clock: Clock | None) -> int | None:
    if turn.duration is not None and turn.duration >= 0:
        length = _microseconds(turn.duration)
        return None if length is None else start + length
    if not turn.words or clock is None or clock.source != "start":
        return None
    last = turn.words[-1]
    if last.start is None or last.duration is None:
        return None
    end = _microseconds(last.start + last.duration)
    # The last word may end before the entry begins, where the two were told on different clocks.
    return None if end is None or end < start else end


def _microseconds(seconds: float) -> int | None:
    # Not a number is not between the two either.
    return round(seconds * SECOND) if -BEYOND < seconds < BEYOND else None
