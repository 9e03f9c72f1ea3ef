"""Events of a provider's webhook, and how an adapter reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum

import msgspec

from .schema import Analysis, Conversation
from .signing.webhooks import Scheme

__all__ = ["Event", "EventKind", "Webhook"]


class EventKind(StrEnum):
    """What an event reports."""

    STARTED = "started"
    ENDED = "ended"
    TRANSCRIPT_READY = "transcript_ready"
    RECORDING_READY = "recording_ready"
    ANALYSIS_READY = "analysis_ready"
    UPDATED = "updated"
    OTHER = "other"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a provider's webhook."""

    provider: str
    kind: EventKind
    provider_kind: str | None = None
    """The provider's term for the kind, as sent."""
    id: str | None = None
    """A unique id to deduplicate by; None if the provider sends none."""
    resource: str | None = None
    """The kind of conversation it is about, unless that is the main one: `chats`."""
    conversation_id: str | None = None
    """The conversation's id; None if it is about none. Adapters give the provider's own id, and `verify` adds the same
    prefix that a hub does."""
    conversation: Conversation | None = None
    """The part of the conversation that it contains, read as `get` reads it."""
    related_ids: Mapping[str, str] = {}
    """The provider's other ids of its subject, to find the conversation by if it contains none."""
    analysis: Analysis | None = None
    """The analysis of a conversation that the event does not name."""
    occurred_at: datetime | None = None
    """UTC."""
    verified: bool = False
    """Whether its signature was checked; anyone who knows the address can send an unverified event."""
    signed_members: tuple[str, ...] | None = None
    """The only signed members of the body, such as `call.call_id`; None: the whole body, if anything."""

    def __repr__(self) -> str:
        return f"<Event {self.provider} {self.kind.value} of {self.conversation_id or 'no conversation'}>"

    @property
    def protected(self) -> bool:
        """Whether its content cannot have been changed by anyone without the secret.

        If it is verified but not protected, the sender knew the secret or changed a delivery from someone who did: only
        the `signed_members` are certain, and the rest is best fetched.
        """
        return self.verified and self.signed_members is None

    @property
    def to_fetch(self) -> str | None:
        """The ref for `hub.get` if the event lacks the transcript; None if it has it, or names no conversation."""
        if self.conversation_id is None or (self.conversation and self.conversation.transcript is not None):
            return None
        return f"{self.provider}:{self.conversation_id}"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """How to read the webhook deliveries of a provider."""

    events: Callable[[bytes], Sequence[Event]]
    """Reads a well-formed body whose signature was checked."""
    scheme: Scheme | None = None
    """How deliveries are signed; None: they are not signed."""
    schemes: Mapping[str, Scheme] = {}
    """Other ways to sign that its customers can choose, by names of ours."""
    forms: bool = False
    """Whether deliveries may be forms: `events` then gets their fields as a JSON object, in which a repeated name has a
    list of its values."""
    largest_body: int = 2 * 1024 * 1024
    """Bytes; larger deliveries are refused unread."""
