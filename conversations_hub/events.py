"""What a provider's webhook delivers, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from .schema import Analysis, Conversation
from .signing.webhooks import Scheme

__all__ = ["Event", "EventKind", "Webhook"]


class EventKind(StrEnum):
    """What a webhook tells."""

    STARTED = "started"
    ENDED = "ended"
    TRANSCRIPT_READY = "transcript_ready"
    RECORDING_READY = "recording_ready"
    ANALYSIS_READY = "analysis_ready"
    UPDATED = "updated"
    OTHER = "other"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a provider's webhook told."""

    provider: str
    kind: EventKind
    provider_kind: str | None = None
    """The provider's word for the kind, as sent."""
    id: str | None = None
    """What tells this event from every other, for those who must not handle it twice; None where nothing does."""
    resource: str | None = None
    """The kind of conversation it is about, where it is not the main one: `chats`."""
    conversation_id: str | None = None
    """The conversation's id; None where it is about none. Adapters give the provider's own, and `verify` puts the name
    of the kind before it where a hub does."""
    conversation: Conversation | None = None
    """What it brought of the conversation, read as `get` reads it."""
    related_ids: Mapping[str, str] = {}
    """The provider's other ids of what it is about, where it brings no conversation: by them one may be found."""
    analysis: Analysis | None = None
    """What was found out about a conversation that it does not name."""
    occurred_at: datetime | None = None
    """UTC."""
    verified: bool = False
    """Whether its signature was checked; whoever knows the address can send what was not."""
    signed_members: tuple[str, ...] | None = None
    """The members of the body that alone were signed, such as `call.call_id`; None: all of it, if any."""

    def __repr__(self) -> str:
        return f"<Event {self.provider} {self.kind.value} of {self.conversation_id or 'no conversation'}>"

    @property
    def protected(self) -> bool:
        """Whether nobody can have changed what it brings.

        Where it is verified and not protected, the sender knew the secret, or changed what somebody sent who knew it:
        of what it brings, only `signed_members` are sure, and the rest is best fetched.
        """
        return self.verified and self.signed_members is None

    @property
    def to_fetch(self) -> str | None:
        """The ref to give to `hub.get`, because the transcript was not part of the event; None where it was."""
        if self.conversation_id is None or (self.conversation and self.conversation.transcript is not None):
            return None
        return f"{self.provider}:{self.conversation_id}"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """How to read what a provider delivers by itself."""

    events: Callable[[bytes], Sequence[Event]]
    """Reads a well-formed body whose signature was checked."""
    scheme: Scheme | None = None
    """How deliveries are signed; None: they are not."""
    forms: bool = False
    """Whether deliveries may be forms: `events` then reads their fields as a JSON object, a name that comes more than
    once with a list of its values."""
    largest_body: int = 2 * 1024 * 1024
    """Bytes; larger deliveries are refused unread."""
