"""What Retell sends: calls and chats, the same record with members named `call_…` or `chat_…`."""

# what Retell sends

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Seconds

Milliseconds = Annotated[float, msgspec.Meta(ge=0, lt=1e13)]
_AnyUnit = Annotated[float, msgspec.Meta(ge=0, lt=2.0**63)]


class Word(msgspec.Struct, gc=False):
    """A word; the seconds are those of the audio."""

    word: str | None = None
    start: Seconds | None = None
    end: Seconds | None = None


class Remarks(msgspec.Struct, gc=False):
    is_backchannel: bool | None = None


class Item(msgspec.Struct, gc=False):
    """An entry of a transcript; its role decides which members it has."""

    role: str | None = None
    content: str | None = None
    words: list[Word | None] | None = None
    tool_call_id: Id | None = None
    name: str | None = None
    arguments: str | None = None
    successful: bool | None = None
    digit: Id | None = None
    time_sec: Seconds | None = None
    message_id: Id | None = None
    created_timestamp: _AnyUnit | None = None
    former_node_id: Id | None = None
    former_node_name: str | None = None
    new_node_id: Id | None = None
    new_node_name: str | None = None
    transition_type: str | None = None
    former_state_name: str | None = None
    new_state_name: str | None = None
    metadata: Remarks | list[Any] | str | float | bool | None = None


class Analysis(msgspec.Struct):
    """The analysis of a call or chat, which arrives some time after the end."""

    call_summary: str | None = None
    chat_summary: str | None = None
    call_successful: bool | None = None
    chat_successful: bool | None = None
    user_sentiment: str | None = None
    in_voicemail: bool | None = None
    custom_analysis_data: AnyJson = None


class Telephony(msgspec.Struct):
    twilio_call_sid: str | None = None


class Call(msgspec.Struct):
    call_id: Id | None = None
    chat_id: Id | None = None
    call_type: str | None = None
    chat_type: str | None = None
    call_status: str | None = None
    chat_status: str | None = None
    direction: str | None = None
    from_number: str | None = None
    to_number: str | None = None
    agent_id: Id | None = None
    agent_name: str | None = None
    agent_version: Id | None = None
    version: Id | None = None
    agent_tag: str | None = None
    start_timestamp: Instant = None
    end_timestamp: Instant = None
    duration_ms: Milliseconds | None = None
    disconnection_reason: str | None = None
    transfer_destination: str | None = None
    transfer_end_timestamp: AnyJson = None
    transcript_with_tool_calls: list[Item | None] | None = None
    message_with_tool_calls: list[Item | None] | None = None
    # They repeat the first or replace it, so they are decoded only if it is missing.
    scrubbed_transcript_with_tool_calls: msgspec.Raw = msgspec.Raw()
    transcript_object: msgspec.Raw = msgspec.Raw()
    # Tools that integrations used before and after, separate from the transcript.
    pre_session_transcript_with_tool_calls: msgspec.Raw = msgspec.Raw()
    pre_session_message_with_tool_calls: msgspec.Raw = msgspec.Raw()
    scrubbed_pre_session_transcript_with_tool_calls: msgspec.Raw = msgspec.Raw()
    scrubbed_pre_session_message_with_tool_calls: msgspec.Raw = msgspec.Raw()
    post_session_transcript_with_tool_calls: msgspec.Raw = msgspec.Raw()
    post_session_message_with_tool_calls: msgspec.Raw = msgspec.Raw()
    scrubbed_post_session_transcript_with_tool_calls: msgspec.Raw = msgspec.Raw()
    scrubbed_post_session_message_with_tool_calls: msgspec.Raw = msgspec.Raw()
    transcript: str | None = None
    recording_url: str | None = None
    recording_multi_channel_url: str | None = None
    scrubbed_recording_url: str | None = None
    scrubbed_recording_multi_channel_url: str | None = None
    public_log_url: str | None = None
    knowledge_base_retrieved_contents_url: str | None = None
    call_analysis: Analysis | None = None
    chat_analysis: Analysis | None = None
    call_cost: AnyJson = None
    chat_cost: AnyJson = None
    latency: AnyJson = None
    llm_token_usage: AnyJson = None
    metadata: AnyJson = None
    retell_llm_dynamic_variables: AnyJson = None
    collected_dynamic_variables: AnyJson = None
    custom_attributes: AnyJson = None
    data_storage_setting: str | None = None
    opt_out_sensitive_data_storage: bool | None = None
    opt_in_signed_url: bool | None = None
    telephony_identifier: Telephony | None = None


class Created(msgspec.Struct):
    """A web call that was just created, and how to join it."""

    call_id: Id | None = None
    access_token: str | None = None
    transport: AnyJson = None
    ice_servers: AnyJson = None
    expires_at: AnyJson = None


class Page(msgspec.Struct):
    items: list[msgspec.Raw] | None = None
    has_more: bool | None = None
    pagination_key: Id | None = None


class Reply(msgspec.Struct):
    messages: list[Item | None]


class Delivery(msgspec.Struct):
    event: str | None = None
    event_timestamp: Instant = None
    call: msgspec.Raw = msgspec.Raw()
    chat: msgspec.Raw = msgspec.Raw()
    transfer_destination: AnyJson = None
    transfer_option: AnyJson = None


# A token opens a web call, a credential its relays; SIP headers may hold credentials for the customer's telephony.
SECRETS = frozenset({"access_token", "credential", "custom_sip_headers"})

LEFT_TO_RAW = {
    "custom_sip_headers*": "they may hold credentials",
    "*_with_tool_calls[].type": "the kind of tool; its name says more",
    "*_with_tool_calls[].metadata.*": "the id of the model's response",
    "transcript_with_tool_calls[].thought_signature": "only the model can read it",
    "transcript_with_tool_calls[].multimedia*": "a turn has no place for attachments",
    "message_with_tool_calls[].thought_signature": "only the model can read it",
    "message_with_tool_calls[].multimedia*": "a turn has no place for attachments",
}
