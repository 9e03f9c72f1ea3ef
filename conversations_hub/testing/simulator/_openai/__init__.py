"""OpenAI's conversations that can be listed: the sessions of its agents and, kept apart, ChatKit's threads."""

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
            beta, about, there = "chatkit_beta=v1", threads.answer, world.others["threads"]
        case ("agents", "sessions", *rest):
            beta, about, there = "agents=v1", sessions.answer, world
        case _:
            return refused(404, f"Invalid URL ({call.method} /v1/{'/'.join(segments)})")
    if beta not in call.headers.get("openai-beta", "").split(","):
        return refused(400, f"You must provide the 'OpenAI-Beta' header with '{beta}' to use this API.")
    return about(call, tuple(rest), there)


def _deliveries(world: World, truth: Truth) -> list[Delivery]:
    """Return the events of a session, and those of its project about the answers of its model."""
    found = [*webhooks.of_session(world, truth), *webhooks.of_project(world, truth)]
    return sorted(found, key=lambda delivery: delivery.moment)


SIMULATED = Simulated(
    prefix="sess_",
    answer=answer,
    refusal=refusal,
    key=lambda call: call.bearer,
    api_key="sk-proj-simulated",
    deliveries=_deliveries,
    signed=webhooks.signed,
    webhook_secret="whsec_c2ltdWxhdGVkLXNlY3JldC1vZi1vcGVuYWk=",  # noqa: S106  (of no use anywhere else)
    others={"threads": threads.THREADS},
)
