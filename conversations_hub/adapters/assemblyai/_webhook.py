"""AssemblyAI's webhooks: of all sessions, and of inbound phone calls."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode
from ...reading.values import Issues, text
from ...schema import Conversation, EndReason, Status, TranscriptState
from ._conversation import end_reason_of, read, recording_of
from ._payload import DeliveredCall, DeliveredSession, Delivery, Session

_delivery = msgspec.json.Decoder(Delivery, strict=False)

# https://www.assemblyai.com/docs/voice-agents/voice-agent-api/webhooks
_KINDS = {
    "session.started": (EventKind.STARTED, Status.IN_PROGRESS),
    "session.completed": (EventKind.ENDED, Status.ENDED),
    "call.connected": (EventKind.STARTED, Status.IN_PROGRESS),
    "call.ended": (EventKind.ENDED, Status.ENDED),
    "call.failed": (EventKind.ENDED, Status.FAILED),
}
_RECORDED = "audio/ogg"


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. None has the transcript; the URLs of its files are valid for an hour."""
    issues = Issues()
    sent = decode(body, _delivery, issues)
    call = sent.call or DeliveredCall()
    id = text(sent.session_id) or text(call.session_id) or text(call.call_id)
    kind, status = _KINDS.get(sent.event or "", (EventKind.OTHER, Status.UNKNOWN))
    is_told = id is not None and kind is not EventKind.OTHER
    return (
        Event(
            provider="assemblyai",
            kind=kind,
            provider_kind=sent.event,
            id=text(sent.event_id),
            conversation_id=id,
            conversation=_told_by(body, id, sent, status, issues) if is_told and id is not None else None,
        ),
    )


def _told_by(body: bytes, id: str, sent: Delivery, status: Status, issues: Issues) -> Conversation:
    """Return what one event says about its session; its members stand at the top, in `session` or in `call`."""
    call, inner = sent.call or DeliveredCall(), sent.session or DeliveredSession()
    session = Session(
        id=id,
        status=sent.status or inner.status,
        agent_id=sent.agent_id or inner.agent_id,
        public_close_reason=sent.public_close_reason or inner.public_close_reason,
        duration_seconds=_first(sent.duration_seconds, inner.duration_seconds, call.duration_seconds),
        created_at=sent.created_at or inner.created_at or call.created_at,
        ended_at=sent.ended_at or inner.ended_at or call.ended_at,
    )
    found = Issues()
    told = read(session, body, found, state=TranscriptState.NOT_LOADED, is_phone=sent.call is not None)
    is_over = status.is_finished
    # The name of the event may be all that tells of the end.
    end_reason = end_reason_of(told.provider_end_reason) if is_over else None
    has_failed = Status.FAILED in {status, told.status} or end_reason is EndReason.ERROR
    # `get` knows when the files of a session are there.
    return msgspec.structs.replace(
        told,
        status=Status.FAILED if is_over and has_failed else status,
        end_reason=end_reason,
        transcript_state=TranscriptState.NOT_LOADED if call.transcript_url else TranscriptState.PENDING,
        recordings=(recording_of(id, _RECORDED),) if call.recording_url else (),
        estimated=("status", *(name for name in told.estimated if name != "status")),
        issues=tuple(issues),
    )


def _first(*found: float | None) -> float | None:
    return next((one for one in found if one is not None), None)
