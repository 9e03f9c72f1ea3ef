"""What Synthflow sends: calls, whose rows and details name the same otherwise, and chats."""

from __future__ import annotations

from typing import Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Number, Seconds


class Call(msgspec.Struct):
    """A call: a row of the list, or a record of its own."""

    call_id: Id
    model_id: Id | None = None
    call_status: str | None = None
    """In rows."""
    status: str | None = None
    """In a record of its own."""
    transcript: str | None = None
    duration: Seconds | None = None
    start_time: Instant = None
    end_call_reason: str | None = None
    custom_end_call_reason: str | None = None
    type_of_call: str | None = None
    phone_number_from: Id | None = None
    phone_number_to: Id | None = None
    lead_phone_number: Id | None = None
    agent_phone_number: Id | None = None
    name: str | None = None
    lead_name: str | None = None
    recording_url: str | None = None
    recording_duration: Number = None
    telephony_duration: int | float | None = None
    telephony_ringing_duration: int | float | None = None
    telephony_start: Instant = None
    telephony_end: Instant = None
    telephony_hangup: str | None = None
    telephony_disconnect_reason: str | None = None
    executed_actions: AnyJson = None
    collected_variables: AnyJson = None
    judge_results: AnyJson = None
    agents_used: AnyJson = None
    labels: list[Id | None] | None = None
    deployment_type: str | None = None
    prompt_variables: AnyJson = None
    campaign_type: str | None = None
    timezone: str | None = None
    error_message: str | None = None
    external_id: Id | None = None
    """In webhooks."""


class Pagination(msgspec.Struct):
    total_records: float | None = None


class Rows(msgspec.Struct):
    """The calls of one agent, or one call, of which there is a list too."""

    calls: list[msgspec.Raw] | None = None
    pagination: Pagination | None = None


class Listed(msgspec.Struct):
    response: Rows | None = None


class Calls(msgspec.Struct):
    calls: list[Call | None] | None = None


class Got(msgspec.Struct):
    """A call as `get` has it: in a list."""

    response: Calls | None = None


class Assistant(msgspec.Struct):
    model_id: Id | None = None


class Assistants(msgspec.Struct):
    assistants: list[Assistant | None] | None = None
    pagination: Pagination | None = None


class ListedAssistants(msgspec.Struct):
    response: Assistants | None = None


class Started(msgspec.Struct):
    call_id: Id
    answer: AnyJson = None


class StartedCall(msgspec.Struct):
    response: Started
    eta: AnyJson = None


# chats


class Entry(msgspec.Struct):
    """One message of a chat."""

    agent_id: Id | None = None
    message: str | None = None
    timestamp: Instant = None
    turn_number: float | None = None


class Spoken(msgspec.Struct):
    """What an agent wrote, in an answer or as the first message."""

    agent_message: str | None = None
    timestamp: Instant = None
    turn_number: float | None = None


class Chat(msgspec.Struct):
    """A chat; a row has the first three members only."""

    chat_id: Id
    chat_status: str | None = None
    start_timestamp: Instant = None
    conversation_history: list[Entry | None] | msgspec.UnsetType | None = msgspec.UNSET
    initial_message: Spoken | None = None
    transcript: str | None = None


class GotChat(msgspec.Struct):
    response: Chat


class Answered(msgspec.Struct):
    """The answer to a message, and to the start of a chat."""

    response: Spoken | None = None


class ChatRows(msgspec.Struct):
    chats: list[msgspec.Raw] | None = None
    has_more: bool | None = None
    next_cursor: str | None = None


class ListedChats(msgspec.Struct):
    response: ChatRows | None = None


# webhooks


class Lead(msgspec.Struct):
    name: str | None = None
    phone_number: Id | None = None


class Delivery(msgspec.Struct):
    """What is sent after a call."""

    status: str | None = None
    error_message: str | None = None
    lead: Lead | None = None
    call: msgspec.Raw = msgspec.Raw()
    executed_actions: AnyJson = None
    analysis: Any = None


_ANSWER = "about the answer"
CALLS_LEFT = {
    "status": _ANSWER,
    "response.pagination*": "there is one call",
}
CHATS_LEFT = {
    "status": _ANSWER,
    "response.current_state": "a state of the agent's own",
    "response.fsm_log*": "what the agent did step by step",
    "response.initial_message.current_state": "a state of the agent's own",
    "response.conversation_history[].current_state": "a state of the agent's own",
    "response.conversation_history[].turn_number": "its position",
    "response.initial_message.turn_number": "its position",
    "response.turn_number": "its position",
}
