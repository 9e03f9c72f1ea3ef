"""Twilio's webhooks: forms about conversations, JSON about transcripts, both signed with the URL that they call."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest
from urllib.parse import parse_qs, urlsplit

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode
from ...reading.values import Id, Instant, Issues, instant, text
from ...schema import Conversation, Status, TranscriptState
from ...signing._delivery import Received
from . import _conversations as conversations
from . import _transcripts as transcripts

__all__ = ["events", "url_and_fields"]


def url_and_fields(received: Received) -> bytes:
    """Return what is signed: the URL, and the fields of a form in the order of their names.

    Of another body, the URL has the hash. Raises `ValueError` if it has not, or another one.
    """
    # https://www.twilio.com/docs/usage/webhooks/webhooks-security
    form = received.form
    if form:
        fields = sorted({*form})  # a value that is sent twice counts once
        return "".join([received.url, *(part for field in fields for part in field)]).encode()
    told = parse_qs(urlsplit(received.url).query).get("bodySHA256", [""])[-1]
    if not compare_digest(told.encode(), sha256(received.body).hexdigest().encode()):
        raise ValueError("the URL does not have the hash of the body")
    return received.url.encode()


class _Delivery(msgspec.Struct):
    # about a conversation
    EventType: str | None = None
    ConversationSid: Id | None = None
    ChatServiceSid: Id | None = None
    MessagingServiceSid: Id | None = None
    MessageSid: Id | None = None
    ParticipantSid: Id | None = None
    FriendlyName: str | None = None
    UniqueName: Id | None = None
    Attributes: str | None = None
    State: str | None = None
    StateTo: str | None = None
    DateCreated: Instant = None
    DateUpdated: Instant = None
    # about a transcript
    event_type: str | None = None
    transcript_sid: Id | None = None
    service_sid: Id | None = None
    customer_key: Id | None = None
    encryption_credential_sid: Id | None = None


_delivery = msgspec.json.Decoder(_Delivery, strict=False)

# https://www.twilio.com/docs/conversations/conversations-webhooks
_KINDS = {
    "onConversationAdded": EventKind.STARTED,
    "onConversationUpdated": EventKind.UPDATED,
    "onConversationStateUpdated": EventKind.UPDATED,
    "onMessageAdded": EventKind.UPDATED,
    "onMessageUpdated": EventKind.UPDATED,
    "onMessageRemoved": EventKind.UPDATED,
    "onParticipantAdded": EventKind.UPDATED,
    "onParticipantUpdated": EventKind.UPDATED,
    "onParticipantRemoved": EventKind.UPDATED,
}
_ABOUT_IT = ("onConversationAdded", "onConversationUpdated", "onConversationStateUpdated")
"""Events whose dates and attributes are those of the conversation."""
_ONCE = ("onConversationAdded", "onMessageAdded", "onMessageRemoved", "onParticipantAdded", "onParticipantRemoved")
_TRANSCRIBED = "voice_intelligence_transcript_available"


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. None has a transcript: one message is none, so it stays in `raw`."""
    issues = Issues()
    sent = decode(body, _delivery, issues)
    if sent.event_type is not None:
        return (_about_transcript(body, sent, issues),)
    id = text(sent.ConversationSid)
    kind = _KINDS.get(sent.EventType or "", EventKind.OTHER)
    if sent.EventType == "onConversationStateUpdated" and (sent.StateTo or sent.State) == "closed":
        kind = EventKind.ENDED
    is_told = id is not None and kind is not EventKind.OTHER
    updated = sent.EventType not in _ABOUT_IT or sent.EventType == "onConversationAdded"
    moment = (sent.DateCreated if updated else sent.DateUpdated) or sent.DateUpdated
    return (
        Event(
            provider="twilio",
            kind=kind,
            provider_kind=sent.EventType,
            id=_event_id(sent),
            conversation_id=id,
            conversation=_told_by(body, id, sent, issues) if is_told and id is not None else None,
            occurred_at=instant(moment, "DateCreated", []),
        ),
    )


def _event_id(sent: _Delivery) -> str | None:
    """Return what tells a delivery from others; an update without a date may be any."""
    subject = sent.MessageSid or sent.ParticipantSid or sent.ConversationSid
    if subject is None or sent.EventType is None:
        return None
    if sent.EventType in _ONCE:
        return f"{subject}:{sent.EventType}"
    return f"{subject}:{sent.EventType}:{sent.DateUpdated}" if sent.DateUpdated else None


def _told_by(body: bytes, id: str, sent: _Delivery, issues: Issues) -> Conversation:
    is_about_it = sent.EventType in _ABOUT_IT
    thread = conversations.Thread(
        sid=id,
        friendly_name=sent.FriendlyName,
        unique_name=sent.UniqueName,
        state=sent.StateTo or sent.State,
        attributes=sent.Attributes if is_about_it else None,
        date_created=sent.DateCreated if is_about_it else None,
        date_updated=sent.DateUpdated if is_about_it else None,
        chat_service_sid=sent.ChatServiceSid,
        messaging_service_sid=sent.MessagingServiceSid,
    )
    told = conversations.read(thread, body, Issues())
    return msgspec.structs.replace(told, issues=tuple(issues))


def _about_transcript(body: bytes, sent: _Delivery, issues: Issues) -> Event:
    id = text(sent.transcript_sid)
    is_ready = sent.event_type == _TRANSCRIBED and id is not None
    conversation = None
    if is_ready and id is not None:
        heard = transcripts.Heard(
            sid=id,
            service_sid=sent.service_sid,
            customer_key=sent.customer_key,
            encryption_credential_sid=sent.encryption_credential_sid,
        )
        told = transcripts.read(heard, body, Issues(), state=TranscriptState.NOT_LOADED)
        conversation = msgspec.structs.replace(
            told, status=Status.ENDED, estimated=("status", *told.estimated), issues=tuple(issues)
        )
    return Event(
        provider="twilio",
        kind=EventKind.TRANSCRIPT_READY if is_ready else EventKind.OTHER,
        provider_kind=sent.event_type,
        id=f"{id}:{sent.event_type}" if id is not None else None,
        resource="transcripts" if id is not None else None,
        conversation_id=id,
        conversation=conversation,
    )
