"""How Synthflow refuses: its API with details, its hosts with a text, its gateway with words of its own."""

from __future__ import annotations

from ....wire import Response
from .._world import reply

__all__ = ["refusal", "refused", "rejected"]


def rejected(status: int, words: str, category: str) -> Response:
    """Return a refusal of the API itself."""
    about = {"status": "error", "description": words, "request_id": "req-simulated", "category": category}
    return reply(status, {"detail": about})


def refused(status: int, words: str) -> Response:
    """Return a refusal of a host that does not know a path."""
    return reply(status, {"detail": words})


def refusal(status: int, words: str) -> Response:
    """Return a refusal of the gateway, which does not depend on the request."""
    return reply(status, {"error": "Too Many Requests" if status == 429 else "Error", "message": words})
