"""Intercom's webhooks: a conversation with no more than the parts that caused the event."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode, try_decode_any
from ...reading.values import Issues, enclosed, instant, members_of, text, text_at
from ...schema import Conversation
from ._conversation import normalize
from ._payload import Delivery

__all__ = ["events"]

_delivery = msgspec.json.Decoder(Delivery, strict=False)

# https://developers.intercom.com/docs/references/2.16/webhooks/webhook-models
_KINDS = {
    "conversation.user.created": EventKind.STARTED,
    "conversation.admin.single.created": EventKind.STARTED,
    "conversation.admin.closed": EventKind.ENDED,
    "conversation.rating.added": EventKind.ANALYSIS_READY,
    "conversation.deleted": EventKind.OTHER,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. Its conversation has no transcript, because the delivery has a part of it only."""
    sent = decode(body, _delivery, Issues())
    topic = sent.topic or ""
    is_about_one = topic.startswith(("conversation.", "conversation_part."))
    kind = _KINDS.get(topic, EventKind.UPDATED if is_about_one else EventKind.OTHER)
    item = sent.data.item if sent.data else msgspec.Raw()
    told = members_of(try_decode_any(item))
    id = told.get("id") if isinstance(told.get("id"), str | int) else None
    # Some topics may have a part of a conversation as their subject.
    is_conversation = is_about_one and id is not None and text_at(told, "type") in {None, "conversation"}
    conversation: Conversation | None = None
    if is_conversation and kind is not EventKind.OTHER:
        conversation = enclosed(normalize(item), "data.item", body)
    return (
        Event(
            provider="intercom",
            kind=kind,
            provider_kind=sent.topic,
            id=text(sent.id),
            conversation_id=text(id) if is_conversation else None,
            conversation=conversation,
            occurred_at=instant(sent.created_at, "created_at", []),
        ),
    )
