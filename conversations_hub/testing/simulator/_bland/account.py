"""The account that is simulated: its number, its pathways."""

from __future__ import annotations

from .._truth import Truth

__all__ = ["AGENT_NUMBER", "pathway_of"]

AGENT_NUMBER = "+15550100001"


def pathway_of(truth: Truth) -> str:
    """Return the id of the pathway that the agent follows."""
    return f"b71c4c5c-33e3-496b-a5f4-91b7e8e6{truth.scenario.number:04}"
