"""What Bland AI sends: calls, their transcripts, and deliveries."""

from __future__ import annotations

from typing import Any

import msgspec

from ...reading.values import AnyJson, Id, Instant, Number, Seconds

# what Bland sends


class Row(msgspec.Struct, gc=False):
    """A turn noted during the call; `created_at` is when the agent began to speak or the user had finished."""

    id: Id | None = None
    created_at: str | None = None
    text: str | None = None
    user: str | None = None


class Segment(msgspec.Struct, gc=False):
    """A turn transcribed from the recording; seconds from the start of the call, or of the part after a transfer."""

    start: Seconds | None = None
    end: Seconds | None = None
    text: str | None = None
    speaker_label: str | None = None
    confidence: float | None = None


class Leg(msgspec.Struct):
    """The call to a human who is to take over."""

    state: str | None = None
    call_id: Id | None = None
    phone_number: Id | None = None


class WarmTransfer(msgspec.Struct):
    state: str | None = None
    proxy_agent_calls: list[Leg | None] | None = None


class Citation(msgspec.Struct):
    variable_name: str | None = None
    value: Any = None


class Told(msgspec.Struct):
    """Members that no field of a conversation has a place for; the durations among them are in minutes."""

    queue_status: str | None = None
    completed: bool | None = None
    error_message: str | None = None
    answered_by: str | None = None
    call_ended_by: str | None = None
    persona_id: Id | None = None
    is_proxy_agent_call: bool | None = None
    transferred_at: AnyJson = None
    pre_transfer_duration: AnyJson = None
    post_transfer_duration: AnyJson = None
    live_translation_transcript: AnyJson = None
    analysis_schema: AnyJson = None
    citation_schema_ids: AnyJson = None
    evals: AnyJson = None
    record: AnyJson = None
    pathway_logs: AnyJson = None
    voice_id: AnyJson = None
    is_canary: AnyJson = None
    batch_id: AnyJson = None
    campaign_id: AnyJson = None
    max_duration: AnyJson = None
    local_dialing: AnyJson = None
    endpoint_url: AnyJson = None
    variables: AnyJson = None
    request_data: AnyJson = None


class Call(Told):
    """A call: a row of a list, the answer of `get`, or a delivery."""

    call_id: Id | None = None
    c_id: Id | None = None
    status: str | None = None
    inbound: bool | None = None
    from_: Id | None = msgspec.field(name="from", default=None)
    to: Id | None = None
    created_at: Instant = None
    started_at: Instant = None
    end_at: Instant = None
    corrected_duration: Number = None
    call_length: Number = None
    transcripts: list[Row | None] | str | None = None
    concatenated_transcript: str | None = None
    corrected_transcript: list[Segment | None] | None = None
    post_transfer_transcript: list[Segment | None] | None = None
    transfer_offset_seconds: Seconds | None = None
    transferred_to: Id | None = None
    warm_transfer_call: WarmTransfer | None = None
    summary: str | None = None
    analysis: AnyJson = None
    citations: list[Citation | None] | dict[str, Any] | None = None
    disposition_tag: str | None = None
    dispositions: AnyJson = None
    price: msgspec.Raw = msgspec.Raw()
    recording_url: str | None = None
    recording_expiration: Instant = None
    pathway_id: Id | None = None
    pathway_version: Id | None = None
    pathway_tags: list[AnyJson] | None = None
    metadata: AnyJson = None


class Correction(msgspec.Struct):
    """The transcript that is made from the recording."""

    corrected: list[Segment | None] | None = None


class CallAndCorrection(msgspec.Struct):
    """`raw`, if both were requested."""

    call: Call
    corrected: Correction


class Page(msgspec.Struct):
    """A page of calls; the count is that of all pages."""

    calls: list[msgspec.Raw] | None = None
    total_count: float | None = None


class Created(msgspec.Struct):
    call_id: Id
    status: str | None = None
    batch_id: Id | None = None


class Delivery(msgspec.Struct):
    """The members that distinguish deliveries; only those about a running call have a category."""

    call_id: Id | None = None
    conversation_id: Id | None = None
    category: str | None = None
    event_type: str | None = None
    contents: list[str | None] | None = None
    timestamp: Instant = None
    status: str | None = None
    thread_id: Id | None = None
    thread_ended_at: Instant = None
    widget_id: Id | None = None
    visitor_id: Id | None = None


CALL = msgspec.json.Decoder(Call, strict=False)
CORRECTION = msgspec.json.Decoder(Correction, strict=False)
PAGE = msgspec.json.Decoder(Page, strict=False)
CREATED = msgspec.json.Decoder(Created, strict=False)
DELIVERY = msgspec.json.Decoder(Delivery, strict=False)

# A call repeats its request, with headers for the customer's own servers and the key to the customer's Twilio.
# https://docs.bland.ai/api-v1/post/calls
SECRET_FIELDS = frozenset(
    {"Authorization", "api_key", "authorization", "encrypted_key", "headers", "password", "token"}
)

LEFT_TO_RAW = {
    "*c_id": "the call's id again",
    "*call_length": "in minutes; the duration is in seconds",
    "*concatenated_transcript": "the transcript again",
    "*recording_url": "it may need Twilio's credentials; the recording's address at Bland does not",
    "*transcripts[].status": "always null",
    "*transcripts[].transcript_id": "rows are distinguished by their id",
    "*citations[].*": "the place and type of a value; the value itself is collected",
    "*speaker": "a number; speaker_label is the word",
    "corrected.aligned*": "deprecated: the same without confidence",
    "corrected.original*": "the rows of the call, in no order",
    "corrected.status": "about the request, not the call",
    "corrected.message": "about the request, not the call",
    "message": "about the request to start, not the call",
}


def tags_in(sent: list[AnyJson] | None) -> tuple[str, ...]:
    """Return the names of tags, which are text, or objects with a name and a colour."""
    # https://docs.bland.ai/api-v1/get/sms-conversations
    names = (tag.get("name") if isinstance(tag, dict) else tag for tag in sent or ())
    return tuple(name for name in names if isinstance(name, str) and name)
