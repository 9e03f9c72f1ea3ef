"""What OpenAI delivers: ids only, signed as Standard Webhooks; about sessions, about much else, never about threads."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import msgspec

from ....schema import EndReason, Role
from .._truth import Truth
from .._world import Delivery, World
from .sessions import environment_of

__all__ = ["of_project", "of_session", "signed"]


def _delivery(id: str, kind: str, moment: float, data: dict[str, Any]) -> Delivery:
    body = {"id": f"evt_{id}", "object": "event", "created_at": int(moment), "type": kind, "data": data}
    return Delivery(moment, kind, msgspec.json.encode(body))


def of_project(world: World, truth: Truth) -> list[Delivery]:
    """Return the events that a project gets while a session runs: each answer of the model is a response."""
    if truth.answered is None:
        return []
    own = world.id(truth).removeprefix("sess_")
    return [
        _delivery(
            f"{own}_r{number}",
            "response.completed",
            truth.answered + turn.start + turn.duration,
            {"id": f"resp_{own}_{number}"},
        )
        for number, turn in enumerate(world.turns(truth))
        if turn.role is Role.ASSISTANT
    ]


# developers.openai.com/api/docs/guides/agents-api/sessions/webhooks


def of_session(world: World, truth: Truth) -> list[Delivery]:
    """Return what is told of a session."""
    own, data = world.id(truth), {"id": world.id(truth), "environment_type": environment_of(truth)}
    number = own.removeprefix("sess_")
    found = [_delivery(f"{number}_0", "agent.session.created", truth.created, data)]
    if truth.answered is not None:
        found.append(_delivery(f"{number}_1", "agent.session.in_progress", truth.answered, data))
    kind = "agent.session.failed" if truth.ending is EndReason.ERROR else "agent.session.idle"
    found.append(_delivery(f"{number}_2", kind, truth.ended, data))
    return found


def signed(delivery: Delivery, secret: str) -> dict[str, str]:
    """Return the headers that sign a delivery, as https://www.standardwebhooks.com says."""
    id, stamp = msgspec.json.decode(delivery.body)["id"], str(int(delivery.moment))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{id}.{stamp}.".encode() + delivery.body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature}
