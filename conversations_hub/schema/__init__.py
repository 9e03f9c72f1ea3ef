"""What everything becomes: one conversation, its turns and their parts.

All values are frozen. Absent is not empty: `None` and `()` say that the provider sent nothing. Instants are aware
datetimes in UTC, spans are float seconds. What we derived instead of read is named in `Conversation.estimated`, what we
could not read is listed in `Conversation.issues`.

`msgspec.json.encode` writes a conversation as JSON (`raw` in base64), `msgspec.json.decode(…, type=Conversation)` reads
an equal one back.
"""

from __future__ import annotations

import re

# msgspec reads the annotations when a Struct is first used, so these stay imported at run time.
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import msgspec

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
    """Where a conversation stands."""

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
    """The medium it was held over."""

    PHONE = "phone"
    WEB = "web"
    VIDEO = "video"
    CHAT = "chat"
    SMS = "sms"
    EMAIL = "email"
    UNKNOWN = "unknown"


class Direction(StrEnum):
    """Who opened it: the customer (inbound) or the company (outbound)."""

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
    """Why the transcript is there, or is not."""

    AVAILABLE = "available"
    """All the provider has."""
    PENDING = "pending"
    """Not ready yet: ask again in a while."""
    NOT_LOADED = "not_loaded"
    """Not part of this answer: `get` brings it."""
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
    """What a participant is."""

    CUSTOMER = "customer"
    AI_AGENT = "ai_agent"
    HUMAN_AGENT = "human_agent"
    SUPERVISOR = "supervisor"
    SYSTEM = "system"
    UNKNOWN = "unknown"


class RecordingAccess(StrEnum):
    """What it takes to read a recording."""

    SIGNED_URL = "signed_url"
    """The location alone, until it expires."""
    PROVIDER_KEY = "provider_key"
    """The account's key, at the provider."""
    CUSTOMER_BUCKET = "customer_bucket"
    """The customer's own rights to the customer's own bucket."""


class Visibility(StrEnum):
    """Who was meant to read a turn: everybody, or the company's own people only."""

    PUBLIC = "public"
    INTERNAL = "internal"


_encoder: Final = msgspec.json.Encoder()


class _Struct(msgspec.Struct, frozen=True):
    """A value that can be written as JSON, and that pydantic, and so FastAPI, takes for one of its own."""

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values: instants and exact numbers as text, tuples as lists."""
        found: dict[str, Any] = msgspec.json.decode(self._json())
        return found

    def to_json(self) -> str:
        """Return it as JSON text."""
        return self._json().decode()

    def _json(self) -> bytes:
        return _encoder.encode(self)

    @classmethod
    def _members(cls) -> dict[str, Any]:
        """Return what a web answer holds of it, by name, each with its type."""
        return {field.name: field.type for field in msgspec.structs.fields(cls)}

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: object, handler: Any) -> dict[str, Any]:
        from .pydantic_schema import core_schema  # noqa: PLC0415  (only for those who use pydantic)

        return core_schema(cls, cls._members(), handler.generate_schema)


class Agent(_Struct, frozen=True, kw_only=True):
    """The configured agent that held the conversation."""

    id: str | None = None
    """The provider's id of it."""
    name: str | None = None
    """Its name for people."""
    version: str | None = None
    """Which configuration of it; None where the provider keeps no versions."""


class Participant(_Struct, frozen=True, kw_only=True):
    """One who took part."""

    kind: ParticipantKind = ParticipantKind.UNKNOWN
    """What it is; unknown where the provider's word is one nobody knows."""
    id: str | None = None
    """The provider's id of the person or agent."""
    name: str | None = None
    """Its name for people, or that unknown word."""
    phone: str | None = None
    """The number as sent, most often E.164."""


class Analysis(_Struct, frozen=True, kw_only=True):
    """The provider's own judgement of the conversation."""

    success: bool | None = None
    """Whether it reached its goal; None where the provider does not say."""
    sentiment: str | None = None
    """The provider's word."""
    scores: dict[str, float] | None = None
    """Named scores, on the provider's scale."""
    collected: dict[str, Any] | None = None
    """Named values gathered from the conversation."""


class Recording(_Struct, frozen=True, kw_only=True):
    """Where a recording is: a handle, not a URL to trust or to keep."""

    location: str
    """A URL, a path at the provider, or a bucket address, as `access` says; what opens it is kept as `?***`."""
    access: RecordingAccess
    """What it takes to read it."""
    media_type: str | None = None
    """As in `audio/mpeg`; None where the provider does not say."""
    duration: float | None = None
    """Seconds."""
    expires_at: datetime | None = None
    """When the location stops working, UTC. None: never, or unknown."""
    ref: str | None = None
    """The conversation it belongs to, as `hub.get` takes it; None where no hub read it."""

    def __repr__(self) -> str:
        # What follows is what a signed URL is signed with: whoever has it may listen.
        return f"<Recording {self.location.partition('?')[0]} {self.access.value}>"


class Cost(_Struct, frozen=True, kw_only=True):
    """What the provider charges for the conversation."""

    amount: Decimal
    """How much, exactly as the provider says."""
    unit: str
    """A currency (`USD`) or the provider's own unit (`credits`)."""


class Issue(_Struct, frozen=True):
    """Something the provider sent that we could not read. It never holds the value."""

    place: str
    """Where: a path in the provider's JSON, `events[2].timestamp`."""
    reason: str
    """What is wrong with it."""


class ToolCall(_Struct, frozen=True, kw_only=True, gc=False):
    """A tool the agent called."""

    id: str | None = None
    """What its result refers to; None where the provider links them by order only."""
    name: str | None = None
    """The tool's name."""
    arguments: str | None = None
    """The JSON text as sent: models write it, so it may be no valid JSON."""


class ToolResult(_Struct, frozen=True, kw_only=True, gc=False):
    """What a tool answered."""

    call_id: str | None = None
    """The `ToolCall.id` it answers."""
    content: str | None = None
    """The answer as sent, most often JSON text."""
    is_error: bool | None = None
    """Whether the tool failed; None where the provider does not say."""


class Word(_Struct, frozen=True, kw_only=True, gc=False):
    """One timed word of a turn; start in seconds from the conversation's start."""

    text: str
    """The word as recognized."""
    start: float | None = None
    """Seconds from the conversation's start."""
    duration: float | None = None
    """Seconds."""
    confidence: float | None = None
    """Of the recognition, 0 to 1."""


class TranscriptTurn(_Struct, frozen=True, kw_only=True, gc=False):
    """One entry of the transcript: somebody speaks, or a tool answers."""

    index: int
    """Position in the provider's order, from 0; never re-sorted."""
    role: Role = Role.UNKNOWN
    """Who speaks; unknown where nobody knows the provider's word, which `participant` then keeps."""
    text: str = ""
    """What was said or written; empty for a turn that only calls a tool or only carries its result."""
    start: float | None = None
    """Seconds from the conversation's start."""
    duration: float | None = None
    """Seconds."""
    timestamp: float | None = None
    """Unix seconds; `started_at` makes a datetime of it."""
    participant: int | None = None
    """Position in `Conversation.participants`."""
    language: str | None = None
    """As the provider names it."""
    interrupted: bool | None = None
    """Whether the speaker was cut off; None where the provider does not say."""
    confidence: float | None = None
    """Of the speech recognition, 0 to 1."""
    tool_calls: tuple[ToolCall, ...] = ()
    """Tools called in this turn; empty where none were."""
    tool_result: ToolResult | None = None
    """What a tool answered; None in every other turn. The last answer to a call counts."""
    words: tuple[Word, ...] = ()
    """Timed words; empty where the provider gives none."""
    metrics: dict[str, float] | None = None
    """Latencies under the provider's names, in seconds."""
    visibility: Visibility = Visibility.PUBLIC
    """Who was meant to read it."""
    provider_id: str | None = None
    """The provider's own id of the turn."""

    @property
    def started_at(self) -> datetime | None:
        """When the turn began, UTC; None where the provider gave no instant, or one that no calendar has."""
        try:
            return None if self.timestamp is None else datetime.fromtimestamp(self.timestamp, UTC)
        except (ValueError, OverflowError, OSError):
            return None


# So that nothing said in one turn reads as another's: all that `str.splitlines` takes for the end of a line.
_INDENTED = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_INDENT = "\n    "

_FINISHED = frozenset({Status.ENDED, Status.FAILED, Status.NO_ANSWER, Status.CANCELLED})


class Conversation(_Struct, frozen=True, kw_only=True):
    """One past or running conversation, whichever provider held it.

    `str(conversation)` is its plain transcript, or its `repr` where there is none. Its `repr` shows no personal data.
    """

    provider: str
    """The provider's name: `tavus`."""
    id: str
    """The provider's id. Unique within a provider and account, not across them."""
    account: str = "default"
    """The account of the hub it was read with."""
    status: Status = Status.UNKNOWN
    """Where it stands; unknown where nobody knows the provider's word."""
    provider_status: str | None = None
    """The provider's word for the status, as sent."""
    title: str | None = None
    """The name it was given; None where it has none."""
    channel: Channel = Channel.UNKNOWN
    """The medium; unknown where nothing tells."""
    direction: Direction = Direction.UNKNOWN
    """Who opened it; unknown where nothing tells."""
    agent: Agent | None = None
    """The configured agent; None where the provider names none."""
    participants: tuple[Participant, ...] = ()
    """Who took part; turns refer to their positions."""
    created_at: datetime | None = None
    """When the provider made the record, UTC."""
    started_at: datetime | None = None
    """When the parties were connected, UTC."""
    ended_at: datetime | None = None
    """When they parted, UTC; None while it runs, or where nothing tells."""
    updated_at: datetime | None = None
    """When the provider last changed the record, UTC."""
    duration: float | None = None
    """Seconds."""
    end_reason: EndReason | None = None
    """None while it runs, or where the provider does not say."""
    provider_end_reason: str | None = None
    """The provider's words for the end, as sent."""
    transcript: tuple[TranscriptTurn, ...] | None = None
    """The turns in the provider's order; None where none were read, and `transcript_state` says why."""
    transcript_state: TranscriptState = TranscriptState.NOT_LOADED
    """Why the transcript is there, or is not."""
    summary: str | None = None
    """The provider's own; None where there is none."""
    analysis: Analysis | None = None
    """The provider's own judgement; None where there is none."""
    recordings: tuple[Recording, ...] = ()
    """Handles, not URLs to trust; empty where the provider names none."""
    cost: Cost | None = None
    """What the provider charges; None where it does not say."""
    language: str | None = None
    """As the provider names it."""
    tags: tuple[str, ...] = ()
    """Labels the customer gave it."""
    metadata: dict[str, Any] = {}
    """What the customer attached, and what the provider says that has no field here; JSON values."""
    links: dict[str, str] = {}
    """URLs for people, by what they lead to; data, never fetched by us."""
    related_ids: dict[str, str] = {}
    """Ids of this conversation elsewhere, or of others it belongs to, by what they name."""
    estimated: tuple[str, ...] = ()
    """Names of fields that we derived instead of read."""
    issues: tuple[Issue, ...] = ()
    """What could not be read."""
    raw: bytes | None = None
    """The provider's JSON, known secrets scrubbed; kept where the hub has `keep_raw=True`."""

    @property
    def ref(self) -> str:
        """The name `hub.get` takes: `tavus:c123`, or `tavus/eu:c123` for a named account."""
        account = "" if self.account == "default" else f"/{self.account}"
        return f"{self.provider}{account}:{self.id}"

    @property
    def is_finished(self) -> bool:
        """Whether it has ended, well or badly."""
        return self.status.is_finished

    @property
    def user_turns(self) -> tuple[TranscriptTurn, ...]:
        """The turns of the person; none where there is no transcript."""
        return tuple(turn for turn in self.transcript or () if turn.role == Role.USER)

    @property
    def agent_turns(self) -> tuple[TranscriptTurn, ...]:
        """The turns of the AI agent; none where there is no transcript."""
        return tuple(turn for turn in self.transcript or () if turn.role == Role.ASSISTANT)

    @property
    def human_agent_turns(self) -> tuple[TranscriptTurn, ...]:
        """The turns of people who took over from the agent; none where there is no transcript."""
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

        Left out are system prompts, internal notes, and turns without words (tool calls and results). The words are as
        they were sent: on a terminal, controls in them would be obeyed, and invisible letters not be seen.
        """
        return "\n".join(
            f"{turn.role.value}: {_INDENTED.sub(_INDENT, turn.text)}"
            for turn in self.transcript or ()
            if turn.text and turn.role != Role.SYSTEM and turn.visibility == Visibility.PUBLIC
        )

    def _json(self) -> bytes:
        from .document import document  # noqa: PLC0415  (it is made of these values)

        return document(self)

    @classmethod
    def _members(cls) -> dict[str, Any]:
        members = super()._members()
        del members["raw"]  # for nobody else to see
        return {"ref": str, **members}

    def render(self, *, tools: bool = True, times: bool = True) -> str:
        """Return all of it as lines for people, the same as `conversations-hub get` writes.

        What could steer a terminal is escaped. `tools` is for the tools that were called and what they answered,
        `times` for when each turn began.
        """
        from .rendering import rendered  # noqa: PLC0415  (it is made of these values)

        return rendered(self, tools=tools, times=times)

    def __str__(self) -> str:
        return self.text or repr(self)

    def __repr__(self) -> str:
        turns = self.transcript_state.value if self.transcript is None else f"{len(self.transcript)} turns"
        length = "" if self.duration is None else f", {self.duration:g} s"
        return f"<Conversation {self.ref} {self.status.value}, {turns}{length}>"
