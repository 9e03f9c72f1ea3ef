"""The account that is simulated: its organization, its line, its assistants."""

from __future__ import annotations

from ..truth import Truth

__all__ = ["LINE", "ORGANIZATION", "assistant_of"]

ORGANIZATION = "3f6f2d1e-0b57-4c3e-9a55-7d1c0f2b9a01"
LINE = "7d5e3a10-66a4-4d8d-8f17-3b9e6c2d1a55"


def assistant_of(truth: Truth) -> str:
    """Return the id of the assistant that answers."""
    return f"5b1f8c7a-2d6e-4f0b-8c3d-{truth.scenario.number:012}"
