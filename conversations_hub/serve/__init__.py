"""The web: a service over a store, its changes for other systems, and a hub in an application of your own.

Who has a token reads conversations, and nobody changes any:

    from aiohttp import web
    from conversations_hub.serve import Tokens, gateway

    web.run_app(
        gateway("conversations.db", tokens=Tokens.from_file("tokens.toml")), host="127.0.0.1", access_log=None
    )

`conversations-hub serve` does the same from the command line. aiohttp's own access log would hold whole addresses.
"""

from __future__ import annotations

from ._embedding import hub_lifespan, hub_of, problems
from ._forward import ForwardReport, forward
from ._gateway import gateway
from ._outbox import Outbox, TargetStatus
from ._target import ForwardTarget
from ._tokens import Scope, Token, Tokens

__all__ = [
    "ForwardReport",
    "ForwardTarget",
    "Outbox",
    "Scope",
    "TargetStatus",
    "Token",
    "Tokens",
    "forward",
    "gateway",
    "hub_lifespan",
    "hub_of",
    "problems",
]
