"""What Intercom sends."""

from __future__ import annotations

import msgspec

from ...reading.values import AnyJson, Id, Instant, UnixSeconds

__all__ = [
    "LEFT_TO_RAW",
    "Answer",
    "Call",
    "Calls",
    "Delivery",
    "FinCall",
    "Message",
    "Page",
    "Part",
    "Sent",
    "Whole",
    "Writer",
]


class Writer(msgspec.Struct, gc=False):
    """The author of a message."""

    type: str | None = None
    id: Id | None = None
    name: str | None = None
    email: str | None = None
    from_ai_agent: bool | None = None


class _Attachment(msgspec.Struct, gc=False):
    name: str | None = None
    content_type: str | None = None


class Message(msgspec.Struct):
    """The message that a conversation began with."""

    type: str | None = None
    id: Id | None = None
    delivered_as: str | None = None
    subject: str | None = None
    body: str | None = None
    author: Writer | None = None
    attachments: list[_Attachment | None] | None = None
    url: str | None = None
    recipients: AnyJson = None
    reply_to: AnyJson = None


class Part(msgspec.Struct):
    """A later message, or something that happened."""

    id: Id | None = None
    part_type: str | None = None
    body: str | None = None
    created_at: UnixSeconds | None = None
    author: Writer | None = None
    attachments: list[_Attachment | None] | None = None
    event_details: AnyJson = None


class _Parts(msgspec.Struct):
    conversation_parts: list[Part | None] | None = None
    total_count: float | None = None


class _Contact(msgspec.Struct, gc=False):
    id: Id | None = None
    external_id: Id | None = None


class _Contacts(msgspec.Struct):
    contacts: list[_Contact | None] | None = None


class _Teammate(msgspec.Struct, gc=False):
    id: Id | None = None


class _Teammates(msgspec.Struct):
    teammates: list[_Teammate | None] | None = None


class _Tag(msgspec.Struct, gc=False):
    name: str | None = None


class _Tags(msgspec.Struct):
    tags: list[_Tag | None] | None = None


class _Reference(msgspec.Struct, gc=False):
    type: str | None = None
    id: Id | None = None


class _Channel(msgspec.Struct, gc=False):
    initial: str | None = None
    current: str | None = None


class Sent(msgspec.Struct):
    """A conversation."""

    id: Id
    title: str | None = None
    created_at: Instant = None
    updated_at: Instant = None
    waiting_since: AnyJson = None
    snoozed_until: AnyJson = None
    open: bool | None = None
    state: str | None = None
    priority: AnyJson = None
    admin_assignee_id: AnyJson = None
    team_assignee_id: AnyJson = None
    company: AnyJson = None
    tags: _Tags | None = None
    conversation_rating: AnyJson = None
    source: Message | None = None
    contacts: _Contacts | None = None
    teammates: _Teammates | None = None
    custom_attributes: AnyJson = None
    sla_applied: AnyJson = None
    statistics: AnyJson = None
    conversation_parts: _Parts | None = None
    linked_objects: AnyJson = None
    ai_agent_participated: bool | None = None
    ai_agent: AnyJson = None
    sales_agent: AnyJson = None
    channel: _Channel | None = None
    external_references: list[_Reference | None] | None = None
    monitor_evaluations: AnyJson = None
    scorecards: AnyJson = None


class Call(msgspec.Struct):
    """A phone call of a conversation."""

    id: Id | None = None
    state: str | None = None
    initiated_at: Instant = None
    answered_at: Instant = None
    ended_at: Instant = None
    recording_url: str | None = None
    call_type: str | None = None
    direction: str | None = None
    ended_reason: str | None = None
    phone: str | None = None
    fin_recording_url: str | None = None
    transcript: list[AnyJson] | None = None
    transcript_status: str | None = None


class Calls(msgspec.Struct):
    """The calls of a conversation."""

    data: list[Call | None] | None = None


class FinCall(msgspec.Struct):
    """A phone call that Fin answered."""

    id: Id | None = None
    user_phone_number: str | None = None
    status: str | None = None
    intercom_call_id: Id | None = None
    external_call_id: Id | None = None
    call_transcript: list[AnyJson] | None = None
    call_summary: str | None = None
    intent: AnyJson = None


class Whole(msgspec.Struct):
    """What `get` reads of a phone conversation: three answers in one."""

    conversation: Sent
    calls: Calls | None = None
    fin_calls: list[FinCall | None] | None = None


class _Cursor(msgspec.Struct):
    starting_after: str | None = None


class _Pages(msgspec.Struct):
    next: _Cursor | None = None


class Page(msgspec.Struct):
    """A page of the list, or of a search."""

    conversations: list[msgspec.Raw] | None = None
    pages: _Pages | None = None


class Answer(msgspec.Struct):
    """What starting a conversation returns: the message."""

    conversation_id: Id
    created_at: Instant = None


class _Data(msgspec.Struct):
    item: msgspec.Raw = msgspec.Raw()


class Delivery(msgspec.Struct):
    """A webhook."""

    id: Id | None = None
    topic: str | None = None
    created_at: Instant = None
    data: _Data | None = None


_TYPES = "what every object says it is"
_ADDRESSES = "a turn has no place for the addresses of an e-mail"
_FILES = "a turn has no place for a file; its URL is signed and expires"

LEFT_TO_RAW = {
    path: reason
    for below in ("", "conversation.")
    for path, reason in {
        f"{below}type": _TYPES,
        f"{below}read": "whether a teammate has seen it in the inbox",
        f"{below}tags.type": _TYPES,
        f"{below}tags.tags[].type": _TYPES,
        f"{below}tags.tags[].id": "a tag is its name",
        f"{below}tags.tags[].applied_at": "a tag is its name",
        f"{below}tags.tags[].applied_by*": "a tag is its name",
        f"{below}contacts.type": _TYPES,
        f"{below}contacts.contacts[].type": _TYPES,
        f"{below}teammates.type": _TYPES,
        f"{below}teammates.teammates[].type": _TYPES,
        f"{below}first_contact_reply*": "the parts show it",
        f"{below}sales_agent_participated": "the sales agent shows it",
        f"{below}topics*": "in examples only, and never filled",
        f"{below}ticket": "in examples only, and never filled",
        f"{below}source.redacted": "the text is gone",
        f"{below}source.attachments[].*": _FILES,
        f"{below}source.email_message_metadata*": _ADDRESSES,
        f"{below}conversation_parts.type": _TYPES,
        f"{below}conversation_parts.conversation_parts[].type": _TYPES,
        f"{below}conversation_parts.conversation_parts[].updated_at": "a turn has a place for one time",
        f"{below}conversation_parts.conversation_parts[].notified_at": "a turn has a place for one time",
        f"{below}conversation_parts.conversation_parts[].assigned_to*": "who is assigned in the end is read",
        f"{below}conversation_parts.conversation_parts[].author.is_ai_answer": "how Fin found its answer",
        f"{below}conversation_parts.conversation_parts[].attachments[].*": _FILES,
        f"{below}conversation_parts.conversation_parts[].external_id": "a turn has a place for one id",
        f"{below}conversation_parts.conversation_parts[].redacted": "the text is gone",
        f"{below}conversation_parts.conversation_parts[].email_message_metadata*": _ADDRESSES,
        f"{below}conversation_parts.conversation_parts[].metadata*": "the answers that a person could choose from",
        f"{below}conversation_parts.conversation_parts[].state": "the state at that time",
        f"{below}conversation_parts.conversation_parts[].tags*": "tags of one message",
        f"{below}conversation_parts.conversation_parts[].app_package_code": "which app wrote it",
    }.items()
} | {
    "message_type": "where a started conversation shows",
    "body": "what was said to start it",
    "fin_calls[].app_id": "the workspace, which is the account",
    "fin_calls[].intercom_conversation_id": "the conversation itself",
    "calls.type": _TYPES,
    "calls.data[].type": _TYPES,
    "calls.data[].conversation_id": "the conversation itself",
    "calls.data[].admin_id": "the conversation names its teammates",
    "calls.data[].contact_id": "the conversation names its contacts",
    "calls.data[].created_at": "a call has its own times",
    "calls.data[].updated_at": "a call has its own times",
    "calls.data[].transcription_url": "the answer has the transcript itself",
    "calls.data[].fin_transcription_url": "the answer has the transcript itself",
}
