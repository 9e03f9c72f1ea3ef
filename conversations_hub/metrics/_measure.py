"""Measure one conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Context, Decimal
from functools import lru_cache
from itertools import pairwise
from typing import Final, Literal, NamedTuple
from zlib import crc32

from ..adapters import load
from ..errors import ConfigurationError, UnknownAccountError
from ..schema import (
    Channel,
    Conversation,
    Cost,
    EndReason,
    ParticipantKind,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
)
from ._definitions import METRICS, PERCENTILES, VERSION
from ._measured import BEYOND, WRITTEN, Basis, Measured, absent, known, nearest_rank
from ._talk import SECOND, Side, Talk
from ._tools import Tools, figures
from ._words import words_in

__all__ = ["EXACT", "Measures", "measure", "usable_cost", "version_of"]

_SIDES: Final[tuple[Literal["user", "agent"], ...]] = ("user", "agent")
_NEIGHBOURS: Final[tuple[tuple[str, Side, Side], ...]] = (
    ("response_latency", "user", "agent"),
    ("user_latency", "agent", "user"),
)
_OF_ENDS: Final = (
    *("user_talk", "agent_talk", "talk_ratio", "overlap", "silence", "longest_silence", "dead_air"),
    *("user_monologue", "agent_monologue", "user_wpm", "agent_wpm"),
)

_WRITTEN: Final = {Channel(channel): absent(f"not spoken: {channel}") for channel in WRITTEN}
_NO_TRANSCRIPT: Final = absent("no transcript")
_NO_TURNS: Final = {
    TranscriptState.PENDING: absent("transcript pending"),
    TranscriptState.TRUNCATED: absent("transcript truncated"),
    TranscriptState.RESTRICTED: absent("transcript restricted"),
    TranscriptState.NOT_LOADED: absent("transcript not loaded"),
}
_NOBODY: Final = absent("nobody talked")
_SAID_NOTHING: Final = {side: absent(f"the {side} said nothing") for side in _SIDES}
_NO_TIMES: Final = absent("no times")
_COARSE: Final = absent("times in whole seconds")

_UNREACHED: Final = {EndReason.VOICEMAIL, EndReason.NO_ANSWER, EndReason.BUSY, EndReason.CANCELLED}
_UNREACHED_STATUSES: Final = {Status.NO_ANSWER, Status.CANCELLED}
_SHORTEST: Final = 0.001  # seconds; a price per minute of less says nothing
EXACT: Final = Context(prec=28)  # whatever the caller's own context rounds to


class Measures(Mapping[str, Measured]):
    """What one conversation measures: a value, or the reason for none, by the name of each metric.

    Args:
        values: The values, by name.
        samples: The latencies behind the percentiles.
    """

    def __init__(self, values: Mapping[str, Measured], samples: Mapping[str, Sequence[float]]) -> None:
        self.samples: dict[str, tuple[float, ...]] = {name: tuple(each) for name, each in samples.items()}
        """The latencies behind the percentiles, in seconds, in order: `response_latency` has those of
        `response_latency_p50` and `response_latency_p95`."""
        self._values = {name: values[name] for name in METRICS}

    def __getitem__(self, name: str) -> Measured:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def measure(conversation: Conversation, *, dead_air: float = 3.0) -> Measures:
    """Measure a conversation: every name of `METRICS` is in the result.

    `dead_air` is the shortest silence, in seconds, that counts as dead air. The same conversation always measures the
    same.
    """
    return _Measuring(conversation, dead_air).result()


def version_of(provider: str) -> int:
    """Return the version of the definitions for one provider: that of all, and what its adapter declares for metrics.

    Numbers of different versions are not to be compared. It has 32 bits.
    """
    return crc32(repr((VERSION, *_told_by(provider))).encode())


class _Measuring:
    def __init__(self, conversation: Conversation, dead_air: float) -> None:
        self._one = conversation
        self._dead_air = dead_air
        self._derived = frozenset(conversation.estimated)
        self._told = _told_by(conversation.provider)
        self._values: dict[str, Measured] = {}
        self._samples: dict[str, list[float]] = {}

    def result(self) -> Measures:
        one = self._one
        written = _WRITTEN.get(one.channel)
        turns, reason = _turns(one)
        self._values["duration"] = self._duration()
        self._values["transferred"] = self._transferred()
        if turns is None:
            self._values["contained"] = self._contained(reason)
        else:
            talk, tools = Talk(turns, one.started_at), Tools(turns)
            self._count(talk, tools)
            self._values["contained"] = self._contained(_unsaid(talk))
            if written is None:
                self._measure_talk(talk)
                self._measure_latencies(talk, tools)
        if written is None:
            self._values["cost_per_minute"] = self._cost_per_minute()
        for name, metric in METRICS.items():
            if name not in self._values:
                self._values[name] = written if written and metric.is_timed else reason
        return Measures(self._values, self._samples)

    def _basis(self, strongest: Basis, *inputs: str) -> Basis:
        return "estimated" if self._derived and not self._derived.isdisjoint(inputs) else strongest

    # what the conversation says of itself

    def _duration(self) -> Measured:
        duration = _usable(self._one.duration)
        return absent("no duration") if duration is None else known(duration, self._basis("reported", "duration"))

    def _cost_per_minute(self) -> Measured:
        cost, duration = usable_cost(self._one.cost), _usable(self._one.duration)
        if cost is None or cost.amount < 0:
            return absent("no cost")
        if duration is None or duration < _SHORTEST:
            return absent("no duration")
        value = EXACT.divide(EXACT.multiply(cost.amount, Decimal(60)), Decimal(str(duration)))
        return Measured(value=value, unit=cost.unit, basis=self._basis("reported", "cost", "duration"))

    def _transferred(self) -> Measured:
        one = self._one
        if one.end_reason is EndReason.TRANSFERRED:
            return known(True, self._basis("reported", "end_reason"))  # noqa: FBT003
        if _has_person(one):
            return known(True, "estimated")  # noqa: FBT003  (a person may have been rung and not reached)
        if not self._told.tells_transfers:
            return absent("the provider does not tell")  # another end reason would not mean that there was none
        if one.end_reason is None or one.end_reason is EndReason.UNKNOWN:
            return absent("no end reason" if one.is_finished else "not finished")
        return known(False, self._basis("reported", "end_reason"))  # noqa: FBT003

    def _contained(self, unsaid: Measured | None) -> Measured:
        one, transferred = self._one, self._values["transferred"]
        if not one.is_finished:
            return absent("not finished")
        if one.end_reason in _UNREACHED or one.status in _UNREACHED_STATUSES:
            return absent("nobody was reached")
        if unsaid is not None:
            return unsaid
        if transferred.value is None or transferred.basis is None:
            return transferred
        return known(not transferred.value, self._basis(transferred.basis, "status", "transcript"))

    # the transcript, without its times

    def _count(self, talk: Talk, tools: Tools) -> None:
        counted = self._basis("counted", "transcript")
        for side in _SIDES:
            self._values[f"{side}_turns"] = known(talk.runs.count(side), counted)
            words = words_in(talk.texts(side))
            self._values[f"{side}_words"] = (
                absent("language without spaces") if words is None else known(words, counted)
            )
        self._values["exchanges"] = known(talk.exchanges, counted)
        self._values["tool_calls"] = known(tools.calls, counted)
        self._values["tool_failures"] = self._tool_failures(tools)

    def _tool_failures(self, tools: Tools) -> Measured:
        failed, missing = tools.failed, max(tools.calls - len(tools.failed), 0)
        if not failed:
            return absent("the provider does not say", missing) if tools.calls else absent("no tool calls")
        basis = self._basis("counted", "transcript", "transcript.tool_result")
        return known(sum(failed), basis, n=len(failed), missing=missing)

    # its times

    def _measure_talk(self, talk: Talk) -> None:
        reason = _without_ends(talk)
        basis = self._basis("measured", "transcript", *talk.inputs)
        self._values |= self._firsts(talk)
        self._values["agent_interrupted"] = self._agent_interrupted(talk, reason)
        self._values["user_interrupted"] = reason or known(talk.interrupted("user", by="agent"), "estimated")
        if reason is not None:
            self._values |= dict.fromkeys(_OF_ENDS, reason)
            return
        spans = {side: talk.spans(side) for side in _SIDES}
        user, agent = (_length(spans[side]) for side in _SIDES)
        both = _length(talk.spans("user", "agent"))
        everybody = talk.spans("user", "agent", "other")
        silences = [later[0] - earlier[1] for earlier, later in pairwise(everybody)]
        self._values |= {
            "user_talk": known(user / SECOND, basis),
            "agent_talk": known(agent / SECOND, basis),
            "talk_ratio": known(agent / (agent + user), basis) if agent + user else absent("nobody talked"),
            "overlap": known((user + agent - both) / SECOND, basis),
            "silence": known(sum(silences) / SECOND, basis),
            "longest_silence": known(max(silences, default=0) / SECOND, basis),
            "dead_air": known(sum(silence / SECOND >= self._dead_air for silence in silences), basis),
        }
        for side, length in zip(_SIDES, (user, agent), strict=True):
            longest = max(talk.monologues(side), default=None)
            self._values[f"{side}_monologue"] = (
                _SAID_NOTHING[side] if longest is None else known(longest / SECOND, basis)
            )
            words = self._values[f"{side}_words"]
            if length and words.value is not None:
                self._values[f"{side}_wpm"] = known(float(words.value) * 60 * SECOND / length, basis)
            else:
                self._values[f"{side}_wpm"] = words if words.value is None else _SAID_NOTHING[side]

    def _firsts(self, talk: Talk) -> Iterator[tuple[str, Measured]]:
        reason = _without_times(talk)
        # Time zero of either clock is the start of the conversation.
        inputs = ("transcript", "started_at", "" if talk.clock is None else talk.clock.field)
        basis: Basis = "estimated" if talk.is_coarse else self._basis("measured", *inputs)
        for side in _SIDES:
            first = talk.first(side)
            if reason is None and first is None:
                found = _SAID_NOTHING[side]
            elif reason is None and (not talk.is_anchored or first is None or first < 0):
                found = absent("no start of the conversation")
            else:
                found = reason or known((first or 0) / SECOND, basis)
            yield f"time_to_first_{side}_word", found

    def _agent_interrupted(self, talk: Talk, reason: Measured | None) -> Measured:
        flags = [turn.interrupted for turn in talk.turns_of("agent") if turn.interrupted is not None]
        if flags:
            return known(sum(flags), self._basis("counted", "transcript", "transcript.interrupted"))
        return reason or known(talk.interrupted("agent", by="user"), "estimated")

    def _measure_latencies(self, talk: Talk, tools: Tools) -> None:
        reason = _without_times(talk) or (_COARSE if talk.is_coarse else None)
        basis = self._basis("measured", "transcript", *talk.inputs)
        for name, before, after in _NEIGHBOURS:
            waits, endless = ([], 0) if reason else talk.latencies(before, after)
            nothing = absent("no ends of turns", endless) if endless else absent("no exchange")
            self._pool(name, [wait / SECOND for wait in waits], reason or nothing, basis, endless)
        metric = self._told.response_metric
        told = figures(talk.turns_of("agent"), metric)
        nothing = absent("the provider does not say" if metric else "the provider does not tell")
        basis = self._basis("reported", "transcript", "transcript.metrics")
        self._pool("reported_latency", told, nothing, basis, max(talk.exchanges - len(told), 0))
        self._measure_tools(talk, tools)

    def _measure_tools(self, talk: Talk, tools: Tools) -> None:
        took = tools.reported(self._told.tool_metric)
        basis = self._basis("reported", "transcript", "transcript.metrics", "transcript.tool_result")
        nothing = absent("no times of tools") if tools.calls else absent("no tool calls")
        if not took and tools.calls and talk.clock is not None:
            basis = "estimated"  # the call is somewhere in its turn
            took, nothing = ([], _COARSE) if talk.is_coarse else (tools.timed(talk.clock), nothing)
        self._pool("tool_latency", took, nothing, basis, max(tools.calls - len(took), 0))

    def _pool(self, name: str, samples: list[float], nothing: Measured, basis: Basis, missing: int) -> None:
        if samples:
            self._samples[name] = samples
        for metric, percent in PERCENTILES[name].items():
            self._values[metric] = (
                known(nearest_rank(samples, percent), basis, n=len(samples), missing=missing) if samples else nothing
            )


def _turns(one: Conversation) -> tuple[Sequence[TranscriptTurn] | None, Measured]:
    """Return the turns, if all of them are there, and the reason why not."""
    reason = _NO_TURNS.get(one.transcript_state, _NO_TRANSCRIPT)
    return (one.transcript if one.transcript_state is TranscriptState.AVAILABLE else None), reason


def _unsaid(talk: Talk) -> Measured | None:
    """Return why the two sides did not talk to each other; None if they did."""
    if not talk.turns:
        return _NOBODY
    return next((_SAID_NOTHING[side] for side in _SIDES if side not in talk.runs), None)


def _without_times(talk: Talk) -> Measured | None:
    """Return why the entries have no times; None if they have."""
    if not talk.turns:
        return _NOBODY
    return _NO_TIMES if talk.clock is None else None


def _without_ends(talk: Talk) -> Measured | None:
    """Return why it is not known from when to when everybody spoke; None if it is.

    One end that is missing is enough: a sum over the others is a wrong sum.
    """
    if (reason := _without_times(talk)) is not None:
        return reason
    if talk.endless:
        return absent(f"{talk.endless} of {len(talk.turns)} turns without an end")
    return _COARSE if talk.is_coarse else None


def _length(spans: Sequence[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)


def _usable(duration: float | None) -> float | None:
    return duration if duration is not None and 0 <= duration < BEYOND else None


def usable_cost(cost: Cost | None) -> Cost | None:
    """Return a cost, if it is a price."""
    return cost if cost is not None and cost.amount.is_finite() and abs(cost.amount) < BEYOND else None


def _has_person(one: Conversation) -> bool:
    """Whether a person of the company is there, other than one who only left notes or closed the conversation."""
    people = {place for place, each in enumerate(one.participants) if each.kind is ParticipantKind.HUMAN_AGENT}
    behind: set[int] = set()
    for turn in one.transcript or ():
        is_internal = turn.visibility is Visibility.INTERNAL
        if not is_internal and (turn.role is Role.HUMAN_AGENT or turn.participant in people):
            return True
        if is_internal and turn.participant is not None:
            behind.add(turn.participant)
    return not people <= behind


class _Told(NamedTuple):
    """What a provider tells of conversations, as its adapter says."""

    response_metric: str | None = None
    tool_metric: str | None = None
    tells_transfers: bool = False


@lru_cache(maxsize=256)
def _told_by(provider: str) -> _Told:
    try:
        adapter = load(provider)
    except (UnknownAccountError, ConfigurationError):  # a conversation outlives the package that read it
        return _Told()
    return _Told(adapter.response_metric, adapter.tool_metric, adapter.tells_transfers)
