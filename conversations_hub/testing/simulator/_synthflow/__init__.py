"""Synthflow: calls, listed for one assistant at a time, and chats, which are kept apart from them."""

from __future__ import annotations

from ....wire import Response
from .._world import Call, Simulated, World, dated
from . import calls, chats
from .assistants import listed, shown
from .refusals import refusal, refused

__all__ = ["SIMULATED", "answer"]


def answer(call: Call, world: World) -> Response:
    """Answer as Synthflow does."""
    return dated(_answer(call, world), world)


def _answer(call: Call, world: World) -> Response:
    if not call.bearer or call.bearer.startswith("bad"):
        return Response(401, {}, b"")
    # The version of the path is part of the base URL.
    segments = call.segments[call.segments[:1] == ("v2",) :]
    match segments:
        case ("assistants",) if call.method == "GET":
            return listed(call)
        case ("assistants", id) if call.method == "GET":
            return shown(id)
        case ("calls", *rest):
            return calls.answer(call, tuple(rest), world)
        case ("chat", *rest):
            return chats.answer(call, tuple(rest), world.others["chats"])
        case _:
            return refused(404, "Not Found")


SIMULATED = Simulated(
    prefix="b8c1f04e-2d7a-4c39-8e51-0b",
    answer=answer,
    refusal=refusal,
    key=lambda call: call.bearer,
    api_key="simulated-workspace-key",
    deliveries=calls.deliveries,
    signed=calls.signed,
    webhook_secret="simulated-webhook-secret",  # noqa: S106  (of no use anywhere else)
    others={"chats": chats.CHATS},
)
