"""Deliveries of an invented provider, as a receiver keeps them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

import msgspec

from conversations_hub import Account, Conversation
from conversations_hub.adapter import Adapter
from conversations_hub.events import Event, EventKind, Webhook
from conversations_hub.signing import bearer
from conversations_hub.signing.webhooks import hmac_signed, shared_secret
from conversations_hub.sync import Delivery
from conversations_hub.wire import Flow

from .clock import NOW

__all__ = ["ACME", "SECRET", "SIGNED", "TOLD", "acme", "delivery", "written"]

SECRET = "a-secret-of-the-endpoint"
SIGNED = hmac_signed("x-signature", message="{body}")
WEAK = shared_secret("x-secret")


class _Told(msgspec.Struct):
    """What the provider writes of an event."""

    kind: EventKind
    id: str | None = None
    about: str | None = None
    conversation: Conversation | None = None


_told = msgspec.json.Decoder(list[_Told])


def _events(body: bytes) -> Sequence[Event]:
    return [
        Event(provider="acme", kind=one.kind, id=one.id, conversation_id=one.about, conversation=one.conversation)
        for one in _told.decode(body)
    ]


def _no_such(_account: Account, id: str) -> Flow[Conversation]:
    return Conversation(provider="acme", id=id)
    yield


def acme(get: object = _no_such) -> Adapter:
    """Return an adapter whose deliveries are JSON as `written` writes it."""
    webhook = Webhook(events=_events, scheme=SIGNED, largest_body=2**20)
    return Adapter(name="acme", base_url="https://api.acme.example", docs="", sign=bearer, get=get, webhook=webhook)  # type: ignore[arg-type]


ACME = acme()
TOLD = EventKind.ENDED


def written(*events: Event) -> bytes:
    """Return the body of a delivery."""
    told = [
        _Told(kind=event.kind, id=event.id, about=event.conversation_id, conversation=event.conversation)
        for event in events
    ]
    return msgspec.json.encode(told)


def delivery(
    id: str | None,
    about: str | None = "c1",
    *,
    kind: EventKind = TOLD,
    conversation: Conversation | None = None,
    at: datetime = NOW,
    account: str = "default",
    body: bytes | None = None,
    verified: bool = True,
) -> Delivery:
    """Return a delivery of one event."""
    event = Event(
        provider="acme", kind=kind, id=id, conversation_id=about, conversation=conversation, verified=verified
    )
    sent = written(event) if body is None else body
    return Delivery(
        endpoint=f"acme-{account}",
        provider="acme",
        account=account,
        events=(event,),
        body=sent,
        digest=sha256(sent).digest(),
        received_at=at,
        verified=verified,
    )
