"""OpenAI's webhooks: of sessions only, with little more than the id."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode
from ...reading.values import Issues, instant, text
from ...schema import Conversation
from ._pages import PER_SECOND
from ._payload import Delivery, Environment, Session, Subject
from ._session import read

__all__ = ["events"]

_delivery = msgspec.json.Decoder(Delivery, strict=False)

# https://developers.openai.com/api/docs/guides/agents-api/sessions/webhooks
_KINDS = {
    "agent.session.created": EventKind.STARTED,
    "agent.session.in_progress": EventKind.UPDATED,
    "agent.session.idle": EventKind.TRANSCRIPT_READY,
    "agent.session.action_required": EventKind.UPDATED,
    "agent.session.failed": EventKind.ENDED,
}
_STATUSES = {
    "agent.session.in_progress": "in_progress",
    "agent.session.idle": "idle",
    "agent.session.action_required": "requires_action",
    "agent.session.failed": "failed",
}


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event. Those of environments, responses and others are `other` and about no conversation."""
    issues = Issues()
    sent = decode(body, _delivery, issues)
    about = sent.data or Subject()
    kind = _KINDS.get(sent.type or "", EventKind.OTHER)
    is_about_session = sent.type is not None and sent.type.startswith("agent.session.")
    id = text(about.id) if is_about_session else None
    return (
        Event(
            provider="openai",
            kind=kind,
            provider_kind=sent.type,
            id=text(sent.id),
            conversation_id=id,
            conversation=_told_by(body, id, sent, about, issues) if id and sent.type in _KINDS else None,
            occurred_at=instant(sent.created_at, "created_at", [], per_second=PER_SECOND),
        ),
    )


def _told_by(body: bytes, id: str, sent: Delivery, about: Subject, issues: Issues) -> Conversation:
    """Return what one event says about its session."""
    is_new = sent.type == "agent.session.created"
    session = Session(
        id=id,
        created_at=sent.created_at if is_new else None,
        last_active_at=None if is_new else sent.created_at,
        status=_STATUSES.get(sent.type or ""),
        environment=Environment(type=about.environment_type, id=about.environment_id),
        required_actions=[about.required_action] if about.required_action else None,
    )
    told = read(session, None, None, body, issues)
    derived = ("created_at",) if is_new else ("status", "provider_status", "updated_at")
    return msgspec.structs.replace(told, estimated=(*derived, *told.estimated))
