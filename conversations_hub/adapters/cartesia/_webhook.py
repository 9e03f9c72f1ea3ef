"""Cartesia's webhooks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode
from ...reading.values import Issues, enclosed, ids_of, instant, members_of, noted, text, text_at
from ...schema import Analysis, Channel, Conversation, Issue, TranscriptState
from ._conversation import read
from ._payload import Call, Delivery

_delivery = msgspec.json.Decoder(Delivery, strict=False)

# https://docs.cartesia.ai/agents/webhooks
_EVENT_KINDS = {
    "call_started": (EventKind.STARTED, "started"),
    "call_turn": (EventKind.UPDATED, "started"),
    "call_completed": (EventKind.ENDED, "completed"),
    "call_failed": (EventKind.ENDED, "failed"),
    "post_call_analysis": (EventKind.ANALYSIS_READY, "completed"),
}
"""The kind of each event, and the status that it implies."""
_CALL_ID = "ac_"
"""How Cartesia's own ids of calls begin."""


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event, in the present envelope or in the older one, whose id may be the carrier's."""
    issues = Issues()
    sent = decode(body, _delivery, issues)
    kind, implied = _EVENT_KINDS.get(sent.type or "", (EventKind.OTHER, None))
    conversation = None if kind is EventKind.OTHER else _told_by(body, sent, implied, issues)
    id = _id_of(sent) if conversation is None else conversation.id
    is_once = id is not None and kind not in {EventKind.OTHER, EventKind.UPDATED}
    return (
        Event(
            provider="cartesia",
            kind=kind,
            provider_kind=sent.type,
            id=f"{id}:{sent.type}" if is_once else None,
            conversation_id=id,
            conversation=conversation,
            related_ids=ids_of({"request": sent.request_id, "webhook": sent.webhook_id}),
            occurred_at=instant(sent.timestamp, "timestamp", []),
        ),
    )


def _id_of(sent: Delivery) -> str | None:
    if sent.call is not None:
        return str(sent.call.id)
    if sent.call_id is not None:
        return text(sent.call_id)
    told = text(sent.request_id) or ""
    return told if told.startswith(_CALL_ID) else None


def _told_by(body: bytes, sent: Delivery, implied: str | None, issues: Issues) -> Conversation | None:
    """Return what one event says about its call; one turn is no transcript, so it stays in `raw`."""
    if sent.call is not None:
        inner = Issues()
        told = enclosed(read(sent.call, b"", inner), "call", body)
        found = [*issues, *told.issues]
        return msgspec.structs.replace(told, issues=noted(found))
    id = _id_of(sent)
    if id is None:
        return None
    call = Call(id=id, agent_id=sent.agent_id, status=implied, transcript=sent.body)
    analysis = dict(members_of(sent.analysis))
    call.summary = text_at(analysis, "summary")
    analysis.pop("summary", None)
    inner = Issues()
    told = read(call, body, inner)
    state = told.transcript_state
    if not told.transcript:
        state = TranscriptState.PENDING if implied == "started" else TranscriptState.NOT_LOADED
    placed = [Issue(issue.place.replace("transcript", "body", 1), issue.reason) for issue in inner]
    return msgspec.structs.replace(
        told,
        provider_status=None,
        channel=Channel.UNKNOWN,
        transcript_state=state,
        analysis=Analysis(collected=analysis) if analysis else None,
        estimated=("status",),
        issues=noted([*issues, *placed]),
    )
