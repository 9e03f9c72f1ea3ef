"""What Chatwoot sends."""

from __future__ import annotations

import msgspec

from ...reading.values import AnyJson, Id, Instant

__all__ = ["LEFT_TO_RAW", "Created", "Delivery", "Message", "MessagePage", "Page", "Person", "Sent", "Whole"]


class Person(msgspec.Struct, gc=False):
    """A contact, a teammate or a bot."""

    id: Id | None = None
    name: str | None = None
    email: str | None = None
    phone_number: str | None = None
    identifier: Id | None = None
    type: str | None = None
    custom_attributes: AnyJson = None


class _Attachment(msgspec.Struct, gc=False):
    file_type: str | None = None
    extension: str | None = None
    data_url: str | None = None
    file_size: AnyJson = None
    fallback_title: str | None = None


class Message(msgspec.Struct):
    """A message, or something that happened."""

    id: Id | None = None
    content: str | None = None
    message_type: Id | None = None
    content_type: str | None = None
    content_attributes: AnyJson = None
    created_at: Instant = None
    private: bool | None = None
    sender_type: str | None = None
    sender: Person | None = None
    attachments: list[_Attachment | None] | None = None


class _Team(msgspec.Struct, gc=False):
    name: str | None = None


class _Meta(msgspec.Struct):
    sender: Person | None = None
    channel: str | None = None
    assignee: Person | None = None
    team: _Team | None = None


class Sent(msgspec.Struct):
    """A conversation."""

    id: Id
    uuid: str | None = None
    account_id: Id | None = None
    inbox_id: Id | None = None
    status: str | None = None
    priority: str | None = None
    created_at: Instant = None
    updated_at: Instant = None
    last_activity_at: Instant = None
    first_reply_created_at: AnyJson = None
    waiting_since: AnyJson = None
    snoozed_until: AnyJson = None
    labels: list[str | None] | None = None
    custom_attributes: AnyJson = None
    additional_attributes: AnyJson = None
    meta: _Meta | None = None
    channel: str | None = None
    sla_policy_id: Id | None = None
    applied_sla: AnyJson = None
    sla_events: AnyJson = None


class MessagePage(msgspec.Struct):
    """Messages of a conversation."""

    payload: list[Message | None] | None = None


class Whole(msgspec.Struct):
    """What `get` reads: all answers in one."""

    conversation: Sent
    messages: list[MessagePage]


class _Counts(msgspec.Struct, gc=False):
    all_count: float | None = None


class Page(msgspec.Struct):
    """A page of the list, or of a filter; either may be inside `data`."""

    data: Page | None = None
    payload: list[msgspec.Raw] | None = None
    meta: _Counts | None = None


class Created(msgspec.Struct):
    """What creating a conversation returns."""

    id: Id
    account_id: Id | None = None
    inbox_id: Id | None = None


class Delivery(msgspec.Struct):
    """A webhook: its own subject, with the name of the event."""

    event: str | None = None
    id: Id | None = None
    status: str | None = None
    created_at: Instant = None
    conversation: msgspec.Raw = msgspec.Raw()


_SEEN = "who has seen it when"
_COPY = "a copy of what the messages say"
_LAST = "the last message only; `get` reads all"
_MESSAGE = (
    *("id", "content", "account_id", "inbox_id", "conversation_id", "message_type", "created_at", "updated_at"),
    *("private", "status", "source_id", "content_type", "content_attributes*", "sender_type", "sender_id"),
    *("external_source_ids*", "additional_attributes*", "processed_message_content", "sentiment*", "conversation*"),
    *("attachment", "attachments*", "sender*"),
)
_PROFILE = "the profile of a person, not of the conversation"

LEFT_TO_RAW = {
    path: reason
    for below in ("", "conversation.")
    for path, reason in {
        f"{below}last_non_activity_message*": _LAST,
        f"{below}agent_last_seen_at": _SEEN,
        f"{below}assignee_last_seen_at": _SEEN,
        f"{below}contact_last_seen_at": _SEEN,
        f"{below}unread_count": _SEEN,
        f"{below}can_reply": "what a teammate may do now",
        f"{below}muted": "what a teammate may do now",
        f"{below}timestamp": "the same as last_activity_at",
        f"{below}meta.hmac_verified": "how the contact was identified",
        **{
            f"{below}meta.sender.{name}": _PROFILE
            for name in (
                *("additional_attributes", "availability_status", "blocked", "thumbnail", "last_activity_at"),
                "created_at",
            )
        },
        **{
            f"{below}meta.assignee.{name}": _PROFILE
            for name in (
                *("access_token", "account_id", "available_name", "avatar_url", "confirmed", "display_name"),
                *("message_signature", "hmac_identifier", "inviter_id", "provider", "pubsub_token", "role", "uid"),
                *("ui_settings*", "accounts*", "availability_status", "auto_offline", "thumbnail", "custom_role_id"),
            )
        },
        f"{below}meta.team.*": "a team is its name",
    }.items()
} | {
    "conversation.messages*": _LAST,
    **{f"messages[].{name}": _LAST for name in _MESSAGE},
    "messages[].meta*": "the conversation says it",
    **{
        f"messages[].payload[].{name}": reason
        for name, reason in {
            "account_id": "the conversation says it",
            "inbox_id": "the conversation says it",
            "conversation_id": "the conversation itself",
            "conversation*": "the conversation itself",
            "updated_at": "a turn has a place for one time",
            "status": "how far the message was delivered",
            "source_id": "a turn has a place for one id",
            "echo_id": "a turn has a place for one id",
            "external_source_ids": "a turn has a place for one id",
            "sender_id": "the sender says it",
            "additional_attributes": "of campaigns",
            "processed_message_content": _COPY,
            "sentiment": "never filled",
            "attachment": "the attachments say it",
            "sender.*": _PROFILE,
            "attachments[].*": "a turn has no place for a file",
            "call*": "not documented",
        }.items()
    },
}
