"""OpenAI's conversations that can be listed: ChatKit's threads and, kept apart, the sessions of its agents."""

from __future__ import annotations

from ....wire import Response
from .._truth import Truth
from .._world import Call, Delivery, Simulated, World
from . import sessions, threads, webhooks
from .refusals import refusal, refused

__all__ = ["SIMULATED", "answer"]


def answer(call: Call, world: World) -> Response:
    """Answer as OpenAI does."""
    if not call.bearer or call.bearer.startswith("bad"):
        words = "Incorrect API key provided." if call.bearer else "You didn't provide an API key."
        return refused(401, words, code="invalid_api_key")
    # The version of the path is part of the base URL.
    segments = call.segments[call.segments[:1] == ("v1",) :]
    match segments:
        case ("chatkit", "threads", *rest):
            beta, about = "chatkit_beta=v1", threads.answer
        case ("agents", "sessions", *rest):
            beta, about = "agents=v1", sessions.answer
        case _:
            return refused(404, f"Invalid URL ({call.method} /v1/{'/'.join(segments)})")
    if beta not in call.headers.get("openai-beta", "").split(","):
        return refused(400, f"You must provide the 'OpenAI-Beta' header with '{beta}' to use this API.")
    return about(call, tuple(rest), world)


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    """Return what is told of one thread, which is nothing about the thread itself, and of the session beside it."""
    found = webhooks.of_project(world, truth)
    beside = world.others.get("sessions")
    if beside is not None and truth.index < beside.corpus.size:
        found += webhooks.of_session(beside, beside.corpus.truth(truth.index))
    return sorted(found, key=lambda delivery: delivery.moment)


SIMULATED = Simulated(
    prefix="cthr_",
    answer=answer,
    refusal=refusal,
    key=lambda call: call.bearer,
    api_key="sk-proj-simulated",
    deliveries=_deliveries,
    signed=webhooks.signed,
    webhook_secret="whsec_c2ltdWxhdGVkLXNlY3JldC1vZi1vcGVuYWk=",  # noqa: S106  (of no use anywhere else)
    others={"sessions": sessions.SESSIONS},
)
