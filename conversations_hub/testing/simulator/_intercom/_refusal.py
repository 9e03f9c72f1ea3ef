"""How Intercom refuses a request."""

from __future__ import annotations

from ....wire import Response
from .._world import reply

__all__ = ["UNKNOWN", "invalid", "refusal"]

# https://developers.intercom.com/docs/references/rest-api/errors/error-codes


def refusal(status: int, words: str, code: str | None = None) -> Response:
    known = {403: "api_plan_restricted", 404: "not_found", 429: "rate_limit_exceeded"}
    error = {"code": code or known.get(status, "server_error"), "message": words, "field": None}
    id = "1b0d5c3e-0000-4000-8000-000000000001"
    return reply(status, {"type": "error.list", "request_id": id, "errors": [error]})


def invalid(words: str) -> Response:
    return refusal(400, words, "parameter_invalid")


UNKNOWN = refusal(404, "Resource Not Found")
