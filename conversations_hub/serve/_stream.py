"""Answers of lines, made while they are sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aiohttp import web

from ._service import SERVICE, TOKEN, encoded

__all__ = ["BEGUN", "Lines"]

BEGUN = web.RequestKey("begun", web.StreamResponse)
"""The answer that has begun; what goes wrong from then on must cut it, so that it does not look whole."""


class Lines:
    """JSON lines on their way; the last says how many there were. A slow reader slows down their maker."""

    def __init__(self, request: web.Request, media_type: str = "application/jsonl") -> None:
        self._request = request
        self._response = web.StreamResponse(headers={"Content-Type": media_type})
        self._service = request.config_dict[SERVICE]
        self._count = 0

    async def begin(self) -> web.StreamResponse:
        """Send the head, and return the answer."""
        if not self._response.prepared:
            self._request[BEGUN] = self._response
            await self._response.prepare(self._request)
        return self._response

    async def write(self, some: Sequence[bytes]) -> None:
        """Send some lines; raise `ConnectionError` once the gateway stops, the token is gone or the client has left."""
        self._count += len(some)
        await self.send(b"".join(line + b"\n" for line in some))

    async def send(self, text: bytes) -> None:
        """Send a text, which is no line that counts."""
        if self._service.stopping.is_set() or not self._service.knows(self._request[TOKEN]):
            raise ConnectionResetError
        await self.begin()
        if text:
            await self._response.write(text)

    async def end(self, **more: Any) -> web.StreamResponse:
        """Send the last line, and return the answer."""
        await self.send(encoded({"end": True, "count": self._count, **more}) + b"\n")
        return self._response
