"""The common schema: a conversation, its turns and their parts.

All values are frozen. Absent is not empty: `None` and `()` mean that the provider sent nothing. Instants are aware
datetimes in UTC, spans are float seconds. `Conversation.estimated` names the fields that were derived instead of read,
and `Conversation.issues` lists what could not be read.

`msgspec.json.encode` writes a conversation as JSON (`raw` in base64), and `msgspec.json.decode(…, type=Conversation)`
reads an equal one back.
"""

from __future__ import annotations

# msgspec reads the annotations when a Struct is first used, so these stay imported at run time.
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

from .._escaping import indented

__all__ = [
    "Agent",
    "Analysis",
    "Channel",
    "Conversation",
    "Cost",
    "Direction",
    "EndReason",
    "Issue",
    "Participant",
    "ParticipantKind",
    "Recording",
    "RecordingAccess",
    "Role",
    "Status",
    "ToolCall",
    "ToolResult",
    "TranscriptState",
    "TranscriptTurn",
    "Visibility",
    "Word",
]


class Status(StrEnum):
    """The state of a conversation."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in_progress"
    PROCESSING = "processing"
    ENDED = "ended"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, well or badly."""
        return self in _FINISHED


class Channel(StrEnum):
    """The medium of a conversation."""

    PHONE = "phone"
    WEB = "web"
    VIDEO = "video"
    CHAT = "chat"
    SMS = "sms"
    EMAIL = "email"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Who started it: the customer (inbound) or the company (outbound)."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"
    UNKNOWN = "unknown"


class EndReason(StrEnum):
    """Why it ended."""

    CUSTOMER_ENDED = "customer_ended"
    AGENT_ENDED = "agent_ended"
    API_ENDED = "api_ended"
    TRANSFERRED = "transferred"
    VOICEMAIL = "voicemail"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    SILENCE = "silence"
    MAX_DURATION = "max_duration"
    CANCELLED = "cancelled"
    ERROR = "error"
    UNKNOWN = "unknown"


class TranscriptState(StrEnum):
    """Why there is a transcript, or why there is none."""

    AVAILABLE = "available"
    """Everything that the provider has."""
    PENDING = "pending"
    """Not ready yet: try again in a while."""
    NOT_LOADED = "not_loaded"
    """Not part of this response: `get` loads it."""
    RESTRICTED = "restricted"
    """The key's role may not read it."""
    UNAVAILABLE = "unavailable"
    """There is none, and none will come."""
    TRUNCATED = "truncated"
    """The provider cut it: turns are missing."""


class Role(StrEnum):
    """Who speaks in a turn: the user, the AI assistant, or a person who took over from it."""

    USER = "user"
    ASSISTANT = "assistant"
    HUMAN_AGENT = "human_agent"
    SYSTEM = "system"
    TOOL = "tool"
    UNKNOWN = "unknown"


class ParticipantKind(StrEnum):
    """The kind of a participant."""

    CUSTOMER = "customer"
    AI_AGENT = "ai_agent"
    HUMAN_AGENT = "human_agent"
    SUPERVISOR = "supervisor"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class RecordingAccess(StrEnum):
    """What is needed to read a recording."""

    SIGNED_URL = "signed_url"
    """The location alone, until it expires."""
    PROVIDER_KEY = "provider_key"
    """The account's key, at the provider."""
    CUSTOMER_BUCKET = "customer_bucket"
    """The customer's own permissions on the customer's own bucket."""


class Visibility(StrEnum):
    """Who was meant to read a turn: everyone, or only the company's own people."""

    PUBLIC = "public"
    INTERNAL = "internal"


_encoder: Final = msgspec.json.Encoder()


class _Struct(msgspec.Struct, frozen=True):
    """A value that can be written as JSON, and that pydantic, and so FastAPI, handles like its own models."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values: instants and exact numbers are text, tuples are lists."""
        found: dict[str, Any] = msgspec.json.decode(self._json())
        return found

    def to_json(self) -> str:
        """Return it as JSON text."""
        return self._json().decode()

    def _json(self) -> bytes:
        return _encoder.encode(self)

    @classmethod
    def _members(cls) -> dict[str, Any]:
        """Return the members that a web response holds, by name, each with its type."""
        return {field.name: field.type for field in msgspec.structs.fields(cls)}

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: Any) -> dict[str, Any]:
        from ._pydantic_schema import core_schema  # noqa: PLC0415  (only for those who use pydantic)

        return core_schema(cls, cls._members(), handler.generate_schema)


class Agent(_Struct, frozen=True, kw_only=True):
    """The configured agent that held the conversation."""

    id: str | None = None
    """The provider's id of the agent."""
    name: str | None = None
    """Display name."""
    version: str | None = None
    """Version of its configuration; None if the provider keeps no versions."""


class Participant(_Struct, frozen=True, kw_only=True):
    """A person or agent who took part."""

    kind: ParticipantKind = ParticipantKind.UNKNOWN
    """Kind of participant; `unknown` if the provider's term is not recognized."""
    id: str | None = None
    """The provider's id of the person or agent."""
    name: str | None = None
    """Display name, or the unrecognized term."""
    phone: str | None = None
    """The number as sent, usually in E.164 form."""


class Analysis(_Struct, frozen=True, kw_only=True):
    """The provider's own assessment of the conversation."""

    success: bool | None = None
    """Whether it reached its goal; None if the provider does not say."""
    sentiment: str | None = None
    """The provider's term."""
    scores: dict[str, float] | None = None
    """Named scores, on the provider's scale."""
    collected: dict[str, Any] | None = None
    """Named values collected from the conversation."""


class Recording(_Struct, frozen=True, kw_only=True):
    """Where a recording is: a handle, not a URL to trust or to store."""

    location: str
    """A URL, a path at the provider, or a bucket address, as `access` says; stores keep a signed query as `?***`."""
    access: RecordingAccess
    """What is needed to read it."""
    media_type: str | None = None
    """As in `audio/mpeg`; None if the provider does not say."""
    duration: float | None = None
    """Seconds."""
    expires_at: datetime | None = None
    """When the location stops working, UTC; None: never, or unknown."""
    ref: str | None = None
    """The ref of its conversation, as `hub.get` takes it; None if no hub read it."""

    def __repr__(self) -> str:
        # The query of a signed URL is its signature: anyone who has it may listen.
        return f"<Recording {self.location.partition('?')[0]} {self.access.value}>"


class Cost(_Struct, frozen=True, kw_only=True):
    """What the provider charges for the conversation."""

    amount: Decimal
    """Exactly as the provider sends it."""
    unit: str
    """A currency (`USD`) or the provider's own unit (`credits`)."""


class Issue(_Struct, frozen=True):
    """Something that the provider sent and that could not be read. It never holds the value."""

    place: str
    """A path in the provider's JSON: `events[2].timestamp`; or a field of ours, if its value cannot be."""
    reason: str
    """What is wrong with the value there."""


class ToolCall(_Struct, frozen=True, kw_only=True, gc=False):
    """A tool the agent called."""

    id: str | None = None
    """The id that its result refers to; None if the provider links results by order only."""
    name: str | None = None
    """The tool's name."""
    arguments: str | None = None
    """The JSON text as sent; models write it, so it may be invalid JSON."""


class ToolResult(_Struct, frozen=True, kw_only=True, gc=False):
    """What a tool returned."""

    call_id: str | None = None
    """The `ToolCall.id` of the call."""
    content: str | None = None
    """The result as sent, usually JSON text."""
    is_error: bool | None = None
    """Whether the tool failed; None if the provider does not say."""


class Word(_Struct, frozen=True, kw_only=True, gc=False):
    """One timed word of a turn."""

    text: str
    """The word as recognized."""
    start: float | None = None
    """Seconds from the conversation's start."""
    duration: float | None = None
    """Seconds."""
    confidence: float | None = None
    """Of the recognition, 0 to 1."""


class TranscriptTurn(_Struct, frozen=True, kw_only=True, gc=False):
    """One entry of the transcript: someone speaks, or a tool returns a result."""

    index: int
    """Position in the provider's order, from 0; turns are never sorted again."""
    role: Role = Role.UNKNOWN
    """Who speaks; `unknown` if the provider's term is not recognized, and `participant` then keeps that term."""
    text: str = ""
    """What was said or written; empty for a turn that only holds tool calls or a tool result."""
    start: float | None = None
    """Seconds from the conversation's start."""
    duration: float | None = None
    """Seconds."""
    timestamp: float | None = None
    """Unix seconds; `started_at` is the same instant as a datetime."""
    participant: int | None = None
    """Position in `Conversation.participants`."""
    language: str | None = None
    """As the provider names it."""
    interrupted: bool | None = None
    """Whether the speaker was interrupted; None if the provider does not say."""
    confidence: float | None = None
    """Of the speech recognition, 0 to 1."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tools called in this turn; empty if none were."""
    tool_result: ToolResult | None = None
    """What a tool returned; None in every other turn. Of several results of one call, the last counts."""
    words: tuple[Word, ...] = ()
    """Timed words; empty if the provider sends none."""
    metrics: dict[str, float] | None = None
    """Latencies under the provider's names, in seconds."""
    visibility: Visibility = Visibility.PUBLIC
    """Who was meant to read it."""
    provider_id: str | None = None
    """The provider's own id of the turn."""

    @property
    def started_at(self) -> datetime | None:
        """When the turn began, UTC; None if the provider sent no instant, or one outside the calendar."""
        try:
            return None if self.timestamp is None else datetime.fromtimestamp(self.timestamp, UTC)
        except (ValueError, OverflowError, OSError):
            return None


_FINISHED = frozenset({Status.ENDED, Status.FAILED, Status.NO_ANSWER, Status.CANCELLED})


class Conversation(_Struct, frozen=True, kw_only=True):
    """One past or running conversation of any provider.

    `str(conversation)` is its plain transcript, or its `repr` if it has none. Its `repr` shows no personal data.
    """

    provider: str
    """The provider's name: `tavus`."""
    id: str
    """The provider's id; unique within a provider and account, not across them."""
    account: str = "default"
    """Name of the hub's account that it was read with."""
    status: Status = Status.UNKNOWN
    """Its state; `unknown` if the provider's term is not recognized."""
    provider_status: str | None = None
    """The provider's term for the status, as sent."""
    title: str | None = None
    """Its title; None if it has none."""
    channel: Channel = Channel.UNKNOWN
    """The medium; `unknown` if the provider does not say."""
    direction: Direction = Direction.UNKNOWN
    """Who started it; `unknown` if the provider does not say."""
    agent: Agent | None = None
    """The configured agent; None if the provider names none."""
    participants: tuple[Participant, ...] = ()
    """Who took part; turns refer to their positions."""
    created_at: datetime | None = None
    """When the provider created the record, UTC."""
    started_at: datetime | None = None
    """When the parties were connected, UTC."""
    ended_at: datetime | None = None
    """When they were disconnected, UTC; None while it runs, or if the provider does not say."""
    updated_at: datetime | None = None
    """When the provider last changed the record, UTC."""
    duration: float | None = None
    """Seconds."""
    end_reason: EndReason | None = None
    """Why it ended; None while it runs, or if the provider does not say."""
    provider_end_reason: str | None = None
    """The provider's words for why it ended, as sent."""
    transcript: tuple[TranscriptTurn, ...] | None = None
    """The turns in the provider's order; None if none were read, and `transcript_state` says why."""
    transcript_state: TranscriptState = TranscriptState.NOT_LOADED
    """Why there is a transcript, or why there is none."""
    summary: str | None = None
    """The provider's own summary; None if there is none."""
    analysis: Analysis | None = None
    """The provider's own assessment; None if there is none."""
    recordings: tuple[Recording, ...] = ()
    """Handles, not URLs to trust; empty if the provider names none."""
    cost: Cost | None = None
    """What the provider charges; None if it does not say."""
    language: str | None = None
    """As the provider names it."""
    tags: tuple[str, ...] = ()
    """Labels that the customer attached."""
    metadata: dict[str, Any] = {}
    """What the customer attached, and what the provider sends that has no field here; JSON values."""
    links: dict[str, str] = {}
    """URLs for people, by what they lead to; plain data that this library never fetches."""
    related_ids: dict[str, str] = {}
    """Ids of this conversation elsewhere, or of others that it belongs to, by what they identify."""
    estimated: tuple[str, ...] = ()
    """Names of the fields that were derived instead of read."""
    issues: tuple[Issue, ...] = ()
    """What could not be read."""
    raw: bytes | None = None
    """The provider's JSON, known secrets scrubbed; kept if the hub has `keep_raw=True`."""

    @property
    def ref(self) -> str:
        """The name that `hub.get` takes: `tavus:c123`, or `tavus/eu:c123` for a named account."""
        account = "" if self.account == "default" else f"/{self.account}"
        return f"{self.provider}{account}:{self.id}"

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, successfully or not."""
        return self.status.is_finished

    @property
    def user_turns(self) -> tuple[TranscriptTurn, ...]:
        """The turns of the user; empty if there is no transcript."""
        return tuple(turn for turn in self.transcript or () if turn.role == Role.USER)

    @property
    def agent_turns(self) -> tuple[TranscriptTurn, ...]:
        """The turns of the AI agent; empty if there is no transcript."""
        return tuple(turn for turn in self.transcript or () if turn.role == Role.ASSISTANT)

    @property
    def human_agent_turns(self) -> tuple[TranscriptTurn, ...]:
        """The turns of people who took over from the agent; empty if there is no transcript."""
        return tuple(turn for turn in self.transcript or () if turn.role == Role.HUMAN_AGENT)

    @property
    def talk_time(self) -> dict[Role, float]:
        """Seconds spoken per role, summed over the turns whose duration is known."""
        spoken: dict[Role, float] = {}
        for turn in self.transcript or ():
            if turn.duration is not None:
                spoken[turn.role] = spoken.get(turn.role, 0.0) + turn.duration
        return spoken

    @property
    def text(self) -> str:
        """The plain transcript, one line per turn, as in `user: Hello.`; further lines of a turn are indented.

        System prompts, internal notes, and turns without words (tool calls and results) are left out. The words are as
        sent: a terminal would obey control characters in them, and not show invisible letters.
        """
        return "\n".join(
            f"{turn.role.value}: {indented(turn.text)}"
            for turn in self.transcript or ()
            if turn.text and turn.role != Role.SYSTEM and turn.visibility == Visibility.PUBLIC
        )

    def _json(self) -> bytes:
        from ._document import document  # noqa: PLC0415  (it imports this module)

        return document(self)

    @classmethod
    def _members(cls) -> dict[str, Any]:
        members = super()._members()
        del members["raw"]  # not for web clients
        return {"ref": str, **members}

    def render(self, *, tools: bool = True, times: bool = True) -> str:
        """Return the whole conversation as lines for people, the same as `conversations-hub get` writes.

        Characters that could control a terminal are escaped. `tools` includes tool calls and their results, `times`
        the time at which each turn began.
        """
        from ._rendering import rendered  # noqa: PLC0415  (it imports this module)

        return rendered(self, tools=tools, times=times)

    def __str__(self) -> str:
        return self.text or repr(self)

    def __repr__(self) -> str:
        turns = self.transcript_state.value if self.transcript is None else f"{len(self.transcript)} turns"
        length = "" if self.duration is None else f", {self.duration:g} s"
        return f"<Conversation {self.ref} {self.status.value}, {turns}{length}>"
