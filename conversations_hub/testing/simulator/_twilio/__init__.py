"""Twilio as its specifications describe it: classic Conversations, and classic Intelligence with transcripts of calls.

The two are at different hosts there, and at one address here: /v1 is the one, and /v2 the other.
"""

from __future__ import annotations

from ....wire import Response
from .._world import Call, Simulated, World, dated
from . import conversations, transcripts
from .account import ACCOUNT, key_of
from .pages import UNKNOWN, refusal

__all__ = ["SIMULATED", "answer"]


def answer(call: Call, world: World) -> Response:
    """Answer as Twilio does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if call.segments[:2] == ("v2", "Files"):
        return transcripts.file(call, world.others["transcripts"])
    key = key_of(call)
    if not key or key.startswith("bad"):
        return refusal(401, "Authenticate", code=20003)
    match call.segments:
        case ("v1", "Services", _, "Conversations", *rest) | ("v1", "Conversations", *rest):
            return conversations.answer(call, tuple(rest), world)
        case ("v2", "Transcripts", *rest):
            return transcripts.answer(call, tuple(rest), world.others["transcripts"])
        case _:
            return UNKNOWN


SIMULATED = Simulated(
    prefix=conversations.PREFIX,
    answer=answer,
    refusal=refusal,
    key=key_of,
    api_key="simulated-auth-token",
    settings={"account_sid": ACCOUNT},
    deliveries=conversations.deliveries,
    signed=conversations.signed,
    webhook_secret="simulated-auth-token",  # noqa: S106  (invented)
    others={"transcripts": transcripts.TRANSCRIPTS},
)
