"""What Ultravox sends: calls, their messages, and pages of both.

A member that has its default may be missing: an empty text, an offset of zero.
"""

# what Ultravox sends

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

from ...reading.values import AnyJson, Id, Instant

T = TypeVar("T")


class Agent(msgspec.Struct, rename="camel"):
    agent_id: Id | None = None
    name: str | None = None


class Outgoing(msgspec.Struct):
    """A call that Ultravox itself dials."""

    to: str | None = None
    caller: str | None = msgspec.field(default=None, name="from")


class Line(msgspec.Struct):
    outgoing: Outgoing | None = None
    incoming: AnyJson = None


class Medium(msgspec.Struct, rename="camel"):
    """The media; a call has one of them."""

    web_rtc: Line | None = None
    server_web_socket: Line | None = None
    twilio: Line | None = None
    telnyx: Line | None = None
    plivo: Line | None = None
    exotel: Line | None = None
    sip: Line | None = None


class SipDetails(msgspec.Struct, rename="camel"):
    billed_duration: AnyJson = None
    termination_reason: str | None = None


class Facts(msgspec.Struct, rename="camel", kw_only=True):
    """Members that no field of a conversation has a place for."""

    model: AnyJson = None
    voice: AnyJson = None
    temperature: AnyJson = None
    client_version: AnyJson = None
    join_timeout: str | None = None
    max_duration: str | None = None
    recording_enabled: AnyJson = None
    retention_policy: AnyJson = None
    billing_status: str | None = None
    billed_duration: AnyJson = None
    billed_side_input_tokens: AnyJson = None
    billed_side_output_tokens: AnyJson = None
    initial_state: AnyJson = None
    request_context: AnyJson = None


class Call(Facts, rename="camel", kw_only=True):
    """A call, without its messages."""

    call_id: Id
    created: Instant = None
    joined: Instant = None
    ended: Instant = None
    end_reason: str | None = None
    agent: Agent | None = None
    agent_id: Id | None = None
    medium: Medium | None = None
    sip_details: SipDetails | None = None
    language_hint: str | None = None
    system_prompt: str | None = None
    summary: str | None = None
    short_summary: str | None = None
    metadata: AnyJson = None


class Timespan(msgspec.Struct, gc=False):
    """Start and end, as in "12.345s"."""

    start: str | None = None
    end: str | None = None


class Message(msgspec.Struct, rename="camel", gc=False):
    """Words that were said, the call of a tool, or its answer."""

    role: str | None = None
    text: str | None = None
    invocation_id: Id | None = None
    tool_name: str | None = None
    error_details: AnyJson = None
    call_stage_id: Id | None = None
    call_stage_message_index: int | None = None
    call_state: AnyJson = None
    timespan: Timespan | None = None
    wall_clock_timespan: Timespan | None = None
    metadata: AnyJson = None


class Page(msgspec.Struct, Generic[T]):
    """A page; its total is not read, since it was seen to be 0 on a page with rows."""

    results: list[T]
    next: AnyJson = None


class Created(msgspec.Struct, rename="camel"):
    """The join URL of a new call."""

    join_url: str | None = None


class Delivery(msgspec.Struct):
    call: msgspec.Raw
    event: str | None = None


class Whole(msgspec.Struct):
    """`raw` of a call from `get` or from a webhook."""

    call: Call
    messages: list[Page[Message | None]] = []
    event: str | None = None


_SETTINGS = (
    "*callbacks*", "*dataConnectionConfig*", "*experimentalSettings*", "*externalVoice*", "*firstSpeaker*",
    "*inactivityMessages*", "*initialOutputMedium", "*medium.*.dataMessages*", "*medium.*.dtmfHandling*",
    "*medium.*.outgoing.additionalParams*", "*medium.serverWebSocket.*", "*medium.sip.outgoing.password",
    "*medium.sip.outgoing.username", "*timeExceededMessage", "*transcriptOptional", "*vadSettings*", "*voiceOverrides*",
)  # fmt: skip
LEFT_TO_RAW = {
    **dict.fromkeys(_SETTINGS, "the configuration of the call, with credentials"),
    "*joinUrl": "anyone with it may join: `start` returns it",
    "*systemPrompt": "part of the transcript, if there is one",
    "messages[].results[].medium": "spoken or written; most often the call's own medium",
    **dict.fromkeys(("messages[].next", "messages[].previous", "messages[].total"), "about the page"),
}

SECRET_FIELDS = frozenset(
    {
        "additionalParams",  # parameters of a carrier's request, including its SIP password
        "dataConnectionConfig",
        "experimentalSettings",
        "headers",
        "joinUrl",
        "password",
        "secrets",
        "username",
    }
)
