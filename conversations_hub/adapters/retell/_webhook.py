"""Retell's webhooks: each event has the call or chat as it was then."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...errors import PayloadError
from ...events import Event, EventKind, Webhook
from ...reading.json import decode
from ...reading.values import ABSENT, enclosed, instant, without_empty
from ...schema import Conversation
from ...signing.webhooks import hmac_signed
from . import _payload as payload
from ._conversation import normalize

_delivery = msgspec.json.Decoder(payload.Delivery, strict=False)

# https://docs.retellai.com/features/webhook-overview
_KINDS = {
    "call_started": EventKind.STARTED,
    "call_ended": EventKind.ENDED,
    "call_analyzed": EventKind.ANALYSIS_READY,
    "transcript_updated": EventKind.UPDATED,
    "transfer_started": EventKind.UPDATED,
    "transfer_bridged": EventKind.UPDATED,
    "transfer_cancelled": EventKind.UPDATED,
    "transfer_ended": EventKind.UPDATED,
    "chat_started": EventKind.STARTED,
    "chat_ended": EventKind.ENDED,
    "chat_analyzed": EventKind.ANALYSIS_READY,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a delivery: one event; one of an unknown kind may name no conversation."""
    sent = decode(body, _delivery, [])
    kind = _KINDS.get(sent.event or "", EventKind.OTHER)
    occurred_at = instant(sent.event_timestamp, "event_timestamp", [], per_second=1000)
    about = (("call", sent.call, None), ("chat", sent.chat, "chats"))
    place, told, resource = next((one for one in about if one[1] not in ABSENT), ("", None, None))
    if told is None:
        if kind is not EventKind.OTHER:
            raise PayloadError("the delivery has neither a call nor a chat")
        return (Event(provider="retell", kind=kind, provider_kind=sent.event, occurred_at=occurred_at),)
    # In the documentation's own example, a call that has ended is still `registered`.
    # https://docs.retellai.com/features/webhook-overview
    is_over = kind in {EventKind.ENDED, EventKind.ANALYSIS_READY}
    record = normalize(told, is_whole=True, is_over=is_over, is_delivered=True, present=occurred_at)
    conversation = enclosed(record, place, body)
    return (
        Event(
            provider="retell",
            kind=kind,
            provider_kind=sent.event,
            id=_id(sent.event, conversation),
            resource=resource,
            conversation_id=conversation.id,
            conversation=msgspec.structs.replace(conversation, metadata=_metadata(sent, conversation)),
            occurred_at=occurred_at,
        ),
    )


def _metadata(sent: payload.Delivery, conversation: Conversation) -> dict[str, object]:
    hand_off = {"transfer_destination": sent.transfer_destination, "transfer_option": sent.transfer_option}
    return {**conversation.metadata, **without_empty(hand_off)}


def _id(event: str | None, conversation: Conversation) -> str | None:
    # Nothing distinguishes updates of a transcript; a call may be transferred more than once.
    # https://docs.retellai.com/features/webhook-overview
    if not event or event == "transcript_updated":
        return None
    began = conversation.started_at
    when = f":{began.isoformat()}" if began and event.startswith("transfer_") else ""
    return f"{conversation.id}:{event}{when}"


# The secret is the API key that the console marks with a webhook badge; it signs the body followed by the time.
# https://docs.retellai.com/features/secure-webhook
WEBHOOK = Webhook(
    events=events,
    scheme=hmac_signed(
        "x-retell-signature/d",
        timestamp="x-retell-signature/v",
        message="{body}{timestamp}",
        times="milliseconds",
    ),
)
