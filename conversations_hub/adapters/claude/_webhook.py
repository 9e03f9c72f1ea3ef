"""Claude's webhooks: ids only."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from ...events import Event, EventKind
from ...reading.json import decode
from ...reading.values import instant, text
from ._payload import Delivery, Subject

_delivery = msgspec.json.Decoder(Delivery, strict=False)

# Their words are not those of the events of a session, and there are two families of them.
# https://platform.claude.com/docs/en/managed-agents/webhooks
_KINDS = {
    **dict.fromkeys(("created", "pending", "status_scheduled"), EventKind.STARTED),
    **dict.fromkeys(("status_run_started", "running", "status_rescheduled"), EventKind.UPDATED),
    **dict.fromkeys(("requires_action", "budget_reached", "updated"), EventKind.UPDATED),
    **dict.fromkeys(("status_idled", "idled"), EventKind.TRANSCRIPT_READY),
    **dict.fromkeys(("status_terminated", "archived"), EventKind.ENDED),
    "outcome_evaluation_ended": EventKind.ANALYSIS_READY,
}


def events(body: bytes) -> Sequence[Event]:
    """Read a webhook: one event, which names a session; of a session that was deleted nothing is left to get."""
    sent = decode(body, _delivery, [])
    about = sent.data or Subject()
    subject, _, word = (about.type or "").partition(".")
    return (
        Event(
            provider="claude",
            kind=_KINDS.get(word, EventKind.OTHER) if subject == "session" else EventKind.OTHER,
            provider_kind=about.type,
            id=text(sent.id),
            conversation_id=text(about.id) if subject == "session" else None,
            occurred_at=instant(sent.created_at, "created_at", []),
        ),
    )
