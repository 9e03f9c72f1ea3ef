"""What Claude sends."""

from __future__ import annotations

from typing import Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds


class Agent(msgspec.Struct):
    """The agent of a session, as it was when the session began."""

    id: Id | None = None
    name: str | None = None
    version: Id | None = None
    model: AnyJson = None


class Stats(msgspec.Struct):
    """How long a session has lasted, and how long its agent worked."""

    active_seconds: Seconds | None = None
    duration_seconds: Seconds | None = None


class Outcome(msgspec.Struct):
    """What a session should achieve, and whether it has."""

    outcome_id: Id | None = None
    description: str | None = None
    result: str | None = None
    explanation: str | None = None
    iteration: Any = None
    completed_at: Instant = None


class Session(msgspec.Struct):
    """A session; its events are another resource."""

    id: Id
    agent: Agent | None = None
    status: str | None = None
    title: str | None = None
    created_at: Instant = None
    updated_at: Instant = None
    archived_at: Instant = None
    environment_id: Id | None = None
    deployment_id: Id | None = None
    metadata: AnyJson = None
    stats: Stats | None = None
    usage: AnyJson = None
    outcome_evaluations: list[Outcome | None] | None = None


class SessionPage(msgspec.Struct):
    """A page of the list."""

    data: list[msgspec.Raw] | None = None
    next_page: str | None = None


class Text(msgspec.Struct, gc=False):
    """A part of a search result."""

    text: str | None = None


class Block(msgspec.Struct):
    """A part of a message: its text, or what stands for an image or a document."""

    type: str | None = None
    text: str | None = None
    title: str | None = None
    context: str | None = None
    content: list[Text | None] | None = None


class StopReason(msgspec.Struct):
    """Why the agent rests."""

    type: str | None = None
    event_ids: AnyJson = None


class StopDetails(msgspec.Struct):
    """Why the agent refused."""

    type: str | None = None
    category: str | None = None
    explanation: str | None = None


class Error(msgspec.Struct):
    """What went wrong."""

    type: str | None = None
    message: str | None = None


class Event(msgspec.Struct):
    """One entry of a session's log, of any type."""

    id: Id | None = None
    type: str | None = None
    processed_at: Instant = None
    session_thread_id: Id | None = None
    content: list[Block | None] | None = None
    name: str | None = None
    mcp_server_name: str | None = None
    input: AnyJson = None
    tool_use_id: Id | None = None
    mcp_tool_use_id: Id | None = None
    custom_tool_use_id: Id | None = None
    is_error: bool | None = None
    result: AnyJson = None
    deny_message: str | None = None
    description: str | None = None
    from_agent_name: str | None = None
    stop_reason: StopReason | None = None
    stop_details: StopDetails | None = None
    error: Error | None = None


class EventPage(msgspec.Struct):
    """A page of a session's log."""

    data: list[Event | None] | None = None
    next_page: str | None = None


class Whole(msgspec.Struct):
    """What `get` reads: the session and all pages of its log."""

    session: Session
    events: list[EventPage] | None = None


class Subject(msgspec.Struct):
    """What a delivery is about."""

    type: str | None = None
    id: Id | None = None


class Delivery(msgspec.Struct):
    """A webhook; it has ids only."""

    id: Id | None = None
    created_at: Instant = None
    data: Subject | None = None


_SET_UP = "how the agent is set up, not what was said"
_KIND = "what kind of object it is"
_BESIDE = "what happened beside the conversation"

LEFT_TO_RAW = {
    **dict.fromkeys(("type", "session.type", "*agent.type", "*outcome_evaluations[].type"), _KIND),
    "events[].data[].content[].content[].type": _KIND,
    "events[].next_page": "where the next page begins",
    "events[].data[].error.retry_status*": "whether it was tried again, which the following events show",
    **dict.fromkeys(("*budget*", "*resources*", "*vault_ids*"), "what the session may use"),
    **{
        f"*agent.{name}*": _SET_UP
        for name in ("description", "system", "tools", "skills", "mcp_servers", "multiagent", "execution_identity")
    },
    **dict.fromkeys(("events[].data[].agent.*", "events[].data[].agent", "events[].data[].metadata*"), _SET_UP),
    **dict.fromkeys(("events[].data[].title", "events[].data[].rubric*"), _SET_UP),
    "events[].data[].content[].source*": "an image or a document, perhaps of megabytes",
    "events[].data[].content[].citations*": "where a search result is cited",
    **dict.fromkeys(("*evaluated_permission", "*evaluation", "*evaluation.*"), "how a call of a tool was permitted"),
    **dict.fromkeys(
        [
            f"events[].data[].{name}*"
            for name in (
                *("usage", "model_request_start_id", "model_usage", "iteration", "outcome_id", "explanation"),
                *("outcome_evaluation_start_id", "max_iterations", "workflow_run_id", "workflow_run_phase_id"),
                *("phases", "phase_started_id", "agent_name", "to_agent_name"),
                *("from_session_thread_id", "to_session_thread_id"),
            )
        ],
        _BESIDE,
    ),
}
