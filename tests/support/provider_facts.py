"""What each provider reports of a simulated conversation: the facts that it leaves out or reports differently."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

from conversations_hub import Conversation
from conversations_hub.events import EventKind
from conversations_hub.schema import Channel, Direction, EndReason, Role, Status, TranscriptState
from conversations_hub.testing.simulator._truth import Phase, ToolUse, Truth, Turn

from .clock import NOW

__all__ = [
    "AGENT_NEEDS_GET",
    "FACTS",
    "FIXED_PAGES",
    "MAY_HAVE_NOTES_ALONE",
    "NEVER_ENDED",
    "NEVER_LATE",
    "Case",
    "ProviderFacts",
    "Spoken",
]


@dataclass(frozen=True, slots=True)
class Case:
    """A conversation as the hub read it, and the truth at that moment."""

    read: Conversation
    truth: Truth
    present: float
    """Unix seconds."""
    turns: tuple[Turn, ...]
    """Everything said and done so far."""

    @property
    def phase(self) -> Phase:
        return self.truth.phase(self.present)

    @property
    def ending(self) -> EndReason | None:
        """Why it ended; None while it has not."""
        return self.truth.ending if self.truth.ended <= self.present else None

    @property
    def is_over(self) -> bool:
        return self.ending is not None

    @property
    def is_held(self) -> bool:
        """Whether somebody took part, or will."""
        return self.truth.answered is not None

    @property
    def was_held(self) -> bool:
        return self.is_held and self.is_over

    @property
    def is_settled(self) -> bool:
        """Whether somebody took part and the transcript is written."""
        return self.is_held and self.phase is Phase.SETTLED

    @property
    def is_phone(self) -> bool:
        return self.truth.channel is Channel.PHONE

    @property
    def is_audio(self) -> bool:
        return self.truth.channel in {Channel.PHONE, Channel.WEB}

    @property
    def is_dialled(self) -> bool:
        return self.is_phone and self.truth.direction is Direction.OUTBOUND

    def bits(self, place: int, mask: int = 1) -> int:
        """Return the bits by which the simulator chooses among a provider's shapes."""
        return self.truth.variant >> place & mask


@dataclass(frozen=True, slots=True)
class Spoken:
    """A turn in which somebody speaks, with the turns before and after it."""

    case: Case
    turn: Turn
    before: Turn | None
    after: Turn | None

    @property
    def began(self) -> float:
        """Unix seconds."""
        return (self.case.truth.answered or 0.0) + self.turn.start


Fact = Callable[[Case], object]
TurnFact = Callable[[Spoken], object]
"""Returns the value that the provider reports. None: it reports nothing; `ANY`: it reports some value."""

# The value of a missing fact, where that is not None.
_MISSING = {
    "channel": Channel.UNKNOWN,
    "direction": Direction.UNKNOWN,
    "has_recording": False,
    "has_human_agent": False,
}

_PHASES = {Phase.QUEUED: Status.QUEUED, Phase.RINGING: Status.RINGING, Phase.LIVE: Status.IN_PROGRESS}
_ENDS = {EndReason.NO_ANSWER: Status.NO_ANSWER, EndReason.CANCELLED: Status.CANCELLED, EndReason.ERROR: Status.FAILED}


def _status(case: Case) -> Status:
    return _PHASES.get(case.phase) or _ENDS.get(case.truth.ending, Status.ENDED)


def _state(case: Case) -> TranscriptState:
    if case.is_settled:
        return TranscriptState.AVAILABLE
    return TranscriptState.PENDING if case.is_held or not case.is_over else TranscriptState.UNAVAILABLE


@dataclass(frozen=True, kw_only=True)
class ProviderFacts:
    """What one provider reports. The defaults report everything; a row names the differences."""

    missing: Collection[str] = ()
    """Names of the facts that the provider never reports."""
    shown_by_others: Collection[str] = ()
    """What only its other kinds of conversations show, of what the adapter says that the provider shows."""
    precision: float = 0.002
    """Seconds by which instants and spans may differ."""

    # of a conversation
    status: Fact = _status
    end_reason: Fact = lambda case: case.ending
    channel: Fact = lambda case: case.truth.channel
    direction: Fact = lambda case: case.truth.direction
    agent: Fact = lambda case: case.truth.scenario.agent
    agent_id: Fact = lambda case: str(case.truth.scenario.number)
    """A part of the provider's id of the agent."""
    phone: Fact = lambda case: case.truth.phone if case.is_phone else None
    created_at: Fact = lambda case: case.truth.created
    started_at: Fact = lambda case: case.truth.answered if (case.truth.answered or 0.0) <= case.present else None
    ended_at: Fact = lambda case: case.truth.ended if case.was_held else None
    duration: Fact = lambda case: case.truth.duration if case.was_held else None
    title: Fact = lambda case: case.truth.title
    summary: Fact = lambda case: case.truth.summary if case.is_settled else None
    success: Fact = lambda case: case.truth.success if case.is_settled else None
    order: Fact = lambda case: case.truth.facts["order"] if case.is_settled else None
    """The value collected under this name."""
    cost: Fact = lambda case: ANY if case.is_settled else None
    has_recording: Fact = lambda case: case.is_settled
    has_human_agent: Fact = lambda case: case.ending is EndReason.TRANSFERRED
    state: Fact = _state
    """`transcript_state`."""

    # of its turns
    heard: Callable[[Case], Sequence[Turn]] = lambda case: case.turns if case.is_settled else ()
    """The turns reported so far."""
    text: TurnFact = lambda spoken: spoken.turn.text
    start: TurnFact = lambda spoken: spoken.turn.start
    timestamp: TurnFact = lambda spoken: spoken.began
    length: TurnFact = lambda spoken: spoken.turn.duration
    interrupted: TurnFact = lambda spoken: spoken.turn.interrupted
    latency: TurnFact = lambda spoken: spoken.turn.latency or None
    latency_name: str = ""
    """The name of the metric."""

    # of its tools
    has_tools: bool = True
    has_results: bool = True
    """Whether it reports what the tools returned."""
    tool_name: Callable[[Case, ToolUse], str] = lambda _, tool: tool.name
    is_error: Callable[[ToolUse], object] = lambda tool: tool.is_error
    own_tools: Collection[str] = ()
    """Names of the provider's built-in tools."""

    # of its webhook
    deliveries: Mapping[str, tuple[EventKind, tuple[str, ...]]] = field(default_factory=dict[str, Any])
    """By the provider's name of the event: our kind, and the fields of the conversation that agree with `get`."""
    delivers_in_order: bool = True
    signs_body: bool = True
    """Whether the signature covers the body."""

    def expected(self, fact: str, about: Any) -> object:
        """Return the value that the provider reports for a fact."""
        return _MISSING.get(fact) if fact in self.missing else getattr(self, fact)(about)


# shared by several providers


def _statuses(ends: Mapping[EndReason, Status], **phases: Status) -> Fact:
    """Report other statuses in some phases, by name, and after some ends."""
    named = _PHASES | {Phase[name.upper()]: status for name, status in phases.items()}
    return lambda case: named.get(case.phase) or ends.get(case.truth.ending, Status.ENDED)


def _reasons(others: Mapping[EndReason, EndReason | None]) -> Fact:
    """Report some end reasons as others, or not at all."""
    return lambda case: others.get(case.ending, case.ending) if case.ending else None


def _phone_or_web(case: Case) -> Channel:
    return Channel.PHONE if case.is_phone else Channel.WEB


def _direction_of_calls(case: Case) -> Direction:
    return case.truth.direction if case.is_phone else Direction.UNKNOWN


def _exactly(amount: float, places: int) -> Decimal:
    return Decimal(str(round(amount, places)))


def _whole_start(case: Case) -> int | None:
    """Report whole seconds."""
    answered = case.truth.answered
    return int(answered) if answered is not None and answered <= case.present else None


def _whole_duration(case: Case) -> int | None:
    return int(case.truth.ended) - int(case.truth.answered or 0.0) if case.was_held else None


def _heard_but_while_written(case: Case) -> Sequence[Turn]:
    """Report the turns of a running conversation too, and none in the minute after its end."""
    return () if case.phase is Phase.PROCESSING else case.turns


def _written_state(case: Case) -> TranscriptState:
    """Report what was written so far; while it is nothing, more may come for an hour after the end."""
    is_silent = case.phase is Phase.PROCESSING or not case.turns
    is_young = not case.is_over or case.present - case.truth.ended < 3600.0
    return TranscriptState.PENDING if is_silent and is_young else TranscriptState.AVAILABLE


def _end(case: Case) -> float | None:
    """Report the end even if nobody took part."""
    return case.truth.ended if case.is_over else None


# Tavus: https://docs.tavus.io/api-reference/conversations/get-conversation


def _tavus_created(case: Case) -> float | None:
    return case.truth.created if case.truth.variant % 40 else None  # dates may be empty


def _tavus_started(case: Case) -> float | None:
    """Report when the face joined, which it does even if nobody comes; before that, when the room was created."""
    has_joined = (case.truth.answered or 0.0) <= case.present
    if not has_joined or (case.ending is EndReason.ERROR and not case.is_held):
        return _tavus_created(case)
    return case.truth.answered or case.truth.created + 4.0


def _tavus_duration(case: Case) -> float | None:
    if not case.is_over or (case.ending is EndReason.ERROR and not case.is_held):
        return None
    return case.truth.ended - (case.truth.answered or case.truth.created + 4.0)


def _tavus_state(case: Case) -> TranscriptState:
    return TranscriptState.PENDING if case.ending is EndReason.CANCELLED else _state(case)


def _tavus_timed(fact: TurnFact) -> TurnFact:
    return lambda spoken: fact(spoken) if spoken.case.bits(4, 3) else None


_TAVUS = ProviderFacts(
    missing=(
        *("agent", "cost", "direction", "has_human_agent", "interrupted", "is_error", "latency"),
        *("order", "phone", "success", "summary"),
    ),
    status=_statuses(
        {EndReason.NO_ANSWER: Status.NO_ANSWER, EndReason.ERROR: Status.FAILED},
        ringing=Status.QUEUED,
    ),
    end_reason=_reasons(
        {
            EndReason.AGENT_ENDED: EndReason.CUSTOMER_ENDED,
            EndReason.TRANSFERRED: EndReason.API_ENDED,
            EndReason.CANCELLED: EndReason.API_ENDED,
        }
    ),
    channel=lambda _: Channel.VIDEO,
    created_at=_tavus_created,
    started_at=_tavus_started,
    ended_at=_end,
    duration=_tavus_duration,
    has_recording=lambda case: case.is_settled and bool(case.bits(9)),
    state=_tavus_state,
    start=_tavus_timed(lambda spoken: spoken.turn.start),
    timestamp=_tavus_timed(lambda spoken: spoken.began),
    length=_tavus_timed(lambda spoken: spoken.turn.duration),
    deliveries={
        "system.pal_joined": (EventKind.STARTED, ("started_at",)),
        "system.replica_joined": (EventKind.STARTED, ("started_at",)),
        "system.shutdown": (EventKind.ENDED, ("status", "ended_at", "end_reason", "provider_end_reason")),
        "application.transcription_ready": (EventKind.TRANSCRIPT_READY, ("transcript", "transcript_state")),
        "application.recording_ready": (EventKind.RECORDING_READY, ()),
        "application.perception_analysis": (EventKind.ANALYSIS_READY, ()),
        "application.perception_unavailable": (EventKind.OTHER, ()),
        "application.post_call_action_executed": (EventKind.OTHER, ()),
    },
    delivers_in_order=False,
)


# AnyReach: https://docs.anyreach.ai/conversations/statuses


def _anyreach_is_forgotten(case: Case) -> bool:
    """Whether it is a web session that nobody started, which stays queued forever."""
    return case.truth.channel is Channel.WEB and case.ending is EndReason.NO_ANSWER


def _anyreach_is_written(case: Case) -> bool:
    """Whether the transcript is complete; a chat needs no transcription."""
    return case.is_settled or (case.was_held and case.truth.channel is Channel.CHAT)


def _anyreach_status(case: Case) -> Status:
    is_waiting = case.phase is Phase.RINGING and not case.is_phone
    return Status.QUEUED if is_waiting or _anyreach_is_forgotten(case) else _status(case)


def _anyreach_end_reason(case: Case) -> EndReason | None:
    is_silent = case.ending in {EndReason.CUSTOMER_ENDED, EndReason.AGENT_ENDED, EndReason.MAX_DURATION}
    return None if is_silent or _anyreach_is_forgotten(case) else case.ending


def _anyreach_started(case: Case) -> float | None:
    has_talked = _anyreach_status(case) in {Status.IN_PROGRESS, Status.ENDED, Status.FAILED}
    return case.truth.created if has_talked else None


def _anyreach_duration(case: Case) -> int | None:
    return int(case.truth.ended - case.truth.created) if case.is_over else None


def _anyreach_ended(case: Case) -> float | None:
    started, duration = _anyreach_started(case), _anyreach_duration(case)
    return None if started is None or duration is None else started + duration


def _anyreach_state(case: Case) -> TranscriptState:
    if _anyreach_is_written(case):
        return TranscriptState.AVAILABLE
    return TranscriptState.PENDING if _anyreach_is_forgotten(case) else _state(case)


def _anyreach_heard(case: Case) -> Sequence[Turn]:
    """Report the turns of a running conversation too, some seconds late."""
    if case.phase is not Phase.LIVE:
        return case.turns if _anyreach_is_written(case) else ()
    lag = 0.0 if case.truth.channel is Channel.CHAT else 10.0
    return [turn for turn in case.turns if turn.start <= case.present - (case.truth.answered or 0.0) - lag]


def _anyreach_full(fact: TurnFact) -> TurnFact:
    return lambda spoken: fact(spoken) if spoken.case.bits(1, 3) else None


_ANYREACH = ProviderFacts(
    missing=("cost", "has_human_agent", "length", "order", "start", "success", "title"),
    status=_anyreach_status,
    end_reason=_anyreach_end_reason,
    started_at=_anyreach_started,
    ended_at=_anyreach_ended,
    duration=_anyreach_duration,
    summary=lambda case: case.truth.summary if _anyreach_is_written(case) else None,
    has_recording=lambda case: case.is_settled and case.is_audio,
    state=_anyreach_state,
    heard=_anyreach_heard,
    interrupted=_anyreach_full(lambda spoken: spoken.turn.interrupted),
    latency=_anyreach_full(lambda spoken: spoken.turn.latency or None),
    latency_name="e2e_latency",
    deliveries={"pre_call": (EventKind.STARTED, ()), "post_call": (EventKind.TRANSCRIPT_READY, ())},
)


# Voiceable: https://docs.voiceable.dev/api-reference/conversations/get-conversation
# A conversation has one of two shapes: the documented one, or the one that the provider's own front end reads.


def _is_documented(case: Case) -> bool:
    return bool(case.bits(0))


def _voiceable_status(case: Case) -> Status:
    if case.phase is Phase.SETTLED:
        return Status.ENDED if case.is_held else Status.FAILED
    return {**_PHASES, Phase.RINGING: Status.QUEUED, Phase.PROCESSING: Status.PROCESSING}[case.phase]


def _voiceable_started(case: Case) -> int | None:
    return int(case.truth.created) if _is_documented(case) or not case.bits(4, 3) else None


def _voiceable_duration(case: Case) -> int | None:
    if not case.is_over:
        return None if _is_documented(case) else 0
    return round(case.truth.duration)


def _voiceable_ended(case: Case) -> int | None:
    started, duration = _voiceable_started(case), _voiceable_duration(case)
    return None if not case.is_over or started is None or duration is None else started + duration


def _voiceable_success(case: Case) -> bool | None:
    if _is_documented(case) or case.phase is not Phase.SETTLED:
        return None
    # An outcome counts a conversation without a verdict as a success.
    return case.truth.success is not False if case.is_held and case.bits(3) else case.truth.success


def _voiceable_cost(case: Case) -> Decimal | None:
    cents = round(case.truth.duration / 60 * 12)
    return Decimal(cents) / 100 if case.is_settled and not _is_documented(case) else None


def _voiceable_start(spoken: Spoken) -> int:
    from_record = int(spoken.began) - int(spoken.case.truth.created)
    return from_record if _is_documented(spoken.case) else int(spoken.turn.start)


_VOICEABLE = ProviderFacts(
    missing=("end_reason", "has_human_agent", "interrupted", "latency", "length", "order", "phone", "title"),
    status=_voiceable_status,
    channel=lambda case: Channel.PHONE if case.is_phone and not _is_documented(case) else Channel.UNKNOWN,
    direction=lambda case: Direction.UNKNOWN if _is_documented(case) else _direction_of_calls(case),
    created_at=lambda case: int(case.truth.created) if _is_documented(case) else None,
    started_at=_voiceable_started,
    ended_at=_voiceable_ended,
    duration=_voiceable_duration,
    success=_voiceable_success,
    cost=_voiceable_cost,
    has_recording=lambda case: case.phase is Phase.SETTLED,
    start=_voiceable_start,
    timestamp=lambda spoken: int(spoken.began) if _is_documented(spoken.case) else None,
    has_tools=False,
)


# Vapi: https://docs.vapi.ai/api-reference/calls/get


def _vapi_interrupted(spoken: Spoken) -> bool | None:
    """Report who was interrupted, if the one who did it was heard."""
    return (spoken.turn.interrupted and spoken.after is not None) or None


# Vapi: https://docs.vapi.ai/api-reference/calls/get


def _vapi_latency(spoken: Spoken) -> float | None:
    """Report the latency of replies only."""
    return spoken.turn.latency if spoken.before and spoken.before.role is Role.USER else None


_VAPI = ProviderFacts(
    missing=("has_human_agent", "is_error"),
    channel=_phone_or_web,
    direction=_direction_of_calls,
    agent=lambda case: case.truth.scenario.agent if case.is_settled or case.bits(0) else None,
    ended_at=_end,
    title=lambda case: case.truth.title[:40] if case.bits(1) else None,
    cost=lambda case: _exactly(0.01 + 0.0021 * case.truth.duration, 4) if case.phase is Phase.SETTLED else 0,
    has_recording=lambda case: case.is_settled and bool(case.bits(3)),
    interrupted=_vapi_interrupted,
    latency=_vapi_latency,
    latency_name="turnLatency",
    deliveries={
        "status-update": (ANY, ()),
        "tool-calls": (EventKind.OTHER, ()),
        "end-of-call-report": (
            EventKind.TRANSCRIPT_READY,
            ("status", "end_reason", "transcript", "transcript_state", "summary", "analysis", "cost", "agent"),
        ),
    },
    signs_body=False,
)


# Bland: https://docs.bland.ai/api-v1/get/calls-id


def _bland_is_busy(case: Case) -> bool:
    return case.ending is EndReason.NO_ANSWER and case.truth.variant % 4 == 0


def _bland_status(case: Case) -> object:
    return Status.FAILED if _bland_is_busy(case) else _statuses(_ENDS, ringing=Status.QUEUED)(case)


def _bland_end_reason(case: Case) -> object:
    return EndReason.BUSY if _bland_is_busy(case) else _reasons({EndReason.MAX_DURATION: None})(case)


def _bland_duration(case: Case) -> float | None:
    length = round(case.truth.duration) if case.is_settled else case.truth.duration
    return length if case.is_over else None


def _bland_ended(case: Case) -> float | None:
    """Report the end, or the time limit; in the second case the adapter counts the end from the length."""
    duration = _bland_duration(case)
    if case.truth.answered is None or duration is None:
        return None
    return case.truth.ended if case.bits(2, 3) else case.truth.answered + duration


def _bland_noted(spoken: Spoken) -> float:
    """Report when the agent starts to speak, and when the user stops."""
    return spoken.turn.start + (spoken.turn.duration if spoken.turn.role is Role.USER else 0.0)


_BLAND = ProviderFacts(
    missing=("agent", "interrupted", "latency", "length", "success", "title"),
    precision=0.004,  # before it is settled, the length is in minutes with four decimals
    status=_bland_status,
    end_reason=_bland_end_reason,
    channel=lambda _: Channel.PHONE,
    phone=lambda case: case.truth.phone,
    ended_at=_bland_ended,
    duration=_bland_duration,
    order=lambda case: case.truth.facts["order"] if case.is_settled and not case.bits(6, 3) else None,
    cost=lambda case: _exactly(case.truth.duration / 60 * 0.09, 4) if case.phase is Phase.SETTLED else None,
    has_recording=lambda case: case.is_settled and bool(case.bits(4, 3)),
    heard=lambda case: case.turns if case.is_settled or case.phase is Phase.LIVE else (),
    start=_bland_noted,
    timestamp=lambda spoken: (spoken.case.truth.answered or 0.0) + _bland_noted(spoken),
    has_tools=False,
    deliveries={
        "call": (EventKind.UPDATED, ()),
        "post_call": (
            ANY,
            ("status", "end_reason", "started_at", "ended_at", "duration", "transcript", "summary", "cost"),
        ),
        "citations": (EventKind.ANALYSIS_READY, ("analysis",)),
    },
)


# ElevenLabs: https://elevenlabs.io/docs/api-reference/conversations/get


def _elevenlabs_status(case: Case) -> Status:
    if case.phase in {Phase.QUEUED, Phase.RINGING}:
        return Status.RINGING if case.is_dialled else Status.QUEUED
    if case.phase is Phase.SETTLED:
        return Status.ENDED if case.is_held and case.ending is not EndReason.ERROR else Status.FAILED
    return {Phase.LIVE: Status.IN_PROGRESS, Phase.PROCESSING: Status.PROCESSING}[case.phase]


def _elevenlabs_started(case: Case) -> int | None:
    answered = case.truth.answered
    return int(answered) if answered is not None and answered <= case.present else None


def _elevenlabs_ended(case: Case) -> int | None:
    started = _elevenlabs_started(case)
    return started + int(case.truth.duration) if case.is_over and started is not None else None


_ELEVENLABS = ProviderFacts(
    missing=("length", "timestamp"),
    status=_elevenlabs_status,
    end_reason=lambda case: case.ending if case.is_held or case.ending is EndReason.ERROR else None,
    channel=lambda case: Channel.CHAT if case.truth.channel is Channel.EMAIL else case.truth.channel,
    direction=_direction_of_calls,
    created_at=lambda case: int(case.truth.created),
    started_at=_elevenlabs_started,
    ended_at=_elevenlabs_ended,
    duration=lambda case: int(case.truth.duration) if case.is_over else None,
    title=lambda case: case.truth.title if case.is_settled else None,
    success=lambda case: case.truth.success if case.phase is Phase.SETTLED else None,
    cost=lambda case: ANY if case.phase is Phase.SETTLED else None,
    has_recording=lambda case: case.is_settled and case.is_audio,
    heard=lambda case: case.turns,
    start=lambda spoken: int(spoken.turn.start),
    latency_name="convai_llm_service_ttf_sentence",
    own_tools=("transfer_to_number",),
    deliveries={
        "post_call_transcription": (
            EventKind.TRANSCRIPT_READY,
            ("status", "end_reason", "duration", "transcript", "transcript_state", "summary", "title", "cost"),
        ),
        "post_call_audio": (EventKind.RECORDING_READY, ()),
        "call_initiation_failure": (EventKind.ENDED, ()),
    },
)


# Retell: https://docs.retellai.com/api-references/get-call

_RETELL_KEEPS = {106: "everything_except_pii", 107: "basic_attributes_only"}
"""By agent, for calls older than an hour."""


def _retell_keeps(case: Case) -> str:
    is_recent = case.truth.created > NOW.timestamp() - 3600.0
    return "everything" if is_recent else _RETELL_KEEPS.get(case.truth.scenario.number, "everything")


def _retell_is_kept(case: Case) -> bool:
    return case.is_settled and _retell_keeps(case) != "basic_attributes_only"


def _retell_state(case: Case) -> TranscriptState:
    is_withheld = case.is_settled and not _retell_is_kept(case)
    return TranscriptState.UNAVAILABLE if is_withheld else _state(case)


def _retell_text(spoken: Spoken) -> str:
    is_scrubbed = _retell_keeps(spoken.case) == "everything_except_pii"
    name = spoken.case.truth.facts["name"]
    return spoken.turn.text.replace(name, "[PERSON_NAME]") if is_scrubbed else spoken.turn.text


def _retell_success(case: Case) -> bool | None:
    if case.is_over and not case.is_held:
        return False
    return case.truth.success if case.is_settled else None


def _retell_cost(case: Case) -> Decimal | None:
    cents = (7.0, 4.0, 1.5) if case.is_phone else (7.0, 4.0)
    costs = [_exactly(case.truth.duration / 60 * each, 3) for each in cents]
    return sum(costs, Decimal()) / 100 if case.was_held else None


def _retell_by_words(fact: TurnFact) -> TurnFact:
    return lambda spoken: fact(spoken) if spoken.case.bits(4, 7) else None


_RETELL = ProviderFacts(
    missing=("created_at", "interrupted", "latency", "timestamp", "title"),
    status=_statuses(_ENDS, ringing=Status.QUEUED),
    end_reason=_reasons({EndReason.CANCELLED: EndReason.API_ENDED}),
    channel=_phone_or_web,
    direction=_direction_of_calls,
    duration=lambda case: case.truth.duration if case.is_over else None,
    success=_retell_success,
    order=lambda case: case.truth.facts["order"] if case.is_settled and case.bits(0) else None,
    cost=_retell_cost,
    has_recording=_retell_is_kept,
    state=_retell_state,
    heard=lambda case: case.turns if _retell_is_kept(case) else (),
    text=_retell_text,
    start=_retell_by_words(lambda spoken: spoken.turn.start),
    length=_retell_by_words(lambda spoken: spoken.turn.duration),
    deliveries={
        "call_started": (EventKind.STARTED, ("started_at", "agent")),
        "call_ended": (EventKind.ENDED, ("status", "end_reason", "started_at", "ended_at", "duration", "transcript")),
        "call_analyzed": (
            EventKind.ANALYSIS_READY,
            ("status", "end_reason", "transcript", "transcript_state", "summary", "analysis", "cost"),
        ),
    },
)


# Telnyx: https://developers.telnyx.com/api-reference/conversations/list-conversations


def _telnyx_has_insights(case: Case) -> bool:
    return case.truth.scenario.number != 107 and (case.is_audio or bool(case.bits(6)))


def _telnyx_last(case: Case) -> float:
    """Return when the last message was stored."""
    if case.truth.answered is None or not case.turns:
        return case.truth.created
    return case.truth.answered + case.turns[-1].start + 0.4


def _telnyx_status(case: Case) -> Status:
    """Report that a call is over by its insights or after an hour of silence; a thread is never over."""
    if not case.is_audio:
        return Status.IN_PROGRESS
    if case.is_over and _telnyx_has_insights(case):
        return Status.PROCESSING if case.phase is Phase.PROCESSING else Status.ENDED
    return Status.ENDED if case.present - _telnyx_last(case) > 3600.0 else Status.IN_PROGRESS


def _telnyx_ended(case: Case) -> float | None:
    return None if _telnyx_status(case) is Status.IN_PROGRESS else _telnyx_last(case)


def _telnyx_duration(case: Case) -> float | None:
    ended = _telnyx_ended(case)
    return None if ended is None else ended - case.truth.created


def _telnyx_state(case: Case) -> TranscriptState:
    if case.is_audio and _telnyx_status(case) is not Status.ENDED:
        return TranscriptState.PENDING
    return TranscriptState.UNAVAILABLE if case.is_audio and not case.turns else TranscriptState.AVAILABLE


_TELNYX = ProviderFacts(
    missing=("agent", "cost", "end_reason", "interrupted", "is_error", "length", "order", "success"),
    status=_telnyx_status,
    channel=lambda case: Channel.SMS if case.truth.channel is Channel.EMAIL else case.truth.channel,
    direction=_direction_of_calls,
    phone=lambda case: None if case.truth.channel is Channel.WEB else case.truth.phone,
    started_at=lambda case: case.truth.created,
    ended_at=_telnyx_ended,
    duration=_telnyx_duration,
    title=lambda case: None if case.bits(0) else case.truth.title,
    summary=lambda case: case.truth.summary if case.is_settled and _telnyx_has_insights(case) else None,
    has_recording=lambda case: _telnyx_status(case) is not Status.IN_PROGRESS,
    has_human_agent=lambda case: case.ending is EndReason.TRANSFERRED and not case.is_audio,
    state=_telnyx_state,
    heard=lambda case: case.turns,
    start=lambda spoken: spoken.began - spoken.case.truth.created,
    latency=lambda spoken: (spoken.turn.latency or None) if spoken.case.is_audio else None,
    latency_name="end_user_perceived_latency",
    deliveries={
        "call.initiated": (EventKind.UPDATED, ()),
        "call.answered": (EventKind.UPDATED, ()),
        "call.conversation.created": (EventKind.STARTED, ()),
        "call.conversation.ended": (EventKind.ENDED, ("status",)),
        "call.hangup": (EventKind.ENDED, ()),
        "call.recording.saved": (EventKind.RECORDING_READY, ()),
        "call.conversation_insights.generated": (EventKind.ANALYSIS_READY, ()),
        "conversation_insight_result": (EventKind.ANALYSIS_READY, ("agent", "summary", "analysis")),
    },
)


# Ultravox: https://docs.ultravox.ai/api-reference/calls/calls-get


def _ultravox_is_sip(case: Case) -> bool:
    """Whether it came by SIP, the only medium that reports what the telephone network knows."""
    return case.is_phone and (case.truth.ending is EndReason.CANCELLED or case.bits(2, 3) == 3)


def _ultravox_status(case: Case) -> Status:
    if case.phase in {Phase.QUEUED, Phase.RINGING}:
        return Status.RINGING if case.is_dialled else Status.QUEUED
    is_missed = case.ending is EndReason.CANCELLED and not case.is_phone
    return Status.NO_ANSWER if is_missed else _status(case)


def _ultravox_end_reason(case: Case) -> object:
    missed = EndReason.CANCELLED if case.is_phone else EndReason.NO_ANSWER
    return _reasons({EndReason.TRANSFERRED: EndReason.AGENT_ENDED, EndReason.CANCELLED: missed})(case)


def _ultravox_direction(case: Case) -> Direction:
    return case.truth.direction if case.is_dialled or _ultravox_is_sip(case) else Direction.UNKNOWN


def _ultravox_phone(case: Case) -> str | None:
    if case.is_dialled and _ultravox_is_sip(case):
        return f"sip:{case.truth.phone}@sip.example.com"
    return case.truth.phone if case.is_dialled or _ultravox_is_sip(case) else None


_ULTRAVOX_ENDED = ("status", "end_reason", "started_at", "ended_at", "duration", "summary")

_ULTRAVOX = ProviderFacts(
    missing=("cost", "has_human_agent", "interrupted", "latency", "order", "success", "timestamp", "title"),
    precision=1e-5,
    status=_ultravox_status,
    end_reason=_ultravox_end_reason,
    channel=lambda case: Channel.UNKNOWN if case.truth.channel is Channel.CHAT else _phone_or_web(case),
    direction=_ultravox_direction,
    phone=_ultravox_phone,
    ended_at=_end,
    has_recording=lambda case: case.was_held,
    is_error=lambda tool: tool.is_error or None,
    deliveries={
        "call.started": (EventKind.STARTED, ("created_at", "agent")),
        "call.joined": (EventKind.UPDATED, ("started_at", "agent")),
        "call.ended": (EventKind.ENDED, _ULTRAVOX_ENDED),
        "call.billed": (EventKind.UPDATED, _ULTRAVOX_ENDED),
    },
)


# Beyond Presence: https://docs.bey.dev/openapi.json


def _beyond_presence_status(case: Case) -> Status:
    """Report that a call nobody joined still waits: it has no way to end."""
    if not case.is_held or case.phase in {Phase.QUEUED, Phase.RINGING}:
        return Status.QUEUED
    return Status.ENDED if case.is_over else Status.IN_PROGRESS


_BEYOND_PRESENCE = ProviderFacts(
    missing=(
        *("agent", "cost", "created_at", "end_reason", "has_human_agent", "has_recording", "interrupted", "latency"),
        *("length", "order", "phone", "success", "summary", "title"),
    ),
    status=_beyond_presence_status,
    channel=lambda _: Channel.VIDEO,
    direction=lambda _: Direction.INBOUND,
    started_at=_whole_start,
    ended_at=lambda case: int(case.truth.ended) if case.was_held else None,
    duration=_whole_duration,
    state=lambda case: TranscriptState.AVAILABLE if case.is_settled else TranscriptState.PENDING,
    heard=_heard_but_while_written,
    start=lambda spoken: int(spoken.began) - int(spoken.case.truth.answered or 0.0),
    timestamp=lambda spoken: int(spoken.began),
    has_tools=False,
    deliveries={"message": (ANY, ()), "call_ended": (ANY, ())},
)


# Fish Audio: https://github.com/fishaudio/docs, api-reference/openapi.json


def _fish_audio_is_pending(case: Case) -> bool:
    """Whether it is a web session that nobody has joined, or will join."""
    is_missed = not case.is_held and case.truth.ending in {EndReason.NO_ANSWER, EndReason.CANCELLED}
    return not case.is_phone and (is_missed or case.phase in {Phase.QUEUED, Phase.RINGING})


def _fish_audio_status(case: Case) -> Status:
    if _fish_audio_is_pending(case):
        return Status.QUEUED
    if case.phase in {Phase.QUEUED, Phase.RINGING}:
        return Status.RINGING if case.is_dialled else Status.IN_PROGRESS
    return {Status.CANCELLED: Status.FAILED}.get(_status(case), _status(case))


def _fish_audio_end_reason(case: Case) -> EndReason | None:
    """Report why a dial failed, and what the agent's own tools did."""
    if case.is_over and case.is_dialled and not case.is_held:
        missed = EndReason.BUSY if case.bits(5) else EndReason.NO_ANSWER
        return missed if case.ending is EndReason.NO_ANSWER else EndReason.ERROR
    is_told = case.is_settled and case.ending in {EndReason.AGENT_ENDED, EndReason.TRANSFERRED}
    return case.ending if is_told else None


def _fish_audio_state(case: Case) -> object:
    # Of sessions that nobody has joined yet, the documentation does not say whether they have a transcript.
    return ANY if _fish_audio_is_pending(case) else _state(case)


def _fish_audio_timed(fact: TurnFact) -> TurnFact:
    return lambda spoken: fact(spoken) if spoken.case.bits(6, 7) else None


_FISH_AUDIO = ProviderFacts(
    missing=("cost", "has_human_agent", "interrupted", "latency", "length"),
    status=_fish_audio_status,
    end_reason=_fish_audio_end_reason,
    channel=_phone_or_web,
    created_at=lambda case: int(case.truth.created),
    started_at=_whole_start,
    ended_at=lambda case: int(case.truth.ended) if case.is_over and not _fish_audio_is_pending(case) else None,
    duration=_whole_duration,
    title=lambda case: case.truth.title if case.bits(0) else None,
    has_recording=lambda _: ANY,  # only a request of its own tells
    state=_fish_audio_state,
    heard=_heard_but_while_written,
    start=_fish_audio_timed(lambda spoken: int(spoken.began) - int(spoken.case.truth.answered or 0.0)),
    timestamp=_fish_audio_timed(lambda spoken: int(spoken.began)),
    own_tools=("hang_up_call", "transfer_call"),
    deliveries={
        "phone_call.dial_finished": (ANY, ()),
        "call.ended": (ANY, ()),
        "call.analyzed": (ANY, ()),
    },
)


# Anam: https://anam.ai/docs/api-reference/sessions/get-session
# Persona 107 keeps nothing, and persona 108 is in a room of which Anam hears nothing.


def _anam_is_kept(case: Case) -> bool:
    return case.is_settled and case.truth.scenario.number not in {107, 108}


def _anam_state(case: Case) -> TranscriptState:
    """Report a missing transcript as pending until an hour after the end, unless it is switched off."""
    if _anam_is_kept(case):
        return TranscriptState.AVAILABLE
    is_off = case.is_settled and case.truth.scenario.number == 107
    may_come = not case.is_over or case.present - case.truth.ended < 3600.0
    return TranscriptState.PENDING if may_come and not is_off else TranscriptState.UNAVAILABLE


def _anam_timed(fact: TurnFact) -> TurnFact:
    """Report no time for what the user says in one of eight sessions."""
    return lambda spoken: fact(spoken) if spoken.turn.role is Role.ASSISTANT or spoken.case.bits(2, 7) else None


_ANAM = ProviderFacts(
    missing=("cost", "has_human_agent", "latency", "order", "phone", "success", "summary", "title"),
    status=lambda case: Status.ENDED if case.is_over else Status.IN_PROGRESS,
    end_reason=lambda case: EndReason.UNKNOWN if case.is_over and case.bits(0) else None,
    channel=lambda _: Channel.VIDEO,
    direction=lambda _: Direction.INBOUND,
    started_at=lambda case: case.truth.created,
    ended_at=_end,
    duration=lambda case: case.truth.ended - case.truth.created if case.is_over else None,
    # One of the two shapes does not say that persona 107 keeps nothing; then only a request of its own tells.
    has_recording=lambda case: ANY if case.truth.scenario.number == 107 else case.is_over,
    state=_anam_state,
    heard=lambda case: case.turns if _anam_is_kept(case) else (),
    start=_anam_timed(lambda spoken: spoken.began - spoken.case.truth.created),
    timestamp=_anam_timed(lambda spoken: spoken.began),
    length=_anam_timed(lambda spoken: spoken.turn.duration),
    interrupted=lambda spoken: spoken.turn.interrupted if spoken.turn.role is Role.ASSISTANT else None,
    has_tools=False,
)


# LiveAvatar: https://docs.liveavatar.com/api-reference/sessions/get-session
# Avatar 108 is in LITE mode. The unit of the times in a transcript is not documented: some have milliseconds.


def _liveavatar_is_lite(case: Case) -> bool:
    return case.truth.scenario.number == 108


def _liveavatar_until(case: Case) -> float:
    return min(case.truth.ended, case.present)


def _liveavatar_status(case: Case) -> Status:
    has_failed = case.ending is EndReason.ERROR and case.bits(4, 3) == 3
    return Status.FAILED if has_failed else Status.ENDED if case.is_over else Status.IN_PROGRESS


def _liveavatar_cost(case: Case) -> Decimal:
    is_sandbox = case.truth.ended - case.truth.created <= 60.0 and not case.bits(3)
    minutes = (_liveavatar_until(case) - case.truth.created) / 60
    return Decimal() if is_sandbox else _exactly(minutes * 2.0, 2)


def _liveavatar_heard(case: Case) -> Sequence[Turn]:
    return case.turns if case.phase in {Phase.LIVE, Phase.SETTLED} and not _liveavatar_is_lite(case) else ()


def _liveavatar_state(case: Case) -> TranscriptState:
    """Report an empty transcript as pending until an hour after the end."""
    if _liveavatar_is_lite(case):
        return TranscriptState.UNAVAILABLE
    is_early = not _liveavatar_heard(case) and case.present - case.truth.ended < 3600.0
    return TranscriptState.PENDING if not case.is_over or is_early else TranscriptState.AVAILABLE


def _liveavatar_clock(case: Case, seconds: float) -> float:
    """Return a number of seconds as its integers tell it."""
    return math.floor(seconds * 1000) / 1000 if case.bits(6) else math.floor(seconds)


_LIVEAVATAR = ProviderFacts(
    missing=(
        *("agent", "agent_id", "has_human_agent", "has_recording", "interrupted", "latency", "length", "order"),
        *("phone", "success", "summary", "title"),
    ),
    status=_liveavatar_status,
    end_reason=_reasons(
        {
            EndReason.TRANSFERRED: EndReason.UNKNOWN,
            EndReason.NO_ANSWER: EndReason.SILENCE,
            EndReason.CANCELLED: None,
        }
    ),
    channel=lambda _: Channel.VIDEO,
    direction=lambda _: Direction.INBOUND,
    started_at=lambda case: case.truth.created,
    ended_at=_end,
    duration=lambda case: int(_liveavatar_until(case) - case.truth.created),
    cost=_liveavatar_cost,
    state=_liveavatar_state,
    heard=_liveavatar_heard,
    start=lambda spoken: _liveavatar_clock(spoken.case, spoken.began - spoken.case.truth.created),
    timestamp=lambda spoken: _liveavatar_clock(spoken.case, spoken.began),
    has_tools=False,
)


# OpenAI: developers.openai.com, reference of ChatKit


# OpenAI: developers.openai.com, reference of the Agents API
# A session never ends: one whose work is done is idle, and goes on if somebody writes.


def _openai_has_failed(case: Case) -> bool:
    return case.ending is EndReason.ERROR


def _openai_ended(case: Case) -> int | None:
    """Report when a session that failed was last active."""
    if not _openai_has_failed(case):
        return None
    last = case.turns[-1].start if case.turns else 0.0
    return int((case.truth.answered or case.truth.created) + last)


def _openai_agent(case: Case) -> str | None:
    return case.truth.scenario.agent if case.bits(5, 3) else None


def _openai_timestamp(spoken: Spoken) -> int | None:
    """Report when a run began, for what comes first in it: a user's words, or the agent's before any."""
    begins = spoken.turn.role is Role.USER or spoken.turn is spoken.case.turns[0]
    return int(spoken.began) if begins else None


_OPENAI = ProviderFacts(
    missing=(
        *("cost", "duration", "has_human_agent", "has_recording", "interrupted", "latency", "length", "order"),
        *("phone", "start", "started_at", "success", "summary", "title"),
    ),
    status=lambda case: Status.FAILED if _openai_has_failed(case) else Status.IN_PROGRESS,
    end_reason=lambda case: EndReason.ERROR if _openai_has_failed(case) else None,
    channel=lambda _: Channel.CHAT,
    direction=lambda _: Direction.INBOUND,
    agent=_openai_agent,
    created_at=lambda case: int(case.truth.created),
    ended_at=_openai_ended,
    state=lambda _: TranscriptState.AVAILABLE,
    heard=lambda case: case.turns,
    timestamp=_openai_timestamp,
    tool_name=lambda case, tool: f"shop.{tool.name}" if case.bits(10) else tool.name,  # with its MCP server
    deliveries={
        "agent.session.created": (EventKind.STARTED, ("created_at",)),
        "agent.session.in_progress": (EventKind.UPDATED, ()),
        "agent.session.idle": (EventKind.TRANSCRIPT_READY, ("status", "provider_status")),
        "agent.session.failed": (EventKind.ENDED, ("status", "end_reason")),
        "response.completed": (EventKind.OTHER, ()),
    },
)


# Synthflow: github api-evangelist/synthflow, openapi/synthflow-calls-api-openapi.yml
# What of a call that nobody answered is known, and which of its instants count, is not documented.


def _synthflow_end_reason(case: Case) -> EndReason | None:
    if case.ending is EndReason.NO_ANSWER:
        return EndReason.BUSY if case.bits(1) else EndReason.NO_ANSWER
    return EndReason.AGENT_ENDED if case.ending is EndReason.TRANSFERRED else case.ending


_SYNTHFLOW = ProviderFacts(
    missing=(
        *("cost", "has_human_agent", "interrupted", "latency", "length", "order", "start", "summary", "timestamp"),
        "title",
    ),
    end_reason=_synthflow_end_reason,
    channel=lambda _: Channel.PHONE,
    direction=lambda case: case.truth.direction,
    agent=lambda _: ANY,
    agent_id=lambda _: "m-",
    phone=lambda case: case.truth.phone,
    created_at=lambda _: ANY,
    started_at=lambda case: case.truth.answered if case.is_held and case.phase is not Phase.RINGING else ANY,
    ended_at=lambda case: case.truth.ended if case.was_held else ANY,
    duration=lambda case: int(case.truth.duration) if case.was_held else ANY,
    has_recording=lambda case: case.is_settled and bool(case.bits(4, 3)),
    state=lambda case: _state(case) if case.is_held or not case.is_over else ANY,
    has_tools=False,
    deliveries={"post-call": (ANY, ())},
    signs_body=False,
)


# Cartesia: https://docs.cartesia.ai/api-reference/agents/calls/get-call, version 2026-03-01 and later


def _cartesia_status(case: Case) -> Status:
    if not case.is_over:
        return Status.IN_PROGRESS if case.phase is Phase.LIVE else Status.QUEUED
    if case.ending is EndReason.NO_ANSWER and case.is_dialled:
        return Status.NO_ANSWER
    return Status.FAILED if not case.is_held or case.ending is EndReason.ERROR else Status.ENDED


def _cartesia_end_reason(case: Case) -> EndReason | None:
    if case.ending is EndReason.NO_ANSWER:
        missed = EndReason.BUSY if case.bits(2) else EndReason.NO_ANSWER
        return missed if case.is_dialled else EndReason.CUSTOMER_ENDED
    if case.ending is EndReason.CUSTOMER_ENDED and case.bits(3, 7) == 7:
        return EndReason.SILENCE
    others = {EndReason.TRANSFERRED: EndReason.AGENT_ENDED, EndReason.CANCELLED: EndReason.API_ENDED}
    return case.ending and others.get(case.ending, case.ending)


_CARTESIA = ProviderFacts(
    missing=("agent", "cost", "created_at", "direction", "has_human_agent", "order", "success", "title"),
    status=_cartesia_status,
    end_reason=_cartesia_end_reason,
    channel=_phone_or_web,
    agent_id=lambda _: "agent_",  # one after the other took all calls
    has_recording=lambda _: ANY,  # only a request of its own tells
    timestamp=lambda _: ANY,  # only offsets are sent
    interrupted=lambda spoken: spoken.turn.interrupted if spoken.turn.role is Role.ASSISTANT else None,
    latency_name="tts_ttfb",
    has_results=False,
    deliveries={
        "call_started": (EventKind.STARTED, ("started_at",)),
        "call_completed": (EventKind.ENDED, ("status", "end_reason", "started_at", "ended_at")),
        "call_failed": (EventKind.ENDED, ("status", "end_reason", "started_at", "ended_at")),
        "post_call_analysis": (EventKind.ANALYSIS_READY, ()),
    },
    signs_body=False,
)


# Claude: https://platform.claude.com/docs/en/managed-agents/reference


def _claude_is_archived(case: Case) -> bool:
    """Whether it was put away; of what customers end themselves, half rests idle for ever."""
    if case.ending is EndReason.CUSTOMER_ENDED:
        return bool(case.bits(0))
    return case.ending in {EndReason.AGENT_ENDED, EndReason.API_ENDED, EndReason.CANCELLED}


def _claude_is_over(case: Case) -> bool:
    return _claude_is_archived(case) or case.ending is EndReason.ERROR


def _claude_status(case: Case) -> Status:
    if not _claude_is_over(case):
        return Status.IN_PROGRESS
    return Status.ENDED if _claude_is_archived(case) else Status.FAILED


def _claude_end_reason(case: Case) -> EndReason | None:
    return {Status.ENDED: EndReason.API_ENDED, Status.FAILED: EndReason.ERROR}.get(_claude_status(case))


def _claude_timed(fact: TurnFact) -> TurnFact:
    """Report no instant for what still waits for the agent."""

    def told(spoken: Spoken) -> object:
        waits = spoken.turn is spoken.case.turns[-1] and spoken.turn.role is Role.USER
        return None if waits and spoken.case.phase is Phase.LIVE else fact(spoken)

    return told


_CLAUDE = ProviderFacts(
    missing=(
        *("has_human_agent", "has_recording", "interrupted", "latency", "length", "order", "phone", "started_at"),
        "summary",
    ),
    status=_claude_status,
    end_reason=_claude_end_reason,
    channel=lambda _: Channel.CHAT,
    direction=lambda _: Direction.INBOUND,
    ended_at=lambda case: case.truth.ended if _claude_is_over(case) else None,
    duration=lambda case: case.truth.ended - case.truth.created if _claude_is_over(case) else None,
    state=lambda _: TranscriptState.AVAILABLE,
    heard=lambda case: case.turns,
    start=_claude_timed(lambda spoken: spoken.began - spoken.case.truth.created),
    timestamp=_claude_timed(lambda spoken: spoken.began),
    deliveries={
        "session.created": (EventKind.STARTED, ()),
        "session.status_run_started": (EventKind.UPDATED, ()),
        "session.status_idled": (EventKind.TRANSCRIPT_READY, ()),
        "session.idled": (EventKind.TRANSCRIPT_READY, ()),
        "session.archived": (EventKind.ENDED, ()),
        "session.status_terminated": (EventKind.ENDED, ()),
        "session.outcome_evaluation_ended": (EventKind.ANALYSIS_READY, ()),
    },
)


# AssemblyAI: https://www.assemblyai.com/docs/voice-agents/voice-agent-api/session-history


def _assemblyai_began(case: Case) -> float:
    return case.truth.created if case.truth.answered is None else case.truth.answered


def _assemblyai_state(case: Case) -> object:
    # How long a session may be without its files is not documented.
    is_young = not case.is_held and case.is_over and case.present - case.truth.ended < 86_400.0
    return ANY if is_young else _state(case)


def _assemblyai_timed(fact: TurnFact) -> TurnFact:
    """Report no times of greetings and of answers that took a tool, in some sessions."""

    def found(spoken: Spoken) -> object:
        is_plain = spoken.turn.role is Role.USER or (spoken.before is not None and not _has_tool_before(spoken))
        return fact(spoken) if is_plain or spoken.case.bits(3) else None

    return found


def _has_tool_before(spoken: Spoken) -> bool:
    """Whether a tool was used between this turn and the one before it."""
    began = spoken.before.start if spoken.before else 0.0
    return any(turn.tool for turn in spoken.case.turns if began <= turn.start <= spoken.turn.start)


_ASSEMBLYAI = ProviderFacts(
    missing=("cost", "has_human_agent", "order", "phone", "success", "summary", "title"),
    status=lambda case: (
        Status.FAILED if case.ending is EndReason.ERROR else Status.ENDED if case.is_over else Status.IN_PROGRESS
    ),
    end_reason=lambda case: (
        EndReason.CUSTOMER_ENDED
        if case.ending in {EndReason.CUSTOMER_ENDED, EndReason.CANCELLED}
        else ANY
        if case.ending
        else None
    ),
    channel=lambda _: Channel.WEB,
    direction=lambda _: Direction.INBOUND,
    agent=lambda _: ANY,  # only a request of its own tells
    agent_id=lambda case: str(case.truth.scenario.number) if case.bits(0, 7) else None,
    started_at=lambda case: case.truth.answered if case.is_settled else case.truth.created,
    ended_at=_end,
    duration=lambda case: case.truth.ended - _assemblyai_began(case) if case.is_over else None,
    state=_assemblyai_state,
    start=_assemblyai_timed(lambda spoken: spoken.turn.start),
    timestamp=_assemblyai_timed(lambda spoken: spoken.began),
    length=_assemblyai_timed(lambda spoken: spoken.turn.duration),
    interrupted=lambda spoken: spoken.turn.interrupted if spoken.turn.role is Role.ASSISTANT else ANY,
    latency=lambda spoken: None if _has_tool_before(spoken) else spoken.turn.latency or None,
    latency_name="time_to_first_audio",
    deliveries={
        "session.started": (EventKind.STARTED, ("agent",)),
        "call.connected": (EventKind.STARTED, ("agent", "created_at")),
        "session.completed": (EventKind.ENDED, ("agent", "duration", "end_reason", "provider_end_reason", "status")),
        "call.failed": (EventKind.ENDED, ("agent", "created_at")),
        "call.ended": (EventKind.ENDED, ("agent", "created_at", "recordings")),
    },
)


# Twilio: https://www.twilio.com/docs/conversations/api
# The customer has an address, and who answers has an identity, of which nothing says whether it is a machine.


_TWILIO = ProviderFacts(
    missing=(
        *("agent", "agent_id", "cost", "direction", "has_recording", "interrupted", "latency", "length", "order"),
        *("success", "summary"),
    ),
    status=lambda case: Status.ENDED if case.is_over else Status.IN_PROGRESS,
    end_reason=lambda _: ANY,
    channel=lambda case: Channel.SMS if case.is_phone else Channel.CHAT,
    phone=lambda case: case.truth.phone if case.is_phone else ANY,
    created_at=lambda case: int(case.truth.created),
    started_at=lambda case: int(case.truth.created),
    ended_at=lambda case: int(case.truth.ended) if case.is_over else None,
    duration=lambda _: ANY,
    title=lambda case: case.truth.title if case.bits(3) else ANY,
    has_human_agent=lambda _: ANY,
    state=_written_state,
    heard=_heard_but_while_written,
    start=lambda spoken: int(spoken.began) - int(spoken.case.truth.created),
    timestamp=lambda spoken: int(spoken.began),
    has_tools=False,
    shown_by_others=("word timing", "recording"),
    deliveries={
        "onConversationAdded": (EventKind.STARTED, ("created_at",)),
        "onMessageAdded": (EventKind.UPDATED, ()),
        "onConversationStateUpdated": (EventKind.ENDED, ("status", "provider_status", "ended_at")),
    },
)


# Intercom: https://developers.intercom.com/docs/references/rest-api/api.intercom.io/conversations
# Three days after the end, some conversations are opened again, some are snoozed, and some get a note.

_LATER = 3 * 86400.0


def _is_late(case: Case, *fates: int) -> bool:
    """Whether one of these happened: it was opened again (0), or was snoozed (1)."""
    return case.is_held and case.present - case.truth.ended >= _LATER and case.bits(3, 3) in fates


def _is_open(case: Case) -> bool:
    return not case.is_over or _is_late(case, 0, 1)


def _heard_again(case: Case) -> Sequence[Turn]:
    """Report, too, what the customer says who opens a conversation again."""
    heard = _heard_but_while_written(case)
    if not _is_late(case, 0):
        return heard
    again = case.truth.ended + _LATER - (case.truth.answered or 0.0)
    return [*heard, Turn(Role.USER, "One more thing: is that still so?", again, 0.0)]


def _text_channel(case: Case) -> Channel:
    is_told = case.truth.channel in {Channel.PHONE, Channel.EMAIL}
    return case.truth.channel if is_told else Channel.CHAT


def _intercom_said_at(spoken: Spoken) -> int:
    """Report whole seconds; of what is said first, when the conversation was created."""
    return int(spoken.case.truth.created if spoken.before is None else spoken.began)


def _intercom_is_told(case: Case) -> bool:
    return case.is_settled or case.phase is Phase.LIVE


_INTERCOM = ProviderFacts(
    missing=("cost", "interrupted", "latency", "length"),
    status=lambda case: Status.IN_PROGRESS if _is_open(case) else Status.ENDED,
    end_reason=lambda _: ANY,
    channel=_text_channel,
    agent=lambda _: ANY,
    # Fin is told by what it wrote.
    agent_id=lambda case: str(case.truth.scenario.number) if case.read.agent or _intercom_is_told(case) else None,
    phone=lambda _: ANY,
    created_at=lambda case: int(case.truth.created),
    started_at=lambda case: int(case.truth.created),
    ended_at=lambda case: None if _is_open(case) else int(case.truth.ended),
    duration=lambda _: ANY,
    title=lambda _: ANY,
    summary=lambda _: ANY,
    success=lambda _: ANY,
    order=lambda _: ANY,
    has_recording=lambda _: ANY,
    has_human_agent=lambda _: ANY,
    state=lambda case: TranscriptState.PENDING if case.phase is Phase.PROCESSING else ANY,
    heard=_heard_again,
    start=lambda spoken: _intercom_said_at(spoken) - int(spoken.case.truth.created),
    timestamp=_intercom_said_at,
    has_tools=False,
    own_tools=(
        *("block_card", "buscar_habitacion", "check_tables", "find_order", "free_slots", "score_answer"),
        *("termin_suchen", "予約検索"),
    ),
    deliveries={
        "conversation.user.created": (ANY, ()),
        "conversation.admin.closed": (ANY, ()),
        "conversation.operator.replied": (ANY, ()),
        "conversation.user.replied": (ANY, ()),
        "conversation.admin.snoozed": (ANY, ()),
        "conversation.admin.noted": (ANY, ()),
    },
)


# Chatwoot: https://github.com/chatwoot/chatwoot, swagger/paths/application/conversation


# Chatwoot: https://github.com/chatwoot/chatwoot, swagger/paths/application/conversation


def _chatwoot_agent_id(case: Case) -> str | None:
    """Report who answers once they have written."""
    has_answered = any(turn.role is Role.ASSISTANT and turn.tool is None for turn in _heard_but_while_written(case))
    return str(case.truth.scenario.number) if has_answered else None


def _chatwoot_direction(case: Case) -> Direction:
    """Report who wrote first."""
    first = next((turn.role for turn in _heard_again(case) if turn.tool is None), None)
    return {Role.USER: Direction.INBOUND, Role.ASSISTANT: Direction.OUTBOUND, None: Direction.UNKNOWN}[first]


_CHATWOOT = ProviderFacts(
    missing=("cost", "interrupted", "latency", "length", "summary"),
    status=lambda case: Status.IN_PROGRESS if _is_open(case) else Status.ENDED,
    end_reason=lambda _: ANY,
    channel=_text_channel,
    direction=_chatwoot_direction,
    agent=lambda case: case.truth.scenario.agent if _chatwoot_agent_id(case) else None,
    agent_id=_chatwoot_agent_id,
    phone=lambda case: case.truth.phone if case.is_phone else None,
    created_at=lambda case: int(case.truth.created),
    started_at=lambda case: int(case.truth.created),
    ended_at=lambda _: ANY,
    duration=lambda _: ANY,
    title=lambda _: ANY,
    success=lambda _: ANY,
    order=lambda _: ANY,
    has_recording=lambda _: ANY,
    has_human_agent=lambda _: ANY,
    state=_written_state,
    heard=_heard_again,
    start=lambda spoken: int(spoken.began) - int(spoken.case.truth.created),
    timestamp=lambda spoken: int(spoken.began),
    has_tools=False,
    deliveries={
        "conversation_created": (EventKind.STARTED, ("created_at", "channel")),
        "conversation_status_changed": (EventKind.ENDED, ("created_at", "channel")),
        "message_created": (EventKind.UPDATED, ("created_at", "channel")),
        "conversation_updated": (EventKind.UPDATED, ("created_at", "channel")),
    },
)


# Bolna: https://www.bolna.ai/docs


def _bolna_status(case: Case) -> Status:
    if case.phase is Phase.PROCESSING:
        return Status.PROCESSING
    return _status(case)


def _bolna_is_done(case: Case) -> bool:
    return case.is_settled and case.was_held


def _bolna_duration(case: Case) -> float | None:
    if case.is_over and not case.is_held:
        return 0.0
    return round(case.truth.duration, 1) if case.is_settled else None


def _bolna_end_reason(case: Case) -> object:
    if not case.is_settled:
        return ANY  # who hung up is told only when all is done
    if case.ending is EndReason.NO_ANSWER and case.bits(3):
        return EndReason.BUSY
    if case.ending is EndReason.ERROR:
        return EndReason.ERROR
    return case.ending


_BOLNA = ProviderFacts(
    missing=("agent", "ended_at", "interrupted", "latency", "length", "started_at", "success", "title"),
    status=_bolna_status,
    duration=_bolna_duration,
    order=lambda case: case.truth.facts["order"] if _bolna_is_done(case) and case.bits(2) else None,
    summary=lambda case: case.truth.summary if _bolna_is_done(case) and case.bits(1) else None,
    has_human_agent=lambda case: case.is_settled and case.ending is EndReason.TRANSFERRED,
    end_reason=_bolna_end_reason,
    channel=_phone_or_web,
    agent_id=lambda _: "0a1c3e5a",  # one took all calls
    has_recording=lambda case: _bolna_is_done(case) and bool(case.truth.variant % 5),
    cost=lambda _: ANY,
    start=lambda _: None,
    timestamp=lambda _: None,
    has_tools=False,
    deliveries={
        "queued": (EventKind.UPDATED, ()),
        "in-progress": (EventKind.STARTED, ()),
        "call-disconnected": (EventKind.ENDED, ()),
        "completed": (EventKind.TRANSCRIPT_READY, ("status", "end_reason", "transcript", "transcript_state")),
        "no-answer": (ANY, ()),
        "busy": (ANY, ()),
        "canceled": (ANY, ()),
        "failed": (ANY, ()),
        "error": (ANY, ()),
    },
)


FACTS: Mapping[str, ProviderFacts] = {
    "bolna": _BOLNA,
    "tavus": _TAVUS,
    "anyreach": _ANYREACH,
    "voiceable": _VOICEABLE,
    "vapi": _VAPI,
    "bland": _BLAND,
    "elevenlabs": _ELEVENLABS,
    "retell": _RETELL,
    "telnyx": _TELNYX,
    "ultravox": _ULTRAVOX,
    "beyond_presence": _BEYOND_PRESENCE,
    "fish_audio": _FISH_AUDIO,
    "anam": _ANAM,
    "liveavatar": _LIVEAVATAR,
    "openai": _OPENAI,
    "synthflow": _SYNTHFLOW,
    "cartesia": _CARTESIA,
    "claude": _CLAUDE,
    "assemblyai": _ASSEMBLYAI,
    "twilio": _TWILIO,
    "intercom": _INTERCOM,
    "chatwoot": _CHATWOOT,
}


NEVER_ENDED = frozenset({"openai"})
"""Whose conversations go on whenever somebody writes, unless they fail: they are in progress for ever."""


NEVER_LATE = frozenset({"claude", "intercom", "openai"})
"""Whose transcripts can be read while a conversation runs, so that none is pending."""


AGENT_NEEDS_GET = frozenset({"chatwoot", "intercom"})
"""Providers whose rows do not say who the agent is: only the messages do."""

MAY_HAVE_NOTES_ALONE = frozenset({"chatwoot", "intercom", "twilio"})
"""Providers whose transcript may be notes of the system alone, such as that a conversation was closed."""

FIXED_PAGES = frozenset({"chatwoot", "voiceable"})
"""Providers whose pages have as many rows as they like."""
