"""The two analyses of our own: what of a conversation and of its turns has no place in a vCon.

Neither holds a text that was said, nor anything else that stands elsewhere in the vCon.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

import msgspec

from ...schema import (
    Agent,
    Analysis,
    Channel,
    Conversation,
    Cost,
    Direction,
    EndReason,
    Issue,
    Recording,
    Role,
    Status,
    TranscriptState,
    TranscriptTurn,
    Visibility,
    Word,
)

__all__ = ["CONVERSATION", "MADE_UP", "TURNS", "Facts", "TurnFacts"]

CONVERSATION: Final = "conversations-hub/conversation/1"
TURNS: Final = "conversations-hub/turns/1"
MADE_UP: Final = "vcon.created_at"
"""Stands last in `estimated` where the vCon's `created_at` is not the conversation's."""


_Numbers = dict[str, float | None]
"""A number that JSON cannot hold is null in it."""


def _open(numbers: dict[str, float] | None) -> _Numbers | None:
    return None if numbers is None else {**numbers}


def _closed(numbers: _Numbers | None) -> dict[str, float] | None:
    return None if numbers is None else {name: value for name, value in numbers.items() if value is not None}


class _Assessment(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An analysis without the sentiment, which has an analysis of its own."""

    success: bool | None = None
    scores: _Numbers | None = None
    collected: dict[str, Any] | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a conversation has no place in a vCon."""

    provider: str
    account: str
    id: str
    status: Status = Status.UNKNOWN
    provider_status: str | None = None
    channel: Channel = Channel.UNKNOWN
    direction: Direction = Direction.UNKNOWN
    agent: Agent | None = None
    participants: int = 0
    """How many of the parties are participants; the others only speak."""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    duration: float | None = None
    end_reason: EndReason | None = None
    provider_end_reason: str | None = None
    transcript_state: TranscriptState = TranscriptState.NOT_LOADED
    analysis: _Assessment | None = None
    recordings: tuple[Recording, ...] = ()
    cost: Cost | None = None
    language: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] = {}
    links: dict[str, str] = {}
    related_ids: dict[str, str] = {}
    estimated: tuple[str, ...] = ()
    issues: tuple[Issue, ...] = ()

    @classmethod
    def of(cls, one: Conversation) -> Facts:
        """Return the facts of a conversation."""
        found = {name: getattr(one, name) for name in _SAME}
        analysis = None
        if (own := one.analysis) is not None:
            analysis = _Assessment(success=own.success, scores=_open(own.scores), collected=own.collected)
        estimated = one.estimated if one.created_at is not None else (*one.estimated, MADE_UP)
        return cls(**found, analysis=analysis, participants=len(one.participants), estimated=estimated)

    @property
    def has_created_at(self) -> bool:
        """Whether the vCon's `created_at` is the conversation's."""
        return self.estimated[-1:] != (MADE_UP,)

    def to_conversation(self, sentiment: str | None) -> Conversation:
        """Return the conversation, without what stands elsewhere in the vCon."""
        analysis = None
        if self.analysis is not None or sentiment is not None:
            own = self.analysis or _Assessment()
            scores = _closed(own.scores)
            analysis = Analysis(success=own.success, sentiment=sentiment, scores=scores, collected=own.collected)
        found = {name: getattr(self, name) for name in _SAME}
        estimated = self.estimated if self.has_created_at else self.estimated[:-1]
        return Conversation(**found, analysis=analysis, estimated=estimated)


_SAME: Final = [name for name in Facts.__struct_fields__ if name not in {"analysis", "participants", "estimated"}]


class TurnFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What of a turn has no place in a dialog, and where its text and tools are."""

    index: int
    role: Role = Role.UNKNOWN
    start: float | None = None
    duration: float | None = None
    timestamp: float | None = None
    participant: int | None = None
    language: str | None = None
    interrupted: bool | None = None
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    metrics: _Numbers | None = None
    visibility: Visibility = Visibility.PUBLIC
    provider_id: str | None = None
    dialog: int | None = None
    """The dialog that holds its text."""
    trace: tuple[int, ...] = ()
    """The entries of the trace that hold its tools, or its text if it was not said to everyone."""

    @classmethod
    def of(cls, turn: TranscriptTurn, dialog: int | None, trace: tuple[int, ...]) -> TurnFacts:
        """Return the facts of a turn."""
        return cls(
            index=turn.index,
            role=turn.role,
            start=turn.start,
            duration=turn.duration,
            timestamp=turn.timestamp,
            participant=turn.participant,
            language=turn.language,
            interrupted=turn.interrupted,
            confidence=turn.confidence,
            words=turn.words,
            metrics=_open(turn.metrics),
            visibility=turn.visibility,
            provider_id=turn.provider_id,
            dialog=dialog,
            trace=trace,
        )

    def to_turn(self, text: str) -> TranscriptTurn:
        """Return the turn, without its tools."""
        found = {name: getattr(self, name) for name in _SAME_OF_TURN}
        return TranscriptTurn(**found, metrics=_closed(self.metrics), text=text)


_SAME_OF_TURN: Final = [name for name in TurnFacts.__struct_fields__ if name not in {"metrics", "dialog", "trace"}]
