"""Fish Audio's webhooks, which have other names for what the API says."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode
from ...reading.values import Issues, ids_of, instant, text, without_empty
from ...schema import Conversation, Issue
from ._conversation import DIALS, read
from ._payload import DeliveredSession, Delivery, Session

_delivery = msgspec.json.Decoder(Delivery, strict=False)

# https://docs.fish.audio/agents/monitor/webhooks
_KINDS = {
    "phone_call.dial_finished": EventKind.UPDATED,
    "call.ended": EventKind.ENDED,
    "call.analyzed": EventKind.ANALYSIS_READY,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. `call.inbound` asks how to answer a call, and is about no session yet."""
    issues = Issues()
    sent = decode(body, _delivery, issues)
    about = sent.session or DeliveredSession()
    kind = _KINDS.get(sent.event or "", EventKind.OTHER)
    if sent.event == "phone_call.dial_finished" and (sent.dial_status or about.dial_status) in DIALS:
        kind = EventKind.ENDED  # nothing more follows
    id = text(about.id)
    finished_at = sent.analysis.finished_at if sent.analysis else None
    ended_at = instant(about.conversation_ended_at, "session.conversation_ended_at", [])
    is_told = id is not None and kind is not EventKind.OTHER
    # An analysis can be run again, and then it is another event.
    again = f":{finished_at}" if finished_at else ""
    return (
        Event(
            provider="fish_audio",
            kind=kind,
            provider_kind=sent.event,
            id=f"{id}:{sent.event}{again}" if is_told else None,
            conversation_id=id,
            conversation=_told_by(body, sent, about, issues) if is_told else None,
            occurred_at=instant(finished_at, "analysis.finished_at", [])
            or (ended_at if kind is EventKind.ENDED else None),
        ),
    )


# What `read` notes under the names of the API is somewhere else in a delivery.
_PLACES = {
    "started_at": "session.conversation_started_at",
    "ended_at": "session.conversation_ended_at",
}


def _told_by(body: bytes, sent: Delivery, about: DeliveredSession, issues: Issues) -> Conversation:
    """Return what one event says about its conversation."""
    items = about.items if sent.items is msgspec.UNSET else sent.items
    session = Session(
        session_id=about.id or "",
        agent_id=about.agent_id,
        agent_name=about.agent_name,
        status=about.status,
        source=about.source,
        direction=about.direction,
        dial_status=about.dial_status or sent.dial_status,
        answered_by=about.answered_by or sent.answered_by,
        started_at=about.conversation_started_at,
        ended_at=about.conversation_ended_at,
        duration_seconds=about.duration_seconds,
        metadata=about.metadata,
        items=items,
        analysis=sent.analysis,
    )
    found = Issues()
    told = read(session, body, found, ended_reason=sent.ended_reason, customer_id=text(about.end_user_id))
    below = "session.items" if sent.items is msgspec.UNSET else "items"
    placed = [Issue(_PLACES.get(one.place, one.place.replace("items", below, 1)), one.reason) for one in told.issues]
    more = ids_of({"branch_id": about.branch_id, "batch_call_id": about.batch_call_id})
    return msgspec.structs.replace(
        told,
        metadata={**told.metadata, **without_empty({"config_hash": about.config_hash})},
        related_ids=more,
        issues=tuple(chain(issues, placed)),
    )
