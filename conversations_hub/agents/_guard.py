"""Lets only those in who have a token, before anything of a request is looked at."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Collection, MutableMapping
from hashlib import sha256
from typing import Any, Final

from ..errors import ConfigurationError

__all__ = ["SHORTEST", "Guarded"]

SHORTEST: Final = 32
"""Characters of a token: one that people make up would be guessed."""

_REFUSED: Final = b"This server needs a token: Authorization: Bearer TOKEN"


class Guarded:
    """An ASGI application behind tokens.

    Args:
        inner: The application; it gets the lifespan, too.
        tokens: Any of them lets in.

    Raises:
        ConfigurationError: there is no token, or one is too short to be a secret.
    """

    def __init__(self, inner: Callable[..., Awaitable[None]], tokens: Collection[str]) -> None:
        self._inner = inner
        self.reload(tokens)

    def reload(self, tokens: Collection[str]) -> None:
        """Let in who has one of these instead, from the next request on; if it raises, the old ones stay.

        Raises:
            ConfigurationError: there is no token, or one is too short to be a secret.
        """
        if not tokens or any(len(token) < SHORTEST for token in tokens):
            raise ConfigurationError(f"MCP over HTTP needs tokens, of at least {SHORTEST} characters each")
        self._digests = [_digest(token) for token in tokens]  # not the tokens, which a traceback could show

    async def __call__(
        self, scope: MutableMapping[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
    ) -> None:
        """Serve a request that has a token, and the lifespan."""
        if scope["type"] == "lifespan" or (scope["type"] == "http" and self._has_token(scope)):
            await self._inner(scope, receive, send)
        elif scope["type"] == "http":
            headers = [(b"www-authenticate", b"Bearer"), (b"content-type", b"text/plain")]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": _REFUSED})

    def _has_token(self, scope: MutableMapping[str, Any]) -> bool:
        given = [value for name, value in scope["headers"] if name.lower() == b"authorization"]
        if len(given) != 1:
            return False
        scheme, _, token = given[0].decode("latin-1").partition(" ")
        digest = _digest(token.strip())
        found = [hmac.compare_digest(digest, each) for each in self._digests]  # all of them, whichever it is
        return scheme.lower() == "bearer" and any(found)


def _digest(token: str) -> bytes:
    return sha256(token.encode(errors="replace")).digest()
