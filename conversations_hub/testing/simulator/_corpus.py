"""The simulated conversations.

Conversation number i is a pure function of the corpus and i: it is made when asked for, and only the last few hundred
are remembered, so a million cost nothing. Number 0 is the oldest; the newest few run when the simulator starts, a few
more have just ended.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from functools import lru_cache
from random import Random

from ...schema import Channel, Direction, EndReason, Role
from ._scenarios import CITIES, DAYS, EMOJI, NAMES, SCENARIOS, TIMES
from ._truth import ToolUse, Truth, Turn

__all__ = ["Corpus", "fraction"]

_RUNNING = 4
_JUST_ENDED = 3
_SETTLED_AGE = 600.0
_LONGEST_SPAN = 180 * 86400.0
_SPACING = 2400.0
_MOST_EXCHANGES = 18
_MASK_64 = (1 << 64) - 1
_IDS = 1 << 40
_REMEMBERED = 500


def _mix(*parts: int) -> int:
    """Return 64 bits that depend on every bit of every part, the same in each process."""
    state = 0x9E3779B97F4A7C15
    for part in parts:
        state = ((state ^ part) * 0xBF58476D1CE4E5B9 + 0x94D049BB133111EB) & _MASK_64
        state ^= state >> 29
    state = (state * 0xBF58476D1CE4E5B9) & _MASK_64
    return state ^ (state >> 32)


def fraction(*parts: int) -> float:
    """Return a number from 0 up to 1 that depends on every part."""
    return (_mix(*parts) >> 11) / (1 << 53)


# What a settled conversation came to: shares of a hundred, added up.
_ENDINGS = (
    (52, EndReason.CUSTOMER_ENDED),
    (80, EndReason.AGENT_ENDED),
    (86, EndReason.TRANSFERRED),
    (92, EndReason.NO_ANSWER),
    (96, EndReason.ERROR),
    (98, EndReason.MAX_DURATION),
    (100, EndReason.CANCELLED),
)
_CHANNELS = (Channel.PHONE, Channel.PHONE, Channel.PHONE, Channel.WEB, Channel.CHAT, Channel.EMAIL)
_UNANSWERED = frozenset({EndReason.NO_ANSWER, EndReason.CANCELLED})
_CUT = frozenset({EndReason.ERROR, EndReason.MAX_DURATION, EndReason.TRANSFERRED})
_OUTBOUND = 0.4
_WITH_EMOJI = 0.06
_INTERRUPTED = 0.08
_GOES_ON = 0.6
"""Seconds for which an agent who is interrupted goes on speaking."""
_TOOL_FAILS = 0.1
_SECOND_TOOL = 9
"""The exchange before whose answer a tool is used once more."""


class Corpus:
    """All conversations of one provider.

    Args:
        provider: Its name; two providers have different conversations.
        prefix: What its conversation ids begin with.
        size: How many there are.
        seed: Another seed, other conversations and ids.
        now: The moment the corpus is made for, in Unix seconds.
    """

    def __init__(self, provider: str, *, prefix: str = "", size: int, seed: int, now: float) -> None:
        self.size = size
        self.now = now
        self._prefix = prefix
        self._salt = _mix(seed, zlib.crc32(provider.encode()))
        self._factor = _mix(self._salt, 1) % _IDS | 1  # odd, so it has an inverse
        self._inverse = pow(self._factor, -1, _IDS)
        self._offset = _mix(self._salt, 2) % _IDS
        self._spacing = min(_SPACING, _LONGEST_SPAN / max(size, 1))
        # The same few are asked for again and again, in lists and one by one.
        self._truth = lru_cache(_REMEMBERED)(self._made)
        self._said = lru_cache(_REMEMBERED)(self._told)

    def id(self, index: int) -> str:
        """Return the id of conversation number `index`."""
        return f"{self._prefix}{(index * self._factor + self._offset) % _IDS:010x}"

    def index(self, id: str) -> int:
        """Return the number that an id stands for; -1 for what is no id. It may lie beyond the corpus."""
        text = id.removeprefix(self._prefix)
        try:
            index = (int(text, 16) - self._offset) * self._inverse % _IDS
        except ValueError:
            return -1
        return index if id == self.id(index) else -1

    def created(self, index: int) -> float:
        """Return when conversation number `index` was created; later ones are created later."""
        rank = self.size - 1 - index
        roll = fraction(self._salt, 3, index)
        if rank < _RUNNING:
            age = 15 + 30 * rank + 20 * roll
        elif rank < _RUNNING + _JUST_ENDED:
            age = 150 + 30 * (rank - _RUNNING) + 20 * roll
        else:
            age = _SETTLED_AGE + (rank - _RUNNING - _JUST_ENDED + 0.9 * roll) * self._spacing
        return round(self.now - age, 6)

    def truth(self, index: int) -> Truth:
        """Return conversation number `index`."""
        return self._truth(index)

    def _made(self, index: int) -> Truth:
        whole = self.fresh(index, self.created(index))
        rank = self.size - 1 - index
        if rank < _RUNNING:
            answered = self.now + 6 if rank == 0 else whole.created + 3
            return _between(whole, answered, self.now + 40 + 45 * rank)
        if rank < _RUNNING + _JUST_ENDED:
            return _between(whole, whole.created + 3, self.now - 8 - 12 * (rank - _RUNNING))
        roll = fraction(self._salt, 4, index) * 100
        return _ended(whole, next(ending for share, ending in _ENDINGS if roll < share))

    def fresh(self, index: int, created: float) -> Truth:
        """Return a conversation that begins at a moment and takes its course until the customer hangs up."""
        rng = self._rng(5, index)
        scenario = rng.choice(SCENARIOS)
        customer = rng.randrange(100)
        channel = rng.choice(_CHANNELS)
        outbound = channel == Channel.PHONE and rng.random() < _OUTBOUND
        exchanges = min(int(rng.triangular(1, _MOST_EXCHANGES + 1, 4)), 1 + len(scenario.exchanges))
        planned = round(exchanges * rng.uniform(9.0, 18.0) + 8.0, 3)
        answered = created + (rng.uniform(4.0, 15.0) if outbound else 2.0)
        return Truth(
            index=index,
            scenario=scenario,
            facts={
                "name": NAMES[customer % len(NAMES)],
                "order": str(rng.randrange(10_000, 100_000)),
                "day": rng.choice(DAYS),
                "time": rng.choice(TIMES),
                "city": rng.choice(CITIES),
            },
            variant=rng.getrandbits(32),
            channel=channel,
            direction=Direction.OUTBOUND if outbound else Direction.INBOUND,
            customer=customer,
            created=created,
            answered=answered,
            ended=answered + planned,
            ending=EndReason.CUSTOMER_ENDED,
            planned=planned,
            exchanges=exchanges,
        )

    def turns(self, truth: Truth) -> tuple[Turn, ...]:
        """Return everything that is said in a conversation nobody cuts short: 4 to 40 turns, or what was written."""
        if truth.said is not None:
            return truth.said
        # Of the corpus's own, the number alone decides what is said.
        return self._said(truth.index) if truth.index < self.size else self._spoken(truth)

    def _told(self, index: int) -> tuple[Turn, ...]:
        return self._spoken(self._truth(index))

    def _spoken(self, truth: Truth) -> tuple[Turn, ...]:
        rng = self._rng(6, truth.index)
        said = _script(truth, rng)
        slot = truth.planned / len(said)
        turns = [_turn(line, place * slot, slot, rng) for place, line in enumerate(said)]
        return tuple(map(_cut_off, turns, [*turns[1:], None]))

    def _rng(self, *parts: int) -> Random:
        return Random(_mix(self._salt, *parts))  # noqa: S311  (invented conversations, not secrets)


def _between(truth: Truth, answered: float, ended: float) -> Truth:
    planned = ended - answered
    exchanges = max(1, min(int(planned / 14), 1 + len(truth.scenario.exchanges), _MOST_EXCHANGES))
    return replace(truth, answered=answered, ended=ended, planned=planned, exchanges=exchanges)


def _ended(truth: Truth, ending: EndReason) -> Truth:
    if ending in _UNANSWERED:
        direction = Direction.OUTBOUND if truth.channel == Channel.PHONE else Direction.INBOUND
        return replace(truth, ending=ending, direction=direction, answered=None, ended=truth.created + 30.0)
    if ending == EndReason.ERROR and truth.variant & 1:
        return replace(truth, ending=ending, answered=None, ended=truth.created + 2.0)
    if ending in _CUT and truth.exchanges > 1:
        return replace(truth, ending=ending, ended=truth.ended - 0.4 * truth.planned)
    return replace(truth, ending=ending)


_Line = tuple[Role, str, ToolUse | None]


def _script(truth: Truth, rng: Random) -> list[_Line]:
    scenario, facts = truth.scenario, truth.facts
    exchanges = (scenario.opening, *rng.sample(scenario.exchanges, max(truth.exchanges - 1, 0)))
    said: list[_Line] = [(Role.ASSISTANT, scenario.greeting.format_map(facts), None)]
    for place, (question, answer) in enumerate(exchanges[: truth.exchanges]):
        emoji = f" {rng.choice(EMOJI)}" if rng.random() < _WITH_EMOJI else ""
        said.append((Role.USER, question.format_map(facts) + emoji, None))
        if place == _SECOND_TOOL or (place == 0 and truth.variant % 3):
            said.append((Role.TOOL, "", _tool_use(truth, place, rng)))
        said.append((Role.ASSISTANT, answer.format_map(facts), None))
    if truth.exchanges:
        said.append((Role.ASSISTANT, scenario.farewell.format_map(facts), None))
    return said


def _tool_use(truth: Truth, place: int, rng: Random) -> ToolUse:
    tool, facts = truth.scenario.tool, truth.facts
    arguments = {name: value.format_map(facts) for name, value in tool.arguments.items()}
    result = {name: value.format_map(facts) for name, value in tool.result.items()}
    failed = rng.random() < _TOOL_FAILS
    return ToolUse(
        call_id=f"call_{truth.index:x}_{place}",
        name=tool.name,
        arguments=json.dumps(arguments, ensure_ascii=False),
        result=json.dumps({"error": "timed out"} if failed else result, ensure_ascii=False),
        is_error=failed,
    )


def _cut_off(turn: Turn, following: Turn | None) -> Turn:
    """Return a turn as it came out: only the user interrupts, and the agent goes on for a moment."""
    if not turn.interrupted:
        return turn
    if following is None or following.role != Role.USER:
        return replace(turn, interrupted=False)
    return replace(turn, duration=round(following.start + _GOES_ON - turn.start, 2))


def _turn(line: _Line, start: float, slot: float, rng: Random) -> Turn:
    role, text, tool = line
    assistant = role == Role.ASSISTANT
    return Turn(
        role=role,
        text=text,
        start=round(start, 2),
        duration=round(min(0.4 + len(text) / 15, 0.9 * slot), 2),
        latency=round(rng.uniform(0.4, 1.6), 3) if assistant else 0.0,
        interrupted=assistant and start > 0 and rng.random() < _INTERRUPTED,
        tool=tool,
    )
