"""What Fish Audio sends."""

from __future__ import annotations

from typing import Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds


class Item(msgspec.Struct, gc=False):
    """One entry of a session's timeline: a message, a call of a tool, or its result."""

    type: str | None = None
    role: str | None = None
    content: str | None = None
    call_id: Id | None = None
    tool_name: str | None = None
    tool_source: str | None = None
    input: AnyJson = None
    status: str | None = None
    output: AnyJson = None
    output_truncated: bool | None = None
    error: AnyJson = None
    latency_ms: Seconds | None = None  # not in seconds, but within the same bounds
    created_at: Instant = None


class Value(msgspec.Struct):
    """One value that the analysis collected."""

    name: str | None = None
    value: AnyJson = None
    rationale: str | None = None


class Criterion(msgspec.Struct):
    """One criterion that the analysis checked."""

    name: str | None = None
    result: str | None = None
    rationale: str | None = None


class Findings(msgspec.Struct):
    """The analysis of a session; a webhook adds when it finished, and why it failed."""

    status: str | None = None
    summary: str | None = None
    data: list[Value | None] | None = None
    criteria_results: list[Criterion | None] | None = None
    finished_at: Instant = None
    error: AnyJson = None


class Session(msgspec.Struct):
    """A session: a row of the list, or with `items` and `analysis` the answer of `get`."""

    session_id: Id
    agent_id: Id | None = None
    agent_name: str | None = None
    name: str | None = None
    status: str | None = None
    source: str | None = None
    direction: str | None = None
    dial_status: str | None = None
    answered_by: str | None = None
    caller_number: str | None = None
    dialed_number: str | None = None
    timezone: str | None = None
    created_at: Instant = None
    started_at: Instant = None
    ended_at: Instant = None
    duration_seconds: Seconds | None = None
    metadata: Any = None
    items: list[Item | None] | msgspec.UnsetType | None = msgspec.UNSET
    analysis: Findings | None = None


class Page(msgspec.Struct):
    """One page of the list."""

    sessions: list[msgspec.Raw] | None = None
    has_more: bool | None = None
    next_cursor: str | None = None


class Created(msgspec.Struct):
    """The answer to a start: of a session that somebody may join, or of a phone call."""

    session_id: Id
    status: str | None = None
    expires_at: Instant = None
    max_duration_seconds: Seconds | None = None
    transport: str | None = None
    livekit_url: str | None = None
    token: str | None = None


class Track(msgspec.Struct):
    """What one speaker said, as audio."""

    role: str | None = None
    status: str | None = None
    url: str | None = None
    error: AnyJson = None


class Recorded(msgspec.Struct):
    """The recording of a session, one track for each speaker."""

    status: str | None = None
    tracks: list[Track | None] | None = None


class DeliveredSession(msgspec.Struct):
    """A session as a webhook has it: other names than in the API."""

    id: Id | None = None
    agent_id: Id | None = None
    agent_name: str | None = None
    branch_id: Id | None = None
    batch_call_id: Id | None = None
    config_hash: Id | None = None
    end_user_id: Id | None = None
    status: str | None = None
    source: str | None = None
    direction: str | None = None
    dial_status: str | None = None
    answered_by: str | None = None
    conversation_started_at: Instant = None
    conversation_ended_at: Instant = None
    duration_seconds: Seconds | None = None
    metadata: Any = None
    items: list[Item | None] | msgspec.UnsetType | None = msgspec.UNSET


class Delivery(msgspec.Struct):
    """A webhook."""

    event: str | None = None
    session: DeliveredSession | None = None
    dial_status: str | None = None
    answered_by: str | None = None
    ended_reason: str | None = None
    analysis: Findings | None = None
    items: list[Item | None] | msgspec.UnsetType | None = msgspec.UNSET


LEFT_TO_RAW = {
    "items[].turn_id": "groups entries, and is no id of a turn",
    "analysis.data[].type": "the kind of the value, which the value itself shows",
}
