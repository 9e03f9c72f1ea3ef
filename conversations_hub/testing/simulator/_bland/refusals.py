"""How Bland says no: in two shapes."""

from __future__ import annotations

from ....wire import Response
from .._world import reply

__all__ = ["NOT_FOUND", "failed", "refusal"]


def failed(status: int, error: str, message: str) -> Response:
    """Return an answer of the shape that names the error."""
    return reply(status, {"data": None, "errors": [{"error": error, "message": message}]})


def refusal(status: int, words: str) -> Response:
    """Return an answer of the shape that has words only."""
    return reply(status, {"status": "error", "message": "Rate limit exceeded" if status == 429 else words})


NOT_FOUND = failed(404, "NOT_FOUND", "Not found")
