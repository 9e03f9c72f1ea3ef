"""A web service over a store: who has a token reads conversations, and nobody changes any.

    from aiohttp import web
    from conversations_hub.serve import Tokens, gateway

    web.run_app(
        gateway("conversations.db", tokens=Tokens.from_file("tokens.toml")), host="127.0.0.1", access_log=None
    )

`conversations-hub serve` does the same from the command line. aiohttp's own access log would hold whole addresses.
"""

from __future__ import annotations

from ._gateway import gateway
from ._tokens import Scope, Token, Tokens

__all__ = ["Scope", "Token", "Tokens", "gateway"]
