"""Moved to `conversations_hub.reading`; this place goes with 0.3."""

from __future__ import annotations

from ._moved import moved

__all__: list[str] = []

__getattr__ = moved(__name__, "conversations_hub.reading.values", {"amount": "conversations_hub.reading.money:amount"})
