"""The account that is simulated: its organization, its line, its assistants."""

from __future__ import annotations

from typing import Any

from .._truth import Truth

__all__ = ["LINE", "ORGANIZATION", "answering", "assistant_of"]

ORGANIZATION = "3f6f2d1e-0b57-4c3e-9a55-7d1c0f2b9a01"
LINE = "7d5e3a10-66a4-4d8d-8f17-3b9e6c2d1a55"
_SQUAD = "c2a9e8f4-1b3d-4e7a-b6c5-90d8f7e6a5b4"


def assistant_of(truth: Truth) -> str:
    """Return the id of the assistant that answers."""
    return f"5b1f8c7a-2d6e-4f0b-8c3d-{truth.scenario.number:012}"


def answering(truth: Truth) -> dict[str, Any]:
    """Return who answers what a customer writes: a squad, or an assistant, with its configuration or without."""
    if truth.customer % 5 == 0:
        return {"squadId": _SQUAD}
    if truth.customer % 3:
        return {"assistantId": assistant_of(truth)}
    # What is configured comes back, keys and all.
    server = {"url": "https://hooks.example.com/vapi", "headers": {"authorization": "Bearer simulated-token"}}
    return {"assistantId": assistant_of(truth), "assistant": {"name": truth.scenario.agent, "server": server}}
