"""Telnyx's webhooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode
from ...reading.values import Issues, instant, members_of, text
from ...schema import Analysis, Conversation, Issue
from . import _payload as payload
from ._conversation import UNFINISHED, Ending, call_ids, collected, read, word
from ._payload import Envelope, Insights, Meta, Page, Payload, Row, Whole

_delivery = msgspec.json.Decoder(payload.Delivery, strict=False)
_payload: msgspec.json.Decoder[Payload | None] = msgspec.json.Decoder(Payload | None, strict=False)
_members: msgspec.json.Decoder[dict[str, Any] | None] = msgspec.json.Decoder(dict[str, Any] | None)

# what it means

# https://developers.telnyx.com/api-reference/callbacks/call-conversation-ended, and the pages beside it
_KINDS = {
    "call.initiated": EventKind.UPDATED,
    "call.answered": EventKind.UPDATED,
    "call.conversation.created": EventKind.STARTED,
    "call.conversation.ended": EventKind.ENDED,
    "call.hangup": EventKind.ENDED,
    "call.recording.saved": EventKind.RECORDING_READY,
    "call.conversation_insights.generated": EventKind.ANALYSIS_READY,
    "conversation_insight_result": EventKind.ANALYSIS_READY,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. Most events about a call name the call, but not its conversation.

    Such an event has the ids of the call, and what was found out about it.
    """
    issues: list[Issue] = []
    delivery = decode(body, _delivery, issues)
    sent = delivery.data or delivery
    about = decode(sent.payload, _payload, issues) or Payload()
    kind = _KINDS.get(sent.event_type or "", EventKind.OTHER)
    if kind is EventKind.ANALYSIS_READY and about.status in UNFINISHED:
        kind = EventKind.UPDATED
    id = text(about.conversation_id)
    # Deliveries may be repeated, and arrive in any order.
    # https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks
    event_id = (
        text(sent.id) or text(about.request_id) or (f"{id}:{sent.event_type}" if id and sent.event_type else None)
    )
    members = decode(sent.payload, _members) or {}
    conversation = _told_by(body, id, delivery, about, members) if id and sent.event_type in _KINDS else None
    results = collected(_run(about))
    return (
        Event(
            provider="telnyx",
            kind=kind,
            provider_kind=sent.event_type,
            id=event_id,
            conversation_id=id,
            conversation=conversation,
            related_ids={} if conversation else _related_ids(members),
            analysis=Analysis(collected=results) if results and not conversation else None,
            occurred_at=instant(sent.occurred_at, "occurred_at", []),
        ),
    )


def _related_ids(members: Mapping[str, Any]) -> dict[str, str]:
    group = word(members, "insight_group_id")
    return call_ids(members) | ({"insight_group_id": group} if group else {})


def _run(about: Payload) -> list[Insights]:
    """Return the insights in an event, as `get` returns them."""
    if about.results is None:
        return []
    return [Insights(about.request_id, about.status, None, about.insight_group_id, about.results)]


def _told_by(
    body: bytes, id: str, delivery: payload.Delivery, about: Payload, members: Mapping[str, Any]
) -> Conversation:
    """Return what one event says about its conversation."""
    issues = Issues()
    sent = delivery.data or delivery
    present = instant(sent.occurred_at, "data.occurred_at" if delivery.data else "occurred_at", issues)
    told = {name: value for name, value in members.items() if name not in Payload.__struct_fields__}
    attached = members_of(about.metadata)
    row = Row(id=id, metadata={**told, **attached})
    insights, ending = None, None
    match sent.event_type:
        case "call.conversation.created":
            row.created_at = present.isoformat() if present else None
        case "call.conversation.ended":
            ending = Ending(present, about.duration_sec, about.reason)
        case _ if run := _run(about):
            insights = [Page[Insights]([*run], Meta())]
        case _:
            pass
    return read(Whole(Envelope(row), insights=insights), body, present, issues, ending=ending)
