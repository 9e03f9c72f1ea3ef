"""Answers: JSON, problems, and other bytes."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import msgspec
from aiohttp import web

from ..errors import HubError, problem
from ._refusal import Refusal

__all__ = ["JSON", "PROBLEM", "content", "failed", "json", "refused", "wants"]

JSON = "application/json"
PROBLEM = "application/problem+json"


def json(body: bytes) -> web.Response:
    """Return an answer of encoded JSON."""
    return content(body, JSON)


def content(body: bytes, media_type: str) -> web.Response:
    """Return an answer; texts are in UTF-8."""
    charset = "; charset=utf-8" if media_type.startswith("text/") and "charset" not in media_type else ""
    return web.Response(body=body, headers={"Content-Type": media_type + charset})


def refused(refusal: Refusal) -> web.Response:
    """Return the answer that refuses a request."""
    return _problem(refusal.document(), refusal.status, refusal.retry_after, refusal.headers)


def failed(error: HubError) -> web.Response:
    """Return the answer for an error, which repeats neither what was asked nor what a provider said."""
    return _problem(problem(error), error.http_status, error.retry_after, {})


def _problem(document: Any, status: int, retry_after: float | None, headers: dict[str, str]) -> web.Response:
    if retry_after is not None:
        headers = {**headers, "Retry-After": str(ceil(retry_after))}
    body = msgspec.json.encode(document)
    return web.Response(status=status, body=body, headers={**headers, "Content-Type": PROBLEM})


def wants(accept: Sequence[str], media_type: str) -> bool:
    """Whether Accept headers name a media type."""
    return any(part.partition(";")[0].strip().lower() == media_type for part in ",".join(accept).split(","))
