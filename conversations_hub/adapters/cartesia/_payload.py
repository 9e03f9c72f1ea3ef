"""What Cartesia sends."""

from __future__ import annotations

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds


class ToolCall(msgspec.Struct, gc=False):
    """A call of a tool; only webhooks have its result."""

    id: Id | None = None
    name: str | None = None
    arguments: AnyJson = None
    result: AnyJson = None


class Turn(msgspec.Struct, gc=False):
    """One entry of a transcript: a turn, or what the customer's own code logged."""

    role: str | None = None
    text: str | None = None
    start_timestamp: Seconds | None = None
    end_timestamp: Seconds | None = None
    end_reason: str | None = None
    was_interrupted: bool | None = None
    tool_calls: list[ToolCall | None] | None = None
    vad_buffer_ms: Seconds | None = None  # not in seconds, but within the same bounds
    tts_ttfb: Seconds | None = None
    log_event: AnyJson = None
    log_metric: AnyJson = None


class Call(msgspec.Struct, kw_only=True):
    """A call: a row of the list, the answer of `get`, or a part of a webhook."""

    id: Id
    agent_id: Id | None = None
    agent_name: str | None = None
    deployment_id: Id | None = None
    status: str | None = None
    start_time: Instant = None
    end_time: Instant = None
    end_reason: str | None = None
    error_message: str | None = None
    transcript: list[Turn | None] | None = None
    telephony_params: AnyJson = None
    summary: str | None = None
    metadata: AnyJson = None
    redacted_at: Instant = None


class Page(msgspec.Struct):
    """A page of the list."""

    data: list[msgspec.Raw] | None = None
    next_page: Id | msgspec.UnsetType | None = msgspec.UNSET


class Stamp(msgspec.Struct):
    """The members of a row that say where it is."""

    id: Id | None = None
    start_time: Instant = None


class ListedAgent(msgspec.Struct):
    """An agent, in the list of agents."""

    id: Id | None = None


class Agents(msgspec.Struct):
    """The list of agents."""

    summaries: list[ListedAgent | None] | None = None


class Delivery(msgspec.Struct):
    """A webhook, in the present envelope or in the older one."""

    type: str | None = None
    timestamp: Instant = None
    agent_id: Id | None = None
    webhook_id: Id | None = None
    call_id: Id | None = None
    call: Call | None = None
    turn: AnyJson = None
    analysis: AnyJson = None
    # Older deliveries have these two instead.
    request_id: Id | None = None
    body: list[Turn | None] | None = None


LEFT_TO_RAW = {
    "transcript[].text_chunks*": "the text of the turn again, in phrases",
}
