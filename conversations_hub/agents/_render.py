"""How a conversation reads for a model: one line of facts, or its turns, of the pieces that people are shown."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Final

from ..metrics._talk import SECOND, Talk
from ..schema import Conversation, Role, TranscriptState, TranscriptTurn, Visibility
from ..schema._rendering import facts, heading, plain, remark, span, spoken
from ._disarm import block, short
from ._entries import Detail, Entry
from ._failures import ToolUse, failures_of
from ._wanted import when
from ._wording import number_of

__all__ = ["about", "day", "entry_of", "facts_of", "line_of", "named", "turn_line", "turn_lines", "was_said"]

_MOST_OF_TOOLS: Final = 400  # characters of arguments, and of a result
_MOST_OF_FACT: Final = 400
_MOST_SAID: Final = 160
_MOST_NAMED: Final = 120
_MOST_ABOUT: Final = 80
_MOST_ASKED: Final = 100
_MOST_ASKED_OF_ONE: Final = 240  # by a customer whose conversations are listed
_LATE: Final = 1.5  # seconds until an answer; people answer each other in less
# Links may let in whoever has them, and where a recording is helps nobody who only reads.
_KEPT_BACK: Final = frozenset({"links", "recordings", "not read"})


def day(moment: datetime | None) -> str:
    """Return an instant to the minute, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "at an unknown time"


def named(one: Conversation) -> str:
    """Return the agent's name and id; nothing if there is no agent."""
    agent = one.agent
    return " ".join(filter(None, (agent.name, f"({agent.id})" if agent.id else None))) if agent else ""


def line_of(one: Conversation) -> str:
    """Return the facts of a conversation on one line; what is unknown is left out."""
    agent, status, ended = named(one), one.status.value, one.end_reason
    turns = "" if one.transcript is None else f", {number_of(len(one.transcript), 'turn')}"
    parts = (
        one.ref,
        status if ended is None or ended.value == status else f"{status} ({ended.value})",
        day(when(one)),
        f"{span(one.duration)}{' (estimated)' * ('duration' in one.estimated)}" if one.duration is not None else "",
        f"agent {short(agent, _MOST_NAMED)}" if agent else "",
        f"transcript {one.transcript_state.value}{turns}",
    )
    return short(" | ".join(filter(None, parts)), _MOST_OF_FACT)


def about(one: Conversation, *, of_customer: bool) -> Iterator[Detail]:
    """Yield what a conversation was about: why it failed, its summary, and what the user said first.

    Among those of one customer, what the user said counts for more than a summary.
    """
    if reasons := failures_of(one):
        yield Detail("failed: ", short("; ".join(reasons), _MOST_SAID), 0)
    if words := one.summary or one.title:
        yield Detail("about: ", short(words, _MOST_ABOUT), 2)
    if asked := " / ".join(turn.text for turn in one.user_turns if turn.text):
        yield Detail(
            "the user: ", short(asked, _MOST_ASKED_OF_ONE if of_customer else _MOST_ASKED), 1 if of_customer else 3
        )


def facts_of(one: Conversation, metadata: Collection[str] = ()) -> Iterator[str]:
    """Yield everything known of a conversation besides its turns, a line each, with the metadata of these names."""
    yield block(plain(heading(one)))
    for name, value in facts(one):
        if name not in _KEPT_BACK:
            left = len(value) - _MOST_OF_FACT
            cut = f"{value[:_MOST_OF_FACT]} … {left:,} characters more" if left > 0 else value
            yield block(f"{name}: {cut}")
    for name in metadata:
        if name in one.metadata:
            yield f"{short(name, _MOST_OF_FACT)}: {short(str(one.metadata[name]), _MOST_OF_FACT)}"
    if reasons := failures_of(one):
        yield f"failed: {short('; '.join(reasons), _MOST_OF_FACT)}"
    if one.issues:
        yield f"{len(one.issues)} of the provider's values could not be read"
    if one.transcript_state is not TranscriptState.AVAILABLE and (why := remark(one)):
        yield why


def turn_line(position: int, turn: TranscriptTurn, wait: float = 0.0) -> str:
    """Return a turn: its position, when it began, who spoke, and what; further lines are indented.

    An agent that answered late has the seconds for which the user had waited.
    """
    said = spoken(turn, most=_MOST_OF_TOOLS)
    late = f" (+{wait:.1f} s)" if wait > _LATE else ""
    return block(f"[{f'{position} {said.at}'.strip()}] {said.speaker[0]}{late}: {plain(said.words)}")


def turn_lines(one: Conversation, *, include_system: bool) -> list[str]:
    """Return the turns by position; an internal note, or a prompt, is only counted unless it is to be included."""
    talk = Talk(one.transcript or (), one.started_at)
    waits = {} if talk.is_coarse else {id(turn): wait / SECOND for turn, wait in talk.waits()}
    return [
        turn_line(position, turn, waits.get(id(turn), 0.0))
        if include_system or was_said(turn)
        else f"[{position}] {'prompt' if turn.role is Role.SYSTEM else 'internal note'}, not shown"
        for position, turn in enumerate(one.transcript or ())
    ]


def was_said(turn: TranscriptTurn) -> bool:
    """Whether a turn is neither a prompt nor an internal note."""
    return turn.role is not Role.SYSTEM and turn.visibility is Visibility.PUBLIC


def entry_of(one: Conversation, use: ToolUse) -> Entry:
    """Return a call of a tool: what the agent said before, what was called, what came back, and what it said then."""
    then = "" if not use.has_failed else "; never worked later" if use.worked_later is None else ""
    if use.worked_later is not None:
        then = f"; worked later, at #{use.worked_later}"
    line = short(f"{one.ref}#{use.turn} | {day(when(one))} | {use.name or '?'} | {use.outcome}{then}", _MOST_OF_FACT)
    return Entry(f"- {line}", tuple(_details_of(use, one.transcript or ())))


def _details_of(use: ToolUse, turns: tuple[TranscriptTurn, ...]) -> Iterator[Detail]:
    spoken_at = (at for at in range(len(turns) - 1, -1, -1) if turns[at].role is Role.ASSISTANT and turns[at].text)
    last = next(spoken_at, None)
    yield from _quoted("before, the agent", use.before, turns, 3)
    if use.call is not None and use.call.arguments:
        yield Detail("→ ", short(use.call.arguments, _MOST_SAID), 4)
    if use.result is not None and use.result.content:
        yield Detail("← ", short(use.result.content, _MOST_SAID), 0)
    yield from _quoted("then, the agent", use.after, turns, 1 if use.after == last else 2)
    if last not in {use.before, use.after}:
        yield from _quoted("at the end, the agent", last, turns, 1)


def _quoted(who: str, position: int | None, turns: tuple[TranscriptTurn, ...], rank: int) -> Iterator[Detail]:
    if position is not None and was_said(turns[position]):
        yield Detail(f"{who} at #{position}: ", short(turns[position].text, _MOST_SAID), rank)
