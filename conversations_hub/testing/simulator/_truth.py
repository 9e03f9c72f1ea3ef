"""One conversation as it happened, before any provider puts it in its own words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ...schema import Channel, Direction, EndReason, Role
from ._scenarios import Scenario

__all__ = ["TRANSCRIPT_DELAY", "Phase", "ToolUse", "Truth", "Turn"]

TRANSCRIPT_DELAY = 60.0
"""Seconds from the end of a conversation to its transcript."""

_DIALLING = 1.5


class Phase(StrEnum):
    """How far a conversation is at one moment."""

    QUEUED = "queued"
    RINGING = "ringing"
    LIVE = "live"
    PROCESSING = "processing"
    """It ended; its transcript is being written."""
    SETTLED = "settled"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A tool call and its answer; both are JSON text."""

    call_id: str
    name: str
    arguments: str
    result: str
    is_error: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """One entry of what happened: somebody speaks, or the agent uses a tool."""

    role: Role
    text: str
    start: float
    """Seconds from the answer."""
    duration: float
    latency: float = 0.0
    """Seconds the agent took to begin."""
    interrupted: bool = False
    tool: ToolUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true of one conversation, at whatever moment it is looked at; instants are Unix seconds."""

    index: int
    scenario: Scenario
    facts: Mapping[str, str]
    variant: int
    """Bits a provider may spend to choose among its own shapes."""
    channel: Channel
    direction: Direction
    customer: int
    """Which of a hundred customers."""
    created: float
    answered: float | None
    """None where nobody took part."""
    ended: float
    """May lie in the future."""
    ending: EndReason
    planned: float
    """Seconds the whole dialogue takes, if nobody cuts it short."""
    exchanges: int
    said: tuple[Turn, ...] | None = None
    """What is said in all, where somebody wrote it; None: what the scenario has."""

    def phase(self, present: float) -> Phase:
        """Return how far it is at a moment."""
        if present < self.ended:
            if self.answered is not None and present >= self.answered:
                return Phase.LIVE
            return Phase.QUEUED if present < self.created + _DIALLING else Phase.RINGING
        waits = self.answered is not None and present < self.ended + TRANSCRIPT_DELAY
        return Phase.PROCESSING if waits else Phase.SETTLED

    @property
    def duration(self) -> float:
        """Seconds from the answer to the end; 0 where nobody answered."""
        return 0.0 if self.answered is None else self.ended - self.answered

    @property
    def success(self) -> bool | None:
        """Whether it reached its goal; None where nobody can say."""
        if self.ending in {EndReason.CUSTOMER_ENDED, EndReason.AGENT_ENDED}:
            return self.variant % 7 > 0
        return False if self.ending in {EndReason.ERROR, EndReason.NO_ANSWER} else None

    @property
    def phone(self) -> str:
        """The customer's number, from the range kept for fiction."""
        return f"+141555501{self.customer:02}"

    @property
    def summary(self) -> str:
        """What it was about, in a sentence."""
        return self.scenario.summary.format_map(self.facts)

    @property
    def title(self) -> str:
        """What one would call it."""
        return self.scenario.title.format_map(self.facts)
