"""Chatwoot's webhooks: a conversation or a message, with the name of the event among its members."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode, try_decode_any
from ...reading.values import Id, Issues, enclosed, instant, members_of, text
from ...schema import Conversation
from ._conversation import normalize
from ._payload import Delivery

__all__ = ["events"]

_delivery = msgspec.json.Decoder(Delivery, strict=False)

# https://github.com/chatwoot/chatwoot, swagger/paths/application/webhooks
_OF_CONVERSATIONS = {
    "conversation_created": EventKind.STARTED,
    "conversation_updated": EventKind.UPDATED,
    "conversation_status_changed": EventKind.UPDATED,
}
_OF_MESSAGES = {"message_created": EventKind.UPDATED, "message_updated": EventKind.UPDATED}
_ONCE = {"conversation_created", "message_created"}
"""What happens once to its subject."""


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. A message alone is no transcript, so the conversation has none."""
    sent = decode(body, _delivery, Issues())
    name = sent.event or ""
    is_message = name in _OF_MESSAGES
    kind = (_OF_MESSAGES | _OF_CONVERSATIONS).get(name, EventKind.OTHER)
    if name == "conversation_status_changed" and sent.status == "resolved":
        kind = EventKind.ENDED
    subject: Id | None = sent.id
    conversation: Conversation | None = None
    if is_message and _id_in(sent.conversation) is not None:
        conversation = enclosed(normalize(sent.conversation), "conversation", body)
    elif name in _OF_CONVERSATIONS and subject is not None:
        conversation = normalize(body)
    is_unique = name in _ONCE and subject is not None and conversation is not None
    account = conversation.related_ids.get("account", "") if conversation else ""
    return (
        Event(
            provider="chatwoot",
            kind=kind,
            provider_kind=sent.event,
            id=f"{name}:{account}:{text(subject)}" if is_unique else None,
            conversation_id=conversation.id if conversation else None,
            conversation=conversation,
            occurred_at=instant(sent.created_at or None, "created_at", []) if name in _ONCE else None,
        ),
    )


def _id_in(conversation: msgspec.Raw) -> object:
    found = members_of(try_decode_any(conversation)).get("id")
    return found if isinstance(found, str | int) else None
