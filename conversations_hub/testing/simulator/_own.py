"""A conversation that somebody wrote, in place of one that was invented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ...schema import Channel, Direction, EndReason, Role, TranscriptTurn
from ._scenarios import SCENARIOS
from ._truth import TRANSCRIPT_DELAY, ToolUse, Truth, Turn

__all__ = ["RINGS", "SETTLED", "Said", "lasts", "owned", "spoken"]

Said = TranscriptTurn | tuple[str, str]
"""A turn, or who says what: ("user", "Hello.")."""

_PAUSE = 0.8
RINGS = 2.0
"""Seconds until it is answered."""
SETTLED = 2 * TRANSCRIPT_DELAY
"""Seconds from its end until everything is written down."""


def spoken(said: Iterable[Said]) -> tuple[Turn, ...]:
    """Return turns one after the other; where they have no times, they take as long as they are.

    Raises `ValueError` where somebody speaks who is neither user nor assistant.
    """
    turns = [one if isinstance(one, TranscriptTurn) else _turn(*one) for one in said]
    return tuple(_timed(turns))


def _turn(role: str, text: str) -> TranscriptTurn:
    return TranscriptTurn(index=0, role=_SPEAKERS.get(role, Role.UNKNOWN), text=text)


_SPEAKERS = {role.value: role for role in (Role.USER, Role.ASSISTANT)}


def _timed(turns: list[TranscriptTurn]) -> Iterator[Turn]:
    results = {turn.tool_result.call_id: turn.tool_result for turn in turns if turn.tool_result is not None}
    now = 0.0
    for turn in turns:
        if turn.tool_result is not None:
            continue
        if turn.role not in _SPEAKERS.values():
            raise ValueError("somebody speaks who is neither user nor assistant")
        start = now if turn.start is None else turn.start
        duration = round(0.4 + len(turn.text) / 15, 2) if turn.duration is None else turn.duration
        now = start + duration + _PAUSE
        if turn.text or not turn.tool_calls:
            yield Turn(turn.role, turn.text, round(start, 2), duration, interrupted=bool(turn.interrupted))
        for number, call in enumerate(turn.tool_calls):
            result = results.get(call.id)
            tool = ToolUse(
                call_id=call.id or f"call_{turn.index}_{number}",
                name=call.name or "tool",
                arguments=call.arguments or "{}",
                result=(result.content if result else None) or "{}",
                is_error=bool(result and result.is_error),
            )
            yield Turn(Role.TOOL, "", round(start + duration, 2), 0.0, tool=tool)


def lasts(turns: tuple[Turn, ...]) -> float:
    """Return how many seconds a conversation of these turns takes, once it was answered."""
    return max((turn.start + turn.duration for turn in turns), default=0.0) + _PAUSE


def owned(truth: Truth, turns: tuple[Turn, ...], channel: Channel, title: str, summary: str) -> Truth:
    """Return a conversation in which just that is said, from the moment on at which it was created."""
    duration = lasts(turns)
    answered = truth.created + RINGS
    told = {"title": title, "summary": summary}
    return replace(
        truth,
        # The frequent one, of which no provider leaves anything out.
        scenario=replace(SCENARIOS[0], title="{title}", summary="{summary}"),
        facts={**truth.facts, **told},
        channel=channel,
        direction=Direction.INBOUND,
        answered=answered,
        ended=answered + duration,
        ending=EndReason.CUSTOMER_ENDED,
        planned=duration,
        exchanges=sum(turn.role is Role.USER for turn in turns),
        said=turns,
    )
