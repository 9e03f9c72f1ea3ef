"""Moved to `conversations_hub.reading`; this module will be removed in 0.3."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ._moved import moved

__all__: list[str] = []

__getattr__: Callable[[str], Any] = moved(
    __name__,
    "conversations_hub.reading.values",
    {
        "amount": "conversations_hub.reading.money:amount",
        "HUMAN_AGENTS": "conversations_hub.reading.participants:HUMAN_AGENTS",
        "Participants": "conversations_hub.reading.participants:Participants",
        "signed_url_expiry": "conversations_hub.reading.recordings:signed_url_expiry",
        "stranger": "conversations_hub.reading.participants:unknown_speaker",
    },
)
