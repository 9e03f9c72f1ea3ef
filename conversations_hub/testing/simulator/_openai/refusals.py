"""How OpenAI refuses."""

from __future__ import annotations

from ....wire import Response
from .._world import reply

__all__ = ["refusal", "refused"]

_TYPES = {401: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}


def refused(status: int, words: str, *, param: str | None = None, code: str | None = None) -> Response:
    """Return a refusal with its words, and what is wrong."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return reply(status, {"error": {"message": words, "type": kind, "param": param, "code": code}})


def refusal(status: int, words: str) -> Response:
    """Return a refusal that does not depend on the request."""
    return refused(status, words, code="rate_limit_exceeded" if status == 429 else None)
