"""Bland AI as its documentation and its clients describe it."""

from __future__ import annotations

from ....wire import Response
from .._world import Call, Simulated, World
from . import calls, texts
from .refusals import NOT_FOUND, failed, refusal

__all__ = ["SIMULATED", "answer"]


def answer(call: Call, world: World) -> Response:
    """Answer as Bland does."""
    key = _key(call)
    if not key or key.startswith("bad"):
        return failed(401, "AUTH_FAILURE", "Unauthorized")
    match call.method, call.segments:
        case _, ("v1", "calls", *rest):
            return calls.answer(call, tuple(rest), world)
        case "GET", ("v1", "recordings", id):
            return calls.audio(world, world.find(id))
        case _, ("v1", "sms", "conversations", *rest):
            return texts.answer(call, tuple(rest), world.others["texts"])
        case _:
            return NOT_FOUND


def _key(call: Call) -> str:
    return call.bearer or call.headers.get("authorization", "")


SIMULATED = Simulated(
    prefix="0b6f0c5e-8d0e-4f0a-9a35-7d",
    answer=answer,
    refusal=refusal,
    key=_key,
    api_key="org_simulated-key",
    deliveries=calls.deliveries,
    signed=calls.signed,
    webhook_secret="simulated-webhook-secret-of-bland",  # noqa: S106  (invented)
    others={"texts": texts.TEXTS},
)
