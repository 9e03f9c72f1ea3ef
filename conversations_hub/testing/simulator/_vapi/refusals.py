"""How Vapi says no."""

from __future__ import annotations

import re
from http.client import responses

from ....wire import Response
from .._world import reply

__all__ = ["is_uuid", "refusal"]

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def refusal(status: int, words: str | list[str]) -> Response:
    """Return its answer of a status, with words for it."""
    return reply(status, {"message": words, "error": responses.get(status, "Error"), "statusCode": status})


def is_uuid(id: str) -> bool:
    """Whether it may be an id at all."""
    return _UUID.fullmatch(id) is not None
