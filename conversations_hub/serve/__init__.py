"""The web: webhooks in, a service over a store, its changes for other systems, and a hub in an application of your own.

A receiver keeps each delivery before it acknowledges it:

    receiver = Receiver({"retell-eu": Endpoint("retell", account="eu", secrets=[secret])}, keep=inbox.keep)
    app.mount("/hooks", receiver)  # POST /hooks/retell-eu

A store is served read-only, to anyone who has a token:

    from aiohttp import web
    from conversations_hub.serve import Tokens, gateway

    web.run_app(
        gateway("conversations.db", tokens=Tokens.from_file("tokens.toml")), host="127.0.0.1", access_log=None
    )

`conversations-hub serve` does the same from the command line. aiohttp's own access log would hold whole addresses.
"""

from __future__ import annotations

from ..sync import Delivery, Inbox, drain
from ._embedding import hub_lifespan, hub_of, problems
from ._endpoint import Endpoint
from ._forward import ForwardReport, forward
from ._from_file import endpoints_from_file, targets_from_file
from ._gateway import gateway
from ._mounting import hooks_app, under
from ._outbox import DeadChange, Outbox, TargetStatus
from ._pipeline import Pipeline
from ._receiver import Answer, Receiver
from ._target import ForwardTarget
from ._tokens import Scope, Token, Tokens

__all__ = [
    "Answer",
    "DeadChange",
    "Delivery",
    "Endpoint",
    "ForwardReport",
    "ForwardTarget",
    "Inbox",
    "Outbox",
    "Pipeline",
    "Receiver",
    "Scope",
    "TargetStatus",
    "Token",
    "Tokens",
    "drain",
    "endpoints_from_file",
    "forward",
    "gateway",
    "hooks_app",
    "hub_lifespan",
    "hub_of",
    "problems",
    "targets_from_file",
    "under",
]
