"""What AssemblyAI sends."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds

Milliseconds = Annotated[float, msgspec.Meta(ge=0, lt=1e14)]
"""An instant in Unix milliseconds, or an offset from the start."""


class Artifact(msgspec.Struct):
    """A file of a session, at a signed URL of another host."""

    type: str | None = None
    url: str | None = None
    content_type: str | None = None


class Session(msgspec.Struct):
    """A session: a row of the list, or with `config` and `artifacts` the answer of `get`."""

    id: Id
    status: str | None = None
    agent_id: Id | None = None
    public_close_reason: str | None = None
    duration_seconds: Seconds | None = None
    created_at: Instant = None
    ended_at: Instant = None
    config: Any = None
    artifacts: list[Artifact | None] | msgspec.UnsetType | None = msgspec.UNSET


class Call(msgspec.Struct):
    """A call of a tool, with its result."""

    call_id: Id | None = None
    name: str | None = None
    arguments: AnyJson = None
    result: AnyJson = None
    dispatched_at_ms: Milliseconds | None = None
    result_received_at_ms: Milliseconds | None = None
    duration_ms: Seconds | None = None  # not in seconds, but within the same bounds
    is_error: bool | None = None
    timed_out: bool | None = None


class Exchange(msgspec.Struct):
    """One entry of a timeline: what the customer said, the calls of tools, and what the agent said."""

    turn_id: Id | None = None
    status: str | None = None
    user_transcript: str | None = None
    user_speech_started_at_ms: Milliseconds | None = None
    user_speech_ended_at_ms: Milliseconds | None = None
    user_confidence: float | None = None
    agent_text: str | None = None
    agent_reply_started_at_ms: Milliseconds | None = None
    agent_reply_ended_at_ms: Milliseconds | None = None
    interrupted_at_ms: Milliseconds | None = None
    time_to_first_audio_ms: Seconds | None = None  # not in seconds, but within the same bounds
    tool_calls: list[Call | None] | None = None


class Ending(msgspec.Struct):
    """How a timeline ends."""

    reason: str | None = None
    public_reason: str | None = None
    duration_seconds: Seconds | None = None


class Timeline(msgspec.Struct):
    """What was said in a session, a file of its own."""

    started_at_unix_ms: Milliseconds | None = None
    turns: list[Exchange | None] | None = None
    ended: Ending | None = None


class Whole(msgspec.Struct):
    """What `get` reads: the session and its timeline under one roof."""

    session: Session
    timeline: Timeline | None = None


class Cursor(msgspec.Struct):
    """Where the next page begins."""

    next_cursor: str | None = None


class Page(msgspec.Struct):
    """One page of the list."""

    sessions: list[msgspec.Raw] | None = None
    has_more: bool | None = None
    response_metadata: Cursor | None = None


class DeliveredCall(msgspec.Struct):
    """A phone call, as a webhook has it: its id is that of the session."""

    call_id: Id | None = None
    session_id: Id | None = None
    created_at: Instant = None
    ended_at: Instant = None
    duration_seconds: Seconds | None = None
    recording_url: str | None = None
    transcript_url: str | None = None


class DeliveredSession(msgspec.Struct):
    """The members of a session that an event may have; it is not documented where they stand."""

    status: str | None = None
    agent_id: Id | None = None
    public_close_reason: str | None = None
    duration_seconds: Seconds | None = None
    created_at: Instant = None
    ended_at: Instant = None


class Delivery(DeliveredSession):
    """A webhook."""

    event: str | None = None
    event_id: Id | None = None
    session_id: Id | None = None
    session: DeliveredSession | None = None
    call: DeliveredCall | None = None


LEFT_TO_RAW = {
    "*artifacts[].url": "a signed URL that is valid for an hour; the recording's is asked for again",
    "*artifacts[].type": "the timeline is the transcript, the audio the recording",
    "timeline.session_id": "the session has the same id",
    "timeline.turns[].item_id": "an id of the model's own",
    "timeline.turns[].trigger": "why the agent spoke, which real answers name wrongly",
    "timeline.turns[].requested_instructions": "what the customer's program asked the agent for, not what was said",
    "timeline.turns[].tool_calls[].parallel_call_id": "groups calls that ran at once",
    "timeline.config_changes": "how the agent was configured, not what was said",
    "timeline.config_changes[].*": "how the agent was configured, not what was said",
}
