"""Vapi as its specification and its clients describe it."""

from __future__ import annotations

from ....wire import Response
from .._world import Call, Simulated, World
from . import calls, chats, sessions
from .refusals import refusal

__all__ = ["SIMULATED", "answer"]


def answer(call: Call, world: World) -> Response:
    """Answer as Vapi does."""
    if not call.bearer or call.bearer.startswith("bad"):
        words = "Invalid Key. Hot tip, you may be using the private key instead of the public key, or vice versa."
        return refusal(401, words)
    match call.segments:
        case ("call", *rest):
            return calls.answer(call, tuple(rest), world)
        case ("chat", *rest):
            return chats.answer(call, tuple(rest), world)
        case ("session", *rest):
            return sessions.answer(call, tuple(rest), world)
        case segments:
            return refusal(404, f"Cannot {call.method} /{'/'.join(segments)}")


SIMULATED = Simulated(
    prefix="019a7c55-3f0e-7c21-9b4d-5a",
    answer=answer,
    refusal=refusal,
    key=lambda call: call.bearer,
    api_key="simulated-private-key",
    deliveries=calls.deliveries,
    signed=calls.signed,
    webhook_secret="simulated-webhook-secret",  # noqa: S106  (of no use anywhere else)
    others={"chats": chats.CHATS, "sessions": sessions.SESSIONS},
)
